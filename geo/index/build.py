"""Build the arrays of the index (建立索引).

The plane is cut twice: a raster of cells over the whole level, and in every cell that a border meets a block
of k × k smaller ones, k a power of two that grows with the borders in the cell. A cell without border has its
answer in it. A small cell that borders meet is a leaf: the polygon at its lower left corner, and one record
per border. Going from that corner north and then east to a point, the answer changes at every border crossed;
a record holds the two polygons of its border combined by exclusive or, so that the answer is the corner's
polygon combined with the records crossed, in any order.

That needs polygons that do not overlap. Leaves where they do, and the few whose corner is too near a border to
be sure of, are left open: they are answered from the list of candidates of their cell, exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely

from geo.index import plain
from geo.index._ragged import Segments, ranges, starts
from geo.index.arrays import COARSE, FINEST, NOISE, PAD, SHIFT, Arrays
from geo.index.blocks import EDGES_PER_ROW, Corners, build_blocks, combined, step_east
from geo.index.edges import Edges, edges_of

if TYPE_CHECKING:
    from geo.index.types import Floats, Ints, Longs

CELLS_PER_EDGE = 2.5
FINER = 4
MOST_CELLS = 1 << 22  # to which a raster is refined because of outliers: 17 MB a table
CROWDED = 0.02  # share of the borders


class _Raster(NamedTuple):
    """The frame of the cells, and the edges in cell units."""

    frame: Floats
    columns: int
    rows: int
    segments: Segments

    @property
    def cells(self) -> int:
        return self.columns * self.rows


def build(polygons: np.ndarray) -> Arrays:
    """Arrays of the index over polygons in degrees; missing and empty ones are nowhere."""
    edges = edges_of(polygons)
    finer = 1
    while True:
        frame, columns, rows = _frame(edges.xy, finer)
        edges = edges.take(_by_place(edges.xy, frame, columns))
        raster = _Raster(frame, columns, rows, _in_cells(edges.xy, frame))
        near_start, near_edge, cell = _near(raster)
        if not _crowded(near_start) or FINER * raster.cells > MOST_CELLS:
            break
        finer *= FINER
    corners = _corners(raster, edges.owner)
    unsure = np.flatnonzero(corners.unsure)
    covered_cell, covered_by = _covered(raster, polygons, unsure)
    blocks = build_blocks(raster.segments, edges, corners, (near_start, near_edge), columns)
    top = corners.face.copy()
    top[unsure] = _lowest(np.searchsorted(unsure, covered_cell), covered_by, len(unsure))
    top[blocks.cell] = blocks.pointer
    improper = corners.unsure.copy()
    improper[cell[edges.doubtful[near_edge]]] = True
    listed = improper[cell]
    bordering, bordered = cell[listed], edges.owner[near_edge[listed]]
    simple = np.flatnonzero(improper & ~corners.unsure)
    candidate_start, candidate = _candidates(
        np.r_[bordering, bordering, simple, covered_cell],
        np.r_[bordered[:, 0], bordered[:, 1], corners.face[simple] - 1, covered_by],
        (raster.cells, len(polygons)),
    )
    arrays = Arrays(
        frame,
        np.array([columns, rows, len(polygons)], np.int32),
        top,
        blocks.sub,
        blocks.pool,
        near_start.astype(np.int32),
        near_edge.astype(np.int32),
        corners.face,
        candidate_start,
        candidate,
        *_rows(raster, edges, candidate, len(polygons)),
        edges.xy,
        edges.owner,
    )
    if len(blocks.loose):
        x, y = frame[0] + blocks.loose_u / frame[2], frame[1] + blocks.loose_v / frame[3]
        blocks.sub[blocks.loose] = plain.find_exactly(arrays, x, y) + 1
    return arrays


def _crowded(near_start: Longs) -> bool:
    """Whether many borders lie in cells with more than the finest block can part: the raster spans far outliers."""
    count = np.diff(near_start)
    return bool(count[count > EDGES_PER_ROW * 2**FINEST].sum() > CROWDED * count.sum())


def _frame(xy: Floats, finer: int = 1) -> tuple[Floats, int, int]:
    """Cells about square on the ground, `finer` times as many as befits the edges; the outermost stay empty."""
    if len(xy) == 0:
        return np.array([0.0, 0.0, 1.0, 1.0]), 1, 1
    west, south = min(xy[:, 0].min(), xy[:, 2].min()), xy[:, 1].min()
    east, north = max(xy[:, 0].max(), xy[:, 2].max()), xy[:, 3].max()
    narrow = max(np.cos(np.radians((south + north) / 2)), 0.01)
    width, height = (east - west) * narrow, north - south
    cells = np.clip(CELLS_PER_EDGE * len(xy), 1024, 1 << 27) * finer
    size = max(np.sqrt(width * height / cells), max(width, height) / 8192)
    dx, dy = size / narrow, size
    # the odd fractions keep lattices of round numbers away from the corners of the cells
    x0, y0 = west - 1.37713 * dx, south - 1.41231 * dy
    per_x, per_y = 1 / dx, 1 / dy
    columns, rows = int((east - x0) * per_x) + 2, int((north - y0) * per_y) + 2
    return np.array([x0, y0, per_x, per_y]), columns, rows


def _in_cells(xy: Floats, frame: Floats) -> Segments:
    x0, y0, per_x, per_y = frame
    return Segments(
        (xy[:, 0] - x0) * per_x, (xy[:, 1] - y0) * per_y, (xy[:, 2] - x0) * per_x, (xy[:, 3] - y0) * per_y
    )


def _by_place(xy: Floats, frame: Floats, columns: int) -> Longs:
    """Order of the edges along the rows of the raster: what is near in the city is near in memory."""
    x0, y0, per_x, per_y = frame
    row = ((xy[:, 1] - y0) * per_y).astype(np.int64)
    column = ((xy[:, 0] - x0) * per_x).astype(np.int64)
    return np.argsort(row * columns + column)


def _near(raster: _Raster) -> tuple[Longs, Longs, Longs]:
    """Edges by cell: starts, edges, and the cell of each."""
    edge, row, column = raster.segments.cells(raster.rows, raster.columns, PAD)
    cell = row * raster.columns + column
    order = np.argsort(cell)
    cell = cell[order]
    return starts(cell, raster.cells), edge[order], cell


def _corners(raster: _Raster, owner: Ints) -> Corners:
    """Walk every row of corners eastwards: the face changes at every edge crossed."""
    shape = (raster.rows, raster.columns)
    s, noise = raster.segments, _noise(raster)
    if noise > COARSE:
        zero = np.zeros(raster.cells, np.int32)
        return Corners(zero, zero, np.ones(raster.cells, bool))
    edge, row, corner, _ = s.crossings(raster.rows, SHIFT, 0.0)
    face, depth, spoilt = np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, bool)
    inside = corner < raster.columns
    at = (row[inside], corner[inside])
    np.bitwise_xor.at(face, at, combined(owner)[edge[inside]])
    np.add.at(depth, at, step_east(owner)[edge[inside]])
    np.bitwise_xor.accumulate(face, axis=1, out=face)
    np.add.accumulate(depth, axis=1, out=depth)
    edge, row, corner, latest = s.crossings(raster.rows, SHIFT, noise)
    which, column = ranges(corner, np.minimum(latest, raster.columns) - corner)
    spoilt[row[which], column] = True
    line = np.rint(s.v0 + SHIFT)
    level = np.flatnonzero((s.v0 == s.v1) & (np.abs(s.v0 + SHIFT - line) <= noise))
    first = np.floor(s.u0[level]).astype(np.int64)
    which, column = ranges(first, np.floor(s.u1[level]).astype(np.int64) + 2 - first)
    spoilt[line[level[which]].astype(np.int64), column] = True
    return Corners(face.ravel(), depth.ravel(), spoilt.ravel())


def _noise(raster: _Raster) -> float:
    """How far a corner may be from where it should be, in cells: rounding, and the last digit of a degree."""
    x0, y0, per_x, per_y = np.abs(raster.frame)
    reach = max(x0 * per_x + raster.columns, y0 * per_y + raster.rows)
    return NOISE + 4 * float(np.finfo(np.float64).eps) * float(reach)


def _covered(raster: _Raster, polygons: np.ndarray, cell: Longs) -> tuple[Longs, Longs]:
    """Cells, and the polygons that cover their middle, by GEOS."""
    if len(cell) == 0:
        return cell, cell
    x = raster.frame[0] + (cell % raster.columns + 0.5) / raster.frame[2]
    y = raster.frame[1] + (cell // raster.columns + 0.5) / raster.frame[3]
    k, polygon = shapely.STRtree(polygons).query(shapely.points(x, y), predicate="covered_by")
    return cell[k], polygon


def _lowest(where: Longs, polygon: Longs, size: int) -> Ints:
    """Face of the lowest polygon at every place, 0 where there is none."""
    none = np.iinfo(np.int32).max
    result = np.full(size, none, np.int32)
    np.minimum.at(result, where, polygon.astype(np.int32) + 1)
    result[result == none] = 0
    return result


def _candidates(cell: Longs, polygon: Longs, shape: tuple[int, int]) -> tuple[Ints, Ints]:
    """Polygons by cell, each once, ascending; -1 is none."""
    cells, polygons = shape
    key = np.sort((cell * (polygons + 1) + polygon)[polygon >= 0])
    key = key[np.r_[True, key[1:] != key[:-1]][: len(key)]]
    return starts(key // (polygons + 1), cells).astype(np.int32), (key % (polygons + 1)).astype(np.int32)


def _rows(raster: _Raster, edges: Edges, candidate: Ints, polygons: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Edges of the candidates by raster row, for the exact test."""
    wanted = np.zeros(polygons + 1, bool)  # the last: no polygon
    wanted[candidate] = True
    chosen = np.flatnonzero(wanted[edges.owner].any(axis=1))
    s = raster.segments.take(chosen)
    low = np.maximum(np.floor(s.v0 - PAD), 0).astype(np.int64)
    high = np.minimum(np.floor(s.v1 + PAD), raster.rows - 1).astype(np.int64)
    edge, row = ranges(low, high - low + 1)
    edge = chosen[edge]
    polygon = edges.owner[edge].T.ravel()
    has = wanted[polygon]
    edge, row, polygon = np.r_[edge, edge][has], np.r_[row, row][has], polygon[has]
    first, last = np.full(polygons, raster.rows, np.int64), np.full(polygons, -1, np.int64)
    np.minimum.at(first, polygon, row)
    np.maximum.at(last, polygon, row)
    base = np.r_[0, np.cumsum(np.maximum(last - first + 1, 0))]
    key = base[polygon] + row - first[polygon]
    order = np.argsort(key)
    return (
        first.astype(np.int32),
        base.astype(np.int32),
        starts(key, int(base[-1])).astype(np.int32),
        edge[order].astype(np.int32),
    )
