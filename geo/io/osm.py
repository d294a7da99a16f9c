"""OpenStreetMap extracts (OSM PBF): roads, buildings, facilities, cameras, addresses, water, boundaries, walls.

One table is taken at a time; ids are ``n``, ``w`` or ``r`` and the number in OSM. Values go through the same
dictionaries and checks as those of any other file.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import osmium
import pandas as pd
import pyproj
import shapely

from geo import schema
from geo.errors import ImportRefusedError, Problem
from geo.io.source import Chunk, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_NOT_ROADS = {
    "proposed",
    "construction",
    "raceway",
    "abandoned",
    "razed",
    "platform",
    "rest_area",
    "services",
}
_FACILITIES = (
    ("emergency", "fire_hydrant", "hydrant"),
    ("emergency", "defibrillator", "aed"),
    ("amenity", "fire_station", "fire_station"),
    ("amenity", "police", "police_station"),
    ("amenity", "hospital", "clinic"),
    ("amenity", "clinic", "clinic"),
    ("amenity", "doctors", "clinic"),
    ("emergency", "assembly_point", "shelter"),
    ("amenity", "charging_station", "ebike_charger"),  # only where it serves bicycles or scooters
)


@dataclass(frozen=True, slots=True)
class _Theme:
    """What to take of an extract for one table: keys to look at, kinds of objects, and the row of an object."""

    keys: tuple[str, ...]
    nodes: bool
    lines: bool
    areas: bool
    row: Callable[[Mapping[str, str]], dict[str, Any] | None]


def open_osm(path: Path, table: str) -> Source:
    """Open an extract for one table; `ImportRefusedError` for a table that OSM does not hold."""
    theme = _THEMES.get(table)
    if theme is None:
        raise ImportRefusedError(
            f"{path}: an OSM extract has no rows for the table {table!r}; allowed: {', '.join(sorted(_THEMES))}"
        )
    contract = schema.table(table)
    columns = [contract.key, *contract.names]
    source = Source(path, "osm", columns, lambda size: _read(source, theme, size))
    source.has_shapes, source.trusted_crs = True, True
    source.crs = pyproj.CRS("EPSG:4326")
    return source


def _read(source: Source, theme: _Theme, size: int) -> Iterator[Chunk]:
    rows = _rows(source, theme)
    first = 1
    while part := list(itertools.islice(rows, size)):
        frame = pd.DataFrame([row for row, _ in part]).reindex(columns=source.columns).astype("str")
        shapes = shapely.from_wkb([wkb for _, wkb in part], on_invalid="ignore")
        yield Chunk(frame, np.arange(first, first + len(part)), shapes, 0.0)
        first += len(part)


def _rows(source: Source, theme: _Theme) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Row and geometry (hex WKB) of every object of a theme, in the order of the file."""
    processor = osmium.FileProcessor(str(source.path))
    if theme.lines or theme.areas:
        processor = processor.with_locations()
    if theme.areas:
        processor = processor.with_areas(osmium.filter.KeyFilter(*theme.keys))
    processor = processor.with_filter(osmium.filter.KeyFilter(*theme.keys))
    factory = osmium.geom.WKBFactory()
    key = source.columns[0]
    try:
        for thing in processor:
            kind = thing.type_str()
            if not _wanted(thing, kind, theme):
                continue
            row = theme.row(dict(thing.tags))
            if row is None:
                continue
            letter, number = (
                (kind, thing.id) if kind != "a" else ("w" if thing.from_way() else "r", thing.orig_id())
            )
            row[key] = f"{letter}{number}"
            try:
                shape = _shape(thing, kind, factory, source)
            except (RuntimeError, osmium.InvalidLocationError) as error:
                rule = f"an object whose nodes are in the extract ({error})"
                source.broken.append(Problem("geometry.osm", key, None, row[key], rule))
                continue
            yield row, shape
    except RuntimeError as error:  # osmium: broken file, truncated block
        raise ImportRefusedError(f"{source.path}: broken OSM file: {error}") from error


def _shape(thing: Any, kind: str, factory: Any, source: Source) -> str:  # noqa: ANN401  (osmium's own types)
    """Geometry as hex WKB; a way that the edge of the extract cuts keeps its longest whole part."""
    if kind == "n":
        return str(factory.create_point(thing))
    if kind == "a":
        return str(factory.create_multipolygon(thing))
    known = [node.location.valid() for node in thing.nodes]
    if all(known):
        return str(factory.create_linestring(thing))
    runs = [list(g) for ok, g in itertools.groupby(thing.nodes, key=lambda n: n.location.valid()) if ok]
    longest = max(runs, key=len, default=[])
    if len(longest) < 2:
        raise RuntimeError("fewer than two of its nodes")
    text = "ways cut at the edge of the extract keep their longest part inside"
    if text not in source.notes:
        source.notes.append(text)
    return shapely.to_wkb(shapely.linestrings([(n.lon, n.lat) for n in longest]), hex=True)


def _wanted(thing: Any, kind: str, theme: _Theme) -> bool:  # noqa: ANN401  (osmium's own types)
    if kind == "n":
        return theme.nodes
    if kind == "w":
        closed = theme.areas and thing.is_closed() and len(thing.nodes) > 3
        return theme.lines and not closed
    return kind == "a" and theme.areas


def _road(tags: Mapping[str, str]) -> dict[str, Any] | None:
    kind = tags.get("highway", "")
    if not kind or kind in _NOT_ROADS or tags.get("area") == "yes":
        return None
    oneway = tags.get("oneway") in ("yes", "1", "true", "-1") or tags.get("junction") == "roundabout"
    return {
        "class": kind, "name": _name(tags), "oneway": oneway or kind == "motorway", "speed_m_s": _speed(tags.get("maxspeed")),
        "width_m": tags.get("width"),
    }  # fmt: skip


def _speed(text: str | None) -> float | None:
    """``maxspeed`` in m/s: km/h unless it says mph; words (walk, none, signals) are unknown."""
    number, _, unit = (text or "").partition(" ")
    try:
        return float(number) * {"": 1 / 3.6, "km/h": 1 / 3.6, "mph": 0.44704}[unit.strip()]
    except (KeyError, ValueError):
        return None


def _name(tags: Mapping[str, str]) -> str | None:
    return tags.get("name") or tags.get("name:zh") or tags.get("ref")


def _building(tags: Mapping[str, str]) -> dict[str, Any] | None:
    if tags.get("building", "no") == "no":
        return None
    return {
        "name": tags.get("name"),
        "height_m": _metres(tags.get("height")),
        "floors": tags.get("building:levels"),
    }


def _metres(text: str | None) -> str | None:
    """A length tag in metres: ``12``, ``12 m``, ``40 ft``, ``40'``."""
    value = (text or "").strip()
    for unit in ("ft", "'"):
        if value.endswith(unit):
            try:
                return str(float(value.removesuffix(unit).strip()) * 0.3048)
            except ValueError:
                return None
    return value or None


def _facility(tags: Mapping[str, str]) -> dict[str, Any] | None:
    for key, value, kind in _FACILITIES:
        if tags.get(key) != value:
            continue
        if kind == "ebike_charger" and "yes" not in (tags.get("bicycle"), tags.get("scooter")):
            continue
        return {"kind": kind, "name": _name(tags), "address": _address_text(tags) or None}
    return None


def _camera(tags: Mapping[str, str]) -> dict[str, Any] | None:
    if tags.get("man_made") != "surveillance" or tags.get("surveillance:type", "camera") not in (
        "camera",
        "ALPR",
    ):
        return None
    place = tags.get("surveillance")
    return {
        "name": _name(tags), "bearing_deg": tags.get("camera:direction") or tags.get("direction"), "unit": tags.get("operator"),
        "ptz_type": {"dome": "1", "fixed": "3", "panning": "4"}.get(tags.get("camera:type", "")), "tilt_deg": tags.get("camera:angle"),
        "height_m": _metres(tags.get("height")), "room_type": place if place in ("outdoor", "indoor") else {"public": "outdoor"}.get(place or ""),
    }  # fmt: skip


def _address(tags: Mapping[str, str]) -> dict[str, Any] | None:
    number = tags.get("addr:housenumber")
    if not number:
        return None
    return {
        "standard": _address_text(tags), "district": tags.get("addr:district") or tags.get("addr:city"),
        "village": tags.get("addr:suburb") or tags.get("addr:neighbourhood"), "road": tags.get("addr:street") or tags.get("addr:place"),
        "number": number, "unit": tags.get("addr:unit"), "building": tags.get("addr:housename"),
    }  # fmt: skip


def _address_text(tags: Mapping[str, str]) -> str:
    """Largest part first, without blanks where it is written in Chinese characters."""
    parts = [tags.get(f"addr:{k}", "") for k in ("city", "district", "street", "housenumber", "unit")]
    parts = [p for p in parts if p]
    chinese = any("\u4e00" <= c <= "\u9fff" for c in "".join(parts))
    return ("" if chinese else " ").join(parts)


def _water(tags: Mapping[str, str]) -> dict[str, Any] | None:
    kind = tags.get("waterway") or (tags.get("water", "water") if tags.get("natural") == "water" else None)
    return {"name": _name(tags), "kind": kind} if kind else None


def _boundary(tags: Mapping[str, str]) -> dict[str, Any] | None:
    return {"name": _name(tags)} if tags.get("boundary") == "administrative" else None


def _occluder(tags: Mapping[str, str]) -> dict[str, Any] | None:
    kind = tags.get("barrier", "")
    solid = ("wall", "city_wall", "retaining_wall", "hedge")
    return {"kind": kind, "height_m": _metres(tags.get("height"))} if kind in solid else None


_THEMES: Mapping[str, _Theme] = {
    "roads": _Theme(("highway",), nodes=False, lines=True, areas=False, row=_road),
    "buildings": _Theme(("building",), nodes=False, lines=False, areas=True, row=_building),
    "facilities": _Theme(("emergency", "amenity"), nodes=True, lines=False, areas=True, row=_facility),
    "cameras": _Theme(("man_made",), nodes=True, lines=False, areas=False, row=_camera),
    "addresses": _Theme(("addr:housenumber",), nodes=True, lines=False, areas=True, row=_address),
    "water": _Theme(("natural", "waterway"), nodes=False, lines=True, areas=True, row=_water),
    "boundary": _Theme(("boundary",), nodes=False, lines=False, areas=True, row=_boundary),
    "occluders": _Theme(("barrier",), nodes=False, lines=True, areas=False, row=_occluder),
}
