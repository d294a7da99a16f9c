"""Live changes to open pages: WebSocket, and Server-Sent Events where that is not possible (实时推送).

A browser opens only six connections to one origin for Server-Sent Events, and a wall has more tabs: pages use
the WebSocket first. Both carry the same messages and ids and resume with the last id seen.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from api.deps import CityDep, ScopeDep
from api.hub import KINDS, Hub, TooSlowError, Want
from api.state import ServerState
from geo.city import City
from geo.errors import SantuError, UnknownNameError
from geo.scope import Scope, check_grid

router = APIRouter(prefix="/v1/stream", tags=["stream"])

Kinds = Annotated[str, Query(description=f"Comma-separated: {', '.join(KINDS)}; none: all")]
Grid = Annotated[str, Query(description="Only what happens in this grid or below it")]
Since = Annotated[str, Query(description="Id of the last message seen; what was missed comes first")]

AGAIN, REFUSED = 1013, 1008  # RFC 6455: try again later; policy violation


def get_hub(request: Request) -> Hub:
    """Return the server's hub."""
    return hub_of(request.app.state.server, request.app.state)


def hub_of(state: ServerState, app_state: object) -> Hub:
    """Return the hub of an application; made at the first use."""
    hub: Hub | None = getattr(app_state, "hub", None)
    if hub is None:
        hub = Hub(state.live, lambda: state.city)
        app_state.hub = hub  # type: ignore[attr-defined]
    return hub


def wanted(city: City, scope: Scope, kinds: str, grid: str) -> Want:
    """Parse what a client asks for.

    Raises
    ------
    UnknownNameError, NotFoundError, ForbiddenError
        For a kind or a grid that does not exist, and for a grid outside the scope.
    """
    names = frozenset(k for k in kinds.split(",") if k)
    for name in sorted(names - KINDS.keys()):
        raise UnknownNameError("kind of change", name, KINDS)
    if grid:
        check_grid(city.degrees("grids"), scope, grid)
    return Want(scope, names, grid)


@router.get("")
async def server_sent_events(
    city: CityDep,
    scope: ScopeDep,
    hub: Annotated[Hub, Depends(get_hub)],
    kinds: Kinds = "",
    grid: Grid = "",
    since: Since = "",
    last_event_id: Annotated[str, Header()] = "",
) -> StreamingResponse:
    """Send changes as Server-Sent Events; each has an `id`, and `Last-Event-ID` (or `since`) resumes."""
    want = wanted(city, scope, kinds, grid)

    async def events() -> AsyncIterator[str]:
        with contextlib.suppress(TooSlowError), hub.subscribe(want, last_event_id or since) as client:
            yield "retry: 2000\n\n"
            async for text, number in client:
                yield f"id: {number}\ndata: {text}\n\n"

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


@router.websocket("")
async def web_socket(socket: WebSocket, kinds: Kinds = "", grid: Grid = "", since: Since = "") -> None:
    """Send changes as WebSocket messages. Closed with 1013 when the client is too slow: connect again."""
    state: ServerState = socket.app.state.server
    await socket.accept()
    try:
        want = wanted(state.city, state.scope, kinds, grid)
    except SantuError as error:
        await socket.close(REFUSED, str(error).encode()[:120].decode(errors="ignore"))
        return
    hub = hub_of(state, socket.app.state)
    with hub.subscribe(want, since) as client:
        gone = asyncio.ensure_future(_until_gone(socket, client.close))
        try:
            async for text, _ in client:
                await socket.send_text(text)
        except TooSlowError:
            await socket.close(AGAIN, "too slow: connect again with the last id")
        except (WebSocketDisconnect, RuntimeError):  # the other end is gone
            pass
        finally:
            gone.cancel()


async def _until_gone(socket: WebSocket, close: object) -> None:
    """Read and ignore what the client says until it leaves."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive_text()
    close()  # type: ignore[operator]
