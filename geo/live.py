"""Live state (实时): incidents arriving, cameras and facilities changing state, beside the frozen snapshot.

A small mutable overlay with an R-tree. It is folded into a new `City` from time to time; rebuilding it from the
store gives the same state, whatever the order of arrival was. Everything is in the degrees of the store.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import rtree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened, in the order in which it was acknowledged (变更)."""

    number: int
    kind: str
    id: str
    body: Mapping[str, Any]


@dataclass
class LiveState:
    """Incidents since the snapshot, by id, with an R-tree over their places; and a log of changes.

    Parameters
    ----------
    keep
        How many changes are remembered for clients that come back.
    """

    keep: int = 20_000
    _rows: dict[str, Row] = field(default_factory=dict)
    _slots: dict[str, int] = field(default_factory=dict)
    _ids: dict[int, str] = field(default_factory=dict)
    _tree: rtree.index.Index = field(default_factory=rtree.index.Index)
    _log: deque[Change] = field(default_factory=deque)
    _number: int = 0
    _next: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __len__(self) -> int:
        """How many incidents the overlay holds."""
        return len(self._rows)

    def put(self, incidents: Iterable[Row], *, kind: str = "incident") -> list[Change]:
        """Add incidents, or correct those whose `incident_id` exists; a repetition that changes nothing is no change.

        Each row has `incident_id`, `lon`, `lat` and the columns of the contract. Returns what changed, in order.
        """
        changes = []
        with self._lock:
            for row in incidents:
                key = row["incident_id"]
                if self._rows.get(key) == row:
                    continue
                self._place(key, row)
                self._rows[key] = row
                changes.append(self._note(kind, key, row))
        return changes

    def note(self, kind: str, key: str, body: Mapping[str, Any]) -> Change:
        """Log a change of something else (camera or facility state, a warning)."""
        with self._lock:
            return self._note(kind, key, body)

    def get(self, key: str) -> Row | None:
        """Return one incident of the overlay, or None."""
        return self._rows.get(key)

    def within(self, west: float, south: float, east: float, north: float) -> list[Row]:
        """Incidents in a box of degrees, borders included, in the order of their ids."""
        with self._lock:
            found = (self._ids[slot] for slot in self._tree.intersection((west, south, east, north)))
            return [self._rows[key] for key in sorted(found)]

    def rows(self) -> list[Row]:
        """All incidents of the overlay in the order of their ids."""
        with self._lock:
            return [self._rows[key] for key in sorted(self._rows)]

    def since(self, number: int) -> list[Change] | None:
        """Changes after `number`; None if they are no longer remembered and a client must start afresh."""
        with self._lock:
            if number > self._number or (self._log and number < self._log[0].number - 1):
                return None
            return [c for c in self._log if c.number > number]

    @property
    def last(self) -> int:
        """Number of the newest change; 0 before the first."""
        return self._number

    def fold(self, rows: Iterable[Row]) -> None:
        """Forget incidents that a newer snapshot holds; one that changed since it was taken stays."""
        with self._lock:
            for row in rows:
                key = row["incident_id"]
                if self._rows.get(key) is row:
                    del self._rows[key]
                    slot = self._slots.pop(key)
                    del self._ids[slot]
                    self._tree.delete(slot, _box(row))

    def _place(self, key: str, row: Row) -> None:
        old = self._rows.get(key)
        if old is not None and _box(old) == _box(row):
            return
        slot = self._slots.setdefault(key, self._next)
        self._next = max(self._next, slot + 1)
        if old is not None:
            self._tree.delete(slot, _box(old))
        self._ids[slot] = key
        self._tree.insert(slot, _box(row))

    def _note(self, kind: str, key: str, body: Mapping[str, Any]) -> Change:
        self._number += 1
        change = Change(self._number, kind, key, body)
        self._log.append(change)
        while len(self._log) > self.keep:
            self._log.popleft()
        return change


def _box(row: Row) -> tuple[float, float, float, float]:
    return (row["lon"], row["lat"], row["lon"], row["lat"])
