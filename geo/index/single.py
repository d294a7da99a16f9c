# ruff: noqa: ANN001, ANN201, ANN202, C901  # numba finds the types
"""One point at a time (单点查询), for interactive answers.

Handing an array to a compiled function costs 60 ns, and there are fourteen. So the compiled functions here take
one number: the address of a table of addresses. Without numba the arrays are read through memory views, which
Python indexes three times faster than arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geo.index import plain
from geo.index._jit import COMPILED, jit
from geo.index.arrays import HEADER, NEAR, RECORD
from geo.index.compiled import _leaf, decide, nearest_edge

if TYPE_CHECKING:
    from collections.abc import Callable

    from geo.index.arrays import Arrays

WORDS = 1 << 30


class Single:
    """Search for single points in Python.

    `find(lon, lat)` returns the position of the first polygon that covers the point or -1;
    `nearest_edge(lon, lat, polygon)` the metres to its nearest border (-1: any border), and that edge.
    Both take floats and the second an int; they are functions, kept as attributes to save the method call.
    """

    __slots__ = ("_addresses", "_arrays", "find", "nearest_edge")

    find: Callable[[float, float], int]
    nearest_edge: Callable[[float, float, int], tuple[float, int]]

    def __init__(self, arrays: Arrays, *, compiled: bool) -> None:
        self._arrays = arrays
        if not compiled:
            self.find = _reader(arrays)
            self.nearest_edge = _plain_nearest(arrays)
            return
        sizes = [len(arrays.xy)]
        self._addresses = np.array([a.ctypes.data for a in arrays] + sizes, np.int64)
        address = self._addresses.ctypes.data
        found, measured = find_at, nearest_edge_at
        self.find = lambda lon, lat: found(address, lon, lat)
        self.nearest_edge = lambda lon, lat, polygon: measured(address, lon, lat, polygon)


def _plain_nearest(arrays: Arrays) -> Callable[[float, float, int], tuple[float, int]]:
    def measure(lon: float, lat: float, polygon: int) -> tuple[float, int]:
        metres, edge = plain.nearest_edge(
            arrays, np.array([lon]), np.array([lat]), np.array([polygon], np.int32)
        )
        return float(metres[0]), int(edge[0])

    return measure


def _reader(arrays: Arrays) -> Callable[[float, float], int]:
    """`find` in Python alone."""
    x0, y0, per_x, per_y = arrays.frame.tolist()
    columns, rows, _ = arrays.shape.tolist()
    top, sub, pool = arrays.top.data, arrays.sub.data, arrays.pool.data
    numbers = arrays.pool.view(np.float32).data

    def find(lon: float, lat: float) -> int:
        u, v = (lon - x0) * per_x, (lat - y0) * per_y
        if not (0 <= u < columns and 0 <= v < rows):
            return -1
        i, j = int(u), int(v)
        face = top[j * columns + i]
        if face >= 0:
            return face - 1
        block = -face - 1
        bits = block & 7
        u, v = (u - i) * (1 << bits), (v - j) * (1 << bits)
        i, j = int(u), int(v)
        face = sub[(block >> 3) + (j << bits) + i]
        if face >= 0:
            return face - 1
        face = leaf(-face - 1, u - i, v - j)
        if face >= 0:
            return face - 1
        return int(plain.find_exactly(arrays, np.array([lon]), np.array([lat]))[0])

    def leaf(n: int, x: float, y: float) -> int:
        face = pool[n]
        if face < 0:
            return -1
        for at in range(n + HEADER, n + HEADER + RECORD * pool[n + 1], RECORD):
            low, high = numbers[at], numbers[at + 1]
            if abs(y - low) <= NEAR or abs(y - high) <= NEAR:
                return -1
            if low < y < high:
                slope = numbers[at + 2]
                t = x - (slope * y + numbers[at + 3])
                if abs(t) <= NEAR * (1 + abs(slope)):
                    return -1
                if t > 0:
                    face ^= pool[at + 4]
        return face

    return find


find_at: Any
nearest_edge_at: Any

if COMPILED:
    from numba import carray, types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def _pointer(_context, number):  # type: ignore[no-untyped-def]
        """Take a number for an address."""

        def codegen(_context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(number), codegen

    @jit("int64(int64, float64, float64)")
    def find_at(address, lon, lat):  # type: ignore[no-untyped-def]
        """`find` for the arrays whose addresses are in a table at `address`."""
        table = carray(_pointer(address), (17,), np.int64)
        frame = carray(_pointer(table[0]), (4,), np.float64)
        shape = carray(_pointer(table[1]), (3,), np.int32)
        u = (lon - frame[0]) * frame[2]
        v = (lat - frame[1]) * frame[3]
        if not (u >= 0 and v >= 0 and u < shape[0] and v < shape[1]):
            return -1
        i = int(u)
        j = int(v)
        top = carray(_pointer(table[2]), (WORDS,), np.int32)
        face = top[j * shape[0] + i]
        if face >= 0:
            return face - 1
        block = -face - 1
        bits = block & 7
        u = (u - i) * (1 << bits)
        v = (v - j) * (1 << bits)
        i = int(u)
        j = int(v)
        sub = carray(_pointer(table[3]), (WORDS,), np.int32)
        face = sub[(block >> 3) + (j << bits) + i]
        if face >= 0:
            return face - 1
        pool = carray(_pointer(table[4]), (WORDS,), np.int32)
        numbers = carray(_pointer(table[4]), (WORDS,), np.float32)
        face = _leaf(pool, numbers, -face - 1, np.float32(u - i), np.float32(v - j))
        if face >= 0:
            return face - 1
        x, y, out = np.empty(1), np.empty(1), np.empty(1, np.int32)
        x[0], y[0] = lon, lat
        decide(
            x, y, np.zeros(1, np.int64), out, frame, shape, top,
            carray(_pointer(table[5]), (WORDS,), np.int32),
            carray(_pointer(table[6]), (WORDS,), np.int32),
            carray(_pointer(table[7]), (WORDS,), np.int32),
            carray(_pointer(table[8]), (WORDS,), np.int32),
            carray(_pointer(table[9]), (WORDS,), np.int32),
            carray(_pointer(table[10]), (WORDS,), np.int32),
            carray(_pointer(table[11]), (WORDS,), np.int32),
            carray(_pointer(table[12]), (WORDS,), np.int32),
            carray(_pointer(table[13]), (WORDS,), np.int32),
            carray(_pointer(table[14]), (WORDS, 4), np.float64),
            carray(_pointer(table[15]), (WORDS, 2), np.int32),
        )  # fmt: skip
        return out[0]

    @jit("Tuple((float64, int64))(int64, float64, float64, int64)")
    def nearest_edge_at(address, lon, lat, polygon):  # type: ignore[no-untyped-def]
        """`nearest_edge` for the arrays whose addresses are in a table at `address`."""
        table = carray(_pointer(address), (17,), np.int64)
        return nearest_edge(
            lon, lat, polygon,
            carray(_pointer(table[0]), (4,), np.float64),
            carray(_pointer(table[1]), (3,), np.int32),
            carray(_pointer(table[5]), (WORDS,), np.int32),
            carray(_pointer(table[6]), (WORDS,), np.int32),
            carray(_pointer(table[14]), (table[16], 4), np.float64),
            carray(_pointer(table[15]), (table[16], 2), np.int32),
        )  # fmt: skip
