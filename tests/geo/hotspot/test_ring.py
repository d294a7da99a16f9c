"""Live counts: any order, repetition and correction give the state of a rebuild, bit for bit."""

from datetime import date, datetime, timedelta, timezone
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInputError, UnknownNameError
from geo.hotspot import (
    RingCounts,
    alarm_overdispersion,
    alarms,
    dispersion,
    distance_band,
    incident_cube,
    past_windows,
    pooled_residual,
    warnings,
    windows,
)

TODAY = date(2026, 3, 31)
SIDE = 12
XY = np.stack(np.meshgrid(np.arange(SIDE) * 100.0, np.arange(SIDE) * 100.0), axis=-1).reshape(-1, 2)
GRIDS = pd.Index([f"g{i:03d}" for i in range(SIDE * SIDE)], name="grid_id")
GRAPH = distance_band(XY, distance_m=150, index=GRIDS)


def ring(**kwargs):
    return RingCounts(GRAPH, **({"today": TODAY, "recent_days": 7, "baseline_days": 28} | kwargs))


def events(n, seed):
    rng = np.random.default_rng(seed)
    return [
        {
            "incident_id": f"i{k}",
            "day": TODAY - timedelta(days=int(rng.integers(-2, 45))),
            "category": str(rng.choice(["fire", "traffic"])),
            "source": rng.choice(["reported", "discovered", "sensor", None]),
            "grid_id": str(rng.choice(GRIDS)),
        }
        for k in range(n)
    ]


def same(a, b, **view):
    for left, right in zip(a.windows(**view), b.windows(**view), strict=True):
        np.testing.assert_array_equal(left, right)
    x, y = a.hot(**view), b.hot(**view)
    assert (x.hot, x.grid_id) == (y.hot, y.grid_id)
    for name in ("z", "q", "observed", "expected"):
        np.testing.assert_array_equal(getattr(x, name), getattr(y, name))  # bits, not tolerance


VIEWS = ({}, {"category": "fire"}, {"source": "reported"}, {"category": "traffic", "source": "sensor"})


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_replay_in_any_order_equals_rebuild(seed):
    random = Random(seed)
    final = events(300, seed)
    live = ring()
    for view in VIEWS:
        try:
            live.hot(**view)  # views that exist early must follow every change
        except UnknownNameError:
            pass
    first = [dict(e) for e in final]
    for e in random.sample(first, 60):  # early versions, corrected later
        e["grid_id"], e["category"] = str(random.choice(GRIDS)), random.choice(["fire", "traffic"])
    random.shuffle(first)
    for e in first:
        live.put(**e)
        if random.random() < 0.1:
            live.put(**e)  # the same again
            live.hot()
    shuffled = list(final)
    random.shuffle(shuffled)
    for e in shuffled:
        live.put(**e)
    rebuilt = ring()
    for e in final:
        rebuilt.put(**e)
    for view in VIEWS:
        same(live, rebuilt, **view)


def test_live_equals_counting_the_table():
    rows = events(800, seed=1)
    table = pd.DataFrame(rows).set_index("incident_id")
    table["occurred_at"] = pd.to_datetime(table["day"]).dt.tz_localize("Asia/Shanghai").dt.tz_convert("UTC")
    cube = incident_cube(table, table["grid_id"], grids=GRIDS, until=TODAY, days=35)
    live, loaded = ring(), ring()
    for e in rows:
        live.put(**e)
    loaded.load(cube, table.index)
    for view in VIEWS:
        same(live, loaded, **view)
    recent, baseline = live.windows(category="fire")
    plane = cube.plane(category="fire")
    np.testing.assert_array_equal(recent, plane[-7:].sum(axis=0))
    np.testing.assert_array_equal(baseline, plane[-35:-7].sum(axis=0))


def test_scores_are_those_of_the_whole_table():
    live = ring()
    for e in events(2000, seed=2):
        live.put(**e)
    recent, baseline = live.windows()
    z = pooled_residual(recent, baseline, GRAPH)
    hot = live.hot(top=144)
    got = pd.Series(hot.z, hot.grid_id)[GRIDS]
    np.testing.assert_allclose(got, z / dispersion(z), atol=0.05)  # the factor is rounded to half a per cent
    assert (np.diff(hot.z) <= 0).all()
    assert live.hot(top=5).grid_id == hot.grid_id[:5]


def test_duplicate_correction_and_withdrawal():
    live = ring()
    e = {"day": TODAY, "category": "fire", "source": "reported", "grid_id": "g000"}
    assert live.put("1", **e)
    assert not live.put("1", **e)
    assert live.windows()[0].sum() == 1
    assert live.put("1", **(e | {"grid_id": "g005"}))
    assert live.windows()[0][[0, 5]].tolist() == [0, 1]
    assert live.put("1", **(e | {"day": TODAY - timedelta(days=10)}))  # happened earlier than first said
    assert [w[0] for w in live.windows()] == [0, 1]
    assert live.put("1", **(e | {"day": TODAY - timedelta(days=400)}))
    assert [w.sum() for w in live.windows()] == [0, 0]
    live.put("2", **e)
    assert live.remove("2")
    assert not live.remove("2")
    assert live.windows()[0].sum() == 0
    live.put("3", **e)
    assert live.put("3", **(e | {"grid_id": ""}))  # proved to lie outside the city
    assert live.windows()[0].sum() == 0


def test_days_roll():
    live = ring()
    rows = events(500, seed=3)
    for e in rows:
        live.put(**e)
    live.hot()
    later = TODAY + timedelta(days=9)
    live.roll(later)
    fresh = ring(today=later)
    for e in rows:
        fresh.put(**e)
    for view in VIEWS:
        same(live, fresh, **view)
    assert len(live) == len(fresh)
    with pytest.raises(BadInputError, match="forward only"):
        live.roll(TODAY)


def test_tomorrow_waits():
    live = ring()
    live.put("1", day=TODAY + timedelta(days=1), category="fire", source=None, grid_id="g000")
    assert live.windows()[0].sum() == 0
    live.roll(TODAY + timedelta(days=1))
    assert live.windows()[0].sum() == 1


def test_an_outbreak_shows_at_once():
    live = ring()
    rng = np.random.default_rng(0)
    for k in range(3000):
        live.put(f"b{k}", day=TODAY - timedelta(days=int(rng.integers(0, 35))), category="fire", source=None,
                 grid_id=str(rng.choice(GRIDS)))  # fmt: skip
    assert live.hot().hot <= 2
    for k in range(60):
        live.put(f"x{k}", day=TODAY, category="fire", source=None, grid_id="g066")
    hot = live.hot(top=9)
    assert hot.hot >= 5
    around = {GRIDS[66 + dx + SIDE * dy] for dx in (-1, 0, 1) for dy in (-1, 0, 1)}
    assert set(hot.grid_id) == around
    assert hot.observed[list(hot.grid_id).index("g066")] > 60


def test_empty_ring_has_no_hot_spot():
    hot = ring().hot()
    assert hot.hot == 0
    assert np.isfinite(hot.z).all()
    assert (hot.z == 0).all()


def test_bad_input_is_refused():
    with pytest.raises(BadInputError, match="recent_days: 10 days"):
        ring(recent_days=10)
    with pytest.raises(BadInputError, match="shorter than the window"):
        ring(recent_days=28, baseline_days=14)
    live = ring()
    for name, kwargs in (("grid", {"grid_id": "elsewhere"}), ("source", {"source": "web"})):
        e = {"day": TODAY, "category": "fire", "source": None, "grid_id": "g000"} | kwargs
        with pytest.raises(UnknownNameError, match=name):
            live.put("1", **e)
    with pytest.raises(UnknownNameError, match="category"):
        live.hot(category="flood")


def test_live_warnings_are_those_of_the_table():
    """The same counts, windows and tests: alarms of the live counts are `warnings` of the cube."""
    rng = np.random.default_rng(5)
    days = 70
    plane = rng.poisson(0.3, (days, len(GRIDS)))
    plane[-5:, 17] += 4
    day, grid = np.nonzero(plane)
    times = plane[day, grid]
    day, grid = np.repeat(day, times), np.repeat(grid, times)
    n = len(day)
    zone = timezone(timedelta(hours=8))
    when = [datetime(2026, 1, 21, 9, tzinfo=zone) + timedelta(days=int(d)) for d in day]
    table = pd.DataFrame(
        {"occurred_at": pd.to_datetime(when), "category": np.where(np.arange(n) % 3, "fire", "traffic"),
         "source": np.where(np.arange(n) % 2, "reported", "sensor")},
        index=pd.Index([f"i{k}" for k in range(n)], name="incident_id"),
    )  # fmt: skip
    located = pd.Series(GRIDS[grid], index=table.index)
    cube = incident_cube(table, located, grids=GRIDS, until=TODAY, days=days)
    live = ring(recent_days=14, baseline_days=56)
    live.load(cube, table.index)
    span = live.alarm_span
    assert (span.recent, span.gap, span.baseline) == (7, 7, 56)
    phi = {}
    for name in cube.categories:
        of_it = cube.plane(category=name)
        cut = windows(of_it, recent_days=7, baseline_days=56, gap_days=7)
        phi[name] = alarm_overdispersion(past_windows(of_it, cut, 7))
    told = warnings(cube, baseline_days=56)
    found = alarms(live, phi)
    assert "g017" in set(found["grid_id"])
    pd.testing.assert_frame_equal(found.drop(columns="incident_ids"), told)
    for row in found.itertuples():
        behind = table.loc[row.incident_ids]
        assert len(behind) == row.observed
        assert set(behind["category"]) == {row.category}
        assert set(located[behind.index]) == {row.grid_id}
    rest = alarms(live, phi, told={("g017", "fire")})
    assert len(rest) == len(found) - 1
    assert len(alarms(ring(), {})) == 0
    with pytest.raises(UnknownNameError):
        live.behind("nowhere", category="fire")
