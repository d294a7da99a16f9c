"""Incidents as counts by day, category, source and grid (时空立方体).

Every statistic runs per source: counts of what grid workers upload measure their effort, and must not be mixed
unseen with what citizens report or sensors raise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from geo.errors import BadInputError, UnknownNameError
from geo.points import lonlat_of
from geo.schema import INCIDENT_SOURCES

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

SOURCES = (*INCIDENT_SOURCES, "unknown")
INDEPENDENT = "independent"  # every source but patrols' own finds, which follow where patrols were sent
LATE = pd.Timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Account:
    """What became of every incident (计数核对): `read` is the sum of all but `late` and `same_place_and_minute`.

    Attributes
    ----------
    read, used
        Rows given, rows counted.
    repeated, duplicate
        The same id again (the last row counts); rows marked as duplicates (`duplicate_of`).
    unplaced
        In no grid of the cube.
    undated, before, after
        Without a time; before the first day; after the last (among them dates in the future).
    unknown_yet
        Reported after the moment the cube stands for.
    late
        Counted, but reported more than a day after they happened.
    same_place_and_minute
        Counted, but equal in place, minute and category to another: often one problem uploaded many times.
    """

    read: int
    used: int
    repeated: int
    duplicate: int
    unplaced: int
    undated: int
    before: int
    after: int
    unknown_yet: int
    late: int
    same_place_and_minute: int


@dataclass(frozen=True, eq=False)
class Cube:
    """Counted incidents of one city (时空立方体), kept as one small row each; planes are made when asked for.

    Attributes
    ----------
    grids
        Codes of the grids, in the order of every plane.
    first_day, days
        First local day and number of days.
    categories, sources
        Names; `SOURCES` with "unknown" for rows without a source.
    day, category, source, grid
        Positions of each counted incident.
    row
        Its position in the incident table.
    """

    grids: pd.Index
    first_day: date
    days: int
    categories: tuple[str, ...]
    sources: tuple[str, ...]
    day: NDArray[np.int32]
    category: NDArray[np.int16]
    source: NDArray[np.int8]
    grid: NDArray[np.int32]
    row: NDArray[np.int64]
    account: Account

    @property
    def last_day(self) -> date:
        """Last local day, complete."""
        return (pd.Timestamp(self.first_day) + pd.Timedelta(days=self.days - 1)).date()

    def where(self, *, category: str | None = None, source: str | None = None) -> NDArray[np.bool_]:
        """Which counted incidents are of this category and source; `None` means all.

        The source "independent" (自主来源) stands for all but "discovered".
        """
        chosen = np.ones(len(self.day), dtype=bool)
        if category is not None:
            chosen &= self.category == _position(self.categories, category, "category")
        if source == INDEPENDENT:
            chosen &= self.source != self.sources.index("discovered")
        elif source is not None:
            chosen &= self.source == _position((*self.sources, INDEPENDENT), source, "source")
        return chosen

    def plane(self, *, category: str | None = None, source: str | None = None) -> NDArray[np.int32]:
        """Counts `(days, grids)` of one category and source, or of all."""
        n = len(self.grids)
        cell = self.day * np.int64(n) + self.grid
        if category is not None or source is not None:
            cell = cell[self.where(category=category, source=source)]
        return np.bincount(cell, minlength=self.days * n).astype(np.int32).reshape(self.days, n)

    def totals(self) -> pd.DataFrame:
        """Incidents of the whole cube by category (rows) and source (columns)."""
        code = self.category.astype(np.int64) * len(self.sources) + self.source
        table = np.bincount(code, minlength=len(self.categories) * len(self.sources))
        shape = (len(self.categories), len(self.sources))
        return pd.DataFrame(table.reshape(shape), index=list(self.categories), columns=list(self.sources))

    def rows_behind(
        self, grid_id: str, *, days: int, category: str | None = None, source: str | None = None
    ) -> NDArray[np.int64]:
        """Positions in the incident table of what happened in one grid in the last `days`, newest first."""
        if grid_id not in self.grids:
            raise UnknownNameError("grid", grid_id, list(self.grids[:5]))
        chosen = self.where(category=category, source=source)
        chosen &= (self.grid == self.grids.get_loc(grid_id)) & (self.day >= self.days - days)
        found = np.flatnonzero(chosen)
        return self.row[found[np.argsort(-self.day[found], kind="stable")]]


def incident_cube(
    incidents: pd.DataFrame,
    grid_id: pd.Series,
    *,
    grids: pd.Index,
    until: date,
    days: int,
    timezone: str = "Asia/Shanghai",
    known_at: pd.Timestamp | None = None,
) -> Cube:
    """Count incidents by local day, category, source and grid (事件入立方体).

    Parameters
    ----------
    incidents
        By the contract: `occurred_at`, `category`; also used if there: `reported_at`, `source`, `duplicate_of`.
        Times with a zone. A late upload counts on the day on which it happened.
    grid_id
        Code of the grid of each incident, on its index; missing outside. Where grids were redrawn, locate all
        incidents with the grids of one date: an incident from before a grid existed counts where it happened.
    grids
        Codes of the grids to count by; other grids' incidents are unplaced.
    until
        Last local day, complete. Later ones are left out and accounted for.
    days
        Number of days.
    timezone
        Where a day begins and ends; a UTC day would put the hours 0 to 8 on the day before.
    known_at
        Leave out what was reported later: the cube as it stood at that moment (no peeking for forecasts).

    Returns
    -------
    Cube
        No incidents: a cube of zeros.

    Raises
    ------
    BadInputError
        Times without a zone, indexes that differ, no days, or a grid listed twice.
    """
    if days < 1:
        raise BadInputError(f"days: {days}; allowed: 1 and more")
    if not grids.is_unique:
        raise BadInputError("grids: a code is listed twice; allowed: each grid once")
    if not grid_id.index.equals(incidents.index):
        raise BadInputError("grid_id is not on the index of the incidents")
    for column in ("occurred_at", "reported_at"):
        if column in incidents.columns and len(incidents):
            _with_zone(incidents[column], column)
    first_day = (pd.Timestamp(until) - pd.Timedelta(days=days - 1)).date()
    local = local_day(incidents["occurred_at"], timezone)
    day = local.astype(np.int64) - np.datetime64(first_day, "D").astype(np.int64)
    undated = np.isnat(local)
    position = _place_in(grids, grid_id).astype(np.int32)
    # each row falls under the first fate that applies
    fates = {
        "repeated": _repeated(incidents.index),
        "duplicate": _given(incidents, "duplicate_of"),
        "undated": undated,
        "after": ~undated & (day >= days),
        "before": ~undated & (day < 0),
        "unknown_yet": _later(incidents, known_at),
        "unplaced": position < 0,
    }
    left = np.ones(len(incidents), dtype=bool)
    lost = {}
    for name, fate in fates.items():
        lost[name] = int((left & fate).sum())
        left &= ~fate
    row = np.flatnonzero(left)
    category, categories = pd.factorize(incidents["category"].iloc[row], sort=True)
    account = Account(
        read=len(incidents), used=len(row), late=_late(incidents, row),
        same_place_and_minute=_same_place_and_minute(incidents, row, timezone), **lost,
    )  # fmt: skip
    return Cube(
        grids=grids,
        first_day=first_day,
        days=days,
        categories=tuple(str(c) for c in categories),
        sources=SOURCES,
        day=day[row].astype(np.int32),
        category=category.astype(np.int16),
        source=_source(incidents)[row],
        grid=position[row],
        row=row,
        account=account,
    )


def _place_in(names: pd.Index, values: pd.Series) -> NDArray[np.intp]:
    """Position of each value in a list without repetition, -1 where it has none; text stays packed as it is."""
    if not isinstance(values.dtype, pd.StringDtype) or not isinstance(names.dtype, pd.StringDtype):
        return names.get_indexer(pd.Index(values))
    given = pa.array(values.array, pa.large_string())
    found = pc.index_in(given, value_set=pa.array(names.array, pa.large_string()), skip_nulls=True)
    return found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.intp)


def _repeated(ids: pd.Index) -> NDArray[np.bool_]:
    """Whether the same id comes again below; the usual answer, never, makes no object of any id."""
    if isinstance(ids.dtype, pd.StringDtype) and pc.count_distinct(pa.array(ids.array)).as_py() == len(ids):
        return np.zeros(len(ids), dtype=bool)
    return ids.duplicated(keep="last")


def _position(names: tuple[str, ...], name: str, kind: str) -> int:
    if name not in names:
        raise UnknownNameError(kind, name, names)
    return names.index(name)


def _with_zone(times: pd.Series, column: str) -> None:
    if getattr(times.dt if hasattr(times, "dt") else None, "tz", None) is None and times.notna().any():
        raise BadInputError(
            f"incidents.{column}: times without a zone; give one: times.dt.tz_localize('Asia/Shanghai')"
        )


def local_day(times: pd.Series, timezone: str) -> NDArray[np.datetime64]:
    """Local day of each moment (当地日期); NaT where it is missing."""
    if not len(times):
        return np.empty(0, dtype="datetime64[D]")
    return times.dt.tz_convert(timezone).dt.tz_localize(None).to_numpy().astype("datetime64[D]")


def _given(incidents: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    if column not in incidents.columns:
        return np.zeros(len(incidents), dtype=bool)
    return incidents[column].notna().to_numpy()


def _later(incidents: pd.DataFrame, known_at: pd.Timestamp | None) -> NDArray[np.bool_]:
    if known_at is None or "reported_at" not in incidents.columns or not len(incidents):
        return np.zeros(len(incidents), dtype=bool)
    if known_at.tzinfo is None:
        raise BadInputError(f"known_at {known_at}: a time without a zone; give one")
    # what has no time of report is taken as known when it happened
    known = incidents["reported_at"].fillna(incidents["occurred_at"])
    return (known > known_at).to_numpy(dtype=bool)


def _source(incidents: pd.DataFrame) -> NDArray[np.int8]:
    if "source" not in incidents.columns:
        return np.full(len(incidents), len(SOURCES) - 1, dtype=np.int8)
    code = _place_in(pd.Index(SOURCES, dtype="str"), incidents["source"])
    return np.where(code < 0, len(SOURCES) - 1, code).astype(np.int8)


def _late(incidents: pd.DataFrame, row: NDArray[np.int64]) -> int:
    if "reported_at" not in incidents.columns or not len(row):
        return 0
    delay = incidents["reported_at"].iloc[row] - incidents["occurred_at"].iloc[row]
    return int((delay > LATE).sum())


def _same_place_and_minute(incidents: pd.DataFrame, row: NDArray[np.int64], timezone: str) -> int:
    """Rows that repeat another's place, minute and category; dates without a time of day tell nothing."""
    shapes = getattr(incidents, "geometry", None)
    if shapes is None or not len(row):
        return 0
    occurred = incidents["occurred_at"].iloc[row].dt
    minute = (
        occurred.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[m]").astype(np.int64)
    )
    local = occurred.tz_convert(timezone).dt.tz_localize(None).to_numpy().astype("datetime64[m]")
    category = pd.factorize(incidents["category"].iloc[row])[0] + 1
    moment = minute * (category.max() + 1) + category
    # most incidents share their minute with no other: only the rest need a look at where they are
    left = np.flatnonzero(local != local.astype("datetime64[D]"))
    left = left[pd.Series(moment[left]).duplicated(keep=False).to_numpy()]
    x, y = lonlat_of(shapes.array[row[left]])
    key = pd.DataFrame({"x": x, "y": y, "moment": moment[left]})
    return int(key.duplicated().sum())
