"""The camera register: directions, optics and their sources, completeness, duplicates, walls."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo import schema
from geo.camera import completeness, devices, duplicates, free_of_buildings, missing_fields, poles, views
from geo.camera.direction import expand, parse
from geo.camera.faults import CODES, faults
from geo.camera.optics import lens_fov_deg, sensor_mm
from geo.coverage.level import density, levels, pixels_per_m, reach_m
from geo.errors import UnknownNameError

CRS = "EPSG:32651"


def register(xy=None, **columns):
    n = len(next(iter(columns.values()))) if columns else len(xy)
    xy = [(100.0 * i, 0.0) for i in range(n)] if xy is None else xy
    index = pd.Index([f"3402000000132{i:07d}" for i in range(n)], name="camera_id")
    frame = gpd.GeoDataFrame(columns, geometry=shapely.points(xy), index=index, crs=CRS)
    return schema.checked("cameras", frame)


@pytest.mark.parametrize(
    ("text", "bearings"),
    [
        ("165", (165.0,)), ("0", (0.0,)), ("360", (0.0,)), ("-30", (330.0,)), ("87.5°", (87.5,)), ("３０", (30.0,)),
        ("338-23", (0.5,)), ("21-66", (43.5,)), ("70;240", (70.0, 240.0)), ("90,125,270", (90.0, 125.0, 270.0)),
        ("0 - 360", (180.0,)), ("SE", (135.0,)), ("WSW", (247.5,)), ("north-east", (45.0,)), ("东", (90.0,)),
        ("西北", (315.0,)), ("東南", (135.0,)), ("北北西", (337.5,)), ("东(西向东)", (90.0,)), ("由西向东", (90.0,)),
        ("朝南", (180.0,)), ("45;WSW", (45.0, 247.5)), ("190;190", (190.0,)),
    ],
)  # fmt: skip
def test_directions_that_are_read(text, bearings):
    row = parse(pd.Series([text])).iloc[0]
    assert row["bearings"] == bearings
    assert row["reason"] == ""
    assert len(row["fov_deg"]) == len(bearings)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("null", "absent"), (None, "absent"), ("", "absent"), ("backward", "relative"), ("9018045", "over 360"),
     ("365", "over 360"), ("lamp post", "not a direction"), ("南北", "not a direction"), ("10;x", "not a direction")],
)  # fmt: skip
def test_directions_that_are_refused_with_a_reason(text, reason):
    row = parse(pd.Series([text], dtype=object)).iloc[0]
    assert row["bearings"] == ()
    assert row["reason"] == reason


def test_range_gives_the_opening():
    row = parse(pd.Series(["338-23"])).iloc[0]
    assert row["fov_deg"] == (45.0,)
    assert parse(pd.Series(["0-360"])).iloc[0]["fov_deg"] == (360.0,)


def test_real_headings(shared_data):
    rows = json.loads(shared_data("osm_alpr_us/cameras.json").read_text())
    text = pd.Series([r["tags"].get("direction", r["tags"].get("camera:direction")) for r in rows]).dropna()
    read = parse(text)
    plain = text.str.fullmatch(r"\d+(\.\d+)?") & (pd.to_numeric(text, errors="coerce") <= 360)
    assert plain.sum() > 11_000
    got = read.loc[plain, "bearings"].str[0].to_numpy(dtype=float)
    np.testing.assert_array_equal(got, text[plain].astype(float) % 360)
    refused = read[read["reason"] != ""]
    assert set(text[refused.index]) == {
        "null", "9018045", "backward", "90100", "225240", "Clockwise 180", "90180", "8888", "365", "680", "60240"
    }  # fmt: skip


def test_several_directions_become_several_cameras():
    cameras = register(name=["a", "b"])
    got = expand(cameras, pd.Series(["70;240", "junk"], index=cameras.index))
    assert got["bearing_deg"].tolist()[:2] == [70.0, 240.0]
    assert np.isnan(got["bearing_deg"].iloc[2])
    assert got.index[1] == f"{cameras.index[0]}#2"
    assert got.index.is_unique
    assert got["pole_id"].iloc[1] == cameras.index[0]


def test_precedence_of_the_opening():
    got = views(
        register(
            fov_deg=[70, None, None, 0, 360, 360, 360],
            sensor=["1/3", '1/3"', None, None, None, None, None],
            focal_mm=[4, 4, 4, None, None, None, None],
            ptz_type=[3, 3, 2, 3, 3, 1, 6],
            bearing_deg=[0] * 7,
        )
    )
    assert got["fov_source"].tolist() == [
        "stated",
        "lens",
        "default",
        "default",
        "default",
        "default",
        "stated",
    ]
    assert got["fov_deg"].tolist()[1] == pytest.approx(61.928, abs=5e-4)
    assert got["fov_deg"].tolist()[2:] == [80, 60, 60, 60, 360]
    assert got["absurd"].tolist() == ["", "", "", "fov", "fov", "", ""]
    assert got["steerable"].tolist() == [False] * 5 + [True, False], (
        "a PTZ's 360° is its reach, never its view"
    )


def test_precedence_of_the_range():
    got = views(
        register(range_m=[40, None, None, 0], resolution_px=[1920, 1920, None, None], fov_deg=[68.0] * 4)
    )
    assert got["range_source"].tolist() == ["stated", "pixels", "default", "default"]
    assert got["range_m"].tolist() == pytest.approx([40, 56.93, 50, 50], abs=5e-3)
    assert got["absurd"].tolist() == ["", "", "", "range"]


def test_direction_codes_are_not_clockwise():
    got = views(register(direction_type=[1, 2, 3, 4, 5, 6, 7, 8]))
    assert got["bearing_deg"].tolist() == [90, 270, 180, 0, 135, 45, 225, 315]
    assert (got["bearing_error_deg"] == 22.5).all()
    assert (got["bearing_source"] == "code").all()


def test_no_bearing_never_means_all_round():
    got = views(register(ptz_type=[3, 1, 6], fov_deg=[None, None, 360]))
    assert got["why_not"].tolist() == ["no_bearing", "no_bearing", ""]
    out = views(
        register(bearing_deg=[0, 0, 0], room_type=["indoor", "outdoor", None], state=["on", "removed", "off"])
    )
    assert out["why_not"].tolist() == ["indoor", "removed", ""]


def test_blind_zone_and_far_limit_of_a_tilted_camera():
    cameras = register(
        height_m=[6, 6, 5, 3.5, 6, 0],
        tilt_deg=[20, 30, 15, 15, None, 20],
        vfov_deg=[48.455] * 6,
        bearing_deg=[0] * 6,
        range_m=[100] * 6,
    )
    got = views(cameras)
    assert got["near_m"].tolist() == pytest.approx([6.1640, 4.3229, 6.1245, 4.2872, 0, 0], abs=2e-4)
    assert got["range_m"].tolist() == pytest.approx([100, 41.548, 100, 100, 100, 100], abs=5e-3)
    assert got["absurd"].iloc[5] == "height"


def test_lens_and_sensor():
    assert lens_fov_deg(np.array([4.8, 3.6, 0]), np.array([4.0, 4.0, 4.0]))[:2] == pytest.approx(
        [61.928, 48.455], abs=5e-4
    )
    assert sensor_mm("1/1.8英寸") == (7.18, 4.04)
    assert sensor_mm('1/2.7" CMOS') == (5.37, 3.02)
    assert np.isnan(sensor_mm(None)[0])


def test_pixel_density_both_profiles():
    px = {"resolution_px": 1920, "fov_deg": lens_fov_deg(np.array([4.8]), np.array([4.0]))}
    assert [float(reach_m(p, **px)[0]) for p in levels().values()] == pytest.approx(
        [128, 64, 25.6, 12.8, 6.4]
    )
    got = [float(reach_m(p, **px)[0]) for p in levels("iec62676-4:2025").values()]
    assert got == pytest.approx([80, 40, 20, 12.8, 6.4, 3.2, 1.0667], abs=1e-4)
    assert pixels_per_m(10, resolution_px=1920, fov_deg=180) == pytest.approx(1920 / np.pi / 10)
    assert density("validate") == 500
    with pytest.raises(UnknownNameError, match="identify"):
        density("sharp")


def test_completeness_by_unit_and_class():
    full = {"name": "n", "civil_code": "340200", "state": "on", "secrecy": 0}
    rows = {k: [v] * 4 for k, v in full.items()}
    cameras = register(
        **rows,
        point_class=[1, 1, 2, 3],
        unit=["甲", "甲", "乙", "乙"],
        install_time=pd.to_datetime(["2024-01-01", None, None, None]),
        has_contact=[True, True, None, None],
        record_days=[30, 30, None, None],
    )
    got = completeness(cameras)
    assert got.loc["甲", ["numerator", "denominator", "rate", "install_time"]].tolist() == [1, 2, 0.5, 1]
    assert got.loc["乙", "rate"] == 1
    assert got.loc["全市", "rate"] == 0.75
    assert missing_fields(cameras)["install_time"].tolist() == [False, True, False, False]
    assert np.isnan(completeness(cameras.iloc[:0]).loc["全市", "rate"])


def test_duplicates_devices_and_poles():
    cameras = register(
        xy=[(0, 0), (0.5, 0), (0.5, 0.5), (50, 0), (50, 0.1), (90, 0)],
        bearing_deg=[10, 15, 200, 0, 90, 0],
        ptz_type=[3, 3, 3, 7, 7, 7],
        pole_id=["P1", None, None, None, None, None],
    )
    ids = cameras.index
    twice = duplicates(cameras)
    assert twice.to_dict("records") == [{"camera_id": ids[1], "same_as": ids[0], "why": "place"}]
    assert devices(cameras).tolist() == [ids[0], ids[0], ids[2], ids[3], ids[3], ids[5]]
    assert poles(cameras).tolist() == ["P1", ids[1], ids[1], ids[3], ids[3], ids[5]]
    spaced = cameras.set_axis([*ids[:5], f" {ids[0]}"])
    assert duplicates(spaced).iloc[0].tolist() == [f" {ids[0]}", ids[0], "code"]


def test_wall_cameras_step_out_on_the_side_they_look():
    block = np.array([shapely.box(0, 0, 10, 4)])
    xy = np.array([[5.0, 3.5], [5.0, 3.5], [5.0, 3.5], [5.0, 0.0], [20.0, 0.0]])
    moved, place = free_of_buildings(xy, np.array([0.0, 180.0, np.nan, 180.0, 0.0]), block, within_m=4.0)
    np.testing.assert_allclose(moved, [[5, 4.3], [5, -0.3], [5, 4.3], [5, -0.3], [20, 0]])
    assert place.tolist() == ["snapped"] * 4 + ["outside"]
    deep, where = free_of_buildings(np.array([[5.0, 2.0]]), np.array([0.0]), block, within_m=1.0)
    assert where.tolist() == ["inside"]
    assert deep.tolist() == [[5.0, 2.0]]


def test_faults_against_buildings_districts_and_optics():
    cameras = register(
        xy=[(5, 3.5), (5, 2), (50, 50), (60, 60), (70, 70)],
        bearing_deg=[0, 0, None, 10, 20],
        fov_deg=[60, 60, 60, 0, 60],
        height_m=[5, 5, 5, 5, 0],
        civil_code=["340200", "340201", "340202", "340201", "340201"],
    )
    grids = gpd.GeoDataFrame(geometry=[shapely.box(-10, -10, 100, 100)], index=["340201001"], crs=CRS)
    got = faults(
        cameras, blocks=np.array([shapely.box(0, 0, 10, 4), shapely.box(40, 0, 60, 20)]), grids=grids
    )
    listed = got.groupby("code")["id"].agg(list).to_dict()
    ids = cameras.index
    assert listed["camera.wall"] == [ids[0], ids[1]]
    assert listed["camera.bearing"] == [ids[2]]
    assert listed["camera.optics"] == [ids[3], ids[4]]
    assert listed["camera.district"] == [ids[2]], (
        "a code of the whole city is no fault; 340200… codes name none"
    )
    assert set(listed) <= set(CODES)
    deep = faults(cameras.iloc[[1]], blocks=np.array([shapely.box(-20, -20, 30, 30)]))
    assert deep["code"].tolist() == ["camera.inside"]
    assert faults(cameras.iloc[:0]).empty


def test_a_filler_bearing_is_noticed():
    cameras = register(bearing_deg=[0.0] * 30 + [45.0] * 10)
    assert (faults(cameras)["code"] == "camera.bearing.zero").sum() == 30
    assert faults(register(bearing_deg=[0.0] * 3 + [45.0] * 37)).empty
