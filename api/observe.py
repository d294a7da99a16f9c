"""Counts, times and stamps every answer (观测): plain ASGI, so that streams and sockets pass untouched."""

import logging
import time

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from geo.store.addresses import query_hash

REQUESTS = Counter("santu_requests", "Requests by method, route and status", ["method", "route", "status"])
SECONDS = Histogram(
    "santu_request_seconds",
    "Time to the first byte of the answer by route",
    ["route"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
log = logging.getLogger("santu.address")
HEADERS = {"X-Content-Type-Options": "nosniff"}  # what only pages need is in `api.guard`


def note_query(what: str, text: str, outcome: str) -> None:
    """Log that an address was asked for: a hash of the text, never the text (日志只记摘要)."""
    if log.isEnabledFor(logging.INFO):
        log.info("%s %s %s", what, query_hash(text), outcome)


class Observe:
    """ASGI middleware: metrics by route, headers that every answer carries, no body over the limit."""

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self.app = app
        self.max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", "other")
                REQUESTS.labels(scope["method"], path, message["status"]).inc()
                SECONDS.labels(path).observe(time.perf_counter() - begin)
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and int(length) > self.max_body:
            answer = problem(413, "too-large", f"The body is over {self.max_body} bytes; send it in parts.")
            await answer(scope, receive, observed)
            return
        await self.app(scope, self._bounded(receive), observed)

    def _bounded(self, receive: Receive) -> Receive:
        """Stop reading a body that was sent without its length once it is over the limit."""
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.max_body:
                raise HTTPException(413, f"The body is over {self.max_body} bytes; send it in parts.")
            return message

        return bounded
