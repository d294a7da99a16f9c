"""Near repeats (近重复诊断): does one incident raise the risk close by for some days? Knox (1964)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geo.errors import BadInputError
from geo.hotspot import _check

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import ArrayLike, NDArray


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
    times, left, right = _near(points, times, distance_m)
    ordered = np.sort(times)
    upto = np.searchsorted(ordered, ordered + within_days, side="right")
    time_pairs = int((upto - np.arange(len(ordered)) - 1).sum())
    kernels = _kernels()
    observed = int(kernels.close_in_time(times, left, right, within_days))
    state = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    simulated = kernels.close_when_shuffled(times, left, right, within_days, permutations, np.uint64(state))
    expected = len(left) * time_pairs / (len(times) * (len(times) - 1) / 2)
    p = (1 + np.count_nonzero(simulated >= observed)) / (1 + permutations)
    return Knox(observed, len(left), time_pairs, expected, observed / expected if expected > 0 else 0.0, p)


def _near(
    points: NDArray[np.float64], times: NDArray[np.float64], distance: float
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
    """Times in the order of the places' cells, and every pair of rows up to `distance` apart.

    Points that are neighbours come to stand together, so that the shuffles read memory in order.
    """
    cell = np.floor((points - points.min(axis=0)) / (distance * (1 + 1e-9))).astype(np.int64)
    stride = int(cell[:, 0].max()) + 3
    key = cell[:, 1] * stride + cell[:, 0]
    order = np.argsort(key, kind="stable")
    x, y, key = points[order, 0], points[order, 1], key[order]
    room = 4 * len(points)
    while True:
        left, right = np.empty(room, np.int32), np.empty(room, np.int32)
        found = _kernels().near_pairs(x, y, key, stride, distance * distance, left, right)
        if found <= room:
            return times[order], left[:found], right[:found]
        room = found


def _kernels() -> ModuleType:
    from geo.hotspot import _kernels  # noqa: PLC0415  (numba)

    return _kernels
