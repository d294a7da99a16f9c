"""Steps from one version of the store to the next (数据库升级). Each runs once, inside one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geo import schema
from geo.store import gpkg_sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = ()
"""Step i brings version i + 1 to i + 2."""

SCHEMA_VERSION = 1 + len(STEPS)


def reconcile(connection: sqlite3.Connection, srs_id: int) -> None:
    """Add tables and columns that the contracts have and an older store of the same version lacks."""
    have = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    for table in schema.TABLES.values():
        if table.name not in have:
            add_table(connection, table, srs_id)
            continue
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({gpkg_sql.quoted(table.name)})")}
        for column in table.columns:
            if column.name not in columns:
                kind = gpkg_sql.SQL_TYPES[column.kind]
                name = gpkg_sql.quoted(column.name)
                connection.execute(f"ALTER TABLE {gpkg_sql.quoted(table.name)} ADD COLUMN {name} {kind}")


def add_table(connection: sqlite3.Connection, table: schema.Table, srs_id: int) -> None:
    """Make one table and register it, so that QGIS lists it under its Chinese name."""
    connection.execute(gpkg_sql.create_table(table))
    kind = "features" if table.geometry else "attributes"
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES (?,?,?,?)",
        (table.name, kind, f"{table.name} {table.zh}", srs_id if table.geometry else None),
    )
    if table.geometry:
        connection.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?,?,?,?,0,0)",
            (table.name, "geom", gpkg_sql.geometry_type(table), srs_id),
        )
    connection.execute("INSERT INTO santu_tables (name, version) VALUES (?, 0)", (table.name,))
