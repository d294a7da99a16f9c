"""The store keeps what it acknowledged, opens after any kill, and lets QGIS in."""

import datetime as dt
import os
import signal
import sqlite3
import subprocess
import sys
import threading

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo import schema
from geo.city import lineage
from geo.errors import StoreBusyError, StoreError, StoreVersionError
from geo.store import create_store, open_city, open_store
from geo.store.base import Quarantined


@pytest.fixture
def folder(tmp_path):
    create_store(tmp_path / "c", name="试验市").close()
    return tmp_path / "c"


def grids(boxes, **columns):
    frame = gpd.GeoDataFrame(
        {"grid_id": list(boxes), "level": 3, "kind": "base", **columns},
        geometry=[shapely.box(a, 36.0, b, 36.1) for a, b in boxes.values()],
        crs="EPSG:4490",
    )
    return schema.checked("grids", frame)


def incidents(n, start=0, **columns):
    frame = gpd.GeoDataFrame(
        {
            "incident_id": [f"i{start + i:07d}" for i in range(n)],
            "occurred_at": pd.Timestamp("2026-01-01", tz="Asia/Shanghai")
            + pd.to_timedelta(np.arange(n), "min"),
            "category": "盗窃",
            "severity": 3,
            **columns,
        },
        geometry=shapely.points(118 + np.arange(n) % 100 / 1000, np.full(n, 36.05)),
        crs="EPSG:4490",
    )
    return schema.checked("incidents", frame)


def test_what_is_written_is_read_back_to_the_bit(folder, demo_tables):
    store = open_store(folder)
    for name, frame in demo_tables.items():
        store.write(name, frame)
    city = open_city(folder)
    for name, frame in demo_tables.items():
        pd.testing.assert_frame_equal(
            pd.DataFrame(city.degrees(name)).sort_index(), pd.DataFrame(frame).sort_index(), check_names=True
        )


@pytest.fixture
def demo_tables():
    """One row of every table with every column filled, and one with every column empty."""
    values = {
        "text": "柳泉路",
        "int": 1,
        "float": 0.1,
        "bool": True,
        "time": pd.Timestamp("2026-01-01T00:00:00.123Z"),
        "date": pd.Timestamp("2026-01-01"),
    }
    shapes = {
        "Point": shapely.Point(118.1, 36.1),
        "Polygon": shapely.box(118, 36, 118.1, 36.1),
        "LineString": shapely.LineString([(118, 36), (118.1, 36.1)]),
    }
    tables = {}
    for name, table in schema.TABLES.items():
        full = {
            c.name: (
                next(iter(c.allowed))
                if c.allowed
                else (c.maximum or 1)
                if c.kind == "int"
                else values[c.kind]
            )
            for c in table.columns
        }
        bare = {c.name: full[c.name] if c.required else None for c in table.columns}
        frame = pd.DataFrame([full, bare], index=pd.Index(["a", "b"], name=table.key))
        if table.geometry:
            frame = gpd.GeoDataFrame(frame, geometry=[shapes[table.geometry[0]]] * 2, crs="EPSG:4490")
        tables[name] = schema.checked(name, frame)
    return tables


def test_the_same_rows_again_change_nothing(folder):
    store = open_store(folder)
    first = store.write("incidents", incidents(10))
    again = store.write("incidents", incidents(10))
    assert (first.inserted, first.updated, first.unchanged) == (10, 0, 0)
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 10)
    changed = store.write("incidents", incidents(10, severity=2))
    assert (changed.inserted, changed.updated, changed.unchanged) == (0, 10, 0)


def test_replace_removes_what_the_new_table_lacks(folder):
    store = open_store(folder)
    store.write("incidents", incidents(10))
    result = store.write("incidents", incidents(4), mode="replace")
    assert result.removed == 6
    assert len(store.city().incidents) == 4


def test_a_failure_inside_undoes_everything(folder):
    store = open_store(folder)
    before = store.versions()

    class Power(Exception):
        pass

    with pytest.raises(Power), store.transaction() as change:
        change.upsert("incidents", incidents(5))
        change.quarantine(
            "incidents", "f.csv", [Quarantined(3, "geometry.absent", "no place", {"案号": "x"})]
        )
        raise Power
    assert store.versions() == before
    assert len(store.city().incidents) == 0
    assert store.quarantined().empty


def test_a_snapshot_does_not_move_while_others_write(folder):
    store = open_store(folder)
    store.write("incidents", incidents(3))
    city = store.city()
    store.write("incidents", incidents(5, start=100))
    assert len(city.incidents) == 3
    assert len(store.city().incidents) == 8


def test_only_the_changed_table_gets_a_new_version(folder):
    store = open_store(folder)
    before = store.city()
    store.write("incidents", incidents(3))
    after = store.city()
    assert before.version("grids") == after.version("grids")
    assert before.version("incidents") != after.version("incidents")


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from tests_writer import incidents
from geo.store import open_store
store = open_store(sys.argv[1])
n = 0
while True:
    store.write("incidents", incidents(3, start=n))
    n += 3
    print(n, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 23])
def test_kill_9_loses_nothing_acknowledged(folder, tmp_path, after):
    source = open(__file__, encoding="utf-8").read()
    part = source[source.index("def incidents(") : source.index("def test_what_is_written")]
    header = "import geopandas as gpd, numpy as np, pandas as pd, shapely\nfrom geo import schema\n"
    (tmp_path / "tests_writer.py").write_text(header + part, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    acknowledged = 0
    for _ in range(after):
        acknowledged = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    acknowledged = max([acknowledged, *map(int, rest)])
    city = open_city(folder)
    assert len(city.incidents) >= acknowledged
    assert len(city.incidents) % 3 == 0, "half a transaction was kept"
    assert {f"i{i:07d}" for i in range(acknowledged)} <= set(city.incidents.index)
    assert sqlite3.connect(folder / "santu.gpkg").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_copy_for_speed_is_laid_under_what_changed_since(folder):
    store = open_store(folder)
    store.write("incidents", incidents(6000))
    assert len(store.city().incidents) == 6000
    assert (folder / "cache" / "incidents.arrow").exists()
    store.write("incidents", incidents(2, severity=1))
    store.write("incidents", incidents(3, start=9000))
    fresh = open_city(folder).degrees("incidents")
    assert len(fresh) == 6003
    assert fresh.loc[["i0000000", "i0000001"], "severity"].tolist() == [1, 1]
    (folder / "cache" / "incidents.arrow").write_bytes(b"damaged")
    pd.testing.assert_frame_equal(
        pd.DataFrame(open_city(folder).degrees("incidents").sort_index()), pd.DataFrame(fresh.sort_index())
    )
    store.write("incidents", incidents(1), mode="replace")
    assert len(open_city(folder).incidents) == 1


def test_redrawn_grids_keep_their_past(folder):
    store = open_store(folder)
    store.write("grids", grids({"a": (118.0, 118.1), "b": (118.1, 118.2), "c": (118.2, 118.3)}))
    cut = pd.Timestamp("2026-03-01")
    new = grids({"a": (118.0, 118.05), "a2": (118.05, 118.1), "b": (118.1, 118.3)}, valid_from=cut)
    result = store.write("grids", new, mode="replace")
    assert result.retired == 2, "a and b were re-drawn"
    city = store.city()
    assert sorted(city.degrees("grids_history")["grid_id"]) == ["a", "b", "c"]
    assert city.locate(118.07, 36.05)["base"].tolist() == ["a2"]
    assert city.locate(118.07, 36.05, as_of=dt.date(2026, 2, 28))["base"].tolist() == ["a"]
    assert city.locate(118.07, 36.05, as_of=dt.date(2026, 3, 1))["base"].tolist() == ["a2"]
    assert city.locate(118.25, 36.05, as_of=dt.date(2025, 1, 1))["base"].tolist() == ["c"]
    kinds = {(r.from_id, r.to_id): r.kind for r in lineage(city).itertuples()}
    assert kinds == {("a", "a"): "split", ("a", "a2"): "split", ("b", "b"): "merge", ("c", "b"): "merge"}


def test_a_correction_without_a_date_is_no_history(folder):
    store = open_store(folder)
    store.write("grids", grids({"a": (118.0, 118.1)}))
    assert store.write("grids", grids({"a": (118.0, 118.2)})).retired == 0
    assert store.city().grids_history.empty


def test_qgis_sees_a_geopackage(folder):
    open_store(folder).write("grids", grids({"a": (118.0, 118.1)}, name="一号网格"))
    with __import__("warnings").catch_warnings():
        __import__("warnings").simplefilter("error")
        frame = pyogrio.read_dataframe(folder / "santu.gpkg", layer="grids")
    assert frame.crs.to_epsg() == 4490
    assert frame["name"].tolist() == ["一号网格"]
    info = pyogrio.read_info(folder / "santu.gpkg", layer="grids")
    assert info["total_bounds"] == pytest.approx((118.0, 36.0, 118.1, 36.1))


def test_two_writers_wait_for_each_other(folder):
    def write(start):
        store = open_store(folder)
        for i in range(10):
            store.write("incidents", incidents(1, start=start + i))
        store.close()

    threads = [threading.Thread(target=write, args=(k * 100,)) for k in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(open_city(folder).incidents) == 30


def test_a_store_that_is_held_says_so(folder, monkeypatch):
    monkeypatch.setattr("geo.store.geopackage.BUSY_MS", 50)
    other = sqlite3.connect(folder / "santu.gpkg", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match="written by another process"):
        open_store(folder).write("incidents", incidents(1))
    other.execute("ROLLBACK")


def test_a_full_disk_is_named_and_changes_nothing(folder):
    store = open_store(folder)
    store.write("incidents", incidents(5))
    pages = store._connect().execute("PRAGMA page_count").fetchone()[0]
    store._connect().execute(f"PRAGMA max_page_count={pages + 5}")
    with pytest.raises(StoreError, match=r"full.*nothing was changed"):
        store.write("incidents", incidents(5000, start=100))
    assert len(open_city(folder).incidents) == 5


def test_a_newer_store_is_refused(folder):
    db = sqlite3.connect(folder / "santu.gpkg")
    db.execute("UPDATE santu_meta SET value='999' WHERE key='schema_version'")
    db.commit()
    with pytest.raises(StoreVersionError, match="999"):
        open_store(folder)


def test_an_older_store_gets_the_columns_it_lacks(folder):
    db = sqlite3.connect(folder / "santu.gpkg")
    db.execute("ALTER TABLE cameras DROP COLUMN light_type")
    db.execute("DROP TABLE aliases")
    db.execute("DELETE FROM santu_tables WHERE name='aliases'")
    db.execute("DELETE FROM gpkg_geometry_columns WHERE table_name='aliases'")
    db.execute("DELETE FROM gpkg_contents WHERE table_name='aliases'")
    db.commit()
    city = open_city(folder)
    assert "light_type" in city.cameras.columns
    assert city.aliases.empty


def test_no_city_and_no_sqlite_are_told_apart(tmp_path):
    with pytest.raises(StoreError, match="santu init"):
        open_store(tmp_path)
    (tmp_path / "santu.gpkg").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="not a store"):
        open_store(tmp_path)
    with pytest.raises(StoreError, match="exists already"):
        create_store(tmp_path)


def test_records_and_audit(folder):
    store = open_store(folder)
    with store.transaction() as change:
        change.record("forecast", "2026-W02", {"pai": 3.5})
        change.record("forecast", "2026-W01", {"pai": 2.5})
        change.audit("值班席", "read", "people", "网格 3703")
    assert list(store.records("forecast")) == [("2026-W01", {"pai": 2.5}), ("2026-W02", {"pai": 3.5})]
    assert store.audit_log()[["who", "action"]].to_numpy().tolist() == [["值班席", "read"]]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 15), min_size=1, max_size=6, unique=True), min_size=1, max_size=5))
def test_upserts_in_any_split_give_one_result(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("store") / "c"
    store = create_store(folder)
    last = {}
    for number, batch in enumerate(batches):
        frame = incidents(16, severity=number % 4 + 1).iloc[batch]
        store.write("incidents", frame)
        last |= dict.fromkeys(frame.index, number % 4 + 1)
    assert store.city().degrees("incidents")["severity"].to_dict() == last
