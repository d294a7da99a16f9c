"""What a user would write for `GET /locate`: an ordinary FastAPI route over the same index, and one over PostGIS.

Run with `python -m uvicorn --factory tests.benchmarks.lookup_servers:idiomatic`; `SANTU_CITY` or `DATABASE` say over what.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query

from geo.city import City
from geo.store import open_city

Lon = Annotated[float, Query(ge=-180, le=180)]
Lat = Annotated[float, Query(ge=-90, le=90)]


def idiomatic() -> FastAPI:
    """Typed query parameters, a dict out: the answer of `/v1/locate`, found in the same microsecond."""
    return idiomatic_app(open_city(os.environ["SANTU_CITY"]))


def idiomatic_app(city: City) -> FastAPI:
    """Make the same over a city."""
    lookup = city.lookup
    base = lookup.levels["base"]
    find, edge = base.index.one.find, base.index.one.nearest_edge
    chains = [
        [lookup.levels[n].grid(base.above[n][i]) for n in ("town", "village")] + [base.grid(i)]
        for i in range(len(base))
    ]
    app = FastAPI()

    @app.get("/locate")
    async def locate(lon: Lon, lat: Lat) -> dict[str, Any]:
        i = find(lon, lat)
        if i < 0:
            return lookup.answers([lon], [lat])[0]
        metres = round(edge(lon, lat, i)[0], 2)
        return {"lon": lon, "lat": lat, "grids": chains[i], "edge_m": metres, "also": [], "nearest": None}

    return app


def postgis() -> FastAPI:
    """Ask a database that has the grids; eight connections, prepared statements; the code of the grid alone."""
    import psycopg

    free: asyncio.Queue[psycopg.AsyncConnection[Any]] = asyncio.Queue()
    sql = "select min(g) from grids where st_covers(shape, st_setsrid(st_point(%s, %s), 4490))"

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for _i in range(8):
            db = await psycopg.AsyncConnection.connect(
                os.environ["DATABASE"], autocommit=True, prepare_threshold=1
            )
            free.put_nowait(db)
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/locate")
    async def locate(lon: Lon, lat: Lat) -> dict[str, Any]:
        db = await free.get()
        try:
            row = await (await db.execute(sql, (lon, lat), binary=True)).fetchone()
        finally:
            free.put_nowait(db)
        return {"lon": lon, "lat": lat, "grid": row[0] if row else None}

    return app
