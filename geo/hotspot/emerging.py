"""Emerging hot spots (新兴热点): Gi* in space and time, its trend, and the classes operators know from ArcGIS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.errors import BadInputError
from geo.hotspot import _check
from geo.hotspot.expect import city_factor, residual
from geo.hotspot.local import gi_star_array, p_value, passing

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from geo.hotspot.graph import Graph

MIN_STEPS = 10  # below it Mann-Kendall cannot be significant at 1 %
KINDS = (
    "new",
    "consecutive",
    "intensifying",
    "persistent",
    "diminishing",
    "sporadic",
    "oscillating",
    "historical",
)
ZH = ("新增", "连续", "加剧", "持续", "减弱", "零星", "振荡", "历史")
CLASSES = ("none", *(f"{kind} {side}" for side in ("hot", "cold") for kind in KINDS))
CLASSES_ZH = ("不显著", *(f"{kind}{side}" for side in ("热点", "冷点") for kind in ZH))


def weekly(plane: ArrayLike, *, weeks: int | None = None) -> NDArray[np.int64]:
    """Sum a `(days, n)` plane to disjoint weeks that end with its last day: `(n, weeks)`, oldest first."""
    counts = np.asarray(plane)
    whole = counts.shape[0] // 7
    weeks = whole if weeks is None else weeks
    if not 0 < weeks <= whole:
        raise BadInputError(f"{weeks} weeks of {counts.shape[0]} days; allowed: 1 to {whole}")
    tail = counts[counts.shape[0] - 7 * weeks :]
    return tail.reshape(weeks, 7, -1).sum(axis=1, dtype=np.int64).T


def residual_cube(steps: ArrayLike, *, baseline_steps: int, gap_steps: int = 0) -> NDArray[np.float64]:
    """Residual of each step against the same grid's steps before it (逐期残差).

    Parameters
    ----------
    steps
        Counts `(n, steps)`, oldest first.
    baseline_steps, gap_steps
        How many steps make the baseline, and how many are left out between it and the step.

    Returns
    -------
    array
        `(n, steps - baseline_steps - gap_steps)` residuals of `expect.residual`.
    """
    counts = np.asarray(steps, dtype=np.float64)
    first = baseline_steps + gap_steps
    if baseline_steps < 1 or gap_steps < 0 or counts.shape[1] <= first:
        raise BadInputError(
            f"{counts.shape[1]} steps with a baseline of {baseline_steps} and a gap of {gap_steps}; "
            f"allowed: more than {first} steps"
        )
    running = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    base = running[:, baseline_steps:] - running[:, :-baseline_steps]
    base = base[:, : counts.shape[1] - first]
    recent = counts[:, first:]
    return residual(recent, base, factor=city_factor(recent, base))


def gi_cube(
    values: ArrayLike, graph: Graph, *, neighbour_steps: int = 1, against: str = "step"
) -> NDArray[np.float64]:
    """Space-time Gi* (时空 Gi*): neighbours in space at the step and at `neighbour_steps` before it.

    Parameters
    ----------
    values
        `(n, steps)`.
    graph
        Neighbours in space.
    neighbour_steps
        Steps back that count as neighbours in time.
    against
        "step": mean and variance of each step; "cube": of the whole cube (ArcGIS "entire cube").

    Returns
    -------
    array
        z `(n, steps)`; a step (or cube) of constant values: 0.
    """
    x = _check.finite(values)
    if x.ndim != 2 or x.shape[0] != graph.size:
        raise BadInputError(
            f"values of shape {x.shape} for a graph of {graph.size} grids; allowed: (grids, steps)"
        )
    if against not in ("step", "cube"):
        raise BadInputError(f"against {against!r}; allowed: 'step', 'cube'")
    if neighbour_steps < 0:
        raise BadInputError(f"neighbour_steps: {neighbour_steps}; allowed: 0 and more")
    if graph.size < 2 or x.shape[1] == 0:
        return np.zeros_like(x)
    k = (graph.degree + 1.0)[:, None]
    lag = graph.with_self @ x
    if against == "cube":
        weight = k * _back(np.ones((1, x.shape[1])), neighbour_steps)
        top = _back(lag, neighbour_steps) - weight * x.mean()
        bottom = x.std() * np.sqrt(np.maximum((x.size * weight - weight**2) / (x.size - 1), 0.0))
        valid = (np.ptp(x) > 0) & (bottom > 0)
    elif neighbour_steps == 0:
        return gi_star_array(x, graph)
    else:
        # each step has its own mean and variance; steps are summed as independent
        top = _back(lag - k * x.mean(axis=0), neighbour_steps)
        variance = _back(np.where(np.ptp(x, axis=0) > 0, x.var(axis=0), 0.0)[None, :], neighbour_steps)
        bottom = np.sqrt(variance * np.maximum((graph.size * k - k * k) / (graph.size - 1), 0.0))
        valid = bottom > 0
    return np.where(valid, top / np.where(valid, bottom, 1.0), 0.0)


def _back(values: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Sum of each column and the `steps` columns before it."""
    total = values.copy()
    for back in range(1, min(steps, values.shape[1] - 1) + 1):
        total[:, back:] += values[:, :-back]
    return total


def mann_kendall(series: ArrayLike) -> pd.DataFrame:
    """Mann-Kendall trend of each row (曼-肯德尔趋势检验), ties and continuity corrected.

    Parameters
    ----------
    series
        `(rows, steps)`; disjoint steps, since overlapping windows are correlated by construction.

    Returns
    -------
    DataFrame
        `s`, `variance`, `z`, `p` (two-sided), `tau` (tau-a: s over the number of pairs). Constant rows and
        fewer than two steps: 0, 0, 0, 1, 0.
    """
    x = _check.finite(series, "series")
    if x.ndim != 2:
        raise BadInputError(f"series of shape {x.shape}; allowed: (rows, steps)")
    rows, steps = x.shape
    from geo.hotspot import _kernels  # noqa: PLC0415  (numba)

    s, tie = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    _kernels.mann_kendall(np.ascontiguousarray(x), s, tie)
    variance = np.maximum(steps * (steps - 1) * (2 * steps + 5) - tie, 0.0) / 18.0
    root = np.sqrt(np.where(variance > 0, variance, 1.0))
    z = np.where(variance > 0, (s - np.sign(s)) / root, 0.0)
    pairs = max(steps * (steps - 1) / 2, 1)
    return pd.DataFrame(
        {"s": s.astype(np.float64), "variance": variance, "z": z, "p": p_value(z), "tau": s / pairs}
    )


def classify(
    z: ArrayLike, *, alpha: float = 0.05, fdr: bool = True, trend_alpha: float = 0.05
) -> tuple[NDArray[np.int8], pd.DataFrame]:
    """ArcGIS classes of each grid from its Gi* through time (新兴热点分类).

    Parameters
    ----------
    z
        `(n, steps)` of `gi_cube`, at least 10 steps.
    alpha, fdr
        A step is hot or cold at this two-sided level, adjusted (Benjamini-Hochberg) over the grids of the step.
    trend_alpha
        Two-sided level of Mann-Kendall for "intensifying" and "diminishing".

    Returns
    -------
    classes, trend
        Numbers into `CLASSES`, and the Mann-Kendall table of `z`. Hot classes win where a grid would have both.

    Notes
    -----
    new: hot at the last step for the first time. consecutive: hot in an unbroken run of at least two last
    steps, never before, in less than 90 % of steps. intensifying / persistent / diminishing: hot in at least
    90 % of steps and at the last, with a rising / no / falling trend. historical: at least 90 %, not at the last.
    sporadic: hot at the last step, on and off before, never cold. oscillating: as sporadic, once cold.
    """
    z = _check.finite(z, "z")
    if z.ndim != 2 or z.shape[1] < MIN_STEPS:
        raise BadInputError(
            f"z of shape {z.shape}; allowed: (grids, {MIN_STEPS} steps and more): import more weeks"
        )
    p = p_value(z)
    mark = passing(p, alpha=alpha) if fdr else p <= alpha
    trend = mann_kendall(z)
    significant = trend["p"].to_numpy() <= trend_alpha
    slope = np.sign(trend["z"].to_numpy()) * significant
    hot, cold = mark & (z > 0), mark & (z < 0)
    first, second = _side(hot, cold, slope), _side(cold, hot, -slope)
    return np.where(first > 0, first, np.where(second > 0, second + len(KINDS), 0)).astype(np.int8), trend


def _side(on: NDArray[np.bool_], other: NDArray[np.bool_], slope: NDArray[np.float64]) -> NDArray[np.int8]:
    steps = on.shape[1]
    last, total = on[:, -1], on.sum(axis=1)
    run = np.where(on.all(axis=1), steps, np.argmin(on[:, ::-1], axis=1))
    often = total >= 0.9 * steps
    unbroken = last & (total == run) & ~often
    return np.select(
        [
            unbroken & (run == 1),
            unbroken,
            often & last & (slope > 0),
            often & last & (slope < 0),
            often & last,
            often,
            last & ~other.any(axis=1),
            last,
        ],
        [1, 2, 3, 5, 4, 8, 6, 7],
        default=0,
    ).astype(np.int8)
