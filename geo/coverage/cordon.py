"""Closed rings (围合、盘查圈): the fewest streets whose watching lets nobody in or out unseen.

A street is watched if a stretch of it long enough to recognise a passer-by is seen. Every way from the area to
the world beyond the band that uses unwatched streets only is a leak; by Menger's theorem the number of leaks
that share no street equals the size of the smallest set of streets that closes the ring (min cut).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geo.coverage.network import Network
    from geo.coverage.road import Stretches

    Ints = NDArray[np.intp]

BAND_M = 500.0
WATCHED_M = 5.0


@dataclass(frozen=True, slots=True)
class Cordon:
    """How an area is closed (围合结果).

    Attributes
    ----------
    leaks
        Number of ways out that share no street; 0: the ring is closed.
    cut
        Edges whose watching closes the ring, as few as possible (`leaks` many).
    watched
        Watched edges in the band around the area: the ring as it stands.
    """

    leaks: int
    cut: Ints
    watched: Ints


def watched_edges(
    seen: Stretches, *, by: NDArray[np.bool_] | None = None, least_m: float = WATCHED_M
) -> NDArray[np.bool_]:
    """Which edges have a seen stretch of at least `least_m` metres without a gap (被看住的路段).

    An edge shorter than that must be seen from end to end.
    """
    light = np.flatnonzero(seen.times(by=by) > 0)
    road, start, end = seen.road[light], seen.start_m[light], seen.end_m[light]
    new = np.ones(len(light), dtype=bool)
    new[1:] = (road[1:] != road[:-1]) | (start[1:] > end[:-1] + 1e-6)
    run = np.cumsum(new) - 1
    length = np.bincount(run, end - start) if len(light) else np.empty(0)
    needed = np.minimum(least_m, seen.length_m - 1e-6)
    first = np.flatnonzero(new)
    result = np.zeros(len(seen.length_m), dtype=bool)
    result[road[first][length >= needed[road[first]]]] = True
    return result


def cordon(
    streets: Network, area: shapely.Geometry, watched: NDArray[np.bool_], *, band_m: float = BAND_M
) -> Cordon:
    """Close a ring around an area with as few streets as possible (最小补点封控).

    Parameters
    ----------
    streets
        `network` of the roads.
    area
        Polygon in metres; every node inside must be kept in (or out).
    watched
        Which edges are watched: `watched_edges`.
    band_m
        The ring may lie up to this far outside the area.

    Returns
    -------
    Cordon
        An area without streets, or with none that leaves the band: no leaks.
    """
    west, south, east, north = shapely.bounds(area) + np.array([-band_m, -band_m, band_m, band_m])
    x, y = streets.xy.T
    close = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
    away = np.full(len(x), np.inf)
    away[close] = shapely.distance(shapely.points(streets.xy[close]), area)
    inside, beyond = away == 0, away > band_m
    u, v = streets.u, streets.v
    near = ~(beyond[u] & beyond[v]) & ~(inside[u] & inside[v])
    group = np.where(inside, 0, np.where(beyond, 1, 2 + np.arange(len(away))))
    rows = np.flatnonzero(near)
    ends = np.stack([group[u[rows]], group[v[rows]]], axis=1)
    ring = rows[watched[rows]]
    open_, ends = rows[~watched[rows]], ends[~watched[rows]]
    keep = ends[:, 0] != ends[:, 1]
    open_, ends = open_[keep], ends[keep]
    names, number = np.unique(np.concatenate([[0, 1], ends.ravel()]), return_inverse=True)
    a, b = number[2:].reshape(-1, 2).T if len(ends) else (np.empty(0, int), np.empty(0, int))
    one = np.ones(2 * len(a), dtype=np.int32)
    # streets between the same two nodes add up
    graph = coo_array((one, (np.r_[a, b], np.r_[b, a])), shape=(len(names), len(names))).tocsr()
    graph.sum_duplicates()
    flow = maximum_flow(graph, 0, 1)
    left = graph - flow.flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = np.zeros(len(names), dtype=bool)
    reached[breadth_first_order(left, 0, return_predecessors=False)] = True
    cut = open_[reached[a] != reached[b]]
    return Cordon(int(flow.flow_value), cut.astype(np.intp), ring.astype(np.intp))
