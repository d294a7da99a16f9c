"""Centre lines and crossings of named roads (道路中心线与路口), compiled from the road table.

Where the city gives no road layer, lines are rebuilt from the house numbers: the middle of both sides, number
by number. A line or crossing made that way is marked, since it is off by some ten metres.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geo.address.names import Strings
from geo.address.normalize import fold_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import geopandas as gpd
    from numpy.typing import NDArray

REACH_M = 30.0  # a T-junction: the end of one line this near the other
REACH_REBUILT_M = 45.0
SAME_CROSSING_M = 60.0  # crossings of the two carriageways of one road are one crossing
DEFAULT_WIDTH_M = 20.0
FEWEST_PLATES = 8  # plates that a rebuilt line needs
PLATES_A_VERTEX = 16  # house numbers that one vertex of a rebuilt line stands for
LONGEST_STEP_M = 400.0


class RoadLines:
    """Lines by road and crossings by pair of roads; geometries are made when they are first asked for."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.arrays = arrays
        self.text = Strings(arrays["road_text_blob"], arrays["road_text_ptr"])
        self._parts: dict[int, list[shapely.LineString]] = {}
        self._flat: list[shapely.LineString] = []
        self._tree: shapely.STRtree | None = None

    def __len__(self) -> int:
        return len(self.text)

    def width_m(self, road: int) -> float:
        """Width of a road; 20 m where the table does not say."""
        return float(self.arrays["road_width"][road])

    def rebuilt(self, road: int) -> bool:
        """Whether the line was made from house numbers."""
        return bool(self.arrays["road_rebuilt"][road])

    def parts(self, road: int) -> list[shapely.LineString]:
        """Lines of a road, merged where they meet."""
        if road not in self._parts:
            first, last = np.searchsorted(self.arrays["line_road"], [road, road + 1])
            ptr, xy = self.arrays["line_ptr"], self.arrays["line_xy"]
            self._parts[road] = [shapely.LineString(xy[ptr[i] : ptr[i + 1]]) for i in range(first, last)]
        return self._parts[road]

    def nearest_part(self, road: int, x: float, y: float) -> shapely.LineString | None:
        """Part of a road nearest a point; None for a road without a line."""
        parts = self.parts(road)
        if not parts:
            return None
        if len(parts) == 1:
            return parts[0]
        away = shapely.distance(parts, shapely.Point(x, y))
        return parts[int(np.argmin(away))]

    def nearest_line(self, x: float, y: float, *, within_m: float) -> shapely.LineString | None:
        """Part of any road nearest a point, or None where none is within reach."""
        if not len(self):
            return None
        if self._tree is None:
            for road in range(len(self)):
                self.parts(road)
            self._flat = [part for road in range(len(self)) for part in self._parts[road]]
            self._tree = shapely.STRtree(self._flat)
        at = self._tree.query_nearest(shapely.Point(x, y), max_distance=within_m, all_matches=False)
        return self._flat[int(at[0])] if len(at) else None

    def crossings(self, one: int, other: int) -> NDArray[np.float64]:
        """Points (n, 2) where two roads meet; several are several places, none is an empty array."""
        a, b = min(one, other), max(one, other)
        key = (np.int64(a) << 32) | np.int64(b)
        first, last = np.searchsorted(self.arrays["crossing_key"], [key, key + 1])
        return np.column_stack([self.arrays["crossing_x"][first:last], self.arrays["crossing_y"][first:last]])

    def crossing_roads(self, road: int) -> NDArray[np.int64]:
        """Roads that a road crosses."""
        key = self.arrays["crossing_key"]
        return np.unique(
            np.concatenate([(key >> 32)[(key & 0xFFFFFFFF) == road], (key & 0xFFFFFFFF)[(key >> 32) == road]])
        )


def compile_lines(
    arrays: Mapping[str, NDArray[Any]],
    roads: gpd.GeoDataFrame | None,
    add_name: Callable[[str, int, int], None],
    kind: int,
) -> dict[str, NDArray[Any]]:
    """Arrays of lines and crossings; every road's name is handed to `add_name`."""
    if roads is not None and len(roads) and "name" in roads.columns and bool(roads["name"].notna().any()):
        texts, lines, road, width = _given(roads)
        rebuilt, reach = False, REACH_M
    else:
        texts, lines, road, width = _from_plates(arrays)
        rebuilt, reach = True, REACH_REBUILT_M
    for i, text in enumerate(texts):
        add_name(fold_text(text), kind, i)
    key, x, y = crossings(lines, road, reach_m=reach)
    packed = Strings.pack(texts)
    counts = shapely.get_num_coordinates(lines) if len(lines) else np.zeros(0, np.int64)
    return {
        "road_text_blob": packed.blob,
        "road_text_ptr": packed.ptr,
        "road_width": width,
        "road_rebuilt": np.full(len(texts), rebuilt),
        "line_road": road.astype(np.int32),
        "line_ptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "line_xy": shapely.get_coordinates(lines) if len(lines) else np.zeros((0, 2)),
        "crossing_key": key,
        "crossing_x": x,
        "crossing_y": y,
    }


_Lines = tuple[list[str], "NDArray[Any]", "NDArray[np.int64]", "NDArray[np.float64]"]


def _given(roads: gpd.GeoDataFrame) -> _Lines:
    """Lines of the road table, merged per name."""
    named = roads.loc[roads["name"].notna().to_numpy(bool) & ~roads.geometry.is_empty.to_numpy()]
    folded = np.array([fold_text(str(n)) for n in named["name"]], object)
    keep = folded != ""
    named, folded = named.loc[keep], folded[keep]
    texts, code = np.unique(folded.astype(str), return_inverse=True)
    given = named["width_m"].to_numpy(float) if "width_m" in named.columns else np.full(len(named), np.nan)
    known = np.isfinite(given)
    total = np.bincount(code[known], given[known], len(texts))
    count = np.bincount(code[known], minlength=len(texts))
    width = np.where(count > 0, total / np.maximum(count, 1), DEFAULT_WIDTH_M)
    order = np.argsort(code, kind="stable")
    shapes = named.geometry.to_numpy()[order]
    bounds = np.searchsorted(code[order], np.arange(len(texts) + 1))
    lines: list[shapely.LineString] = []
    road: list[int] = []
    for i, (a, b) in enumerate(pairwise(bounds)):
        flat = shapely.get_parts(shapes[a:b])
        merged = shapely.get_parts(shapely.line_merge(shapely.MultiLineString(list(flat))))
        lines.extend(merged.tolist())
        road.extend([i] * len(merged))
    return texts.tolist(), np.array(lines, object), np.array(road, np.int64), width


def _from_plates(arrays: Mapping[str, NDArray[Any]]) -> _Lines:
    """Lines rebuilt from the plates on each street itself (not in its lanes): the middle of both sides.

    One vertex stands for sixteen numbers; a step of more than 400 m ends one part and begins another.
    """
    empty: _Lines = ([], np.zeros(0, object), np.zeros(0, np.int64), np.zeros(0))
    size = arrays["path_end"] - arrays["path_start"]
    bare = (np.diff(arrays["lane_text_ptr"]) == 0) & (size >= FEWEST_PLATES)
    path = np.flatnonzero(bare)
    path = path[np.argsort(arrays["path_start"][path])]
    if not len(path):
        return empty
    plate = np.concatenate([np.arange(arrays["path_start"][p], arrays["path_end"][p]) for p in path])
    of = np.repeat(np.arange(len(path)), size[path])
    number = arrays["plate_num"][plate].astype(np.int64)
    block = of * (1 << 20) + number // PLATES_A_VERTEX
    vertex, x, y = _means(block * 2 + number % 2, arrays["plate_x"][plate], arrays["plate_y"][plate])
    vertex, x, y = _means(vertex // 2, x, y)
    line = vertex >> 20
    step = np.hypot(np.diff(x), np.diff(y))
    new = np.ones(len(line), bool)
    new[1:] = (np.diff(line) != 0) | (step > LONGEST_STEP_M)
    part = np.cumsum(new) - 1
    long = np.bincount(part)[part] >= 2
    if not long.any():
        return empty
    _, indices = np.unique(part[long], return_inverse=True)
    lines = shapely.linestrings(np.column_stack([x, y])[long], indices=indices)
    owner = line[long][np.flatnonzero(np.r_[True, np.diff(indices) != 0])]
    streets = Strings(arrays["street_text_blob"], arrays["street_text_ptr"])
    names = [fold_text(streets[int(s)]) for s in arrays["path_street"][path]]
    texts, code = np.unique(np.array(names), return_inverse=True)
    road = code[owner]
    order = np.argsort(road, kind="stable")
    return texts.tolist(), np.asarray(lines, object)[order], road[order], np.full(len(texts), DEFAULT_WIDTH_M)


def _means(
    key: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Distinct keys in order, and the mean point of each."""
    unique, group = np.unique(key, return_inverse=True)
    count = np.bincount(group)
    return unique, np.bincount(group, x) / count, np.bincount(group, y) / count


def crossings(
    lines: NDArray[Any], road: NDArray[np.int64], *, reach_m: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Where lines of different roads meet (路口), sorted by the pair's key (lower road << 32 | higher).

    Points of one pair within `SAME_CROSSING_M` are one crossing, at their middle: the two carriageways of a
    road, or two digitised T-junctions, are one place to a caller.
    """
    none = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    if len(lines) < 2:
        return none
    a, b = shapely.STRtree(lines).query(lines, predicate="dwithin", distance=reach_m)
    pair = road[a] < road[b]
    a, b = a[pair], b[pair]
    if not len(a):
        return none
    meet = shapely.intersection(lines[a], lines[b])
    apart = shapely.is_empty(meet)
    bridge = shapely.shortest_line(lines[a[apart]], lines[b[apart]])
    meet[apart] = shapely.line_interpolate_point(bridge, 0.5, normalized=True)
    flat, of = shapely.get_parts(meet, return_index=True)
    middle = shapely.centroid(flat)
    xy = np.column_stack([shapely.get_x(middle), shapely.get_y(middle)])
    key = (road[a][of] << 32) | road[b][of]
    near = cKDTree(xy).query_pairs(SAME_CROSSING_M, output_type="ndarray")
    near = near[key[near[:, 0]] == key[near[:, 1]]]
    graph = coo_matrix((np.ones(len(near)), (near[:, 0], near[:, 1])), shape=(len(xy), len(xy)))
    count, place = connected_components(graph, directed=False)
    size = np.bincount(place)
    x, y = np.bincount(place, xy[:, 0]) / size, np.bincount(place, xy[:, 1]) / size
    place_key = np.zeros(count, np.int64)
    place_key[place] = key
    order = np.argsort(place_key, kind="stable")
    return place_key[order], x[order], y[order]
