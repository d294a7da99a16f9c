"""Vector tiles and their descriptions (矢量瓦片, TileJSON). CPU work: every route is a plain `def`."""

import gzip
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.deps import CityDep, ScopeDep, StateDep
from geo.city import City
from geo.scope import Scope
from layers import catalog, tiles
from layers.tiles import Selection, TileCache

router = APIRouter(prefix="/tiles", tags=["tiles"])

MEDIA = "application/vnd.mapbox-vector-tile"
FOR_EVER = "private, max-age=31536000, immutable"
ASK_FIRST = "private, no-cache"
AsOf = Annotated[date | None, Query(description="Grids of this date")]


@router.get("")
def list_layers(city: CityDep) -> list[dict[str, Any]]:
    """Return every layer that has data, in drawing order, with the address of its TileJSON."""
    return [
        {"name": e.name, "zh": e.zh, "en": e.en, "geometry": e.geometry, "tilejson": f"/tiles/{e.name}.json"}
        for e in catalog.present(city)
    ]


@router.get("/{layer}.json")
def describe_layer(
    layer: str, request: Request, city: CityDep, scope: ScopeDep, as_of: AsOf = None
) -> dict[str, Any]:
    """Return the TileJSON of a layer with its legend; query parameters select as in its tiles."""
    entry = catalog.layer(layer)
    city = city if as_of is None else city.as_of(as_of)
    selection = _selection((entry,), request, city)
    asked = "&".join(f"{k}={v}" for k, v in request.query_params.items() if k != "v")
    base = str(request.base_url).rstrip("/")
    return tiles.tilejson(city, entry, scope=scope, base=base, selection=selection, query=asked)


@router.get(
    "/{layer}/{z}/{x}/{y}.mvt",
    response_class=Response,
    responses={
        200: {"content": {MEDIA: {}}, "description": "A Mapbox Vector Tile, gzip"},
        204: {"description": "Nothing here"},
        304: {"description": "Not changed"},
    },
)
def vector_tile(
    layer: str,
    z: int,
    x: int,
    y: int,
    request: Request,
    state: StateDep,
    city: CityDep,
    scope: ScopeDep,
    as_of: AsOf = None,
) -> Response:
    """Return one tile of a layer, or of a group of layers (`basemap`, `borders`).

    Beside the filters of the layer (`category`, `since`, `grid`, `indicator` …) the address may hold `fields`,
    the only properties that travel with each feature, and `v`, the version from the TileJSON of the same address,
    or of the layer without filters: then the answer may be kept for ever.
    """
    members = catalog.members(layer)
    if scope.sees_secret and any(e.cut == "camera" for e in members) and state.holds_secret:
        state.audit_read(scope, f"secret cameras: layer {layer}")
    city = city if as_of is None else city.as_of(as_of)
    selection = _selection(members, request, city)
    tag = tiles.etag_of(city, members, scope, selection)
    fresh = request.query_params.get("v") in _versions(city, members, scope, selection, tag)
    headers = {"ETag": tag, "Cache-Control": FOR_EVER if fresh else ASK_FIRST, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    cache: TileCache = request.app.state.tiles
    data = cache.get(tag, (z, x, y), lambda: _joined(city, members, (z, x, y), scope, selection))
    if not data:
        return Response(status_code=204, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(gzip.decompress(data), headers=headers, media_type=MEDIA)
    return Response(data, headers=headers | {"Content-Encoding": "gzip"}, media_type=MEDIA)


def _versions(
    city: City, members: tuple[catalog.Layer, ...], scope: Scope, selection: Selection, tag: str
) -> set[str]:
    """Versions that fix what a tile holds; an indicator rests on more tables than the layer itself."""
    plain = Selection(indicator=selection.indicator)
    return {t.strip('"') for t in (tag, tiles.etag_of(city, members, scope, plain))}


def _joined(
    city: City,
    members: tuple[catalog.Layer, ...],
    place: tuple[int, int, int],
    scope: Scope,
    selection: Selection,
) -> bytes:
    return b"".join(tiles.tile(city, e, place, scope=scope, selection=selection) for e in members)


def _selection(members: tuple[catalog.Layer, ...], request: Request, city: City) -> Selection:
    asked = {k: v for k, v in request.query_params.items() if k not in ("v", "as_of")}
    return tiles.parse(members[0], asked, timezone=city.timezone)
