"""The application: routers, errors, metrics. `create_app(state)` makes one; nothing is made at import."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp

from api import errors
from api.basemap import basemap_of
from api.fastpath import FastPath
from api.guard import Guard
from api.observe import Observe
from api.routers import (
    addresses,
    console,
    coverage,
    coverage_apart,
    docs,
    grids,
    health,
    hotspots,
    incidents,
    indicators,
    locate,
    maps,
    planner,
    prints,
    situation,
    states,
    static,
    stream,
    tiles,
)
from api.state import ServerState
from api.tilepath import TilePath
from layers.tiles import TileCache

ROUTERS = (
    console.router,
    health.router,
    addresses.router,
    grids.router,
    hotspots.router,
    hotspots.pages,  # before the other maps, whose route takes any name
    coverage.router,
    coverage_apart.router,
    indicators.router,
    incidents.router,
    locate.router,
    states.router,
    situation.router,
    stream.router,
    tiles.router,
    maps.router,
    prints.router,
    planner.router,
    docs.router,
    static.router,
)

DESCRIPTION = """Which grid is this place; what happens there; what do the cameras see.

Longitude first, degrees in WGS-84 / CGCS2000 unless `crs=gcj02|bd09` is given. Errors are
`application/problem+json` with a stable `code`."""


PACK_FROM = 8_192
"""Answers of this many bytes travel compressed to those who take it: a list of open incidents is a tenth of its size."""
PACKED_ALREADY = (
    *DEFAULT_EXCLUDED_CONTENT_TYPES,
    "application/geopackage+sqlite3",
    "application/pdf",
    "application/vnd.apache.arrow.stream",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)


def create_app(state: ServerState) -> FastAPI:
    """Make the application that serves one city."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.ready = True
        threading.Thread(target=state.warm, name="warm", daemon=True).start()
        threading.Thread(target=app.openapi, name="openapi", daemon=True).start()  # the console asks for it
        yield
        app.state.ready = False
        stream.hub_of(state, app.state).close()
        state.close()

    app = FastAPI(
        title="Santu 三图",
        description=DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,  # `routers.docs`, which needs no internet
        redoc_url=None,
    )
    app.state.server = state
    app.state.ready = False
    app.state.basemap = basemap_of(state.settings.basemap, state.settings.basemap_attribution)
    app.state.tiles = TileCache(state.settings.tile_cache_mb)
    errors.install(app)
    app.add_middleware(
        GZipMiddleware, minimum_size=PACK_FROM, compresslevel=1, exclude_content_types=PACKED_ALREADY
    )
    app.add_middleware(Guard, hosts=state.settings.hosts, basemap=app.state.basemap.url)
    app.add_middleware(Observe, max_body=state.settings.max_body_mb * 1_000_000)
    for router in ROUTERS:
        app.include_router(router)
    return app


def asgi(state: ServerState) -> ASGIApp:
    """Make what the server runs."""
    app = create_app(state)
    return TilePath(FastPath(app, state), state, app.state.tiles)
