"""Early warning on counts (早期预警): is this grid above its own normal, since when, and which incidents are behind it.

The alarm is the upper tail of the negative binomial predictive law; EARS C1 and C2 stand beside it as a
cross-check that health services know.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse, special

from geo.errors import BadInputError
from geo.hotspot import _check
from geo.hotspot.cube import SOURCES
from geo.hotspot.expect import city_factor, expected, upper_tail, windows
from geo.hotspot.graph import Graph
from geo.hotspot.local import adjusted
from geo.hotspot.pooled import overdispersion, widening
from geo.hotspot.report import longest_baseline, past_windows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from numpy.typing import ArrayLike, NDArray

    from geo.hotspot.cube import Cube
    from geo.hotspot.ring import RingCounts


def ears_limit(
    series: ArrayLike, *, alpha: float = 0.001, baseline: int = 7, lag: int = 0
) -> NDArray[np.float64]:
    """Upper limit of EARS at each step (EARS 预警上限): mean + z(1 - alpha) × sd of the steps before.

    Parameters
    ----------
    series
        Counts `(..., steps)`, oldest first.
    alpha
        One-sided level.
    baseline
        Steps in the mean and sd (sample sd, n - 1).
    lag
        Steps left out before the step: 0 is C1, 2 is C2 (Fricker, Hegler & Dunfee 2008; `earsC` in R).

    Returns
    -------
    array
        Same shape; infinite (no alarm possible) where the baseline does not fit before the step.
    """
    x = _check.counts(series, "series")
    if baseline < 2 or lag < 0:
        raise BadInputError(
            f"baseline {baseline}, lag {lag}; allowed: baseline of 2 and more, lag of 0 and more"
        )
    limit = np.full(x.shape, np.inf)
    if x.shape[-1] <= baseline + lag:
        return limit
    view = np.lib.stride_tricks.sliding_window_view(x, baseline, axis=-1)[
        ..., : x.shape[-1] - baseline - lag, :
    ]
    limit[..., baseline + lag :] = view.mean(axis=-1) + special.ndtri(1 - alpha) * view.std(axis=-1, ddof=1)
    return limit


def warnings(
    cube: Cube,
    *,
    category: str | None = None,
    source: str | None = None,
    recent_days: int = 7,
    baseline_days: int | None = None,
    gap_days: int = 7,
    alpha: float = 0.05,
    least: int = 3,
) -> pd.DataFrame:
    """Grids that are above their own normal, by category (早期预警).

    Parameters
    ----------
    cube
        Counts.
    category, source
        Which incidents; `None` tests every category by itself, and all sources together.
    recent_days, baseline_days, gap_days
        Windows, multiples of 7; the baseline is what the cube holds, at most 22 weeks, if not given. The gap
        keeps an outbreak that began a week ago out of its own baseline.
    alpha
        One-sided false-discovery rate over all grids and categories of the table together.
    least
        Fewest recent incidents of a warning.

    Returns
    -------
    DataFrame
        One row a warning, surest first: `grid_id`, `category`, `observed`, `expected`, `ratio`, `p`, `q`, `since`
        (local day from which the rise is clearest), `ears_c1`, `ears_c2` (whether EARS would alarm too, on
        windows of the same length), `active_days` (days with an incident: all on one day
        is often one upload), and the recent counts by source. Too little history for the windows is an error; no incidents, no warnings.
    """
    names = [category] if category is not None else list(cube.categories)
    planes = {name: cube.plane(category=name, source=source) for name in names}
    if baseline_days is None:
        baseline_days = longest_baseline(cube.days, recent_days, gap_days)
    parts = []
    for name, plane in planes.items():
        cut = windows(plane, recent_days=recent_days, baseline_days=baseline_days, gap_days=gap_days)
        phi = alarm_overdispersion(past_windows(plane, cut, gap_days))
        parts.append(_tail(cut.recent, cut.baseline, name, phi))
    table = _alarming(parts, alpha, least)
    for name, rows in table.groupby("category").groups.items():
        grid = table.loc[rows, "grid"].to_numpy(dtype=np.int64)
        _describe(table, rows, planes[name][:, grid], recent_days, cube.last_day)
        for kind in cube.sources:
            split = cube.plane(category=name, source=kind)[-recent_days:, grid]
            table.loc[rows, kind] = split.sum(axis=0)
    return _ordered(table, cube.grids, cube.sources)


def alarms(
    ring: RingCounts,
    overdispersion: Mapping[str, float],
    *,
    alpha: float = 0.05,
    least: int = 3,
    told: Collection[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Grids above their own normal at this moment, from the live counts (实时预警).

    Parameters
    ----------
    ring
        Live counts; its `alarm_span` are the windows.
    overdispersion
        Category -> φ of `alarm_overdispersion`, measured on history; 0 for a category that history lacks.
    alpha, least
        As for `warnings`.
    told
        Pairs of grid and category to leave out: they count as tests, but nobody asks for them again.

    Returns
    -------
    DataFrame
        As `warnings` gives for the same counts and windows, and `incident_ids`: what happened in the recent
        window, newest first.
    """
    span, grids = ring.alarm_span, ring.graph.index
    parts = [
        _tail(*ring.windows(category=name, span=span), name, overdispersion.get(name, 0.0))
        for name in sorted(ring.categories)
    ]
    table = _alarming(parts, alpha, least)
    if told:
        pairs = zip(grids[table["grid"].to_numpy(dtype=np.int64)], table["category"], strict=True)
        table = table[[pair not in told for pair in pairs]].reset_index(drop=True)
    behind: list[list[str]] = []
    days = span.recent + span.gap + span.baseline
    for row, grid, category in zip(table.index, table["grid"], table["category"], strict=True):
        events = ring.behind(grids[grid], category=category)
        plane = np.bincount(events["age"], minlength=days)[days - 1 :: -1, None].astype(np.int32)
        _describe(table, pd.Index([row]), plane, span.recent, ring.today)
        recent = events[events["age"] < span.recent]
        for kind in SOURCES:
            table.loc[row, kind] = int((recent["source"] == kind).sum())
        behind.append(recent.index.tolist())
    table["incident_ids"] = pd.Series(behind, index=table.index, dtype="object")
    return _ordered(table, grids, SOURCES, "incident_ids")


def alarm_overdispersion(past: NDArray[np.int64]) -> float:
    """φ of single grids, from disjoint past windows `(n, windows)` (单格过离散度)."""
    alone = Graph(sparse.csr_array((len(past),) * 2), pd.RangeIndex(len(past)))
    return overdispersion(past, alone)


def windows_back(plane: NDArray[np.int32], length: int) -> NDArray[np.int64]:
    """Disjoint windows of `length` days that end with the last day, `(n, windows)`, oldest first."""
    number = plane.shape[0] // length
    tail = plane[plane.shape[0] - number * length :]
    return tail.reshape(number, length, plane.shape[1]).sum(axis=1, dtype=np.int64).T


def _tail(recent: NDArray[np.int64], baseline: NDArray[np.int64], category: str, phi: float) -> pd.DataFrame:
    """Upper tail of each grid's recent count, widened for what windows vary beyond chance."""
    factor = city_factor(recent, baseline)
    mean = expected(baseline, factor)
    p = np.ones(len(mean))
    some = recent > 0
    z = -special.ndtri(np.maximum(upper_tail(recent[some], baseline[some], factor), 1e-300))
    p[some] = special.ndtr(-z / widening(baseline[some], factor, phi))
    ratio = np.divide(recent, mean, out=np.ones_like(mean), where=mean > 0)
    return pd.DataFrame(
        {"grid": np.arange(len(mean)), "category": category, "observed": recent, "expected": mean,
         "ratio": ratio, "p": p}
    )  # fmt: skip


def _alarming(parts: list[pd.DataFrame], alpha: float, least: int) -> pd.DataFrame:
    """Rows of all categories that pass the false-discovery control over everything that is tested."""
    columns = ["grid", "category", "observed", "expected", "ratio", "p"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    table["q"] = adjusted(table["p"].to_numpy(dtype=np.float64))
    return table[(table["q"] <= alpha) & (table["observed"] >= least)].reset_index(drop=True)


def _describe(
    table: pd.DataFrame, rows: pd.Index, plane: NDArray[np.int32], recent_days: int, last_day: date
) -> None:
    """Since when, what EARS says and on how many days, from the daily counts of these rows' grids."""
    recent = plane[-recent_days:]
    table.loc[rows, "since"] = _since(recent, table.loc[rows, "expected"].to_numpy(), last_day)
    steps = windows_back(plane, recent_days)
    for label, lag in (("ears_c1", 0), ("ears_c2", 2)):
        table.loc[rows, label] = steps[:, -1] > ears_limit(steps, lag=lag)[:, -1]
    table.loc[rows, "active_days"] = (recent > 0).sum(axis=0)


def _ordered(table: pd.DataFrame, grids: pd.Index, sources: Sequence[str], *more: str) -> pd.DataFrame:
    table["grid_id"] = grids[table["grid"].to_numpy(dtype=np.int64)]
    order = ["grid_id", "category", "observed", "expected", "ratio", "p", "q", "since", "ears_c1", "ears_c2",
             "active_days", *sources, *more]  # fmt: skip
    types = {"ears_c1": bool, "ears_c2": bool, "active_days": "int64"} | dict.fromkeys(sources, "int64")
    table = table.reindex(columns=order).astype(types)
    return table.sort_values(["p", "grid_id"], ignore_index=True)


def _since(recent: NDArray[np.int32], mean: NDArray[np.float64], last_day: date) -> list[date]:
    """First day of the run of last days whose count stands out most, by likelihood ratio."""
    days = len(recent)
    count = np.cumsum(recent[::-1], axis=0).astype(np.float64)
    due = mean[None, :] * (np.arange(1, days + 1) / days)[:, None]
    high = (count > due) & (due > 0)
    ratio = np.where(
        high, count * np.log(np.where(high, count, 1.0) / np.where(high, due, 1.0)) - (count - due), 0.0
    )
    return [last_day - timedelta(days=int(k)) for k in ratio.argmax(axis=0)]
