"""One all-or-nothing change of a GeoPackage store (一次写入): rows, history of grids, quarantine, audit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from geo import crs as crs_
from geo import schema
from geo.store import gpkg_sql
from geo.store.base import Quarantined, WriteResult

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

CHUNK = 50_000  # rows
FEW = 1_000  # rows: to count a table of millions takes longer than to write one incident into it


class GeoPackageTransaction:
    """One all-or-nothing change; made by `GeoPackageStore.transaction`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._versions: dict[str, int] = {}
        self._cleared: set[str] = set()
        self._now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def upsert(self, table: str, frame: pd.DataFrame) -> WriteResult:
        """Add or change rows by key; `frame` conforms to its contract and is in degrees."""
        contract = schema.table(table)
        version = self._touch(table)
        if frame.empty:
            return WriteResult()
        result = WriteResult()
        if table == "grids":
            result.retired = self._retire(frame)
        if contract.geometry:
            self._note_crs(table, frame)
        few = len(frame) <= FEW
        known = self._known(contract, frame) if few else self._count(table)
        changes = self._db.total_changes
        sql = gpkg_sql.upsert_sql(contract, version)
        for start in range(0, len(frame), CHUNK):  # an object per cell: never more than a chunk's at once
            cells = gpkg_sql.to_cells(frame.iloc[start : start + CHUNK], contract, gpkg_sql.SRS_ID)
            self._db.executemany(sql, zip(*cells, strict=True))
        result.inserted = len(frame) - known if few else self._count(table) - known
        result.updated = self._db.total_changes - changes - result.inserted
        result.unchanged = len(frame) - result.inserted - result.updated
        return result

    def clear(self, table: str) -> int:
        """Remove every row; grids are kept aside until the end of the transaction for the history."""
        name = gpkg_sql.quoted(schema.table(table).name)
        if table == "grids" and table not in self._cleared:
            self._db.execute("CREATE TEMP TABLE santu_old_grids AS SELECT * FROM grids")
        count = int(self._db.execute(f"DELETE FROM {name}").rowcount)
        version = self._touch(table)
        self._db.execute("UPDATE santu_tables SET base=? WHERE name=?", (version, table))
        self._cleared.add(table)
        return count

    def quarantine(self, table: str, source: str, rows: Iterable[Quarantined]) -> int:
        """Keep rows that were not trusted."""
        cells = [
            (
                self._now,
                table,
                source,
                r.row,
                r.reason,
                r.message,
                json.dumps(r.content, ensure_ascii=False, default=str),
            )
            for r in rows
        ]
        self._db.executemany(
            "INSERT INTO santu_quarantine (at, table_name, source, row, reason, message, content) "
            "VALUES (?,?,?,?,?,?,?)",
            cells,
        )
        return len(cells)

    def record(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Keep a named result."""
        text = json.dumps(body, ensure_ascii=False, default=str)
        self._db.execute(
            "INSERT OR REPLACE INTO santu_records VALUES (?,?,?,?)", (kind, key, self._now, text)
        )

    def audit(self, who: str, action: str, subject: str, detail: str = "") -> None:
        """Add a line to the audit log."""
        self._db.execute(
            "INSERT INTO santu_audit (at, who, action, subject, detail) VALUES (?,?,?,?,?)",
            (self._now, who, action, subject, detail),
        )

    def set_meta(self, key: str, value: str) -> None:
        """Set a fact about the city."""
        self._db.execute("INSERT OR REPLACE INTO santu_meta VALUES (?,?)", (key, value))

    def finish(self) -> None:
        """Close the books before the commit: history of removed grids, extents for QGIS."""
        if "grids" in self._cleared:
            self._retire_removed()
        for table in self._versions:
            self._db.execute("UPDATE gpkg_contents SET last_change=? WHERE table_name=?", (self._now, table))

    def _known(self, contract: schema.Table, frame: pd.DataFrame) -> int:
        """How many rows of a frame the table has already."""
        name, key = gpkg_sql.quoted(contract.name), gpkg_sql.quoted(contract.key)
        keys = json.dumps(frame.index.astype(str).tolist(), ensure_ascii=False)
        sql = f"SELECT count(*) FROM {name} WHERE {key} IN (SELECT value FROM json_each(?))"
        return int(self._db.execute(sql, (keys,)).fetchone()[0])

    def _count(self, table: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {gpkg_sql.quoted(table)}").fetchone()[0])

    def _touch(self, table: str) -> int:
        if table not in self._versions:
            self._db.execute("UPDATE santu_tables SET version=version+1 WHERE name=?", (table,))
            row = self._db.execute("SELECT version FROM santu_tables WHERE name=?", (table,)).fetchone()
            self._versions[table] = int(row[0])
        return self._versions[table]

    def _note_crs(self, table: str, frame: pd.DataFrame) -> None:
        """Fix the city's metric CRS when its first geometry arrives, and the extent that QGIS zooms to."""
        bounds = frame.total_bounds
        if not np.isfinite(bounds).all():
            return
        if not self._db.execute("SELECT 1 FROM santu_meta WHERE key='crs'").fetchone():
            chosen = crs_.metric_crs((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
            self.set_meta("crs", str(chosen))
        self._db.execute(
            "UPDATE gpkg_contents SET min_x=min(ifnull(min_x,?1),?1), min_y=min(ifnull(min_y,?2),?2), "
            "max_x=max(ifnull(max_x,?3),?3), max_y=max(ifnull(max_y,?4),?4) WHERE table_name=?5",
            (*(float(b) for b in bounds), table),
        )

    def _retire(self, frame: pd.DataFrame) -> int:
        """Move the old version of every re-drawn grid to the history; how many."""
        source = "santu_old_grids" if "grids" in self._cleared else "grids"
        self._db.execute(
            "CREATE TEMP TABLE IF NOT EXISTS santu_new (grid_id TEXT PRIMARY KEY, since TEXT, cells BLOB)"
        )
        self._db.execute("DELETE FROM santu_new")
        since = frame["valid_from"].dt.strftime("%Y-%m-%d")
        shapes = gpkg_sql.blobs(frame.geometry.to_numpy(), gpkg_sql.SRS_ID)
        rows = [row for row in zip(frame.index, since, shapes, strict=True) if pd.notna(row[1])]
        self._db.executemany("INSERT OR REPLACE INTO santu_new VALUES (?,?,?)", rows)
        return self._to_history(
            f"FROM {source} AS g JOIN santu_new AS n ON n.grid_id = g.grid_id "
            "WHERE ifnull(g.valid_from,'') < n.since AND g.geom IS NOT n.cells",
            "n.since",
        )

    def _retire_removed(self) -> None:
        """After a replacement: what has no successor of its own name ends when the new grids begin."""
        row = self._db.execute("SELECT min(valid_from) FROM grids WHERE valid_from IS NOT NULL").fetchone()
        if row[0]:
            self._to_history(
                "FROM santu_old_grids AS g WHERE g.grid_id NOT IN (SELECT grid_id FROM grids) "
                f"AND ifnull(g.valid_from,'') < '{row[0]}'",
                f"'{row[0]}'",
            )
        self._db.execute("DROP TABLE santu_old_grids")

    def _to_history(self, source: str, until: str) -> int:
        history = schema.table("grids_history")
        names = [n for n in history.names if n not in ("grid_id", "valid_to")]
        columns = ", ".join(map(gpkg_sql.quoted, names))
        values = ", ".join(f"g.{gpkg_sql.quoted(n)}" for n in names)
        version = self._touch("grids_history")
        cursor = self._db.execute(
            f"INSERT OR REPLACE INTO grids_history (history_id, grid_id, valid_to, geom, santu_version, {columns}) "
            f"SELECT g.grid_id || '@' || {until}, g.grid_id, {until}, g.geom, {version}, {values} {source}"
        )
        return int(cursor.rowcount)
