"""Streets between junctions (路网：路口与路段), from road lines as maps draw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    Ints = NDArray[np.intp]
    Floats = NDArray[np.float64]

SAME_M = 0.01  # vertices this close are one
TOUCH_M = 0.1  # a road may end this close to another without a common vertex
SIDES = ("北侧", "东北侧", "东侧", "东南侧", "南侧", "西南侧", "西侧", "西北侧")


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Edges between nodes where roads meet or end (路网).

    Attributes
    ----------
    xy, degree
        Nodes: metres, and how many edge ends meet there; 3 or more is a junction.
    name
        What people call each node: the names of the roads that meet (路口名称).
    line, road, u, v
        Edges: line, row of the road table, node at begin and end.
    """

    xy: Floats
    degree: Ints
    name: NDArray[np.object_]
    line: NDArray[np.object_]
    road: Ints
    u: Ints
    v: Ints

    @property
    def junctions(self) -> Ints:
        """Nodes where three or more edge ends meet (路口)."""
        return np.flatnonzero(self.degree >= 3).astype(np.intp)


def network(roads: gpd.GeoDataFrame) -> Network:
    """Cut roads at common vertices and where one ends on another (路网拓扑).

    Roads that cross without a common vertex pass over each other (bridges) and are not joined.

    Parameters
    ----------
    roads
        Road table in metres, with `name` where known.

    Returns
    -------
    Network
        Parts shorter than a centimetre are left out. No roads: nothing.
    """
    parts, owner = shapely.get_parts(roads.geometry.to_numpy(), return_index=True)
    part, at, xy = _cuts(parts)
    follows = part[1:] == part[:-1]
    number, node_xy = _merged(xy)
    u, v = number[:-1][follows], number[1:][follows]
    low, high, who = at[:-1][follows], at[1:][follows], part[:-1][follows]
    real = (high - low > SAME_M) & ~((u == v) & (high - low < 3 * TOUCH_M))
    u, v, low, high, who = u[real], v[real], low[real], high[real], who[real]
    line = between(parts, who, low, high)
    degree = np.bincount(np.concatenate([u, v]), minlength=len(node_xy)).astype(np.intp)
    road = owner[who].astype(np.intp)
    names = (
        roads["name"].fillna("").astype("str").to_numpy(dtype=object)
        if "name" in roads
        else np.full(len(roads), "")
    )
    return Network(node_xy, degree, _node_names(names[road], u, v, len(node_xy)), line, road, u, v)


def side(of: Floats, seen_from: Floats) -> NDArray[np.object_]:
    """Side of one place seen from another, in eight Chinese words (方位); arrays (N, 2)."""
    away = of - seen_from
    turn = np.degrees(np.arctan2(away[:, 0], away[:, 1])) % 360
    return np.array(SIDES, dtype=object)[np.round(turn / 45).astype(int) % 8]


def _cuts(parts: NDArray[np.object_]) -> tuple[Ints, Floats, Floats]:
    """Places where lines are cut, in order along each: line, distance along it, coordinates."""
    xy, line = shapely.get_coordinates(parts, return_index=True)
    new = np.ones(len(line), dtype=bool)
    new[1:] = line[1:] != line[:-1]
    step = np.zeros(len(line))
    step[1:] = np.where(new[1:], 0.0, np.hypot(*np.diff(xy, axis=0).T)) if len(line) > 1 else 0.0
    run = np.cumsum(step)
    along = run - run[np.flatnonzero(new)][np.cumsum(new) - 1] if len(line) else run
    last = np.append(new[1:], True)
    key = np.round(xy / SAME_M).astype(np.int64)
    _, group, count = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    chosen = new | last | (count[group.ravel()] > 1)
    ends = np.flatnonzero(new | last)
    end, other = shapely.STRtree(parts).query(shapely.points(xy[ends]), predicate="dwithin", distance=TOUCH_M)
    foreign = line[ends[end]] != other
    end, other = ends[end[foreign]], other[foreign]
    place = shapely.line_locate_point(parts[other], shapely.points(xy[end]))
    part = np.concatenate([line[chosen], other])
    at = np.concatenate([along[chosen], place])
    where = np.concatenate([xy[chosen], xy[end]])
    order = np.lexsort((at, part))
    return part[order].astype(np.intp), at[order], where[order]


def _merged(xy: Floats) -> tuple[Ints, Floats]:
    """Number nodes: places within a centimetre raster are one."""
    key = np.round(xy / SAME_M).astype(np.int64)
    _, first, number = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return number.ravel().astype(np.intp), xy[first]


def between(parts: NDArray[np.object_], who: Ints, low: Floats, high: Floats) -> NDArray[np.object_]:
    """Pieces of lines between two distances along them (按里程截取); `who` is the row of each piece's line."""
    xy, line = shapely.get_coordinates(parts, return_index=True)
    size = np.bincount(line, minlength=len(parts))
    start = np.cumsum(size) - size
    new = np.zeros(len(line), dtype=bool)
    new[start[size > 0]] = True
    step = np.zeros(len(line))
    if len(line) > 1:
        step[1:] = np.where(new[1:], 0.0, np.hypot(*np.diff(xy, axis=0).T))
    run = np.cumsum(step)
    base = run[start[who]] if len(who) else np.empty(0)
    first = np.searchsorted(run, base + low + SAME_M / 2, side="right")
    last = np.searchsorted(run, base + high - SAME_M / 2, side="left")
    inner = np.maximum(last - first, 0)
    piece = np.repeat(np.arange(len(who)), inner)
    vertex = np.arange(inner.sum()) - np.repeat(np.cumsum(inner) - inner - first, inner)
    begin = shapely.get_coordinates(shapely.line_interpolate_point(parts[who], low))
    finish = shapely.get_coordinates(shapely.line_interpolate_point(parts[who], high))
    every = np.concatenate([np.arange(len(who)), piece, np.arange(len(who))])
    rank = np.concatenate([np.full(len(who), -1.0), vertex.astype(float), np.full(len(who), np.inf)])
    points = np.concatenate([begin, xy[vertex], finish])
    order = np.lexsort((rank, every))
    if len(who) == 0:
        return np.empty(0, dtype=object)
    return np.asarray(shapely.linestrings(points[order], indices=every[order]), dtype=object)


def _node_names(road_name: NDArray[np.object_], u: Ints, v: Ints, n: int) -> NDArray[np.object_]:
    """Names of the roads at each node: "A与B路口", "A路口", or "无名路口"."""
    table = pd.DataFrame({"node": np.concatenate([u, v]), "name": np.tile(road_name, 2)})
    table = table[table["name"] != ""].drop_duplicates()
    joined = table.groupby("node")["name"].agg(lambda names: "与".join(sorted(names)[:3]) + "路口")
    result = np.full(n, "无名路口", dtype=object)
    result[joined.index.to_numpy()] = joined.to_numpy()
    return result
