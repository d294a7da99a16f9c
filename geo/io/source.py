"""A file as chunks of raw rows (数据源): opened once, sized before it is read, never whole in memory.

`open_source` finds the format from the name and the first bytes, refuses what must not be read (too large, a
zip bomb, nothing there) and hands back a `Source`, whose `chunks` are tables with the file's own column names.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator  # noqa: TC003  (evaluated by dataclass users)
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from geo.errors import ImportRefusedError, Problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyproj

CHUNK_ROWS = 100_000
MAX_BYTES = 4 << 30
ZIP_MAX_RATIO = 200
ZIP_FREE_BYTES = 64 << 20  # an archive that unpacks to less than this is harmless whatever its ratio
SEEN_ROW = "__row__"

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".xlsm": "xlsx", ".json": "json",
    ".geojson": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".geojsonl": "ogr", ".gpkg": "ogr",
    ".shp": "ogr", ".fgb": "ogr", ".parquet": "parquet", ".geoparquet": "parquet", ".pbf": "osm",
    ".osm": "osm", ".zip": "zip",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a file: raw columns, the row numbers that a person sees, geometry if the format has one."""

    frame: pd.DataFrame
    rows: np.ndarray
    shapes: np.ndarray | None
    fraction: float  # of the file read when this chunk ends, 0 to 1


@dataclass(slots=True)
class Source:
    """An opened file: what it says about itself and an iterator of its rows."""

    path: Path
    format: str
    columns: list[str]
    read: Callable[[int], Iterator[Chunk]]
    crs: pyproj.CRS | None = None
    encoding: str = "utf-8"
    total: int | None = None  # rows, where the format knows
    layer: str = ""
    has_shapes: bool = False
    trusted_crs: bool = False  # the file declares its CRS itself (not only by a format's default)
    notes: list[str] = field(default_factory=list)
    broken: list[Problem] = field(default_factory=list)  # rows that are no rows; filled while reading
    cut: frozenset[str] = frozenset()  # headers whose end the format may have cut off
    inside: str = ""  # the archive that the file was taken out of

    @property
    def name(self) -> str:
        """The file as the user knows it."""
        return f"{self.inside}:{self.path.name}" if self.inside else str(self.path)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file: encoding, layer (or sheet) and the largest size that is read, bytes."""

    encoding: str = "auto"
    layer: str = ""
    max_bytes: int = MAX_BYTES


def open_source(path: str | Path, options: ReadOptions | None = None, *, table: str = "") -> Source:
    """Open a file for import; `table` matters to OSM extracts alone, which hold many.

    Raises
    ------
    ImportRefusedError
        The path is not there, not a file, empty, larger than allowed, a zip bomb, of an unknown format, or
        not what its name says.
    """
    options = options or ReadOptions()
    path = Path(path)
    check_file(path, options.max_bytes)
    kind = format_of(path)
    if kind in ("csv", "xlsx", "json", "jsonl"):
        from geo.io import tables  # noqa: PLC0415  (each reader pulls in a large library)

        return tables.open_table(path, kind, options)
    if kind in ("ogr", "parquet"):
        from geo.io import vector  # noqa: PLC0415

        return vector.open_vector(path, kind, options)
    if kind == "osm":
        from geo.io import osm  # noqa: PLC0415

        return osm.open_osm(path, table)
    from geo.io import archive  # noqa: PLC0415

    return archive.open_archive(path, options, table=table)


def check_file(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Raise `ImportRefusedError` unless `path` is a readable, non-empty file of at most `max_bytes`."""
    if not path.exists():
        near = (
            sorted(p.name for p in path.parent.glob("*") if p.is_file())[:8] if path.parent.is_dir() else []
        )
        beside = f"; in {path.parent}: {', '.join(near)}" if near else ""
        raise ImportRefusedError(f"{path}: there is no such file{beside}")
    if not path.is_file():
        raise ImportRefusedError(f"{path}: is not a file; name the file itself (a shapefile: its .shp)")
    size = path.stat().st_size
    if size == 0:
        raise ImportRefusedError(f"{path}: the file is empty (0 bytes); nothing to import")
    if size > max_bytes:
        raise ImportRefusedError(
            f"{path}: {size:,} bytes; allowed: at most {max_bytes:,}. Split the file, or raise the limit "
            "(--max-size) if it is really meant"
        )


def format_of(path: Path) -> str:
    """Return the reader of a file by its name's ending, checked against its first bytes."""
    if path.name.lower().endswith((".gml", ".kml", ".kmz", ".tab", ".mif", ".gdb", ".dwg", ".dxf", ".xls")):
        raise ImportRefusedError(
            f"{path}: this format is not read; save it as GeoPackage (.gpkg), CSV or .xlsx first"
        )
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ImportRefusedError(
            f"{path}: unknown file type {path.suffix!r}; allowed: {', '.join(sorted(FORMATS))}"
        )
    with path.open("rb") as file:
        head = file.read(16)
    zipped = head.startswith(b"PK\x03\x04")
    expected = {"xlsx": zipped, "zip": zipped, "parquet": head.startswith(b"PAR1")}
    if path.suffix.lower() == ".gpkg":
        expected["ogr"] = head.startswith(b"SQLite format 3\0")
    if not expected.get(kind, True):
        raise ImportRefusedError(f"{path}: the content is not {path.suffix} (first bytes {head[:8]!r})")
    if kind == "csv" and (zipped or head.startswith((b"\xd0\xcf\x11\xe0", b"PAR1", b"SQLite format 3"))):
        raise ImportRefusedError(
            f"{path}: named {path.suffix} but is no text file (first bytes {head[:8]!r})"
        )
    return kind


def check_zip(path: Path, max_bytes: int = MAX_BYTES) -> list[zipfile.ZipInfo]:
    """Return the members of a zip archive (an .xlsx is one); refuse a bomb before a byte is unpacked.

    The sizes are those of the archive's directory; readers stop at them, so a lie cannot unpack more.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ImportRefusedError(f"{path}: broken archive ({error})") from error
    unpacked = sum(m.file_size for m in members)
    packed = max(path.stat().st_size, 1)
    if unpacked > max_bytes:
        raise ImportRefusedError(
            f"{path}: unpacks to {unpacked:,} bytes; allowed: at most {max_bytes:,} (--max-size)"
        )
    if unpacked > ZIP_FREE_BYTES and unpacked > ZIP_MAX_RATIO * packed:
        raise ImportRefusedError(
            f"{path}: unpacks {packed:,} bytes to {unpacked:,} ({unpacked // packed} times; allowed: "
            f"{ZIP_MAX_RATIO} times); this looks like a zip bomb"
        )
    if len(members) > 10_000:
        raise ImportRefusedError(f"{path}: {len(members):,} files in one archive; allowed: 10,000")
    return members
