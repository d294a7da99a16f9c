"""Views that meet places where filming is forbidden (禁拍检查), after State Council Decree 799.

Walls end a view, so that what a camera sees of a room is its front: the list says how many metres of the
outline it sees, how sharply, and which part of the picture to mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo.camera.pixels import WIDE_DEG, pixels_per_m

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.coverage.watch import Watch

    Floats = NDArray[np.float64]

TOUCH_M = 0.1
SHARP_PX_M = 25.0
GRAZE = 0.03  # sine of the least angle between a side and the line of sight


def forbidden_views(places: gpd.GeoDataFrame, watch: Watch) -> pd.DataFrame:
    """List the cameras that see a forbidden place, with the mask that hides it (禁拍冲突清单).

    Parameters
    ----------
    places
        Table `forbidden`: polygons in metres.
    watch
        Cameras and what hides.

    Returns
    -------
    DataFrame
        One row per camera and place: `camera_id`, `forbidden_id`, `name`, `kind`, `seen_m` (metres of the
        outline in view), `distance_m`, `px_m` (NaN: resolution unknown), `sharp` (a person can be detected
        there, or nobody knows), `pan_from_deg`, `pan_to_deg` (off the axis, right is positive), `mask_from`,
        `mask_to` (share of the picture's width, from the left), `advice` in Chinese; nearest first.
    """
    shapes = places.geometry.to_numpy()
    place, camera = watch.fields.tree.query(shapes, predicate="dwithin", distance=TOUCH_M)
    # a field of view drawn 5 cm larger holds the wall that ends it
    view = shapely.buffer(watch.fields.shapes[camera], TOUCH_M / 2, quad_segs=2)
    front = shapely.intersection(_facing(shapes[place], watch.fields.xy[camera]), view)
    keep = shapely.length(front) > 2 * TOUCH_M
    place, camera, front = place[keep], camera[keep], front[keep]
    eye = watch.fields.xy[camera]
    optics = watch.fields.optics.iloc[camera]
    low, high = _pan(front, eye, optics["bearing_deg"].to_numpy(dtype=np.float64))
    fov = optics["fov_deg"].to_numpy(dtype=np.float64)
    distance = shapely.distance(front, shapely.points(eye))
    slant = np.hypot(distance, np.nan_to_num(optics["eye_m"].to_numpy(dtype=np.float64)))
    px = pixels_per_m(slant, resolution_px=optics["resolution_px"].to_numpy(), fov_deg=fov)
    table = pd.DataFrame(
        {
            "camera_id": watch.ids[camera],
            "forbidden_id": places.index.to_numpy()[place],
            "name": places["name"].to_numpy(dtype=object)[place],
            "kind": places["kind"].to_numpy(dtype=object)[place],
            "seen_m": shapely.length(front),
            "distance_m": distance,
            "px_m": px,
            "sharp": np.isnan(px) | (px >= SHARP_PX_M),
            "pan_from_deg": low,
            "pan_to_deg": high,
            "mask_from": _picture(low, fov),
            "mask_to": _picture(high, fov),
        }
    )
    table["advice"] = [
        f"{k or '禁拍场所'}“{n}”外立面 {m:.0f} m 在画面内，请在画面左起 {a:.0%} 至 {b:.0%} 设隐私遮挡"
        + ("，或调整朝向" if s else "（像素密度低于探测等级）")
        for k, n, m, a, b, s in zip(
            table["kind"], table["name"], table["seen_m"], table["mask_from"], table["mask_to"], table["sharp"],
            strict=True,
        )
    ]  # fmt: skip
    return table.sort_values(["distance_m", "camera_id"], kind="stable", ignore_index=True)


def _facing(shapes: NDArray[np.object_], eye: Floats) -> NDArray[np.object_]:
    """Sides of each shape that an eye sees at more than a graze, as multi-lines."""
    rings, owner = shapely.get_rings(shapely.orient_polygons(shapes), return_index=True)
    parts, part_of = shapely.get_parts(shapes, return_index=True)
    if len(parts) != len(shapes):  # rings of multi-polygons: by part
        rings, ring_part = shapely.get_rings(shapely.orient_polygons(parts), return_index=True)
        owner = part_of[ring_part]
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    follows = ring[1:] == ring[:-1]
    a, b, row = xy[:-1][follows], xy[1:][follows], owner[ring[1:][follows]]
    along, away = b - a, eye[row] - a
    outside = away[:, 0] * along[:, 1] - away[:, 1] * along[:, 0]  # positive on the right: outside
    size = np.hypot(*along.T) * np.maximum(np.hypot(*away.T), 1e-9)
    keep = outside > GRAZE * size
    lines = (
        shapely.linestrings(np.stack([a[keep], b[keep]], axis=1)) if keep.any() else np.empty(0, dtype=object)
    )
    result = np.full(len(shapes), shapely.MultiLineString(), dtype=object)
    hit, number = np.unique(row[keep], return_inverse=True)
    if len(hit):
        result[hit] = shapely.multilinestrings(lines, indices=number)
    return result


def _pan(fronts: NDArray[np.object_], eye: Floats, bearing: Floats) -> tuple[Floats, Floats]:
    """Least and greatest angle off the axis under which each front is seen, degrees."""
    xy, row = shapely.get_coordinates(fronts, return_index=True)
    away = xy - eye[row]
    angle = (np.degrees(np.arctan2(away[:, 0], away[:, 1])) - bearing[row] + 180) % 360 - 180
    low, high = np.full(len(fronts), 180.0), np.full(len(fronts), -180.0)
    np.minimum.at(low, row, angle)
    np.maximum.at(high, row, angle)
    return low, high


def _picture(angle: Floats, fov: Floats) -> Floats:
    """Where an angle off the axis falls on the picture, 0 left edge to 1 right edge."""
    half = np.radians(np.minimum(fov, WIDE_DEG)) / 2
    flat = np.tan(np.radians(np.clip(angle, -75, 75))) / (2 * np.tan(half))
    return np.clip(0.5 + np.where(fov >= WIDE_DEG, angle / fov, flat), 0.0, 1.0)
