"""Forecasts, their scores and the ledger."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from geo.errors import BadInputError
from geo.hotspot import (
    SOURCES,
    Account,
    Cube,
    Model,
    blend,
    choose,
    decayed_count,
    distance_band,
    ledger,
    naive,
    predict,
    ranked,
    score,
)  # fmt: skip

SIDE = 20
XY = np.stack(np.meshgrid(np.arange(SIDE) * 500.0, np.arange(SIDE) * 500.0), axis=-1).reshape(-1, 2)
GRIDS = pd.Index([f"g{i:03d}" for i in range(SIDE * SIDE)], name="grid_id")
GRAPH = distance_band(XY, distance_m=750, index=GRIDS)
AREA = np.full(len(GRIDS), 250_000.0)


def test_pai_arithmetic():
    """NIJ: 10 of 100 incidents in 1 of 100 km²: PAI 10; best possible 25: PEI* 0.40."""
    actual = np.zeros(100)
    actual[0], actual[1], actual[2:] = 10, 25, 65 / 98
    actual[2:] = 0
    actual[2:67] = 1
    result = score([0], actual, np.full(100, 1e6))
    assert (result.hits, result.total) == (10, 100)
    assert result.pai == pytest.approx(10)
    assert result.pei == pytest.approx(0.40)
    assert result.oracle_pai == pytest.approx(25)
    assert result.low < 0.1 < result.high
    wilson = (0.05522914, 0.17436566)  # statsmodels proportion_confint(10, 100, method="wilson")
    assert (result.low, result.high) == pytest.approx(wilson, abs=1e-8)


def test_a_week_without_incidents_has_no_score():
    result = score([0, 1], np.zeros(100), np.ones(100))
    assert result.total == 0
    assert all(np.isnan(v) for v in (result.hit_rate, result.pai, result.pei, result.oracle_pai))


def test_grids_are_chosen_by_density_within_the_area():
    value = np.array([10.0, 9.0, 4.0, 1.0])
    area = np.array([50.0, 10.0, 2.0, 38.0])
    assert ranked(value, area, share=0.12).tolist() == [2, 1]
    assert ranked(value, area, share=0.62).tolist() == [2, 1, 0]
    assert ranked(value, area, share=0.001).tolist() == [2]  # one at least
    assert ranked(value, area, share=1).tolist() == [2, 1, 0, 3]
    with pytest.raises(BadInputError, match="over 0, up to 1"):
        ranked(value, area, share=0)


def test_decayed_count():
    plane = np.array([[4.0], [2.0], [1.0]])
    assert decayed_count(plane, half_life_days=1).tolist() == [4 / 4 + 2 / 2 + 1]
    assert decayed_count(plane, half_life_days=np.inf).tolist() == [7]
    with pytest.raises(BadInputError, match="over 0"):
        decayed_count(plane, half_life_days=0)


def test_forecast_of_a_steady_city_is_its_rate():
    rng = np.random.default_rng(0)
    rate = rng.lognormal(0, 1, len(GRIDS))
    plane = rng.poisson(rate, (180, len(GRIDS)))
    value = predict(plane, GRAPH, AREA, model=Model(np.inf, 0.1))
    assert value.sum() == pytest.approx(plane.sum() / 180 * 7, rel=0.02)
    assert np.corrcoef(value, rate)[0, 1] > 0.99
    assert predict(plane[:0], GRAPH, AREA, model=Model()).tolist() == [0] * len(GRIDS)


def test_back_test_follows_change_and_steadiness():
    rng = np.random.default_rng(1)
    rate = rng.lognormal(0, 1, len(GRIDS))
    steady, table = choose(rng.poisson(rate, (180, len(GRIDS))), GRAPH, AREA)
    assert steady.half_life_days >= 90
    assert len(table) == 8 * (7 + 7 * 3)
    moving = np.array([np.roll(rate, 3 * (d // 7)) for d in range(180)])
    fast, _ = choose(rng.poisson(moving), GRAPH, AREA)
    assert fast.half_life_days <= 14
    sparse, _ = choose(rng.poisson(0.002 * (1 + 9 * (XY[:, 0] > 7000)), (180, len(GRIDS))), GRAPH, AREA)
    assert sparse.smoothing >= 0.5 or sparse.prior > 0
    model, table = choose(np.zeros((180, len(GRIDS))), GRAPH, AREA)
    assert model == Model()
    assert table.empty


def test_blend_is_the_mean_of_what_past_weeks_like():
    rng = np.random.default_rng(3)
    rate = rng.lognormal(-2, 1, len(GRIDS))
    plane = rng.poisson(rate, (90, len(GRIDS)))
    value, best = blend(plane, GRAPH, AREA)
    assert value.sum() == pytest.approx(predict(plane, GRAPH, AREA, model=best).sum())
    _, table = choose(plane, GRAPH, AREA)
    mean = np.zeros(len(GRIDS))
    for row in table.nlargest(20, "log_likelihood").itertuples():
        model = Model(row.half_life_days, row.smoothing, row.prior, row.rings)
        one = predict(plane, GRAPH, AREA, model=model)
        mean += one / one.sum()
    np.testing.assert_allclose(value / value.sum(), mean / mean.sum(), rtol=1e-12)
    # it follows the rate better than the plain count does
    count = plane.sum(axis=0)
    assert np.corrcoef(value, rate)[0, 1] >= np.corrcoef(count, rate)[0, 1] - 1e-3
    alone, default = blend(plane[:3], GRAPH, AREA)
    assert default == Model()
    assert np.isfinite(alone).all()
    assert blend(plane[:0], GRAPH, AREA)[0].tolist() == [0] * len(GRIDS)


def test_a_gamma_prior_takes_a_grid_to_its_surroundings():
    plane = np.zeros((28, len(GRIDS)))
    plane[:, 210] = 1
    for prior in (0.5, 8.0):
        value = predict(plane, GRAPH, AREA, model=Model(np.inf, 0.0, prior, 1))
        assert value[210] < 7  # less than its own count
        assert value[211] > 0  # and its neighbour more
    strong = predict(plane, GRAPH, AREA, model=Model(np.inf, 0.0, 1e9, 1))
    assert strong[210] == pytest.approx(strong[211])


def test_naive_forecasts():
    plane = np.zeros((60, len(GRIDS)))
    plane[-40, 3], plane[-20, 4], plane[-3, 5] = 1, 1, 1
    values = naive(plane, XY)
    assert [values[m].sum() for m in ("count_7d", "count_28d", "count_all")] == [1, 2, 3]
    assert values["kde"].argmax() in (3, 4, 5)
    assert set(values) | {"santu"} == set(ledger.METHODS)


def cube_of(plane, first):
    day, grid = np.nonzero(plane)
    times = plane[day, grid]
    day, grid = np.repeat(day, times), np.repeat(grid, times)
    n = len(day)
    return Cube(
        grids=GRIDS, first_day=first, days=len(plane), categories=("fire",), sources=SOURCES, day=day.astype(np.int32),
        category=np.zeros(n, np.int16), source=np.zeros(n, np.int8), grid=grid.astype(np.int32), row=np.arange(n),
        account=Account(n, n, *[0] * 9),
    )  # fmt: skip


@pytest.fixture(scope="module")
def history():
    rng = np.random.default_rng(2)
    return rng.poisson(rng.lognormal(-1, 1.2, len(GRIDS)), (119, len(GRIDS)))


def test_forecast_is_written_before_and_scored_after(history):
    before = cube_of(history[:112], date(2026, 1, 5))
    assert before.last_day == date(2026, 4, 26)  # a Sunday
    week = ledger.next_week(before.last_day)
    assert week == date(2026, 4, 27)
    forecast = ledger.issue(before, GRAPH, AREA, XY, week=week, issued_at="2026-04-27T00:05:00+08:00")
    assert not forecast["replayed"]
    assert forecast["history_days"] == 112
    assert not ledger.due(forecast, before.last_day)
    with pytest.raises(BadInputError, match="whole week is needed"):
        ledger.settle(forecast, before, AREA)
    after = cube_of(history, date(2026, 1, 5))
    settled = ledger.settle(forecast, after, AREA)
    assert settled["total"] == history[112:].sum()
    table = ledger.table([settled])
    assert len(table) == 5 * 2
    for (method, share), row in table.set_index(["method", "share"]).iterrows():
        rows = GRIDS.get_indexer(forecast["chosen"][method])[: int(share * len(GRIDS))]
        assert row["hits"] == history[112:, rows].sum()
        assert row["pai"] <= row["oracle_pai"]
        assert 0 < row["pei"] <= 1
    best = table[table["share"] == 0.05].set_index("method")["pai"]
    assert best["santu"] >= 0.95 * best.drop("santu").max()


def test_a_forecast_never_sees_its_week(history):
    early = ledger.issue(
        cube_of(history[:112], date(2026, 1, 5)),
        GRAPH,
        AREA,
        XY,
        week=date(2026, 4, 27),
        issued_at="2026-04-26",
    )
    late = ledger.issue(
        cube_of(history, date(2026, 1, 5)), GRAPH, AREA, XY, week=date(2026, 4, 27), issued_at="2026-05-09"
    )
    assert late["replayed"]
    for same in ("chosen", "model", "digest", "expected", "last_day"):
        assert early[same] == late[same]


def test_ledger_adds_up_over_weeks(history):
    cube = cube_of(history, date(2026, 1, 5))
    settled = []
    for week in (date(2026, 4, 6), date(2026, 4, 13), date(2026, 4, 20), date(2026, 4, 27)):
        forecast = ledger.issue(cube, GRAPH, AREA, XY, week=week, issued_at="2026-06-01")
        settled.append(ledger.settle(forecast, cube, AREA))
    table = ledger.table(settled)
    total = ledger.summary(table)
    assert (total["weeks"] == 4).all()
    one = total[(total["method"] == "santu") & (total["share"] == 0.05)].iloc[0]
    rows = table[(table["method"] == "santu") & (table["share"] == 0.05)]
    assert one["hits"] == rows["hits"].sum()
    assert one["pai"] == pytest.approx(rows["hits"].sum() / rows["total"].sum() / 0.05)
    assert ledger.summary(table.iloc[:0]).empty


def test_bad_weeks_are_refused(history):
    cube = cube_of(history, date(2026, 1, 5))
    with pytest.raises(BadInputError, match="not a Monday; allowed: 2026-04-27"):
        ledger.issue(cube, GRAPH, AREA, XY, week=date(2026, 4, 29), issued_at="2026-04-26")
    with pytest.raises(BadInputError, match="0 days of incidents"):
        ledger.issue(cube, GRAPH, AREA, XY, week=date(2026, 1, 5), issued_at="2026-01-01")


def test_redrawn_grids_count_as_missed(history):
    cube = cube_of(history, date(2026, 1, 5))
    forecast = ledger.issue(cube, GRAPH, AREA, XY, week=date(2026, 4, 27), issued_at="2026-04-26")
    forecast["chosen"]["santu"] = [f"old{i}" for i in range(20)]
    rows = ledger.table([ledger.settle(forecast, cube, AREA)])
    assert (rows[rows["method"] == "santu"]["hits"] == 0).all()
