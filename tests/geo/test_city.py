"""A City never changes; another one takes its place."""

import threading

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo import schema
from geo.city import Memo
from geo.errors import CrsMismatchError, SchemaError, UnknownNameError


def cameras(ids, crs, x, y):
    frame = gpd.GeoDataFrame({"camera_id": ids}, geometry=shapely.points(x, y), crs=crs)
    return schema.checked("cameras", frame)


def test_tables_are_in_metres_and_degrees(tiny_city):
    assert tiny_city.grids.crs == tiny_city.crs
    assert tiny_city.degrees("grids").crs.to_epsg() == 4490
    assert tiny_city.grids.area.iloc[0] == pytest.approx(3567 * 1110, rel=0.01)
    assert tiny_city.cameras.empty
    assert list(tiny_city.cameras.columns) == list(schema.empty("cameras").columns)


def test_unknown_tables_and_attributes_are_errors(tiny_city):
    with pytest.raises(AttributeError):
        tiny_city.monitors  # noqa: B018
    with pytest.raises(UnknownNameError, match="cameras"):
        tiny_city.table("monitors")


def test_with_table_adds_and_leaves_the_first_alone(tiny_city):
    more = tiny_city.with_table(
        "cameras", cameras(["c1", "c2"], "EPSG:4490", [118.005, 118.015], [36.805, 36.805])
    )
    assert len(tiny_city.cameras) == 0
    assert len(more.cameras) == 2
    metres = cameras(["c2", "c3"], more.crs, *more.to_metres([118.02, 118.03], [36.805, 36.805]))
    third = more.with_table("cameras", metres)
    assert sorted(third.cameras.index) == ["c1", "c2", "c3"]
    assert third.degrees("cameras").geometry["c2"].x == pytest.approx(118.02, abs=1e-10)
    assert more.degrees("cameras").geometry["c2"].x == 118.015
    assert third.with_table(
        "cameras", more.degrees("cameras").iloc[:1], replace=True
    ).cameras.index.tolist() == ["c1"]


def test_the_same_what_if_is_the_same_version(tiny_city):
    frame = cameras(["c1"], "EPSG:4490", [118.005], [36.805])
    a, b = tiny_city.with_table("cameras", frame), tiny_city.with_table("cameras", frame.copy())
    other = tiny_city.with_table("cameras", cameras(["c1"], "EPSG:4490", [118.006], [36.805]))
    assert a.version("cameras") == b.version("cameras") != other.version("cameras")
    assert a.version("grids") == tiny_city.version("grids")


def test_with_table_refuses_what_breaks_the_contract(tiny_city):
    with pytest.raises(CrsMismatchError):
        tiny_city.with_table("cameras", cameras(["c1"], "EPSG:3857", [0.0], [0.0]))
    with pytest.raises(SchemaError, match="severity"):
        tiny_city.with_table(
            "incidents",
            gpd.GeoDataFrame(
                {
                    "incident_id": ["a"],
                    "occurred_at": [pd.Timestamp("2026-01-01", tz="UTC")],
                    "category": ["x"],
                    "severity": [9],
                },
                geometry=[shapely.Point(118, 36)],
                crs="EPSG:4490",
            ),
        )


def test_derive_computes_once_per_version_even_with_many_threads(tiny_city):
    calls = []
    barrier = threading.Barrier(4)

    def compute():
        calls.append(1)
        return len(tiny_city.grids)

    def ask():
        barrier.wait()
        assert tiny_city.derive("n", ("grids",), compute) == 7

    threads = [threading.Thread(target=ask) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(calls) == 1
    more = tiny_city.with_table("cameras", cameras(["c1"], "EPSG:4490", [118.0], [36.8]))
    more.derive("n", ("grids",), compute)
    assert len(calls) == 1, "another table changed: what grids gave is kept"
    more.derive("n", ("cameras",), compute)
    assert len(calls) == 2


def test_locate_gives_the_chain_and_the_lowest_code_on_borders(tiny_city):
    found = tiny_city.locate(
        [118.005, 118.01, 118.02, 119.0, float("nan")], [36.805, 36.805, 36.805, 36.8, 36.8]
    )
    assert found["base"].tolist()[:3] == ["370303001001001", "370303001001001", "370303001001002"]
    assert found["village"].tolist()[2] == "370303001001000"
    assert found["town"].iloc[0] == "370303001000000"
    assert found.iloc[3:].isna().all().all()


def test_old_versions_of_a_result_are_let_go():
    memo = Memo(size=6, versions=2)
    for version in "abc":
        assert memo.get("n", version, lambda v=version: v) == version
    assert memo.get("n", "c", lambda: "new") == "c"
    assert memo.get("n", "a", lambda: "new") == "new", "the oldest version was let go"
    for name in range(20):
        memo.get(name, "v", lambda: 1)
    assert len(memo._values) <= 6
    assert memo.get("n", "c", lambda: "again") == "again"
