"""What every store offers (存储协议)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import date

    import pandas as pd

    from geo.city import City

Mode = Literal["append", "replace"]


@dataclass(slots=True)
class WriteResult:
    """What a write changed: rows that are new, changed, as they were, moved to history or removed."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    retired: int = 0
    removed: int = 0

    def __iadd__(self, other: WriteResult) -> Self:
        """Add up the parts of one import."""
        for name in ("inserted", "updated", "unchanged", "retired", "removed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One row that was not trusted (隔离行): where it stood, why, and what it held."""

    row: int
    reason: str
    message: str
    content: Mapping[str, Any]


class Transaction(Protocol):
    """One all-or-nothing change of a store."""

    def upsert(self, table: str, frame: pd.DataFrame) -> WriteResult:
        """Add rows, or change those whose key exists. `frame` conforms to its contract, in degrees."""
        ...

    def clear(self, table: str) -> int:
        """Remove every row of a table; how many there were.

        Grids that are not written again in the same transaction go to the history when the new ones have a date.
        """
        ...

    def quarantine(self, table: str, source: str, rows: Iterable[Quarantined]) -> int:
        """Keep rows that were not trusted; how many."""
        ...

    def record(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Keep a named result (a forecast, a ledger) under `kind` and `key`; the same key overwrites."""
        ...

    def audit(self, who: str, action: str, subject: str, detail: str = "") -> None:
        """Add a line to the audit log (审计日志)."""
        ...

    def set_meta(self, key: str, value: str) -> None:
        """Set a fact about the city."""
        ...


class Store(Protocol):
    """Where a city is kept. Reads see one consistent snapshot; writes are durable once they return."""

    @property
    def folder(self) -> Any:  # noqa: ANN401  # a Path, or nothing for a database
        """Folder for files that are derived from the store."""
        ...

    def city(self, as_of: date | None = None) -> City:
        """Return the snapshot of this moment."""
        ...

    def versions(self) -> dict[str, str]:
        """Version of every table."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin an all-or-nothing change; an exception inside undoes all of it."""
        ...

    def write(self, table: str, frame: pd.DataFrame, *, mode: Mode = "append") -> WriteResult:
        """Write one table in one transaction."""
        ...

    def quarantined(self, table: str | None = None) -> pd.DataFrame:
        """Rows that were not trusted, newest first."""
        ...

    def records(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Named results of a kind in the order of their keys."""
        ...

    def audit_log(self, limit: int = 1000) -> pd.DataFrame:
        """Lines of the audit log, newest first: at, who, action, subject, detail."""
        ...

    def meta(self) -> dict[str, str]:
        """Facts about the city: name, scheme, timezone, crs …."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...
