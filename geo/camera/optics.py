"""From a register to what each camera can reach (光学参数归一): stated > computed > default, and which.

Every value that the register did not state carries its source, so that a published rate can say how many
cameras it rests on by default (缺省值使用数).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.camera.pixels import WIDE_DEG, reach_m

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# GB/T 28181 DirectionType: the way the optical axis points; not in clockwise order.
DIRECTION_DEG: Mapping[int, float] = {1: 90, 2: 270, 3: 180, 4: 0, 5: 135, 6: 45, 7: 225, 8: 315}
DIRECTION_ERROR_DEG = 22.5
# Active area of common sensors, width × height in mm (nominal inch sizes name no length of the chip).
SENSORS_MM: Mapping[str, tuple[float, float]] = {
    "1/4": (3.2, 2.4),
    "1/3": (4.8, 3.6),
    "1/2.9": (5.0, 2.8),
    "1/2.8": (5.57, 3.13),
    "1/2.7": (5.37, 3.02),
    "1/2.5": (5.76, 4.29),
    "1/2": (6.4, 4.8),
    "1/1.8": (7.18, 4.04),
    "2/3": (8.8, 6.6),
    "1": (12.8, 9.6),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """Defaults of one kind of camera (一类摄像机的缺省参数)."""

    name: str
    zh: str
    fov_deg: float
    range_m: float
    steerable: bool = False


FIXED = Kind("fixed", "固定枪机", 60.0, 50.0)
HALF_DOME = Kind("half_dome", "半球", 80.0, 25.0)
STEERABLE = Kind("steerable", "可控球机 / 云台", 60.0, 100.0, steerable=True)
STITCHED = Kind("panoramic", "多目全景", 180.0, 40.0)
CHANNEL = Kind("channel", "多目分割通道", 60.0, 40.0)
KINDS: Mapping[int, Kind] = {
    1: STEERABLE, 2: HALF_DOME, 3: FIXED, 4: STEERABLE, 5: STEERABLE, 6: STITCHED, 7: CHANNEL
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Defaults:
    """What is taken where the register is silent, and what is not believed (缺省与荒谬值阈值).

    Attributes
    ----------
    kinds
        Kind of camera per GB/T 28181 PTZType; other or absent types are `FIXED`.
    range_px_m
        Pixel density that ends the range of a camera with known resolution and no stated range.
    z_low_m, z_high_m
        A place counts as seen only if the whole upright segment between these heights is in the picture.
    fixed_fov_max_deg, range_max_m
        A fixed camera that claims to see wider, or any camera that claims to see farther, is not believed.
    """

    kinds: Mapping[int, Kind] = field(default_factory=lambda: KINDS)
    range_px_m: float = 25.0
    z_low_m: float = 0.0
    z_high_m: float = 1.8
    fixed_fov_max_deg: float = 180.0
    range_max_m: float = 5000.0


DEFAULTS = Defaults()


def views(cameras: pd.DataFrame, *, defaults: Defaults = DEFAULTS, home: bool = True) -> pd.DataFrame:
    """Say for every camera what it can reach and where each value comes from (相机视域参数).

    Parameters
    ----------
    cameras
        Camera table; any column of the contract may be absent.
    defaults
        What to take where a value is missing or absurd.
    home
        Steerable cameras as they look at home; without it as far as they can turn: a full circle (可达范围).

    Returns
    -------
    DataFrame
        Index of `cameras`. `kind`; `bearing_deg` with `bearing_source` (stated, code, round, absent) and
        `bearing_error_deg`; `fov_deg` with `fov_source` (stated, lens, default); `range_m` with
        `range_source` (stated, pixels, default); `vfov_deg`; `near_m` (blind zone) and `eye_m`, which need a
        stated height (and tilt); `steerable`; `resolution_px`; `absurd` (names of values not believed, space
        separated); `why_not` (empty: the camera takes part; otherwise indoor, removed, mobile, no_bearing,
        no_place).
    """
    kind = _kinds(cameras, defaults)
    fixed = ~kind["steerable"].to_numpy(dtype=bool)
    fov, fov_source, absurd_fov = _fov(cameras, kind, fixed, defaults)
    vfov = _vertical(cameras, fov)
    reach, range_source, absurd_range = _range(cameras, kind, fov, defaults)
    if not home:
        fov = np.where(fixed, fov, 360.0)
    bearing, bearing_source, bearing_error = _bearing(cameras, fov)
    height = _positive(cameras, "height_m")
    near, far_limit, absurd_tilt = _blind_zone(cameras, height, vfov, defaults)
    result = pd.DataFrame(
        {
            "kind": kind["name"],
            "steerable": kind["steerable"],
            "bearing_deg": bearing,
            "bearing_source": bearing_source,
            "bearing_error_deg": bearing_error,
            "fov_deg": fov,
            "fov_source": fov_source,
            "vfov_deg": vfov,
            "range_m": np.minimum(reach, far_limit),
            "range_source": range_source,
            "near_m": near,
            "eye_m": height,
            "resolution_px": _positive(cameras, "resolution_px"),
        },
        index=cameras.index,
    )
    zero_height = _number(cameras, "height_m") <= 0
    flags = {"fov": absurd_fov, "range": absurd_range, "height": zero_height, "tilt": absurd_tilt}
    result["absurd"] = _words(flags, len(cameras))
    result["why_not"] = _why_not(cameras, result)
    return result


def lens_fov_deg(sensor_mm: Floats, focal_mm: Floats) -> Floats:
    """Compute the opening of a lens, 2 atan(w / 2f), degrees; NaN where a length is missing or zero.

    Examples
    --------
    >>> float(lens_fov_deg(np.array([4.8]), np.array([4.0])).round(3)[0])
    61.928
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = 2 * np.degrees(np.arctan(sensor_mm / (2 * focal_mm)))
    return np.where((focal_mm > 0) & (sensor_mm > 0), angle, np.nan)


def sensor_mm(text: object) -> tuple[float, float]:
    """Width and height of a sensor written as `1/2.8"` or `5.57x3.13` (靶面尺寸), mm; NaN where unknown.

    Examples
    --------
    >>> sensor_mm('1/2.8"'), sensor_mm("4.8×3.6mm"), sensor_mm("大")
    ((5.57, 3.13), (4.8, 3.6), (nan, nan))
    """
    plain = str(text).strip().lower().replace("″", '"').replace("”", '"').replace("×", "x").replace("*", "x")
    size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:mm)?\s*x\s*(\d+(?:\.\d+)?)\s*(?:mm)?", plain)
    if size:
        return float(size[1]), float(size[2])
    inch = re.fullmatch(r"(\d(?:/\d(?:\.\d+)?)?)\s*(?:\"|''|英寸|寸|inch|in)?(?:\s*(?:cmos|ccd))?", plain)
    return SENSORS_MM.get(inch[1], (np.nan, np.nan)) if inch else (np.nan, np.nan)


def _number(cameras: pd.DataFrame, name: str) -> Floats:
    if name not in cameras.columns:
        return np.full(len(cameras), np.nan)
    return pd.to_numeric(cameras[name], errors="coerce").to_numpy(dtype="float64", na_value=np.nan)


def _positive(cameras: pd.DataFrame, name: str) -> Floats:
    """Zero means "not filled in" in registers."""
    values = _number(cameras, name)
    return np.where(values > 0, values, np.nan)


def _kinds(cameras: pd.DataFrame, defaults: Defaults) -> pd.DataFrame:
    code = np.nan_to_num(_number(cameras, "ptz_type"), nan=0).astype(int)
    codes, where = np.unique(code, return_inverse=True)
    kinds = [defaults.kinds.get(int(c), FIXED) for c in codes]
    table = pd.DataFrame(
        [(k.name, k.steerable, k.fov_deg, k.range_m) for k in kinds],
        columns=["name", "steerable", "fov_deg", "range_m"],
    )
    typed = table.astype({"name": object, "steerable": bool, "fov_deg": float, "range_m": float})
    return typed.take(where).set_axis(cameras.index)


def _fov(
    cameras: pd.DataFrame, kind: pd.DataFrame, fixed: NDArray[np.bool_], defaults: Defaults
) -> tuple[Floats, NDArray[np.object_], NDArray[np.bool_]]:
    given = _number(cameras, "fov_deg")
    stated = np.where((given > 0) & (given <= 360), given, np.nan)
    code = _number(cameras, "ptz_type")
    # a fixed camera wider than a half circle and a dome "of 360°" state a filler or their reach
    narrow = np.isin(code, (1, 2, 3, 4, 5, 7)) & (stated > defaults.fixed_fov_max_deg)
    stated[narrow] = np.nan
    absurd = narrow & fixed | (given <= 0) | (given > 360)
    lens = lens_fov_deg(_sensor(cameras)[:, 0], _positive(cameras, "focal_mm"))
    fov = np.where(np.isnan(stated), np.where(np.isnan(lens), kind["fov_deg"], lens), stated)
    source = np.where(~np.isnan(stated), "stated", np.where(~np.isnan(lens), "lens", "default"))
    return fov, source.astype(object), absurd


def _sensor(cameras: pd.DataFrame) -> Floats:
    if "sensor" not in cameras.columns or len(cameras) == 0:
        return np.full((len(cameras), 2), np.nan)
    codes, texts = pd.factorize(cameras["sensor"])
    sizes = np.array([*(sensor_mm(t) for t in texts), (np.nan, np.nan)], dtype=np.float64)
    return sizes[codes]


def _vertical(cameras: pd.DataFrame, fov: Floats) -> Floats:
    """Stated > lens > 16:9 picture of the horizontal opening; NaN from 150° on (no rectilinear lens)."""
    stated = _positive(cameras, "vfov_deg")
    lens = lens_fov_deg(_sensor(cameras)[:, 1], _positive(cameras, "focal_mm"))
    flat = fov < WIDE_DEG
    wide = np.where(
        flat, 2 * np.degrees(np.arctan(np.tan(np.radians(np.where(flat, fov, 0)) / 2) * 9 / 16)), np.nan
    )
    return np.where(np.isnan(stated), np.where(np.isnan(lens), wide, lens), stated)


def _range(
    cameras: pd.DataFrame, kind: pd.DataFrame, fov: Floats, defaults: Defaults
) -> tuple[Floats, NDArray[np.object_], NDArray[np.bool_]]:
    given = _number(cameras, "range_m")
    stated = np.where((given > 0) & (given <= defaults.range_max_m), given, np.nan)
    pixels = reach_m(defaults.range_px_m, resolution_px=_positive(cameras, "resolution_px"), fov_deg=fov)
    reach = np.where(np.isnan(stated), np.where(np.isnan(pixels), kind["range_m"], pixels), stated)
    source = np.where(~np.isnan(stated), "stated", np.where(~np.isnan(pixels), "pixels", "default"))
    return reach, source.astype(object), (given <= 0) | (given > defaults.range_max_m)


def _bearing(cameras: pd.DataFrame, fov: Floats) -> tuple[Floats, NDArray[np.object_], Floats]:
    stated = np.mod(_number(cameras, "bearing_deg"), 360.0)
    direction = _number(cameras, "direction_type")
    code = pd.Series(direction).map(DIRECTION_DEG).to_numpy(dtype=np.float64)
    round_view = fov >= 360
    bearing = np.where(
        np.isnan(stated), np.where(np.isnan(code), np.where(round_view, 0.0, np.nan), code), stated
    )
    source = np.select(
        [round_view, ~np.isnan(stated), ~np.isnan(code)], ["round", "stated", "code"], default="absent"
    ).astype(object)
    error = np.where(source == "code", DIRECTION_ERROR_DEG, np.where(source == "absent", 180.0, 0.0))
    given = _number(cameras, "bearing_error_deg")
    return bearing, source, np.where(np.isnan(given), error, given)


def _blind_zone(
    cameras: pd.DataFrame, height: Floats, vfov: Floats, defaults: Defaults
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Near and far distance at which the upright segment z_low … z_high leaves the picture."""
    tilt = _number(cameras, "tilt_deg")
    bottom, top = np.radians(tilt + vfov / 2), np.radians(tilt - vfov / 2)
    known = np.isfinite(height) & np.isfinite(bottom)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = (height - defaults.z_low_m) / np.tan(bottom)
        far = (height - defaults.z_high_m) / np.tan(top)
    near = np.where(known & (bottom < np.pi / 2), np.maximum(near, 0.0), 0.0)
    absurd = known & (bottom <= 0)  # looks only at the sky
    near[absurd] = 0.0
    limited = known & (top > 0) & (height > defaults.z_high_m)
    return near, np.where(limited, far, np.inf), absurd


def _words(flags: Mapping[str, NDArray[np.bool_]], n: int) -> NDArray[np.object_]:
    words = np.full(n, "", dtype=object)
    for name, rows in flags.items():
        words[rows] = np.where(words[rows] == "", name, words[rows] + f" {name}")
    return words


def _why_not(cameras: pd.DataFrame, result: pd.DataFrame) -> NDArray[np.object_]:
    reasons = [
        ("no_place", _no_place(cameras)),
        ("removed", _equals(cameras, "state", "removed")),
        ("mobile", _positive(cameras, "mobile_type") > 0),
        ("indoor", _equals(cameras, "room_type", "indoor")),
        ("no_bearing", result["bearing_deg"].isna().to_numpy()),
    ]
    return np.select([rows for _, rows in reasons], [name for name, _ in reasons], default="").astype(object)


def _no_place(cameras: pd.DataFrame) -> NDArray[np.bool_]:
    shapes = getattr(cameras, "geometry", None)
    if shapes is None:
        return np.zeros(len(cameras), dtype=bool)
    return (shapes.isna() | shapes.is_empty).to_numpy()


def _equals(cameras: pd.DataFrame, name: str, value: str) -> NDArray[np.bool_]:
    if name not in cameras.columns:
        return np.zeros(len(cameras), dtype=bool)
    return (cameras[name] == value).fillna(False).to_numpy(dtype=bool)
