"""Compiled loops (编译核): binning, smoothing, Gi*, trends, pairs. Imported on first use: numba loads in half a second.

Random numbers are SplitMix64 (Steele, Lea & Flood 2014): one word of state, so that every kernel draws the same
way, whatever numba or numpy do with theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geo.index._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN, MIX_A, MIX_B = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
S30, S27, S31, S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
UNIT = 2.0**-53


@jit(inline=True)
def below(state: NDArray[np.uint64], bound: int) -> int:
    """Draw a whole number from 0 to `bound - 1`, evenly; `state` is one word and moves on."""
    state[0] += GOLDEN
    z = state[0]
    z = (z ^ (z >> S30)) * MIX_A
    z = (z ^ (z >> S27)) * MIX_B
    z ^= z >> S31
    return int(np.float64(z >> S11) * UNIT * bound)


@jit()
def shuffle(values: NDArray[np.float64], state: NDArray[np.uint64]) -> None:
    """Put values in random order, in place (Fisher-Yates)."""
    for i in range(len(values) - 1):
        j = i + below(state, len(values) - i)
        kept = values[i]
        values[i] = values[j]
        values[j] = kept


# -- heat ---------------------------------------------------------------------------------------------------------


@jit()
def bin_linear(
    points: NDArray[np.float64],
    corner: NDArray[np.float64],
    cell_m: float,
    weight: NDArray[np.float64],
    cells: NDArray[np.float64],
) -> tuple[int, float]:
    """Share each point among the four cell centres around it, in place; points outside the raster are left out.

    `cells` has one row and column more on each side; the caller folds them in. `weight` of one element serves all.
    Returns how many points have no finite place, and the largest absolute coordinate.
    """
    rows, cols = cells.shape[0] - 2, cells.shape[1] - 2
    step = 0 if len(weight) == 1 else 1
    per_m = 1.0 / cell_m
    bad = 0
    reach = 0.0
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        reach = max(reach, abs(x), abs(y))
        c, r = (x - corner[0]) * per_m, (y - corner[1]) * per_m
        if not (0.0 <= c < cols and 0.0 <= r < rows):
            if not (np.isfinite(x) and np.isfinite(y)):
                bad += 1
            continue
        c, r, w = c + 0.5, r + 0.5, weight[i * step]
        left, low = int(c), int(r)
        right_share, high_share = (c - left) * w, r - low
        left_share = w - right_share
        cells[low, left] += left_share * (1.0 - high_share)
        cells[low, left + 1] += right_share * (1.0 - high_share)
        cells[low + 1, left] += left_share * high_share
        cells[low + 1, left + 1] += right_share * high_share
    return bad, reach


@jit()
def blur(  # noqa: C901  (a kernel)
    cells: NDArray[np.float64], half: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Smooth rows and columns with a symmetric kernel, zero beyond the raster.

    `half[k]` is the weight at k cells. Each row is summed over its neighbours and smoothed along itself while it is
    still in the cache.
    """
    rows, cols = cells.shape
    reach = len(half) - 1
    wide = np.zeros(cols + 2 * reach)
    row = wide[reach : reach + cols]
    for r in range(rows):
        first, here = half[0], cells[r]
        for c in range(cols):
            row[c] = first * here[c]
        for k in range(1, reach + 1):
            w = half[k]
            if r >= k and r + k < rows:
                above, under = cells[r - k], cells[r + k]
                for c in range(cols):
                    row[c] += w * (above[c] + under[c])
            elif r >= k or r + k < rows:
                one = cells[r - k] if r >= k else cells[r + k]
                for c in range(cols):
                    row[c] += w * one[c]
        target = out[r]
        for c in range(cols):
            target[c] = first * row[c]
        for k in range(1, reach + 1):
            w = half[k]
            before, after = wide[reach - k : reach - k + cols], wide[reach + k : reach + k + cols]
            for c in range(cols):
                target[c] += w * (before[c] + after[c])


# -- Gi* ----------------------------------------------------------------------------------------------------------


@jit()
def moments(x: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of values and one over their standard deviation (population); 0 for that if they are all the same."""
    n, total, low, high = len(x), 0.0, x[0], x[0]
    for i in range(n):
        total += x[i]
        low, high = min(low, x[i]), max(high, x[i])
    mean, square = total / n, 0.0
    for i in range(n):
        square += (x[i] - mean) ** 2
    return mean, 1.0 / np.sqrt(square / n) if high > low and square > 0.0 else 0.0


@jit()
def gi_star(
    indptr: NDArray[np.int32], indices: NDArray[np.int32], x: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Gi* of one plane; the matrix holds each grid itself. Constant values: 0."""
    n = len(x)
    mean, scale = moments(x)
    for i in range(n):
        first, last = indptr[i], indptr[i + 1]
        k = np.float64(last - first)
        spread = (n * k - k * k) / (n - 1)
        lag = 0.0
        for j in range(first, last):
            lag += x[indices[j]]
        out[i] = (lag - k * mean) * scale / np.sqrt(spread) if spread > 0.0 else 0.0


@jit()
def gi_stars(
    indptr: NDArray[np.int32], indices: NDArray[np.int32], x: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Gi* of each plane of `x` `(n, planes)`, each by its own moments."""
    n, planes = x.shape
    mean, scale = np.zeros(planes), np.zeros(planes)
    for p in range(planes):
        mean[p], scale[p] = moments(x[:, p])
    for i in range(n):
        row, k = out[i], np.float64(indptr[i + 1] - indptr[i])
        row[:] = 0.0
        for j in range(indptr[i], indptr[i + 1]):
            other = x[indices[j]]
            for p in range(planes):
                row[p] += other[p]
        spread = (n * k - k * k) / (n - 1)
        by = 1.0 / np.sqrt(spread) if spread > 0.0 else 0.0
        for p in range(planes):
            row[p] = (row[p] - k * mean[p]) * (scale[p] * by)


# -- trends -------------------------------------------------------------------------------------------------------


@jit()
def mann_kendall(x: NDArray[np.float64], s: NDArray[np.int64], ties: NDArray[np.int64]) -> None:
    """Pairs that rise less pairs that fall of each row, and the tie term: sum of t (t - 1) (2 t + 5) over groups.

    A value that has e equal ones after it adds what a group grows by from e to e + 1: the sum over a group of t is
    its whole term, without sorting.
    """
    rows, steps = x.shape
    for i in range(rows):
        row, rise, tie = x[i], 0, 0
        for a in range(steps - 1):
            v, up, down = row[a], 0, 0
            for b in range(a + 1, steps):
                up += row[b] > v
                down += row[b] < v
            rise += up - down
            e = steps - 1 - a - up - down
            if e:
                tie += (e + 1) * e * (2 * e + 7) - e * (e - 1) * (2 * e + 5)
        s[i], ties[i] = rise, tie


# -- pairs --------------------------------------------------------------------------------------------------------


@jit()
def near_pairs(  # noqa: PLR0917  (a kernel)
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    key: NDArray[np.int64],
    stride: int,
    square: float,
    left: NDArray[np.int32],
    right: NDArray[np.int32],
) -> int:
    """Count the pairs up to the square of a distance apart, the limit included; write those that there is room for.

    Points come sorted by `key`, row times `stride` plus column of a cell as wide as the distance: a point's
    partners after it are in the rest of its cell and the next, and in the three cells of the row above.
    """
    n, found, low = len(x), 0, 0
    for i in range(n):
        here, px, py = key[i], x[i], y[i]
        j = i + 1
        while j < n and key[j] <= here + 1:
            if (x[j] - px) ** 2 + (y[j] - py) ** 2 <= square:
                if found < len(left):
                    left[found], right[found] = i, j
                found += 1
            j += 1
        while low < n and key[low] < here + stride - 1:
            low += 1
        j = low
        while j < n and key[j] <= here + stride + 1:
            if (x[j] - px) ** 2 + (y[j] - py) ** 2 <= square:
                if found < len(left):
                    left[found], right[found] = i, j
                found += 1
            j += 1
    return found


@jit()
def close_in_time(
    times: NDArray[np.float64], left: NDArray[np.int32], right: NDArray[np.int32], within: float
) -> int:
    """How many of these pairs are up to `within` apart in time, the limit included."""
    found = 0
    for k in range(len(left)):
        found += abs(times[left[k]] - times[right[k]]) <= within
    return found


@jit()
def close_when_shuffled(  # noqa: PLR0917  (a kernel)
    times: NDArray[np.float64],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    within: float,
    permutations: int,
    seed: int,
) -> NDArray[np.int64]:
    """`close_in_time` of each of so many random orders of the times; changes the order of `times`."""
    state = np.array([seed], dtype=np.uint64)
    found = np.zeros(permutations, np.int64)
    for r in range(permutations):
        shuffle(times, state)
        found[r] = close_in_time(times, left, right, within)
    return found
