"""A short way for the two requests that carry the load: `GET /v1/locate?lon=…&lat=…` and `POST /v1/locate`.

It stands before the application and answers the ordinary spelling only. Everything else, other parameters,
other number formats, values out of range, bodies that are long or wrong, a scope that does not reach the whole
city, goes on to the application, whose documentation, validation and errors stay the only ones. The bytes of
the answer come from `api.point` and `api.bulk` either way.
"""

import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import bulk
from api.observe import HEADERS, REQUESTS, SECONDS
from api.point import PointAnswers, point_answers
from api.state import ServerState
from geo.city import City
from geo.errors import BadInputError

ROUTE = "/v1/locate"
ORDINARY = re.compile(rb"lon=(-?[0-9]{1,3}(?:\.[0-9]{1,17})?)&lat=(-?[0-9]{1,2}(?:\.[0-9]{1,17})?)").fullmatch
FIXED = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
JSON = [(b"content-type", b"application/json"), *FIXED]
ARROW = [(b"content-type", bulk.ARROW.encode()), *FIXED]


FORMS = {b"application/json": False, bulk.ARROW.encode(): True}  # whether it is Arrow


class FastPath:
    """ASGI application around another one."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self.app = app
        self.state = state
        self._city: City | None = None
        self._answers: PointAnswers | None = None
        self._count = {m: REQUESTS.labels(m, ROUTE, 200).inc for m in ("GET", "POST")}
        self._time = SECONDS.labels(ROUTE).observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an ordinary request, pass any other on."""
        if scope["type"] != "http" or scope["path"] != ROUTE or scope["method"] not in self._count:
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()
        answers = self._answers if self.state.city is self._city else self._prepared()
        if answers is None:
            await self.app(scope, receive, send)
            return
        body: bytes | memoryview | None
        head = JSON
        if scope["method"] == "GET":
            body = _point(answers, scope["query_string"])
        elif (form := _form(scope)) is None:
            body = None
        else:
            given = await _read(receive)
            if given is None:  # who asked is gone
                return
            receive = _again(given, receive)
            body, head = self._many(given, arrow=form), ARROW if form else JSON
        if body is None:
            await self.app(scope, receive, send)
            return
        self._count[scope["method"]]()
        self._time(time.perf_counter() - begin)
        headers = [*head, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _many(self, body: bytes, *, arrow: bool) -> memoryview | None:
        try:
            return bulk.answer(self.state.city, body, arrow=arrow)
        except BadInputError:  # the application says so in its own words
            return None

    def _prepared(self) -> PointAnswers | None:
        """Answers over a snapshot that has just been taken; None where callers do not see the whole city."""
        city = self.state.city
        if not self.state.scope.whole_city:
            return None
        self._city, self._answers = city, point_answers(city)
        return self._answers


def _point(answers: PointAnswers, query: bytes) -> bytes | None:
    given = ORDINARY(query)
    if given is None:
        return None
    lon, lat = float(given[1]), float(given[2])
    return answers.body(lon, lat) if -180 <= lon <= 180 and -90 <= lat <= 90 else None


def _form(scope: Scope) -> bool | None:
    """Whether a body is Arrow or JSON; None where it is neither for sure, or too long to answer on the spot."""
    given = dict(scope["headers"])
    length = given.get(b"content-length", b"")
    if scope["query_string"] or not length.isdigit() or int(length) > bulk.AT_ONCE:
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
