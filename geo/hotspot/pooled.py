"""The grid and its neighbours against their own past, counts pooled (邻域合并残差).

Gi* of the residual adds up standardised grids, each with the same weight. Pooling the counts first and taking the
residual once is the efficient score for a common rise: busy grids weigh more. It needs no normal theory either,
so that planes of a few incidents, where Gi* reports a hundred false hot grids, keep their level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geo.errors import BadInputError
from geo.hotspot import _check
from geo.hotspot.expect import city_factor, expected, residual

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from geo.hotspot.graph import Graph

QUARTILES = 1.3489795003921634  # distance of the quartiles of a standard normal


def pooled_residual(
    recent: ArrayLike,
    baseline: ArrayLike,
    graph: Graph,
    *,
    factor: ArrayLike | None = None,
    overdispersion: float = 0.0,
) -> NDArray[np.float64]:
    """Residual of each grid together with its neighbours (邻域合并残差).

    Parameters
    ----------
    recent, baseline
        Counts `(n,)` or `(n, planes)`, in the order of the graph.
    graph
        Neighbours.
    factor
        City-wide recent / baseline; computed from the two if not given.
    overdispersion
        Of `overdispersion`: what neighbourhoods vary beyond chance.

    Returns
    -------
    array
        About standard normal where nothing changed; an island is on its own. Nothing to compare: 0.
    """
    r, b = _check.counts(recent, "recent"), _check.counts(baseline, "baseline")
    if r.shape != b.shape or r.shape[:1] != (graph.size,):
        raise BadInputError(
            f"recent {r.shape}, baseline {b.shape} for {graph.size} grids; allowed: the same grids"
        )
    f = city_factor(r, b) if factor is None else factor
    pooled = graph.with_self @ b
    return residual(graph.with_self @ r, pooled, factor=f) / widening(pooled, f, overdispersion)


def widening(pooled_baseline: ArrayLike, factor: ArrayLike, overdispersion: float) -> NDArray[np.float64]:
    """By how much a score spreads for overdispersion: sqrt(1 + φ E / (1 + f)), at least 1 (过离散修正)."""
    f = np.asarray(factor, dtype=np.float64)
    return np.sqrt(1.0 + overdispersion * expected(pooled_baseline, f) / (1.0 + f))


def overdispersion(steps: ArrayLike, graph: Graph) -> float:
    """Variance of neighbourhoods' counts beyond chance, φ of Var = E (1 + f) + φ E² (过离散度).

    Real counts swing from window to window by more than Poisson; busy places show it most. Each past window is
    compared with the others by moments; the median over windows keeps one past outbreak from blunting the alarm.

    Parameters
    ----------
    steps
        Counts `(n, steps)` of disjoint past windows of one length, the one under test not among them.
    graph
        Neighbours.

    Returns
    -------
    float
        0 and more; 0 with fewer than three windows or without incidents.
    """
    x = _check.counts(steps, "steps")
    if x.ndim != 2 or x.shape[0] != graph.size:
        raise BadInputError(f"steps of shape {x.shape} for {graph.size} grids; allowed: (grids, steps)")
    if x.shape[1] < 3 or x.sum() == 0:
        return 0.0
    recent = graph.with_self @ x
    baseline = recent.sum(axis=1, keepdims=True) - recent
    f = city_factor(x, x.sum(axis=1, keepdims=True) - x)
    e = expected(baseline, f)
    beyond = (np.square(recent - e) - e * (1 + f)).sum(axis=0)
    square = np.square(e).sum(axis=0)
    return float(max(np.median(np.divide(beyond, square, out=np.zeros_like(square), where=square > 0)), 0.0))


def dispersion(z: ArrayLike) -> NDArray[np.float64]:
    """Spread of scores under "nothing changed" (过离散系数): from the quartiles, which an outbreak does not move.

    Along axis 0; at least 1, since a spread under 1 (sparse counts) is no reason to trust more. None: 1.
    """
    z = np.asarray(z, dtype=np.float64)
    if len(z) == 0:
        return np.ones(z.shape[1:])
    low, high = (len(z) - 1) // 4, (len(z) - 1) * 3 // 4 + 1
    ordered = np.partition(z, (low, min(high, len(z) - 1)), axis=0)
    low, high = ordered[low], ordered[min(high, len(z) - 1)]
    return np.maximum((high - low) / QUARTILES, 1.0)


def pooled_cube(
    steps: ArrayLike, graph: Graph, *, baseline_steps: int = 8, neighbour_steps: int = 1
) -> NDArray[np.float64]:
    """Residual of neighbourhoods in space and time, step by step (时空合并残差), for `emerging.classify`.

    Parameters
    ----------
    steps
        Counts `(n, steps)`, oldest first; disjoint steps, usually weeks.
    graph
        Neighbours in space.
    baseline_steps
        Steps before the pooled ones that make the baseline.
    neighbour_steps
        Steps before each step that are pooled with it.

    Returns
    -------
    array
        `(n, steps - baseline_steps - neighbour_steps)` scores, each divided by its step's `dispersion`.
    """
    x = _check.counts(steps, "steps")
    first = baseline_steps + neighbour_steps
    if x.ndim != 2 or x.shape[0] != graph.size:
        raise BadInputError(f"steps of shape {x.shape} for {graph.size} grids; allowed: (grids, steps)")
    if baseline_steps < 1 or neighbour_steps < 0 or x.shape[1] <= first:
        raise BadInputError(
            f"{x.shape[1]} steps, baseline {baseline_steps}, neighbours {neighbour_steps}; allowed: more than {first} steps"
        )
    recent, baseline = _windows(graph.with_self @ x, baseline_steps, neighbour_steps)
    city = _windows(x.sum(axis=0, keepdims=True), baseline_steps, neighbour_steps)
    f = city_factor(*city)
    phi = overdispersion(_disjoint(x, neighbour_steps + 1), graph)
    z = residual(recent, baseline, factor=f) / widening(baseline, f, phi)
    return z / dispersion(z)


def _disjoint(x: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Sums of disjoint runs of steps, the last run left out: it may be the outbreak."""
    whole = x.shape[1] // length
    runs = x[:, x.shape[1] - whole * length :].reshape(len(x), whole, length).sum(axis=2)
    return runs[:, :-1]


def _windows(
    x: NDArray[np.float64], baseline_steps: int, neighbour_steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of each step with those before it, and of the baseline before them."""
    running = np.concatenate([np.zeros((len(x), 1)), np.cumsum(x, axis=1)], axis=1)
    end = np.arange(baseline_steps + neighbour_steps + 1, x.shape[1] + 1)
    middle = end - 1 - neighbour_steps
    return running[:, end] - running[:, middle], running[:, middle] - running[:, middle - baseline_steps]
