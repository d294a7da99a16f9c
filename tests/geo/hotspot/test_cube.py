"""Counting: every incident has one fate, days are local, late and repeated uploads are accounted for."""

from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from geo import schema
from geo.errors import BadInputError, UnknownNameError
from geo.hotspot import incident_cube

GRIDS = pd.Index(["a", "b", "c"], name="grid_id")


def incidents(*rows, zone="UTC"):
    """Rows of (id, occurred_at, grid, category, source, reported_at, duplicate_of); trailing ones may be absent."""
    frame = pd.DataFrame(
        [(*row, *[None] * (7 - len(row))) for row in rows],
        columns=["incident_id", "occurred_at", "grid", "category", "source", "reported_at", "duplicate_of"],
    ).set_index("incident_id")
    for column in ("occurred_at", "reported_at"):
        frame[column] = (
            pd.to_datetime(frame[column], format="ISO8601").dt.tz_localize(zone)
            if zone
            else pd.to_datetime(frame[column], format="ISO8601")
        )
    frame["category"] = frame["category"].fillna("fire")
    return frame.drop(columns="grid"), frame["grid"]


def cube_of(*rows, **kwargs):
    table, grid = incidents(*rows)
    return incident_cube(table, grid, grids=GRIDS, **({"until": date(2026, 3, 10), "days": 5} | kwargs))


def test_each_incident_has_one_fate():
    cube = cube_of(
        ("1", "2026-03-10 04:00", "a"),
        ("2", "2026-03-06 04:00", "b"),
        ("3", "2026-03-05 04:00", "b"),  # before
        ("4", "2027-01-01 04:00", "b"),  # in the future
        ("5", None, "b"),
        ("6", "2026-03-08 04:00", None),
        ("7", "2026-03-08 04:00", "elsewhere"),
        ("8", "2026-03-08 04:00", "a", "fire", None, None, "1"),
        ("9", "2026-03-08 04:00", "a"),
        ("9", "2026-03-08 04:00", "c"),  # the same id again: the last counts
    )
    a = cube.account
    assert (a.read, a.used, a.repeated, a.duplicate, a.undated, a.before, a.after, a.unplaced) == (
        10,
        3,
        1,
        1,
        1,
        1,
        1,
        2,
    )
    assert (
        a.used + a.repeated + a.duplicate + a.unplaced + a.undated + a.before + a.after + a.unknown_yet
        == a.read
    )
    assert cube.plane().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert (cube.first_day, cube.last_day) == (date(2026, 3, 6), date(2026, 3, 10))


def test_days_are_local():
    cube = cube_of(("1", "2026-03-09 16:30", "a"), ("2", "2026-03-09 15:59", "a"))
    assert cube.plane()[:, 0].tolist() == [
        0,
        0,
        0,
        1,
        1,
    ]  # 00:30 on the 10th and 23:59 on the 9th in Shanghai
    utc = cube_of(("1", "2026-03-09 16:30", "a"), ("2", "2026-03-09 15:59", "a"), timezone="UTC")
    assert utc.plane()[:, 0].tolist() == [0, 0, 0, 2, 0]


def test_times_without_a_zone_are_refused():
    table, grid = incidents(("1", "2026-03-10 04:00", "a"), zone=None)
    with pytest.raises(BadInputError, match=r"occurred_at: times without a zone.*tz_localize"):
        incident_cube(table, grid, grids=GRIDS, until=date(2026, 3, 10), days=5)
    zoned, grid = incidents(("1", "2026-03-10 04:00", "a"))
    with pytest.raises(BadInputError, match=r"known_at .* without a zone"):
        incident_cube(
            zoned, grid, grids=GRIDS, until=date(2026, 3, 10), days=5, known_at=pd.Timestamp("2026-03-10")
        )


def test_late_uploads_count_on_their_day_and_are_unknown_before_they_come():
    rows = [
        ("1", "2026-03-06 04:00", "a", "fire", "reported", "2026-03-06 05:00"),
        ("2", "2026-03-06 04:00", "a", "fire", "reported", "2026-03-09 05:00"),
    ]
    cube = cube_of(*rows)
    assert cube.plane()[0, 0] == 2
    assert cube.account.late == 1
    then = cube_of(*rows, known_at=pd.Timestamp("2026-03-08", tz="UTC"))
    assert then.plane()[0, 0] == 1
    assert then.account.unknown_yet == 1


def test_planes_by_category_and_source_add_up():
    rng = np.random.default_rng(0)
    n = 600
    table = pd.DataFrame(
        {
            "occurred_at": pd.Timestamp("2026-03-10", tz="UTC")
            - pd.to_timedelta(rng.integers(0, 96, n), unit="h"),
            "category": rng.choice(["fire", "traffic", "dispute"], n),
            "source": rng.choice(["reported", "discovered", "sensor", None], n),
        },
        index=pd.Index([f"i{i}" for i in range(n)], name="incident_id"),
    )
    grid = pd.Series(rng.choice(list("abc"), n), index=table.index)
    cube = incident_cube(table, grid, grids=GRIDS, until=date(2026, 3, 10), days=5)
    assert cube.categories == ("dispute", "fire", "traffic")
    parts = [cube.plane(category=c, source=s) for c in cube.categories for s in cube.sources]
    np.testing.assert_array_equal(sum(parts), cube.plane())
    assert cube.totals().to_numpy().sum() == n == cube.plane().sum()
    assert (
        cube.totals().loc["fire", "unknown"] == ((table["category"] == "fire") & table["source"].isna()).sum()
    )
    independent = cube.plane(source="independent").sum()
    assert independent == n - (table["source"] == "discovered").sum()
    behind = cube.rows_behind("b", days=2, category="fire")
    assert len(behind) == cube.plane(category="fire")[-2:, 1].sum()
    picked = table.iloc[behind]
    assert (picked["category"] == "fire").all()
    assert picked["occurred_at"].dt.tz_convert("Asia/Shanghai").dt.date.is_monotonic_decreasing
    for call in (
        lambda: cube.plane(category="flood"),
        lambda: cube.plane(source="web"),
        lambda: cube.rows_behind("z", days=1),
    ):
        with pytest.raises(UnknownNameError, match="allowed"):
            call()


def test_uploads_of_one_problem_are_counted_apart():
    place = gpd.points_from_xy([118.0, 118.0, 118.0, 118.5, 118.0], [36.8] * 5)
    table, grid = incidents(
        ("1", "2026-03-08 04:00:10", "a"), ("2", "2026-03-08 04:00:50", "a"), ("3", "2026-03-08 04:05", "a"),
        ("4", "2026-03-08 04:00", "a"), ("5", "2026-03-08 04:00:20", "a", "traffic"),
    )  # fmt: skip
    table = gpd.GeoDataFrame(table, geometry=place, crs="EPSG:4490")
    cube = incident_cube(table, grid, grids=GRIDS, until=date(2026, 3, 10), days=5)
    assert cube.account.same_place_and_minute == 1
    assert cube.account.used == 5  # shown, not dropped: the place may be a default coordinate
    dates = table.assign(occurred_at=pd.Timestamp("2026-03-08", tz="Asia/Shanghai").tz_convert("UTC"))
    assert (
        incident_cube(dates, grid, grids=GRIDS, until=date(2026, 3, 10), days=5).account.same_place_and_minute
        == 0
    )


def test_no_incidents_make_a_cube_of_zeros():
    empty = schema.empty("incidents", "EPSG:4490")
    cube = incident_cube(
        empty, pd.Series([], index=empty.index, dtype="str"), grids=GRIDS, until=date(2026, 3, 10), days=5
    )
    assert cube.plane().shape == (5, 3)
    assert cube.plane().sum() == 0
    assert cube.account.read == 0
    assert cube.categories == ()


def test_bad_input_is_refused():
    table, grid = incidents(("1", "2026-03-10 04:00", "a"))
    with pytest.raises(BadInputError, match="days: 0"):
        incident_cube(table, grid, grids=GRIDS, until=date(2026, 3, 10), days=0)
    with pytest.raises(BadInputError, match="not on the index"):
        incident_cube(table, grid.reset_index(drop=True), grids=GRIDS, until=date(2026, 3, 10), days=5)
    with pytest.raises(BadInputError, match="listed twice"):
        incident_cube(table, grid, grids=pd.Index(["a", "a"]), until=date(2026, 3, 10), days=5)
