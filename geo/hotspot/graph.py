"""Who is whose neighbour (邻接关系): contiguity that survives slivers, gaps and islands.

Neighbours are binary: Gi* with row-standardised weights needs another variance (Getis & Ord 1992 against
Ord & Getis 1995), and mixing the two is the commonest error in Gi* software.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely
from scipy import sparse
from scipy.spatial import cKDTree

from geo.errors import BadInputError
from geo.hotspot import _check

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Graph:
    """Symmetric binary neighbours of `n` grids (网格邻接图).

    Attributes
    ----------
    matrix
        `n × n` CSR of 0 and 1, symmetric, empty diagonal.
    index
        Grid codes, in the order of the rows.
    """

    matrix: sparse.csr_array
    index: pd.Index

    def __post_init__(self) -> None:
        if self.matrix.shape != (len(self.index), len(self.index)):
            raise BadInputError(f"graph: matrix {self.matrix.shape} for {len(self.index)} grids")
        if not self.index.is_unique:
            twice = self.index[self.index.duplicated()][0]
            raise BadInputError(f"graph: grid {twice!r} is listed twice; allowed: each grid once")

    @classmethod
    def from_pairs(cls, left: ArrayLike, right: ArrayLike, index: pd.Index) -> Graph:
        """Make a graph of row pairs, given once or both ways; pairs of a grid with itself are left out."""
        left, right = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
        keep = left != right
        rows, cols = np.r_[left[keep], right[keep]], np.r_[right[keep], left[keep]]
        shape = (len(index), len(index))
        matrix = sparse.csr_array((np.ones(len(rows)), (rows, cols)), shape=shape)  # repeats are added up
        matrix.data[:] = 1.0
        matrix.sort_indices()
        return cls(matrix, index)

    @property
    def size(self) -> int:
        """Number of grids."""
        return len(self.index)

    @property
    def links(self) -> int:
        """Number of links, both directions counted."""
        return int(self.matrix.nnz)

    @cached_property
    def degree(self) -> NDArray[np.int64]:
        """Neighbours of each grid, itself not counted."""
        return np.diff(self.matrix.indptr).astype(np.int64)

    @cached_property
    def islands(self) -> NDArray[np.bool_]:
        """Grids without any neighbour (孤岛网格)."""
        return self.degree == 0

    @cached_property
    def with_self(self) -> sparse.csr_array:
        """Neighbours and the grid itself, once: the weights of Gi*."""
        return sparse.csr_array(self.matrix + sparse.eye_array(self.size, format="csr"))

    @cached_property
    def row_standardised(self) -> sparse.csr_array:
        """Each row divided by its degree; rows of islands stay empty: the weights of Moran's I."""
        scale = 1.0 / np.maximum(self.degree, 1)
        return sparse.csr_array(sparse.diags_array(scale) @ self.matrix)


def contiguity(grids: gpd.GeoDataFrame, *, tolerance_m: float = 1.0, join_islands: bool = False) -> Graph:
    """Grids that touch by an edge or a corner, or nearly so (网格邻接).

    Parameters
    ----------
    grids
        Polygons of one level, metric CRS.
    tolerance_m
        Grids up to this far apart count as touching, metres: survives slivers, gaps and rounding, which
        vertex matching does not.
    join_islands
        Also link each grid without neighbours to the nearest one. Otherwise it stays an island: it is kept,
        its Gi* is its own standardised value.

    Returns
    -------
    Graph
        In the order of `grids`. A grid with empty or missing geometry is an island. No grids: a graph of none.

    Raises
    ------
    CrsMismatchError
        If the CRS is not in metres.
    BadInputError
        If grids of several levels come together, a grid is listed twice or the tolerance is negative.
    """
    _check.metric(grids, "grids")
    _check.level_of_one(grids)
    if not 0 <= tolerance_m < np.inf:
        raise BadInputError(f"tolerance_m: {tolerance_m!r}; allowed: 0 or more metres")
    shapes = grids.geometry.to_numpy()
    tree = shapely.STRtree(shapes)
    if tolerance_m > 0:
        left, right = tree.query(shapes, predicate="dwithin", distance=tolerance_m)
    else:
        left, right = tree.query(shapes, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    graph = Graph.from_pairs(left, right, grids.index)
    if not join_islands or not graph.islands.any():
        return graph
    alone = np.flatnonzero(graph.islands & ~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    near_left, near_right = tree.query_nearest(shapes[alone], exclusive=True, all_matches=False)
    return Graph.from_pairs(np.r_[left, alone[near_left]], np.r_[right, near_right], grids.index)


def distance_band(xy: ArrayLike, *, distance_m: float, index: pd.Index | None = None) -> Graph:
    """Points up to `distance_m` apart, the limit included (距离带邻接).

    Parameters
    ----------
    xy
        `(n, 2)` metres.
    distance_m
        Metres.
    index
        Codes of the points; 0, 1, … if not given.
    """
    points = _check.planar(xy, reach_m=distance_m)
    pairs = (
        cKDTree(points).query_pairs(distance_m, output_type="ndarray")
        if len(points)
        else np.empty((0, 2), int)
    )
    return Graph.from_pairs(pairs[:, 0], pairs[:, 1], pd.RangeIndex(len(points)) if index is None else index)
