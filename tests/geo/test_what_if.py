"""What-if, forbidden views and intervals: equal to the full answer, seeded, bounded."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo import covered, schema
from geo.coverage.forbidden import forbidden_views
from geo.coverage.interval import interval
from geo.coverage.view import scene
from geo.coverage.watch import watch
from geo.covered.scenario import sample_places
from geo.demo import demo_city
from geo.errors import NotFoundError

CRS = "EPSG:4548"


@pytest.fixture(scope="module")
def city():
    return demo_city(0, "tiny")


def changed_city(city, put=None, lose=()):
    cameras = city.cameras
    table = cameras[~cameras.index.isin(lose)]
    if put is not None:
        table = pd.concat([table[~table.index.isin(put.index)], put])
    return city.with_table("cameras", table, replace=True)


def check(city, change, other):
    before, after = covered.ledger_of(city), covered.ledger_of(other)
    moved = (before["covered"] != after["covered"]) | (before["effective"] != after["effective"])
    assert set(change.targets.index) == set(before.index[moved])
    for name in change.targets.index:
        assert change.targets.loc[name, "covered"] == after.loc[name, "covered"]
    old = shapely.union_all(covered.watch_of(city).fields.shapes)
    new = shapely.union_all(covered.watch_of(other).fields.shapes)
    assert change.gained.area == pytest.approx(new.difference(old).area, abs=0.01)
    assert change.lost.area == pytest.approx(old.difference(new).area, abs=0.01)
    works_then, works_now = (
        shapely.union_all(w.fields.shapes[w.on]) for w in map(covered.watch_of, (city, other))
    )
    assert change.gained_working.area == pytest.approx(works_now.difference(works_then).area, abs=0.01)
    assert change.lost_working.area == pytest.approx(works_then.difference(works_now).area, abs=0.01)
    tiles = shapely.union_all(city.grids.geometry[city.grids["kind"] == "base"])
    assert change.by_zone["gained_m2"].sum() == pytest.approx(
        change.gained.intersection(tiles).area, abs=0.01
    )


def test_turning_a_camera_equals_the_changed_city(city):
    seen = covered.watch_of(city)
    names = seen.ids[np.argsort(-seen.fields.area_m2)[:4]]
    for name in names:
        put = city.cameras.loc[[name]].assign(
            bearing_deg=lambda t: (t["bearing_deg"].fillna(0) + 120) % 360, direction_type=pd.NA
        )
        put = schema.checked("cameras", put)
        check(city, covered.what_if_of(city, put=put), changed_city(city, put=put))


def test_repairing_a_camera_gains_only_among_those_that_work(city):
    seen = covered.watch_of(city)
    dark = seen.ids[np.argsort(-seen.fields.area_m2)[:5]]
    put = schema.checked("cameras", city.cameras.loc[dark].assign(state="on"))
    broken = changed_city(city, put=put.assign(state="off"))
    change = covered.what_if_of(broken, put=put)
    assert change.gained.is_empty
    assert change.gained_working.area > 0
    assert change.lost_working.is_empty
    check(broken, change, changed_city(broken, put=put))


def test_losing_a_feeder_equals_the_changed_city(city):
    losses = covered.losses_of(city, "switch")
    name = losses.index[0]
    change = covered.what_if_of(city, group=("switch", name))
    gone = city.cameras.index[city.cameras["switch_id"] == name]
    check(city, change, changed_city(city, lose=gone))
    assert change.gained.is_empty
    with pytest.raises(NotFoundError):
        covered.what_if_of(city, group=("switch", "none"))
    with pytest.raises(NotFoundError):
        covered.what_if_of(city, lose=["none"])


def test_adding_a_camera_never_loses(city):
    spot = covered.blind_spots_of(city)
    place = spot[spot["kind"] == "junction"].geometry.iloc[0].centroid
    put = gpd.GeoDataFrame(
        {
            "bearing_deg": [0.0],
            "fov_deg": [90.0],
            "range_m": [50.0],
            "resolution_px": [3840],
            "state": ["on"],
        },
        geometry=[place],
        index=pd.Index(["new"], name="camera_id"),
        crs=city.crs,
    )
    put = schema.checked("cameras", put)
    change = covered.what_if_of(city, put=put)
    assert change.lost.is_empty
    assert change.gained.area > 0
    assert change.views.index.tolist() == ["new"]
    check(city, change, changed_city(city, put=put))


def camera(xy, **more):
    base = {"bearing_deg": [90.0], "fov_deg": [60.0], "range_m": [50.0], "resolution_px": [1920]}
    base |= {k: [v] for k, v in more.items()}
    frame = gpd.GeoDataFrame(
        base, geometry=[shapely.Point(xy)], index=pd.Index(["c"], name="camera_id"), crs=CRS
    )
    return schema.checked("cameras", frame)


def place(shape):
    frame = gpd.GeoDataFrame(
        {"name": ["浴室"], "kind": ["公共浴室"]},
        geometry=[shape],
        index=pd.Index(["f"], name="forbidden_id"),
        crs=CRS,
    )
    return schema.checked("forbidden", frame)


def test_a_front_in_view_is_listed_with_its_mask():
    house = shapely.box(20, 0, 30, 8)
    seen = watch(camera((0, 0)), gpd.GeoSeries([house], crs=CRS))
    got = forbidden_views(place(house), seen)
    assert len(got) == 1
    row = got.iloc[0]
    assert row["seen_m"] == pytest.approx(8, abs=0.2)
    assert row["distance_m"] == pytest.approx(20, abs=0.1)
    # the front reaches from the axis to atan(8 / 20) on the left
    assert row["pan_to_deg"] == pytest.approx(0, abs=0.5)
    assert row["pan_from_deg"] == pytest.approx(-np.degrees(np.arctan(8 / 20)), abs=0.5)
    assert row["mask_from"] == pytest.approx(0.5 - 0.4 / (2 * np.tan(np.radians(30))), abs=0.01)
    assert "隐私遮挡" in row["advice"]
    away = watch(camera((0, 0), bearing_deg=270.0), gpd.GeoSeries([house], crs=CRS))
    assert forbidden_views(place(house), away).empty
    hidden = watch(camera((0, 0)), gpd.GeoSeries([house, shapely.box(15, -30, 16, 30)], crs=CRS))
    assert forbidden_views(place(house), hidden).empty


def test_forbidden_views_of_the_demo_city_touch_their_place():
    city = demo_city(2, "tiny")
    got = covered.forbidden_of(city)
    seen = covered.watch_of(city)
    for row in got.itertuples():
        shape = seen.fields.series()[row.camera_id]
        assert shape.distance(city.forbidden.geometry[row.forbidden_id]) < 0.1
    assert ((got["mask_from"] >= 0) & (got["mask_to"] <= 1) & (got["mask_from"] <= got["mask_to"])).all()


def test_interval_is_seeded_and_holds_its_mean(city):
    one = covered.interval_of(city, runs=8, seed=3, samples=2000)
    two = interval(
        covered.cameras_of(city), covered.scene_of(city), sample_places(city, 2000, 3), runs=8, seed=3
    )
    pd.testing.assert_frame_equal(one.rates, two.rates)
    rates = one.rates
    assert (rates["minimum"] <= rates["expected"]).all()
    assert (rates["expected"] <= rates["maximum"]).all()
    assert {"ground", "road", "target_3"} <= set(rates.index)
    assert one.records["swing"].is_monotonic_decreasing


def test_no_error_no_interval_and_the_unsure_record_first():
    cameras = pd.concat([camera((0, 0)), camera((100, 0)).rename(index={"c": "d"})])
    cameras["position_error_m"] = 0.0
    cameras.loc["d", "bearing_error_deg"] = 45.0
    rng = np.random.default_rng(0)
    places = pd.DataFrame(rng.uniform([-10, -60], [160, 60], (4000, 2)), columns=["x", "y"]).assign(
        group="ground", weight=1.0
    )
    sure = interval(cameras.loc[["c"]], scene(None), places, runs=5)
    assert sure.rates.loc["ground", "minimum"] == sure.rates.loc["ground", "maximum"]
    assert sure.records.empty
    both = interval(cameras, scene(None), places, runs=20)
    assert both.records.index.tolist() == ["d"]
    absent = cameras.assign(bearing_deg=np.nan, bearing_error_deg=np.nan)
    lost = interval(absent, scene(None), places, runs=20)
    assert lost.rates.loc["ground", "as_registered"] == 0
    assert lost.rates.loc["ground", "expected"] > 0
    assert (lost.records["field"] == "bearing_deg").all()
