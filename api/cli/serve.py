"""`santu serve`: the pages and the API."""

import contextlib
import gc
import logging
import sys
import threading
from typing import Annotated

import typer
import uvicorn

from api import first_view
from api.app import asgi
from api.cli.base import DEFAULT_CITY, CityOption, err
from api.fastpath import connection
from api.heap import give_back
from api.hotwatch import HotWatch
from api.point import point_answers
from api.routers.hotspots import risk_now
from api.settings import Settings
from api.state import ServerState, open_state
from api.weekly import Weekly
from geo import covered, situation
from geo.errors import NotFoundError, SantuError
from geo.store import addresses
from layers import hot_page
from layers.folium_map import warm

SWITCH_S = (
    0.0005  # threads that make tiles or figures let the loop that pushes changes have its turn this soon
)


def serve(
    city: CityOption = DEFAULT_CITY,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535)] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Log what is asked: of an address only a hash, never its text")
    ] = False,
) -> None:
    """Serve a city: pages at /, API under /v1, documentation at /docs (启动服务)."""
    given = {"city": city, "host": host, "port": port}
    settings = Settings(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    if verbose:
        logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
        logging.getLogger("santu").setLevel(logging.INFO)
    sys.setswitchinterval(SWITCH_S)
    state = open_state(settings)
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        err.print(
            f"warning: listening on {settings.host}: everyone who reaches it has role {settings.role!r}"
        )
    err.print(f"Santu 三图 · {state.city.name} · http://{settings.host}:{settings.port}/", markup=False)
    warmer = threading.Thread(target=_prepare, args=(state,), daemon=True)
    warmer.start()  # answers do not wait for it; the first visitor does not wait for what it has done
    uvicorn.run(
        asgi(state),
        http=connection(state),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,  # its lines hold the query, and a query may hold an address
        server_header=False,
        ws_per_message_deflate=False,  # compressing the same batch once per client costs more than it saves
        timeout_graceful_shutdown=3,  # open streams do not end by themselves
    )


def _prepare(state: ServerState) -> None:
    """Make what visitors would wait for, in the order in which they ask; then watch and forecast."""
    city, scope = state.city, state.scope
    point_answers(city)  # before all else: what is asked most, and what everything else uses
    first_view.prepare(city, scope=scope)
    addresses.warm(city)
    situation.warm(city, scope=scope)
    warm(city, scope=scope)
    give_back()
    covered.warm(city)
    give_back()
    with contextlib.suppress(NotFoundError):  # too few incidents for a risk
        risk_now(state.store, city, None)
        hot_page.document(city, scope=scope, scores=[])
    gc.collect()
    give_back()
    gc.freeze()  # a city is millions of objects that stay: looking through them again and again holds up the stream
    watch = HotWatch(state)
    with contextlib.suppress(SantuError):
        watch.step()  # learns what is hot now
    state.prepared.set()
    threading.Thread(target=Weekly(state).run, name="weekly", daemon=True).start()
    watch.run()


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(serve)
