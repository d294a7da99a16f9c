"""An index that was kept answers like the one that was built; what is damaged is built again."""

import datetime as dt
import os

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from geo import schema
from geo.index import GridIndex
from geo.store import create_store, open_city
from geo.store.index_files import KEEP, IndexFiles, read


@pytest.fixture
def polygons(demo_tiny):
    return demo_tiny.degrees("grids").sort_index().geometry.to_numpy()


def folders(path):
    return sorted(p.name for p in path.iterdir())


def test_kept_arrays_are_the_built_ones_and_are_mapped(tmp_path, polygons, monkeypatch):
    built = GridIndex.build(polygons)
    IndexFiles(tmp_path)(polygons)
    monkeypatch.setattr(GridIndex, "build", None)
    kept = IndexFiles(tmp_path)(polygons)
    for name, array in built.arrays._asdict().items():
        np.testing.assert_array_equal(getattr(kept.arrays, name), array, err_msg=name)
    rng = np.random.default_rng(0)
    west, south, east, north = gpd.GeoSeries(polygons).total_bounds
    x, y = rng.uniform(west, east, 5000), rng.uniform(south, north, 5000)
    assert (kept.find(x, y) == built.find(x, y)).all()
    assert kept.one.find(x[0], y[0]) == built.one.find(x[0], y[0])
    mapped = [a for a in kept.arrays if isinstance(a.base, np.memmap)]
    assert mapped


@pytest.mark.parametrize("damage", ["cut", "gone", "other", "text"])
def test_damaged_files_are_not_trusted(tmp_path, polygons, damage):
    IndexFiles(tmp_path)(polygons)
    built = GridIndex.build(polygons)
    place = tmp_path / folders(tmp_path)[0]
    if damage == "cut":
        os.truncate(place / "xy.npy", (place / "xy.npy").stat().st_size // 2)
    elif damage == "gone":
        (place / "top.npy").unlink()
    elif damage == "other":
        np.save(place / "owner.npy", np.zeros(3))
    else:
        (place / "shapes.json").write_text("{")
    assert read(place) is None
    again = IndexFiles(tmp_path)(polygons)
    assert read(place) is not None
    for name, array in built.arrays._asdict().items():
        np.testing.assert_array_equal(getattr(again.arrays, name), array, err_msg=name)


def test_other_polygons_have_another_index_and_old_ones_go(tmp_path, polygons):
    files = IndexFiles(tmp_path)
    for n in range(1, KEEP + 4):
        assert len(files(polygons[:n])) == n
    assert len(folders(tmp_path)) == KEEP
    assert not [n for n in folders(tmp_path) if n.startswith(".")]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, polygons):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert len(IndexFiles(blocked / "index")(polygons)) == len(polygons)


def test_a_city_keeps_its_indexes(tmp_path, tiny_city, monkeypatch):
    store = create_store(tmp_path / "c", name="小城")
    store.write("grids", tiny_city.degrees("grids"))
    assert open_city(tmp_path / "c").locate(118.012, 36.805)["base"].tolist() == ["370303001001002"]
    assert folders(tmp_path / "c" / "cache" / "index")
    monkeypatch.setattr(GridIndex, "build", None)
    assert open_city(tmp_path / "c").locate(118.012, 36.805)["base"].tolist() == ["370303001001002"]


def test_days_without_change_share_one_snapshot(tiny_city):
    grids = tiny_city.degrees("grids").copy()
    old = grids.loc[["370303001001001"]].reset_index()
    grids.loc["370303001001001", "valid_from"] = pd.Timestamp("2026-03-01")
    old["grid_id"], old["valid_to"], old["history_id"] = "370303001001009", pd.Timestamp("2026-03-01"), "h1"
    history = schema.checked("grids_history", gpd.GeoDataFrame(old, geometry="geometry", crs=grids.crs))
    city = tiny_city.with_table("grids", grids, replace=True).with_table("grids_history", history)
    before = [city.as_of(dt.date(*d)).version("grids") for d in ((1990, 1, 1), (2026, 2, 28))]
    after = [city.as_of(dt.date(*d)).version("grids") for d in ((2026, 3, 1), (2026, 3, 2), (2100, 1, 1))]
    assert len(set(before)) == len(set(after)) == 1
    assert before[0] != after[0]
    assert "370303001001009" in city.as_of(dt.date(2026, 2, 28)).grids.index
    assert "370303001001009" not in city.as_of(dt.date(2026, 3, 1)).grids.index
