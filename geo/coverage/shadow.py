"""Shadows on the ground behind things lower than the camera (高点监控的地面遮挡阴影, 2.5-D)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geo.coverage.occlusion import Occluders
    from geo.coverage.sector import Sectors

CONVEX = 1 - 1e-9


def shadows(views: Sectors, edges: Occluders) -> tuple[NDArray[np.intp], NDArray[np.object_]]:
    """Find the ground that low shapes hide from high eyes (低于相机的遮挡物投下的阴影).

    A prism of height h seen from H > h hides its footprint and all ground between it and its copy enlarged by
    H / (H - h) about the foot of the camera.

    Parameters
    ----------
    views, edges
        As for `sweep.visible`; only finite heights below a known eye height cast a shadow here.

    Returns
    -------
    rows, hidden
        Rows of `views` that have a shadow (ascending, each once) and the shadow of each: a polygon or
        multi-polygon in metres, not cut to the sector. No low shapes: empty arrays.
    """
    view, shape = _low_pairs(views, edges)
    if len(view) == 0:
        return view, np.empty(0, dtype=object)
    eye, height = views.eye_m[view], edges.shape_height_m[shape]
    scale = eye / (eye - height)
    foot = np.column_stack([views.x[view], views.y[view]])
    parts = edges.shapes[shape]
    hidden = np.empty(len(view), dtype=object)
    hull = shapely.convex_hull(parts)
    convex = (shapely.get_type_id(parts) != 3) & (shapely.get_num_coordinates(parts) == 2)
    convex |= (shapely.get_type_id(parts) == 3) & (shapely.area(parts) >= CONVEX * shapely.area(hull))
    hidden[convex] = _hulls(parts[convex], foot[convex], scale[convex])
    for row in np.flatnonzero(~convex):
        hidden[row] = _swept(parts[row], foot[row], float(scale[row]))
    rows, first = np.unique(view, return_index=True)
    groups = np.split(hidden, first[1:])
    return rows, np.array([shapely.union_all(g) if len(g) > 1 else g[0] for g in groups], dtype=object)


def _low_pairs(views: Sectors, edges: Occluders) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of a view and a shape lower than its eye whose boxes meet, sorted by view."""
    lowest = edges.shape_height_m.min() if len(edges.shapes) else np.inf
    high = np.flatnonzero(views.eye_m > lowest)
    low = np.flatnonzero(np.isfinite(edges.shape_height_m))
    if len(high) == 0 or len(low) == 0:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    tree = shapely.STRtree(edges.shapes[low])
    view, shape = tree.query(shapely.box(*views.take(high).bounds.T))
    view, shape = high[view], low[shape]
    keep = edges.shape_height_m[shape] < views.eye_m[view]
    order = np.argsort(view[keep], kind="stable")
    return view[keep][order], shape[keep][order]


def _hulls(
    parts: NDArray[np.object_], foot: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.object_]:
    """Shadows of convex footprints and straight walls: the hull of the footprint and its enlarged copy."""
    xy, owner = shapely.get_coordinates(parts, return_index=True)
    far = foot[owner] + scale[owner, None] * (xy - foot[owner])
    points = shapely.points(np.vstack([xy, far]))
    both = np.concatenate([owner, owner])
    order = np.argsort(both, kind="stable")
    return shapely.convex_hull(shapely.multipoints(points[order], indices=both[order]))


def _swept(part: shapely.Geometry, foot: NDArray[np.float64], scale: float) -> shapely.Geometry:
    """Shadow of any footprint or bent wall: the union of what each of its edges sweeps, and the footprint."""
    rings = shapely.get_rings(part) if shapely.get_type_id(part) == 3 else np.array([part])
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    far = foot + scale * (xy - foot)
    follows = ring[1:] == ring[:-1]
    corners = np.stack([xy[:-1], xy[1:], far[1:], far[:-1]], axis=1)[follows]
    swept = shapely.convex_hull(
        shapely.multipoints(corners.reshape(-1, 2), indices=np.repeat(np.arange(len(corners)), 4))
    )
    area = swept[shapely.get_type_id(swept) == 3]
    return shapely.union_all([part, *area] if shapely.get_type_id(part) == 3 else area)
