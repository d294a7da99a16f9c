"""What an import did (导入报告): counts, repairs, quarantined rows with reasons, for people and for machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geo.errors import Problem

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Rejected:
    """One row that was not trusted (隔离行): where it stood, why, and what it held (nothing about persons)."""

    row: int
    reason: str
    message: str
    content: Mapping[str, Any]


@dataclass(slots=True)
class Report:
    """The result of one `import_files`.

    `read` rows are `imported` (new) + `updated` + `unchanged` + `quarantined` + those listed under `left_out`
    (not chosen by ``--where``, twice the same). `repairs` and `derived` count values by code; `dropped` counts
    values of optional columns that could not be read (the row stays, the value is empty).
    """

    table: str
    dry_run: bool = False
    read: int = 0
    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    retired: int = 0
    removed: int = 0
    quarantined: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    derived: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    private: list[str] = field(default_factory=list)
    encoding: str = ""
    crs: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def sample(self, path: str, problem: Problem) -> None:
        """Keep a problem to show: at most three of a kind, `SHOWN` in all."""
        kind = f": {problem.code};"
        if len(self.samples) < SHOWN and sum(kind in s for s in self.samples) < 3:
            self.samples.append(f"{path}: {problem}")

    def note(self, text: str) -> None:
        """Add a line for people, once."""
        if text not in self.notes:
            self.notes.append(text)

    def as_json(self) -> dict[str, Any]:
        """The document of ``santu import --json``."""
        return {
            "table": self.table,
            "read": self.read,
            "imported": self.imported,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "quarantined": self.quarantined,
            "repairs": dict(+self.repairs),
            "encoding": self.encoding,
            "crs": self.crs,
            "dry_run": self.dry_run,
            "retired": self.retired,
            "removed": self.removed,
            "left_out": dict(+self.left_out),
            "derived": dict(+self.derived),
            "dropped": dict(+self.dropped),
            "reasons": dict(+self.reasons),
            "private": self.private,
            "columns": self.columns,
            "unused": self.unused,
            "notes": self.notes,
            "samples": self.samples,
            "files": self.files,
        }

    def lines(self) -> list[str]:
        """The report for people, a line a fact."""
        head = "dry run, nothing was changed: " if self.dry_run else ""
        counts = (
            f"{self.read:,} rows read, {self.imported:,} new, {self.updated:,} changed, {self.unchanged:,} as they "
            f"were, {self.quarantined:,} quarantined"
        )
        result = [f"{head}{self.table}: {counts}"]
        if self.retired or self.removed:
            result.append(f"  {self.retired:,} moved to history, {self.removed:,} removed")
        result.append(f"  coordinates: {self.crs or 'none'}; text: {self.encoding or 'none'}")
        if self.columns:
            pairs = ", ".join(f"{header} → {column}" for column, header in self.columns.items())
            result.append(f"  columns: {pairs}")
        if self.unused:
            result.append(f"  not used: {', '.join(self.unused)}")
        for title, counter in (
            ("left out", self.left_out),
            ("repaired", self.repairs),
            ("derived", self.derived),
            ("values not readable, left empty", self.dropped),
            ("quarantined", self.reasons),
        ):
            if counter.total():
                result.append(f"  {title}: " + ", ".join(f"{k} {n:,}" for k, n in counter.most_common() if n))
        result += [f"  dropped as personal: {text}" for text in self.private]
        result += [f"  note: {text}" for text in self.notes]
        result += [f"  {text}" for text in self.samples]
        return result
