"""Counts per grid (按网格计数): from located points, at every level at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray


def per_grid(
    located: pd.DataFrame, grids: pd.DataFrame, *, where: NDArray[np.bool_] | None = None
) -> pd.Series:
    """Count points per grid of every level (各级网格计数).

    Parameters
    ----------
    located
        `City.locate`'s answer for the points: one column of `grid_id` per level.
    grids
        Grid table.
    where
        Count only these rows.

    Returns
    -------
    Series
        int64 on the index of `grids`; 0 where no point lies.
    """
    chosen = located if where is None else located[where]
    total = np.zeros(len(grids), dtype=np.int64)
    for column in chosen.columns:
        found = grids.index.get_indexer(chosen[column].dropna())
        total += np.bincount(found[found >= 0], minlength=len(grids))
    return pd.Series(total, index=grids.index)


def roll_up(values: pd.Series, grids: pd.DataFrame) -> pd.Series:
    """Add each grid's value to all grids above it (逐级汇总).

    Parameters
    ----------
    values
        Numbers on (some of) the index of `grids`; what is missing counts as 0.
    grids
        Grid table with `parent_id` and `level`.

    Returns
    -------
    Series
        float64 on the index of `grids`: own value plus everything below.
    """
    total = values.reindex(grids.index).fillna(0.0).to_numpy(dtype=np.float64, copy=True)
    parent = grids.index.get_indexer(grids["parent_id"])
    level = grids["level"].to_numpy(dtype=np.int64, na_value=0)
    for depth in sorted(set(level.tolist()), reverse=True):
        rows = np.flatnonzero((level == depth) & (parent >= 0))
        np.add.at(total, parent[rows], total[rows])
    return pd.Series(total, index=grids.index)
