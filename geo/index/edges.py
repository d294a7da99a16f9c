"""Polygons to edges: every border once, with the polygon on either side of it (边)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely

if TYPE_CHECKING:
    from geo.index.types import Bools, Floats, Ints, Longs


class Edges(NamedTuple):
    """Edges from a (the lower end, or the western one of a level edge) to b.

    `xy` is n × 4 (ax, ay, bx, by) in degrees, bit for bit as the polygons hold them. `owner` is n × 2: the
    polygon on the left and on the right of a → b, -1 where there is none. `doubtful` marks edges at which the
    polygons do not fit together: one lies over another, or the borders do not match.
    """

    xy: Floats
    owner: Ints
    doubtful: Bools

    def take(self, k: Longs) -> Edges:
        """Return some of them, or all in another order."""
        return Edges(self.xy[k], self.owner[k], self.doubtful[k])


def edges_of(polygons: np.ndarray) -> Edges:
    """Every edge of the polygons; a border that two polygons share, vertex for vertex, is one edge.

    Missing and empty polygons have no edges; edges of no length and edges with one polygon on both sides
    (they bound nothing) are left out.
    """
    xy, polygon, forward = _directed(polygons)
    order = np.argsort(_hash(xy))
    xy, polygon, forward = xy[order], polygon[order], forward[order]
    group = np.flatnonzero(np.r_[True, (xy[1:] != xy[:-1]).any(axis=1)]) if len(xy) else np.empty(0, np.int64)
    size = np.diff(np.r_[group, len(xy)])
    pair = group[size == 2]
    pair = pair[forward[pair] != forward[pair + 1]]
    owner = np.full((len(xy), 2), -1, np.int32)
    owner[np.arange(len(xy)), np.where(forward, 0, 1)] = polygon
    owner[pair] = np.maximum(owner[pair], owner[pair + 1])
    keep = np.ones(len(xy), bool)
    keep[pair + 1] = False
    keep[pair] = owner[pair, 0] != owner[pair, 1]
    doubtful = np.repeat(size > 1, size)
    doubtful[pair] = False
    doubtful |= _misfits(polygons, xy)
    return Edges(xy[keep], owner[keep], doubtful[keep])


def _directed(polygons: np.ndarray) -> tuple[Floats, Ints, Bools]:
    """Edges of every ring, low end first; `forward` where the polygon is then on the left."""
    simple = bool((shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON).all())
    parts, part_of = (
        (polygons, np.arange(len(polygons))) if simple else shapely.get_parts(polygons, return_index=True)
    )
    rings, ring_of = shapely.get_rings(parts, return_index=True)
    xy, at = shapely.get_coordinates(rings, return_index=True)
    xy = xy + 0.0  # -0.0 becomes 0.0: equal numbers, equal bits
    shell = np.r_[True, ring_of[1:] != ring_of[:-1]][: len(rings)]
    inside_left = shapely.is_ccw(rings) == shell
    start = np.flatnonzero((at[1:] == at[:-1]) & (xy[1:] != xy[:-1]).any(axis=1))
    a, b = xy[start], xy[start + 1]
    up = (a[:, 1] < b[:, 1]) | ((a[:, 1] == b[:, 1]) & (a[:, 0] < b[:, 0]))
    ring = at[start]
    edges = np.asarray(np.where(up[:, None], np.hstack([a, b]), np.hstack([b, a])), np.float64)
    return edges, part_of[ring_of[ring]].astype(np.int32), up == inside_left[ring]


def _hash(xy: Floats) -> Longs:
    """One number an edge: equal edges have equal ones, others hardly ever."""
    bits = np.ascontiguousarray(xy).view(np.uint64)
    value = bits[:, 0]
    for i, odd in ((1, 0x9E3779B97F4A7C15), (2, 0xC2B2AE3D27D4EB4F), (3, 0x165667B19E3779F9)):
        value = (value ^ (value >> np.uint64(29))) * np.uint64(odd) + bits[:, i]
    return ((value ^ (value >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)).view(np.int64)


def _misfits(polygons: np.ndarray, xy: Floats) -> Bools:
    """Edges that GEOS names as faults of the coverage: crossing, inside another polygon, not matched."""
    lines = shapely.coverage_invalid_edges(polygons)
    lines = lines[~shapely.is_empty(lines)]
    if len(lines) == 0:
        return np.zeros(len(xy), bool)
    points, at = shapely.get_coordinates(shapely.get_parts(lines), return_index=True)
    points = points + 0.0
    k = np.flatnonzero(at[1:] == at[:-1])
    a, b = points[k], points[k + 1]
    up = (a[:, 1] < b[:, 1]) | ((a[:, 1] == b[:, 1]) & (a[:, 0] < b[:, 0]))
    faults = np.asarray(np.where(up[:, None], np.hstack([a, b]), np.hstack([b, a])), np.float64)
    return np.isin(_hash(xy), _hash(faults))
