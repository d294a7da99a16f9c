"""The scan's replicates, compiled (扫描置换编译核).

Three things make a replicate cheap. Only the incidents of the last days are drawn: their places are a sample
without replacement from all incidents. All windows of a circle are one contiguous row, so that running sums are
vector additions. And no logarithm is taken for a window that cannot beat the best so far: with d = c - e > 0,

    c ln(c/e) <= d + d²/(2e)   and   (C-c) ln((C-c)/(C-e)) <= -d + d²/(C-e),
    hence  LLR <= d² (C + e) / (2 e (C - e)).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from geo.hotspot._kernels import below
from geo.index._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray

STREAMS = 4  # independent random streams: the answer does not depend on the number of threads
THREADS = 2
LANES = 8  # windows are padded to whole vectors


def replicate(  # noqa: PLR0917  (a kernel)
    indptr: NDArray[np.int64],
    neighbour: NDArray[np.int32],
    closed: NDArray[np.bool_],
    total: NDArray[np.int64],
    per_day: NDArray[np.int64],
    least: int,
    limit: int,
    replicates: int,
    seed: int,
) -> NDArray[np.float64]:
    """Highest log likelihood ratio of each random re-assignment of days to incidents.

    Parameters
    ----------
    indptr, neighbour, closed
        Circles (`scan._Zones`).
    total
        Incidents of each place over all days.
    per_day
        Incidents of the whole city on the last day, the day before, …
    least, limit
        Fewest incidents in a cluster, most in a circle.
    replicates, seed
        Number and seed; stream s of `STREAMS` makes replicates s, s + STREAMS, …
    """
    place_of_case = np.repeat(np.arange(len(total), dtype=np.int32), total)
    seeds = np.random.SeedSequence(seed).generate_state(STREAMS, np.uint64)
    result = np.zeros(replicates)
    weight = total.astype(np.float32)

    def stream(s: int) -> None:
        number = len(range(s, replicates, STREAMS))
        if number:
            result[s::STREAMS] = _stream(
                indptr, neighbour, closed, weight, place_of_case.copy(), per_day, least, limit, number, seeds[s]
            )  # fmt: skip

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(stream, range(STREAMS)))
    return result


@jit()
def _stream(  # noqa: PLR0917, PLR0913
    indptr: NDArray[np.int64],
    neighbour: NDArray[np.int32],
    closed: NDArray[np.bool_],
    total: NDArray[np.float32],
    cases: NDArray[np.int32],
    per_day: NDArray[np.int64],
    least: int,
    limit: int,
    number: int,
    seed: np.uint64,
) -> NDArray[np.float64]:
    state = np.array([seed], dtype=np.uint64)
    n, windows, count = len(indptr) - 1, len(per_day), len(cases)
    width = (windows + LANES - 1) // LANES * LANES
    share = np.full(width, 2.0, np.float32)  # a padded window expects more than there is: never high
    share[:windows] = (np.cumsum(per_day) / count).astype(np.float32)
    exact = np.cumsum(per_day) / count
    upto = np.zeros((n, width), np.float32)
    result = np.zeros(number)
    for r in range(number):
        upto[:] = 0.0
        place = 0
        for day in range(windows):
            for _ in range(per_day[day]):  # partial Fisher-Yates: a sample without replacement
                other = place + below(state, count - place)
                drawn = cases[other]
                cases[other] = cases[place]
                cases[place] = drawn
                upto[drawn, day] += 1.0
                place += 1
        for i in range(n):
            for w in range(1, windows):
                upto[i, w] += upto[i, w - 1]
        result[r] = highest(indptr, neighbour, closed, total, upto, share, exact, count, least, limit)
    return result


@jit()
def highest(  # noqa: PLR0917, PLR0913
    indptr: NDArray[np.int64],
    neighbour: NDArray[np.int32],
    closed: NDArray[np.bool_],
    total: NDArray[np.float32],
    upto: NDArray[np.float32],
    share: NDArray[np.float32],
    exact: NDArray[np.float64],
    count: int,
    least: int,
    limit: int,
) -> float:
    """Highest log likelihood ratio of one table of counts (`upto`: last w + 1 days, float32, padded)."""
    windows, width = len(exact), len(share)
    best = 0.0
    whole = np.float32(count)
    seen = np.zeros(width, np.float32)
    for i in range(len(indptr) - 1):
        seen[:] = 0.0
        inside = np.float32(0.0)
        for k in range(indptr[i], indptr[i + 1]):
            j = neighbour[k]
            inside += total[j]
            if inside > limit:
                break
            bound = np.float32(2.0 * best * 0.99999)  # room for rounding: never skip a window that is better
            promising = False
            for w in range(width):
                c = seen[w] + upto[j, w]
                seen[w] = c
                e = inside * share[w]
                d = c - e
                promising |= (d > 0) & (d * d * (whole + e) > bound * e * (whole - e))
            if promising and closed[k]:
                for w in range(windows):
                    c64 = np.float64(seen[w])
                    e64 = np.float64(inside) * exact[w]
                    if c64 > e64 and c64 >= least:
                        value = c64 * np.log(c64 / e64)
                        if c64 < count:
                            value += (count - c64) * np.log((count - c64) / (count - e64))
                        best = max(best, value)
    return best
