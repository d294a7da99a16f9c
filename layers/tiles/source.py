"""A layer made ready for tiles: projected, indexed, simplified; once per version of its tables (瓦片数据源).

`Areas` serve lines and polygons, `Crowd` points. Both answer `encode(tile, keep)` where `keep` says which rows
may be drawn: what a scope hides and what a selection leaves out is gone before anything is encoded.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo.errors import NotFoundError
from geo.indicators import indicator
from geo.points import lonlat
from geo.scope import Scope, visible_cameras, visible_grids
from layers import style, values
from layers.catalog import entry_rows
from layers.tiles import kernel, mvt
from layers.tiles.points import Cells, PointIndex, squares

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.city import City
    from layers.catalog import Layer
    from layers.tiles.selection import Selection

POINTS_PER_TILE = 1500  # more than these become clusters
DENSITY_ACROSS = 32  # cells of 8 px at 256 px a tile
CLUSTER_ACROSS = 4  # clusters about 64 px apart
CLUSTER_INSET = 320  # tile units: 20 px at 256 px a tile
POINT_RIM = 256  # a point near the edge is drawn in both tiles
LABEL_RIM = 2048  # and so is a name, half a tile away
SIMPLIFY_BELOW = 14  # zooms under this draw simplified borders
TOLERANCE_PX = 0.6


def mercator(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project degrees (longitude first; CGCS2000 is taken as WGS-84, they differ by centimetres) to EPSG:3857."""
    x = degrees[:, 0] * (mvt.HALF_WORLD_M / 180.0)
    lat = np.clip(degrees[:, 1], -85.06, 85.06)
    y = np.log(np.tan(np.radians(45.0 + lat / 2))) * (mvt.HALF_WORLD_M / np.pi)
    return np.column_stack([x, y])


@dataclass(frozen=True)
class Areas:
    """Lines and polygons of a layer, one set of arrays per band of zooms.

    `shapes` are kept where they are simplified for lower zooms; else none: `full` has their coordinates.
    """

    entry: Layer
    shapes: NDArray[np.object_]
    full: mvt.Features
    first_zoom: NDArray[np.int64]
    _coarse: dict[int, tuple[NDArray[np.object_], mvt.Features]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def encode(
        self,
        tile: tuple[int, int, int],
        keep: NDArray[np.bool_] | None,
        more: Mapping[str, mvt.Column],
        *,
        carried: tuple[str, ...] | None = None,
    ) -> bytes:
        """Encode one tile with these extra columns; of all columns those that are `carried`, None: all."""
        z = tile[0]
        _, features = self.geometry(z)
        if carried is not None:
            features = replace(features, columns={n: c for n, c in features.columns.items() if n in carried})
            more = {n: c for n, c in more.items() if n in carried}
        shown = self.first_zoom <= z
        if keep is not None:
            shown &= keep
        return mvt.encode(self.entry.name, features, tile, keep=shown, more=more)

    def geometry(self, z: int) -> tuple[NDArray[np.object_], mvt.Features]:
        """Geometry for a zoom: as stored, or simplified to about half a pixel with shared borders kept shared."""
        if not self.entry.simplify or z >= SIMPLIFY_BELOW:
            return self.shapes, self.full
        band = max(z + 1 - z % 2, 7)  # 7, 9, 11 and 13 each serve the zoom below as well
        with self._lock:
            if band not in self._coarse:
                finer, _ = self.geometry(band + 2)
                pixel_m = 2 * mvt.HALF_WORLD_M / (256 << band)
                simple = shapely.orient_polygons(shapely.coverage_simplify(finer, TOLERANCE_PX * pixel_m))
                self._coarse[band] = simple, self.full.with_shapes(simple)
            return self._coarse[band]


@dataclass(frozen=True)
class Crowd:
    """Points of a layer, sorted by place; columns by index place are made when first asked for."""

    entry: Layer
    frame: pd.DataFrame
    index: PointIndex
    points_from: int
    first_zoom: NDArray[np.int64]
    last_zoom: NDArray[np.int64]
    _codes: dict[str, tuple[NDArray[np.unsignedinteger], list[str]]] = field(default_factory=dict)
    _numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def encode(
        self,
        tile: tuple[int, int, int],
        keep: NDArray[np.bool_] | None,
        selection: Selection,
        *,
        points_from: int,
    ) -> bytes:
        """Encode one tile: points, clusters or density cells, whichever this zoom has."""
        if self.entry.crowd == "none" or tile[0] >= points_from:
            return self._points(tile, keep, selection)
        part = self.index.slice(tile)
        chosen = self._chosen(part, keep, selection)
        extra = {name: self.numbers(name)[part] for name in self.entry.sums}
        density = self.entry.crowd == "density"
        across = DENSITY_ACROSS if density else CLUSTER_ACROSS
        cells = self.index.cells(tile, across=across, keep=chosen, extra=extra, centres=not density)
        return self._squares(tile, cells) if density else self._clusters(tile, cells)

    def _points(
        self, tile: tuple[int, int, int], keep: NDArray[np.bool_] | None, selection: Selection
    ) -> bytes:
        rim = LABEL_RIM if self.entry.style.label else POINT_RIM
        places = self.index.near(tile, rim / mvt.EXTENT)
        chosen = self._chosen(places, keep, selection)
        if chosen is not None:
            places = places[chosen]
        rows = self.index.order[places]
        drawn = (self.first_zoom[rows] <= tile[0]) & (tile[0] <= self.last_zoom[rows])
        places, rows = places[drawn], rows[drawn]
        if (
            self.entry.style.label
        ):  # names of larger things first: the browser leaves out what would cover them
            order = np.lexsort([rows, self.first_zoom[rows]])
            places, rows = places[order], rows[order]
        table = self.frame.iloc[rows]
        names = self.entry.fields if selection.carried is None else selection.carried
        columns = {name: _plain(table[name]) for name in self.entry.fields if name in names}
        features = mvt.Features.points(self.index.xy[places], columns, rows.astype(np.uint64))
        return mvt.encode(self.entry.name, features, tile, buffer=rim)

    def _squares(self, tile: tuple[int, int, int], cells: Cells) -> bytes:
        rank = np.searchsorted(style.DENSITY_EDGES, cells.count, side="right") - 1
        columns = {"count": pd.Series(cells.count), "rank": pd.Series(rank)}
        ids = (cells.row * DENSITY_ACROSS + cells.column).astype(np.uint64)
        corners = squares(cells, tile, DENSITY_ACROSS)
        features = mvt.Features.boxes(corners, columns, ids)
        return mvt.encode(self.entry.name, features, tile, buffer=0)

    def _clusters(self, tile: tuple[int, int, int], cells: Cells) -> bytes:
        columns = {"count": pd.Series(cells.count)}
        for name, total in cells.sums.items():
            columns[name] = pd.Series(np.where(total > 0, total, np.nan))
        ids = (cells.row * CLUSTER_ACROSS + cells.column).astype(np.uint64)
        west, south, east, north = mvt.tile_bounds(*tile)
        inset = CLUSTER_INSET / mvt.EXTENT * (east - west)  # a circle is never cut by the tile's edge
        x = np.clip(cells.x_m, west + inset, east - inset)
        y = np.clip(cells.y_m, south + inset, north - inset)
        features = mvt.Features.points(np.column_stack([x, y]), columns, ids)
        return mvt.encode(self.entry.name, features, tile)

    def _chosen(
        self, part: slice | NDArray[np.int64], keep: NDArray[np.bool_] | None, selection: Selection
    ) -> NDArray[np.bool_] | None:
        masks = [] if keep is None else [keep[self.index.order[part]]]
        for name, allowed in selection.fields.items():
            codes, known = self.codes(name)
            wanted = np.array([*(k in allowed for k in known), "" in allowed])
            masks.append(kernel.among(codes[part], wanted))
        if selection.since is not None:
            masks.append(self.numbers(self.entry.time)[part] >= selection.since.value)
        if selection.until is not None:
            masks.append(self.numbers(self.entry.time)[part] < selection.until.value)
        return np.logical_and.reduce(masks) if masks else None

    def chosen(self, keep: NDArray[np.bool_] | None, selection: Selection) -> NDArray[np.bool_] | None:
        """Which rows, in the order of the table, a scope's `keep` and a selection leave; None: all of them."""
        mask = self._chosen(slice(None), keep, selection)
        if mask is None:
            return None
        rows = np.empty(len(mask), dtype=bool)
        rows[self.index.order] = mask
        return rows

    def codes(self, name: str) -> tuple[NDArray[np.unsignedinteger], list[str]]:
        """Code of each value in the order of the index (last code: missing), and the values as text."""
        found = self._codes.get(name)
        if found is None:
            codes, known = pd.factorize(self.frame[name])
            small = np.where(codes < 0, len(known), codes).astype(np.min_scalar_type(len(known)))
            ordered = small[self.index.order]
            found = self._codes[name] = (ordered, [str(v) for v in known])
        return found

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers in the order of the index; times as nanoseconds, missing as NaN."""
        found = self._numbers.get(name)
        if found is None:
            column = self.frame[name]
            if isinstance(column.dtype, pd.DatetimeTZDtype):
                column = column.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[ns]")
                raw = column.astype("int64").astype("float64").where(column.notna())
            else:
                raw = column.astype("float64")
            found = self._numbers[name] = raw.to_numpy(dtype=np.float64)[self.index.order]
        return found


Source = Areas | Crowd


def source(city: City, entry: Layer) -> Source:
    """Return a layer ready for tiles, made once per version of its tables."""
    return city.derive(f"tiles:{entry.name}", entry.tables, lambda: _prepare(city, entry))


def _prepare(city: City, entry: Layer) -> Source:
    frame = _degrees(city, entry)
    plain = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    if entry.geometry == "point":
        index = PointIndex.of(mercator(np.column_stack(lonlat(frame))))
        start = entry.points_from if entry.points_from is not None else _calm_zoom(index)
        return Crowd(
            entry, plain, index, start, _zooms(plain, entry.zoom, 0), _zooms(plain, "zoom_to", mvt.MAX_ZOOM)
        )
    shapes = frame.geometry.to_numpy()
    usable = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    columns = {name: _plain(plain[name]) for name in entry.fields if name in plain}
    projected = shapely.transform(shapes, mercator)
    projected[~usable] = shapely.from_wkt("POLYGON EMPTY")
    ids = np.arange(len(frame), dtype=np.uint64)
    projected = shapely.orient_polygons(projected)
    full = mvt.Features.of(projected, columns, ids)
    kept = projected if entry.simplify else np.empty(0, dtype=object)  # no view, which would hold them all
    return Areas(entry, kept, full, _zooms(plain, entry.zoom, 0))


def _degrees(city: City, entry: Layer) -> gpd.GeoDataFrame:
    frame = entry_rows(city, entry)
    if frame.crs is not None and not frame.crs.is_geographic:
        return frame.to_crs(city.lonlat_crs)
    return frame


def _zooms(frame: pd.DataFrame, name: str, otherwise: int) -> NDArray[np.int64]:
    if name not in frame:
        return np.broadcast_to(np.int64(otherwise), len(frame))
    return frame[name].to_numpy(dtype=np.int64)


def _calm_zoom(index: PointIndex) -> int:
    """First zoom at which no tile holds more points than a browser draws at ease."""
    return next((z for z in range(19) if index.densest(z) <= POINTS_PER_TILE), 18)


def _plain(column: pd.Series) -> pd.Series:
    """Values as a tile can hold them: times as text, everything else as it is."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.strftime("%Y-%m-%dT%H:%MZ")
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.strftime("%Y-%m-%d")
    return column


def visible(city: City, entry: Layer, scope: Scope, grid: str = "") -> NDArray[np.bool_] | None:
    """Which rows of a layer a scope may see, and lie in `grid` where one is named; None: all of them."""
    if grid and grid not in city.degrees("grids").index:
        raise NotFoundError(f"there is no grid {grid!r}")
    if entry.cut == "open" or (scope.whole_city and not grid and entry.cut != "camera"):
        return None
    key = f"visible:{entry.name}:{scope.key}:{grid}"
    return city.derive(key, ("grids", "cameras", *entry.tables), lambda: _visible(city, entry, scope, grid))


def _visible(city: City, entry: Layer, scope: Scope, grid: str) -> NDArray[np.bool_]:
    frame = entry_rows(city, entry)
    grids = city.degrees("grids")
    seen = visible_grids(grids, scope)
    if grid:
        seen &= visible_grids(grids, Scope(roots=frozenset([grid])))
    shown = np.ones(len(frame), dtype=bool)
    if entry.cut == "camera":
        cameras = city.degrees("cameras")
        ids = frame.get("camera_id", frame.index)
        open_ids = visible_cameras(cameras, scope)
        shown &= np.asarray(pd.Index(ids).isin(open_ids.index[open_ids]))
    if seen.all():
        return shown
    if entry.cut == "grid":
        ids = frame.get("grid_id", frame.index)
        return shown & np.asarray(pd.Index(ids).isin(seen.index[seen]))
    rows = _degrees(city, entry)
    places = rows if entry.geometry == "point" else rows.set_geometry(rows.representative_point())
    found = city.locate(*lonlat(places))
    inside = np.zeros(len(frame), dtype=bool)
    for column in found.columns:
        inside |= found[column].isin(seen.index[seen]).to_numpy(dtype=bool)
    return shown & inside


def indicator_columns(city: City, name: str, entry: Layer, *, scope: Scope) -> Mapping[str, mvt.Column]:
    """Return value and rank of an indicator on a grid layer's rows.

    Counts of persons bring each service category as `w_…`: left out where it is 0, `*` where it is hidden.
    """
    chosen = indicator(name)

    def compute() -> Mapping[str, mvt.Column]:
        ids = entry_rows(city, entry).index
        shown = values.ranked(city, chosen, scope=scope)
        columns = {"value": shown.value, "rank": shown.rank}
        columns |= {f"w_{c}": _part(shown.parts[c]) for c in shown.parts.columns}
        return {k: mvt.Column.of(v.reindex(ids)) for k, v in columns.items()}

    key = f"tiles:{entry.name}:{name}:{scope.k if chosen.persons else ''}"
    return city.derive(key, ("grids", *chosen.tables), compute)


def _part(counts: pd.Series) -> pd.Series:
    shown = counts.astype(object).mask(counts.isna(), "*")
    return shown.mask((counts == 0).fillna(value=False).astype(bool), None)
