"""A short way for map tiles that are in the cache already: a wall of screens asks for the same ones all day.

It stands before the application and learns from its answers: which path and query, asked with which
credentials, had which ETag. Asked again in the same words while the snapshot is the same, the compressed bytes come
from `TileCache` without routing. What it has not seen answered goes on to the application, which alone decides
who may see what; what it remembers is forgotten with a new snapshot and after a minute.
"""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.observe import HEADERS, TALLY
from api.state import ServerState
from geo.city import City
from layers.tiles import TileCache

ROUTE = "/tiles/{layer}/{z}/{x}/{y}.mvt"
REMEMBER_S = 60.0
MOST = 100_000
FIXED = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
KEPT = (b"etag", b"cache-control", b"vary")
Key = tuple[str, bytes, bytes, bytes, bytes]
Place = tuple[int, int, int]


class TilePath:
    """ASGI application around another one."""

    def __init__(self, app: ASGIApp, state: ServerState, cache: TileCache) -> None:
        self.app = app
        self.state = state
        self.cache = cache
        self._city: City | None = None
        self._until = 0.0
        self._known: dict[Key, tuple[str, Place, list[tuple[bytes, bytes]]]] = {}
        self._time = TALLY.of(ROUTE).add

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a tile that was answered before, pass everything else on."""
        if scope["type"] != "http" or scope["method"] != "GET" or not _is_tile(scope["path"]):
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()
        asked = dict(scope["headers"])
        key = (
            scope["path"],
            scope["query_string"],
            asked.get(b"authorization", b""),
            asked.get(b"cookie", b""),
            asked.get(b"host", b""),
        )
        city = self.state.city
        if city is not self._city or begin > self._until or len(self._known) > MOST:
            self._city, self._until, self._known = city, begin + REMEMBER_S, {}
        found = self._known.get(key)
        data = None if found is None else self.cache.find(found[0], found[1])
        if found is None or data is None or b"gzip" not in asked.get(b"accept-encoding", b""):
            await self.app(scope, receive, self._learning(key, send))
            return
        tag, _, headers = found
        same = asked.get(b"if-none-match") == tag.encode()
        status = 304 if same else 200 if data else 204
        TALLY.requests["GET", ROUTE, status] += 1
        self._time(time.perf_counter() - begin)
        await send(
            {"type": "http.response.start", "status": status, "headers": _headers(headers, status, len(data))}
        )
        await send({"type": "http.response.body", "body": data if status == 200 else b""})

    def _learning(self, key: Key, send: Send) -> Send:
        """Pass an answer on and remember its ETag if it was a tile."""
        known, city = self._known, self._city

        async def learn(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 204):
                headers = [(k, v) for k, v in message["headers"] if k in KEPT]
                tag = dict(headers).get(b"etag", b"").decode()
                place = _place(key[0])
                if tag and place and self.state.city is city:
                    known[key] = tag, place, headers
            await send(message)

        return learn


def _is_tile(path: str) -> bool:
    return path.startswith("/tiles/") and path.endswith(".mvt")


def _place(path: str) -> Place | None:
    parts = path.removesuffix(".mvt").split("/")[-3:]
    if len(parts) != 3 or not all(p.isdigit() for p in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


def _headers(kept: list[tuple[bytes, bytes]], status: int, size: int) -> list[tuple[bytes, bytes]]:
    headers = [*kept, *FIXED]
    if status == 200:
        headers += [
            (b"content-type", b"application/vnd.mapbox-vector-tile"),
            (b"content-encoding", b"gzip"),
            (b"content-length", b"%d" % size),
        ]
    return headers
