"""Service workload per grid (重点关注人员 → 服务工作量): counts only, suppressed where they are small.

No person is ever a row. What leaves the city is counted per grid and service category; a count of 1 to k-1 is
suppressed, and so many others with it that no sum that is shown gives it away (primary and complementary
suppression, 主次隐藏).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from geo.count import roll_up

TOTAL = "total"


def workload(people: pd.DataFrame, grids: pd.DataFrame) -> pd.DataFrame:
    """Workload per grid and category, every level (各级网格服务工作量).

    Parameters
    ----------
    people
        Counts per grid × category (`grid_id`, `category`, `count`); grids that are not in `grids` are left out.
    grids
        Grid table.

    Returns
    -------
    DataFrame
        int64, index of `grids`, one column per category in alphabetical order and `total`; grids above hold
        the sum of those below. No people: only `total`, all 0.
    """
    table = people.pivot_table(
        index="grid_id", columns="category", values="count", aggfunc="sum", fill_value=0
    )
    columns = {c: roll_up(table[c].astype("float64"), grids).astype("int64") for c in sorted(table.columns)}
    result = pd.DataFrame(columns, index=grids.index)
    result[TOTAL] = result.sum(axis=1).astype("int64") if columns else np.int64(0)
    return result


def suppress(counts: pd.DataFrame, grids: pd.DataFrame, *, k: int) -> pd.DataFrame:
    """Hide small counts, and enough others that no shown sum gives them away (小数隐藏).

    Parameters
    ----------
    counts
        `workload`'s table (or its `total` alone): one row a grid, categories and `total`.
    grids
        Grid table with `parent_id` and `level`; the same index.
    k
        Counts from 1 to k-1 are hidden. 0 and 1: nothing is.

    Returns
    -------
    DataFrame
        Int64, missing where hidden. Every equation that a reader can write (a grid is the sum of the grids
        below it; the total is the sum of the categories) has no hidden term, or at least two whose sum is k
        or more.

    Notes
    -----
    Greedy complementary suppression, one equation at a time, until nothing changes; zeros are shown.
    """
    values = counts.to_numpy(dtype=np.int64)
    hidden = (values > 0) & (values < k)
    parent = grids.index.get_indexer(grids["parent_id"])
    own = _own_part(values, parent)
    column_is_total = np.array([c == TOTAL for c in counts.columns])
    for _ in range(2 * values.size + 1):
        before = hidden.copy()
        _close_siblings(values, hidden, own, parent, k)
        if column_is_total.any() and len(column_is_total) > 1:
            _close_rows(values, hidden, column_is_total, k)
        if (hidden == before).all():
            break
    result = pd.DataFrame(values, index=counts.index, columns=counts.columns).astype("Int64")
    return result.mask(hidden)


def _own_part(values: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """What a grid holds beside the grids below it: one more term of its equation, and itself never shown."""
    below = np.zeros_like(values)
    has = parent >= 0
    np.add.at(below, parent[has], values[has])
    return values - below


def _close_siblings(
    values: np.ndarray, hidden: np.ndarray, own: np.ndarray, parent: np.ndarray, k: int
) -> None:
    order = np.argsort(parent, kind="stable")
    order = order[parent[order] >= 0]
    if not len(order):
        return
    starts = np.flatnonzero(np.r_[True, np.diff(parent[order]) != 0])
    for start, stop in zip(starts, np.r_[starts[1:], len(order)], strict=True):
        children = order[start:stop]
        above = parent[children[0]]
        for column in range(values.shape[1]):
            terms = np.append(values[children, column], own[above, column])
            flags = np.append(hidden[children, column], own[above, column] > 0)
            if not flags[:-1].any() and not hidden[above, column]:
                continue
            chosen, hide_sum = _closed(terms, flags, values[above, column], bool(hidden[above, column]), k)
            hidden[children, column] |= chosen[:-1]
            hidden[above, column] |= hide_sum


def _close_rows(values: np.ndarray, hidden: np.ndarray, is_total: np.ndarray, k: int) -> None:
    total = int(np.flatnonzero(is_total)[0])
    parts = np.flatnonzero(~is_total)
    for row in np.flatnonzero(hidden.any(axis=1)):
        chosen, hide_sum = _closed(
            values[row, parts], hidden[row, parts], values[row, total], bool(hidden[row, total]), k
        )
        hidden[row, parts] |= chosen
        hidden[row, total] |= hide_sum


def _closed(
    terms: np.ndarray,
    flags: np.ndarray,
    total: int,
    total_hidden: bool,  # noqa: FBT001
    k: int,
) -> tuple[np.ndarray, bool]:
    """Hide more terms of `sum(terms) = total` until the hidden ones cannot be had by subtraction."""
    flags = flags.copy()
    if total_hidden and not flags.any():
        # a hidden sum of shown terms is no secret: hide its largest term
        if total > 0:
            flags[int(np.argmax(terms))] = True
        return flags, True
    while not total_hidden and flags.any() and (flags.sum() < 2 or terms[flags].sum() < k):
        shown = np.flatnonzero(~flags & (terms > 0))
        if not len(shown):
            return flags, True
        flags[shown[np.argmin(terms[shown])]] = True
    return flags, total_hidden
