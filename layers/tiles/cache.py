"""Compressed tiles by what they are a function of (瓦片缓存)."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING

from geo.indicators import INDICATORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from geo.city import City
    from geo.scope import Scope
    from layers.catalog import Layer
    from layers.tiles.selection import Selection

FORMAT = "1"  # goes up when the same data gives other bytes


def etag(city: City, entry: Layer, scope: Scope, selection: Selection) -> str:
    """Name of a layer's state as one scope sees it under one selection: equal names, equal bytes in every tile."""
    return etag_of(city, (entry,), scope, selection)


def etag_of(city: City, entries: tuple[Layer, ...], scope: Scope, selection: Selection) -> str:
    """Name of the state of several layers that travel together."""
    more = INDICATORS[selection.indicator].tables if selection.indicator else ()
    wanted = [t for e in entries for t in e.tables]
    cut = () if all(e.cut == "open" for e in entries) else ("grids", "cameras")
    names = tuple(dict.fromkeys([*wanted, *cut, *more]))
    layers = "+".join(e.name for e in entries)
    text = "|".join([FORMAT, city.name, city.version(*names), layers, scope.key, selection.key])
    return f'"{hashlib.blake2b(text.encode(), digest_size=9).hexdigest()}"'


def compress(data: bytes) -> bytes:
    """Gzip at level 1: a fifth of the time of level 6 for a sixth more bytes."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


class TileCache:
    """Least recently used tiles go when `size_mb` is full; safe between threads.

    The key of a tile holds its etag, so a tile of an older state is never given out; it falls out with time.

    Tiles that are not there are made one after the other, not all at once: they would only take the interpreter from
    each other, and six of them from the loop that pushes live changes. Who waited finds the tile there if it was the
    same. A tile that takes long (the first of a layer that has to be computed) holds up nobody for more than
    `patience_s`.
    """

    def __init__(self, size_mb: float = 128, patience_s: float = 0.25) -> None:
        self._turn = threading.Semaphore()
        self._patience_s = patience_s
        self._room = int(size_mb * 1_000_000)
        self._used = 0
        self._tiles: OrderedDict[tuple[str, tuple[int, int, int]], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self._tiles)

    @property
    def used_bytes(self) -> int:
        """Bytes of the tiles that are kept."""
        return self._used

    def find(self, name: str, place: tuple[int, int, int]) -> bytes | None:
        """Return a compressed tile, or None."""
        with self._lock:
            found = self._tiles.get((name, place))
            if found is not None:
                self._tiles.move_to_end((name, place))
            return found

    def get(self, name: str, place: tuple[int, int, int], make: Callable[[], bytes]) -> bytes:
        """Return the compressed tile of an etag and place; make it if it is not there. Empty stays empty."""
        found = self.find(name, place)
        if found is not None:
            return found
        mine = self._turn.acquire(timeout=self._patience_s)
        try:
            found = self.find(name, place)
            if found is not None:
                return found
            raw = make()
            data = compress(raw) if raw else b""
        finally:
            if mine:
                self._turn.release()
        with self._lock:
            if (name, place) not in self._tiles:
                self._tiles[name, place] = data
                self._used += len(data) + 200
            while self._used > self._room and self._tiles:
                _, old = self._tiles.popitem(last=False)
                self._used -= len(old) + 200
        return data
