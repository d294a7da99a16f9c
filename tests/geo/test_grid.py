"""Chains, precedence, borders and the outside, counted by hand; and the demo city against GEOS."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo import schema
from geo.grid import COLUMNS, GridLookup, locate

BASE = "370303001001001", "370303001001002", "370303001002001", "370303001002002"


def lookup_of(city, *more, drop_parents=False):
    """Lookup over the tiny city and more rows: (grid_id, level, kind, parent_id, geometry)."""
    grids = city.degrees("grids").copy()
    if drop_parents:
        grids["parent_id"] = None
    if more:
        names = ["grid_id", "level", "kind", "parent_id", "geometry"]
        rows = gpd.GeoDataFrame(dict(zip(names, zip(*more, strict=True), strict=True)), crs=grids.crs)
        grids = pd.concat([grids, schema.checked("grids", rows)])
    return GridLookup.build(grids)


def box(west, east, south=36.80, north=36.81):
    return shapely.box(west, south, east, north)


def test_the_chain_follows_the_parents_and_ties_go_to_the_lowest_code(tiny_city):
    found = locate(lookup_of(tiny_city), [118.005, 118.01, 118.02, 118.04, 118.041, np.nan], [36.805] * 6)
    assert found.columns.tolist() == list(COLUMNS)
    assert found["base"].tolist()[:4] == [BASE[0], BASE[0], BASE[1], BASE[3]]
    assert found["village"].tolist()[2] == "370303001001000"
    assert found["town"].tolist()[:4] == ["370303001000000"] * 4
    assert found.iloc[4:].isna().all(axis=None)
    assert found[["dedicated", "micro"]].isna().all(axis=None)
    assert {str(t) for t in found.dtypes} == {"str"}


def test_the_order_of_the_rows_does_not_matter(tiny_city):
    grids = tiny_city.degrees("grids")
    x, y = np.linspace(117.99, 118.05, 61), np.full(61, 36.805)
    expected = locate(GridLookup.build(grids), x, y)
    for seed in range(3):
        pd.testing.assert_frame_equal(
            locate(GridLookup.build(grids.sample(frac=1, random_state=seed)), x, y), expected
        )


def test_without_parents_levels_are_found_by_place(tiny_city):
    x, y = [118.005, 118.035, 118.05], [36.805] * 3
    with_parents, without = (locate(lookup_of(tiny_city, drop_parents=d), x, y) for d in (False, True))
    pd.testing.assert_frame_equal(with_parents, without)


def test_parents_win_over_place(tiny_city):
    enclave = ("370303001002009", 3, "base", "370303001002000", box(118.00, 118.01, 36.82, 36.83))
    found = locate(lookup_of(tiny_city, enclave), [118.005], [36.825])
    assert found[["town", "village", "base"]].to_numpy().tolist() == [
        ["370303001000000", "370303001002000", "370303001002009"]
    ]


def test_a_village_without_base_grid_is_still_named(tiny_city):
    village = ("370303001003000", 2, "admin", "370303001000000", box(118.04, 118.05))
    lookup = lookup_of(tiny_city, village)
    found = locate(lookup, [118.045], [36.805])
    assert found.loc[0, ["town", "village"]].tolist() == ["370303001000000", "370303001003000"]
    assert found["base"].isna().all()
    answer = lookup.answers([118.045], [36.805])[0]
    assert [g["level"] for g in answer["grids"]] == [1, 2]
    assert answer["nearest"]["grid_id"] == BASE[3]


def test_dedicated_grids_come_first_and_the_base_grid_is_still_named(tiny_city):
    mall = ("370303001009001", 3, "dedicated", None, box(118.008, 118.012, 36.802, 36.808))
    lookup = lookup_of(tiny_city, mall)
    answer = lookup.answers([118.009], [36.805])[0]
    assert [(g["grid_id"], g["kind"]) for g in answer["grids"]][2:] == [
        ("370303001009001", "dedicated"),
        (BASE[0], "base"),
    ]
    assert (answer["also"], answer["nearest"]) == ([], None)
    assert locate(lookup, [118.009, 118.011, 118.013], [36.805] * 3)["dedicated"].isna().tolist() == [
        False,
        False,
        True,
    ]


def test_micro_grids_lie_in_the_base_grid_that_answers(tiny_city):
    micro = [
        ("370303001001001901", 4, "micro", BASE[0], box(118.005, 118.01)),
        ("370303001001001101", 4, "micro", BASE[1], box(118.01, 118.015)),
    ]
    found = locate(lookup_of(tiny_city, *micro), [118.007, 118.01, 118.012, 118.018], [36.805] * 4)
    assert found["micro"].tolist()[:3] == [
        micro[0][0],
        micro[0][0],
        micro[1][0],
    ]  # on the border: as the base grid
    assert found["base"].tolist()[:3] == [BASE[0], BASE[0], BASE[1]]
    assert pd.isna(found["micro"][3])


def test_base_grids_that_overlap_answer_with_the_lowest_code_and_name_the_others(tiny_city):
    over = ("370303001001000999", 3, "base", "370303001001000", box(118.002, 118.012, 36.802, 36.808))
    answer = lookup_of(tiny_city, over).answers([118.005], [36.805])[0]
    assert answer["grids"][-1]["grid_id"] == min(BASE[0], over[0])
    assert answer["also"] == [max(BASE[0], over[0])]


def test_a_ring_of_parents_ends(tiny_city):
    ring = [("A", 2, "admin", "B", box(119, 119.1)), ("B", 2, "admin", "A", box(119.1, 119.2))]
    assert locate(lookup_of(tiny_city, *ring), [119.05], [36.805])["village"].tolist() == ["A"]


def test_no_grids_at_all(tiny_city):
    lookup = GridLookup.build(tiny_city.degrees("grids").iloc[:0])
    assert locate(lookup, [118.0], [36.8]).isna().all(axis=None)
    answer = lookup.answers([118.0], [36.8], radius_m=100)[0]
    assert (answer["grids"], answer["also"], answer["edge_m"], answer["nearest"]) == ([], [], None, None)
    assert locate(lookup, [], []).shape == (0, 5)


def test_distances_are_those_of_the_metric_crs(demo_small):
    grids = demo_small.degrees("grids")
    lookup = demo_small.lookup
    base = demo_small.grids[(demo_small.grids["kind"] == "base").to_numpy()].geometry
    west, south, east, north = grids.total_bounds
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(west - 0.02, east + 0.02, 150), rng.uniform(south - 0.02, north + 0.02, 150)
    points = shapely.points(*demo_small.to_metres(lon, lat))
    for point, answer in zip(points, lookup.answers(lon, lat, radius_m=150.0), strict=True):
        names = [g["grid_id"] for g in answer["grids"] if g["kind"] == "base"]
        far = base.distance(point)
        if names:
            edge = base[names[0]].boundary.distance(point)
            assert answer["edge_m"] == pytest.approx(edge, rel=1e-3, abs=0.02)
            assert answer["nearest"] is None
        else:
            assert answer["nearest"]["distance_m"] == pytest.approx(far.min(), rel=1e-3, abs=0.02)
            assert far[answer["nearest"]["grid_id"]] == pytest.approx(far.min(), abs=0.05)
        sure, maybe = set(far.index[far < 149.7]), set(far.index[far < 150.3])
        assert sure <= {*names, *answer["also"]} <= maybe


def test_far_from_the_city_there_is_no_nearest_grid(tiny_city):
    """118.00-118.04, 36.80-36.81: a degree of latitude is 111 km there, one of longitude 89 km."""
    lookup = lookup_of(tiny_city)
    lon = np.array([118.02, 117.45, 117.43, 118.02, 118.02, 36.8, 0.0, np.nan])
    lat = np.array([36.805, 36.805, 36.805, 37.25, 37.27, 118.0, 0.0, 36.8])
    assert lookup.far(lon, lat).tolist() == [False, False, True, False, True, True, True, False]
    for x, y, far in zip(lon[:5], lat[:5], lookup.far(lon, lat), strict=False):
        (answer,) = lookup.answers([x], [y])
        assert ("note" in answer) == far
        assert (answer["nearest"] is None) == (far or bool(answer["grids"]))
    nobody = GridLookup.build(tiny_city.degrees("grids").iloc[:0])
    assert not nobody.far(lon, lat).any()
    assert "note" not in nobody.answers([0.0], [0.0])[0]


def test_the_demo_city_is_located_as_geos_says(demo_small):
    grids = demo_small.degrees("grids").sort_index()
    lonlat = shapely.get_coordinates(grids.geometry.to_numpy())[::3]
    rng = np.random.default_rng(1)
    lonlat = np.vstack([lonlat, rng.uniform(*grids.total_bounds.reshape(2, 2), (3000, 2))])
    found = demo_small.locate(*lonlat.T)
    for name, rows in {
        "base": (grids["level"] == 3) & (grids["kind"] == "base"),
        "dedicated": grids["kind"] == "dedicated",
    }.items():
        part = grids[rows.to_numpy(bool)]
        i, j = shapely.STRtree(part.geometry.to_numpy()).query(shapely.points(lonlat), predicate="covered_by")
        wanted = pd.Series(part.index[j]).groupby(i).min()
        assert found[name].dropna().to_dict() == wanted.to_dict()
    chain = found.dropna(subset=["base"])
    assert (grids["parent_id"].loc[chain["base"]].to_numpy() == chain["village"].to_numpy()).all()
