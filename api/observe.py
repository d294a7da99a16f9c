"""Counts, times and stamps every answer (观测): plain ASGI, so that streams and sockets pass untouched."""

import logging
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import REGISTRY, CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from geo.store.addresses import query_hash

BUCKETS_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)


class Times:
    """How long the answers of one route took, as a histogram."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one answer."""
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Answers that took at most as long as each bound, as Prometheus wants them."""
        total, found = 0, []
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


class Tally(Collector):
    """Requests by method, route and status, and their times by route (请求计数).

    Plain numbers, added to on the event loop only, and made into samples when they are asked for: the library's
    own counters lock on every request, which is a tenth of what `/v1/locate` costs.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.times: dict[str, Times] = {}

    def of(self, route: str) -> Times:
        """Times of a route."""
        return self.times.setdefault(route, Times())

    def collect(self) -> Iterator[Metric]:
        """Yield the two metrics."""
        labels = ("method", "route", "status")
        requests = CounterMetricFamily(
            "santu_requests", "Requests by method, route and status", labels=labels
        )
        for (method, route, status), count in sorted(self.requests.copy().items()):
            requests.add_metric((method, route, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily(
            "santu_request_seconds", "Time to the first byte of the answer by route", labels=("route",)
        )
        for route, times in sorted(self.times.copy().items()):
            seconds.add_metric((route,), times.cumulative(), times.sum_s)
        yield seconds


TALLY = Tally()
REGISTRY.register(TALLY)
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
                TALLY.requests[scope["method"], path, message["status"]] += 1
                TALLY.of(path).add(time.perf_counter() - begin)
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
