"""The one family of errors (错误).

Every error that a user can cause says what was wrong, where, what was allowed and what to do. Nothing here
knows HTTP: `api.errors` has the one table from these types to status codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class SantuError(Exception):
    """Root of every error that Santu raises on purpose.

    `code` is stable and is shown to machines; the message is for people.
    """

    code = "santu"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of one value in a table (一处数据问题).

    `row` is the number a person sees in the file (header is row 1), `None` where the whole column or table is
    meant; `allowed` says what would have been accepted.
    """

    code: str
    column: str = ""
    row: int | None = None
    value: str = ""
    allowed: str = ""
    id: str = ""

    def __str__(self) -> str:
        """One line for people: code, row, column, value and what was allowed."""
        where = f"row {self.row}, " if self.row is not None else ""
        what = f"column {self.column!r}: " if self.column else ""
        value = f" value {self.value!r};" if self.value else ""
        allowed = f" allowed: {self.allowed}" if self.allowed else ""
        return f"{where}{what}{self.code};{value}{allowed}".rstrip(";")


class SchemaError(SantuError):
    """A table breaks its contract; carries every problem found, not only the first."""

    code = "schema"

    def __init__(self, table: str, problems: Iterable[Problem | str]) -> None:
        self.table = table
        self.problems = list(problems)
        shown = "\n  ".join(str(p) for p in self.problems[:20])
        more = f"\n  … and {len(self.problems) - 20} more" if len(self.problems) > 20 else ""
        super().__init__(f"table {table!r}: {len(self.problems)} problem(s)\n  {shown}{more}")


class UnknownNameError(SantuError):
    """A table, column, layer, indicator or scheme that does not exist; names those that do."""

    code = "unknown-name"

    def __init__(self, kind: str, name: str, allowed: Iterable[str]) -> None:
        self.kind, self.name, self.allowed = kind, name, sorted(allowed)
        super().__init__(f"unknown {kind} {name!r}; allowed: {', '.join(self.allowed)}")


class NotFoundError(SantuError):
    """A thing with this id is not in the city."""

    code = "not-found"


class BadInputError(SantuError):
    """A value from outside that cannot be used: wrong type, out of range, unreadable."""

    code = "bad-input"


class CrsMismatchError(SantuError):
    """Two tables of one calculation are in different coordinate reference systems (坐标系不一致)."""

    code = "crs-mismatch"


class CodeError(SantuError):
    """A grid or camera code that breaks its scheme (编码不合规)."""

    code = "code"


class ImportRefusedError(SantuError):
    """A file that is refused whole; the store is unchanged."""

    code = "import-refused"


class PrivacyError(SantuError):
    """Data or a factor about persons that Santu does not accept (涉及个人信息)."""

    code = "privacy"


class StoreError(SantuError):
    """The store cannot be read or written."""

    code = "store"


class StoreVersionError(StoreError):
    """The store was written by a newer Santu than this one."""

    code = "store-newer"


class StoreBusyError(StoreError):
    """Another process holds the write lock of the store."""

    code = "store-busy"


class ForbiddenError(SantuError):
    """The scope (可见范围) of the caller does not reach this."""

    code = "forbidden"
