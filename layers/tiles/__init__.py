"""Vector tiles of every layer of a city (矢量瓦片): `tile` for the bytes, `tilejson` for their description.

What a scope hides and what a selection leaves out is gone **before** anything is encoded. A tile is a pure
function of (table versions, layer, place, scope, selection): `etag` names it, `TileCache` keeps it compressed.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from geo.indicators import indicator
from geo.scope import check_grid
from layers import catalog, style, values
from layers.tiles.cache import TileCache, compress, etag, etag_of
from layers.tiles.mvt import tile_bounds
from layers.tiles.points import squares
from layers.tiles.selection import NOTHING, Selection, parse
from layers.tiles.source import Areas, Crowd, indicator_columns, source, visible

ranked = values.ranked

if TYPE_CHECKING:
    from geo.city import City
    from geo.scope import Scope
    from layers.catalog import Layer

__all__ = [
    "NOTHING",
    "Selection",
    "TileCache",
    "compress",
    "etag",
    "etag_of",
    "indicator",
    "legend",
    "parse",
    "points_from",
    "ranked",
    "squares",
    "tile",
    "tilejson",
    "tilejson_bounds",
]


def tile(
    city: City, entry: Layer, place: tuple[int, int, int], *, scope: Scope, selection: Selection = NOTHING
) -> bytes:
    """Encode one tile of one layer.

    Parameters
    ----------
    city
        Snapshot.
    entry
        Layer of the catalog.
    place
        z, x, y of the tile.
    scope
        Whose view: what it hides is not in the tile.
    selection
        Which rows, and for grids which indicator.

    Returns
    -------
    bytes
        A Mapbox Vector Tile, not compressed; empty where nothing is to be drawn.

    Raises
    ------
    BadInputError
        If there is no such tile.
    NotFoundError, ForbiddenError
        If the selection names a grid that does not exist or that the scope does not reach.
    """
    tile_bounds(*place)
    if selection.grid:
        check_grid(city.degrees("grids"), scope, selection.grid)
    if place[0] < entry.min_zoom:
        return b""
    keep = visible(city, entry, scope, selection.grid)
    made = source(city, entry)
    if isinstance(made, Crowd):
        start = made.points_from if entry.points_from is None else entry.points_from
        return made.encode(place, keep, selection, points_from=start)
    more = indicator_columns(city, selection.indicator, entry, scope=scope) if selection.indicator else {}
    return made.encode(place, keep, more, carried=selection.carried)


def points_from(city: City, entry: Layer) -> int | None:
    """First zoom at which a layer shows points themselves; None for lines, areas and what is never crowded."""
    made = source(city, entry)
    return made.points_from if isinstance(made, Crowd) and entry.crowd != "none" else None


def legend(city: City, entry: Layer, *, scope: Scope, selection: Selection = NOTHING) -> style.Style:
    """Return how a layer looks: its own style, or the ranks of the indicator that is asked for."""
    if not selection.indicator:
        return entry.style
    depth = {"towns": 1, "villages": 2, "micro_grids": 4}.get(entry.name, 3)
    return values.indicator_style(city, indicator(selection.indicator), depth, scope=scope)


def tilejson(
    city: City, entry: Layer, *, scope: Scope, base: str = "", selection: Selection = NOTHING, query: str = ""
) -> dict[str, Any]:
    """Describe a layer's tiles (TileJSON 3.0), with its legend and the words of its fields.

    `bounds` are those of the city's grids (else of the layer). The address of the tiles holds the version of
    the data, so that a browser may keep them for ever.
    """
    version = etag(city, entry, scope, selection).strip('"')
    address = (
        f"{base}/tiles/{entry.name}/{{z}}/{{x}}/{{y}}.mvt?" + (f"{query}&" if query else "") + f"v={version}"
    )
    bounds = tilejson_bounds(city, entry)
    made = source(city, entry)
    keep = visible(city, entry, scope, selection.grid)
    rows = len(made.full) if isinstance(made, Areas) else len(made.frame)
    return {
        "tilejson": "3.0.0",
        "name": entry.name,
        "description": entry.zh,
        "tiles": [address],
        "minzoom": entry.min_zoom,
        "maxzoom": entry.max_zoom,
        "bounds": bounds,
        "vector_layers": [
            {"id": entry.name, "description": entry.zh, "fields": dict(catalog.field_names(entry))}
        ],
        "santu": {
            "title": {"zh": entry.zh, "en": entry.en},
            "geometry": entry.geometry,
            "rows": rows if keep is None else int(keep.sum()),
            "crowd": entry.crowd,
            "points_from": made.points_from if isinstance(made, Crowd) else None,
            "filters": [*entry.filters, *(("since", "until") if entry.time else ()), "grid"],
            "style": legend(city, entry, scope=scope, selection=selection).as_json(),
            "density": [asdict(e) for e in style.DENSITY] if entry.crowd == "density" else [],
            "words": {k: dict(v) for k, v in catalog.words(entry).items()},
        },
    }


def tilejson_bounds(city: City, entry: Layer) -> list[float]:
    """West, south, east, north in degrees of the grids, else of the layer, else of the world."""
    frame = city.degrees("grids")
    if frame.empty:  # the layer's own rows may be costly: only if there is no grid
        frame = catalog.entry_rows(city, entry)
    if len(frame):
        return [round(float(v), 6) for v in frame.to_crs(city.lonlat_crs).total_bounds]
    return [-180.0, -85.0, 180.0, 85.0]
