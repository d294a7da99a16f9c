"""Coordinates (坐标系): WGS-84, CGCS2000, GCJ-02, BD-09 and any EPSG code, and the choice of a metric CRS.

Degrees are always longitude first. The store and the analysis use CGCS2000; GCJ-02 (火星坐标) and BD-09
(百度坐标) exist only at the door, on input and on output.

Sources
-------
GCJ-02: the formula published in 2010-2013 by independent implementers (ellipsoid a = 6378245 m,
e² = 0.00669342162296594323); BD-09: the formula published with Baidu's own conversion. Both are forward
formulas; the inverses here are exact, by fixed-point iteration. CGCS2000 and WGS-84 agree within a few
centimetres and are one datum in this project.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from geo.errors import BadInputError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Pair = tuple[Floats, Floats]

DATUMS = {
    "wgs84": "WGS-84",
    "cgcs2000": "CGCS2000 国家大地坐标系",
    "gcj02": "GCJ-02 火星坐标",
    "bd09": "BD-09 百度坐标",
}

GCJ_BOUNDS = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north of the published GCJ-02 rule: outside this box coordinates pass unchanged."""

_STEPS = {"wgs84": 0, "cgcs2000": 0, "gcj02": 1, "bd09": 2}
_A = 6378245.0
_E2 = 0.00669342162296594323
_BD_TURN = np.pi * 3000.0 / 180.0
_TOLERANCE_DEG = 1e-12
_ROUNDS = 30


def convert(lon: ArrayLike, lat: ArrayLike, *, source: str | CRS, target: str | CRS) -> Pair:
    """Convert coordinates from one reference system to another (坐标转换).

    Parameters
    ----------
    lon, lat
        First and second coordinate, broadcast against each other: longitude and latitude in degrees, or
        easting and northing in the unit of `source`.
    source, target
        `wgs84`, `cgcs2000` (the same datum here), `gcj02`, `bd09`, `EPSG:n`, or a `pyproj.CRS`.

    Returns
    -------
    first, second
        Two new float64 arrays of the common shape: degrees, or easting and northing in the unit of `target`.
        NaN where an input is NaN or infinite, or where the projection has no answer. No points: two empty
        arrays.

    Raises
    ------
    UnknownNameError
        For a name that is not a datum known here.
    BadInputError
        For an EPSG code that does not exist, or coordinates that are not numbers or do not broadcast.

    Notes
    -----
    The residual of every inverse is below 1e-10 degrees (0.01 mm). By the published rule a coordinate
    outside `GCJ_BOUNDS` is the same in WGS-84 and GCJ-02; the rule looks at the coordinate that is given, so
    a strip of some 600 m along the edge of that box, far from any city of China, has no exact way back.
    BD-09 is an offset to GCJ-02 everywhere.

    Examples
    --------
    >>> lon, lat = convert(116.42079, 39.90105, source="wgs84", target="gcj02")
    >>> print(f"{lon:.5f} {lat:.5f}")
    116.42703 39.90245
    """
    x, y = _pair(lon, lat)
    start, end = parse_crs(source), parse_crs(target)
    if isinstance(start, CRS) and isinstance(end, CRS):
        return _project(x, y, start, end)
    if isinstance(start, CRS):
        x, y = _project(x, y, start, _WGS84)
        start = "wgs84"
    end_datum = "wgs84" if isinstance(end, CRS) else end
    x, y = _shift(x, y, _STEPS[start], _STEPS[end_datum])
    if isinstance(end, CRS):
        x, y = _project(x, y, _WGS84, end)
    return np.asarray(x), np.asarray(y)


def convert_geometry(geometry: Any, *, source: str | CRS, target: str | CRS) -> Any:  # noqa: ANN401
    """Convert every coordinate of a geometry or an array of geometries (图形坐标转换).

    Same rules as `convert`; heights are dropped. Missing geometries stay missing, empty ones stay empty.
    """

    def move(xy: Floats) -> Floats:
        return np.column_stack(convert(xy[:, 0], xy[:, 1], source=source, target=target))

    return shapely.transform(geometry, move)


def parse_crs(name: str | CRS) -> str | CRS:
    """Return a datum's name in lower case, or the `pyproj.CRS` of an EPSG code.

    EPSG:4326 and EPSG:4490 come back as `wgs84` and `cgcs2000`. Raises `UnknownNameError` or `BadInputError`.
    """
    if isinstance(name, str):
        low = name.strip().lower().replace("-", "")
        if low in DATUMS:
            return low
        if not low.startswith("epsg:"):
            raise UnknownNameError("coordinate system", name, [*DATUMS, "EPSG:n"])
    return _from_epsg(name.strip().upper()) if isinstance(name, str) else _known(name)


@lru_cache(maxsize=512)
def _from_epsg(name: str) -> str | CRS:
    try:
        return _known(CRS.from_user_input(name))
    except CRSError as error:
        raise BadInputError(
            f"{name!r} is not an EPSG code that PROJ knows; allowed: EPSG:n, as EPSG:4549"
        ) from error


def _known(crs: CRS) -> str | CRS:
    if not crs.is_geographic:
        return crs
    return {4326: "wgs84", 4490: "cgcs2000"}.get(crs.to_epsg() or 0, crs)


# --- the two Chinese offsets ----------------------------------------------------------------------


def in_gcj_bounds(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Say where the published rule of GCJ-02 applies its offset (坐标偏移适用范围): a box, not a border."""
    x, y = _pair(lon, lat)
    west, south, east, north = GCJ_BOUNDS
    return (x >= west) & (x <= east) & (y >= south) & (y <= north)


def _gcj(lon: Floats, lat: Floats) -> Pair:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    common = 20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (common + 20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3.0 * y)) * 2.0 / 3.0
    north += (160.0 * np.sin(np.pi / 12.0 * y) + 320.0 * np.sin(np.pi / 30.0 * y)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (common + 20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3.0 * x)) * 2.0 / 3.0
    east += (150.0 * np.sin(np.pi / 12.0 * x) + 300.0 * np.sin(np.pi / 30.0 * x)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _E2 * np.sin(phi) ** 2
    meridian = _A * (1.0 - _E2) / (magic * np.sqrt(magic))
    parallel = _A / np.sqrt(magic) * np.cos(phi)
    return lon + np.degrees(east / parallel), lat + np.degrees(north / meridian)


def _bd(lon: Floats, lat: Floats) -> Pair:
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_TURN)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_TURN)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _inverse(forward: Callable[[Floats, Floats], Pair], x: Floats, y: Floats) -> Pair:
    """Solve forward(u, v) = (x, y): the offset changes by less than 1 % of a step, so this converges."""
    u, v = x.copy(), y.copy()
    for _ in range(_ROUNDS):
        fx, fy = forward(u, v)
        du, dv = x - fx, y - fy
        u += du
        v += dv
        if max(np.nanmax(np.abs(du), initial=0.0), np.nanmax(np.abs(dv), initial=0.0)) < _TOLERANCE_DEG:
            break
    return u, v


def _shift(x: Floats, y: Floats, start: int, end: int) -> Pair:
    while start < end:
        x, y = _gcj_inside(x, y, inverse=False) if start == 0 else _bd(x, y)
        start += 1
    while start > end:
        x, y = _gcj_inside(x, y, inverse=True) if start == 1 else _inverse(_bd, x, y)
        start -= 1
    return x, y


def _gcj_inside(x: Floats, y: Floats, *, inverse: bool) -> Pair:
    inside = in_gcj_bounds(x, y)
    u, v = x.copy(), y.copy()
    u[inside], v[inside] = _inverse(_gcj, x[inside], y[inside]) if inverse else _gcj(x[inside], y[inside])
    return u, v


def _pair(lon: ArrayLike, lat: ArrayLike) -> Pair:
    try:
        first, second = np.broadcast_arrays(np.asarray(lon, "float64"), np.asarray(lat, "float64"))
    except (TypeError, ValueError) as error:
        raise BadInputError(f"coordinates must be numbers of one shape: {error}") from error
    bad = ~(np.isfinite(first) & np.isfinite(second))
    return np.where(bad, np.nan, first), np.where(bad, np.nan, second)


_WGS84 = CRS.from_epsg(4326)


def _project(x: Floats, y: Floats, source: CRS, target: CRS) -> Pair:
    if source == target:
        return x, y
    first, second = _transformer(source, target).transform(x, y)
    return _pair(first, second)


@lru_cache(maxsize=128)
def _transformer(source: CRS, target: CRS) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


# --- metres ---------------------------------------------------------------------------------------

GK_ZONES = range(25, 46)
"""CGCS2000 3-degree Gauss-Krüger zones (三度带): central meridian 3 × zone, 75°E to 135°E."""


def gk_crs(zone: int, *, prefixed: bool = False) -> CRS:
    """CGCS2000 3-degree Gauss-Krüger zone (高斯-克吕格三度带): EPSG:4534-4554, or its twin EPSG:4513-4533.

    The twin has the zone number in front of the easting (39,5xx,xxx m), the plain one has not (5xx,xxx m).
    """
    if zone not in GK_ZONES:
        raise BadInputError(f"zone {zone} does not exist; allowed: {GK_ZONES[0]} to {GK_ZONES[-1]}")
    return CRS.from_epsg((4513 if prefixed else 4534) + zone - GK_ZONES[0])


def unprefixed(crs: CRS) -> CRS:
    """Return EPSG:4534-4554 for its zone-prefixed twin EPSG:4513-4533; any other CRS as it is."""
    code = crs.to_epsg() or 0
    return CRS.from_epsg(code + 21) if 4513 <= code <= 4533 else crs


def metric_crs(lon: ArrayLike, lat: ArrayLike) -> CRS:
    """Choose the metric CRS of a city from its coordinates (选择米制投影).

    Parameters
    ----------
    lon, lat
        Degrees, WGS-84 or CGCS2000; the median of the finite ones decides, so that a few stray points do not.

    Returns
    -------
    CRS
        Mainland China: CGCS2000 3-degree Gauss-Krüger by longitude, EPSG:4534-4554. Hong Kong: EPSG:2326,
        Macao: EPSG:8433, Taiwan: TWD97 EPSG:3826 (main island) or 3825 (Penghu, Kinmen, Matsu). Elsewhere:
        WGS-84 UTM, and beyond 84°N or 80°S the polar EPSG:5041 / 5042. The outline used for "mainland" is
        coarse (tens of kilometres): along a land border either choice is a conformal projection in metres.

    Raises
    ------
    BadInputError
        If no coordinate is finite, or the median is not a longitude and latitude.
    """
    x, y = (values.ravel() for values in _pair(lon, lat))
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not len(x):
        raise BadInputError(
            "no finite coordinate to choose a projection from; allowed: degrees, longitude first"
        )
    east, north = float(np.median(x)), float(np.median(y))
    if not (-180 <= east <= 180 and -90 <= north <= 90):
        raise BadInputError(f"({east:.6g}, {north:.6g}) is not a longitude and latitude in degrees")
    return CRS.from_epsg(_metric_epsg(east, north))


def _metric_epsg(east: float, north: float) -> int:
    here = shapely.Point(east, north)
    for code, region in _REGIONS:
        if region.intersects(here):
            return code
    if _MAINLAND.intersects(here):
        zone = min(max(round(east / 3.0), GK_ZONES[0]), GK_ZONES[-1])
        return 4534 + zone - GK_ZONES[0]
    if north > 84 or north < -80:
        return 5041 if north > 0 else 5042
    return (32600 if north >= 0 else 32700) + min(int((east + 180.0) // 6.0) + 1, 60)


_HONG_KONG = shapely.Polygon(
    [(113.82, 22.13), (114.52, 22.13), (114.52, 22.57), (114.33, 22.575), (114.24, 22.55), (114.16, 22.56),
     (114.12, 22.534), (114.08, 22.513), (114.03, 22.505), (113.98, 22.48), (113.90, 22.43), (113.82, 22.38)]
)  # fmt: skip
_REGIONS = (
    (2326, _HONG_KONG),
    (8433, shapely.box(113.525, 22.10, 113.605, 22.2165)),
    (3825, shapely.box(118.205, 24.36, 118.50, 24.53)),  # Kinmen 金门
    (3825, shapely.box(119.20, 23.10, 119.80, 23.90)),  # Penghu 澎湖
    (3825, shapely.box(119.87, 25.93, 120.55, 26.40)),  # Matsu 马祖
    (3826, shapely.Polygon([(119.9, 21.7), (122.3, 21.7), (122.3, 25.7), (120.8, 25.7), (119.9, 23.8)])),
)
# Coarse on purpose, from a small-scale map: it only chooses a projection.
_MAINLAND = shapely.Polygon(
    [(73.4, 39.4), (74.9, 37.2), (77.0, 35.4), (78.9, 34.3), (78.7, 31.3), (81.2, 30.0), (85.0, 28.3),
     (88.1, 27.8), (89.5, 27.9), (91.7, 27.6), (92.2, 27.5), (95.5, 28.9), (97.4, 28.2), (98.7, 27.4),
     (97.5, 24.0), (98.9, 22.3), (101.1, 21.4), (101.8, 21.1), (102.0, 22.3), (103.9, 22.5), (105.3, 23.2),
     (106.6, 22.9), (106.7, 21.9), (108.0, 21.4), (108.4, 18.0), (111.5, 17.8), (113.3, 21.8), (117.5, 22.9),
     (119.9, 25.3), (122.9, 29.0), (123.2, 31.5), (121.5, 35.0), (123.4, 37.4), (121.2, 38.4), (124.3, 39.8),
     (126.0, 40.9), (126.9, 41.6), (128.2, 41.9), (129.7, 42.4), (130.6, 42.35), (131.0, 43.4), (131.2, 44.8),
     (133.2, 45.0), (135.1, 48.5), (133.0, 48.2), (131.0, 47.8), (130.7, 48.9), (127.6, 50.2), (126.1, 52.9),
     (123.6, 53.6), (120.1, 53.3), (119.8, 50.4), (117.0, 49.7), (115.7, 47.9), (118.5, 47.9), (119.8, 46.7),
     (116.0, 46.0), (113.6, 44.8), (111.8, 45.0), (111.6, 43.7), (107.5, 42.4), (101.8, 42.6), (96.4, 42.8),
     (95.4, 44.2), (91.0, 45.2), (90.9, 46.9), (87.8, 49.2), (85.5, 48.3), (85.6, 47.2), (83.0, 47.1),
     (82.4, 45.4), (80.0, 44.9), (80.6, 43.1), (80.2, 42.1), (76.9, 40.9), (73.9, 39.9)]
)  # fmt: skip
