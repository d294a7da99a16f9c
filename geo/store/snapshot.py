"""The tables of a GeoPackage store at one moment (快照): what has not changed comes from copies."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from geo import schema
from geo.store import gpkg_sql, sidecar

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

SIDECAR_ROWS = 5_000


class SnapshotTables(Mapping[str, pd.DataFrame]):
    """Tables of one moment, read when first asked for, through one read transaction that stays open."""

    def __init__(
        self,
        reader: sqlite3.Connection,
        versions: dict[str, str],
        cache: Path,
        shared: dict[str, tuple[str, pd.DataFrame]],
    ) -> None:
        self._reader = reader
        self._versions = versions
        self._cache = cache
        self._shared = shared  # newest frame of each table, so that the next snapshot reads only what changed
        self._loaded: dict[str, pd.DataFrame] = {}
        self._lock = threading.RLock()

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return one table in degrees; `KeyError` if there is no such table."""
        found = self._loaded.get(name)
        if found is not None:
            return found
        if name not in self._versions:
            raise KeyError(name)
        with self._lock:
            if name not in self._loaded:
                version, frame = self._shared.get(name, ("", pd.DataFrame()))
                if version != self._versions[name]:
                    frame = self._read(schema.table(name))
                    self._shared[name] = (self._versions[name], frame)
                self._loaded[name] = frame
            return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        """Names of all tables."""
        return iter(self._versions)

    def __len__(self) -> int:
        """How many tables there are."""
        return len(self._versions)

    def _read(self, table: schema.Table) -> pd.DataFrame:
        version = self._versions[table.name]
        base = self._reader.execute("SELECT base FROM santu_tables WHERE name=?", (table.name,)).fetchone()[0]
        kept = sidecar.read(self._cache, table, version, base=int(base), crs=gpkg_sql.LONLAT)
        since = -1 if kept is None else kept[1]
        if kept is not None and version.endswith(f".{since}"):
            return kept[0]  # nothing was written since: no need to look through every row for it
        fresh = self._select(table, since)
        if kept is None:
            frame = fresh
        else:
            frame = kept[0]
            if len(fresh):
                frame = pd.concat([frame[~frame.index.isin(fresh.index)], fresh]).rename_axis(index=table.key)
        if len(frame) >= SIDECAR_ROWS and (kept is None or len(fresh) > len(frame) // 20):
            sidecar.write(self._cache, table, frame, version)
        return frame

    def _select(self, table: schema.Table, since: int) -> pd.DataFrame:
        names = ", ".join(map(gpkg_sql.quoted, gpkg_sql.columns_of(table)))
        rows = self._reader.execute(
            f"SELECT {names} FROM {gpkg_sql.quoted(table.name)} WHERE santu_version > ? ORDER BY fid",
            (since,),
        ).fetchall()
        return gpkg_sql.from_cells(rows, table, gpkg_sql.LONLAT)


def versions_of(connection: sqlite3.Connection) -> dict[str, str]:
    """Version of every table: store id, dot, number of the change."""
    store = connection.execute("SELECT value FROM santu_meta WHERE key='store_id'").fetchone()[0]
    return {n: f"{store}.{v}" for n, v in connection.execute("SELECT name, version FROM santu_tables")}
