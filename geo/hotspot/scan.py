"""Prospective space-time permutation scan (时空扫描统计): is an outbreak going on, where, since when, how sure.

Kulldorff, Heffernan, Hartman, Assunção & Mostashari (2005), "A space-time permutation scan statistic for
disease outbreak detection", PLoS Medicine 2(3): e59. Needs no population: expected counts come from the
places' and the days' own totals. Every circle of grids around every grid, times every window that ends today,
is compared with what its margins promise; the highest likelihood ratio is judged against random
re-assignments of the days to the incidents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from geo.errors import BadInputError
from geo.hotspot import _check
from geo.hotspot.cube import Cube

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

EULER = 0.5772156649015329
MOST_SHARE = 0.5  # of all incidents in one circle


@dataclass(frozen=True, eq=False)
class Scan:
    """Answer of a scan (扫描结果).

    Attributes
    ----------
    clusters
        Best first, none overlapping: `centre` (row), `grids` (tuple of rows), `radius_m`, `days` (length of the
        window, which ends on the last day), `observed`, `expected`, `ratio`, `llr`, `p` (by rank among the
        replicates), `p_gumbel`, `recurrence_days` (once in so many days by chance, if scanned daily).
    replicates
        Highest log likelihood ratio of each replicate.
    """

    clusters: pd.DataFrame
    replicates: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Zones:
    """Circles around each centre: sorted neighbours in CSR form; `closed[i]`: a circle may end after entry i."""

    indptr: NDArray[np.int64]
    neighbour: NDArray[np.int32]
    distance: NDArray[np.float64]
    closed: NDArray[np.bool_]


def scan(
    cube: Cube | ArrayLike,
    xy: ArrayLike,
    *,
    radius_m: float,
    days: int,
    replicates: int,
    seed: int,
    least: int = 2,
    most_clusters: int = 20,
) -> Scan:
    """Scan all circles and all windows that end on the last day (前瞻性时空置换扫描).

    Parameters
    ----------
    cube
        `Cube`, or counts `(days, n)`; the last row is the last day.
    xy
        A point of each grid, `(n, 2)` metres; grids at one point enter circles together.
    radius_m
        Largest radius, metres.
    days
        Longest window; at most half of the days given.
    replicates
        Random replicates for p; 0 gives no p (1.0). 999 are usual; 99 with the Gumbel p are enough daily.
    seed
        Of the replicates: the same seed gives the same answer on any number of threads.
    least
        Fewest incidents in a cluster.
    most_clusters
        Longest list of clusters.

    Returns
    -------
    Scan
        No incidents, or none above expectation: no clusters.

    Raises
    ------
    BadInputError
        Coordinates in degrees, a window longer than half of the days, counts and places that differ in number.
    """
    counts = cube.plane() if isinstance(cube, Cube) else _check.counts(cube, "cube").astype(np.int64)
    places = _check.planar(xy, reach_m=radius_m)
    if counts.ndim != 2 or counts.shape[1] != len(places):
        raise BadInputError(
            f"counts of shape {counts.shape} for {len(places)} places; allowed: (days, places)"
        )
    if not 1 <= days <= counts.shape[0] // 2:
        raise BadInputError(
            f"window of {days} days in {counts.shape[0]}; allowed: 1 up to half of the days: shorten it to "
            f"{max(counts.shape[0] // 2, 1)}, or give at least {max(2 * days, 2)} days"
        )
    if replicates < 0 or least < 1 or most_clusters < 1:
        raise BadInputError("replicates: 0 and more; least and most_clusters: 1 and more")
    total = counts.sum(axis=0, dtype=np.int64)
    # newest day first: column l holds the counts of the last l + 1 days
    upto = np.ascontiguousarray(np.cumsum(counts[: -days - 1 : -1], axis=0, dtype=np.int64).T)
    zones = _zones(places, radius_m)
    best = _best_of_each_centre(zones, upto, total, least)
    simulated = _replicates(zones, upto, total, least, replicates, seed)
    return Scan(_clusters(best, zones, upto, total, simulated, most_clusters), simulated)


def llr(observed: ArrayLike, expected: ArrayLike, total: float) -> NDArray[np.float64]:
    """Log likelihood ratio of a Poisson cluster: c ln(c/e) + (C-c) ln((C-c)/(C-e)); 0 unless c > e (对数似然比)."""
    c, e = np.broadcast_arrays(np.asarray(observed, np.float64), np.asarray(expected, np.float64))
    high = (c > e) & (e > 0)
    inside = np.where(high, c * np.log(np.where(high, c, 1.0) / np.where(high, e, 1.0)), 0.0)
    rest = high & (c < total)
    outside = np.where(
        rest, (total - c) * np.log(np.where(rest, total - c, 1.0) / np.where(rest, total - e, 1.0)), 0.0
    )
    return inside + outside


def gumbel_p(value: ArrayLike, simulated: NDArray[np.float64]) -> NDArray[np.float64]:
    """P of a maximum at least this high, by a Gumbel law fitted to the replicates (Abrams et al. 2010).

    Moments fit: scale sd √6 / π, location mean - 0.5772 scale. Fewer than two replicates, or equal ones: 1.
    """
    value = np.asarray(value, dtype=np.float64)
    if len(simulated) < 2 or np.ptp(simulated) == 0:
        return np.ones_like(value)
    scale = simulated.std(ddof=1) * np.sqrt(6) / np.pi
    location = simulated.mean() - EULER * scale
    return -np.expm1(-np.exp(-(value - location) / scale))


def _zones(places: NDArray[np.float64], radius_m: float) -> _Zones:
    n = len(places)
    if n == 0:
        return _Zones(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0), np.empty(0, bool))
    near = cKDTree(places).sparse_distance_matrix(cKDTree(places), radius_m, output_type="ndarray")
    order = np.lexsort((near["j"], near["v"], near["i"]))  # ties of distance by row
    near = near[order]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(near["i"], minlength=n))]).astype(np.int64)
    distance = near["v"].astype(np.float64)
    closed = np.ones(len(near), dtype=bool)
    # a circle reaches all places at its radius: it may not end between two at the same distance
    same = (near["i"][1:] == near["i"][:-1]) & (distance[1:] == distance[:-1])
    closed[:-1] = ~same
    return _Zones(indptr, near["j"].astype(np.int32), distance, closed)


def _best_of_each_centre(
    zones: _Zones, upto: NDArray[np.int64], total: NDArray[np.int64], least: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Highest ratio around each centre, with the number of grids and of days; float64 throughout."""
    n, cases = len(total), int(total.sum())
    value, size, window = np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64)
    if cases == 0:
        return value, size, window
    share = upto.sum(axis=0) / cases
    limit = int(MOST_SHARE * cases)
    for start, stop in _blocks(zones.indptr, upto.shape[1]):
        first, last = zones.indptr[start], zones.indptr[stop]
        entry = zones.neighbour[first:last]
        head = zones.indptr[start:stop] - first
        length = np.diff(zones.indptr[start : stop + 1])
        seen = _running(upto[entry], head, length)
        inside = _running(total[entry], head, length)
        ratio = llr(seen, inside[:, None] * share, cases)
        ratio[(seen < least) | (~zones.closed[first:last] | (inside > limit))[:, None]] = 0.0
        top = ratio.max(axis=1)
        value[start:stop] = np.maximum.reduceat(top, head)
        owner = np.repeat(np.arange(stop - start), length)
        hit = np.flatnonzero(top == value[start:stop][owner])
        _, once = np.unique(owner[hit], return_index=True)  # the smallest circle of equal ones
        hit = hit[once]
        size[start:stop] = hit - head + 1
        window[start:stop] = ratio[hit].argmax(axis=1) + 1
    return value, size, window


def _blocks(indptr: NDArray[np.int64], width: int) -> list[tuple[int, int]]:
    """Runs of centres with at most about four million circles × windows each."""
    blocks, start, most = [], 0, max(4_000_000 // width, 1)
    while start < len(indptr) - 1:
        stop = int(np.searchsorted(indptr, indptr[start] + most, side="right")) - 1
        stop = min(max(stop, start + 1), len(indptr) - 1)
        blocks.append((start, stop))
        start = stop
    return blocks


def _running(
    values: NDArray[np.int64], head: NDArray[np.int64], length: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Cumulative sums that start anew at each head."""
    running = np.cumsum(values, axis=0)
    before = running[head] - values[head]
    return running - np.repeat(before, length, axis=0)


def _replicates(  # noqa: PLR0917  (a kernel)
    zones: _Zones,
    upto: NDArray[np.int64],
    total: NDArray[np.int64],
    least: int,
    replicates: int,
    seed: int,
) -> NDArray[np.float64]:
    """Highest ratio of each random re-assignment of days to incidents."""
    if replicates == 0 or total.sum() == 0 or upto[:, -1].sum() == 0:
        return np.zeros(replicates)
    from geo.hotspot import _scan_kernel  # noqa: PLC0415  (numba)

    return _scan_kernel.replicate(
        zones.indptr, zones.neighbour, zones.closed, total, np.diff(upto.sum(axis=0), prepend=0), least,
        int(MOST_SHARE * total.sum()), replicates, seed,
    )  # fmt: skip


def _clusters(  # noqa: PLR0917  (a kernel)
    best: tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]],
    zones: _Zones,
    upto: NDArray[np.int64],
    total: NDArray[np.int64],
    simulated: NDArray[np.float64],
    most: int,
) -> pd.DataFrame:
    value, size, window = best
    cases = total.sum()
    taken = np.zeros(len(value), dtype=bool)
    rows: list[tuple[object, ...]] = []
    for centre in np.lexsort((size, -value)):  # of equal ones the smallest
        if value[centre] <= 0 or len(rows) >= most:
            break
        start = zones.indptr[centre]
        members = zones.neighbour[start : start + size[centre]]
        if taken[members].any():
            continue
        taken[members] = True
        length = int(window[centre])
        observed = int(upto[members, length - 1].sum())
        expected = total[members].sum() * upto[:, length - 1].sum() / cases
        rows.append((int(centre), tuple(members.tolist()), float(zones.distance[start + size[centre] - 1]), length,
                     observed, expected, observed / expected, value[centre]))  # fmt: skip
    columns = ["centre", "grids", "radius_m", "days", "observed", "expected", "ratio", "llr"]
    table = pd.DataFrame(rows, columns=columns)
    highest = table["llr"].to_numpy(dtype=np.float64)
    if len(simulated):
        reached = (simulated[None, :] >= highest[:, None] - 1e-9).sum(axis=1)
        table["p"] = (reached + 1) / (len(simulated) + 1)
    else:
        table["p"] = 1.0
    table["p_gumbel"] = gumbel_p(highest, simulated)
    table["recurrence_days"] = 1.0 / table["p"]
    return table
