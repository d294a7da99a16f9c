"""How much of a place is covered, and how often (面积覆盖率、重数): exact, by cutting zones into cells.

Inside every zone the outlines of all fields of view cut the ground into cells; each cell is seen by one fixed
set of cameras. One cut therefore answers union, k-coverage, what one camera alone sees, and every condition
on cameras (in order, at night …) without a further overlay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.intp]
    Floats = NDArray[np.float64]

LEAST_M2 = 1e-6  # a cell below this is noise of rounding
SNAP_M = 1e-7  # lines are noded on this raster: without one, a near miss of two outlines loses a cell
COVERED_SHARE = 0.8  # of an area or a road: from here on it counts as covered


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of constant visibility (等重单元) and who sees them.

    Attributes
    ----------
    zones
        Index of the zone table.
    zone, area_m2, shape
        Row of the zone, area and polygon of each cell.
    cell, viewer
        Pairs: cell and row of the field of view that sees it, sorted by cell.
    """

    zones: pd.Index
    zone: Ints
    area_m2: Floats
    shape: NDArray[np.object_]
    cell: Ints
    viewer: Ints

    def covered(self, *, by: NDArray[np.bool_] | None = None, times: int = 1) -> pd.Series:
        """Area per zone seen by at least `times` viewers, only those of `by` counting; m²."""
        cell = self.cell if by is None else self.cell[by[self.viewer]]
        often = np.bincount(cell, minlength=len(self.zone)) >= times
        return self._sum(np.where(often, self.area_m2, 0.0))

    def pairs(self, keep: NDArray[np.bool_]) -> Cells:
        """Return the same cells with only some of the pairs (a mask over `cell`)."""
        return Cells(self.zones, self.zone, self.area_m2, self.shape, self.cell[keep], self.viewer[keep])

    def alone(self, n: int) -> Floats:
        """Area that each of `n` viewers sees and nobody else does (独有覆盖面积), m²."""
        once = np.bincount(self.cell, minlength=len(self.zone)) == 1
        pairs = once[self.cell]
        return np.bincount(self.viewer[pairs], self.area_m2[self.cell[pairs]], minlength=n).astype(float)

    def lost(self, group: Ints, n: int) -> Floats:
        """Area that goes dark if all viewers of one of `n` groups fail together (群组失效损失), m².

        `group` holds the group of each viewer, -1 for none.
        """
        of_pair = group[self.viewer]
        order = np.lexsort((of_pair, self.cell))
        cell, of_pair = self.cell[order], of_pair[order]
        starts = np.flatnonzero(np.append(True, cell[1:] != cell[:-1])) if len(cell) else np.empty(0, int)
        if len(starts) == 0:
            return np.zeros(n)
        ends = np.append(starts[1:], len(cell)) - 1
        one = (of_pair[starts] == of_pair[ends]) & (of_pair[starts] >= 0)
        return np.bincount(of_pair[starts[one]], self.area_m2[cell[starts[one]]], minlength=n).astype(float)

    def times(self) -> Ints:
        """How many viewers see each cell (重数)."""
        return np.bincount(self.cell, minlength=len(self.zone)).astype(np.intp)

    def _sum(self, values: Floats) -> pd.Series:
        return pd.Series(np.bincount(self.zone, values, minlength=len(self.zones)), index=self.zones)


def cells(zones: pd.Series, shapes: NDArray[np.object_], *, cuts: NDArray[np.object_] | None = None) -> Cells:
    """Cut zones along the outlines of fields of view (按可视域边界剖分).

    Parameters
    ----------
    zones
        Polygons in metres; those that overlap are cut independently.
    shapes
        Fields of view; empty ones see nothing.
    cuts
        Lines that hold every outline, where the caller knows fewer of them than the shapes have: shapes that
        share most of their outline need not cut twice. Default: the outlines of `shapes`.

    Returns
    -------
    Cells
        Only cells that someone sees.
    """
    areas = np.asarray(zones, dtype=object)
    outlines = shapely.boundary(shapes) if cuts is None else cuts
    outlines = outlines[~(shapely.is_empty(outlines) | shapely.is_missing(outlines))]
    zone, outline = shapely.STRtree(outlines).query(areas, predicate="intersects")
    order = np.argsort(zone, kind="stable")
    zone, outline = zone[order], outline[order]
    lines = _clipped(outlines, outline, areas, zone)
    rows, first = np.unique(zone, return_index=True)
    whole = np.setdiff1d(np.flatnonzero(~shapely.is_missing(areas)), rows)  # one field or none on all of it
    parts, of = shapely.get_parts(areas[whole], return_index=True)
    found, where_ = [parts], [whole[of]]
    for row, group in zip(rows, np.split(lines, first[1:]) if len(rows) else [], strict=True):
        noded = shapely.union_all(np.append(group, shapely.boundary(areas[row])), grid_size=SNAP_M)
        found.append(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))))
        where_.append(np.full(len(found[-1]), row))
    shape, where = np.concatenate(found), np.concatenate(where_).astype(np.intp)
    area = shapely.area(shape)
    keep = area > LEAST_M2
    shape, where, area = shape[keep], where[keep], area[keep]
    points = shapely.point_on_surface(shape)
    inside = np.ones(len(shape), dtype=bool)
    holed = np.flatnonzero(shapely.get_num_interior_rings(areas[where]) > 0) if len(where) else where
    inside[holed] = shapely.intersects(areas[where[holed]], points[holed])
    seen, viewer = shapely.STRtree(shapes).query(points, predicate="intersects")
    keep_pair = inside[seen]
    seen, viewer = seen[keep_pair], viewer[keep_pair]
    order = np.lexsort((viewer, seen))
    used, number = np.unique(seen[order], return_inverse=True)
    return Cells(
        zones.index,
        where[used],
        area[used],
        shape[used],
        number.astype(np.intp),
        viewer[order].astype(np.intp),
    )


def _clipped(
    lines: NDArray[np.object_], line: Ints, areas: NDArray[np.object_], zone: Ints
) -> NDArray[np.object_]:
    """Lines cut to their zones; lines wholly inside are taken as they are."""
    result = lines[line]
    box = shapely.bounds(result)
    limits = shapely.bounds(areas)[zone]
    within = (
        (box[:, 0] > limits[:, 0]) & (box[:, 1] > limits[:, 1])
        & (box[:, 2] < limits[:, 2]) & (box[:, 3] < limits[:, 3])
    )  # fmt: skip
    upright = _upright(areas)
    for row in np.unique(zone[~within & upright[zone]]):
        mine = _rows_of(zone, row, ~within)
        result[mine] = shapely.clip_by_rect(result[mine], *shapely.bounds(areas[row]))
    rest = np.flatnonzero(~upright[zone])
    shapely.prepare(areas)
    rest = rest[~shapely.contains_properly(areas[zone[rest]], result[rest])]
    result[rest] = shapely.intersection(result[rest], areas[zone[rest]])
    return result


def _rows_of(zone: Ints, row: int, keep: NDArray[np.bool_]) -> Ints:
    """Positions of one zone in a sorted array, only those kept."""
    low, high = np.searchsorted(zone, [row, row + 1])
    return low + np.flatnonzero(keep[low:high])


def free_area(zones: pd.Series, solid: NDArray[np.object_]) -> pd.Series:
    """Public free space per zone (公共可用空间面积): zone minus buildings minus water, m².

    Parameters
    ----------
    zones
        Polygons in metres.
    solid
        Disjoint polygons of buildings, and of water without buildings (`open_water`).

    Returns
    -------
    Series
        m² on the index of `zones`, never below 0.
    """
    areas = np.asarray(zones, dtype=object)
    return pd.Series(np.maximum(shapely.area(areas) - overlap(areas, solid), 0.0), index=zones.index)


def open_water(water: NDArray[np.object_], blocks: NDArray[np.object_]) -> NDArray[np.object_]:
    """Disjoint water polygons without the buildings that stand in them."""
    parts = shapely.get_parts(water[~shapely.is_missing(water)])
    parts = shapely.make_valid(parts[shapely.get_type_id(parts) == 3])
    if len(parts) == 0:
        return parts
    joined = shapely.get_parts(shapely.disjoint_subset_union_all(parts))
    joined = joined[shapely.get_type_id(joined) == 3]
    if len(blocks) == 0:
        return joined
    lake, block = shapely.STRtree(blocks).query(joined, predicate="intersects")
    hit, group = np.unique(lake, return_inverse=True)
    order = np.argsort(group, kind="stable")
    standing = shapely.multipolygons(blocks[block[order]], indices=group[order])
    joined[hit] = shapely.difference(joined[hit], standing)
    return joined


def overlap(areas: NDArray[np.object_], parts: NDArray[np.object_]) -> Floats:
    """Area that disjoint parts take of each area (重叠面积), m²."""
    if len(parts) == 0:
        return np.zeros(len(areas))
    shapely.prepare(areas)
    zone, part = shapely.STRtree(parts).query(areas, predicate="intersects")
    whole = shapely.contains_properly(areas[zone], parts[part])
    size = shapely.area(parts)[part]
    size[~whole] = _common(areas, zone[~whole], parts[part[~whole]])
    return np.bincount(zone, size, minlength=len(areas)).astype(np.float64)


def _common(areas: NDArray[np.object_], zone: Ints, parts: NDArray[np.object_]) -> Floats:
    """Area of each part within its zone, m²; `zone` ascending."""
    size = np.zeros(len(zone))
    upright = _upright(areas)[zone]
    for row in np.unique(zone[upright]):
        low, high = np.searchsorted(zone, [row, row + 1])
        size[low:high] = shapely.area(shapely.clip_by_rect(parts[low:high], *shapely.bounds(areas[row])))
    size[~upright] = shapely.area(shapely.intersection(areas[zone[~upright]], parts[~upright]))
    return size


def _upright(areas: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Whether each zone is a rectangle along the axes."""
    box = shapely.bounds(areas)
    return (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) <= shapely.area(areas) * (1 + 1e-12)
