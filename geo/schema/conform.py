"""Frames against their contract (契约校验): types cast, every value that does not fit reported."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.errors import Problem, SchemaError, UnknownNameError
from geo.schema.contract import DTYPES, Column, Table
from geo.schema.tables import TABLES


def table(name: str) -> Table:
    """Return the contract of a table; `UnknownNameError` names those that exist."""
    try:
        return TABLES[name]
    except KeyError:
        raise UnknownNameError("table", name, TABLES) from None


def empty(name: str, crs: object = None) -> gpd.GeoDataFrame | pd.DataFrame:
    """Return a table of no rows with every column of its contract, in `crs`."""
    contract = table(name)
    data = {c.name: pd.Series([], dtype=DTYPES[c.kind]) for c in contract.columns}
    frame = pd.DataFrame(data, index=pd.Index([], name=contract.key, dtype="str"))
    if not contract.geometry:
        return frame
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries([], index=frame.index, crs=crs))


def conform(name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Cast a frame to its contract and list every value that does not fit (按契约校验).

    Parameters
    ----------
    name
        Table.
    frame
        Columns by contract name, in any order; the key as index or as a column; a GeoDataFrame keeps its CRS.
        Columns that the contract does not know are left out.

    Returns
    -------
    frame, problems
        A new table with exactly the contract's columns (missing ones empty), in the contract's order, indexed
        by the key; and the problems by row position (`Problem.row` counts from 0). Values with a problem are
        empty in the result, the row stays: the caller decides what to refuse. No rows: no problems.
    """
    contract = table(name)
    if frame.index.name != contract.key and contract.key in frame.columns:
        frame = frame.set_index(contract.key)
    problems: list[Problem] = []
    columns: dict[str, pd.Series] = {}
    for column in contract.columns:
        source = frame[column.name] if column.name in frame.columns else None
        columns[column.name] = _cast(column, source, frame.index, problems)
    ids = pd.Index(frame.index.astype("str"), name=contract.key, dtype="str")
    problems += _key_problems(contract, ids)
    result = pd.DataFrame(columns, index=frame.index)
    result.index = ids
    if not contract.geometry:
        return result, problems
    if not isinstance(frame, gpd.GeoDataFrame):
        raise SchemaError(
            name, [Problem("geometry.absent", "geometry", allowed=", ".join(contract.geometry))]
        )
    problems += _geometry_problems(contract, frame.geometry)
    values = frame.geometry.to_numpy()
    return gpd.GeoDataFrame(result, geometry=values, crs=frame.crs), problems


def checked(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `conform`'s table, or raise `SchemaError` with every problem."""
    result, problems = conform(name, frame)
    if problems:
        raise SchemaError(name, problems)
    return result


def _cast(column: Column, source: pd.Series | None, index: pd.Index, problems: list[Problem]) -> pd.Series:
    dtype = DTYPES[column.kind]
    if source is None:
        if column.required and len(index):
            problems.append(Problem("column.absent", column.name, allowed=column.rule))
        return pd.Series(pd.array([None] * len(index), dtype=dtype) if column.kind != "float" else np.nan,
                         index=index, dtype=dtype)  # fmt: skip
    given = source.notna().to_numpy()
    cast = _convert(column, source)
    bad = given & cast.isna().to_numpy()
    if column.allowed:
        bad |= given & ~cast.isin(list(column.allowed)).to_numpy()
    if column.kind in ("int", "float"):
        values = cast.to_numpy(dtype="float64", na_value=np.nan)
        if column.minimum is not None:
            bad |= values < column.minimum
        if column.maximum is not None:
            bad |= values > column.maximum
        bad |= np.isinf(values)
    rows = np.flatnonzero(bad)
    problems += [
        Problem("value", column.name, int(i), str(source.iloc[i]), column.rule, str(index[i])) for i in rows
    ]
    if column.required:
        problems += [
            Problem("value.absent", column.name, int(i), "", column.rule, str(index[i]))
            for i in np.flatnonzero(~given)
        ]
    if len(rows):
        cast = cast.mask(bad)
    return cast.astype(dtype)


def _convert(column: Column, source: pd.Series) -> pd.Series:
    kind = column.kind
    if kind == "text":
        return source.where(source.isna(), source.astype("str")).astype("str")
    if kind == "float":
        return pd.to_numeric(source, errors="coerce").astype("float64")
    if kind == "int":
        values = pd.to_numeric(source, errors="coerce").astype("float64")
        return values.where(values == values.round()).astype("Int64")
    if kind == "bool":
        return _booleans(source)
    if kind == "time":
        if isinstance(source.dtype, pd.DatetimeTZDtype):
            return source.dt.tz_convert("UTC").astype(DTYPES["time"])
        return pd.to_datetime(source, errors="coerce", utc=True, format="ISO8601").astype(DTYPES["time"])
    if isinstance(source.dtype, pd.DatetimeTZDtype):
        source = source.dt.tz_localize(None)
    return pd.to_datetime(source, errors="coerce", format="ISO8601").astype(DTYPES["date"])


_TRUE = {"1", "true", "yes", "y", "是", "有", "1.0"}
_FALSE = {"0", "false", "no", "n", "否", "无", "0.0"}


def _booleans(source: pd.Series) -> pd.Series:
    if source.dtype == bool or str(source.dtype) == "boolean":
        return source.astype("boolean")
    text = source.astype("str").str.strip().str.lower()
    result = pd.Series(pd.NA, index=source.index, dtype="boolean")
    result[text.isin(_TRUE).to_numpy()] = True
    result[text.isin(_FALSE).to_numpy()] = False
    return result


def _key_problems(contract: Table, ids: pd.Index) -> list[Problem]:
    absent = np.flatnonzero(ids.isna() | (ids == "") | (ids == "nan") | (ids == "None"))
    twice = np.flatnonzero(ids.duplicated(keep="first") & ids.notna())
    return [Problem("key.absent", contract.key, int(i), "", "a key for every row") for i in absent] + [
        Problem("key.duplicate", contract.key, int(i), str(ids[i]), "every key once", str(ids[i]))
        for i in twice
    ]


def _geometry_problems(contract: Table, shapes: gpd.GeoSeries) -> list[Problem]:
    values = shapes.to_numpy()
    allowed = ", ".join(contract.geometry)
    missing = shapely.is_missing(values) | shapely.is_empty(values)
    names = np.array(
        ["Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
         "GeometryCollection", "none"]
    )  # fmt: skip
    types = names[shapely.get_type_id(values)]
    wrong = ~missing & ~np.isin(types, contract.geometry)
    finite = np.isfinite(shapely.bounds(values)).all(axis=1)
    return (
        [Problem("geometry.absent", "geometry", int(i), "", allowed) for i in np.flatnonzero(missing)]
        + [
            Problem("geometry.type", "geometry", int(i), str(types[i]), allowed)
            for i in np.flatnonzero(wrong)
        ]
        + [
            Problem("geometry.nan", "geometry", int(i), "NaN", "finite coordinates")
            for i in np.flatnonzero(~missing & ~finite)
        ]
    )
