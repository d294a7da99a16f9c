"""Points at every zoom: one sorted index, cells and clusters by counting (点索引与聚合).

Points are sorted once by the Morton code of their tile at zoom 30, so that every tile of every zoom is one
slice. A tile shows the points themselves where they are few, and counts per cell where they are many; any
mask over the rows (a category, a time window, a scope) is applied while counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from layers.tiles import kernel, mvt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

DEPTH = 30  # zoom of the Morton codes: 3.7 cm


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts of one tile by square cell; only cells that hold something.

    Attributes
    ----------
    column, row
        Position of the cell in the tile, from its north-west corner.
    count
        Points in the cell.
    x_m, y_m
        Mean position of these points, EPSG:3857; of no length where it was not asked for.
    sums
        Sum of each extra column over the cell.
    """

    column: NDArray[np.int64]
    row: NDArray[np.int64]
    count: NDArray[np.int64]
    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    sums: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class PointIndex:
    """Points sorted by Morton code.

    Attributes
    ----------
    keys
        Morton codes, sorted.
    order
        Row of the table at each place of the index.
    xy
        EPSG:3857 metres in the order of the index, shape (points, 2).
    """

    keys: NDArray[np.uint64]
    order: NDArray[np.int64]
    xy: NDArray[np.float64]

    @classmethod
    def of(cls, xy: NDArray[np.float64]) -> PointIndex:
        """Sort points given as EPSG:3857 metres, shape (points, 2); rows with NaN are left out."""
        rows = np.flatnonzero(np.isfinite(xy).all(axis=1))
        scale = (1 << DEPTH) / (2 * mvt.HALF_WORLD_M)
        top = (1 << DEPTH) - 1
        column = np.clip((xy[rows, 0] + mvt.HALF_WORLD_M) * scale, 0, top).astype(np.uint64)
        row = np.clip((mvt.HALF_WORLD_M - xy[rows, 1]) * scale, 0, top).astype(np.uint64)
        keys = _spread(column) | (_spread(row) << np.uint64(1))
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], rows[order], np.ascontiguousarray(xy[rows[order]]))

    def slice(self, tile: tuple[int, int, int]) -> slice:
        """Return the places of a tile's points in the index."""
        z, x, y = tile
        mvt.tile_bounds(z, x, y)  # refuses a tile that does not exist
        shift = 2 * (DEPTH - z)
        key = _key(x, y)
        low, high = np.searchsorted(self.keys, np.array([key << shift, (key + 1) << shift], np.uint64))
        return slice(int(low), int(high))

    def near(self, tile: tuple[int, int, int], rim: float = mvt.BUFFER / mvt.EXTENT) -> NDArray[np.int64]:
        """Return the places of the points in a tile and its rim (a fraction of the tile), ascending."""
        z, x, y = tile
        n = 1 << z
        slices = [
            self.slice((z, (x + dx) % n, y + dy)) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if 0 <= y + dy < n
        ]
        places = np.unique(np.concatenate([np.arange(s.start, s.stop) for s in slices]))
        west, south, east, north = mvt.tile_bounds(z, x, y)
        grow = rim * (east - west)
        px, py = self.xy[places, 0], self.xy[places, 1]
        inside = (px >= west - grow) & (px <= east + grow) & (py >= south - grow) & (py <= north + grow)
        return places[inside]

    def densest(self, z: int) -> int:
        """Return the number of points in the fullest tile of a zoom."""
        if not len(self.keys):
            return 0
        tiles = self.keys >> np.uint64(2 * (DEPTH - z))
        edges = np.flatnonzero(np.concatenate([[True], tiles[1:] != tiles[:-1], [True]]))
        return int(np.diff(edges).max())

    def cells(
        self,
        tile: tuple[int, int, int],
        *,
        across: int,
        keep: NDArray[np.bool_] | None = None,
        extra: Mapping[str, NDArray[np.float64]] | None = None,
        centres: bool = True,
    ) -> Cells:
        """Count the points of a tile in `across` by `across` cells, row by row.

        The points of a cell follow each other in the index: a cell is found, not computed point by point.

        Parameters
        ----------
        tile
            z, x, y.
        across
            Cells on a side, a power of two.
        keep
            Which places of the tile's slice count; all of them when left out.
        extra
            Columns to sum per cell, over the same slice.
        centres
            Whether the mean position of each cell's points is wanted.

        Raises
        ------
        ValueError
            If `across` is no power of two.
        """
        deeper = across.bit_length() - 1
        if across != 1 << deeper:
            raise ValueError(f"across {across}; allowed: a power of two, such as 4 or 32")
        part = self.slice(tile)
        first = _key(tile[1], tile[2]) << 2 * deeper
        starts = np.arange(first, first + across * across + 1, dtype=np.uint64)
        edges = np.searchsorted(self.keys[part], starts << np.uint64(2 * (DEPTH - tile[0] - deeper)))
        count = np.diff(edges) if keep is None else kernel.count(edges, keep)
        column, row = _gather(np.arange(across * across))
        full = np.flatnonzero(count)
        full = full[np.argsort(row[full] * across + column[full])]
        names = list(extra or {})
        values = [*self.xy[part].T] if centres else []
        values += [(extra or {})[n] for n in names]
        totals = [kernel.total(edges, v, keep if keep is not None else _EVERY)[full] for v in values]
        n = count[full]
        x_m, y_m = (totals[0] / n, totals[1] / n) if centres else (np.empty(0), np.empty(0))
        sums = dict(zip(names, totals[2 if centres else 0 :], strict=True))
        return Cells(column[full], row[full], n, x_m, y_m, sums)


def squares(cells: Cells, tile: tuple[int, int, int], across: int) -> NDArray[np.float64]:
    """Return the corners of cells, EPSG:3857, shape (cells * 4, 2), clockwise from the north-west."""
    west, _, east, north = mvt.tile_bounds(*tile)
    side = (east - west) / across
    x, y = west + cells.column * side, north - cells.row * side
    corners = np.stack([x, y, x + side, y, x + side, y - side, x, y - side], axis=1)
    return corners.reshape(-1, 2)


_EVERY = np.empty(0, bool)
"""No mask: every point counts."""


def _key(x: int, y: int) -> int:
    """Morton code of a tile in its zoom."""
    column, row = _spread(np.array([x, y], np.uint64))
    return int(column | (row << np.uint64(1)))


def _gather(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Column and row of Morton codes below 2^16."""
    bits = np.arange(8)
    each = codes[:, None] >> (2 * bits)
    return ((each & 1) << bits).sum(axis=1), (((each >> 1) & 1) << bits).sum(axis=1)


def _spread(v: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Put a zero between the bits of numbers under 2^32."""
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        v = (v | (v << np.uint64(shift))) & np.uint64(mask)
    return v
