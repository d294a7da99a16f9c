"""Early warning: what alarms, since when, and how rarely for nothing."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from geo.errors import BadInputError
from geo.hotspot import SOURCES, Account, Cube, warnings

GRIDS = pd.Index([f"g{i:04d}" for i in range(2000)], name="grid_id")
LAST = date(2026, 6, 28)


def cube_of(plane, category=None, source=None):
    day, grid = np.nonzero(plane)
    times = plane[day, grid]
    day, grid = np.repeat(day, times), np.repeat(grid, times)
    n = len(day)
    category = np.zeros(n, np.int16) if category is None else category(day, grid)
    source = np.zeros(n, np.int8) if source is None else source(day, grid)
    return Cube(
        grids=GRIDS, first_day=LAST - timedelta(days=len(plane) - 1), days=len(plane), categories=("fire", "traffic"),
        sources=SOURCES, day=day.astype(np.int32), category=category, source=source, grid=grid.astype(np.int32),
        row=np.arange(n), account=Account(n, n, *[0] * 9),
    )  # fmt: skip


def quiet(seed, days=140, rate=0.3):
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.lognormal(np.log(rate), 0.8, len(GRIDS)), (days, len(GRIDS)))


def test_a_rise_is_warned_of_with_its_day():
    plane = quiet(1)
    plane[:, 7] = np.random.default_rng(0).poisson(0.5, 140)
    plane[-4:, 7] = 6
    table = warnings(cube_of(plane), category="fire")
    row = table.iloc[0]
    assert row["grid_id"] == "g0007"
    assert row["observed"] == plane[-7:, 7].sum()
    assert row["ratio"] > 3
    assert row["since"] == LAST - timedelta(days=3)
    assert row["ears_c1"]
    assert row["active_days"] >= 4
    assert row["reported"] == row["observed"]
    assert table["q"].is_monotonic_increasing


@pytest.mark.parametrize("seed", range(4))
def test_hardly_any_warning_when_nothing_happens(seed):
    assert len(warnings(cube_of(quiet(seed)))) <= 1


def test_swinging_counts_do_not_flood_the_list():
    rng = np.random.default_rng(3)
    rate = rng.lognormal(0, 0.8, len(GRIDS))
    swing = np.repeat(rng.gamma(4, 1 / 4, (20, len(GRIDS))), 7, axis=0)
    assert len(warnings(cube_of(rng.poisson(rate * swing)))) <= 12


def test_categories_share_one_rate_of_false_alarms():
    plane = quiet(5)
    plane[-3:, 9] += 7
    both = warnings(cube_of(plane, category=lambda d, g: (g % 2).astype(np.int16)))
    assert both["category"].iloc[0] == "traffic"
    assert both["grid_id"].iloc[0] == "g0009"
    alone = warnings(cube_of(plane, category=lambda d, g: (g % 2).astype(np.int16)), category="traffic")
    assert alone["p"].iloc[0] == both["p"].iloc[0]
    assert alone["q"].iloc[0] < both["q"].iloc[0]


def test_an_old_outbreak_does_not_hide_behind_its_own_baseline():
    plane = quiet(6)
    plane[-12:, 11] += 2
    with_gap = warnings(cube_of(plane), category="fire")
    without = warnings(cube_of(plane), category="fire", baseline_days=7, gap_days=0)
    assert "g0011" in with_gap["grid_id"].tolist()
    assert "g0011" not in without["grid_id"].tolist()


def test_the_split_shows_who_found_it():
    plane = quiet(7)
    plane[-2:, 3] += 9
    table = warnings(
        cube_of(plane, source=lambda d, g: np.where((g == 3) & (d >= 138), 1, 0).astype(np.int8))
    )
    assert table.iloc[0]["discovered"] >= 18


def test_nothing_to_warn_of():
    table = warnings(cube_of(np.zeros((70, len(GRIDS)), int)))
    assert len(table) == 0
    assert "since" in table.columns
    with pytest.raises(BadInputError, match="10 days of incidents"):
        warnings(cube_of(quiet(0, days=10)))
    with pytest.raises(BadInputError, match="multiple of 7"):
        warnings(cube_of(quiet(0)), recent_days=5)
