"""GeoPackage in SQL (OGC 12-128r19): core tables, one table per contract, geometry blobs."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pyproj
import shapely

from geo import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

APPLICATION_ID = 0x47504B47  # "GPKG"
GPKG_VERSION = 10300
LONLAT = "EPSG:4490"  # of every table
SRS_ID = 4490

SQL_TYPES = {
    "text": "TEXT",
    "int": "INTEGER",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "time": "DATETIME",
    "date": "DATE",
}

CORE = """
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL, m TINYINT NOT NULL, CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
"""

SANTU = """
CREATE TABLE santu_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE santu_tables (
  name TEXT PRIMARY KEY, version INTEGER NOT NULL, base INTEGER NOT NULL DEFAULT 0);
CREATE TABLE santu_quarantine (
  id INTEGER PRIMARY KEY, at TEXT NOT NULL, table_name TEXT NOT NULL, source TEXT NOT NULL, row INTEGER NOT NULL,
  reason TEXT NOT NULL, message TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE santu_records (kind TEXT NOT NULL, key TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (kind, key));
CREATE TABLE santu_audit (
  id INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
  detail TEXT NOT NULL);
"""


def quoted(name: str) -> str:
    """Quote an identifier of ours (they never hold a quote)."""
    return f'"{name}"'


def columns_of(table: schema.Table) -> list[str]:
    """Names of the stored columns, key first, geometry last."""
    return [table.key, *table.names, *(["geom"] if table.geometry else [])]


def create_table(table: schema.Table) -> str:
    """SQL that makes the table of a contract."""
    columns = ["fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL", f"{quoted(table.key)} TEXT NOT NULL UNIQUE"]
    columns += [f"{quoted(c.name)} {SQL_TYPES[c.kind]}" for c in table.columns]
    if table.geometry:
        columns.append(f"geom {geometry_type(table)}")
    columns.append("santu_version INTEGER NOT NULL DEFAULT 0")
    return f"CREATE TABLE {quoted(table.name)} ({', '.join(columns)})"


def geometry_type(table: schema.Table) -> str:
    """GeoPackage's name for what the table may hold."""
    return "POINT" if table.geometry == schema.POINTS else "GEOMETRY"


def upsert_sql(table: schema.Table, version: int) -> str:
    """SQL that adds a row or, where its key exists and something differs, changes it."""
    names = columns_of(table)
    changing = names[1:]
    sets = ", ".join(f"{quoted(n)}=excluded.{quoted(n)}" for n in changing)
    differs = " OR ".join(f"{quoted(n)} IS NOT excluded.{quoted(n)}" for n in changing)
    return (
        f"INSERT INTO {quoted(table.name)} ({', '.join(map(quoted, names))}, santu_version) "
        f"VALUES ({', '.join('?' * len(names))}, {version}) "
        f"ON CONFLICT({quoted(table.key)}) DO UPDATE SET {sets}, santu_version={version} WHERE {differs}"
    )


def srs_row(crs: str) -> tuple[str, int, str, int, str, str]:
    """Return a row of `gpkg_spatial_ref_sys` for an EPSG code."""
    parsed = pyproj.CRS.from_user_input(crs)
    code = int(parsed.to_epsg() or 4326)
    return parsed.name, code, "EPSG", code, parsed.to_wkt("WKT1_GDAL"), parsed.name


UNDEFINED_SRS = [
    (
        "Undefined Cartesian SRS",
        -1,
        "NONE",
        -1,
        "undefined",
        "undefined Cartesian coordinate reference system",
    ),
    (
        "Undefined geographic SRS",
        0,
        "NONE",
        0,
        "undefined",
        "undefined geographic coordinate reference system",
    ),
]


def blobs(shapes: NDArray[np.object_], srs_id: int) -> list[bytes | None]:
    """Encode geometries as GeoPackage blobs: header without envelope, then ISO WKB."""
    header = b"GP\x00\x01" + struct.pack("<i", srs_id)
    wkb = shapely.to_wkb(shapes, flavor="iso", byte_order=1)
    return [None if w is None else header + w for w in wkb]


def geometries(values: Sequence[bytes | None]) -> NDArray[np.object_]:
    """Decode GeoPackage blobs; other writers may have put an envelope into the header."""
    skip = (8, 40, 56, 56, 72)
    wkb = [None if b is None else b[skip[(b[3] >> 1) & 7] :] for b in values]
    return np.asarray(shapely.from_wkb(np.array(wkb, dtype=object)), dtype=object)


def to_cells(frame: pd.DataFrame, table: schema.Table, srs_id: int) -> list[list[object]]:
    """Return the columns of a conforming table as SQLite values, in the order of `columns_of`."""
    cells: list[list[object]] = [frame.index.astype("str").tolist()]
    cells += [_column_cells(frame[column.name], column.kind) for column in table.columns]
    if table.geometry:
        cells.append(list(blobs(frame.geometry.to_numpy(), srs_id)))
    return cells


def _column_cells(values: pd.Series, kind: str) -> list[object]:
    if kind in ("time", "date"):
        naive = values.dt.tz_convert("UTC").dt.tz_localize(None) if kind == "time" else values
        unit: Literal["ms", "D"] = "ms" if kind == "time" else "D"
        text: list[str] = np.datetime_as_string(naive.to_numpy().astype("datetime64[ms]"), unit=unit).tolist()
        suffix = "Z" if kind == "time" else ""
        return [None if t == "NaT" else t + suffix for t in text]
    if kind == "bool":
        return [None if v is pd.NA else int(v) for v in values.astype("boolean")]
    cells = values.astype(object).to_numpy(copy=True)
    cells[pd.isna(cells)] = None
    return list(cells)


def from_cells(rows: list[tuple[object, ...]], table: schema.Table, crs: object) -> pd.DataFrame:
    """Build a conforming table from SQLite rows in the order of `columns_of`."""
    import geopandas as gpd  # noqa: PLC0415

    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns_of(table))
    index = pd.Index(pd.array(cells[0], dtype="str"), name=table.key)
    data = {c.name: _column(cells[i + 1], c.kind) for i, c in enumerate(table.columns)}
    frame = pd.DataFrame(data, index=index)
    if not table.geometry:
        return frame
    return gpd.GeoDataFrame(frame, geometry=geometries(cells[-1]), crs=crs)


def _column(cells: Sequence[object], kind: str) -> object:
    dtype = schema.DTYPES[kind]  # type: ignore[index]
    if kind == "time":
        return pd.array(
            pd.to_datetime(np.array(cells, dtype=object), utc=True, format="ISO8601").as_unit("us")
        )
    if kind == "date":
        return pd.array(pd.to_datetime(np.array(cells, dtype=object), format="ISO8601").as_unit("us"))
    if kind == "float":
        return np.array([np.nan if c is None else c for c in cells], dtype=np.float64)
    if kind == "bool":
        return pd.array([None if c is None else bool(c) for c in cells], dtype=dtype)
    return pd.array(cells, dtype=dtype)
