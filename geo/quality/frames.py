"""Which kind of numbers a file holds (坐标数值形式): degrees, swapped degrees, or eastings of an EPSG code.

The candidates are not a list of ours: they are the projected systems that the EPSG registry knows at the
place of the city. A candidate is kept if it puts the points where the city is.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS, Proj, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_crs_info
from pyproj.enums import PJType

from geo.crs import convert, metric_crs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Extent = tuple[float, float, float, float]

_NEIGHBOUR_DEG = 1.6  # also the zones beside the city's own
_FAR_M = 60_000.0  # a candidate that misses the city by more than this is not looked at closely
_SAME_M = 300.0  # old and new datums of one projection lie closer than this: one candidate, several names


@dataclass(frozen=True, slots=True)
class Frame:
    """One reading of two columns of numbers (一种坐标读法), and where it puts the points.

    `source` is a name for `geo.crs.convert`; `swapped` says that the first column is the northing or
    latitude; `equivalents` are systems that put the points at the same place within 300 m. `lon`, `lat` are
    degrees of the finite points, `inside` says which of them lie in the extent of the city.
    """

    source: str
    swapped: bool
    unit: str
    lon: Floats
    lat: Floats
    inside: NDArray[np.bool_]
    equivalents: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of the points inside the extent of the city, 0 to 1; 0 for no points."""
        return float(self.inside.mean()) if len(self.inside) else 0.0

    @property
    def name(self) -> str:
        """`wgs84`, `EPSG:n`, with `swapped` in front where the axes are exchanged."""
        return f"swapped {self.source}" if self.swapped else self.source

    @property
    def geographic(self) -> bool:
        """Whether the numbers are degrees."""
        return self.unit == "degree"


def readings(x: Floats, y: Floats, extent: Extent, *, hints: Sequence[str] = ()) -> list[Frame]:
    """Every reading of the numbers, the likeliest first (列出可能的坐标读法).

    Parameters
    ----------
    x, y
        Finite numbers as they stand in the file.
    extent
        West, south, east, north of the city in degrees, with the slack that is to be allowed.
    hints
        EPSG names preferred where several systems put the points at the same place: what the file declares,
        what the city uses.

    Returns
    -------
    list of Frame
        Degrees and swapped degrees always (also where no point is inside: that is evidence too), then projected
        systems that put at least one point inside. No points: both with a share of 0.
    """
    degrees = [_degrees(x, y, extent, swapped=False), _degrees(y, x, extent, swapped=True)]
    # A mixed file holds both kinds: what cannot be degrees is tried as metres and feet.
    rest = ~((np.abs(x) <= 180.0) & (np.abs(y) <= 180.0))
    if not rest.any():
        return sorted(degrees, key=_rank)
    found = [_projected(candidate, x, y, extent) for candidate in _candidates(x[rest], y[rest], extent)]
    kept = [frame for frame in found if frame.inside.any()]
    return sorted(degrees + _merged(kept, hints, extent), key=_rank)


def _rank(frame: Frame) -> tuple[float, bool, str]:
    return (-frame.share, frame.swapped, frame.source)


def _degrees(lon: Floats, lat: Floats, extent: Extent, *, swapped: bool) -> Frame:
    possible = (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)
    return Frame("wgs84", swapped, "degree", lon, lat, possible & _within(lon, lat, extent))


def _projected(candidate: tuple[str, str, bool], x: Floats, y: Floats, extent: Extent) -> Frame:
    name, unit, swapped = candidate
    east, north = (y, x) if swapped else (x, y)
    lon, lat = convert(east, north, source=name, target="wgs84")
    return Frame(name, swapped, unit, lon, lat, _within(lon, lat, extent))


def _within(lon: Floats, lat: Floats, extent: Extent) -> NDArray[np.bool_]:
    west, south, east, north = extent
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def _candidates(x: Floats, y: Floats, extent: Extent) -> list[tuple[str, str, bool]]:
    """EPSG name, unit and axis order of every system that puts the median of the numbers near the city."""
    lon, lat = (extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2
    here = np.array([np.median(x), np.median(y)])
    reach_deg = np.hypot(extent[2] - extent[0], extent[3] - extent[1])
    names = []
    for code, metres, place in local_systems(round(lon, 1), round(lat, 1)):
        reach = (reach_deg * 112_000.0 + _FAR_M) / metres
        unit = "metre" if abs(metres - 1.0) < 0.01 else "foot" if abs(metres - 0.3048) < 0.001 else "other"
        names += [
            (f"EPSG:{code}", unit, swapped)
            for swapped in (False, True)
            if np.hypot(*((here[::-1] if swapped else here) - place)) <= reach
        ]
    return names


@lru_cache(maxsize=64)
def local_systems(lon: float, lat: float) -> tuple[tuple[int, float, tuple[float, float]], ...]:
    """Projected systems of the EPSG registry in use at a place (当地可用的投影坐标系).

    Degrees in; for each code the metres per unit, and easting and northing of the place in that unit (without
    the change of datum: good to a kilometre). Deprecated codes are left out.
    """
    area = AreaOfInterest(lon - _NEIGHBOUR_DEG, lat - 0.2, lon + _NEIGHBOUR_DEG, lat + 0.2)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PROJ warns of bound and vertical parts that do not matter here
        for info in query_crs_info("EPSG", [PJType.PROJECTED_CRS], area_of_interest=area):
            crs = CRS.from_epsg(info.code) if not info.deprecated else None
            if crs is None or crs.coordinate_operation is None or info.code == "32600":
                continue
            metres = float(crs.axis_info[0].unit_conversion_factor)
            east, north = Proj(crs)(lon, lat)
            if np.isfinite(east) and np.isfinite(north):
                scale = 1.0 / metres if crs.to_dict().get("units") is None and metres != 1.0 else 1.0
                found.append((int(info.code), metres, (east * scale, north * scale)))
    return tuple(found)


def _merged(frames: list[Frame], hints: Sequence[str], extent: Extent) -> list[Frame]:
    """Put systems that agree within `_SAME_M` under one name: a hint, else the preferred system of the place."""
    home = metric_crs((extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2)
    ordered = sorted(frames, key=lambda f: _preference(f.source, tuple(hints), home))
    merged: list[Frame] = []
    for frame in ordered:
        for at, other in enumerate(merged):
            same = other.swapped == frame.swapped and other.unit == frame.unit
            if same and _apart_m(other, frame) < _SAME_M:
                merged[at] = replace(other, equivalents=(*other.equivalents, frame.source))
                break
        else:
            merged.append(frame)
    return merged


def _apart_m(one: Frame, other: Frame) -> float:
    both = one.inside | other.inside
    east = (one.lon[both] - other.lon[both]) * np.cos(np.radians(one.lat[both]))
    north = one.lat[both] - other.lat[both]
    return float(np.median(np.hypot(east, north))) * 111_320.0 if both.any() else np.inf


def _preference(name: str, hints: tuple[str, ...], home: CRS) -> tuple[int, bool, float, int]:
    """Sort key: a hint first, then the datum of the place, then the best known accuracy, then the lower code."""
    code = int(name.split(":")[1])
    crs = CRS.from_epsg(code)
    given = hints.index(name) if name in hints else len(hints)
    other_datum = crs.datum is None or home.datum is None or crs.datum.name != home.datum.name
    accuracy = Transformer.from_crs(crs, 4326, always_xy=True).accuracy
    three_degree = 4513 <= code <= 4554  # the family that this project stores; 6-degree twins come after
    rank = code - 10**6 if three_degree else code
    return (given, other_datum and not three_degree, accuracy if accuracy >= 0 else 1e9, rank)
