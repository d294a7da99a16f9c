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
from geo.hotspot.expect import city_factor, expected, upper_tail, windows
from geo.hotspot.graph import Graph
from geo.hotspot.local import adjusted
from geo.hotspot.pooled import overdispersion, widening
from geo.hotspot.report import longest_baseline, past_windows

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import ArrayLike, NDArray

    from geo.hotspot.cube import Cube


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
    planes = [cube.plane(category=name, source=source) for name in names]
    if baseline_days is None:
        baseline_days = longest_baseline(cube.days, recent_days, gap_days)
    parts = [
        _tail(plane, name, recent_days=recent_days, baseline_days=baseline_days, gap_days=gap_days)
        for name, plane in zip(names, planes, strict=True)
    ]
    columns = ["grid", "category", "observed", "expected", "ratio", "p"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    table["q"] = adjusted(table["p"].to_numpy(dtype=np.float64))
    table = table[(table["q"] <= alpha) & (table["observed"] >= least)].copy()
    planes_of = dict(zip(names, planes, strict=True))
    for name, rows in table.groupby("category").groups.items():
        grid = table.loc[rows, "grid"].to_numpy(dtype=np.int64)
        plane = planes_of[name][:, grid]
        table.loc[rows, "since"] = _since(
            plane[-recent_days:], table.loc[rows, "expected"].to_numpy(), cube.last_day
        )
        steps = windows_back(plane, recent_days)
        for label, lag in (("ears_c1", 0), ("ears_c2", 2)):
            table.loc[rows, label] = steps[:, -1] > ears_limit(steps, lag=lag)[:, -1]
        table.loc[rows, "active_days"] = (plane[-recent_days:] > 0).sum(axis=0)
        for kind in cube.sources:
            split = cube.plane(category=name, source=kind)[-recent_days:, grid]
            table.loc[rows, kind] = split.sum(axis=0)
    table["grid_id"] = cube.grids[table["grid"].to_numpy(dtype=np.int64)]
    order = ["grid_id", "category", "observed", "expected", "ratio", "p", "q", "since", "ears_c1", "ears_c2",
             "active_days", *cube.sources]  # fmt: skip
    types = {"ears_c1": bool, "ears_c2": bool, "active_days": "int64"} | dict.fromkeys(cube.sources, "int64")
    table = table.reindex(columns=order).astype(types)
    return table.sort_values(["p", "grid_id"], ignore_index=True)


def windows_back(plane: NDArray[np.int32], length: int) -> NDArray[np.int64]:
    """Disjoint windows of `length` days that end with the last day, `(n, windows)`, oldest first."""
    number = plane.shape[0] // length
    tail = plane[plane.shape[0] - number * length :]
    return tail.reshape(number, length, plane.shape[1]).sum(axis=1, dtype=np.int64).T


def _tail(
    plane: NDArray[np.int32], category: str, *, recent_days: int, baseline_days: int, gap_days: int
) -> pd.DataFrame:
    """Upper tail of each grid's recent count, widened for what windows vary beyond chance."""
    cut = windows(plane, recent_days=recent_days, baseline_days=baseline_days, gap_days=gap_days)
    factor = city_factor(cut.recent, cut.baseline)
    alone = Graph(sparse.csr_array((plane.shape[1],) * 2), pd.RangeIndex(plane.shape[1]))
    phi = overdispersion(past_windows(plane, cut, gap_days), alone)
    z = -special.ndtri(np.maximum(upper_tail(cut.recent, cut.baseline, factor), 1e-300))
    z = np.where(cut.recent > 0, z / widening(cut.baseline, factor, phi), -np.inf)
    mean = expected(cut.baseline, factor)
    ratio = np.divide(cut.recent, mean, out=np.ones_like(mean), where=mean > 0)
    return pd.DataFrame(
        {"grid": np.arange(len(mean)), "category": category, "observed": cut.recent, "expected": mean,
         "ratio": ratio, "p": special.ndtr(-z)}
    )  # fmt: skip


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
