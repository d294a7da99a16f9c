"""The demo city is coherent: what it claims about itself is true when asked of the geometry."""

import numpy as np
import pandas as pd
import pytest
import shapely

from geo import schema
from geo.city import City, lineage
from geo.codes import camera_faults, faults, scheme
from geo.demo import SCALES, demo_city, planted
from geo.demo.streets import CLASSES, WIDTH_M
from geo.errors import BadInputError, UnknownNameError


@pytest.fixture(scope="module", params=["tiny", "small"])
def city(request: pytest.FixtureRequest) -> City:
    return request.getfixturevalue(f"demo_{request.param}")


def lonlat(city: City, table: str) -> np.ndarray:
    return shapely.get_coordinates(city.degrees(table).geometry.to_numpy())


def test_every_table_of_the_contract_has_rows(city: City) -> None:
    for name in schema.TABLES:
        frame, problems = schema.conform(name, city.degrees(name))
        assert len(frame), name
        assert not problems, (name, problems[:3])


@pytest.mark.parametrize("form", ["degrees", "table"])
def test_three_levels_tile_exactly_and_nest(city: City, form: str) -> None:
    grids = getattr(city, form)("grids")
    tiling = {
        level: grids[(grids["level"] == level) & grids["kind"].isin(["admin", "base"])] for level in (1, 2, 3)
    }
    outline = shapely.coverage_union_all(tiling[3].geometry.to_numpy())
    for level, frame in tiling.items():
        shapes = frame.geometry.to_numpy()
        assert shapely.is_valid(shapes).all()
        assert shapely.coverage_is_valid(shapes)
        assert shapely.equals_exact(shapely.coverage_union_all(shapes).normalize(), outline.normalize())
        if level > 1:
            for parent, children in frame.groupby("parent_id"):
                union = shapely.coverage_union_all(children.geometry.to_numpy())
                assert shapely.equals_exact(union.normalize(), grids.geometry[parent].normalize())


def test_codes_follow_their_schemes(city: City) -> None:
    grids = city.degrees("grids")
    assert (faults(grids.index.to_series(), grids["level"], scheme(city.scheme)) == "").all()
    inner = grids[grids["level"] > 1]
    assert inner["parent_id"].isin(grids.index).all()
    below = inner[inner["kind"] != "dedicated"]
    assert all(i.startswith(p) for i, p in zip(below.index, below["parent_id"], strict=True))
    cameras = city.degrees("cameras").index
    assert (camera_faults(cameras.to_series()) == "").all()
    assert cameras.str.slice(0, 6).isin(set(grids.index.str.slice(0, 6))).all()


def test_micro_grids_cut_their_base_grid_and_dedicated_ones_lie_over_the_city(city: City) -> None:
    grids = city.grids
    micro = grids[grids["kind"] == "micro"]
    for parent, halves in micro.groupby("parent_id"):
        whole = grids.geometry[parent]
        assert shapely.coverage_union_all(halves.geometry.to_numpy()).equals(whole)
    dedicated = grids[grids["kind"] == "dedicated"]
    assert len(dedicated)
    assert dedicated.within(city.boundary.geometry.iloc[0]).all()


def test_addresses_lie_in_the_grid_they_declare(city: City) -> None:
    found = city.locate(*lonlat(city, "addresses").T)
    assert (found["base"].to_numpy() == city.addresses["grid_id"].to_numpy()).all()
    grids = city.degrees("grids")
    town = grids["name"].reindex(found["town"]).to_numpy()
    assert (town == city.addresses["town"].to_numpy()).all()


def test_door_numbers_are_odd_on_one_side_and_even_on_the_other(demo_small: City) -> None:
    roads, doors = demo_small.roads, demo_small.addresses
    doors = doors[
        (doors["level"] == 50) & doors["road"].notna() & doors["lane"].isna() & doors["compound"].isna()
    ]
    tree = shapely.STRtree(roads.geometry.to_numpy())
    nearest = tree.nearest(doors.geometry.to_numpy())
    line = roads.geometry.to_numpy()[nearest]
    same = roads["name"].to_numpy()[nearest] == doors["road"].to_numpy()
    doors, line = doors[same], line[same]
    at = shapely.line_locate_point(line, doors.geometry.to_numpy())
    a = shapely.get_coordinates(shapely.line_interpolate_point(line, np.maximum(at - 1, 0)))
    b = shapely.get_coordinates(shapely.line_interpolate_point(line, at + 1))
    p = shapely.get_coordinates(doors.geometry.to_numpy())
    left = (b[:, 0] - a[:, 0]) * (p[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[:, 0] - a[:, 0]) > 0
    odd = doors["number"].str.rstrip("号").astype(int).to_numpy() % 2 == 1
    assert same.mean() > 0.9
    assert len(odd) > 500
    assert (
        left == odd
    ).mean() > 0.995  # a door beyond the end of its piece of road may be measured from another


def test_numbers_rise_along_the_road(demo_small: City) -> None:
    doors = demo_small.addresses
    doors = doors[
        (doors["level"] == 50) & doors["road"].str.contains("南路|中路|北路|大道") & doors["compound"].isna()
    ]
    doors = doors[doors["lane"].isna()]
    number = doors["number"].str.rstrip("号").astype(int)
    checked = 0
    for _, street in doors.groupby(["district", "road"]):
        if len(street) > 12 and np.ptp(street.geometry.y) > 2 * np.ptp(street.geometry.x):
            assert np.corrcoef(street.geometry.y, number[street.index])[0, 1] > 0.98
            checked += 1
    assert checked > 3


def test_buildings_keep_off_roads_water_and_one_another(city: City) -> None:
    shapes = city.buildings.geometry.to_numpy()
    shrunk = shapely.buffer(shapes, -0.1)
    a, b = shapely.STRtree(shrunk).query(shrunk, predicate="intersects")
    assert (a == b).all()
    row, road = shapely.STRtree(city.roads.geometry.to_numpy()).query(
        shapes, predicate="dwithin", distance=30
    )
    gap = shapely.distance(shapes[row], city.roads.geometry.to_numpy()[road])
    assert (gap > city.roads["width_m"].to_numpy()[road] / 2).all()
    assert not len(shapely.STRtree(city.water.geometry.to_numpy()).query(shrunk, predicate="intersects")[0])
    tall = city.buildings["height_m"] / city.buildings["floors"]
    assert tall.dropna().between(3, 4.3).all()


def test_roads_meet_at_shared_vertices(city: City) -> None:
    lines = city.roads.geometry.to_numpy()
    assert not len(shapely.STRtree(lines).query(lines, predicate="crosses")[0])
    assert set(city.roads["class"]) <= set(CLASSES)
    assert set(city.roads["width_m"]) <= set(WIDTH_M)


def test_a_road_name_occurs_in_two_districts_and_long_roads_have_parts(demo_small: City) -> None:
    doors = demo_small.addresses
    districts = doors.groupby("road")["district"].nunique()
    assert (districts > 1).sum() >= 3
    assert doors["road"].dropna().str.contains("东路|南路").any()


def test_cameras_stand_beside_roads_and_look_along_them(city: City) -> None:
    roads, cameras = city.roads, city.cameras
    points = cameras.geometry.to_numpy()
    near = shapely.STRtree(roads.geometry.to_numpy()).nearest(points)
    gap = shapely.distance(points, roads.geometry.to_numpy()[near])
    assert (gap < WIDTH_M.max() / 2 + 1.5).all()
    assert 0.85 < (cameras["state"] == "on").mean() < 0.99
    for column in ("bearing_deg", "fov_deg", "range_m", "height_m"):
        assert 0.05 < cameras[column].isna().mean() < 0.5
    assert cameras["pole_id"].nunique() < len(cameras)


def test_incidents_have_days_weeks_and_sources(demo_small: City) -> None:
    incidents = demo_small.incidents
    local = incidents["occurred_at"].dt.tz_convert(demo_small.timezone)
    days = local.dt.normalize().drop_duplicates()
    assert len(days) == 180
    assert f"{days.max():%F}" == "2026-06-29"
    assert set(incidents["source"]) == set(schema.INCIDENT_SOURCES)
    traffic = local[incidents["category"] == "交通事故"]
    by_hour = traffic.dt.hour.value_counts()
    assert by_hour[[7, 8, 17]].min() > 3 * by_hour[[1, 2, 3]].max()
    noise = local[incidents["category"] == "噪声扰民"]
    by_day = noise.dt.day_of_week.value_counts()
    assert by_day[[4, 5]].min() > 1.15 * by_day[[0, 1, 2]].max()
    closed = incidents["stage"] == "closed"
    assert 0.95 < closed.mean() < 1
    assert (incidents["closed_at"].notna() == closed).all()
    assert (incidents["reported_at"] >= incidents["occurred_at"]).all()


def test_planted_hot_spots_hold_what_they_say(city: City) -> None:
    truth = planted(city)
    incidents = city.incidents
    assert len(truth) == SCALES[city.meta["demo"]["scale"]].hot_spots
    for spot in truth.itertuples():
        local = incidents["occurred_at"].dt.tz_convert(city.timezone).dt.tz_localize(None)
        here = incidents.distance(shapely.Point(spot.x, spot.y)) <= spot.radius_m
        inside = here & (incidents["category"] == spot.category) & local.between(spot.starts, spot.ends)
        assert inside.sum() >= spot.planted * 0.99
        assert spot.planted > 2 * spot.background
    assert planted(City("x", crs="EPSG:4548", tables={}, versions={})).empty


def test_people_are_counts_and_categories_are_allowed(city: City) -> None:
    people = city.people
    assert not people.duplicated(["grid_id", "category"]).any()
    assert people["grid_id"].isin(city.grids.index).all()


def test_hazards_are_open_fixed_and_overdue(demo_small: City) -> None:
    hazards = demo_small.hazards
    now = pd.Timestamp("2026-06-30", tz=demo_small.timezone)
    open_ = hazards["fixed_at"].isna()
    overdue = open_ & (hazards["due_at"] < now)
    assert 0 < overdue.sum() < open_.sum() < len(hazards)


def test_history_says_how_grids_were_split_and_merged(city: City) -> None:
    kinds = lineage(city)["kind"]
    assert {"split", "merge"} <= set(kinds)
    before = city.as_of(pd.Timestamp("2025-12-31")).degrees("grids")
    base = before[before["kind"] == "base"]
    assert shapely.coverage_is_valid(base.geometry.to_numpy())
    assert set(base.index) != set(city.degrees("grids").query("kind == 'base'").index)


def test_same_seed_same_city_other_seed_other_city(demo_tiny: City) -> None:
    again, other = demo_city(0, "tiny"), demo_city(1, "tiny")
    for name in schema.TABLES:
        pd.testing.assert_frame_equal(
            pd.DataFrame(demo_tiny.degrees(name)), pd.DataFrame(again.degrees(name))
        )
    assert not demo_tiny.degrees("grids").geometry.equals(other.degrees("grids").geometry)


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_seed_gives_a_sound_plan(seed: int) -> None:
    city = demo_city(seed, "tiny")
    grids = city.degrees("grids")
    base = grids[grids["kind"] == "base"].geometry.to_numpy()
    assert len(base) == 24
    assert shapely.coverage_is_valid(base)
    assert city.boundary.geometry.iloc[0].geom_type == "Polygon"
    found = city.locate(*lonlat(city, "addresses").T)
    assert (found["base"].to_numpy() == city.addresses["grid_id"].to_numpy()).all()


def test_only_dates_move_with_today(demo_tiny: City) -> None:
    later = demo_city(0, "tiny", today="2026-11-22")
    assert later.degrees("grids").geometry.equals(demo_tiny.degrees("grids").geometry)
    assert later.incidents["occurred_at"].max() > demo_tiny.incidents["occurred_at"].max()


def test_bad_arguments_say_what_is_allowed() -> None:
    with pytest.raises(UnknownNameError, match="zibo"):
        demo_city(0, "huge")
    with pytest.raises(BadInputError, match="2026-06-30"):
        demo_city(0, "tiny", today="yesterday")
    with pytest.raises(BadInputError, match="whole numbers"):
        demo_city(-1, "tiny")


@pytest.mark.scale
@pytest.mark.parametrize("scale", ["zaozhuang", "zibo"])
def test_counts_at_scale(scale: str) -> None:
    city, size = demo_city(0, scale), SCALES[scale]
    grids = city.degrees("grids")
    base = grids[grids["kind"] == "base"]
    assert len(base) == size.grids
    assert shapely.coverage_is_valid(base.geometry.to_numpy())
    assert len(city.degrees("cameras")) == size.cameras
    assert city.degrees("cameras").index.is_unique
    assert len(city.degrees("incidents")) == size.incidents
    found = city.locate(*lonlat(city, "addresses").T)
    assert (found["base"].to_numpy() == city.degrees("addresses")["grid_id"].to_numpy()).all()
