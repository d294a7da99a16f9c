"""The whole examination: a clean city has no faults, every planted fault is found, and nothing else."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from pyproj import CRS

from geo import schema
from geo.crs import convert
from geo.errors import UnknownNameError
from geo.io.faults import write_faults
from geo.quality import CODES, Tables, examine, faults, find_faults

METRIC = CRS.from_epsg(4548)
EAST, NORTH = 590_000.0, 4_075_000.0
SIDE = 300.0


def clean_city():
    """Two villages of one town, 8 × 4 base grids, cameras, addresses, incidents, people; nothing wrong."""

    def box(x, y, width, height):
        west, south = EAST + x * SIDE, NORTH + y * SIDE
        return shapely.box(west, south, west + width * SIDE, south + height * SIDE)

    rows = [("379802001", 1, "admin", None, box(0, 0, 8, 4))]
    rows += [(f"37980200100{v + 1}", 2, "admin", "379802001", box(4 * v, 0, 4, 4)) for v in range(2)]
    for v in range(2):
        cells = [(x, y) for x in range(4) for y in range(4)]
        rows += [(f"37980200100{v + 1}{n + 1:03d}", 3, "base", f"37980200100{v + 1}", box(4 * v + x, y, 1, 1))
                 for n, (x, y) in enumerate(cells)]  # fmt: skip
    ids, level, kind, parent, shapes = zip(*rows, strict=True)
    # Neighbours share every vertex, as a coverage must.
    nodes = shapely.multipoints([(EAST + x * SIDE, NORTH + y * SIDE) for x in range(9) for y in range(5)])
    shapes = shapely.snap(shapely.segmentize(np.array(shapes), SIDE), nodes, 0.01)
    grids = gpd.GeoDataFrame({"level": level, "kind": kind, "parent_id": parent, "households": 50}, geometry=shapes,
                             index=pd.Index(ids, name="grid_id"), crs=METRIC)  # fmt: skip
    base = grids[grids["level"] == 3]
    rng = np.random.default_rng(0)

    def points(count):
        return shapely.points(
            rng.uniform((EAST + 5, NORTH + 5), (EAST + 8 * SIDE - 5, NORTH + 4 * SIDE - 5), (count, 2))
        )

    spots = points(400)
    grid = base.index.to_numpy()[shapely.STRtree(base.geometry.to_numpy()).query(spots, "within")[1]]
    day = pd.Timestamp("2026-03-01", tz="UTC")
    cameras = {
        "name": "路口",
        "civil_code": "379802",
        "point_class": 3,
        "state": "on",
        "secrecy": 0,
        "bearing_deg": 45.0,
    }
    tables = {
        "boundary": gpd.GeoDataFrame({"name": ["市"]}, geometry=[grids.geometry.iloc[0]], index=["b"], crs=METRIC),
        "grids": grids,
        "cameras": gpd.GeoDataFrame(cameras, geometry=points(40), crs=METRIC,
                                    index=[f"3798020000132{n:07d}" for n in range(40)]),
        "addresses": gpd.GeoDataFrame({"standard": [f"地址{n}" for n in range(400)], "grid_id": grid},
                                      geometry=spots, index=[f"a{n}" for n in range(400)], crs=METRIC),
        "incidents": gpd.GeoDataFrame(
            {"occurred_at": [day + pd.Timedelta(hours=n) for n in range(60)], "category": "噪音",
             "reported_at": [day + pd.Timedelta(hours=n + 1) for n in range(60)]},
            geometry=points(60), index=[f"i{n}" for n in range(60)], crs=METRIC),
        "people": pd.DataFrame({"grid_id": base.index[:5], "category": "独居老人", "count": 7},
                               index=[f"p{n}" for n in range(5)]),
    }  # fmt: skip
    return {
        name: schema.checked(name, frame.rename_axis(schema.table(name).key))
        for name, frame in tables.items()
    }


@pytest.fixture
def city():
    return clean_city()


def run(tables, **given):
    return examine(tables, crs=METRIC, **{"scheme": "15", **given})


def test_a_clean_city_has_no_faults(city):
    report = run(city)
    assert report.summary == {}
    assert report.faults.empty
    assert report.rows["grids"] == 35
    assert examine({}, crs=METRIC).faults.empty
    assert examine({name: schema.empty(name, METRIC) for name in schema.TABLES}, crs=METRIC).faults.empty


def put(table, row, **values):
    """Change cells of one row; geometry too."""
    changed = table.copy()
    for column, value in values.items():
        changed.loc[row, column] = value
    return changed


def moved(table, row, x, y):
    return put(table, row, geometry=shapely.Point(x, y))


STAMP = pd.Timestamp("2026-01-01", tz="UTC")
ZERO = tuple(float(v) for v in convert(0, 0, source="wgs84", target=METRIC))
PLANTED = {
    "grid.gap": ("grids", lambda t: t.drop("379802001001006"), "379802001001001"),
    "grid.overlap": ("grids", lambda t: put(t, "379802001001006", geometry=t.geometry["379802001001006"].buffer(20)),
                     "379802001001001|379802001001006"),
    "grid.beyond": ("grids", lambda t: put(t, "379802001", geometry=t.geometry["379802001"].buffer(50)), "379802001"),
    "grid.parent.absent": ("grids", lambda t: put(t, "379802001001006", parent_id=None), "379802001001006"),
    "grid.parent.unknown": ("grids", lambda t: put(t, "379802001001006", parent_id="x"), "379802001001006"),
    "grid.parent.level": ("grids", lambda t: put(t, "379802001001006", parent_id="379802001001005"), "379802001001006"),
    "grid.parent.leaves": ("grids", lambda t: put(t, "379802001001006", parent_id="379802001002"), "379802001001006"),
    "grid.childless": ("grids", lambda t: t.assign(parent_id=t["parent_id"].replace("379802001002", "379802001001")),
                       "379802001002"),
    "grid.code": ("grids", lambda t: t.rename({"379802001001006": "37980200100106"}), "37980200100106"),
    "grid.code.parent": ("grids", lambda t: t.rename({"379802001001006": "379802009001006"}), "379802009001006"),
    "grid.dates": ("grids", lambda t: put(t, "379802001001006", valid_from=pd.Timestamp("2026-02-01"),
                                          valid_to=pd.Timestamp("2026-01-01")), "379802001001006"),
    "camera.code": ("cameras", lambda t: t.rename({t.index[3]: "3798020000010001"}), "3798020000010001"),
    "camera.field": ("cameras", lambda t: put(t, t.index[3], civil_code=None), "37980200001320000003"),
    "geometry.absent": ("incidents", lambda t: put(t, "i3", geometry=None), "i3"),
    "geometry.duplicate": ("grids", lambda t: pd.concat([t, t.loc[["379802001001006"]].rename(
        {"379802001001006": "379802001001099"})]), "379802001001099"),
    "key.duplicate": ("addresses", lambda t: pd.concat([t, t.loc[["a3"]]]), "a3"),
    "row.duplicate": ("incidents", lambda t: pd.concat([t, t.loc[["i3"]].rename({"i3": "i99"})]), "i99"),
    "point.zero": ("incidents", lambda t: moved(t, "i3", *ZERO), "i3"),
    "point.outside": ("incidents", lambda t: moved(t, "i3", EAST - 100, NORTH + 100), "i3"),
    "point.pile": ("addresses", lambda t: put(t, [f"a{n}" for n in range(20)], geometry=t.geometry["a0"],
                                              grid_id=t["grid_id"]["a0"]), "a0"),
    "reference.unknown": ("people", lambda t: put(t, "p3", grid_id="x"), "p3"),
    "reference.grid": ("addresses", lambda t: moved(t, "a3", EAST + 10, NORTH + 10), "a3"),
    "time.order": ("incidents", lambda t: put(t, "i3", closed_at=STAMP), "i3"),
    "time.default": ("incidents", lambda t: put(t, "i3", occurred_at=pd.Timestamp("1970-01-01", tz="UTC")), "i3"),
    "people.duplicate": ("people", lambda t: pd.concat([t, t.loc[["p3"]].rename({"p3": "p9"})]), "p9"),
    "people.households": ("people", lambda t: put(t, "p3", count=501), "p3"),
}  # fmt: skip


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_fault_is_found_with_its_id(city, code):
    table, change, key = PLANTED[code]
    every = find_faults(Tables({**city, table: change(city[table])}, METRIC, "15"))
    found = every[every["code"] == code]
    assert key in found["id"].tolist(), every[["code", "id"]]
    assert set(found["table"]) == {table}
    assert len(found) <= 8


def test_an_invalid_polygon_is_named_with_the_reason(city):
    west, south = EAST + SIDE, NORTH + SIDE
    bow = shapely.Polygon(
        [(west, south), (west + SIDE, south + SIDE), (west + SIDE, south), (west, south + SIDE)]
    )
    every = find_faults(
        Tables({**city, "grids": put(city["grids"], "379802001001006", geometry=bow)}, METRIC)
    )
    found = every[every["code"] == "geometry.invalid"]
    assert found["id"].tolist() == ["379802001001006"]
    assert "Self-intersection" in found["value"].iloc[0]


def test_a_beginning_in_the_future_is_fine(city):
    grids = city["grids"].assign(valid_from=pd.Timestamp("2030-01-01"))
    assert find_faults(Tables({**city, "grids": grids}, METRIC, "15")).empty


def test_a_table_in_gcj02_is_a_fault_of_the_table(city):
    addresses = city["addresses"].copy()
    lon, lat = convert(addresses.geometry.x, addresses.geometry.y, source=METRIC, target="wgs84")
    x, y = convert(*convert(lon, lat, source="wgs84", target="gcj02"), source="wgs84", target=METRIC)
    addresses = addresses.set_geometry(shapely.points(x, y), crs=METRIC)
    report = run({**city, "addresses": addresses})
    found = report.faults[report.faults["code"] == "datum"]
    assert found[["table", "value"]].to_numpy().tolist() == [["addresses", "gcj02"]]


def test_codes_without_a_scheme_are_opaque(city):
    grids = city["grids"].rename({"379802001001006": "北门网格"})
    tables = {"grids": grids, "boundary": city["boundary"]}
    assert find_faults(Tables(tables, METRIC)).empty
    assert find_faults(Tables(tables, METRIC, "15"))["id"].tolist() == ["北门网格"]


def test_camera_codes_of_a_register_that_is_not_gb_are_left_alone(city):
    cameras = city["cameras"].rename(lambda code: f"CCTV-{code[-3:]}")
    assert find_faults(Tables({**city, "cameras": cameras}, METRIC, "15")).empty


def test_secret_cameras_are_counted_but_not_named(city):
    code = city["cameras"].index[3]
    tables = {**city, "cameras": put(city["cameras"], code, secrecy=1, civil_code=None)}
    hidden, shown = run(tables), run(tables, show_secret=True)
    assert hidden.summary == shown.summary == {"camera.field": 1}
    assert shown.faults["id"].tolist() == [code]
    assert hidden.faults["id"].tolist() == ["(secret)"]
    assert hidden.faults.geometry.isna().all()
    assert code not in json.dumps(hidden.as_dict(), default=str)


def test_no_count_of_people_is_in_the_report(city):
    people = put(city["people"], "p3", count=7341)
    assert "7341" not in json.dumps(run({**city, "people": people}).as_dict(), default=str)


def test_the_document_has_the_promised_shape(city):
    document = run({**city, "people": put(city["people"], "p3", grid_id="x")}).as_dict()
    assert set(document) == {"tables", "faults", "summary"}
    assert set(document["tables"]["grids"]) == {"rows", "crs", "datum"}
    assert {"verdict", "evidence", "margin"} <= set(document["tables"]["grids"]["datum"])
    assert document["faults"] == [{"code": "reference.unknown", "table": "people", "id": "p3", "value": "x",
                                   "message": "grid_id is not in grids"}]  # fmt: skip
    assert document["summary"] == {"reference.unknown": 1}
    assert set(document["summary"]) <= set(CODES)


def test_an_unknown_code_is_refused():
    with pytest.raises(UnknownNameError, match=r"grid\.gap"):
        faults("grid.typo", "grids", ["a"], crs=METRIC)


def test_the_geopackage_holds_every_fault(city, tmp_path):
    tables = {
        **city,
        "grids": city["grids"].drop("379802001001006"),
        "incidents": moved(city["incidents"], "i3", EAST - 100, NORTH),
        "people": put(city["people"], "p3", grid_id="x"),
    }
    report = run(tables)
    path = tmp_path / "faults.gpkg"
    assert write_faults(report.faults, path) == len(report.faults)
    layers = {name: gpd.read_file(path, layer=name) for name, _ in pyogrio.list_layers(path)}
    assert sum(len(layer) for layer in layers.values()) == len(report.faults)
    assert layers["fault_points"].crs.to_epsg() == 4490
    assert layers["fault_polygons"].geom_type.eq("MultiPolygon").all()
    assert "point.outside" in set(layers["fault_points"]["code"])
    write_faults(report.faults.iloc[:0], path)
    assert len(gpd.read_file(path, layer="fault_points")) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["faults.gpkg"]
