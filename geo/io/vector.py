"""Files with geometry of their own (矢量): GeoJSON, GeoPackage, Shapefile, FlatGeobuf, GeoParquet; streamed."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
import shapely

from geo.errors import ImportRefusedError
from geo.io import dbf
from geo.io.encoding import detect
from geo.io.source import Chunk, ReadOptions, Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# GDAL would read times to the millisecond only; our own reader takes the text whole.
_KEEP_TEXT = {"DATE_AS_STRING": "YES"}
_TEXTUAL = {".geojson", ".json", ".geojsonl"}


def open_vector(path: Path, kind: str, options: ReadOptions) -> Source:
    """Open a file that GDAL or Arrow reads in batches.

    Raises
    ------
    ImportRefusedError
        Not readable as what its name says, no such layer, or several layers and none named.
    """
    return _open_parquet(path) if kind == "parquet" else _open_ogr(path, options)


def _open_ogr(path: Path, options: ReadOptions) -> Source:
    try:
        encoding = _encoding(path, options.encoding)
        layers = pyogrio.list_layers(path)
        layer = _layer(path, layers, options.layer)
        info, encoding = _info(path, layer, encoding)
    except pyogrio.errors.DataSourceError as error:
        raise ImportRefusedError(f"{path}: cannot be read: {error}") from error
    columns = [encoding.text(str(c)) for c in info["fields"]]
    total = int(info["features"]) if info["features"] >= 0 else None
    if total == 0:
        raise ImportRefusedError(f"{path}: layer {layer!r} has no features; nothing to import")
    source = Source(path, "ogr", columns, lambda size: _read_ogr(source, encoding, size))
    source.layer, source.total, source.encoding = layer, total, encoding.name
    source.has_shapes = info["geometry_type"] is not None
    source.crs = pyproj.CRS.from_user_input(info["crs"]) if info["crs"] else None
    # GDAL gives every GeoJSON the default of RFC 7946: that is no statement of the file's author.
    source.trusted_crs = source.crs is not None and path.suffix.lower() not in _TEXTUAL
    if path.suffix.lower() == ".shp":
        source.cut = frozenset(c for c in columns if encoding.cut(c))
    if encoding.note:
        source.notes.append(encoding.note)
    others = [str(name) for name, _ in layers if str(name) != layer]
    if others:
        source.notes.append(f"layer {layer!r} read; not read: {', '.join(others)} (--layer)")
    return source


def _info(path: Path, layer: str, encoding: dbf.DbfEncoding) -> tuple[dict[str, Any], dbf.DbfEncoding]:
    """Describe a layer; a DBF whose ten bytes cut a header in the middle of a character is read as plain bytes."""
    try:
        return pyogrio.read_info(path, layer=layer, encoding=encoding.ogr), encoding
    except UnicodeDecodeError:
        raw = replace(encoding, ogr="ISO-8859-1", raw=True)
        return pyogrio.read_info(path, layer=layer, encoding=raw.ogr), raw


def _layer(path: Path, layers: np.ndarray, wanted: str) -> str:
    names = [str(name) for name, _ in layers]
    spatial = [str(name) for name, kind in layers if kind is not None]
    if wanted:
        if wanted not in names:
            raise ImportRefusedError(f"{path}: no layer {wanted!r}; allowed: {', '.join(names)}")
        return wanted
    if not names:
        raise ImportRefusedError(f"{path}: the file has no layer; nothing to import")
    if len(spatial or names) > 1:
        raise ImportRefusedError(
            f"{path}: {len(names)} layers and none named; allowed: --layer with one of {', '.join(names)}"
        )
    return (spatial or names)[0]


def _encoding(path: Path, declared: str) -> dbf.DbfEncoding:
    if path.suffix.lower() == ".shp":
        return dbf.encoding_of(path, declared)
    if path.suffix.lower() in _TEXTUAL:
        found = detect(path, declared)
        if found.name not in ("utf-8", "utf-8-sig"):
            raise ImportRefusedError(
                f"{path}: is in {found.name} ({found.evidence}); allowed: GeoJSON in UTF-8 (RFC 7946)"
            )
    return dbf.DbfEncoding("utf-8", None, "")


def _read_ogr(source: Source, encoding: dbf.DbfEncoding, size: int) -> Iterator[Chunk]:
    path, layer, columns, total = source.path, source.layer, source.columns, source.total
    first = 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            with pyogrio.open_arrow(
                path,
                layer=layer,
                encoding=encoding.ogr,
                batch_size=size,
                use_pyarrow=True,
                datetime_as_string=True,
                **(_KEEP_TEXT if path.suffix.lower() in _TEXTUAL else {}),
            ) as (meta, reader):
                name = meta["geometry_name"] or "wkb_geometry"
                for batch in reader:
                    shapes = None
                    if name in batch.schema.names:
                        shapes = _from_wkb(batch.column(name))
                    named = batch.rename_columns([encoding.text(n) for n in batch.schema.names])
                    chunk = named.select([c for c in columns if c in named.schema.names])
                    rows = np.arange(first, first + batch.num_rows, dtype="int64")
                    first += batch.num_rows
                    done = min((first - 1) / total, 1.0) if total else 0.0
                    yield Chunk(_decoded(chunk.to_pandas(), encoding), rows, shapes, done)
    except (
        pyogrio.errors.DataSourceError,
        pa.ArrowException,
        OSError,
        RuntimeError,
        UnicodeDecodeError,
    ) as error:
        raise ImportRefusedError(f"{path}: broken near feature {first:,}: {error}") from error


def _decoded(frame: pd.DataFrame, encoding: dbf.DbfEncoding) -> pd.DataFrame:
    """Text columns that came as bytes in Latin-1 letters, read in the file's own encoding."""
    if not encoding.raw:
        return frame
    for name in frame.columns:
        if pd.api.types.is_string_dtype(frame[name].dtype) or frame[name].dtype == object:
            raw = frame[name].str.encode("latin-1")
            frame[name] = raw.str.decode(encoding.name, "replace")
    return frame


def _from_wkb(column: pa.Array) -> np.ndarray:
    """Shapes of a WKB column; what is no geometry becomes missing (and is quarantined later)."""
    values = column.to_numpy(zero_copy_only=False)
    return shapely.from_wkb(values, on_invalid="ignore")


def _open_parquet(path: Path) -> Source:
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise ImportRefusedError(f"{path}: cannot be read as Parquet: {error}") from error
    total = file.metadata.num_rows
    if total == 0:
        raise ImportRefusedError(f"{path}: the table has no rows; nothing to import")
    geo = _geo_metadata(schema, path)
    name = geo.get("primary_column", "") if geo else ""
    name = name if name in schema.names else ""
    columns = [c for c in schema.names if c != name and not c.startswith("__index_level_")]
    source = Source(path, "parquet", columns, lambda size: _read_parquet(path, columns, name, size))
    source.total, source.has_shapes = total, bool(name)
    if name:
        described = geo["columns"].get(name, {})
        crs = described.get("crs", "OGC:CRS84")  # absent means CRS84, null means unknown (GeoParquet 1.1)
        source.crs = pyproj.CRS.from_user_input(crs) if crs else None
        source.trusted_crs = bool(crs)
        if described.get("encoding", "WKB") != "WKB":
            raise ImportRefusedError(
                f"{path}: geometry encoded as {described['encoding']}; allowed: WKB (GeoParquet's default)"
            )
    return source


def _geo_metadata(schema: pa.Schema, path: Path) -> dict[str, Any]:
    raw = (schema.metadata or {}).get(b"geo")
    if raw is None:
        return {}
    try:
        return dict(orjson.loads(raw))
    except (orjson.JSONDecodeError, ValueError) as error:
        raise ImportRefusedError(f"{path}: broken GeoParquet metadata: {error}") from error


def _read_parquet(path: Path, columns: list[str], name: str, size: int) -> Iterator[Chunk]:
    first = 1
    with pq.ParquetFile(path) as file:
        total = max(file.metadata.num_rows, 1)
        for batch in file.iter_batches(batch_size=size, columns=[*columns, *([name] if name else [])]):
            shapes = _from_wkb(batch.column(name)) if name else None
            frame = batch.select(columns).to_pandas(ignore_metadata=True)
            rows = np.arange(first, first + batch.num_rows, dtype="int64")
            first += batch.num_rows
            yield Chunk(frame, rows, shapes, (first - 1) / total)
