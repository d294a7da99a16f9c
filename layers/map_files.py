"""The three maps as files that open from disk, and layers as PMTiles (离线地图文件).

A page opened from disk may load scripts but may not fetch, so tiles travel as scripts of base64 in blocks of
16 x 16 tiles, beside the pages and the assets: nothing else is needed, no server and no internet. Tiles are
used at every size of city; nothing is embedded into the pages.
"""

from __future__ import annotations

import base64
import html
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from geo.errors import BadInputError
from layers import assets, catalog, folium_map, search, summary, tiles
from layers.tiles.cache import compress
from layers.tiles.mvt import tile_of
from layers.tiles.source import mercator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from geo.city import City
    from geo.scope import Scope
    from layers.catalog import Layer
    from layers.tiles.selection import Selection

SHIFT = 4  # blocks of 16 x 16 tiles
MOST_TILES = 20_000  # the deepest zoom of an export is the last one with no more tiles than this
DEEPEST = 17
SHALLOWEST = 8


@dataclass(frozen=True, slots=True)
class Written:
    """What an export wrote."""

    files: int
    bytes: int
    tiles: int
    max_zoom: int


def places(bounds: Sequence[float], z: int) -> list[tuple[int, int, int]]:
    """Tiles of a zoom that touch west, south, east, north in degrees."""
    low, high = mercator(np.array([[bounds[0], bounds[1]], [bounds[2], bounds[3]]]))
    (left, bottom), (right, top) = tile_of(low[0], low[1], z), tile_of(high[0], high[1], z)
    return [(z, x, y) for y in range(top, bottom + 1) for x in range(left, right + 1)]


def deepest_zoom(bounds: Sequence[float]) -> int:
    """Return the deepest zoom that an export of this extent holds."""
    fits = [z for z in range(SHALLOWEST, DEEPEST + 1) if len(places(bounds, z)) <= MOST_TILES]
    return max(fits, default=SHALLOWEST)


def write_maps(
    city: City,
    folder: Path,
    *,
    scope: Scope,
    names: Sequence[str] = tuple(folium_map.MAPS),
    max_zoom: int | None = None,
    lang: str = "zh",
    step: Callable[[str, int, int], None] = lambda _name, _done, _of: None,
) -> Written:
    """Write maps as files: `index.html`, a page per map, `assets/`, `tiles/`.

    Parameters
    ----------
    city
        Snapshot.
    folder
        Where; made if absent, files of the same names are replaced.
    scope
        Whose view: the files hold nothing that it hides.
    names
        Which of the three maps.
    max_zoom
        Deepest zoom; chosen so that no layer has more than `MOST_TILES` tiles when left out.
    lang
        `zh` or `en`.
    step
        Called with the name of a layer, tiles done and tiles in all.

    Returns
    -------
    Written
        Count and size of what was written.

    Raises
    ------
    BadInputError
        If the city has no grids.
    """
    if not len(city.degrees("grids")):
        raise BadInputError("the city has no grids yet, so there is nothing to draw; import grids first")
    bounds = summary.bounds_of(city, scope)
    deepest = deepest_zoom(bounds) if max_zoom is None else max_zoom
    wanted: dict[str, tuple[str, str]] = {}

    def address(name: str, indicator: str, _version: str) -> str:
        directory = f"{name}-{indicator}" if indicator else name
        wanted[directory] = (name, indicator)
        return f"tiles/{directory}/{{z}}/{{x}}/{{y}}.mvt"

    place = folium_map.Place(
        address,
        lambda name: f"{name}.html",
        "assets/",
        ("tiles/listing.js", "search.js"),
        max_zoom=deepest + 1,
    )
    documents: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        document, more = folium_map.page(city, folium_map.theme(name), scope=scope, place=place, lang=lang)
        documents[f"{name}.html"] = document
        used |= set(more)
    documents["index.html"] = _index(city, names)
    folder.mkdir(parents=True, exist_ok=True)
    assets.write(sorted(used), folder / "assets")
    blocks: list[str] = []
    count = 0
    for directory, (name, indicator) in wanted.items():
        selection = tiles.Selection(indicator=indicator)
        for block, content in _blocks(
            city, name, bounds=bounds, deepest=deepest, scope=scope, selection=selection, step=step
        ):
            file = folder / "tiles" / directory / f"{block}.js"
            file.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(content, separators=(",", ":"))
            file.write_text(f'santu.block("{directory}/{block}",{text});\n', "utf-8")
            blocks.append(f"{directory}/{block}")
            count += len(content)
    documents["tiles/listing.js"] = f"santu.files({json.dumps({'shift': SHIFT, 'blocks': blocks})});\n"
    documents["search.js"] = _search(city, scope)
    for name, text in documents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    files = [p for p in folder.rglob("*") if p.is_file()]
    return Written(len(files), sum(p.stat().st_size for p in files), count, deepest)


def _blocks(
    city: City,
    name: str,
    *,
    bounds: Sequence[float],
    deepest: int,
    scope: Scope,
    selection: Selection,
    step: Callable[[str, int, int], None],
) -> Iterator[tuple[str, dict[str, str]]]:
    """Tiles of a layer or group by block; empty tiles and blocks are left out."""
    entries = [_points_by(city, e, deepest) for e in catalog.members(name)]
    todo = [p for z in range(SHALLOWEST - 1, deepest + 1) for p in places(bounds, z)]
    found: dict[str, dict[str, str]] = {}
    for n, (z, x, y) in enumerate(todo):
        raw = b"".join(tiles.tile(city, e, (z, x, y), scope=scope, selection=selection) for e in entries)
        if raw:
            block = found.setdefault(f"{z}-{x >> SHIFT}-{y >> SHIFT}", {})
            block[f"{x}/{y}"] = base64.b64encode(compress(raw)).decode()
        if n % 100 == 99 or n + 1 == len(todo):
            step(name, n + 1, len(todo))
    yield from found.items()


def _points_by(city: City, entry: Layer, deepest: int) -> Layer:
    """Return a layer whose points themselves are shown at the deepest zoom of an export at the latest."""
    start = tiles.points_from(city, entry)
    if start is None or start <= deepest:
        return entry
    return replace(entry, points_from=deepest)


def _search(city: City, scope: Scope) -> str:
    table = search.directory(city)[search.seen(city, scope)]
    rows = [[r["grid_id"], r["name"], r["parent"], r["bbox"], r["at"]] for r in search.rows(table)]
    return f"santu.index={json.dumps(rows, ensure_ascii=False, separators=(',', ':'))};\n"


def _index(city: City, names: Sequence[str]) -> str:
    links = "".join(f'<li><a href="{n}.html">{folium_map.MAPS[n].zh}</a></li>' for n in names)
    return (
        f'<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>{html.escape(city.name)}三图</title>'
        '<link rel="icon" href="data:,"></head>'
        f"<body><h1>{html.escape(city.name)}三图</h1><ul>{links}</ul>"
        f"<p>数据日期 {summary.data_date(city)}</p></body></html>\n"
    )


def write_pmtiles(
    city: City,
    entry: Layer,
    file: BinaryIO,
    *,
    scope: Scope,
    selection: Selection = tiles.NOTHING,
    max_zoom: int = 14,
    step: Callable[[str, int, int], None] = lambda _name, _done, _of: None,
) -> int:
    """Write a layer as one PMTiles archive (version 3, gzip tiles); return the number of tiles.

    Raises
    ------
    BadInputError
        If the layer has nothing to draw.
    """
    bounds = tiles.tilejson_bounds(city, entry)
    todo = [p for z in range(entry.min_zoom, max_zoom + 1) for p in places(bounds, z)]
    todo.sort(key=lambda p: zxy_to_tileid(*p))
    writer = Writer(file)
    count = 0
    for n, place in enumerate(todo):
        raw = tiles.tile(city, entry, place, scope=scope, selection=selection)
        if raw:
            writer.write_tile(zxy_to_tileid(*place), compress(raw))
            count += 1
        if n % 100 == 99 or n + 1 == len(todo):
            step(entry.name, n + 1, len(todo))
    if not count:
        raise BadInputError(
            f"layer {entry.name!r} has nothing to draw in zooms {entry.min_zoom} to {max_zoom}"
        )
    west, south, east, north = (round(v * 1e7) for v in bounds)
    described = tiles.tilejson(city, entry, scope=scope, selection=selection)
    header = {
        "tile_type": TileType.MVT, "tile_compression": Compression.GZIP,
        "min_lon_e7": west, "min_lat_e7": south, "max_lon_e7": east, "max_lat_e7": north,
        "center_zoom": max(entry.min_zoom, 11), "center_lon_e7": (west + east) // 2,
        "center_lat_e7": (south + north) // 2,
    }  # fmt: skip
    kept = ("name", "description", "vector_layers", "santu")
    writer.finalize(header, {k: described[k] for k in kept})
    return count
