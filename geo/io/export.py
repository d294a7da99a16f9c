"""Tables out (数据导出): GeoJSON, GeoParquet, FlatGeobuf, GeoPackage, CSV and Excel, cut to the caller's scope.

What is written reads back as the same table: `import(export(x)) == x`, value for value and coordinate for
coordinate (Excel: to 16 digits). A text that a spreadsheet would run as a formula is made harmless in CSV (an apostrophe before it, taken
off again on import) and is a plain string in Excel.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyogrio
import shapely

from geo import crs as crs_
from geo import people, schema
from geo.errors import BadInputError, UnknownNameError
from geo.scope import visible_cameras, visible_grids

if TYPE_CHECKING:
    from collections.abc import Callable

    from geo.city import City
    from geo.scope import Scope

FORMATS = {
    ".geojson": "GeoJSON", ".json": "GeoJSON", ".parquet": "GeoParquet", ".geoparquet": "GeoParquet", ".fgb": "FlatGeobuf",
    ".gpkg": "GeoPackage", ".csv": "CSV", ".xlsx": "Excel",
}  # fmt: skip
EXCEL_ROWS = 1_048_575
CELL_CHARACTERS = 32_000  # a cell holds 32,767
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # spreadsheets take the wide signs too
_BLOCK = 50_000


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: table, path, format, rows, and how many rows the scope held back."""

    table: str
    path: str
    format: str
    rows: int
    withheld: int
    crs: str


def export_table(
    city: City,
    table: str,
    path: str | Path,
    *,
    scope: Scope,
    crs: str = "cgcs2000",
    chinese: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write a table of a city to a file (导出数据表).

    Parameters
    ----------
    city, table
        What to write.
    path
        Its ending chooses the format, see `FORMATS`.
    scope
        Who reads it: only rows in the visible grids, no secret cameras below their role, small counts hidden.
    crs
        ``cgcs2000`` (degrees, the default), ``wgs84``, ``gcj02``, ``bd09`` or ``EPSG:n``; GeoJSON takes degrees only.
    chinese
        Chinese column names (CSV and Excel).
    overwrite
        Replace a file that exists.

    Returns
    -------
    Exported
        Rows written and withheld.

    Raises
    ------
    UnknownNameError
        For a table or an ending that does not exist.
    BadInputError
        The file exists, its folder does not, the disk is full, or the format cannot hold the table.
    """
    contract = schema.table(table)
    path = Path(path)
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UnknownNameError("export format", path.suffix, FORMATS)
    if path.exists() and not overwrite:
        raise BadInputError(f"{path} exists already; allowed: a new name, or --overwrite")
    if not path.parent.is_dir():
        raise BadInputError(f"{path}: its folder {path.parent} does not exist")
    if not contract.geometry and kind in ("GeoJSON", "FlatGeobuf", "GeoPackage"):
        raise BadInputError(f"{path}: the table {table} has no geometry; allowed: .csv, .xlsx, .parquet")
    whole = city.degrees(table)
    frame = in_scope(city, table, scope=scope)
    if contract.geometry:
        frame = _in_crs(frame, crs, kind)
    _to_file(frame, contract, path, _WRITERS[kind], chinese=chinese)
    return Exported(
        table, str(path), kind, len(frame), len(whole) - len(frame), crs if contract.geometry else ""
    )


def in_scope(city: City, table: str, *, scope: Scope) -> pd.DataFrame:
    """Rows of a table, in degrees, that a scope may see (按可见范围裁剪).

    A thing with geometry is visible where it meets a visible grid; counts of persons under k are missing.
    """
    frame = city.degrees(table)
    if table == "cameras":
        frame = frame[visible_cameras(frame, scope).to_numpy()]
    if table == "camera_states":
        return frame[frame["camera_id"].isin(in_scope(city, "cameras", scope=scope).index)]
    if table == "people":
        frame = _suppressed(frame, city, scope)
    if scope.whole_city or not len(frame):
        return frame
    grids = city.degrees("grids")
    seen = grids[visible_grids(grids, scope).to_numpy()]
    if table == "grids":
        return frame[frame.index.isin(seen.index)]
    if "grid_id" in frame and not schema.table(table).geometry:
        return frame[frame["grid_id"].isin(seen.index)]
    roots = seen[seen.index.isin(scope.roots)]
    if not len(roots) or not schema.table(table).geometry:
        return frame.iloc[:0]
    tree = shapely.STRtree(roots.geometry.to_numpy())
    inside = np.unique(tree.query(frame.geometry.to_numpy(), predicate="intersects")[0])
    return frame.iloc[inside]


def _suppressed(frame: pd.DataFrame, city: City, scope: Scope) -> pd.DataFrame:
    """Counts with the small ones hidden, by the rule of every map; rows of grids that are not known: hidden."""
    if scope.k <= 1 or not len(frame):
        return frame
    grids = city.degrees("grids")
    shown = people.suppress(people.workload(frame, grids), grids, k=scope.k)
    row = shown.index.get_indexer(frame["grid_id"])
    column = shown.columns.get_indexer(frame["category"])
    hidden = shown.isna().to_numpy()
    known = (row >= 0) & (column >= 0)
    hide = np.where(known, hidden[np.maximum(row, 0), np.maximum(column, 0)], True)
    return frame.assign(count=frame["count"].mask(hide))


def _in_crs(frame: gpd.GeoDataFrame, crs: str, kind: str) -> gpd.GeoDataFrame:
    target = crs_.parse_crs(crs)
    degrees = isinstance(target, str) or target.is_geographic
    if kind == "GeoJSON" and not degrees:
        raise BadInputError(f"--crs {crs}: GeoJSON holds degrees only (RFC 7946); allowed: another format")
    if target in ("cgcs2000", "wgs84"):
        return frame if target == "cgcs2000" else frame.set_crs("EPSG:4326", allow_override=True)
    shapes = crs_.convert_geometry(frame.geometry.to_numpy(), source="cgcs2000", target=target)
    # GCJ-02 and BD-09 have no EPSG code: a file in them must not claim one
    return gpd.GeoDataFrame(
        frame.drop(columns=frame.geometry.name),
        geometry=shapes,
        crs=None if isinstance(target, str) else target,
    )


def _to_file(
    frame: pd.DataFrame,
    contract: schema.Table,
    path: Path,
    write: Callable[[pd.DataFrame, schema.Table, Path, bool], None],
    *,
    chinese: bool,
) -> None:
    """Write beside the target under another name, then rename: a half-written export never has the name."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".santu-", suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    part.unlink()
    try:
        write(frame, contract, part, chinese)
        part.replace(path)
    except (OSError, pyogrio.errors.DataSourceError, pyogrio.errors.FeatureError, pa.ArrowException) as error:
        raise BadInputError(f"{path}: cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _flat(frame: pd.DataFrame, contract: schema.Table) -> pd.DataFrame:
    """Key and columns as plain values: times in ISO with Z, days in ISO, missing as None."""
    result = pd.DataFrame(index=range(len(frame)))
    result[contract.key] = frame.index.to_numpy(dtype="object")
    for column in contract.columns:
        values = frame[column.name]
        if column.kind == "time":
            values = _iso(values)
        elif column.kind == "date":
            values = values.dt.strftime("%Y-%m-%d")
        plain = values.astype("object")
        result[column.name] = plain.where(values.notna(), None).to_numpy(dtype="object")
    return result


def _iso(values: pd.Series) -> pd.Series:
    """UTC times as text, to the microsecond only where there are any."""
    text = values.dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str.replace(r"\.000000$", "", regex=True)
    return (text + "Z").where(values.notna())


def _placed(flat: pd.DataFrame, frame: pd.DataFrame, contract: schema.Table) -> pd.DataFrame:
    """Add lon and lat for points, wkt for anything else."""
    if not contract.geometry:
        return flat
    shapes = frame.geometry.to_numpy()
    if contract.geometry == schema.POINTS:
        flat["lon"], flat["lat"] = shapely.get_x(shapes), shapely.get_y(shapes)
    else:
        flat["wkt"] = shapely.to_wkt(shapes, rounding_precision=-1) if len(shapes) else []
    return flat


def _cut(flat: pd.DataFrame) -> pd.DataFrame:
    """Spread a WKT that no Excel cell holds over wkt, wkt_2, wkt_3 …, which the importer joins again."""
    whole = flat.pop("wkt")
    for i in range(max(-(-int(whole.str.len().max() or 1) // CELL_CHARACTERS), 1)):
        part = whole.str.slice(i * CELL_CHARACTERS, (i + 1) * CELL_CHARACTERS)
        flat["wkt" if i == 0 else f"wkt_{i + 1}"] = part.where(part != "", None)
    return flat


def _names(contract: schema.Table) -> dict[str, str]:
    """Chinese headers that the header dictionary reads back: column → 中文名."""
    names = {c.name: c.zh.split("（")[0] for c in contract.columns}
    key = {"grids": "网格编码", "cameras": "设备编码", "incidents": "警情编号", "facilities": "设施编号"}.get(
        contract.name
    )
    names = {**names, "lon": "经度", "lat": "纬度", **({contract.key: key} if key else {})}
    twice = {n for n in names.values() if list(names.values()).count(n) > 1}
    return {c: n for c, n in names.items() if n not in twice}


def guarded(text: object) -> object:
    """A cell that no spreadsheet runs as a formula: an apostrophe before what begins like one.

    Examples
    --------
    >>> guarded("=1+1"), guarded("中心小学"), guarded(-3.5)
    ("'=1+1", '中心小学', -3.5)
    """
    if isinstance(text, str) and text.lstrip("'").startswith(FORMULA):
        return f"'{text}"
    return text


def _write_csv(frame: pd.DataFrame, contract: schema.Table, path: Path, chinese: bool) -> None:  # noqa: FBT001
    flat = _placed(_flat(frame, contract), frame, contract)
    for column in (contract.key, *(c.name for c in contract.columns if c.kind == "text")):
        flat[column] = flat[column].map(guarded)
    renamed = flat.rename(columns=_names(contract)) if chinese else flat
    renamed.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")


def _write_xlsx(frame: pd.DataFrame, contract: schema.Table, path: Path, chinese: bool) -> None:  # noqa: FBT001
    import openpyxl  # noqa: PLC0415
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE  # noqa: PLC0415

    if len(frame) > EXCEL_ROWS:
        raise BadInputError(
            f"{len(frame):,} rows; an Excel sheet holds {EXCEL_ROWS:,}; allowed: .csv or .parquet"
        )
    flat = _placed(_flat(frame, contract), frame, contract)
    if "wkt" in flat and len(flat):
        flat = _cut(flat)
    names = _names(contract) if chinese else {}
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(
        contract.zh.split("（")[0].replace("/", " ").strip() if chinese else contract.name
    )
    sheet.append([names.get(str(c), str(c)) for c in flat.columns])

    def cell(value: object) -> object:
        if not isinstance(value, str):
            return None if value is None else value.item() if isinstance(value, np.generic) else value
        made = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", value))
        made.data_type = "s"  # never "f": a text is a text whatever it begins with
        made.style = "Normal"
        return made

    for row in flat.itertuples(index=False):
        sheet.append([cell(v) for v in row])
    book.save(path)


def _write_geojson(frame: gpd.GeoDataFrame, contract: schema.Table, path: Path, _chinese: bool) -> None:  # noqa: FBT001
    with path.open("wb") as file:
        file.write(b'{"type":"FeatureCollection","name":' + orjson.dumps(contract.name) + b',"features":[')
        for start in range(0, len(frame), _BLOCK):
            part = frame.iloc[start : start + _BLOCK]
            flat = _flat(part, contract)
            shapes = shapely.to_geojson(shapely.orient_polygons(part.geometry.to_numpy()))
            lines = [
                b'{"type":"Feature","id":' + orjson.dumps(str(key)) + b',"properties":' + body + b',"geometry":'
                + shape.encode() + b"}"
                for key, body, shape in zip(flat[contract.key], _bodies(flat), shapes, strict=True)
            ]  # fmt: skip
            file.write((b",\n" if start else b"\n") + b",\n".join(lines))
        file.write(b"\n]}\n")


def _bodies(flat: pd.DataFrame) -> list[bytes]:
    records: list[dict[str, Any]] = flat.to_dict("records")
    return [orjson.dumps(r, option=orjson.OPT_SERIALIZE_NUMPY) for r in records]


def _write_parquet(frame: pd.DataFrame, _contract: schema.Table, path: Path, _chinese: bool) -> None:  # noqa: FBT001
    frame.to_parquet(path, index=True)


def _write_ogr(driver: str) -> Callable[[pd.DataFrame, schema.Table, Path, bool], None]:
    def write(frame: gpd.GeoDataFrame, contract: schema.Table, path: Path, _chinese: bool) -> None:  # noqa: FBT001
        shapes = frame.geometry.to_numpy()
        types = sorted({s.geom_type for s in shapes}) or ["Unknown"]
        columns = {contract.key: pa.array(frame.index.astype("object"), pa.string())}
        for column in contract.columns:
            columns[column.name] = _arrow(frame[column.name], column)
        columns["geometry"] = pa.array(shapely.to_wkb(shapes), pa.binary())
        options = {} if driver != "FlatGeobuf" else {"SPATIAL_INDEX": "YES" if len(frame) else "NO"}
        pyogrio.write_arrow(
            pa.table(columns),
            path,
            driver=driver,
            layer=contract.name,
            geometry_name="geometry",
            geometry_type=types[0] if len(types) == 1 else "Unknown",
            crs=frame.crs.to_string() if frame.crs is not None else None,
            layer_options=options,
        )

    return write


def _arrow(values: pd.Series, column: schema.Column) -> pa.Array:
    """A column in a type that GDAL keeps whole; times finer than its millisecond go as ISO text."""
    if column.kind == "time":
        if (values.dropna().dt.microsecond % 1000 == 0).all():
            return pa.array(values.dt.as_unit("ms"), pa.timestamp("ms", tz="UTC"))
        return pa.array(_iso(values).astype("object"), pa.string(), from_pandas=True)
    if column.kind == "date":
        return pa.array(values, pa.timestamp("us"), from_pandas=True).cast(pa.date32())
    types = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    plain = values.astype("object").where(values.notna(), None)
    return pa.array(plain, types[column.kind], from_pandas=True)


_WRITERS: dict[str, Callable[[pd.DataFrame, schema.Table, Path, bool], None]] = {
    "CSV": _write_csv,
    "Excel": _write_xlsx,
    "GeoJSON": _write_geojson,
    "GeoParquet": _write_parquet,
    "FlatGeobuf": _write_ogr("FlatGeobuf"),
    "GeoPackage": _write_ogr("GPKG"),
}
