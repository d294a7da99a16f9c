"""A short way for the one request that comes thousands of times a second: `GET /v1/locate?lon=…&lat=…`.

It stands before the application and answers the ordinary spelling only. Everything else, other parameters,
other number formats, values out of range, a scope that does not reach the whole city, goes on to the
application, whose documentation, validation and errors stay the only ones. The bytes of the answer come from
`api.point` either way.
"""

import re
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from api.observe import HEADERS, REQUESTS, SECONDS
from api.point import PointAnswers, point_answers
from api.state import ServerState
from geo.city import City

ROUTE = "/v1/locate"
ORDINARY = re.compile(rb"lon=(-?[0-9]{1,3}(?:\.[0-9]{1,17})?)&lat=(-?[0-9]{1,2}(?:\.[0-9]{1,17})?)").fullmatch
FIXED = [(b"content-type", b"application/json")] + [
    (k.lower().encode(), v.encode()) for k, v in HEADERS.items()
]


class FastPath:
    """ASGI application around another one."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self.app = app
        self.state = state
        self._city: City | None = None
        self._answers: PointAnswers | None = None
        self._count = REQUESTS.labels("GET", ROUTE, 200).inc
        self._time = SECONDS.labels(ROUTE).observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an ordinary request, pass any other on."""
        if scope["type"] != "http" or scope["path"] != ROUTE or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()
        given = ORDINARY(scope["query_string"])
        answers = self._answers if self.state.city is self._city else self._prepared()
        if given is None or answers is None:
            await self.app(scope, receive, send)
            return
        lon, lat = float(given[1]), float(given[2])
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            await self.app(scope, receive, send)
            return
        body = answers.body(lon, lat)
        self._count()
        self._time(time.perf_counter() - begin)
        headers = [*FIXED, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _prepared(self) -> PointAnswers | None:
        """Answers over a snapshot that has just been taken; None where callers do not see the whole city."""
        city = self.state.city
        if not self.state.scope.whole_city:
            return None
        self._city, self._answers = city, point_answers(city)
        return self._answers
