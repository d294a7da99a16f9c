"""What hides the view (遮挡): buildings and walls as edges, prepared once and searched often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geo.errors import BadInputError
from geo.index.boxes import BoxTree

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MULTI = (4, 5, 6, 7)  # kinds of geometry that have parts
RUN = 8  # edges of one ring that share a box of the index


@dataclass(frozen=True, slots=True, eq=False)
class Occluders:
    """Edges of everything that hides (遮挡边), with an index of boxes over runs of edges.

    Attributes
    ----------
    edges
        (M, 4) metres, x0 y0 x1 y1; along a solid the inside is on the left.
    solid
        (M,) whether the edge belongs to an area: its back is never seen from outside.
    height_m
        (M,) height of the shape, metres; infinite where unknown.
    shapes, shape_height_m
        The shapes the edges came from (polygons and lines, no multi-parts) and their heights.
    owner
        (M,) row of `shapes` for each edge.
    disjoint
        Whether no two edges cross: the sweep then needs no second look.
    """

    edges: NDArray[np.float64]
    solid: NDArray[np.bool_]
    height_m: NDArray[np.float64]
    owner: NDArray[np.intp]
    shapes: NDArray[np.object_]
    shape_height_m: NDArray[np.float64]
    disjoint: bool
    run_start: NDArray[np.intp]
    tree: BoxTree
    shape_tree: shapely.STRtree

    def near(self, boxes: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Pairs (row of `boxes`, edge) that may meet; sorted by row; boxes of runs are compared."""
        who, run = self.tree.query(boxes)
        count = self.run_start[run + 1] - self.run_start[run]
        edge = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - self.run_start[run], count)
        return np.repeat(who, count), edge

    @property
    def blocks(self) -> NDArray[np.object_]:
        """The polygons among the shapes."""
        return self.shapes[shapely.get_type_id(self.shapes) == 3]

    def inside(self, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each point is in or on a solid."""
        result = np.zeros(len(xy), dtype=bool)
        rows = self.shape_tree.query(shapely.points(xy), predicate="intersects")[0]
        result[rows] = True
        return result


def occluders(shapes: ArrayLike, heights_m: ArrayLike | None = None, *, dissolve: bool = True) -> Occluders:
    """Prepare polygons and lines for the sweep (准备遮挡物).

    Parameters
    ----------
    shapes
        Polygons, multi-polygons, lines, multi-lines or collections, in metres. Missing and empty ones are
        skipped; invalid polygons are repaired.
    heights_m
        Height of each shape, metres; NaN or absent: higher than any camera.
    dissolve
        Join polygons that touch or overlap and cut lines where they cross or enter one, so that no two edges
        cross: fewer edges, and no second look in the sweep. Heights are lost by it, so that it is only done
        where none is given.

    Returns
    -------
    Occluders
        No shapes give no edges.

    Raises
    ------
    BadInputError
        If `heights_m` has another length than `shapes`, or a shape is a point.
    """
    given = np.atleast_1d(np.asarray(shapes, dtype=object))
    heights = np.full(len(given), np.inf) if heights_m is None else np.array(heights_m, dtype=np.float64)
    if heights.shape != given.shape:
        raise BadInputError(f"occluders: {len(given)} shapes but {heights.shape} heights; give one each")
    heights[np.isnan(heights)] = np.inf
    return prepared(*simple_parts(given, heights), dissolve=dissolve)


def prepared(parts: NDArray[np.object_], heights: NDArray[np.float64], *, dissolve: bool) -> Occluders:
    """Prepare what `simple_parts` gave; see `occluders`."""
    disjoint = bool(dissolve and np.isinf(heights).all())
    if disjoint:
        parts = _dissolve(parts)
        heights = np.full(len(parts), np.inf)
    edges, owner, solid = _edges(parts)
    first = _run_starts(owner, edges)
    low, high = np.minimum(edges[:, :2], edges[:, 2:]), np.maximum(edges[:, :2], edges[:, 2:])
    if len(edges):
        low, high = np.minimum.reduceat(low, first[:-1]), np.maximum.reduceat(high, first[:-1])
    tree = BoxTree.of(low, high)
    area = shapely.get_type_id(parts) == 3
    return Occluders(
        edges, solid, heights[owner], owner, parts, heights, disjoint, first, tree,
        shapely.STRtree(_only(parts, area)),
    )  # fmt: skip


def _only(parts: NDArray[np.object_], rows: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Keep the places of all rows but only the shapes of some."""
    result = parts.copy()
    result[~rows] = None
    return result


def simple_parts(
    shapes: NDArray[np.object_], heights: NDArray[np.float64]
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Split multi-parts and collections into polygons and lines, flat; repair invalid polygons; none is empty."""
    real = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    shapes, heights = shapes[real].copy(), heights[real]
    area = np.isin(shapely.get_type_id(shapes), (3, 6, 7))
    bad = np.flatnonzero(area)[~shapely.is_valid(shapes[area])]
    shapes[bad] = shapely.make_valid(shapes[bad], method="structure", keep_collapsed=False)
    while (many := np.isin(shapely.get_type_id(shapes), MULTI)).any():
        owner = np.repeat(np.arange(len(shapes)), np.where(many, shapely.get_num_geometries(shapes), 1))
        parts = shapes[owner]  # what is single already stays the object it is
        parts[many[owner]] = shapely.get_parts(shapes[many])
        shapes, heights = parts, heights[owner]
    kind = shapely.get_type_id(shapes)
    if (kind == 0).any():
        raise BadInputError("occluders: a point hides nothing; allowed: polygons and lines")
    keep = ~shapely.is_empty(shapes) & np.isin(kind, (1, 2, 3))
    parts, heights = shapes[keep], heights[keep]
    tall = shapely.has_z(parts)
    parts[tall] = shapely.force_2d(parts[tall])
    return parts, heights


def _dissolve(parts: NDArray[np.object_]) -> NDArray[np.object_]:
    """Join polygons; node lines among themselves and cut off what lies inside a polygon."""
    area = shapely.get_type_id(parts) == 3
    blocks = shapely.get_parts(shapely.disjoint_subset_union_all(parts[area]))
    blocks = blocks[~shapely.is_empty(blocks)]
    if area.all():
        return blocks
    walls = shapely.get_parts(shapely.union_all(parts[~area]))
    if len(blocks):
        tree = shapely.STRtree(blocks)
        wall, block = tree.query(walls, predicate="intersects")
        hit, group = np.unique(wall, return_inverse=True)
        order = np.argsort(group, kind="stable")
        inside = shapely.multipolygons(blocks[block[order]], indices=group[order])
        walls[hit] = shapely.difference(walls[hit], inside)
        walls = shapely.get_parts(walls)
    walls = walls[~shapely.is_empty(walls)]
    return np.concatenate([blocks, walls])


def _edges(
    parts: NDArray[np.object_],
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.bool_]]:
    """Edges of every ring and line with the row they came from; polygons have their inside on the left."""
    area = shapely.get_type_id(parts) == 3
    rows = np.arange(len(parts))
    rings, ring_of = shapely.get_rings(shapely.orient_polygons(parts[area]), return_index=True)
    lines = np.concatenate([rings, parts[~area]])
    owner = np.concatenate([rows[area][ring_of], rows[~area]]).astype(np.intp)
    xy, line = shapely.get_coordinates(lines, return_index=True)
    follows = line[1:] == line[:-1]
    edges = np.column_stack([xy[:-1], xy[1:]])[follows] if len(xy) else np.empty((0, 4))
    line = line[1:][follows] if len(xy) else line
    real = (edges[:, :2] != edges[:, 2:]).any(axis=1)
    edges, line = edges[real], line[real]
    return edges, owner[line], line < len(rings)


def _run_starts(owner: NDArray[np.intp], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """First edge of each run: at most `RUN` edges that follow one another; ends with the number of edges."""
    n = len(owner)
    if n == 0:
        return np.zeros(1, dtype=np.intp)
    new = np.ones(n, dtype=bool)
    new[1:] = (owner[1:] != owner[:-1]) | (edges[1:, :2] != edges[:-1, 2:]).any(axis=1)
    start = np.flatnonzero(new)
    place = np.arange(n) - np.repeat(start, np.diff(np.append(start, n)))
    return np.append(np.flatnonzero(place % RUN == 0), n).astype(np.intp)
