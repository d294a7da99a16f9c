"""The hotspot table of a city (热点研判表): where it is hot, what is new, how sure, and from which source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from geo.hotspot import _check
from geo.hotspot.emerging import CLASSES, MIN_STEPS, classify, weekly
from geo.hotspot.expect import city_factor, eb_rate, expected, residual, windows
from geo.hotspot.local import Fdr, adjusted, gi_bin, gi_star_array, p_value
from geo.hotspot.permutation import permutation_p
from geo.hotspot.pooled import dispersion, overdispersion, pooled_cube, pooled_residual

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geo.hotspot.cube import Cube
    from geo.hotspot.expect import Windows
    from geo.hotspot.graph import Graph

RECENT_DAYS = 14
MOST_BASELINE_DAYS = 154  # 22 weeks
CLASS_BASELINE_WEEKS = 8


def hotspots(  # noqa: PLR0913  (what an analyst may turn)
    cube: Cube,
    graph: Graph,
    *,
    category: str | None = None,
    source: str | None = None,
    recent_days: int = RECENT_DAYS,
    baseline_days: int | None = None,
    gap_days: int = 0,
    alpha: float = 0.05,
    fdr: Fdr | None = "bh",
    seed: int = 0,
) -> pd.DataFrame:
    """Make the hotspot table of one category and source (热点研判).

    Parameters
    ----------
    cube, graph
        Counts and neighbours of the same grids in the same order.
    category, source
        Which incidents; `None` means all. Counts of one source only are free of the others' effort.
    recent_days, baseline_days, gap_days
        Windows, multiples of 7; the baseline is what the cube holds, at most 22 weeks, if not given.
    alpha, fdr
        False-discovery rate and method over all grids of the table; `None` marks by unadjusted p.
    seed
        Of the permutations behind `level_p`.

    Returns
    -------
    DataFrame
        On the index of the grids.

        - *new*: `observed`, `expected`, `ratio`; `z`, `p`, `q` of the grid with its neighbours against their own
          past (one-sided, each way by itself: a rise is an alarm); `gi_bin`; `hot`, `cold`; `gi_star` of the grids' own residuals beside it.
        - *where*: `rate` (incidents a day, shrunk), `level_p`, `level_q`, `level_hot`: surrounded by busy grids
          more than a random city would have it, by conditional permutation.
        - *how*: `class`, the emerging class by weeks ("none" with fewer than 19 weeks), `trend_z`.
        - *from whom*: recent counts `reported`, `discovered`, `sensor`, `unknown`, whatever `source` is.
        - `island`: no neighbours.

        `attrs`: the windows; `overdispersion` and `dispersion`, by which z is already widened and divided.
    """
    plane = cube.plane(category=category, source=source)
    if baseline_days is None:
        baseline_days = longest_baseline(cube.days, recent_days, gap_days)
    cut = windows(plane, recent_days=recent_days, baseline_days=baseline_days, gap_days=gap_days)
    factor = city_factor(cut.recent, cut.baseline)
    table = pd.DataFrame(
        {"observed": cut.recent, "expected": expected(cut.baseline, factor)}, index=cube.grids
    )
    table["ratio"] = np.divide(
        table["observed"], table["expected"], out=np.ones(len(table)), where=table["expected"].to_numpy() > 0
    )
    phi = overdispersion(past_windows(plane, cut, gap_days), graph)
    z = pooled_residual(cut.recent, cut.baseline, graph, factor=factor, overdispersion=phi)
    spread = float(dispersion(z))
    table["z"] = z / spread
    table["p"], table["q"] = _each_way(table["z"].to_numpy(), fdr)
    table["gi_bin"] = gi_bin(table["z"], table["q"])
    table["hot"] = (table["q"] <= alpha) & (table["z"] > 0)
    table["cold"] = (table["q"] <= alpha) & (table["z"] < 0)
    table["gi_star"] = gi_star_array(residual(cut.recent, cut.baseline, factor=factor), graph)
    _where(table, cut, graph, alpha, seed)
    _how(table, plane, graph)
    for name in cube.sources:
        table[name] = cube.plane(category=category, source=name)[-recent_days:].sum(axis=0)
    table["island"] = graph.islands
    table.attrs.update(
        dispersion=spread,
        overdispersion=phi,
        recent_days=recent_days,
        baseline_days=baseline_days,
        gap_days=gap_days,
    )
    return table


def hot_list(
    tables: Mapping[str, pd.DataFrame], *, alpha: float = 0.05, fdr: Fdr | None = "bh"
) -> pd.DataFrame:
    """Hot grids of several tables shown together, adjusted over all of them (多类别热点榜).

    Parameters
    ----------
    tables
        Category -> table of `hotspots`.
    alpha, fdr
        As there; the adjustment is over all grids of all tables, because all of them are looked at.

    Returns
    -------
    DataFrame
        One row per hot grid and category, highest z first: `grid_id`, `category` and the columns of the table,
        `q` and `gi_bin` adjusted anew.
    """
    named = [t.rename_axis("grid_id").reset_index().assign(category=c) for c, t in tables.items()]
    if not named:
        return pd.DataFrame(columns=["grid_id", "category", "z", "p", "q"])
    for frame in named:
        frame.attrs = {}
    table = pd.concat(named, ignore_index=True)
    _, table["q"] = _each_way(table["z"].to_numpy(), fdr)
    table["gi_bin"] = gi_bin(table["z"], table["q"])
    table["hot"] = (table["q"] <= alpha) & (table["z"] > 0)
    return table[table["hot"]].sort_values(["z", "grid_id"], ascending=[False, True], ignore_index=True)


def past_windows(plane: NDArray[np.int32], cut: Windows, gap_days: int = 0) -> NDArray[np.int64]:
    """Disjoint windows of the recent length within the baseline, `(n, windows)`, oldest first."""
    length = cut.recent_days
    end = plane.shape[0] - length - gap_days
    number = cut.baseline_days // length
    part = plane[end - number * length : end]
    return part.reshape(number, length, -1).sum(axis=1, dtype=np.int64).T


def longest_baseline(days: int, recent_days: int, gap_days: int) -> int:
    """Whole weeks that are left, at most 22; the window's own length if nothing is, for `windows` to refuse."""
    weeks = (days - recent_days - gap_days) // _check.WEEK_DAYS
    return max(min(weeks * _check.WEEK_DAYS, MOST_BASELINE_DAYS), recent_days)


def _each_way(z: NDArray[np.float64], fdr: Fdr | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One-sided p in the direction of each z, and q: rises are adjusted among all grids, and so are falls."""
    p = p_value(-np.abs(z), alternative="less")
    if fdr is None:
        return p, p
    rise = adjusted(p_value(z, alternative="greater"), method=fdr)
    fall = adjusted(p_value(z, alternative="less"), method=fdr)
    return p, np.where(z > 0, rise, fall)


def _where(table: pd.DataFrame, cut: Windows, graph: Graph, alpha: float, seed: int) -> None:
    days = np.full(len(table), float(cut.recent_days + cut.baseline_days))
    table["rate"] = eb_rate(cut.recent + cut.baseline, days).rate
    score = _normal_scores(table["rate"].to_numpy())
    # the smallest p must be able to pass the adjustment for a lone grid
    draws = max(999, int(len(table) / alpha))
    table["level_p"] = permutation_p(score, graph, permutations=draws, seed=seed)
    table["level_q"] = adjusted(table["level_p"])
    table["level_hot"] = (table["level_q"] <= alpha) & (score > 0)


def _how(table: pd.DataFrame, plane: NDArray[np.int32], graph: Graph) -> None:
    weeks = plane.shape[0] // _check.WEEK_DAYS
    if weeks < CLASS_BASELINE_WEEKS + 1 + MIN_STEPS or not len(table):
        table["class"], table["trend_z"] = CLASSES[0], 0.0
        return
    code, trend = classify(pooled_cube(weekly(plane), graph, baseline_steps=CLASS_BASELINE_WEEKS))
    table["class"] = np.array(CLASSES)[code]
    table["trend_z"] = trend["z"].to_numpy()


def _normal_scores(x: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(x):
        return x
    return stats.norm.ppf((stats.rankdata(x) - 0.5) / len(x))
