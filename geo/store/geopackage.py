"""A city in one GeoPackage (SQLite in WAL mode) that QGIS opens as it is (GeoPackage 存储).

`city/santu.gpkg` holds every table in degrees (CGCS2000, EPSG:4490); `city/cache/` holds copies for fast opening
that may be deleted at any time. Every write is one transaction with `synchronous=FULL`: once it returns, a power
cut loses nothing; a kill in the middle leaves the state before.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from geo import crs as crs_
from geo import schema
from geo.city import City, Memo
from geo.errors import StoreBusyError, StoreError, StoreVersionError
from geo.store import gpkg_sql, migrations, sidecar
from geo.store.base import Mode, Quarantined, WriteResult
from geo.store.index_files import IndexFiles
from geo.store.kept import KeptFiles

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

FILE = "santu.gpkg"
LONLAT = "EPSG:4490"
SRS_ID = 4490
BUSY_MS = 15_000
SIDECAR_ROWS = 5_000
CHUNK = 50_000  # rows


class GeoPackageStore:
    """One city in `folder/santu.gpkg`. Safe to share between threads; one writer at a time across processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE
        self._local = threading.local()
        self._memo = Memo()
        self._frames: dict[str, tuple[str, pd.DataFrame]] = {}
        self._write_lock = threading.RLock()

    @classmethod
    def create(cls, folder: Path, *, name: str, scheme: str = "") -> GeoPackageStore:
        """Make an empty store; `StoreError` if one exists or the folder cannot be written."""
        store = cls(folder)
        if store.path.exists():
            raise StoreError(f"{store.path} exists already; open it, or choose another folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder {folder}: {error.strerror}") from error
        with guarded(store.path):
            connection = store._connect()
            connection.execute(f"PRAGMA application_id={gpkg_sql.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={gpkg_sql.GPKG_VERSION}")
            connection.execute("BEGIN IMMEDIATE")
            for statement in (gpkg_sql.CORE + gpkg_sql.SANTU).split(";"):
                if statement.strip():
                    connection.execute(statement)
            rows = [*gpkg_sql.UNDEFINED_SRS, gpkg_sql.srs_row("EPSG:4326"), gpkg_sql.srs_row(LONLAT)]
            connection.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?,?,?,?,?,?)", rows)
            facts = {
                "name": name,
                "scheme": scheme,
                "timezone": "Asia/Shanghai",
                "schema_version": str(migrations.SCHEMA_VERSION),
                "store_id": secrets.token_hex(4),
            }
            connection.executemany("INSERT INTO santu_meta VALUES (?,?)", facts.items())
            for table in schema.TABLES.values():
                migrations.add_table(connection, table, SRS_ID)
            connection.execute("COMMIT")
            connection.execute(
                "PRAGMA wal_checkpoint(TRUNCATE)"
            )  # readers of the raw header see a GeoPackage
        return store

    @classmethod
    def open(cls, folder: Path) -> GeoPackageStore:
        """Open a store and bring it to this version; `StoreVersionError` if a newer Santu wrote it."""
        store = cls(folder)
        if not store.path.is_file():
            raise StoreError(f"no city at {folder} ({FILE} is not there); make one with: santu init {folder}")
        with guarded(store.path):
            version = int(store.meta().get("schema_version", "0"))
            if version > migrations.SCHEMA_VERSION:
                raise StoreVersionError(
                    f"{store.path} has schema version {version}; this Santu knows up to "
                    f"{migrations.SCHEMA_VERSION}: use a newer Santu"
                )
            store._migrate(version)
        return store

    # -- reading --------------------------------------------------------------------------------------------

    def meta(self) -> dict[str, str]:
        """Facts about the city."""
        with guarded(self.path):
            return dict(self._connect().execute("SELECT key, value FROM santu_meta").fetchall())

    def versions(self) -> dict[str, str]:
        """Version of every table: store id, dot, number of the change."""
        return _versions(self._connect())

    def city(self, as_of: date | None = None) -> City:
        """Return the snapshot of this moment; tables load when first asked for, all from the same moment."""
        with guarded(self.path):
            reader = self._new_connection(check_same_thread=False)
            reader.execute("BEGIN")
            meta = dict(reader.execute("SELECT key, value FROM santu_meta").fetchall())
            versions = _versions(reader)
            marks = dict(reader.execute("SELECT table_name, last_change FROM gpkg_contents").fetchall())
        tables = SnapshotTables(reader, versions, self.folder / "cache", self._frames)
        city = City(
            meta["name"],
            crs=meta.get("crs", "EPSG:4548"),
            tables=tables,
            versions=versions,
            lonlat_crs=LONLAT,
            scheme=meta.get("scheme", ""),
            timezone=meta.get("timezone", "Asia/Shanghai"),
            meta=json.loads(meta.get("facts", "{}")) | {"folder": str(self.folder)},
            memo=self._memo,
            indexer=IndexFiles(self.folder / "cache" / "index"),
            keeper=KeptFiles(self.folder / "cache" / "kept", marks),
        )
        return city if as_of is None else city.as_of(as_of)

    def quarantined(self, table: str | None = None) -> pd.DataFrame:
        """Rows that were not trusted, newest first: at, table, source, row, reason, message, content (JSON)."""
        sql = "SELECT id, at, table_name, source, row, reason, message, content FROM santu_quarantine"
        rows = self._connect().execute(
            f"{sql} WHERE ?1 IS NULL OR table_name = ?1 ORDER BY id DESC", (table,)
        )
        names = ["id", "at", "table", "source", "row", "reason", "message", "content"]
        return pd.DataFrame(rows.fetchall(), columns=names).set_index("id")

    def records(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Named results of a kind in the order of their keys."""
        rows = self._connect().execute(
            "SELECT key, body FROM santu_records WHERE kind=? ORDER BY key", (kind,)
        )
        for key, body in rows.fetchall():
            yield key, json.loads(body)

    def audit_log(self, limit: int = 1000) -> pd.DataFrame:
        """Lines of the audit log, newest first: at, who, action, subject, detail."""
        names = ["at", "who", "action", "subject", "detail"]
        rows = self._connect().execute(
            "SELECT at, who, action, subject, detail FROM santu_audit ORDER BY id DESC LIMIT ?", (limit,)
        )
        return pd.DataFrame(rows.fetchall(), columns=names)

    # -- writing --------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[GeoPackageTransaction]:
        """All or nothing; `StoreBusyError` if another process keeps writing, `StoreError` on a full disk."""
        with self._write_lock, guarded(self.path):
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                change = GeoPackageTransaction(connection)
                yield change
                change.finish()
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def write(self, table: str, frame: pd.DataFrame, *, mode: Mode = "append") -> WriteResult:
        """Write one table in one transaction; `replace` removes the rows that `frame` does not have."""
        with self.transaction() as change:
            removed = change.clear(table) if mode == "replace" else 0
            result = change.upsert(table, frame)
            result.removed = max(0, removed - result.inserted - result.updated - result.unchanged)
        return result

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    # -- inside ---------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._new_connection()
        return connection

    def _new_connection(self, *, check_same_thread: bool = True) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=check_same_thread
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-65536")
        return connection

    def _migrate(self, version: int) -> None:
        connection = self._connect()
        have = {row[0] for row in connection.execute("SELECT name FROM santu_tables")}
        columns = {
            (t.name, row[1])
            for t in schema.TABLES.values()
            for row in connection.execute(f"PRAGMA table_info({gpkg_sql.quoted(t.name)})")
        }
        wanted = {(t.name, c.name) for t in schema.TABLES.values() for c in t.columns}
        if version == migrations.SCHEMA_VERSION and have >= set(schema.TABLES) and wanted <= columns:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for step in migrations.STEPS[version - 1 :]:
                step(connection)
            migrations.reconcile(connection, SRS_ID)
            connection.execute(
                "UPDATE santu_meta SET value=? WHERE key='schema_version'", (str(migrations.SCHEMA_VERSION),)
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


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
        before = self._count(table)
        changes = self._db.total_changes
        sql = gpkg_sql.upsert_sql(contract, version)
        for start in range(0, len(frame), CHUNK):  # an object per cell: never more than a chunk's at once
            cells = gpkg_sql.to_cells(frame.iloc[start : start + CHUNK], contract, SRS_ID)
            self._db.executemany(sql, zip(*cells, strict=True))
        result.inserted = self._count(table) - before
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
        shapes = gpkg_sql.blobs(frame.geometry.to_numpy(), SRS_ID)
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
        kept = sidecar.read(self._cache, table, version, base=int(base), crs=LONLAT)
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
        return gpkg_sql.from_cells(rows, table, LONLAT)


def _versions(connection: sqlite3.Connection) -> dict[str, str]:
    store = connection.execute("SELECT value FROM santu_meta WHERE key='store_id'").fetchone()[0]
    return {n: f"{store}.{v}" for n, v in connection.execute("SELECT name, version FROM santu_tables")}


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file and what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise StoreBusyError(
                f"{path} is being written by another process; try again when it is done"
            ) from error
        if "full" in text or "disk I/O" in text:
            raise StoreError(
                f"{path}: {text}; nothing was changed. Free some disk space and try again"
            ) from error
        raise StoreError(f"{path}: {text}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is not a store of Santu, or it is damaged: {error}") from error
