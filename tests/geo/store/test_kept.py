"""What was computed is there after a restart, never out of date, never code, and may be lost at any time."""

import dataclasses
import datetime as dt
import os
import pickle
import sqlite3

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo import covered, watch
from geo.store import create_store, kept, open_city, open_store
from geo.store.kept import KeptFiles, NotKeptError, read, write


def put(folder, city):
    store = create_store(folder, name="试验市")
    with store.transaction() as change:
        for name in ("grids", "cameras", "buildings", "targets", "roads", "incidents", "hazards"):
            change.upsert(name, city.degrees(name))
    store.close()


@pytest.fixture
def folder(tmp_path, demo_tiny):
    put(tmp_path / "c", demo_tiny)
    return tmp_path / "c"


def places(folder):
    return sorted(p.name for p in (folder / "cache" / "kept").iterdir())


FRAME = gpd.GeoDataFrame(
    {"name": ["甲", None, ""], "n": [1, 2, 3], "x": [0.1, np.nan, -0.0], "ok": [True, False, True],
     "at": pd.to_datetime(["2026-01-01", None, "2026-01-02"]).tz_localize("Asia/Shanghai")},
    geometry=[shapely.Point(0.1, 0.2), None, shapely.box(0, 0, 1, 1)], crs="EPSG:4548",
    index=pd.Index(["a", "b", "c"], name="id"),
)  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        None, 3, 0.1, "甲", dt.date(2026, 11, 22), (1, [2.5, "b"], {"k": None}), np.arange(6).reshape(2, 3),
        np.array([1.5, np.nan]), np.array(["甲", None, ""], dtype=object), FRAME, FRAME.drop(columns="geometry"),
        FRAME["n"], FRAME["name"].astype(object).where(FRAME["name"].notna(), None), pd.Index(["a", "b"], name="id"), FRAME.iloc[:0],
        np.array([shapely.box(0, 0, 1, 2), None], dtype=object), pd.DataFrame({"k": pd.array([1, None], dtype="Int64")}),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_values_come_back_equal(tmp_path, value):
    write(value, tmp_path / "v")
    back = read(tmp_path / "v")
    assert type(back) is type(value)
    if isinstance(value, gpd.GeoDataFrame):
        pd.testing.assert_frame_equal(
            pd.DataFrame(back.drop(columns="geometry")), pd.DataFrame(value.drop(columns="geometry"))
        )
        assert back.crs == value.crs
        assert (
            shapely.to_wkb(back.geometry.to_numpy()).tolist()
            == shapely.to_wkb(value.geometry.to_numpy()).tolist()
        )
    elif isinstance(value, pd.DataFrame):
        pd.testing.assert_frame_equal(back, value)
    elif isinstance(value, pd.Series):
        pd.testing.assert_series_equal(back, value)
    elif isinstance(value, pd.Index):
        pd.testing.assert_index_equal(back, value)
    elif isinstance(value, np.ndarray):
        assert back.dtype == value.dtype
        np.testing.assert_array_equal(back, value)
    else:
        assert back == value


@pytest.mark.parametrize("value", [object(), {1: 2}, np.array([[1, "a"]], dtype=object), np.array([1, "a"], dtype=object),
                                   lambda: 0, pd.DataFrame({"a": [[1], {}]}), pd.Timestamp("2026-01-01")])  # fmt: skip
def test_other_values_are_not_kept(tmp_path, value):
    with pytest.raises(NotKeptError):
        write(value, tmp_path / "v")
    assert list(tmp_path.iterdir()) == []
    assert KeptFiles(tmp_path, {})("n", "", (), lambda: value) is value


def test_a_file_that_holds_code_is_not_run(tmp_path):
    write(np.array(["a"], dtype=object), tmp_path / "v")
    (tmp_path / "v" / "0.bin").write_bytes(pickle.dumps(dt.date(2026, 1, 1)))
    with pytest.raises(ValueError, match="damaged"):
        read(tmp_path / "v")


@pytest.mark.parametrize("damage", ["cut", "gone", "bit", "text"])
def test_damaged_files_are_computed_again(tmp_path, damage):
    keeper = KeptFiles(tmp_path, {"grids": "t"})
    value = np.arange(1000)
    keeper("n", "g", ("grids",), lambda: value)
    (place,) = tmp_path.iterdir()
    if damage == "cut":
        os.truncate(place / "0.bin", 100)
    elif damage == "gone":
        (place / "0.bin").unlink()
    elif damage == "bit":
        content = bytearray((place / "0.bin").read_bytes())
        content[-5] ^= 1
        (place / "0.bin").write_bytes(content)
    else:
        (place / "value.json").write_text("{")
    asked = []
    np.testing.assert_array_equal(keeper("n", "g", ("grids",), lambda: asked.append(1) or value), value)
    assert asked == [1]
    np.testing.assert_array_equal(keeper("n", "g", ("grids",), lambda: asked.append(1)), value)
    assert asked == [1]


def test_what_it_depends_on_tells_values_apart(tmp_path, monkeypatch):
    def asked(name="n", given="g", tables=("grids",), marks=None):
        new = []
        KeptFiles(tmp_path, marks or {"grids": "t"})(name, given, tables, lambda: new.append(1) or 1)
        return bool(new)

    assert asked()
    assert not asked()
    assert asked(name="m")
    assert asked(given="h")
    assert asked(tables=("grids", "cameras"))
    assert asked(marks={"grids": "u"})
    assert asked(marks={"grids": "t", "grids_history": "u"})
    monkeypatch.setattr(kept, "code", lambda: "another version")
    assert asked()
    monkeypatch.setattr(kept, "code", lambda: None)  # no source to tell versions by: nothing is kept
    assert asked()
    assert asked()


def test_old_versions_and_too_much_are_forgotten(tmp_path, monkeypatch):
    for number in range(5):
        KeptFiles(tmp_path, {"t": str(number)})("n", "", ("t",), lambda: np.zeros(1000))
    assert len(list(tmp_path.iterdir())) == kept.VERSIONS
    monkeypatch.setattr(kept, "MOST_BYTES", 20_000)
    for number in range(5):
        KeptFiles(tmp_path, {})(f"m{number}", "", (), lambda: np.zeros(1000))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert KeptFiles(tmp_path / "file" / "kept", {})("n", "", (), lambda: 7) == 7


def test_a_city_keeps_its_figures_over_a_restart(folder, demo_tiny, monkeypatch):
    first = open_city(folder)
    figures = [
        watch.hotspots_of(first), watch.expected_next_week(first), covered.grid_ground(first), covered.road_lengths(first),
        covered.ledger_of(first), covered.blind_spots_of(first),
    ]  # fmt: skip
    summary, cube, risk = covered.summary_of(first).as_json(), watch.cube_of(first), watch.risk_of(first)
    assert all(oct(p.stat().st_mode)[-3:] == "700" for p in (folder / "cache" / "kept").iterdir())
    monkeypatch.setattr("geo.hotspot.hotspots", None)
    monkeypatch.setattr("geo.hotspot.incident_cube", None)
    monkeypatch.setattr("geo.covered.base.watch", None)
    again = open_city(folder)
    for one, two in zip(figures, [
        watch.hotspots_of(again), watch.expected_next_week(again), covered.grid_ground(again), covered.road_lengths(again),
        covered.ledger_of(again), covered.blind_spots_of(again),
    ], strict=True):  # fmt: skip
        assert type(one) is type(two)
        assert one.equals(two)
        assert one.attrs == two.attrs
    assert covered.summary_of(again).as_json() == summary
    for field in dataclasses.fields(cube):
        np.testing.assert_array_equal(getattr(cube, field.name), getattr(watch.cube_of(again), field.name))
    pd.testing.assert_frame_equal(watch.risk_of(again).table, risk.table)


def test_a_change_of_a_table_computes_again_what_hangs_on_it_only(folder, demo_tiny):
    before = open_city(folder)
    hot, ground = watch.cube_of(before), covered.grid_ground(before)
    store = open_store(folder)
    with store.transaction() as change:
        change.upsert(
            "incidents",
            demo_tiny.degrees("incidents").iloc[:1].set_axis(pd.Index(["new"], name="incident_id")),
        )
    held = set(places(folder))
    after = open_city(folder)
    assert watch.cube_of(after).account.read == hot.account.read + 1
    pd.testing.assert_frame_equal(covered.grid_ground(after), ground)
    assert {p.split("-")[0] for p in set(places(folder)) - held} <= {p.split("-")[0] for p in held}


def test_a_change_by_another_program_computes_again(folder):
    """QGIS and GDAL note the time of a change; the number of the version stays."""
    keeper = open_city(folder)._keeper
    keeper("n", "", ("cameras",), lambda: 1)
    with sqlite3.connect(folder / "santu.gpkg") as db:
        db.execute(
            "UPDATE gpkg_contents SET last_change='2030-01-01T00:00:00.000Z' WHERE table_name='cameras'"
        )
    assert open_city(folder)._keeper("n", "", ("cameras",), lambda: 2) == 2


def test_a_what_if_leaves_nothing(folder):
    city = open_city(folder)
    covered.grid_ground(city)
    held = places(folder)
    fewer = city.with_table("cameras", city.degrees("cameras").iloc[:3], replace=True)
    less = covered.grid_ground(fewer)["geometric"].sum()
    assert less < covered.grid_ground(city)["geometric"].sum()
    assert places(folder) == held
    when = city.as_of(dt.date(2026, 1, 1))
    assert when._keeper is city._keeper
