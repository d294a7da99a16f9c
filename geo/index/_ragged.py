"""Many short ranges as flat arrays (变长区间展开)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from geo.index.types import Floats, Longs


def ranges(first: Longs, count: Longs) -> tuple[Longs, Longs]:
    """Which range, and which number, for every number of the ranges `first … first + count - 1`."""
    count = np.maximum(count, 0)
    which = np.repeat(np.arange(len(count)), count)
    if len(which) == len(count) and bool((count == 1).all()):  # the common case: one number each
        return which, np.asarray(first, np.int64)
    begin = np.cumsum(count) - count
    return which, np.arange(len(which)) + (first - begin)[which]


def starts(key: Longs, size: int) -> Longs:
    """Where each key's run starts in a sorted array of keys `0 … size - 1`; one more at the end."""
    return np.r_[0, np.cumsum(np.bincount(key, minlength=size))]


class Segments:
    """Edges in cell units, lower end first, and the slope dx/dy (0 for a level edge)."""

    __slots__ = ("slope", "u0", "u1", "v0", "v1")

    def __init__(self, u0: Floats, v0: Floats, u1: Floats, v1: Floats) -> None:
        self.u0, self.v0, self.u1, self.v1 = u0, v0, u1, v1
        rise = v1 - v0
        self.slope = np.divide(u1 - u0, rise, out=np.zeros_like(rise), where=rise > 0)

    def take(self, k: Longs) -> Segments:
        """Return some of them."""
        part = object.__new__(Segments)
        part.u0, part.v0, part.u1, part.v1 = self.u0[k], self.v0[k], self.u1[k], self.v1[k]
        part.slope = self.slope[k]
        return part

    def cells(self, rows: int, columns: int, pad: float) -> tuple[Longs, Longs, Longs]:
        """Cells of a raster that each edge meets, grown by `pad` on every side: edge, row, column."""
        low = np.maximum(np.floor(self.v0 - pad), 0).astype(np.int64)
        high = np.minimum(np.floor(self.v1 + pad), rows - 1).astype(np.int64)
        edge, row = ranges(low, high - low + 1)
        u0, u1, v0, slope = self.u0[edge], self.u1[edge], self.v0[edge], self.slope[edge]
        level = self.v1[edge] == v0
        xa = u0 + (np.maximum(v0, row - pad) - v0) * slope
        xb = np.where(level, u1, u0 + (np.minimum(self.v1[edge], row + (1 + pad)) - v0) * slope)
        west, east = np.minimum(u0, u1), np.maximum(u0, u1)
        first = np.floor(np.maximum(np.minimum(xa, xb), west) - pad)
        last = np.floor(np.minimum(np.maximum(xa, xb), east) + pad)
        first = np.maximum(first, 0).astype(np.int64)
        last = np.minimum(last, columns - 1).astype(np.int64)
        which, column = ranges(first, last - first + 1)
        return edge[which], row[which], column

    def crossings(self, rows: int, shift: float, noise: float) -> tuple[Longs, Longs, Longs, Longs]:
        """Crossings with the lines `y = row - shift`: edge, row, first corner east of it, and the last possible.

        Corner i of a row is at `x = i - shift`; the first one east of a crossing may be any integer. The last
        two differ where rounding (`noise`, an absolute error in cells) could move the crossing over a corner.
        """
        first = np.maximum(np.ceil(self.v0 + shift), 0).astype(np.int64)
        last = np.minimum(np.ceil(self.v1 + shift) - 1, rows - 1).astype(np.int64)
        edge, row = ranges(first, last - first + 1)
        slope = self.slope[edge]
        x = self.u0[edge] + (row - shift - self.v0[edge]) * slope + shift
        slack = noise * (1 + np.abs(slope))
        return edge, row, _corner(x - slack), _corner(x + slack)


def _corner(x: Floats) -> Longs:
    return np.clip(np.floor(x), -1, 1 << 30).astype(np.int64) + 1
