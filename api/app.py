"""The application: routers, errors, metrics. `create_app(state)` makes one; nothing is made at import."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp

from api import errors
from api.routers import grids, health, incidents, indicators
from api.state import ServerState

ROUTERS = (health.router, grids.router, indicators.router, incidents.router)

DESCRIPTION = """Which grid is this place; what happens there; what do the cameras see.

Longitude first, degrees in WGS-84 / CGCS2000 unless `crs=gcj02|bd09` is given. Errors are
`application/problem+json` with a stable `code`."""


def create_app(state: ServerState) -> FastAPI:
    """Make the application that serves one city."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.ready = True
        yield
        app.state.ready = False
        if state.store is not None:
            state.store.close()

    app = FastAPI(title="Santu 三图", description=DESCRIPTION, version="0.1.0", lifespan=lifespan)
    app.state.server = state
    app.state.ready = False
    errors.install(app)
    app.middleware("http")(_observe)
    for router in ROUTERS:
        app.include_router(router)
    return app


async def _observe(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
    """Count and time every request by route; refuse a body that is too large before reading it."""
    begin = time.perf_counter()
    limit = request.app.state.server.settings.max_body_mb * 1_000_000
    if int(request.headers.get("content-length") or 0) > limit:
        return errors.problem(413, "too-large", f"The body is over {limit} bytes; send it in parts.")
    response = await call(request)
    route = request.scope.get("route")
    path = getattr(route, "path", "other")
    health.REQUESTS.labels(request.method, path, response.status_code).inc()
    health.SECONDS.labels(path).observe(time.perf_counter() - begin)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response


def asgi(state: ServerState) -> ASGIApp:
    """Make what the server runs."""
    return create_app(state)
