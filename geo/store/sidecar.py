"""Copies of large tables for fast opening (快速打开副本): Arrow files that can be deleted at any time.

A copy knows the version it was taken at; rows that changed since are read from the store and laid over it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from geo import schema
from geo.packed import shape_column
from geo.points import lonlat, point_column

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def write(folder: Path, table: schema.Table, frame: pd.DataFrame, version: str) -> None:
    """Write a copy; a folder that cannot be written is no error (the copy is only for speed)."""
    plain = pd.DataFrame(frame.drop(columns="geometry", errors="ignore"))
    arrow = pa.Table.from_pandas(plain.reset_index(), preserve_index=False)
    if table.geometry == schema.POINTS:
        x, y = lonlat(frame)
        arrow = arrow.append_column("x", pa.array(x)).append_column("y", pa.array(y))
    elif table.geometry:
        arrow = arrow.append_column(
            "wkb", pa.array(shapely.to_wkb(frame.geometry.to_numpy()), pa.large_binary())
        )
    columns = ",".join(arrow.column_names)
    arrow = arrow.replace_schema_metadata(
        {**(arrow.schema.metadata or {}), b"santu": f"{version}|{columns}".encode()}
    )
    path = folder / f"{table.name}.arrow"
    partial = folder / f".{table.name}.{os.getpid()}.partial"
    try:
        folder.mkdir(exist_ok=True)
        with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, arrow.schema) as writer:
            writer.write_table(arrow)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)


def read(
    folder: Path, table: schema.Table, version: str, *, base: int, crs: object
) -> tuple[pd.DataFrame, int] | None:
    """Return a copy no newer than `version` and no older than `base`, and the change it was taken at, or None."""
    path = folder / f"{table.name}.arrow"
    if not path.exists():
        return None
    try:
        with pa.memory_map(str(path)) as source:
            arrow = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid):
        return None
    taken, _, columns = (arrow.schema.metadata or {}).get(b"santu", b"").decode().partition("|")
    geometry = {"x", "y"} if table.geometry == schema.POINTS else {"wkb"} if table.geometry else set()
    if set(columns.split(",")) != {table.key, *table.names} | geometry:
        return None
    store, _, number = taken.partition(".")
    now_store, _, now = version.partition(".")
    if store != now_store or not base <= int(number) <= int(now):
        return None
    return _frame(arrow, table, crs), int(number)


def _frame(arrow: pa.Table, table: schema.Table, crs: object) -> pd.DataFrame:
    drop = [c for c in ("x", "y", "wkb") if c in arrow.column_names and c not in table.names]
    plain = arrow.drop_columns(drop).to_pandas()
    plain = plain.set_index(table.key).astype({c.name: schema.DTYPES[c.kind] for c in table.columns})
    plain.index = plain.index.astype("str")
    if not table.geometry:
        return plain
    if table.geometry == schema.POINTS:
        shapes = point_column(_numbers(arrow["x"]), _numbers(arrow["y"]), crs)
    else:
        shapes = shape_column(arrow["wkb"], crs)
    return gpd.GeoDataFrame(plain, geometry=shapes, crs=crs)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Values of a column where they lie in the file, if they lie in one piece."""
    values = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
