"""What can be said about an import (导入选项)."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  (evaluated by dataclass users)
from dataclasses import dataclass, field
from typing import Literal

from geo.io.source import CHUNK_ROWS, MAX_BYTES


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import; the names are those of the command line.

    Parameters
    ----------
    columns
        Header of the file → column of the table.
    constants
        Column of the table → value for every row.
    where
        SQL condition over the file's columns.
    layer
        Layer, sheet, or file of an archive.
    mode
        ``append`` adds and changes by key; ``replace`` also removes what the files do not have.
    crs, encoding
        ``auto`` or a name.
    parents
        Headers of the codes of the levels above, nearest first: the base grids are joined to those levels.
    max_bytes
        Largest file that is read.
    max_bad
        Largest share of rows that may go to the quarantine; above it the file is refused.
    keep_outside
        Take rows far from the city too.
    timezone
        Of times that name none; empty: the city's.
    dry_run
        Report, change nothing.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    layer: str = ""
    mode: Literal["append", "replace"] = "append"
    crs: str = "auto"
    encoding: str = "auto"
    parents: tuple[str, ...] = ()
    max_bytes: int = MAX_BYTES
    max_bad: float = 0.5
    keep_outside: bool = False
    timezone: str = ""
    dry_run: bool = False
    chunk_rows: int = CHUNK_ROWS
