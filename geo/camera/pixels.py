"""Pixel density of a picture at a distance (像素密度), px/m."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

WIDE_DEG = 150.0  # from here on the plane is no measure: pixels per metre of arc


def pixels_per_m(
    distance_m: ArrayLike, *, resolution_px: ArrayLike, fov_deg: ArrayLike
) -> NDArray[np.float64]:
    """Pixel density at a distance (像素密度): px / (2 d tan(HFOV/2)); from 150° on px / (HFOV · d).

    Parameters
    ----------
    distance_m
        Distance along the line of sight, metres.
    resolution_px
        Horizontal pixels.
    fov_deg
        Horizontal opening, degrees.

    Returns
    -------
    array
        px/m, infinite at distance 0, NaN where an input is missing.
    """
    d, px, width = np.broadcast_arrays(
        np.asarray(distance_m, float), np.asarray(resolution_px, float), _width(fov_deg)
    )
    with np.errstate(divide="ignore"):
        return px / (d * width)


def reach_m(level_px_m: ArrayLike, *, resolution_px: ArrayLike, fov_deg: ArrayLike) -> NDArray[np.float64]:
    """Distance to which a pixel density holds (达到该等级的最远距离), metres; NaN where an input is missing.

    Examples
    --------
    >>> reach_m([25, 62.5, 125, 250], resolution_px=1920, fov_deg=68.0).round(1).tolist()
    [56.9, 22.8, 11.4, 5.7]
    """
    return pixels_per_m(level_px_m, resolution_px=resolution_px, fov_deg=fov_deg)


def ground_reach_m(distance_m: ArrayLike, *, height_m: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Distance on the ground of a slant distance (斜距换算平距): √(d² - H²), 0 where the eye is above d."""
    d, h = np.asarray(distance_m, float), np.nan_to_num(np.asarray(height_m, float))
    return np.sqrt(np.maximum(d**2 - h**2, 0.0))


def _width(fov_deg: ArrayLike) -> NDArray[np.float64]:
    """Metres of picture per metre of distance."""
    fov = np.asarray(fov_deg, dtype=np.float64)
    plane = 2 * np.tan(np.radians(np.minimum(fov, WIDE_DEG)) / 2)
    return np.where(fov >= WIDE_DEG, np.radians(fov), plane)
