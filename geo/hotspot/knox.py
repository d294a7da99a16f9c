"""Near repeats (近重复诊断): does one incident raise the risk close by for some days? Knox (1964)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from geo.errors import BadInputError
from geo.hotspot import _check

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Knox:
    """Pairs close in space and time (时空邻近对).

    `ratio` is observed over the expected number of pairs (1.2 and more is usually called a near repeat); NaN is
    never given: no close pairs by chance gives a ratio of 0.
    """

    pairs: int
    space_pairs: int
    time_pairs: int
    expected: float
    ratio: float
    p: float


def knox(
    xy: ArrayLike,
    days: ArrayLike,
    *,
    distance_m: float,
    within_days: float,
    permutations: int = 99,
    seed: int,
) -> Knox:
    """Knox test for near repeats (近重复检验).

    Parameters
    ----------
    xy
        `(n, 2)` metres.
    days
        Times in days, `(n,)`; never changed.
    distance_m, within_days
        Pairs up to these limits count, the limits included (`<=`: the strict form gives other counts).
    permutations
        Shuffles of the times over the places; 0 gives no p (1.0).
    seed
        Of the shuffles.

    Returns
    -------
    Knox
        p is `(1 + shuffles with at least as many pairs) / (1 + permutations)`. Fewer than two points: zeros, 1.
    """
    points = _check.planar(xy, reach_m=distance_m)
    times = _check.finite(days, "days")
    if times.shape != (len(points),):
        raise BadInputError(f"{len(points)} points with days of shape {times.shape}; allowed: one day each")
    if within_days < 0 or permutations < 0:
        raise BadInputError("within_days and permutations; allowed: 0 and more")
    if len(points) < 2:
        return Knox(0, 0, 0, 0.0, 0.0, 1.0)
    near = cKDTree(points).query_pairs(distance_m, output_type="ndarray")
    left, right = np.ascontiguousarray(near[:, 0]), np.ascontiguousarray(near[:, 1])
    ordered = np.sort(times)
    upto = np.searchsorted(ordered, ordered + within_days, side="right")
    time_pairs = int((upto - np.arange(len(ordered)) - 1).sum())
    observed = _close(times, left, right, within_days)
    rng = np.random.default_rng(seed)
    small = times.astype(np.float32) if np.array_equal(times.astype(np.float32), times) else times
    simulated = np.array(
        [_close(rng.permutation(small), left, right, within_days) for _ in range(permutations)]
    )
    expected = len(left) * time_pairs / (len(times) * (len(times) - 1) / 2)
    p = (1 + np.count_nonzero(simulated >= observed)) / (1 + permutations)
    return Knox(observed, len(left), time_pairs, expected, observed / expected if expected > 0 else 0.0, p)


def _close(times: np.ndarray, left: np.ndarray, right: np.ndarray, within: float) -> int:
    return int(np.count_nonzero(np.abs(times[left] - times[right]) <= within))
