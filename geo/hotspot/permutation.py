"""Conditional permutation p values of all grids from one shared set of draws (条件置换检验).

A grid keeps its value; its k neighbours are drawn without replacement from the other n - 1. One table of
random orders serves every grid: for k neighbours the reference sums are the cumulative sums of the table's
first k columns, sorted once per distinct k. Where a grid itself is among the first k of an order, the order's
next entry takes its place, which makes the draw exactly conditional. Rounds of tenfold size go on only for
grids that have met fewer than `enough` extreme draws (Besag & Clifford 1991), so that p down to 1e-6 costs
about as much as 999 draws for every grid does elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geo.errors import BadInputError
from geo.hotspot import _check

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from geo.hotspot.graph import Graph
    from geo.hotspot.local import Alternative

BLOCK_ENTRIES = 4_000_000  # of the table of draws held at once


def permutation_p(
    values: ArrayLike,
    graph: Graph,
    *,
    permutations: int = 99_999,
    seed: int,
    alternative: Alternative = "greater",
    enough: int = 50,
) -> NDArray[np.float64]:
    """Pseudo p of Gi* (and of the surroundings in local Moran) by conditional permutation.

    Parameters
    ----------
    values
        `(n,)`, one per grid.
    graph
        Neighbours.
    permutations
        Most draws for a grid. The smallest p is `1 / (permutations + 1)`: with m grids and false-discovery
        control at 5 %, a lone grid can pass only if `permutations >= 20 m`.
    seed
        Of the draws: the same seed, values and graph give the same p.
    alternative
        "greater" (hot), "less" (cold) or "two-sided" (twice the smaller).
    enough
        A grid stops after the round in which it has met this many extreme draws; 0 never stops early.

    Returns
    -------
    array
        `(count + 1) / (draws + 1)`, float64 `(n,)`. Islands and constant values: 1.
    """
    x = _check.finite(values)
    if x.shape != (graph.size,):
        raise BadInputError(f"values of shape {x.shape} for a graph of {graph.size} grids; allowed: one each")
    if permutations < 1:
        raise BadInputError(f"permutations: {permutations}; allowed: 1 and more")
    n = graph.size
    p = np.ones(n)
    active = np.flatnonzero((graph.degree > 0) & (np.ptp(x) > 0)) if n > 2 else np.empty(0, np.int64)
    observed = np.asarray(graph.matrix @ x)
    above, below = np.zeros(n, np.int64), np.zeros(n, np.int64)
    rng = np.random.default_rng(seed)
    done = 0
    for target in _rounds(permutations, enough):
        while done < target and len(active):
            width = min(int(graph.degree[active].max()) + 1, n)
            rows = min(target - done, max(1, BLOCK_ENTRIES // (n if 2 * width > n else width)))
            _count(x, observed, graph.degree, active, _orders(rng, rows, width, n), above, below)
            done += rows
        high, low = (above[active] + 1) / (done + 1), (below[active] + 1) / (done + 1)
        both = np.minimum(2 * np.minimum(high, low), 1.0)
        p[active] = {"greater": high, "less": low, "two-sided": both}[alternative]
        met = {"greater": above, "less": below, "two-sided": np.minimum(above, below)}[alternative]
        if enough:
            active = active[met[active] < enough]
        if not len(active):
            break
    return p


def _rounds(permutations: int, enough: int) -> list[int]:
    rounds = [permutations]
    while enough and rounds[0] > 1999:
        rounds.insert(0, max(999, (rounds[0] + 1) // 10 - 1))
    return rounds


def _orders(rng: np.random.Generator, rows: int, width: int, n: int) -> NDArray[np.int32]:
    """Rows of distinct grid numbers, each row a uniform ordered draw.

    Repeats within a row are drawn anew until none is left. The procedure treats all grid numbers alike, and
    the uniform law is the only one on distinct rows that does: the draw is exact.
    """
    if 2 * width > n:
        return rng.permuted(np.tile(np.arange(n, dtype=np.int32), (rows, 1)), axis=1)[:, :width]
    table = rng.integers(0, n, size=(rows, width), dtype=np.int32)
    todo = np.arange(rows)
    while len(todo):
        part = table[todo]
        order = np.argsort(part, axis=1, kind="stable")
        ordered = np.take_along_axis(part, order, axis=1)
        row, place = np.nonzero(ordered[:, 1:] == ordered[:, :-1])
        table[todo[row], order[row, place + 1]] = rng.integers(0, n, size=len(row), dtype=np.int32)
        todo = todo[np.unique(row)]
    return table


def _count(  # noqa: PLR0917  (a kernel)
    x: NDArray[np.float64],
    observed: NDArray[np.float64],
    degree: NDArray[np.int64],
    active: NDArray[np.int64],
    orders: NDArray[np.int32],
    above: NDArray[np.int64],
    below: NDArray[np.int64],
) -> None:
    """Add to `above` and `below` how many of these draws are at least, at most, the observed sums."""
    n, rows = len(x), len(orders)
    slack = 1e-9 * np.ptp(x)  # sums of the same numbers in another order are ties
    drawn = np.ascontiguousarray(x[orders].T)
    sums = np.cumsum(drawn, axis=0)
    flat = orders.T.ravel()  # column by column: position // rows is the place in the order
    by_grid = np.argsort(flat.astype(np.uint16) if n <= 1 << 16 else flat, kind="stable")  # 16 bits: by radix
    starts = np.append(0, np.cumsum(np.bincount(flat, minlength=n)))
    for k in np.unique(degree[active]):
        grids = active[degree[active] == k]
        reference = np.sort(sums[k - 1])
        above[grids] += rows - np.searchsorted(reference, observed[grids] - slack, side="left")
        below[grids] += np.searchsorted(reference, observed[grids] + slack, side="right")
        # the draws in which a grid met itself: take them out, put the corrected ones in
        lengths = starts[grids + 1] - starts[grids]
        owner = np.repeat(grids, lengths)
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        place, row = np.divmod(by_grid[np.repeat(starts[grids], lengths) + within], rows)
        met = place < k
        owner, row = owner[met], row[met]
        wrong = sums[k - 1, row]
        right = wrong - x[owner] + drawn[k, row]
        low, high = observed[owner] - slack, observed[owner] + slack
        np.add.at(above, owner, (right >= low).astype(np.int64) - (wrong >= low))
        np.add.at(below, owner, (right <= high).astype(np.int64) - (wrong <= high))
