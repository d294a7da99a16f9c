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
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd

from geo import schema
from geo.city import City, Memo
from geo.errors import StoreBusyError, StoreError, StoreVersionError
from geo.store import gpkg_sql, migrations
from geo.store.change import GeoPackageTransaction
from geo.store.index_files import IndexFiles
from geo.store.kept import KeptFiles
from geo.store.snapshot import SnapshotTables, versions_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from geo.store.base import Mode, WriteResult

FILE = "santu.gpkg"
BUSY_MS = 15_000


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
            rows = [*gpkg_sql.UNDEFINED_SRS, gpkg_sql.srs_row("EPSG:4326"), gpkg_sql.srs_row(gpkg_sql.LONLAT)]
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
                migrations.add_table(connection, table, gpkg_sql.SRS_ID)
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
        return versions_of(self._connect())

    def city(self, as_of: date | None = None) -> City:
        """Return the snapshot of this moment; tables load when first asked for, all from the same moment."""
        with guarded(self.path):
            reader = self._new_connection(check_same_thread=False)
            reader.execute("BEGIN")
            meta = dict(reader.execute("SELECT key, value FROM santu_meta").fetchall())
            versions = versions_of(reader)
            marks = dict(reader.execute("SELECT table_name, last_change FROM gpkg_contents").fetchall())
        tables = SnapshotTables(reader, versions, self.folder / "cache", self._frames)
        city = City(
            meta["name"],
            crs=meta.get("crs", "EPSG:4548"),
            tables=tables,
            versions=versions,
            lonlat_crs=gpkg_sql.LONLAT,
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
            migrations.reconcile(connection, gpkg_sql.SRS_ID)
            connection.execute(
                "UPDATE santu_meta SET value=? WHERE key='schema_version'", (str(migrations.SCHEMA_VERSION),)
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


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
