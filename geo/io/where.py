"""Rows chosen by an SQL condition (行筛选): ``--where "区 = '中正区' AND height > 3"``, in a private SQLite."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import numpy as np

from geo.errors import BadInputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}


def chosen(frame: pd.DataFrame, condition: str) -> NDArray[np.bool_]:
    """Which rows of `frame` satisfy an SQL condition over its column names.

    Text that looks like a number compares as a number. Nothing but reading this table is allowed.

    Raises
    ------
    BadInputError
        With SQLite's message and the column names.
    """
    names = [str(c) for c in frame.columns]
    columns = ", ".join(f'"{n.replace(chr(34), chr(34) * 2)}" NUMERIC' for n in names)
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"CREATE TABLE rows ({columns or 'nothing'})")
        marks = ", ".join("?" * len(names))
        cells = [_plain(frame[c]) for c in frame.columns]
        connection.executemany(f"INSERT INTO rows VALUES ({marks})", zip(*cells, strict=True))  # noqa: S608
        connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
        )
        found = connection.execute(f"SELECT rowid FROM rows WHERE ({condition})").fetchall()  # noqa: S608
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise BadInputError(
            f"--where {condition!r}: {error}; allowed: an SQL condition over {', '.join(names)}"
        ) from error
    finally:
        connection.close()
    result = np.zeros(len(frame), dtype=bool)
    result[[row[0] - 1 for row in found]] = True
    return result


def _plain(column: pd.Series) -> list[object]:
    """Values that SQLite takes: None for missing, numbers and text as they are, the rest as text."""
    missing = column.isna().to_numpy()
    values = column.tolist()
    return [
        None if gone else v if isinstance(v, int | float | str) and not isinstance(v, bool) else str(v)
        for v, gone in zip(values, missing, strict=True)
    ]
