"""The index as one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geo.index import compiled, plain
from geo.index._jit import COMPILED
from geo.index.build import build
from geo.index.metric import metres_per_degree
from geo.index.single import Single

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from geo.index.arrays import Arrays
    from geo.index.types import Floats, Ints, Longs

MANY = 2048  # from so many points on it pays to sort them


class GridIndex:
    """Exact point-in-polygon index over polygons in degrees.

    Parameters
    ----------
    arrays
        What `GridIndex.build` made; may be mapped from files.
    compiled
        Use the compiled search (default: where numba works). The answers do not depend on it.
    """

    __slots__ = ("_single", "arrays", "compiled")

    def __init__(self, arrays: Arrays, *, compiled: bool = COMPILED) -> None:
        self.arrays = arrays
        self.compiled = compiled and COMPILED
        self._single: Single | None = None

    @classmethod
    def build(cls, polygons: Sequence[Any] | np.ndarray, *, compiled: bool = COMPILED) -> GridIndex:
        """Index polygons (Polygon or MultiPolygon, degrees); ties go to the earlier one.

        Missing and empty polygons cover nothing. They may overlap, leave gaps, have holes and islands, and
        meet other than vertex to vertex: borders that fit together are only faster. Some three seconds of CPU
        per million edges. Coordinates other than 0 must be over 1e-150 in size, so that products do not underflow.
        """
        return cls(build(np.asarray(polygons, dtype=object)), compiled=compiled)

    def __len__(self) -> int:
        return int(self.arrays.shape[2])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays; about half of them are touched by a search."""
        return sum(array.nbytes for array in self.arrays)

    @property
    def disjoint(self) -> bool:
        """Whether no two polygons lie over each other and every border fits vertex to vertex."""
        return len(self.arrays.candidate) == 0

    def find(self, lon: ArrayLike, lat: ArrayLike) -> Ints:
        """Position of the first polygon that covers each point; -1 where none does or a coordinate is not finite.

        Parameters
        ----------
        lon, lat
            Degrees, n numbers each.

        Returns
        -------
        array
            int32, n positions.
        """
        x, y = _points(lon, lat)
        if not self.compiled:
            return plain.find(self.arrays, x, y)
        a = self.arrays
        out = np.empty(len(x), np.int32)
        unsure = np.empty(len(x) + 1, np.int64)
        n = compiled.find(x, y, out, a.frame, a.shape, a.top, a.sub, a.pool, a.pool.view(np.float32), unsure)
        if n:
            self._decide(x, y, unsure[:n], out)
        return out

    def _decide(self, x: Floats, y: Floats, which: Longs, out: Ints) -> None:
        """Put the exact answers of some points into `out`; many points are first put in the order of the cells."""
        a = self.arrays
        tables = (
            a.frame, a.shape, a.top, a.near_start, a.near_edge, a.corner, a.candidate_start, a.candidate,
            a.row_first, a.row_base, a.row_start, a.row_edge, a.xy, a.owner,
        )  # fmt: skip
        if len(which) < MANY:
            compiled.decide(x, y, which, out, *tables)
            return
        xs, ys = x[which], y[which]
        x0, y0, per_x, per_y = a.frame
        cell = ((ys - y0) * per_y).astype(np.int32) * a.shape[0] + ((xs - x0) * per_x).astype(np.int32)
        order = np.argsort(cell)
        result = np.empty(len(which), np.int32)
        compiled.decide(xs[order], ys[order], np.arange(len(which)), result, *tables)
        out[which[order]] = result

    def covering(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Longs, Longs]:
        """Every pair (point, polygon) where the polygon covers the point, sorted by point, then by polygon."""
        return plain.covering(self.arrays, *_points(lon, lat))

    def nearest_edge(self, lon: ArrayLike, lat: ArrayLike, polygon: ArrayLike = -1) -> tuple[Floats, Ints]:
        """Metres to the nearest border, and that edge (row of `arrays.xy` and `arrays.owner`).

        Parameters
        ----------
        lon, lat
            Degrees.
        polygon
            Position of the polygon whose borders count, one for each point or one for all; -1: every border.

        Returns
        -------
        metres, edge
            Infinite and -1 where there is no such border or a coordinate is not finite. Distances are measured
            in the scale at the point's latitude: within 0.1 % up to 20 km.
        """
        x, y = _points(lon, lat)
        which = np.ascontiguousarray(np.broadcast_to(np.asarray(polygon, np.int32), x.shape))
        a = self.arrays
        if not self.compiled:
            return plain.nearest_edge(a, x, y, which)
        metres, edge = np.empty(len(x)), np.empty(len(x), np.int32)
        compiled.nearest_edges(
            x, y, which, metres, edge, a.frame, a.shape, a.near_start, a.near_edge, a.xy, a.owner
        )
        return metres, edge

    def within(self, lon: ArrayLike, lat: ArrayLike, radius_m: ArrayLike) -> tuple[Longs, Longs]:
        """Every pair (point, polygon) no farther apart than the radius (one, or one a point), sorted.

        Not finite coordinates and radii: no pairs.
        """
        x, y = _points(lon, lat)
        return plain.within(self.arrays, x, y, np.broadcast_to(np.asarray(radius_m, float), x.shape))

    def nearest(self, lon: float, lat: float) -> tuple[int, float, int]:
        """First polygon with the border nearest to one point, metres to that, and the edge; -1, inf, -1: none."""
        metres, edge = self.one.nearest_edge(lon, lat, -1)
        if edge < 0:
            return -1, np.inf, -1
        return plain.nearest_polygon(self.arrays, lon, lat, metres * (1 + 1e-12) + 1e-9), metres, edge

    def foot(self, edge: int, lon: float, lat: float) -> tuple[float, float]:
        """Nearest place on an edge, in degrees."""
        ax, ay, bx, by = self.arrays.xy[edge].tolist()
        kx, ky = metres_per_degree(lat)
        dx, dy = (bx - ax) * kx, (by - ay) * ky
        t = ((lon - ax) * kx * dx + (lat - ay) * ky * dy) / (dx * dx + dy * dy)
        t = min(max(t, 0.0), 1.0)
        return ax + t * (bx - ax), ay + t * (by - ay)

    @property
    def one(self) -> Single:
        """Search for single points, without the cost of arrays."""
        if self._single is None:
            self._single = Single(self.arrays, compiled=self.compiled)
        return self._single


def _points(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    x = np.ascontiguousarray(lon, np.float64)
    y = np.ascontiguousarray(lat, np.float64)
    return np.atleast_1d(x), np.atleast_1d(y)
