"""Roads and who sees which part of them (道路覆盖长度、重数): exact along the line."""

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

TOUCH_M = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """Stretches of roads on which the set of viewers does not change (等重路段).

    Attributes
    ----------
    roads
        Index of the road table.
    length_m
        (N,) length of every road.
    road, start_m, end_m
        Row of the road, begin and end along it, in order; together they make up every road.
    stretch, viewer
        Pairs: stretch and row of the field of view that sees it, sorted by stretch.
    """

    roads: pd.Index
    length_m: Floats
    road: Ints
    start_m: Floats
    end_m: Floats
    stretch: Ints
    viewer: Ints

    def covered(self, *, by: NDArray[np.bool_] | None = None, times: int = 1) -> pd.Series:
        """Metres of each road seen by at least `times` viewers, only those of `by` counting."""
        often = self.times(by=by) >= times
        metres = np.where(often, self.end_m - self.start_m, 0.0)
        return pd.Series(np.bincount(self.road, metres, minlength=len(self.roads)), index=self.roads)

    def times(self, *, by: NDArray[np.bool_] | None = None) -> Ints:
        """How many viewers see each stretch (重数)."""
        stretch = self.stretch if by is None else self.stretch[by[self.viewer]]
        return np.bincount(stretch, minlength=len(self.road)).astype(np.intp)

    def gaps(self, *, by: NDArray[np.bool_] | None = None, least_m: float = 0.0) -> pd.DataFrame:
        """Unseen intervals, neighbours joined (无覆盖路段): road row, `start_m`, `end_m`, at least `least_m` long."""
        dark = np.flatnonzero(self.times(by=by) == 0)
        road, start, end = self.road[dark], self.start_m[dark], self.end_m[dark]
        new = np.ones(len(dark), dtype=bool)
        new[1:] = (road[1:] != road[:-1]) | (start[1:] > end[:-1] + TOUCH_M)
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(dark)) - 1 if len(dark) else first
        table = pd.DataFrame({"road": road[first], "start_m": start[first], "end_m": end[last]})
        return table[table["end_m"] - table["start_m"] >= max(least_m, TOUCH_M)].reset_index(drop=True)


def stretches(roads: pd.Series, shapes: NDArray[np.object_]) -> Stretches:
    """Cut roads where they enter and leave fields of view (道路按可视域切分).

    Parameters
    ----------
    roads
        Lines or multi-lines in metres. Rings and lines that cross themselves are taken segment by segment, so
        that a place along the line is never ambiguous.
    shapes
        Fields of view.

    Returns
    -------
    Stretches
        Places along a multi-line count through its parts in order. Roads without geometry have length 0.
    """
    lines = np.asarray(roads, dtype=object)
    piece, road, offset = _pieces(lines)
    at, viewer = shapely.STRtree(shapes).query(piece, predicate="intersects")
    seen = shapely.intersection(piece[at], shapes[viewer])
    part, pair = shapely.get_parts(seen, return_index=True)
    keep = np.isin(shapely.get_type_id(part), (1, 2))
    part, pair = part[keep], pair[keep]
    owner = at[pair]
    one = shapely.line_locate_point(piece[owner], shapely.get_point(part, 0))
    two = shapely.line_locate_point(piece[owner], shapely.get_point(part, -1))
    low, high = offset[owner] + np.minimum(one, two), offset[owner] + np.maximum(one, two)
    length = np.nan_to_num(shapely.length(lines))
    keep = high - low > TOUCH_M
    return _swept(roads.index, length, (road[owner[keep]], viewer[pair[keep]], low[keep], high[keep]))


def _pieces(lines: NDArray[np.object_]) -> tuple[NDArray[np.object_], Ints, Floats]:
    """Simple open lines, the road each belongs to and where it begins along that road."""
    part, road = shapely.get_parts(lines, return_index=True)
    winding = shapely.is_ring(part) | ~shapely.is_simple(part)
    xy, line = shapely.get_coordinates(part[winding], return_index=True)
    follows = line[1:] == line[:-1]
    ends = np.stack([xy[:-1], xy[1:]], axis=1)[follows]
    segments = shapely.linestrings(ends) if len(ends) else np.empty(0, dtype=object)
    piece = np.concatenate([part[~winding], segments])
    number = np.concatenate([np.flatnonzero(~winding), np.flatnonzero(winding)[line[1:][follows]]])
    order = np.argsort(number, kind="stable")
    piece, row = piece[order], road[number[order]]
    size = shapely.length(piece)
    before = np.cumsum(size) - size
    starts = np.searchsorted(row, np.arange(len(lines)))
    base = np.append(before, 0.0)[np.minimum(starts, len(before))] if len(row) else np.zeros(len(lines))
    return piece, row.astype(np.intp), before - base[row]


def _swept(index: pd.Index, length: Floats, seen: tuple[Ints, Ints, Floats, Floats]) -> Stretches:
    """Sort the ends of all intervals along each road; between two neighbours the viewers are fixed."""
    road, viewer, low, high = seen
    n = len(length)
    where = np.concatenate([np.arange(n), np.arange(n), road, road])
    at = np.concatenate([np.zeros(n), length, low, high])
    at = np.minimum(np.maximum(at, 0.0), length[where])
    order = np.lexsort((at, where))
    where, at = where[order], at[order]
    new = np.ones(len(where), dtype=bool)
    new[1:] = (where[1:] != where[:-1]) | (at[1:] - at[:-1] > TOUCH_M)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.cumsum(new) - 1
    where, at = where[new], at[new]
    real = np.append(where[1:] == where[:-1], False)
    number = np.cumsum(real) - real  # stretch that begins at each cut
    m = len(road)
    first, last = number[place[2 * n : 2 * n + m]], number[place[2 * n + m :]]
    count = np.maximum(last - first, 0)
    pair = np.repeat(np.arange(m), count)
    stretch = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count - first, count)
    viewer = viewer[pair]
    order = np.lexsort((viewer, stretch))
    stretch, viewer = stretch[order], viewer[order]
    once = np.ones(len(stretch), dtype=bool)
    once[1:] = (stretch[1:] != stretch[:-1]) | (viewer[1:] != viewer[:-1])
    begin = np.flatnonzero(real)
    # the last cut of a road stands for its very end
    end = at[begin + 1] if len(begin) else np.empty(0)
    return Stretches(
        index,
        length,
        where[begin],
        at[begin],
        end,
        stretch[once].astype(np.intp),
        viewer[once].astype(np.intp),
    )
