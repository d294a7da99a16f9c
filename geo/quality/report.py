"""The whole examination of a city (数据体检报告)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from geo import schema
from geo.crs import convert
from geo.quality.checks import CHECKS, CODES, COLUMNS, Tables, faults
from geo.quality.datum import areas_verdict, verdict
from geo.quality.result import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import geopandas as gpd
    from numpy.typing import NDArray
    from pyproj import CRS

MOST_POINTS = 50_000
UNIT = {"cameras": "unit"}
WORDS = ("standard", "address", "village", "road", "name")
EDGE_POINTS = 2000
GOLDEN = 0.6180339887498949  # steps of the golden section spread points evenly along the edges
SECRET = "(secret)"  # noqa: S105


@dataclass(frozen=True)
class Report:
    """What the examination found (体检结果): rows per table, datum verdict per table, all faults.

    `faults` has the columns code, table, id, value, message and geometry in the city's CRS.
    """

    rows: Mapping[str, int]
    datums: Mapping[str, Verdict]
    faults: gpd.GeoDataFrame
    crs: CRS

    @property
    def summary(self) -> dict[str, int]:
        """Number of faults per code, in the order of `CODES`."""
        counts = self.faults["code"].value_counts()
        return {code: int(counts[code]) for code in CODES if code in counts}

    def as_dict(self) -> dict[str, Any]:
        """Plain mapping: tables with rows, crs and datum; faults; summary."""
        listed = self.faults[list(COLUMNS)].to_dict("records")
        name = self.crs.to_string()
        tables = {
            table: {
                "rows": count,
                "crs": name,
                "datum": self.datums[table].as_dict() if table in self.datums else None,
            }
            for table, count in self.rows.items()
        }
        return {"tables": tables, "faults": listed, "summary": self.summary}


def examine(
    tables: Mapping[str, pd.DataFrame],
    *,
    crs: CRS,
    scheme: str = "",
    hints: tuple[str, ...] = (),
    show_secret: bool = False,
    seed: int = 0,
    step: Callable[[str], object] | None = None,
) -> Report:
    """Examine a city's tables (数据体检): every registered check, and the datum of every table.

    Parameters
    ----------
    tables
        Frames by table name, conforming to `geo.schema`, all in `crs`.
    crs
        The city's metric CRS.
    scheme
        Grid code scheme; empty: codes are opaque.
    hints
        EPSG names of the files the tables came from.
    show_secret
        Whether faults of secret cameras (涉密) carry their id and place; otherwise they are counted only.
    seed
        For the samples of the datum verdict.
    step
        Called with the name of each step before it begins.

    Returns
    -------
    Report
        No tables or empty tables: no faults.
    """
    given = Tables(tables, crs, scheme, hints)
    found = [find_faults(given, step=step)]
    datums: dict[str, Verdict] = {}
    for name in schema.TABLES:
        if schema.table(name).geometry and len(given.get(name)) and name != "grids_history":
            if step:
                step(f"datum {name}")
            datums[name] = datum_of(given, name, seed=seed)
    found += [
        _datum_fault(name, said, crs)
        for name, said in datums.items()
        if said.verdict not in ("wgs84", "unknown")
    ]
    every = _together(found)
    if not show_secret:
        every = _hidden(every, given)
    rows = {name: len(given.get(name)) for name in schema.TABLES if len(given.get(name))}
    return Report(rows, datums, every, crs)


def find_faults(tables: Tables, *, step: Callable[[str], object] | None = None) -> gpd.GeoDataFrame:
    """Run every registered check (逐项检查), without the datum of the tables: all faults, none hidden."""
    found = [faults("datum", "", [], crs=tables.crs)]
    for function in CHECKS:
        if step:
            step(function.__name__)
        found += function(tables)
    return _together(found)


def _together(found: list[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    parts = [part.astype({"value": object}) for part in found if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else found[0]


def datum_of(tables: Tables, name: str, *, seed: int = 0) -> Verdict:
    """Judge one stored table by all the others (单表坐标判定); stored places are taken back to degrees first."""
    table = tables.get(name)
    rng = np.random.default_rng(seed)
    rows = np.arange(len(table))
    if len(rows) > MOST_POINTS:
        rows = np.sort(rng.choice(rows, MOST_POINTS, replace=False))
    if name == "grids":
        return _grids_datum(tables, seed)
    part = table.iloc[rows]
    xy = _spots(part.geometry.to_numpy())
    lon, lat = convert(*xy.T, source=tables.crs, target="wgs84")
    area = part["grid_id"].to_numpy(object) if "grid_id" in part else None
    unit = part[UNIT[name]].to_numpy(object) if name in UNIT else None
    return verdict(
        lon,
        lat,
        reference=tables.reference(name),
        table=name,
        area=area,
        text=_words(part),
        unit=unit,
        seed=seed,
    )


def _words(part: gpd.GeoDataFrame) -> NDArray[np.object_] | None:
    """All words of each row that may name its place."""
    columns = [c for c in WORDS if c in part]
    if not columns:
        return None
    joined = part[columns[0]].fillna("").astype("str")
    return joined.str.cat([part[c].fillna("").astype("str") for c in columns[1:]], sep=" ").to_numpy(object)


def _spots(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    """One point for each shape: itself, the middle of a line, a point in a polygon; NaN for none."""
    spots = np.array(shapes, dtype=object)
    lines = np.isin(shapely.get_type_id(spots), (1, 5))
    single = shapely.get_geometry(spots[lines], 0)
    spots[lines] = shapely.line_interpolate_point(single, 0.5, normalized=True)
    areas = np.isin(shapely.get_type_id(spots), (3, 6))
    spots[areas] = shapely.point_on_surface(spots[areas])
    return np.column_stack([shapely.get_x(spots), shapely.get_y(spots)])


def _grids_datum(tables: Tables, seed: int) -> Verdict:
    """Judge grids by the addresses that state their grid, or else by their edges, which run along streets."""
    areas, addresses = tables.reference().areas, tables.get("addresses")
    stated = addresses[addresses["grid_id"].notna().to_numpy(bool)]
    said = Verdict("unknown")
    if areas is not None and len(stated):
        xy = _spots(stated.geometry.to_numpy())
        lon, lat = convert(*xy.T, source=tables.crs, target="wgs84")
        said = areas_verdict(areas.to_crs(4326), lon, lat, stated["grid_id"], crs=tables.crs, seed=seed)
    if said.verdict != "unknown":
        return said
    grids = tables.get("grids")
    base = grids[(grids["kind"] == "base").to_numpy(bool)]
    shapes = (base if len(base) else grids).geometry.to_numpy()
    edges = np.repeat(shapely.get_geometry(shapely.boundary(shapes), 0), -(-EDGE_POINTS // len(shapes)))
    along = shapely.line_interpolate_point(edges, np.arange(len(edges)) * GOLDEN % 1.0, normalized=True)
    lon, lat = convert(shapely.get_x(along), shapely.get_y(along), source=tables.crs, target="wgs84")
    return verdict(lon, lat, reference=tables.reference("grids"), table="grids", seed=seed)


def _datum_fault(name: str, said: Verdict, crs: CRS) -> gpd.GeoDataFrame:
    return faults("datum", name, "", value=said.verdict, message=said.message, crs=crs)


def _hidden(every: gpd.GeoDataFrame, tables: Tables) -> gpd.GeoDataFrame:
    """Take id, value and place off the faults of secret cameras."""
    cameras = tables.get("cameras")
    secret = cameras.index[(cameras["secrecy"] == 1).fillna(value=False).to_numpy(bool)].astype("str")
    rows = (every["table"] == "cameras") & (
        every["id"].astype("str").isin(secret) | every["value"].astype("str").isin(secret)
    )
    result = every.copy()
    result.loc[rows, ["id", "value"]] = SECRET, ""
    result.loc[rows, "geometry"] = None
    return result
