"""The target ledger and the staircase: counted by hand, monotone, honest about what they rest on."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo import covered, schema
from geo.camera.health import online_hours, rates
from geo.coverage import outage, staircase
from geo.coverage.ledger import basis, class_rates, compare, ledger
from geo.coverage.watch import STEPS, watch, without
from geo.demo import demo_city
from geo.errors import BadInputError, UnknownNameError

CRS = "EPSG:4548"


def table(name, rows, shapes):
    key = schema.table(name).key
    frame = gpd.GeoDataFrame(rows, geometry=shapes, crs=CRS).set_index(
        pd.Index([f"{name}{i}" for i in range(len(shapes))], name=key)
    )
    return schema.checked(name, frame)


@pytest.fixture
def street():
    """A street 200 m long: c0 looks east, c1 west, c2 is off, c3 has no bearing; a block hides the north."""
    cameras = table(
        "cameras",
        {
            "bearing_deg": [90.0, 270.0, 90.0, None],
            "fov_deg": [60.0] * 4,
            "range_m": [50.0] * 4,
            "resolution_px": [1920, None, 1920, 1920],
            "state": ["on", "on", "off", "on"],
            "light_type": [2, 2, 2, 2],
        },
        [shapely.Point(0, 0), shapely.Point(60, 0), shapely.Point(100, 0), shapely.Point(0, 1)],
    )
    block = gpd.GeoSeries([shapely.box(20, 2, 30, 12)], crs=CRS)
    return watch(cameras, block)


def targets(*shapes, cls=3):
    return table(
        "targets", {"target_class": [cls] * len(shapes), "list_version": ["v1"] * len(shapes)}, list(shapes)
    )


def test_each_reason_has_its_words(street):
    got = ledger(
        targets(
            shapely.Point(30, 0),  # c0 and c1 see it, c0 sharply
            shapely.Point(37, 13),  # c0 and c1 look there, the block hides it from c0 only
            shapely.Point(130, 0),  # only the camera that is off
            shapely.Point(500, 0),  # nobody
            shapely.Point(-30, 0),  # near cameras that look away
            shapely.Point(25, 7),  # inside the block: judged in front of its wall
        ),
        street,
    )
    assert got["covered"].tolist()[:1] == [True]
    assert got["times"].iloc[0] == 1, "c1 sees it too, but its resolution is unknown"
    assert got["cameras"].iloc[0] == "cameras0"
    assert "登记分辨率" in got["action"].iloc[1]
    assert got[["covered", "effective"]].iloc[2].tolist() == [True, False]
    assert "抢修" in got["action"].iloc[2]
    assert "新建" in got["action"].iloc[3]
    assert "朝向" in got["action"].iloc[4]
    assert got["moved"].tolist() == [False] * 5 + [True]


def test_a_sharper_demand_is_never_easier(street):
    points = [shapely.Point(x, 0) for x in range(2, 50, 3)]
    one, three = ledger(targets(*points, cls=1), street), ledger(targets(*points, cls=3), street)
    assert not (one["covered"] & ~three["covered"]).any()
    # 1920 px, 60°: 125 px/m ends at 13.30 m
    assert one["covered"].sum() == sum(x <= 13.30 for x in range(2, 50, 3))


def test_areas_and_lines_need_four_fifths(street):
    got = ledger(
        targets(
            shapely.box(30, -3, 40, 1),
            shapely.box(30, -3, 400, 1),
            shapely.LineString([(10, 0), (45, 0)]),
            shapely.LineString([(10, 0), (145, 0)]),
            shapely.box(20, 2, 30, 12),  # all building: judged along its walls
        ),
        street,
    )
    assert got["covered"].tolist()[:4] == [True, False, True, False]
    assert got["moved"].iloc[4]


def test_staircase_is_monotone_and_carries_its_basis(street):
    rng = np.random.default_rng(0)
    got = ledger(targets(*shapely.points(rng.uniform(-60, 160, (80, 2)) * [1, 0.2])), street)
    claims = got[list(STEPS)].to_numpy()
    assert (np.diff(claims.astype(int), axis=1) <= 0).all()
    table = class_rates(got)
    third = table[table["target_class"] == 3]
    assert third["denominator"].eq(80).all()
    assert third["list_version"].eq("v1").all()
    assert third["numerator"].is_monotonic_decreasing
    assert np.isnan(table[table["target_class"] == 1]["rate"]).all()
    rests = basis(street)
    assert rests["cameras"] == 4
    assert rests["excluded"] == {"no_bearing": 1}
    assert rests["defaults"]["resolution_unknown"] == 1
    assert rests["defaults"]["height_unknown"] == 3


def test_one_camera_more_never_covers_less():
    city = demo_city(0, "tiny")
    table_ = covered.ledger_of(city)
    fewer = city.with_table("cameras", city.cameras.iloc[:-10], replace=True)
    assert not (covered.ledger_of(fewer)["covered"] & ~table_["covered"]).any()
    ground, less = covered.grid_ground(city), covered.grid_ground(fewer)
    assert (less["geometric"] <= ground["geometric"] + 1e-3).all()


def test_ground_adds_up_and_never_passes_free_space():
    city = demo_city(1, "tiny")
    survey = covered.survey_of(city)
    steps = survey.table[list(STEPS)].to_numpy()
    assert (np.diff(steps, axis=1) <= 1e-6).all()
    assert (steps[:, 0] <= survey.table["free_m2"] + 1e-6).all()
    seen = covered.watch_of(city)
    base = city.grids[(city.grids["level"] == 3) & (city.grids["kind"] == "base")]
    union = shapely.union_all(seen.fields.shapes)
    free = shapely.union_all(base.geometry).difference(
        shapely.union_all([*city.buildings.geometry, *city.water.geometry])
    )
    got = survey.table.loc[base.index, "geometric"].sum()
    assert got == pytest.approx(union.intersection(free).area, abs=1)
    whole = covered.grid_ground(city)
    towns = city.grids["level"] == 1
    assert whole.loc[towns, "geometric"].sum() == pytest.approx(got, rel=1e-9)
    times = staircase.times(survey.by_device)
    assert times.sum(axis=1).sum() == pytest.approx(survey.by_device.covered().sum(), rel=1e-9)


def test_roads_of_the_city_equal_the_union():
    city = demo_city(1, "tiny")
    got = covered.road_lengths(city)
    union = shapely.union_all(covered.watch_of(city).fields.shapes)
    expected = shapely.length(shapely.intersection(city.roads.geometry.to_numpy(), union))
    np.testing.assert_allclose(got["geometric"], expected, atol=1e-5)


def test_losses_of_groups_and_useless_cameras():
    city = demo_city(0, "tiny")
    seen, cut = covered.watch_of(city), covered.survey_of(city).by_device
    base = city.grids[(city.grids["level"] == 3) & (city.grids["kind"] == "base")]
    table_ = covered.losses_of(city, "switch")
    name = table_.index[0]
    dark = (covered.cameras_of(city)["switch_id"] == name).to_numpy()
    kept = shapely.union_all(seen.fields.shapes[~dark])
    gone = shapely.union_all(seen.fields.shapes[dark]).difference(kept)
    assert table_["lost_m2"].iloc[0] == pytest.approx(
        gone.intersection(shapely.union_all(base.geometry)).area, abs=0.1
    )
    assert table_["lost_m2"].is_monotonic_decreasing
    own = outage.alone(cut, seen)
    for name in covered.useless_of(city).index[:3]:
        assert own[name] < 1
    with pytest.raises(UnknownNameError, match="pole"):
        covered.losses_of(city, "colour")


def test_dark_cameras_count_for_nothing_that_needs_a_picture(street):
    all_dark = without(street, np.ones(4, dtype=bool))
    got = ledger(targets(shapely.Point(30, 0)), all_dark)
    assert got[["covered", "effective"]].iloc[0].tolist() == [True, False]


def test_a_turning_camera_is_reachable_but_not_in_the_headline():
    cameras = table(
        "cameras", {"ptz_type": [1], "range_m": [50.0], "bearing_deg": [0.0]}, [shapely.Point(0, 0)]
    )
    home, reach = watch(cameras), watch(cameras, home=False)
    assert home.fields.area_m2[0] == pytest.approx(np.pi * 2500 / 6)
    assert reach.fields.area_m2[0] == pytest.approx(np.pi * 2500)


def test_secret_cameras_leave_no_trace():
    city = demo_city(0, "tiny")
    cameras = city.cameras.copy()
    cameras["secrecy"] = 0
    plain = city.with_table("cameras", cameras.iloc[1:], replace=True)
    hidden = city.with_table("cameras", cameras.assign(secrecy=[1] + [0] * (len(cameras) - 1)), replace=True)
    one, two = covered.summary_of(plain).as_json(), covered.summary_of(hidden).as_json()
    assert one == two
    assert covered.summary_of(hidden, secret=True).basis["cameras"] == len(cameras)


def test_changes_between_two_ledgers():
    then = pd.DataFrame({"covered": [True, False, True]}, index=["a", "b", "c"])
    now = pd.DataFrame({"covered": [False, True, True]}, index=["a", "b", "d"])
    assert compare(now, then)["change"].to_dict() == {
        "a": "lost",
        "b": "gained",
        "c": "delisted",
        "d": "listed",
    }


def test_rates_and_online_hours():
    cameras = table(
        "cameras",
        {
            "state": ["on", "off", "unknown", "removed"],
            "networked": [True, True, None, True],
            "direction_type": [1, None, None, 1],
        },
        [shapely.Point(i, 0) for i in range(4)],
    )
    got = rates(cameras)
    assert got.loc["intact", ["numerator", "denominator", "rate", "unknown"]].tolist() == [1, 2, 0.5, 1]
    assert got.loc["aimed", "rate"] == pytest.approx(1 / 3)
    day = pd.Timestamp("2026-01-01", tz="UTC")
    log = pd.DataFrame(
        {
            "camera_id": ["a", "a", "a", "b"],
            "state": ["on", "off", "on", "on"],
            "at": [
                day - pd.Timedelta("1h"),
                day + pd.Timedelta("6h"),
                day + pd.Timedelta("12h"),
                day + pd.Timedelta("18h"),
            ],
        }
    )
    hours = online_hours(log, start=day, end=day + pd.Timedelta("24h"))
    assert hours.loc["a"].tolist() == [18.0, 24.0, 0.75]
    assert hours.loc["b"].tolist() == [6.0, 6.0, 1.0]
    with pytest.raises(BadInputError, match="start"):
        online_hours(log, start=day, end=day)
