"""Fan-out of live changes to every open page (实时推送): one reader of the log, one bounded queue a client.

The hub reads the log of `geo.live.LiveState` on the server's event loop, at most every `batch_s`; what came in
between travels together. A batch is written as text once per kind of subscription, whatever the number of
clients. Who reads too slowly is let go, comes back with the last id it saw, and is given what it missed or is
told to start afresh; the server never waits for a client and never keeps more than `depth` batches for one.
"""

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from geo.city import City
from geo.live import Change, LiveState
from geo.scope import Scope, visible_grids

KINDS = {
    "incident": "新警情",
    "stage": "环节变化",
    "camera": "监控点状态",
    "facility": "物防设施状态",
    "warning": "预警",
    "hotspot": "热点变化",
    "tables": "数据更新",
}
PLACED = {"camera": "cameras", "facility": "facilities"}  # kinds whose place the snapshot knows
RESTRICTED = "camera"
EVERYONE = "tables"  # says only which tables have a newer version: no place, nothing to hide
INTERNAL = frozenset({"warning"})  # small counts and single incidents: never for the public


@dataclass(frozen=True, slots=True)
class Want:
    """What one client asked for: kinds of change (none named: all) within a grid's subtree, as its scope allows."""

    scope: Scope
    kinds: frozenset[str] = frozenset()
    grid: str = ""

    @property
    def key(self) -> str:
        """Equal keys get equal bytes."""
        return f"{self.scope.key}|{','.join(sorted(self.kinds))}|{self.grid}"


class TooSlowError(Exception):
    """The client did not read fast enough and must come back (客户端过慢)."""


@dataclass(eq=False)
class Subscription:
    """One client's bounded queue of ready messages; iterate to receive (text, id) pairs."""

    want: Want
    depth: int
    _queue: deque[tuple[str, str]] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    closed: bool = False

    def offer(self, message: tuple[str, str]) -> bool:
        """Queue a message; False if the queue is full, and then the subscription is lost."""
        if len(self._queue) >= self.depth:
            self.lost = True
        else:
            self._queue.append(message)
        self._wake.set()
        return not self.lost

    def close(self) -> None:
        """End the iteration after what is queued."""
        self.closed = True
        self._wake.set()

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._queue)

    async def __aiter__(self) -> AsyncIterator[tuple[str, str]]:
        """Give messages as they come; `TooSlowError` when the queue ran over."""
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self.lost:
                raise TooSlowError
            if self.closed:
                return
            self._wake.clear()
            if not self._queue:
                await self._wake.wait()


class Hub:
    """Batches of live changes to subscribers.

    Parameters
    ----------
    live
        Where changes are logged, from any thread.
    city
        Gives the snapshot of the moment (for the grids and the secrecy of what changed).
    batch_s
        Least time between two batches.
    poll_s
        How often the log is looked at; a change after a quiet time leaves after this long.
    heartbeat_s
        A message at least this often, so that both ends notice a dead connection.
    depth
        Batches that may wait for one client.
    """

    def __init__(
        self,
        live: LiveState,
        city: Callable[[], City],
        *,
        batch_s: float = 0.25,
        poll_s: float = 0.02,
        heartbeat_s: float = 10.0,
        depth: int = 64,
    ) -> None:
        self._live, self._city = live, city
        self._batch_s, self._poll_s, self._heartbeat_s = batch_s, poll_s, heartbeat_s
        self._depth = depth
        self._clients: set[Subscription] = set()
        self._task: asyncio.Task[None] | None = None
        self._reach: dict[str, tuple[str, frozenset[str]]] = {}
        self.epoch = secrets.token_hex(4)
        self._cursor = live.last
        self.dropped = 0

    def __len__(self) -> int:
        """Clients connected."""
        return len(self._clients)

    def id_of(self, number: int) -> str:
        """Id of a message: tells apart two runs of the server."""
        return f"{self.epoch}-{number}"

    @contextlib.contextmanager
    def subscribe(self, want: Want, last_id: str = "") -> Iterator[Subscription]:
        """Join, beginning with what was missed since `last_id`; leave at the end of the block.

        The first message is a `hello`; its `reset` is true where what was missed is no longer known, and the
        client must load its layers anew.
        """
        client = Subscription(want, self._depth)
        if self._task is None or self._task.done():
            self._cursor = self._live.last
            self._task = asyncio.get_running_loop().create_task(self._run())
        number, missed = self._cursor, self._missed(last_id)
        client.offer((self._hello(number, reset=missed is None), self.id_of(number)))
        if missed and (text := self._text(want, missed)):
            client.offer((text, self.id_of(number)))
        self._clients.add(client)
        try:
            yield client
        finally:
            self._clients.discard(client)

    def close(self) -> None:
        """Let every client go and stop."""
        for client in list(self._clients):
            client.close()
        if self._task is not None:
            self._task.cancel()

    # -- inside ---------------------------------------------------------------------------------------------

    def _missed(self, last_id: str) -> list[Change] | None:
        """Changes since an id; none for a new client, None where they are not known any more."""
        if not last_id:
            return []
        epoch, _, number = last_id.partition("-")
        if epoch != self.epoch or not number.isdigit():
            return None
        changes = self._live.since(int(number))
        return None if changes is None else [c for c in changes if c.number <= self._cursor]

    async def _run(self) -> None:
        """Read the log until the last client has left."""
        sent = beat = time.monotonic()
        while True:
            await asyncio.sleep(self._poll_s)
            if not self._clients:
                return
            now = time.monotonic()
            if self._live.last > self._cursor and now - sent >= self._batch_s:
                self._cursor = self._send(self._cursor)
                sent = beat = now
            elif now - beat >= self._heartbeat_s:
                beat = now
                self._broadcast(lambda _: _dumps({"type": "heartbeat", "at": _now()}), self._cursor)

    def _send(self, cursor: int) -> int:
        changes = self._live.since(cursor)
        if changes is None:  # more than the log remembers came at once
            number = self._live.last
            self._broadcast(lambda _: self._hello(number, reset=True), number)
            return number
        last = changes[-1].number if changes else cursor
        self._broadcast(lambda want: self._text(want, changes), last)
        return last

    def _broadcast(self, text_for: Callable[[Want], str], number: int) -> None:
        made: dict[str, str] = {}
        for client in list(self._clients):
            key = client.want.key
            if key not in made:
                made[key] = text_for(client.want)
            if made[key] and not client.offer((made[key], self.id_of(number))):
                self.dropped += 1
                self._clients.discard(client)

    def _hello(self, number: int, *, reset: bool) -> str:
        return _dumps({"type": "hello", "id": self.id_of(number), "at": _now(), "reset": reset})

    def _text(self, want: Want, changes: Sequence[Change]) -> str:
        """Write the changes that this subscription may see as one message; empty if there are none."""
        chosen = [c for c in changes if not want.kinds or c.kind in want.kinds]
        if chosen and (want.grid or not want.scope.whole_city):
            inside = self._inside(want, chosen)
            chosen = [c for c, ok in zip(chosen, inside, strict=True) if ok or c.kind == EVERYONE]
        if want.scope.role == "public":
            chosen = [c for c in chosen if c.kind not in INTERNAL]
        if not want.scope.sees_secret:
            chosen = [c for c in chosen if c.kind != RESTRICTED or not self._secret(c.id)]
        if not chosen:
            return ""
        rows = [{"n": c.number, "kind": c.kind, "id": c.id, "body": c.body} for c in chosen]
        return _dumps(
            {"type": "changes", "id": self.id_of(changes[-1].number), "at": _now(), "changes": rows}
        )

    def _inside(self, want: Want, changes: Sequence[Change]) -> list[bool]:
        """Which changes happened in the grids asked for; a change without a place is for the whole city only."""
        city = self._city()
        grids = city.degrees("grids")
        version, allowed = self._reach.get(want.key, ("", frozenset()))
        if version != city.version("grids"):
            reach = want.scope
            if want.grid:
                reach = Scope(want.scope.who, want.scope.role, frozenset({want.grid}), want.scope.k)
            seen = visible_grids(grids, want.scope) & visible_grids(grids, reach)
            allowed = frozenset(grids.index[seen])
            self._reach[want.key] = (city.version("grids"), allowed)
        places = [_place(city, c) for c in changes]
        known = [p for p in places if p is not None]
        if not known:
            return [False] * len(changes)
        found = city.locate([p[0] for p in known], [p[1] for p in known]).isin(allowed).any(axis=1).tolist()
        answers = iter(found)
        return [next(answers) if p is not None else False for p in places]

    def _secret(self, camera_id: str) -> bool:
        cameras = self._city().degrees("cameras")
        return camera_id in cameras.index and cameras.at[camera_id, "secrecy"] == 1


def _place(city: City, change: Change) -> tuple[float, float] | None:
    body = change.body
    if body.get("lon") is not None and body.get("lat") is not None:
        return float(body["lon"]), float(body["lat"])
    table = PLACED.get(change.kind)
    if table is None or change.id not in city.degrees(table).index:
        return None
    point = city.degrees(table).geometry.at[change.id]
    return point.x, point.y


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _dumps(message: dict[str, Any]) -> str:
    return orjson.dumps(message, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()
