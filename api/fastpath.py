"""A short way for the two requests that carry the load: `GET /v1/locate?lon=…&lat=…` and `POST /v1/locate`.

It answers the ordinary spelling only. Everything else, other parameters, other number formats, values out of range,
headers that could change the answer, bodies that are long or wrong, a scope that does not reach the whole city, goes
on to the application, whose documentation, validation and errors stay the only ones. The bytes of the answer come
from `api.point` and `api.bulk` either way.

One point is answered where the connection is read (`Connection`), because finding it takes a tenth of what it
takes to describe a request to an ASGI application; many points are answered by an ASGI application before the
other (`FastPath`).
"""

import asyncio
import re
import time
from typing import Any, ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api import bulk
from api.guard import answers_to
from api.observe import HEADERS, TALLY
from api.point import PointAnswers, point_answers
from api.state import ServerState
from geo.city import City
from geo.errors import BadInputError

ROUTE = "/v1/locate"
FIXED = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
JSON = [(b"content-type", b"application/json"), *FIXED]
ARROW = [(b"content-type", bulk.ARROW.encode()), *FIXED]
FORMS = {b"application/json": False, bulk.ARROW.encode(): True}  # whether it is Arrow

BEGIN = b"GET /v1/locate?lon="
LINE = re.compile(
    rb"GET /v1/locate\?lon=(-?[0-9]{1,3}(?:\.[0-9]{1,17})?)&lat=(-?[0-9]{1,2}(?:\.[0-9]{1,17})?) HTTP/1\.1\r\n"
).match
# Lines that change neither the answer nor where a request ends: no body, no upgrade, no close, no credentials.
PLAIN = re.compile(
    rb"(?:(?:(?:host|user-agent|referer|origin|cache-control|pragma|dnt|priority|forwarded|via|traceparent|tracestate"
    rb"|accept(?:-[a-z]+)?|sec-(?:fetch|ch|gpc)[a-z-]*|x-(?:forwarded|real|request|correlation)-[a-z]+"
    rb"):[\t -~\x80-\xff]*|connection:[ ]?keep-alive)\r\n)*\r\n",
    re.IGNORECASE,
).fullmatch
HOSTS = re.compile(rb"^host:[ \t]*(.*?)[ \t]*\r$", re.IGNORECASE | re.MULTILINE).findall
REMEMBERED = 1000  # clients send the same lines again and again
LONGEST = 4096  # bytes of header lines; longer ones are the application's, and none is remembered
HEAD = b"HTTP/1.1 200 OK\r\n%bcontent-length: "
TAIL = b"\r\n%b\r\n" % b"".join(b"%b: %b\r\n" % line for line in JSON)


class ShortWay:
    """Answers to ordinary requests for one point: bytes in, bytes out."""

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self._city: City | None = None
        self._answers: PointAnswers | None = None
        self._hosts = frozenset(map(str.lower, state.settings.hosts))
        self._plain: set[bytes] = set()
        self._given: list[tuple[bytes, bytes]] | None = None
        self._head = b""
        self._time = TALLY.of(ROUTE).add

    def answer(self, request: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
        """Answer a whole request with the server's `headers` and those of the application; None: ask that."""
        begin = time.perf_counter()
        line = LINE(request)
        answers = self._answers if self.state.city is self._city else self._prepared()
        if line is None or answers is None or not self._ordinary(request[line.end() :]):
            return None
        lon, lat = float(line[1]), float(line[2])
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            return None
        body = answers.body(lon, lat)
        if headers is not self._given:  # the server makes new ones every second
            self._given, self._head = headers, HEAD % b"".join(b"%b: %b\r\n" % line for line in headers)
        TALLY.requests["GET", ROUTE, 200] += 1
        self._time(time.perf_counter() - begin)
        return b"%b%d%b%b" % (self._head, len(body), TAIL, body)

    def _ordinary(self, lines: bytes) -> bool:
        """Whether header lines are plain and name this server."""
        if lines in self._plain:
            return True
        hosts = HOSTS(lines) if len(lines) <= LONGEST and PLAIN(lines) else ()
        if len(hosts) != 1 or not answers_to(hosts[0].decode("latin-1"), self._hosts):
            return False
        if len(self._plain) >= REMEMBERED:
            self._plain.clear()
        self._plain.add(lines)
        return True

    def _prepared(self) -> PointAnswers | None:
        """Answers over a snapshot that has just been taken; None where callers do not see the whole city."""
        city = self.state.city
        if not self.state.scope.whole_city:
            return None
        self._city, self._answers = city, point_answers(city)
        return self._answers


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP connection, which answers an ordinary request for one point at once.

    Only where nothing else is under way on the connection and the request has come as a whole and alone: whatever is
    cut in pieces or sent behind another request is left to uvicorn, so answers keep their order.
    """

    short: ClassVar[ShortWay]

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # uvicorn's
        super().__init__(*arguments, **named)
        self._short = not (self.config.access_log or self.limit_concurrency or self.root_path)
        self._between = True  # requests
        self._answered_at = 0.0

    def data_received(self, data: bytes) -> None:
        """Answer, or let uvicorn read."""
        if (
            self._between
            and self._short
            and data.startswith(BEGIN)
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
        ):
            answer = self.short.answer(data, self.server_state.default_headers)
            if answer is not None:
                self.transport.write(answer)
                self.server_state.total_requests += 1
                self._answered_at = self.loop.time()
                if self.timeout_keep_alive_task is None:
                    self._close_later(self.timeout_keep_alive)
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that a request was read to its end."""
        super().on_message_complete()
        self._between = True

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing has come for a while: the clock is not set anew for every answer."""
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._close_later(left)
        else:
            super().timeout_keep_alive_handler()

    def _close_later(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)


def connection(state: ServerState) -> type[asyncio.Protocol]:
    """Make what `uvicorn.run(http=…)` wants, for the city of a server."""
    return type("Connection", (Connection,), {"short": ShortWay(state)})


class FastPath:
    """ASGI application around another one, for many points."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self.app = app
        self.state = state
        self._hosts = frozenset(map(str.lower, state.settings.hosts))
        self._time = TALLY.of(ROUTE).add

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an ordinary request, pass any other on."""
        if scope["type"] != "http" or scope["path"] != ROUTE or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()
        form = self._form(scope) if self.state.scope.whole_city else None
        if form is None:
            await self.app(scope, receive, send)
            return
        given = await _read(receive)
        if given is None:  # who asked is gone
            return
        body = self._many(given, arrow=form)
        if body is None:
            await self.app(scope, _again(given, receive), send)
            return
        TALLY.requests["POST", ROUTE, 200] += 1
        self._time(time.perf_counter() - begin)
        headers = [*(ARROW if form else JSON), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _many(self, body: bytes, *, arrow: bool) -> memoryview | None:
        try:
            return bulk.answer(self.state.city, body, arrow=arrow)
        except BadInputError:  # the application says so in its own words
            return None

    def _form(self, scope: Scope) -> bool | None:
        """Whether a body is Arrow or JSON; None where it is neither for sure, too long, or not for us to answer."""
        given = dict(scope["headers"])
        length = given.get(b"content-length", b"")
        if scope["query_string"] or not length.isdigit() or int(length) > bulk.AT_ONCE:
            return None
        host = given.get(b"host", b"").decode("latin-1")
        if b"origin" in given or not answers_to(host, self._hosts):
            return None
        return FORMS.get(given.get(b"content-type", b""))


async def _read(receive: Receive) -> bytes | None:
    """Read the whole body; None where the connection ended first."""
    parts = []
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Let a body that was read be read once more."""
    left = [body]

    async def replay() -> Message:
        return {"type": "http.request", "body": left.pop()} if left else await receive()

    return replay
