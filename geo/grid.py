"""Grids (网格): which grid is a point in, how near is the next border, and what is nearest outside."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyproj
import shapely

from geo.index import GridIndex
from geo.index.metric import metres_per_degree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray

    Positions = NDArray[np.int32]
    Indexer = Callable[[NDArray[np.object_]], GridIndex]

COLUMNS = ("town", "village", "base", "dedicated", "micro")
CHAIN = (
    "town",
    "village",
    "dedicated",
    "base",
    "micro",
)  # order of an answer: what takes precedence comes first
LEVELS = {"town": 1, "village": 2, "base": 3, "dedicated": 3, "micro": 4}
GEOD = pyproj.Geod(ellps="GRS80")
FAR_M = 50_000.0  # more than any way of positioning is off that works at all; a mobile cell reaches 35 km
FAR_NOTE = (
    "more than 50 km from every base grid: check the coordinates (距所有基础网格 50 公里以上，请核对坐标)"
)
ABOVE = ("town", "village", "base")


class Level:
    """The grids of one level, in the order of their codes, so that the lowest code wins where several cover a point.

    Parameters
    ----------
    grids
        Rows of one level in degrees, sorted by code.
    above
        Name of a level above -> position there of each row's ancestor, -1 where its parents do not say.
    indexer
        Makes the index.
    """

    def __init__(self, grids: gpd.GeoDataFrame, above: Mapping[str, Positions], indexer: Indexer) -> None:
        self.ids = grids.index.to_numpy(dtype=object)
        self.text = pa.array(self.ids, pa.large_string())
        self.words = pa.array(self.ids, pa.string())
        self.above = above
        self._above_or_none = {name: np.append(rank, np.int32(-1)) for name, rank in above.items()}
        columns = zip(self.ids, grids["level"], grids["kind"], grids["name"], strict=True)
        self._rows = [
            (i, int(level), kind, name if isinstance(name, str) else None) for i, level, kind, name in columns
        ]
        self._shapes = grids.geometry.to_numpy()
        self._indexer = indexer

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north of all polygons, degrees; NaN without any."""
        if len(self) == 0:
            return np.nan, np.nan, np.nan, np.nan
        west, south, east, north = shapely.total_bounds(self._shapes).tolist()
        return west, south, east, north

    @cached_property
    def index(self) -> GridIndex:
        """Index over the polygons; made when it is first asked."""
        return self._indexer(self._shapes)

    def ancestors(self, name: str, position: Positions) -> Positions:
        """Positions of the ancestors at a level above; -1 where there is none or the position is -1."""
        return self._above_or_none[name].take(position, mode="wrap")

    def codes(self, position: Positions) -> pa.Array:
        """Codes by position; null for -1."""
        outside = position < 0
        if outside.all():
            return pa.nulls(len(position), self.text.type)
        return self.text.take(pa.array(position, mask=outside) if outside.any() else pa.array(position))

    def encoded(self, position: Positions) -> pa.DictionaryArray:
        """Codes by position as positions in a list of the codes that occur, or of all if those are few; null for -1."""
        if len(self) == 0:
            return pa.DictionaryArray.from_arrays(pa.nulls(len(position), pa.int32()), self.words)
        outside = position < 0
        if len(self) > len(position):
            met = np.zeros(len(self) + 1, bool)
            met[position] = True  # -1 is the last
            used = np.flatnonzero(met[:-1])
            rank = np.empty(len(self) + 1, np.int32)
            rank[used] = np.arange(len(used), dtype=np.int32)
            position, words = rank.take(position, mode="wrap"), self.words.take(used)
        else:
            words = self.words
        return pa.DictionaryArray.from_arrays(
            pa.array(position, mask=outside if outside.any() else None), words, safe=False
        )

    def grid(self, position: int) -> dict[str, Any]:
        """Return `grid_id`, `level`, `kind` and `name` of one grid."""
        grid_id, level, kind, name = self._rows[position]
        return {"grid_id": grid_id, "level": level, "kind": kind, "name": name}


class GridLookup:
    """Everything that answers "which grid" for one version of the grids (网格查找).

    `levels` has `town` 镇街, `village` 村居, `base` 基础网格, `dedicated` 专属网格 and `micro` 微网格; a level without
    grids covers nothing.
    """

    def __init__(self, levels: Mapping[str, Level]) -> None:
        self.levels = levels

    @classmethod
    def build(cls, grids: gpd.GeoDataFrame, *, indexer: Indexer = GridIndex.build) -> GridLookup:
        """Index grids in degrees by level. Any order of rows; no rows: everything is outside."""
        grids = grids.sort_index()
        level = grids["level"].to_numpy(dtype="float64", na_value=np.nan)
        dedicated = (grids["kind"] == "dedicated").to_numpy(dtype=bool)
        rows = {
            name: np.flatnonzero((level == LEVELS[name]) & ~dedicated)
            for name in COLUMNS
            if name != "dedicated"
        }
        rows["dedicated"] = np.flatnonzero(dedicated)
        above = _ancestors(grids, rows)
        levels = {
            name: Level(grids.iloc[rows[name]], {k: v[rows[name]] for k, v in above.items()}, indexer)
            for name in COLUMNS
        }
        for name in ("base", "dedicated", "micro"):
            levels[name].index  # noqa: B018  # made now: the first answer must not wait
        return cls(levels)

    def positions(self, lon: ArrayLike, lat: ArrayLike) -> dict[str, Positions]:
        """Position of each point's grid in every level, -1 for none; see `locate`."""
        x, y = np.atleast_1d(np.asarray(lon, np.float64)), np.atleast_1d(np.asarray(lat, np.float64))
        found = {name: self._find(name, x, y) for name in ("base", "dedicated", "micro")}
        village = self.levels["base"].ancestors("village", found["base"])
        self._fill("village", village, x, y)
        town = self.levels["base"].ancestors("town", found["base"])
        rest = np.flatnonzero(town < 0)
        if len(rest):
            town[rest] = self.levels["village"].ancestors("town", village[rest])
        self._fill("town", town, x, y)
        found |= {"village": village, "town": town}
        if len(self.levels["micro"]):
            self._keep_inside(found, x, y)
        return found

    def _fill(self, name: str, here: Positions, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Search a level where the parents of the base grid do not say."""
        rest = np.flatnonzero(here < 0)
        if len(rest) and len(self.levels[name]):
            here[rest] = self.levels[name].index.find(x[rest], y[rest])

    def _find(self, name: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> Positions:
        level = self.levels[name]
        return level.index.find(x, y) if len(level) else np.full(len(x), -1, np.int32)

    def _keep_inside(
        self, found: dict[str, Positions], x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> None:
        """On a border of base grids, take the micro-grid of the base grid that was chosen, if there is one."""
        micro, base = self.levels["micro"], found["base"]
        home = micro.ancestors("base", found["micro"])
        wrong = np.flatnonzero((home >= 0) & (base >= 0) & (home != base))
        if len(wrong) == 0:
            return
        point, position = micro.index.covering(x[wrong], y[wrong])
        fits = micro.above["base"][position] == base[wrong[point]]
        point, first = np.unique(point[fits], return_index=True)
        found["micro"][wrong[point]] = position[fits][first]

    def answers(self, lon: ArrayLike, lat: ArrayLike, *, radius_m: float = 0.0) -> list[dict[str, Any]]:
        """Answer in full for each point (完整回答).

        Parameters
        ----------
        lon, lat
            Degrees, n numbers each.
        radius_m
            Uncertainty of the points, metres.

        Returns
        -------
        list
            Per point a dict with `lon`, `lat`; `grids`, the chain from town to micro-grid (a dedicated grid
            stands before the base grid beneath it); `edge_m`, metres to the nearest border of its base grid
            (None without one); `also`, codes of the other base grids within `radius_m` (0: those that share the
            border it is on); `nearest`, None, or outside every base grid the nearest one and its distance.
            Far from the city (`far`) the nearest grid says nothing: None, and a `note` that says so.
        """
        x, y = np.atleast_1d(np.asarray(lon, np.float64)), np.atleast_1d(np.asarray(lat, np.float64))
        found = self.positions(x, y)
        base = self.levels["base"]
        inside, far = found["base"] >= 0, self.far(x, y)
        edge_m, _ = base.index.nearest_edge(x, y, found["base"])
        also: list[list[str]] = [[] for _ in x]
        near = np.flatnonzero(inside | (radius_m > 0))  # a point outside is on no border
        pairs = base.index.within(x[near], y[near], radius_m) if len(near) else ((), ())
        for point, position in zip(*pairs, strict=True):
            if position != found["base"][near[point]]:
                also[near[point]].append(base.ids[position])
        return [
            {
                "lon": float(x[i]),
                "lat": float(y[i]),
                "grids": [self.levels[n].grid(found[n][i]) for n in CHAIN if found[n][i] >= 0],
                "edge_m": round(float(edge_m[i]), 2) if inside[i] else None,
                "also": also[i],
                "nearest": None if inside[i] or far[i] else self.nearest(x[i], y[i]),
                **({"note": FAR_NOTE} if far[i] else {}),
            }
            for i in range(len(x))
        ]

    def far(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points in degrees lie more than `FAR_M` outside the extent of the base grids (远离本市).

        Such coordinates are wrong or of another city: 0,0 of a device without a fix, axes exchanged. False where a
        coordinate is not finite, and without base grids.
        """
        west, south, east, north = self.levels["base"].bounds
        per_lon, per_lat = metres_per_degree(lat)
        x = np.maximum(np.maximum(west - lon, lon - east), 0) * per_lon
        y = np.maximum(np.maximum(south - lat, lat - north), 0) * per_lat
        return np.hypot(x, y) > FAR_M

    def nearest(self, lon: float, lat: float) -> dict[str, Any] | None:
        """Nearest base grid of a point outside all of them, and its geodesic distance; None if there is none."""
        level = self.levels["base"]
        position, _, edge = level.index.nearest(float(lon), float(lat))
        if position < 0:
            return None
        foot = level.index.foot(edge, lon, lat)
        distance = GEOD.inv(lon, lat, *foot)[2]
        return {"grid_id": level.ids[position], "distance_m": round(float(distance), 2)}


def locate(lookup: GridLookup, lon: ArrayLike, lat: ArrayLike) -> pd.DataFrame:
    """Code of the grid of every level for each point (各级网格编码).

    Parameters
    ----------
    lookup
        Of one version of the grids.
    lon, lat
        Degrees, n numbers each; not finite: outside.

    Returns
    -------
    DataFrame
        n rows; `town`, `village`, `base`, `dedicated`, `micro`; missing outside. Where several grids of a level
        cover a point, the lowest code. Town and village are those that the base grid names as its parents,
        found by place where it names none. A dedicated grid takes precedence over the base grid beneath, which
        is still named.
    """
    return codes(lookup, lookup.positions(lon, lat))


def codes(lookup: GridLookup, found: Mapping[str, Positions]) -> pd.DataFrame:
    """Codes of `GridLookup.positions`, a column a level, missing for -1; `found` is of the same `lookup`."""
    text = pd.StringDtype(na_value=np.nan)
    return pd.DataFrame({n: text.__from_arrow__(lookup.levels[n].codes(found[n])) for n in COLUMNS})


def _ancestors(grids: gpd.GeoDataFrame, rows: Mapping[str, NDArray[np.intp]]) -> dict[str, Positions]:
    """Position, among the grids of each level above, of every grid's ancestor; -1 where the parents do not say."""
    parent = grids.index.get_indexer(grids["parent_id"].to_numpy(dtype=object))
    result = {}
    for name in ABOVE:
        rank = np.full(len(grids) + 1, -1, np.int32)
        rank[rows[name]] = np.arange(len(rows[name]))
        above = np.full(len(grids), -1, np.int32)
        at = parent.copy()
        for _ in range(8):  # deeper than any hierarchy; a ring of parents ends here
            above = np.where(above < 0, rank[at], above)
            at = np.where(at >= 0, parent[at], -1)
        result[name] = above
    return result
