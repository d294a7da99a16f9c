"""Which coordinate system a file is in (坐标系判定), and its shapes in the store's degrees.

Said by the user: taken. Said by the file: taken, unless what the city holds contradicts it. Not said: found from
the size of the numbers, the headers and the city; where that is not certain the file is refused with the question
to answer. Nothing is ever guessed silently: the report names the system and the evidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geo import crs as crs_
from geo.errors import ImportRefusedError, Problem
from geo.io.witness import Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyproj
    from numpy.typing import NDArray

    from geo.io.source import Source
    from geo.io.witness import Extent, Witness
    from geo.quality import Verdict

LONLAT = "EPSG:4490"
PARTS = 8

_HINTS = (
    (re.compile(r"gcj|火星|高德|腾讯|amap", re.IGNORECASE), "gcj02"),
    (re.compile(r"bd-?09|百度|baidu", re.IGNORECASE), "bd09"),
    (re.compile(r"wgs|cgcs|2000|国家大地|gps", re.IGNORECASE), "wgs84"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """The decision for one file: what `crs.convert` reads it as, how the report calls it, and why."""

    source: str | pyproj.CRS
    label: str
    evidence: str

    @property
    def degrees(self) -> bool:
        """Whether the file's coordinates are degrees."""
        return isinstance(self.source, str) or self.source.is_geographic


def decide(
    source: Source,
    said: str,
    headers: Mapping[str, str],
    shapes: NDArray[np.object_],
    witness: Witness,
    *,
    words: Words | None = None,
) -> Place:
    """Decide the coordinate system of a file from its first chunk.

    Parameters
    ----------
    source
        The opened file.
    said
        ``auto``, ``gcj02``, ``bd09``, ``wgs84``, ``EPSG:n`` …, as the user gave it.
    headers
        Place column → header, empty if the format has geometry.
    shapes
        Raw shapes of the chunk.
    witness
        What the city holds.
    words
        What the rows say of their own place.

    Raises
    ------
    ImportRefusedError
        Longitude and latitude are swapped, several systems are mixed, the numbers do not fit the system, what the
        city holds contradicts what the file declares, or the system is not known.
    """
    x, y = _sample(shapes)
    if not len(x):
        return Place("wgs84", "", "no coordinates")
    as_degrees = float(np.mean((np.abs(x) <= 180) & (np.abs(y) <= 180)))
    names = (headers.get("lon") or headers.get("x") or "x", headers.get("lat") or headers.get("y") or "y")
    if as_degrees > 0.5:
        _refuse_swapped(source.name, x, y, names, witness.extent)
    declared = crs_name(source.crs) if source.crs is not None and source.trusted_crs else ""
    found = witness.verdict(shapes, words, declared)
    if said != "auto":
        place = _said(said)
        _warn(source, place, found)
    elif declared and source.crs is not None:
        place = Place(source.crs, declared, "declared by the file")
        _refuse_contradiction(source.name, place, found)
    else:
        place = _found(source, headers, as_degrees, found)
    if found.verdict in ("mixed", "swapped") or found.swapped:
        _refuse_verdict(source.name, found, names)
    if place.degrees and as_degrees < 0.5:
        raise ImportRefusedError(
            f"{source.name}: {place.label} are degrees, but the coordinates are like {x[0]:.2f}, {y[0]:.2f}; "
            "allowed: the projected system they are in, with --crs EPSG:n"
        )
    if not place.degrees and as_degrees > 0.5:
        raise ImportRefusedError(
            f"{source.name}: {place.label} is in metres or feet, but the coordinates are like {x[0]:.5f}, "
            f"{y[0]:.5f}, which are degrees; allowed: --crs wgs84, gcj02 or bd09"
        )
    return place


def _named(found: Verdict) -> bool:
    return found.verdict not in ("unknown", "mixed", "swapped") and bool(found.source)


def _agrees(place: Place, found: Verdict) -> bool:
    """Whether a verdict says the same system, or one that puts the points within 300 m of the same place."""
    plain = {"wgs84", "cgcs2000", "EPSG:4326", LONLAT}
    return (
        found.source == place.label
        or place.label in found.equivalents
        or (place.label in plain and found.source in plain)
        or (found.verdict == "wgs84" and not isinstance(place.source, str) and place.source.is_geographic)
    )


def _refuse_contradiction(path: str, place: Place, found: Verdict) -> None:
    if _named(found) and not _agrees(place, found):
        raise ImportRefusedError(
            f"{path}: declares {place.label}, but what the city holds says {found.source} ({found.message}; margin "
            f"{found.margin:.1f} standard deviations). Say --crs {found.source}, or --crs {place.label} if the file "
            "is right"
        )


def _refuse_verdict(path: str, found: Verdict, names: Sequence[str]) -> None:
    if found.verdict == "mixed":
        raise ImportRefusedError(
            f"{path}: its rows are in more than one coordinate system: {found.message}; allowed: one system a file. "
            "Import the parts one by one (--where) with --crs"
        )
    first, second = ("lon", "lat") if found.unit == "degree" else ("x", "y")
    raise ImportRefusedError(
        f"{path}: {'longitude and latitude' if first == 'lon' else 'east and north'} are swapped: {found.message}. "
        f"Say --column {names[1]}={first} --column {names[0]}={second}"
    )


def refuse_other_parts(
    name: str,
    place: Place | None,
    sampled: Sequence[tuple[NDArray[np.object_], Words | None]],
    witness: Witness,
) -> None:
    """Refuse a file whose later chunks lie in another system than the first (坐标系混用), by samples of all of them.

    The samples are judged in at most `PARTS` runs; a part counts as another system only where its verdict is named.
    """
    runs = min(len(sampled), PARTS)
    if place is None or runs < 2:
        return
    for part in range(runs):
        first, last = part * len(sampled) // runs, (part + 1) * len(sampled) // runs
        found = witness.verdict(*_together(sampled[first:last]))
        if found.verdict in ("mixed", "swapped") or (_named(found) and not _agrees(place, found)):
            raise ImportRefusedError(
                f"{name}: its rows are in more than one coordinate system: read as {place.label}, but about "
                f"{part / runs:.0%} to {(part + 1) / runs:.0%} of the file the city says {found.verdict} "
                f"({found.message}); allowed: one system a file. Import the parts one by one (--where) with --crs"
            )


def _together(
    parts: Sequence[tuple[NDArray[np.object_], Words | None]],
) -> tuple[NDArray[np.object_], Words | None]:
    words = [w for _, w in parts if w is not None]
    whole = len(words) == len(parts)
    return np.concatenate([shapes for shapes, _ in parts]), Words.joined(words) if whole else None


def _warn(source: Source, place: Place, found: Verdict) -> None:
    if _named(found) and not _agrees(place, found):
        source.notes.append(
            f"read as {place.label} as told, although the city says {found.source}: {found.message}"
        )


def _sample(
    shapes: NDArray[np.object_], most: int = 20_000
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One coordinate of each of at most `most` shapes, spread over the chunk; never 0, 0."""
    whole = shapes[~shapely.is_missing(shapes)]
    whole = whole[:: max(len(whole) // most, 1)]
    bounds = shapely.bounds(whole)
    x, y = bounds[:, 0], bounds[:, 1]
    good = np.isfinite(x) & np.isfinite(y) & ((x != 0) | (y != 0))
    return x[good], y[good]


def _said(name: str) -> Place:
    parsed = crs_.parse_crs(name)
    label = parsed if isinstance(parsed, str) else crs_name(parsed)
    return Place(parsed, label, "named by the user")


def _found(source: Source, headers: Mapping[str, str], as_degrees: float, found: Verdict) -> Place:
    if _named(found):
        parsed = crs_.parse_crs(found.source)
        label = "EPSG:4326" if parsed in ("wgs84", "cgcs2000") else found.source
        lead = (
            f"margin {found.margin:.1f} standard deviations"
            if found.margin
            else "no other system comes near the city"
        )
        return Place(parsed, label, f"found: {found.message}; {lead}")
    if as_degrees >= 0.5:
        words = " ".join(headers.get(k, "") for k in ("lon", "lat", "lonlat", "x", "y"))
        for pattern, name in _HINTS:
            if pattern.search(words):
                return Place(name, name, f"header {words.strip()!r}")
        said = "default of the format" if source.crs is not None else "degrees, nothing else said"
        return Place("wgs84", "EPSG:4326", f"{said}; not confirmed by what the city holds")
    if source.crs is not None:
        return Place(source.crs, crs_name(source.crs), "said by the file")
    raise ImportRefusedError(
        f"{source.name}: the coordinates are metres or feet and the file does not say of which system"
        f"{_candidates(found)}; allowed: --crs EPSG:n (e.g. EPSG:4549 for CGCS2000 at 120° E, EPSG:3826 for TWD97)"
    )


def _candidates(found: Verdict) -> str:
    return f" (it may be {', '.join(found.candidates[:4])})" if found.candidates else ""


def crs_name(crs: pyproj.CRS) -> str:
    """EPSG code if there is one, else the system's own name."""
    authority = crs.to_authority(min_confidence=70)
    if authority:
        return ":".join(authority) if authority != ("OGC", "CRS84") else "EPSG:4326"
    return str(crs.name)


def _refuse_swapped(
    path: str, x: NDArray[np.float64], y: NDArray[np.float64], names: Sequence[str], extent: Extent
) -> None:
    impossible = np.abs(y) > 90
    here, there = extent.holds(x, y), extent.holds(y, x)
    known = extent.box is not None
    swapped = impossible.mean() > 0.5 or (known and there.mean() > 0.5 and here.mean() < 0.1)
    if swapped:
        i = int(np.flatnonzero(impossible if impossible.any() else there)[0])
        raise ImportRefusedError(
            f"{path}: longitude and latitude are swapped: column {names[1]!r} holds {y[i]:.6f}, column {names[0]!r} "
            f"holds {x[i]:.6f}; allowed: latitude -90 to 90, {extent}. Say --column {names[1]}=lon --column "
            f"{names[0]}=lat"
        )


def to_degrees(shapes: NDArray[np.object_], place: Place) -> NDArray[np.object_]:
    """Shapes in the store's degrees (CGCS2000), longitude first; missing stay missing."""
    if place.source in ("wgs84", "cgcs2000"):
        return shapes
    if (
        not isinstance(place.source, str)
        and place.source.is_geographic
        and crs_name(place.source)
        in (
            "EPSG:4326",
            LONLAT,
        )
    ):
        return shapes
    whole = ~shapely.is_missing(shapes)
    result = shapes.copy()
    result[whole] = crs_.convert_geometry(shapes[whole], source=place.source, target="cgcs2000")
    return result


def faults(
    shapes: NDArray[np.object_],
    rows: NDArray[np.int64],
    headers: Mapping[str, str],
    extent: Extent,
    *,
    keep_outside: bool,
) -> dict[int, Problem]:
    """Rows whose place cannot be true, by position.

    `coordinates.zero` (0, 0), `coordinates.range` (no such longitude or latitude), `coordinates.swapped` (only
    the swapped pair lies in the city), `coordinates.outside` (far from the city; not with `keep_outside`).
    """
    bounds = shapely.bounds(shapes)
    west, south, east, north = bounds.T
    found = np.isfinite(bounds).all(axis=1)
    column = ", ".join(dict.fromkeys(headers.values())) or "geometry"
    problems: dict[int, Problem] = {}

    def add(where: NDArray[np.bool_], code: str, allowed: str) -> None:
        for i in np.flatnonzero(where & found):
            problems.setdefault(
                int(i), Problem(code, column, int(rows[i]), f"{west[i]:.6f}, {south[i]:.6f}", allowed)
            )

    zero = (np.abs(west) < 1e-9) & (np.abs(south) < 1e-9) & (np.abs(east) < 1e-9) & (np.abs(north) < 1e-9)
    add(zero, "coordinates.zero", "the place itself; 0, 0 stands for unknown")
    beyond = (west < -180) | (east > 180) | (south < -90) | (north > 90)
    inside = extent.holds(west, south) & extent.holds(east, north)
    if extent.box is not None:
        swapped = ~inside & extent.holds(south, west) & extent.holds(north, east)
        add(swapped, "coordinates.swapped", f"longitude first: {extent}")
    add(beyond, "coordinates.range", "longitude -180 to 180, latitude -90 to 90")
    if extent.box is not None and not keep_outside:
        apart = ~extent.holds((west + east) / 2, (south + north) / 2)
        add(apart, "coordinates.outside", f"{extent}; --keep-outside takes them all the same")
    return problems
