"""Time along the roads (路网通行时间): who is nearest by road, not by crow.

Roads meet where they share a vertex (0.1 m): junctions drawn as shared points, as surveys and OpenStreetMap
have them. A place is joined to the nearest vertex of the network on foot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

WALK_M_S = 1.4
SPEED_M_S = 8.3  # 30 km/h, where a road has no speed
SNAP_M = 0.1
REACH_M = 300.0  # a place farther than this from every road has no time along the roads


@dataclass(frozen=True)
class Network:
    """Directed graph of road vertices (路网): `seconds[i, j]` is the drive from vertex i to its neighbour j."""

    xy: NDArray[np.float64]
    backward: csr_matrix  # transposed: entry [j, i] is the drive from i to j
    tree: cKDTree | None

    @classmethod
    def build(cls, roads: gpd.GeoDataFrame) -> Network:
        """Make the graph of a road table in metres; no roads: a network that reaches nothing."""
        lines, row = shapely.get_parts(roads.geometry.to_numpy(), return_index=True)
        coords, line = shapely.get_coordinates(lines, return_index=True)
        if not len(coords):
            return cls(np.empty((0, 2)), csr_matrix((0, 0)), None)
        cell = np.round(coords / SNAP_M).astype(np.int64)
        _, first, node = np.unique(cell[:, 0] * 2**32 + cell[:, 1], return_index=True, return_inverse=True)
        step = np.flatnonzero(line[1:] == line[:-1])
        a, b, owner = node[step], node[step + 1], row[line[step]]
        speed = roads["speed_m_s"].to_numpy(dtype=np.float64, na_value=np.nan)[owner]
        length = np.hypot(*(coords[step + 1] - coords[step]).T)
        seconds = length / np.where(speed > 0, speed, SPEED_M_S)
        oneway = roads["oneway"].fillna(value=False).to_numpy(dtype=bool)[owner]
        source, target = np.concatenate([a, b[~oneway]]), np.concatenate([b, a[~oneway]])
        weight = np.concatenate([seconds, seconds[~oneway]])
        return cls(coords[first], _least(target, source, weight, len(first)), cKDTree(coords[first]))

    def join(self, xy: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Nearest vertex of each place and the walk to it in seconds; -1 and infinite beyond `REACH_M`."""
        if self.tree is None or not len(xy):
            return np.full(len(xy), -1), np.full(len(xy), np.inf)
        away, node = self.tree.query(xy, distance_upper_bound=REACH_M)
        far = ~np.isfinite(away)
        return np.where(far, -1, node).astype(np.int64), np.where(far, np.inf, away / WALK_M_S)

    def seconds_to(self, x: float, y: float, *, within_s: float) -> NDArray[np.float64]:
        """Drive from every vertex to a place, walk included (到达用时); infinite beyond `within_s`.

        Returns
        -------
        array
            Seconds per vertex; all infinite for a place far from every road.
        """
        node, walk = self.join(np.array([[x, y]]))
        if node[0] < 0 or walk[0] > within_s:
            return np.full(len(self.xy), np.inf)
        return dijkstra(self.backward, indices=int(node[0]), limit=within_s - walk[0]) + walk[0]


@dataclass(frozen=True)
class Stops:
    """Places joined to a network (停靠点), grouped by its vertices, each of a kind."""

    network: Network
    at: NDArray[np.int64]  # stops of vertex i are at[i] to at[i + 1] of the arrays below
    row: NDArray[np.int64]
    kind: NDArray[np.int64]
    walk_s: NDArray[np.float64]
    kinds: int

    @classmethod
    def of(cls, network: Network, xy: NDArray[np.float64], kind: NDArray[np.int64]) -> Stops:
        """Join places with kinds 0, 1 … to a network; those far from every road belong to no vertex."""
        node, walk = network.join(xy)
        row = np.argsort(node, kind="stable")
        row = row[node[row] >= 0]
        at = np.searchsorted(node[row], np.arange(len(network.xy) + 1))
        return cls(
            network, at, row, np.asarray(kind, np.int64)[row], walk[row], int(np.max(kind, initial=-1)) + 1
        )

    def quickest(
        self, x: float, y: float, *, within_s: float
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Quickest stop of each kind on the way to a place, walks at both ends included (各类最快到达).

        Returns
        -------
        arrays
            Seconds and row per kind; infinite and -1 where no stop of the kind is within the time.
        """
        from geo import _travel_kernel  # noqa: PLC0415  (numba)

        node, walk = self.network.join(np.array([[x, y]]))
        if node[0] < 0 or walk[0] > within_s:
            return np.full(self.kinds, np.inf), np.full(self.kinds, -1)
        drives = self.network.backward
        seconds, row = _travel_kernel.quickest(
            drives.indptr, drives.indices, drives.data, int(node[0]), float(walk[0]), float(within_s),
            self.at, self.row, self.kind, self.walk_s, self.kinds,
        )  # fmt: skip
        return seconds, row


def _least(
    row: NDArray[np.int64], column: NDArray[np.int64], weight: NDArray[np.float64], n: int
) -> csr_matrix:
    """Sparse matrix that keeps the least weight of parallel edges; an edge of no length gets a microsecond."""
    order = np.lexsort([weight, column, row])
    row, column, weight = row[order], column[order], weight[order]
    keep = np.r_[True, (np.diff(row) != 0) | (np.diff(column) != 0)] & (row != column)
    return csr_matrix((np.maximum(weight[keep], 1e-6), (row[keep], column[keep])), shape=(n, n))
