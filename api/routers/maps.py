"""The three maps as pages, and the search of grids that they use (三张地图)."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from api.box import parse_box
from api.deps import CityDep, ScopeDep
from layers import folium_map, picture
from layers.search import find_cameras, find_grids

router = APIRouter(prefix="/maps", tags=["maps"])


sheets = APIRouter(prefix="/v1", tags=["maps"])


@sheets.get("/print.{form}", response_class=Response,
            responses={200: {"content": {"image/png": {}, "application/pdf": {}}}})  # fmt: skip
def print_map(
    form: Literal["png", "pdf"],
    city: CityDep,
    scope: ScopeDep,
    map: Annotated[str, Query(description="people, hazards, facilities or daily")] = "hazards",  # noqa: A002
    layers: Annotated[str, Query(description="Layers from bottom to top, instead of those of the map")] = "",
    indicator: Annotated[str | None, Query(description="Colours the grid layer")] = None,
    bbox: Annotated[
        str, Query(description="west,south,east,north in degrees; default: the whole scope")
    ] = "",
    width: int = 1600,
    height: int = 1130,
    title: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """Return a map view as a picture to print, with title, legend, scale, north, date and scope."""
    view = picture.view_of(city, map, bbox=parse_box(bbox), width=width, height=height)
    if layers:
        view = replace(view, layers=tuple(layers.split(",")), indicator="", title=city.name)
    if indicator is not None:
        view = replace(view, indicator=indicator)
    if title:
        view = replace(view, title=title)
    body = picture.picture(city, view, scope=scope, form=form)
    media = "image/png" if form == "png" else "application/pdf"
    return Response(body, media_type=media, headers={"Cache-Control": "private, no-cache"})


@router.get("/search")
def search_grids(
    city: CityDep, scope: ScopeDep, q: Annotated[str, Query(min_length=1, max_length=64)], limit: int = 12
) -> list[dict[str, Any]]:
    """Return grids whose code begins with, or whose name contains, the text."""
    return find_grids(city, q, scope=scope, limit=min(max(limit, 1), 100))


@router.get("/search/cameras")
def search_cameras(
    city: CityDep, scope: ScopeDep, q: Annotated[str, Query(min_length=1, max_length=64)], limit: int = 12
) -> list[dict[str, Any]]:
    """Return cameras whose code begins with, or whose name contains, the text."""
    return find_cameras(city, q, scope=scope, limit=min(max(limit, 1), 100))


@router.get("/{name}", response_class=Response, responses={200: {"content": {"text/html": {}}}})
def map_page(
    name: str,
    request: Request,
    city: CityDep,
    scope: ScopeDep,
    lang: Literal["zh", "en"] = "zh",
) -> Response:
    """Return one of the three maps: `people`, `hazards`, `facilities`."""
    chosen = folium_map.theme(name)
    basemap = request.app.state.basemap
    key = f"page:{name}:{lang}:{scope.key}:{basemap}"
    depends = ("grids", "people", "hazards", "incidents", "facilities", "cameras", "boundary", "roads",
               "water", "buildings")  # fmt: skip
    document, _ = city.derive(
        key,
        depends,
        lambda: folium_map.page(city, chosen, scope=scope, basemap=basemap, lang=lang),
    )
    return Response(document, media_type="text/html", headers={"Cache-Control": "private, no-cache"})
