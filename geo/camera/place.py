"""Cameras against buildings (点位与建筑): wall cameras set free, cameras deep inside named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

OUTSIDE, SNAPPED, INSIDE = "outside", "snapped", "inside"
CLEAR_M = 0.3


def free_of_buildings(
    xy: Floats,
    bearing_deg: Floats,
    blocks: NDArray[np.object_],
    *,
    within_m: float = 3.0,
    tree: shapely.STRtree | None = None,
) -> tuple[Floats, NDArray[np.object_]]:
    """Set cameras that lie in or on a building in front of its wall (墙装相机移至墙外).

    A camera at most `within_m` inside moves 0.3 m out of the nearest wall that faces its bearing; without a
    bearing, or without such a wall, out of the nearest wall.

    Parameters
    ----------
    xy
        (N, 2) metres.
    bearing_deg
        (N,) degrees; NaN where unknown.
    blocks
        Disjoint valid polygons, holes allowed.
    within_m
        How deep a wall camera may be drawn inside.
    tree
        Index of `blocks`, if there is one already.

    Returns
    -------
    xy, place
        New positions, and `outside`, `snapped` or `inside` (deeper than `within_m`, or no free place).
    """
    moved = xy.copy()
    place = np.full(len(xy), OUTSIDE, dtype=object)
    tree = shapely.STRtree(blocks) if tree is None else tree
    camera, block = tree.query(shapely.points(xy), predicate="intersects")
    camera, first = np.unique(camera, return_index=True)
    block = block[first]
    if len(camera) == 0:
        return moved, place
    place[camera] = INSIDE
    rings, ring_of = shapely.get_rings(shapely.orient_polygons(blocks[block]), return_index=True)
    ends, ring = shapely.get_coordinates(rings, return_index=True)
    follows = ring[1:] == ring[:-1]
    a, b, row = ends[:-1][follows], ends[1:][follows], ring_of[ring[1:][follows]]
    eye, along = xy[camera[row]], b - a
    length = np.hypot(*along.T)
    share = np.clip(((eye - a) * along).sum(axis=1) / np.maximum(length, 1e-12) ** 2, 0, 1)
    foot = a + share[:, None] * along
    distance = np.hypot(*(eye - foot).T)
    outward = np.column_stack([along[:, 1], -along[:, 0]]) / np.maximum(length, 1e-12)[:, None]
    axis = np.radians(bearing_deg[camera[row]])
    facing = outward[:, 0] * np.sin(axis) + outward[:, 1] * np.cos(axis) > 0.1
    goal = foot + CLEAR_M * outward
    near = np.flatnonzero((distance <= within_m) & (length > 0))
    near = near[np.lexsort((distance[near], ~facing[near], row[near]))]
    taken = np.zeros(len(near), dtype=bool)
    taken[tree.query(shapely.points(goal[near]), predicate="intersects")[0]] = True
    near = near[~taken]
    chosen, best = np.unique(row[near], return_index=True)
    moved[camera[chosen]] = goal[near[best]]
    place[camera[chosen]] = SNAPPED
    return moved, place
