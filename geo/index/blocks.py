"""The fine half of the index: blocks of small cells, leaves and their records (细分与叶)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from geo.errors import BadInputError
from geo.index._ragged import Segments, ranges
from geo.index.arrays import FINEST, HEADER, NOISE, OPEN, PAD, RECORD, SHIFT

if TYPE_CHECKING:
    from geo.index.edges import Edges
    from geo.index.types import Bools, Floats, Ints, Longs

    _Steps = tuple[tuple[Longs, Longs], tuple[Longs, Longs]]

EDGES_PER_ROW = 1.2  # a block is refined until a row of small cells meets about so many edges
CHUNK = 500_000  # borders in cells that are worked on at once: bounds memory
FLAT = 4e6  # slope of a record above which it lies within NEAR of its ends
FAR = 1e30
MOST = 1 << 28  # small cells: their places and log2 k share 31 bits


class Corners(NamedTuple):
    """Per cell: the combined faces over its corner, how many polygons lie there, and whether rounding spoils it."""

    face: Ints
    depth: Ints
    spoilt: Bools

    @property
    def unsure(self) -> Bools:
        """Where the combined face is not the face of one polygon."""
        return self.spoilt | (self.depth < 0) | (self.depth > 1)


class Blocks(NamedTuple):
    """Cells with borders and what `top` says of them; small cells; leaves; small cells left to be settled."""

    cell: Longs
    pointer: Ints
    sub: Ints
    pool: Ints
    loose: Longs  # places in `sub` without border whose face is not sure
    loose_u: Floats  # their middle in cells
    loose_v: Floats


class _Piece(NamedTuple):
    """Blocks of one size."""

    sub: Ints
    pool: Ints
    loose: Longs


def combined(owner: Ints) -> Ints:
    """What a border adds to the face when it is crossed."""
    return (owner[:, 0] + 1) ^ (owner[:, 1] + 1)


def step_east(owner: Ints) -> Ints:
    """Change in the number of polygons when a border is crossed eastwards."""
    return (owner[:, 1] >= 0).astype(np.int32) - (owner[:, 0] >= 0)


def build_blocks(
    segments: Segments, edges: Edges, corners: Corners, near: tuple[Longs, Longs], columns: int
) -> Blocks:
    """Refine every cell that a border meets; `near` are starts and edges by cell."""
    start, near_edge = near
    count = np.diff(start)
    cell = np.flatnonzero(count)
    bits = np.clip(np.ceil(np.log2(np.maximum(count[cell] / EDGES_PER_ROW, 1))), 0, FINEST).astype(np.int64)
    order = np.argsort(bits, kind="stable")
    cell, bits = cell[order], bits[order]
    size = 4**bits
    place = np.cumsum(size) - size
    if size.sum() >= MOST:
        raise BadInputError(
            f"the grids need {size.sum()} small cells, more than {MOST}: look for one outlying polygon"
        )
    pool = [np.array([OPEN, 0], np.int32)]
    sub, loose = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
    used = HEADER
    for a, b in _runs(bits, np.cumsum(count[cell] + size // 8) // CHUNK):
        block, at = ranges(start[cell[a:b]], count[cell[a:b]])
        pairs = _Pairs(cell[a:b], block, near_edge[at], 1 << int(bits[a]))
        piece = _Chunk(segments, edges, corners, pairs, columns).build(used)
        sub.append(piece.sub)
        pool.append(piece.pool)
        loose.append(piece.loose + place[a])
        used += len(piece.pool)
    where = np.concatenate(loose)
    u, v = _middle(where, place, cell, 1 << bits, columns)
    pointer = (-(place << 3 | bits) - 1).astype(np.int32)
    return Blocks(cell, pointer, np.concatenate(sub), np.concatenate(pool), where, u, v)


def _runs(bits: Longs, chunk: Longs) -> list[tuple[int, int]]:
    """Runs of blocks of one size in one chunk: begin and end."""
    if len(bits) == 0:
        return []
    cut = np.flatnonzero(np.r_[True, (bits[1:] != bits[:-1]) | (chunk[1:] != chunk[:-1])]).tolist()
    return list(zip(cut, [*cut[1:], len(bits)], strict=True))


def _middle(where: Longs, place: Longs, cell: Longs, k: Longs, columns: int) -> tuple[Floats, Floats]:
    """Middle, in cells, of the small cells at `where` in `sub`."""
    if len(where) == 0:
        return np.empty(0), np.empty(0)
    block = np.searchsorted(place, where, side="right") - 1
    inside, home, k = where - place[block], cell[block], k[block]
    return home % columns + (inside % k + 0.5) / k, home // columns + (inside // k + 0.5) / k


class _Pairs(NamedTuple):
    """Blocks of k × k small cells: their cells, and every pair of a block and an edge that meets it."""

    cell: Longs
    block: Longs
    edge: Longs
    k: int


class _Chunk:
    """Blocks that are built together; `lines` are the edges of the pairs in units of small cells."""

    def __init__(
        self, segments: Segments, edges: Edges, corners: Corners, pairs: _Pairs, columns: int
    ) -> None:
        cell, self.block, self.edge, self.k = pairs
        k = self.k
        self.edges = edges
        self.shape = (len(cell), k, k)
        self.corner_face, self.corner_depth = corners.face[cell], corners.depth[cell]
        self.spoilt = np.zeros(self.shape[:2], bool) | corners.spoilt[cell][:, None]
        self.shift, self.noise = SHIFT * k, NOISE * k
        i, j = (cell % columns)[self.block], (cell // columns)[self.block]
        s = segments.take(self.edge)
        self.lines = Segments((s.u0 - i) * k, (s.v0 - j) * k, (s.u1 - i) * k, (s.v1 - j) * k)

    def build(self, used: int) -> _Piece:
        """Small cells, and leaves that come after `used` words of the pool."""
        face, unsure = self._scan()
        pair, row, column = self.lines.cells(self.k, self.k, PAD)
        small = (self.block[pair] * self.k + row) * self.k + column
        open_ = np.zeros(face.size, bool)
        open_[small[self.edges.doubtful[self.edge[pair]]]] = True
        met = np.zeros(face.size, bool)
        met[small] = True
        open_ |= unsure & met
        records, spoilt = _records(self.lines.take(pair), row, column, self.shift, self.noise)
        open_[small[spoilt]] = True
        home = small[records.pair]
        keep = ~open_[home]
        records, home = records.take(keep), home[keep]
        word = combined(self.edges.owner)[self.edge[pair[records.pair]]]
        place, pool = _leaves(face, home, records, word, used)
        sub = np.where(place > 0, -place - 1, face)
        sub[open_] = -1
        return _Piece(sub.astype(np.int32), pool, np.flatnonzero(unsure & ~open_))

    def _scan(self) -> tuple[Ints, Bools]:
        """Face at the corner of every small cell, and where it is not sure."""
        owner = self.edges.owner[self.edge]
        steps = self._east_crossings(), self._north_crossings()
        word = combined(owner)
        face = self._walk(np.bitwise_xor, self.corner_face, word, word, steps)
        unsure = np.repeat(self.spoilt[:, :, None], self.k, axis=2)
        odd = (self.corner_depth < 0) | (self.corner_depth > 1)
        if bool(odd.any() or self.edges.doubtful[self.edge].any()):
            east = step_east(owner)
            north = np.where(self.lines.u0 < self.lines.u1, -east, east)
            depth = self._walk(np.add, self.corner_depth, east, north, steps)
            unsure |= (depth < 0) | (depth > 1)
        return face.ravel(), unsure.ravel()

    def _walk(self, combine: np.ufunc, corner: Ints, east: Ints, north: Ints, steps: _Steps) -> Ints:
        """Combine what crossings add, from each block's corner north, then east, to every small cell's corner."""
        grid, side = np.zeros(self.shape, np.int32), np.zeros(self.shape[:2], np.int32)
        (pair, place), (north_pair, north_place) = steps
        combine.at(grid.ravel(), place, east[pair])
        combine.at(side.ravel(), north_place, north[north_pair])
        side[:, 0] = combine(side[:, 0], corner)
        combine.accumulate(side, axis=1, out=side)
        grid[:, :, 0] = combine(grid[:, :, 0], side)
        combine.accumulate(grid, axis=2, out=grid)
        return grid

    def _east_crossings(self) -> tuple[Longs, Longs]:
        """Crossings on the way east: pair, small cell; rows that rounding spoils are noted."""
        pair, row, first, last = self.lines.crossings(self.k, self.shift, self.noise)
        place = self.block[pair] * self.k + row
        doubt = (first != last) & (last >= 1) & (first < self.k)
        self.spoilt.ravel()[place[doubt]] = True
        on = (first >= 1) & (first < self.k)
        return pair[on], place[on] * self.k + first[on]

    def _north_crossings(self) -> tuple[Longs, Longs]:
        """Crossings on the way north along the block's west side: pair, row; spoilt blocks are noted."""
        s = self.lines
        pair = np.flatnonzero((s.u0 < -self.shift) != (s.u1 < -self.shift))
        steep = (s.v1[pair] - s.v0[pair]) / (s.u1[pair] - s.u0[pair])
        y = s.v0[pair] - (self.shift + s.u0[pair]) * steep + self.shift
        slack = self.noise * (1 + np.abs(steep))
        first, last = np.floor(y - slack) + 1, np.floor(y + slack) + 1
        doubt = (first != last) & (last >= 1) & (first < self.k)
        self.spoilt[self.block[pair[doubt]]] = True
        row = np.floor(y) + 1
        on = (row >= 1) & (row < self.k)
        return pair[on], self.block[pair[on]] * self.k + row[on].astype(np.int64)


class _Records(NamedTuple):
    """Borders in leaves: pair, and where the way east crosses them: low < y < high and x > slope · y + intercept."""

    pair: Longs
    low: Floats
    high: Floats
    slope: Floats
    intercept: Floats

    def take(self, k: Bools) -> _Records:
        return _Records(self.pair[k], self.low[k], self.high[k], self.slope[k], self.intercept[k])


def _records(
    lines: Segments, row: Longs, column: Longs, shift: float, noise: float
) -> tuple[_Records, Longs]:
    """Records of the borders, one per pair of border and small cell, and the pairs that rounding spoils.

    A border that crosses the leaf's west side counts on the way north as well: a second record, west of every
    point, from the crossing upwards.
    """
    here = np.flatnonzero((lines.u0 >= column - shift) | (lines.u1 >= column - shift))
    u0, u1 = lines.u0[here] - column[here], lines.u1[here] - column[here]
    v0, v1 = lines.v0[here] - row[here], lines.v1[here] - row[here]
    slope = lines.slope[here]
    flat = (np.abs(slope) > FLAT) | (v0 == v1)
    intercept = np.where(flat, FAR, u0 - v0 * slope)
    slope = np.where(flat, 0.0, slope)
    low, high = v0.copy(), v1.copy()
    cross = np.flatnonzero((u0 < -shift) != (u1 < -shift))
    steep = (v1[cross] - v0[cross]) / (u1[cross] - u0[cross])
    y = np.clip(v0[cross] - (shift + u0[cross]) * steep, v0[cross], v1[cross])
    rising = u0[cross] < -shift
    low[cross[rising]] = y[rising]
    high[cross[~rising]] = y[~rising]
    spoilt = here[cross[np.abs(y + shift) <= noise * (1 + np.abs(steep))]]
    real = np.flatnonzero((high >= -shift) & (low <= 1 + PAD))
    north = (y > -shift) & (y <= 1 + PAD)
    n = int(north.sum())
    zero = np.zeros(n)
    return _Records(
        here[np.r_[real, cross[north]]],
        np.r_[low[real], y[north]],
        np.r_[high[real], zero + FAR],
        np.r_[slope[real], zero],
        np.r_[intercept[real], zero - FAR],
    ), spoilt


def _leaves(face: Ints, home: Longs, records: _Records, word: Ints, used: int) -> tuple[Longs, Ints]:
    """Place of each small cell's leaf in the pool (0: none), and the words of these leaves."""
    order = np.argsort(home)
    home = home[order]
    count = np.bincount(home, minlength=face.size)
    leaf = np.flatnonzero(count)
    size = np.where(count > 0, HEADER + RECORD * count, 0)
    begin = np.cumsum(size) - size
    pool = np.zeros(int(size.sum()), np.int32)
    pool[begin[leaf]] = face[leaf]
    pool[begin[leaf] + 1] = count[leaf]
    first = np.cumsum(count) - count
    at = begin[home] + HEADER + RECORD * (np.arange(len(home)) - first[home])
    numbers = pool.view(np.float32)
    for i, column in enumerate((records.low, records.high, records.slope, records.intercept)):
        numbers[at + i] = np.clip(column[order], -FAR, FAR)
    pool[at + 4] = word[order]
    return np.where(count > 0, begin + used, 0), pool
