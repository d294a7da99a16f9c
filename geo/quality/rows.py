"""Rows of any table (数据行检查): keys, geometry, places, references, times, and counts of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo import codes, schema
from geo.camera import duplicates, missing_fields
from geo.crs import convert
from geo.quality.checks import Tables, check, faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import geopandas as gpd
    from numpy.typing import NDArray

PILE_ROWS, PILE_SHARE = 10, 0.01
PERSONS_PER_HOUSEHOLD = 10
BEFORE = pd.Timestamp("1990-01-01", tz="UTC")

# Columns that together with the place say that two rows are one thing.
SAME: Mapping[str, tuple[str, ...]] = {
    "incidents": ("category", "occurred_at"), "facilities": ("kind", "name", "address"), "hazards": ("kind", "name", "found_at"),
    "targets": ("name", "target_class"), "addresses": ("standard",),
}  # fmt: skip
MANY_IN_ONE_PLACE = ("smoke_alarm", "lpg_cylinder", "ebike_charger")
ORDER: Mapping[str, tuple[tuple[str, str], ...]] = {
    "incidents": (("occurred_at", "reported_at"), ("occurred_at", "closed_at"), ("reported_at", "closed_at"),
                  ("occurred_at", "due_at")),
    "hazards": (("found_at", "due_at"), ("found_at", "fixed_at")),
    "aliases": (("valid_from", "valid_to"),),
}  # fmt: skip
# Column -> table whose key it names.
NAMES: Mapping[str, Mapping[str, str]] = {
    "people": {"grid_id": "grids"}, "addresses": {"grid_id": "grids"}, "incidents": {"duplicate_of": "incidents"},
}  # fmt: skip


def _spatial(tables: Tables) -> Iterator[tuple[str, gpd.GeoDataFrame]]:
    for name, contract in schema.TABLES.items():
        table = tables.get(name)
        if contract.geometry and len(table) and name != "grids_history":
            yield name, table


@check
def keys(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Keys that occur twice; the second and later rows are named."""
    for name in schema.TABLES:
        table = tables.get(name)
        twice = table.index.duplicated()
        yield faults("key.duplicate", name, table.index[twice], message="every key once", crs=tables.crs)


@check
def geometry(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Geometry that is absent or invalid, with GEOS's reason and its place; equal polygons and lines."""
    for name, table in _spatial(tables):
        shapes = table.geometry.to_numpy()
        absent = shapely.is_missing(shapes) | shapely.is_empty(shapes)
        yield faults(
            "geometry.absent", name, table.index[absent], message="the row has no place", crs=tables.crs
        )
        bad = np.flatnonzero(~absent & ~shapely.is_valid(shapes))
        why = shapely.is_valid_reason(shapes[bad])
        yield faults("geometry.invalid", name, table.index[bad], value=why, message="polygon rules of OGC are broken",
                     shapes=shapes[bad], crs=tables.crs)  # fmt: skip
        drawn = np.flatnonzero(~absent & (shapely.get_type_id(shapes) > 0))
        equal = pd.Series(shapely.to_wkb(shapely.normalize(shapes[drawn]), hex=True), index=drawn)
        if name == "grids":  # a village of one base grid is drawn twice, rightly
            level = table["level"].astype("str").to_numpy(object)[drawn]
            equal = equal + "|" + level + table["kind"].fillna("").to_numpy(object)[drawn]
        number = pd.factorize(equal)[0]
        twice = equal.duplicated().to_numpy()
        first = drawn[np.unique(number, return_index=True)[1]][number[twice]]
        again = drawn[twice]
        yield faults("geometry.duplicate", name, table.index[again], value=table.index[first].to_numpy(object),
                     message="the same geometry as this row", shapes=shapes[again], crs=tables.crs)  # fmt: skip


@check
def places(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Points at 0,0, outside the city, or piled up on one coordinate."""
    for name, table in _spatial(tables):
        shapes = table.geometry.to_numpy()
        rows = np.flatnonzero((shapely.get_type_id(shapes) == 0) & ~shapely.is_empty(shapes))
        if len(rows):
            yield from _points(tables, name, table, rows)


def _points(
    tables: Tables, name: str, table: gpd.GeoDataFrame, rows: NDArray[np.intp]
) -> Iterator[gpd.GeoDataFrame]:
    shapes = table.geometry.to_numpy()[rows]
    xy, ids = shapely.get_coordinates(shapes), table.index.to_numpy(object)[rows]
    reference = tables.reference()
    astray = np.ones(len(rows), bool)
    if len(reference.cover):
        astray[reference.hits("cover", xy)] = False
    far = np.flatnonzero(astray)
    lon, lat = convert(*xy[far].T, source=tables.crs, target="wgs84")
    zero = ~np.isfinite(lon) | (np.hypot(lon, lat) < 0.01)
    yield faults("point.zero", name, ids[far[zero]], message="0, 0 stands for unknown", crs=tables.crs)
    out = far[~zero]
    if len(reference.cover):
        metres = np.zeros(0)
        if len(out):
            metres = reference.tree("cover").query_nearest(
                shapes[out], return_distance=True, all_matches=False
            )[1]
        yield faults("point.outside", name, ids[out], value=np.round(metres, 1),
                     message="m outside the boundary or all grids", shapes=shapes[out], crs=tables.crs)  # fmt: skip
    count = pd.Series(1, index=rows).groupby([xy[:, 0], xy[:, 1]]).transform("size").to_numpy()
    piled = count >= max(PILE_ROWS, PILE_SHARE * len(table))
    first = piled & ~pd.MultiIndex.from_arrays(xy.T).duplicated()
    yield faults("point.pile", name, ids[first], value=count[first], shapes=shapes[first], crs=tables.crs,
                 message="rows at exactly this coordinate; perhaps a default or a rough geocode")  # fmt: skip


@check
def repeated(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Rows that say the same thing at the same place under another key."""
    for name, columns in SAME.items():
        table = tables.get(name)
        if name == "facilities":
            table = table[~table["kind"].isin(MANY_IN_ONE_PLACE).to_numpy(bool)]
        if not len(table):
            continue
        rows = table[list(columns)].copy()
        xy = shapely.bounds(table.geometry.to_numpy())[:, :2]
        rows["x"], rows["y"] = xy.T
        said = rows[list(columns)].replace("", pd.NA).notna().all(axis=1) & rows["x"].notna()
        again = (rows.duplicated() & said).to_numpy(bool)
        yield faults("row.duplicate", name, table.index[again], message=f"same place and {', '.join(columns)} as before",
                     shapes=table.geometry.to_numpy()[again], crs=tables.crs)  # fmt: skip


@check
def references(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Keys of other tables that do not exist; addresses that lie in another grid than they state."""
    for name, columns in NAMES.items():
        table = tables.get(name)
        for column, target in columns.items():
            others = tables.get(target)
            if not len(table) or (target == "grids" and not len(others)):
                continue
            given = table[column].fillna("").astype("str")
            lost = ((given != "") & ~given.isin(others.index.astype("str"))).to_numpy(bool)
            shapes = table.geometry.to_numpy()[lost] if schema.table(name).geometry else None
            yield faults("reference.unknown", name, table.index[lost], value=given[lost].to_numpy(object),
                         message=f"{column} is not in {target}", shapes=shapes, crs=tables.crs)  # fmt: skip
    yield _elsewhere(tables)


def _elsewhere(tables: Tables) -> gpd.GeoDataFrame:
    """Addresses outside the grid that they state, with the metres to it."""
    table, areas = tables.get("addresses"), tables.reference().areas
    if areas is None:
        return faults("reference.grid", "addresses", [], crs=tables.crs)
    at = areas.index.get_indexer(pd.Index(table["grid_id"].fillna("").astype("str")))
    rows = np.flatnonzero((at >= 0) & ~shapely.is_missing(table.geometry.to_numpy()))
    polygons, points = areas.to_numpy()[at[rows]], table.geometry.to_numpy()[rows]
    shapely.prepare(polygons)
    away = ~shapely.intersects(polygons, points)
    metres = shapely.distance(polygons[away], points[away]).round(1)
    return faults("reference.grid", "addresses", table.index[rows[away]], value=metres, shapes=points[away],
                  message="m outside the grid in grid_id", crs=tables.crs)  # fmt: skip


@check
def times(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """An end before its beginning; times so old that they stand for none. The future is fine."""
    for name, pairs in ORDER.items():
        table = tables.get(name)
        shapes = table.geometry.to_numpy()
        for begin, end in pairs:
            bad = (table[end] < table[begin]).fillna(value=False).to_numpy(bool)
            hours = ((table[end] - table[begin]).dt.total_seconds() / 3600.0)[bad].round(2).to_numpy()
            yield faults("time.order", name, table.index[bad], value=hours, message=f"hours from {begin} to {end}",
                         shapes=shapes[bad], crs=tables.crs)  # fmt: skip
    for name, contract in schema.TABLES.items():
        table = tables.get(name)
        for column in contract.columns:
            if column.kind == "time" and len(table):
                old = (table[column.name] < BEFORE).fillna(value=False).to_numpy(bool)
                when = table[column.name][old].dt.strftime("%Y-%m-%d").to_numpy(object)
                yield faults("time.default", name, table.index[old], value=when, crs=tables.crs,
                             message=f"{column.name} before {BEFORE:%Y}")  # fmt: skip


@check
def cameras(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Camera codes, where the register uses GB/T 28181; absent required fields; likely double entries."""
    table = tables.get("cameras")
    if not len(table):
        return
    shapes = table.geometry.to_numpy()
    text = pd.Series(table.index.astype("str").to_numpy())
    if text.str.fullmatch("[0-9]{20}|[0-9]{16}").mean() >= 0.5:
        why = codes.camera_faults(text).to_numpy(object)
        bad = why != ""
        yield faults("camera.code", "cameras", text[bad], value=why[bad], message="GB/T 28181: 20 digits",
                     shapes=shapes[bad], crs=tables.crs)  # fmt: skip
    lacking = missing_fields(table)
    some = lacking.any(axis=1).to_numpy(bool)
    names = lacking.columns.to_numpy(object)
    listed = [", ".join(names[row]) for row in lacking.to_numpy(bool)[some]]
    yield faults("camera.field", "cameras", table.index[some], value=np.array(listed, object), shapes=shapes[some],
                 message="required for its point class", crs=tables.crs)  # fmt: skip
    pairs = duplicates(table)
    yield faults("camera.duplicate", "cameras", pairs["camera_id"], value=pairs["same_as"].to_numpy(object),
                 message="same place and direction as this camera", crs=tables.crs)  # fmt: skip


@check
def people(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Counts of people that cannot be: too many for the households, or given twice. No count is shown."""
    table, grids = tables.get("people"), tables.get("grids")
    if not len(table):
        return
    twice = table.duplicated(["grid_id", "category", "as_of"]).to_numpy(bool)
    yield faults("people.duplicate", "people", table.index[twice], value=table["grid_id"][twice].to_numpy(object),
                 message="grid, category and date occur before", crs=tables.crs)  # fmt: skip
    known = grids[~grids.index.duplicated()]
    room = table["grid_id"].map(known["households"].astype("float64")) * PERSONS_PER_HOUSEHOLD
    count = table["count"].astype("float64")
    many = ((room > 0) & (count > room)).to_numpy(bool)
    yield faults("people.households", "people", table.index[many], value=table["grid_id"][many].to_numpy(object),
                 message=f"over {PERSONS_PER_HOUSEHOLD} persons per household of the grid", crs=tables.crs)  # fmt: skip
