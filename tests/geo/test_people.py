"""Small counts cannot be had back from what is shown."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from geo.people import TOTAL, suppress, workload

GRIDS = pd.DataFrame(
    {
        "parent_id": [None, "t", "t", "v1", "v1", "v1", "v2", "v2"],
        "level": pd.array([1, 2, 2, 3, 3, 3, 3, 3], dtype="Int64"),
    },
    index=["t", "v1", "v2", "a", "b", "c", "d", "e"],
)
BASE = ["a", "b", "c", "d", "e"]


def people(rows):
    frame = pd.DataFrame(rows, columns=["grid_id", "category", "count"])
    return frame.assign(count=frame["count"].astype("Int64"))


def test_workload_adds_up_to_the_town():
    table = workload(people([("a", "老人", 7), ("b", "老人", 2), ("d", "儿童", 9)]), GRIDS)
    assert table.loc["t"].to_dict() == {"儿童": 9, "老人": 9, TOTAL: 18}
    assert table.loc["v1", "老人"] == 9
    assert table.loc["c"].sum() == 0


def test_no_people_is_zero_everywhere():
    table = workload(people([]), GRIDS)
    assert table.columns.tolist() == [TOTAL]
    assert (table[TOTAL] == 0).all()


def test_one_small_count_takes_a_neighbour_with_it():
    shown = suppress(
        workload(people([("a", "老人", 3), ("b", "老人", 20), ("c", "老人", 9)]), GRIDS), GRIDS, k=5
    )
    assert pd.isna(shown.loc["a", "老人"])
    assert pd.isna(shown.loc["c", "老人"]), "the smallest neighbour is hidden too"
    assert shown.loc["b", "老人"] == 20
    assert shown.loc["v1", "老人"] == 32


def test_a_lone_small_count_hides_its_sums():
    shown = suppress(workload(people([("a", "老人", 3), ("d", "老人", 50)]), GRIDS), GRIDS, k=5)
    assert shown.loc[["a", "v1", "t"], TOTAL].isna().tolist()[:2] == [True, True]


def test_k_zero_hides_nothing_and_k_large_hides_all_that_is_not_zero():
    table = workload(people([("a", "老人", 3), ("d", "老人", 50)]), GRIDS)
    assert suppress(table, GRIDS, k=0).notna().all().all()
    hidden = suppress(table, GRIDS, k=10_000)
    assert (hidden.isna() == (table > 0)).all().all()


counts = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 6, 9, 30]), min_size=10, max_size=10)


@settings(max_examples=60, deadline=None)
@given(counts, st.sampled_from([3, 5]))
def test_an_attacker_with_linear_programming_finds_no_small_count(numbers, k):
    rows = [
        (g, c, n) for (g, c), n in zip([(g, c) for g in BASE for c in ("x", "y")], numbers, strict=True) if n
    ]
    true = workload(people(rows), GRIDS)
    shown = suppress(true, GRIDS, k=k)
    small = [(g, c) for g in true.index for c in true.columns if 0 < true.loc[g, c] < k]
    assert all(pd.isna(shown.loc[cell]) for cell in small)
    for cell in small:
        low, high = reachable(shown, cell)
        assert high - low >= 1, f"{cell} is {true.loc[cell]} and can only be {low}..{high}"


def reachable(shown, cell):
    """What a reader can deduce of one hidden cell from all that is shown and all sums."""
    cells = [(g, c) for g in shown.index for c in shown.columns]
    at = {c: i for i, c in enumerate(cells)}
    equations, constants = [], []

    def equation(total, parts):
        row = np.zeros(len(cells))
        row[at[total]] = 1
        for part in parts:
            row[at[part]] -= 1
        equations.append(row)
        constants.append(0.0)

    parts = [c for c in shown.columns if c != TOTAL]
    for g in shown.index:
        equation((g, TOTAL), [(g, c) for c in parts])
        below = GRIDS.index[GRIDS["parent_id"] == g]
        if len(below):
            for c in shown.columns:
                equation((g, c), [(b, c) for b in below])
    bounds = [(0, None) if pd.isna(shown.loc[c]) else (shown.loc[c],) * 2 for c in cells]
    goal = np.zeros(len(cells))
    goal[at[cell]] = 1
    least = linprog(goal, A_eq=np.array(equations), b_eq=constants, bounds=bounds)
    most = linprog(-goal, A_eq=np.array(equations), b_eq=constants, bounds=bounds)
    assert least.status == 0
    return round(least.fun, 6), np.inf if most.status == 3 else round(-most.fun, 6)


@pytest.mark.parametrize("n", [2000])
def test_a_city_of_grids_is_done_quickly_and_adds_up(n):
    rng = np.random.default_rng(0)
    base = [f"g{i}" for i in range(n)]
    grids = pd.DataFrame(
        {
            "parent_id": [None] + ["t"] * (n // 10) + [f"v{i // 10}" for i in range(n)],
            "level": pd.array([1] + [2] * (n // 10) + [3] * n, dtype="Int64"),
        },
        index=["t"] + [f"v{i}" for i in range(n // 10)] + base,
    )
    rows = [(g, c, int(v)) for c in "abcdef" for g, v in zip(base, rng.poisson(4, n), strict=True) if v]
    table = workload(people(rows), grids)
    shown = suppress(table, grids, k=5)
    seen = shown.notna()
    assert (shown.where(seen, 0) == table.where(seen, 0)).all().all()
    assert not ((table > 0) & (table < 5) & seen).any().any()
