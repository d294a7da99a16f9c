"""The three maps as pages, and the search of grids that they use (三张地图)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from api.deps import CityDep, ScopeDep
from layers import folium_map
from layers.search import find_cameras, find_grids

router = APIRouter(prefix="/maps", tags=["maps"])


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
