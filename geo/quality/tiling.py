"""Do the grids of a level tile the ground (网格铺盖检查): gaps, overlaps, slivers, unmatched edges.

Validity is GEOS's coverage validator; what it finds broken is measured by overlay. Grids over others (dedicated
专属, micro 微) are not asked to tile, dedicated ones only not to overlap each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geo.quality.checks import SLIVER_M, Tables, check, faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    import geopandas as gpd
    from numpy.typing import NDArray

    Shapes = NDArray[np.object_]

ROUNDING_M = 1e-8  # ten units in the last place of a northing; far below what any file means
TILING = ("admin", "base")


def polygonal(shapes: Shapes) -> Shapes:
    """Return valid polygons of the same ground (make_valid, areas only); missing ones become empty."""
    result = np.where(shapely.is_missing(shapes), shapely.Polygon(), shapes)
    bad = ~shapely.is_valid(result)
    if bad.any():
        result[bad] = shapely.make_valid(result[bad], method="structure", keep_collapsed=False)
    for i in np.flatnonzero(
        ~np.isin(shapely.get_type_id(result), (3, 6))
    ):  # lines, points, collections: rare
        result[i] = shapely.union_all(_areas(shapely.get_parts(result[i])))
    return np.asarray(result, dtype=object)


def mean_width_m(shapes: Shapes) -> NDArray[np.float64]:
    """Twice the area over the perimeter: the width of a long thin polygon, metres; 0 for no area."""
    around = shapely.length(shapes)
    return np.divide(2.0 * shapely.area(shapes), around, out=np.zeros(len(shapes)), where=around > 0)


def with_shared_vertices(shapes: Shapes, within_m: float = ROUNDING_M) -> Shapes:
    """Give vertices that differ by the rounding of doubles one coordinate (合并舍入误差).

    Vertices closer than `within_m` to one another take the place of the first of them. Nothing else moves: gaps
    and overlaps that anybody drew stay.
    """
    xy = shapely.get_coordinates(shapes)
    places, row = np.unique(xy, axis=0, return_inverse=True)
    one, two = cKDTree(places).query_pairs(within_m, output_type="ndarray").T
    links = coo_array((np.ones(len(one), bool), (one, two)), shape=(len(places), len(places)))
    group = connected_components(links, directed=False)[1]
    first = np.unique(group, return_index=True)[1]
    return np.asarray(shapely.set_coordinates(shapes.copy(), places[first[group]][row.ravel()]), dtype=object)


def tiling_faults(
    grids: gpd.GeoDataFrame,
    *,
    outline: Shapes | None = None,
    table: str = "grids",
    sliver_m: float = SLIVER_M,
) -> gpd.GeoDataFrame:
    """Find where polygons of one level do not tile (一级网格的铺盖检查).

    Parameters
    ----------
    grids
        Polygons of one level, metres, index is the code.
    outline
        Polygons that they should fill together; None: only holes between them are gaps.
    table
        Name to give in the result.
    sliver_m
        Mean width, metres, under which a gap or overlap is a sliver.

    Returns
    -------
    GeoDataFrame
        `grid.gap`, `grid.overlap`, `grid.sliver` and `grid.beyond` with the square metres as `value`,
        `grid.edge` with the metres of unmatched edge, each with its geometry; `id` is the code, two codes with
        ``|`` for an overlap, the first neighbour (by code) for a gap. A level that tiles: no rows. No grids: no
        rows.
    """
    level = _Level(
        polygonal(grids.geometry.to_numpy()), grids.index.astype("str").to_numpy(object), table, sliver_m
    )
    found = [*level.overlaps(), *level.gaps(outline), *level.edges()]
    return pd.concat([faults(*part[:3], value=part[3], message=part[4], shapes=part[5], crs=grids.crs)
                      for part in found], ignore_index=True)  # fmt: skip


_Part = tuple[str, str, "Shapes", "NDArray[np.float64]", str, "Shapes"]


class _Level:
    """Polygons of one level, checked step by step; each step gives parts of the answer."""

    def __init__(self, shapes: Shapes, ids: Shapes, table: str, sliver_m: float) -> None:
        self.shapes, self.ids, self.table, self.sliver_m = shapes, ids, table, sliver_m
        self.invalid = shapely.coverage_invalid_edges(shapes)
        if not shapely.is_empty(self.invalid).all():  # look again without the rounding of doubles
            self.shapes = polygonal(with_shared_vertices(shapes))
            self.invalid = shapely.coverage_invalid_edges(self.shapes)
        self.broken = ~shapely.is_empty(self.invalid)

    def overlaps(self) -> list[_Part]:
        # One of a pair that overlaps has an invalid edge; the other may have none (an overlap at a corner).
        rows = np.flatnonzero(self.broken)
        i, j = shapely.STRtree(self.shapes).query(self.shapes[rows], predicate="intersects")
        i = rows[i]
        once = (i < j) | ((i > j) & ~self.broken[j])
        i, j = i[once], j[once]
        common = shapely.intersection(self.shapes[i], self.shapes[j])
        real = shapely.area(common) > 0
        low = np.where(self.ids[i] < self.ids[j], self.ids[i], self.ids[j])
        high = np.where(self.ids[i] < self.ids[j], self.ids[j], self.ids[i])
        pair = low + np.full(len(low), "|", object) + high
        return self._measured("grid.overlap", pair[real], common[real], "m² in two grids")

    def gaps(self, outline: Shapes | None) -> list[_Part]:
        """Holes of the union, what is missing to the outline, and what reaches beyond it."""
        if not len(self.shapes):
            return []
        union = (
            shapely.union_all(self.shapes) if self.broken.any() else shapely.coverage_union_all(self.shapes)
        )
        holes = np.array([ring for part in _areas(union) for ring in part.interiors], dtype=object)
        empty = shapely.polygons(holes) if len(holes) else holes
        beyond = np.empty(0, object)
        if outline is not None and len(outline):
            whole = shapely.union_all(outline)
            shapely.prepare(whole)
            missing = _areas(shapely.difference(whole, union))
            thin = empty[(mean_width_m(empty) < self.sliver_m) & shapely.intersects(whole, empty)]
            empty = np.concatenate([thin, missing[mean_width_m(missing) >= self.sliver_m]])
            beyond = _areas(shapely.difference(union, whole))
            beyond = beyond[mean_width_m(beyond) >= self.sliver_m]
        text = "m² beyond the boundary or the level above"
        outside = (
            "grid.beyond",
            self.table,
            self._neighbour(beyond),
            shapely.area(beyond).round(3),
            text,
            beyond,
        )
        return [*self._measured("grid.gap", self._neighbour(empty), empty, "m² in no grid"), outside]

    def edges(self) -> list[_Part]:
        lines = self.invalid[self.broken]
        text = "metres of edge that the neighbours do not share"
        return [("grid.edge", self.table, self.ids[self.broken], shapely.length(lines).round(3), text, lines)]

    def _measured(self, code: str, ids: Shapes, shapes: Shapes, text: str) -> list[_Part]:
        """Tell slivers from the rest."""
        thin = mean_width_m(shapes) < self.sliver_m
        area = shapely.area(shapes).round(6)
        return [
            (code, self.table, ids[~thin], area[~thin], text, shapes[~thin]),
            ("grid.sliver", self.table, ids[thin], area[thin], text, shapes[thin]),
        ]

    def _neighbour(self, places: Shapes) -> Shapes:
        """Lowest code of the polygons that touch each place, empty where none does."""
        result = np.full(len(places), "", dtype=object)
        if len(places):
            at, other = shapely.STRtree(self.shapes).query(places, predicate="dwithin", distance=0.01)
            order = np.argsort(self.ids[other].astype(str), kind="stable")[::-1]
            result[at[order]] = self.ids[other[order]]
        return result


def _areas(shape: object) -> Shapes:
    parts = shapely.get_parts(shapely.get_parts(shape))
    return np.asarray(parts[shapely.get_type_id(parts) == 3], dtype=object)


@check
def tiling(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Every level of the grids, against the boundary or else the level above."""
    grids = tables.get("grids")
    if not len(grids):
        return
    boundary = tables.get("boundary")
    outline = polygonal(boundary.geometry.to_numpy()) if len(boundary) else None
    tiles = grids[grids["kind"].isin(TILING).to_numpy(bool)]
    for level in sorted(tiles["level"].dropna().unique()):
        here = tiles[(tiles["level"] == level).to_numpy(bool)]
        yield tiling_faults(here, outline=outline)
        outline = polygonal(here.geometry.to_numpy()) if outline is None else outline
    dedicated = grids[(grids["kind"] == "dedicated").to_numpy(bool)]
    found = tiling_faults(dedicated)
    yield found[found["code"] == "grid.overlap"]
