"""A city's addresses compiled for search (地名地址库): names in an index, numbers in sorted arrays.

Households are many but their doors are few: names (10^5) are indexed, house numbers are sorted arrays per
street and lane, rooms are sorted integers of eight bytes. Everything is a plain array, so that the whole is
memory-mapped and shared between processes (`geo.store.address_index` writes and opens it). All coordinates
are metres in the city's CRS.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from geo.address import elements as el
from geo.address.lines import RoadLines, compile_lines
from geo.address.names import NameIndex, Strings
from geo.address.normalize import fold_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import geopandas as gpd
    from numpy.typing import NDArray

FORMAT = 3  # raise it when the arrays change: older artefacts are then rebuilt

AREA, STREET, LANE, COMPOUND, POI, ROAD_LINE = range(6)
Codes = TypeVar("Codes", int, "NDArray[np.int64]")
NEEDS_NUMBER = 1  # posting flag: the name is a short form that counts only before a number
NONE = -1
TWO_POINTS_M = 100.0  # one address at two points this far apart is two candidates

DISTRICT, TOWN, VILLAGE = 13, 20, 30
DEVICES = ("smoke_alarm", "lpg_cylinder", "ebike_charger")  # facilities that are a thing, not a place


@dataclass(frozen=True)
class Gazetteer:
    """Compiled addresses of one city; immutable. `arrays` hold everything but the automaton of names."""

    version: str
    arrays: Mapping[str, NDArray[Any]]
    names: NameIndex

    def __getattr__(self, name: str) -> NDArray[Any]:
        """Arrays are attributes: `gazetteer.plate_num`."""
        try:
            return self.arrays[name]
        except KeyError:
            raise AttributeError(name) from None

    def strings(self, name: str) -> Strings:
        """A packed list of texts: street, lane, area, compound, poi, grid or plate ids."""
        return Strings(self.arrays[f"{name}_blob"], self.arrays[f"{name}_ptr"])

    @cached_property
    def street_text(self) -> Strings:
        """Street names as the table writes them."""
        return self.strings("street_text")

    @cached_property
    def lane_text(self) -> Strings:
        """Lane part of every path as the table writes it."""
        return self.strings("lane_text")

    @cached_property
    def area_text(self) -> list[str]:
        """Names of districts, towns and villages."""
        return self.strings("area_text").tolist()

    @cached_property
    def compound_text(self) -> Strings:
        """Names of compounds (小区 / 院落)."""
        return self.strings("compound_text")

    @cached_property
    def poi_text(self) -> Strings:
        """Names of points of interest."""
        return self.strings("poi_text")

    @cached_property
    def grid_text(self) -> Strings:
        """Grid codes that the table's rows name."""
        return self.strings("grid_text")

    @cached_property
    def plate_id(self) -> Strings:
        """Row key of every door plate."""
        return self.strings("plate_id")

    @cached_property
    def lines(self) -> RoadLines:
        """Centre lines and crossings of named roads."""
        return RoadLines(self.arrays)

    @property
    def counts(self) -> dict[str, int]:
        """How much it holds, by kind."""
        a = self.arrays
        return {
            "names": len(self.names.texts),
            "areas": len(a["area_level"]),
            "streets": len(a["street_area"]),
            "paths": len(a["path_key"]),
            "plates": len(a["plate_num"]),
            "compounds": len(a["compound_area"]),
            "buildings": len(a["building_code"]),
            "households": len(a["household"]),
            "pois": len(a["poi_area"]),
            "crossings": len(a["crossing_x"]),
        }


@lru_cache(maxsize=65_536)
def text_hash(text: str) -> int:
    """Stable 64-bit hash of a folded text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def path_key(street: int, lane: str) -> int:
    """Key of a (street, lane) pair in `path_key`."""
    return (text_hash(lane) ^ (street * 0x9E3779B97F4A7C15)) & 0xFFFFFFFFFFFFFFFF


_ROAD_END = re.compile(r"(?<=..)(?:大道|大街|公路|路|街|道)$")
_SECTION = re.compile(r"^(.{2,}?)(?:大道|大街|路|街|道)(\d{1,2}段)$")
_COMPOUND_END = re.compile(
    r"(?:小区|花园|新村|家园|公寓|花苑|社区|大厦|苑|园|府|城|庭|里|湾|轩|居|郡|邸|公馆|广场)?"
    r"(?P<part>[东西南北中]区|[A-Z]区|\d期)?$"
)
_AREA_END = re.compile(r"(?:街道办事处|街道|社区居委会|社区|居委会|村委会|[区县市镇乡村里旗])$")
_BRANCH = re.compile(r"^(.{3,}?)[^一-鿿A-Z0-9]?[^()]{1,8}(?:店|分店|支行|营业部|门店)$")


class _Builder:
    """Steps of one compilation, in the order they are called; each adds arrays and names."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self.postings: list[tuple[NDArray[Any], int, NDArray[Any], float, int]] = []
        self.names: dict[str, int] = {}
        self.rows: list[tuple[int, int, int, float, int]] = []

    def text(self, name: str, values: Sequence[str]) -> None:
        packed = Strings.pack(values)
        self.arrays[f"{name}_blob"], self.arrays[f"{name}_ptr"] = packed.blob, packed.ptr

    def name(self, folded: str, kind: int, at: int, penalty: float = 0.0, flag: int = 0) -> None:
        if len(folded) >= 2 and len(folded) <= 40:
            self.rows.append((self.names.setdefault(folded, len(self.names)), kind, at, penalty, flag))


def compile_gazetteer(
    addresses: pd.DataFrame,
    *,
    roads: gpd.GeoDataFrame | None = None,
    facilities: gpd.GeoDataFrame | None = None,
    grids: gpd.GeoDataFrame | None = None,
    version: str = "",
) -> Gazetteer:
    """Compile the tables of a city into a gazetteer (编译地名地址库).

    Parameters
    ----------
    addresses
        Table `addresses`: points in metres (or columns `x`, `y`); `standard` or element columns.
    roads, facilities, grids
        Tables of the same city; each may be missing. Only grids of level 1 and 2 give names, and only
        facilities that are a place (not a smoke alarm or a gas cylinder in one).
    version
        Name of this compilation; empty: made from the content.

    Returns
    -------
    Gazetteer
        Rows without a usable point are left out. No rows: a gazetteer that finds nothing.
    """
    build = _Builder()
    rows = _rows(addresses)
    _areas(build, rows, grids)
    _streets(build, rows)
    _plates(build, rows)
    _compounds(build, rows)
    _pois(build, facilities)
    build.arrays |= compile_lines(build.arrays, roads, build.name, ROAD_LINE)
    _street_roads(build)
    return _finish(build, version)


@dataclass
class _Rows:
    """Rows of the address table as codes: one array a column, and the distinct texts of each."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    code: dict[str, NDArray[np.int32]]
    text: dict[str, list[str]]
    ids: pd.Index
    street: NDArray[np.int64] = None  # type: ignore[assignment]
    plate: NDArray[np.int64] = None  # type: ignore[assignment]
    area: NDArray[np.int64] = None  # type: ignore[assignment]


def _rows(addresses: pd.DataFrame) -> _Rows:
    """Rows with a usable point, as codes. A plain table has its points in columns `x` and `y`."""
    if "x" in addresses.columns and "y" in addresses.columns:
        table = addresses
        x, y = table["x"].to_numpy(np.float64), table["y"].to_numpy(np.float64)
    else:
        points = addresses.geometry.to_numpy()
        x, y = shapely.get_x(points), shapely.get_y(points)
        table = pd.DataFrame(addresses.drop(columns=addresses.geometry.name))
    good = np.isfinite(x) & np.isfinite(y)
    if not good.all():
        table, x, y = table.loc[good], x[good], y[good]
    given = el.coded(table)
    return _Rows(x, y, given.code, given.text, table.index)


def _distinct(*columns: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(first row of each distinct combination, group of each row); groups are in the order of their values."""
    key, span = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        size = int(column.max(initial=0)) + 2
        if span * size > 1 << 62:
            key, unique = pd.factorize(key, sort=True)
            key, span = key.astype(np.int64), len(unique)
        key, span = key * size + column + 1, span * size
    group, unique = pd.factorize(key)
    order = np.argsort(unique, kind="stable")
    place = np.empty(len(unique), np.int64)
    place[order] = np.arange(len(unique))
    group = place[group]
    first = np.empty(len(unique), np.int64)
    first[group[::-1]] = np.arange(len(key) - 1, -1, -1)
    return first, group


def _group_mean(values: NDArray[np.float64], group: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    total = np.bincount(group, values, size)
    return total / np.maximum(np.bincount(group, minlength=size), 1)


def _areas(build: _Builder, rows: _Rows, grids: gpd.GeoDataFrame | None) -> None:
    """Districts, towns and villages with a parent and a middle; the narrowest of each row is its area."""
    names: list[str] = []
    level: list[int] = []
    parent: list[int] = []
    xs: list[float] = []
    ys: list[float] = []
    above = np.full(len(rows.x), NONE, np.int64)
    narrow = above
    district_of = town_of = above
    for column, rank in (("district", DISTRICT), ("town", TOWN), ("village", VILLAGE)):
        empty = np.array([t == "" for t in rows.text[column]], bool)
        given = ~empty[rows.code[column]] if len(empty) else np.zeros(0, bool)
        if not given.any():
            continue
        at = np.flatnonzero(given)
        first, group = _distinct(narrow[at], rows.code[column][at])
        base = len(names)
        names += [rows.text[column][rows.code[column][at[i]]] for i in first]
        level += [rank] * len(first)
        parent += narrow[at[first]].tolist()
        xs += _group_mean(rows.x[at], group, len(first)).tolist()
        ys += _group_mean(rows.y[at], group, len(first)).tolist()
        new = narrow.copy()
        new[at] = base + group
        narrow = new
        if rank == DISTRICT:
            district_of = town_of = new
        elif rank == TOWN:
            town_of = new
    rows.area = narrow
    radius = np.full(len(names), 500.0, np.float32)
    for codes in (district_of, town_of, narrow):
        at = np.flatnonzero(codes >= 0)
        seen = np.unique(codes[at])
        radius[seen] = _group_radius(rows.x[at], rows.y[at], codes[at], len(names))[seen]
    if grids is not None and len(grids):
        for name, rank, x, y in _grid_areas(grids, {fold_text(n) for n in names}):
            names.append(name)
            level.append(rank)
            parent.append(NONE)
            xs.append(x)
            ys.append(y)
        radius = np.append(radius, np.full(len(names) - len(radius), 800.0, np.float32))
    build.text("area_text", names)
    build.arrays |= {
        "area_level": np.array(level, np.int16),
        "area_parent": np.array(parent, np.int32),
        "area_x": np.array(xs, np.float64),
        "area_y": np.array(ys, np.float64),
        "area_radius": radius,
        "row_district": district_of,
        "row_town": town_of,
    }
    for i, name in enumerate(names):
        folded = fold_text(name)
        build.name(folded, AREA, i)
        stem = _AREA_END.sub("", folded)
        if stem != folded and len(stem) >= 2:
            build.name(stem, AREA, i, 0.3)


def _grid_areas(grids: gpd.GeoDataFrame, have: set[str]) -> list[tuple[str, int, float, float]]:
    """(name, level, x, y) of towns and villages that the grid table names and no address does."""
    high = grids[grids["level"].isin([1, 2]).to_numpy(bool) & grids["name"].notna().to_numpy(bool)]
    middles = high.geometry.representative_point()
    return [
        (str(name), TOWN if int(rank) == 1 else VILLAGE, point.x, point.y)
        for name, rank, point in zip(high["name"], high["level"], middles, strict=True)
        if fold_text(str(name)) not in have
    ]


def _streets(build: _Builder, rows: _Rows) -> None:
    """Streets: one name in one district; a name that repeats its numbers between towns is several."""
    road = rows.code["road"]
    texts = list(rows.text["road"])
    number = rows.code["number"]
    blank_road = np.array([t == "" for t in texts], bool)
    blank_number = np.array([t == "" for t in rows.text["number"]], bool)
    numbered = ~blank_number[number] if len(number) else np.zeros(0, bool)
    village = np.array(
        [fold_text(re.sub("(社区居委会|居委会|村委会|社区)$", "", t)) for t in rows.text["village"]]
    )
    loose = blank_road[road] & numbered if len(road) else np.zeros(0, bool)
    if loose.any():  # 杨家村25号: the village is the street
        road = road.copy()
        known = {t: i for i, t in enumerate(texts)}
        for code in np.unique(rows.code["village"][loose]):
            if village[code]:
                at = known.setdefault(str(village[code]), len(texts))
                if at == len(texts):
                    texts.append(str(village[code]))
                road[loose & (rows.code["village"] == code)] = at
    blank = np.array([t == "" for t in texts], bool)
    used = np.flatnonzero(~blank[road]) if len(road) else np.zeros(0, np.int64)
    scope = _scope(rows, road.astype(np.int64), used, build.arrays["row_district"], build.arrays["row_town"])
    first, group = _distinct(scope[used], road[used])
    rows.street = np.full(len(rows.x), NONE, np.int64)
    rows.street[used] = group
    size = len(first)
    x, y = rows.x[used], rows.y[used]
    build.text("street_text", [texts[road[used[i]]] for i in first])
    build.arrays |= {
        "street_area": scope[used[first]].astype(np.int32) if size else np.zeros(0, np.int32),
        "street_x": _group_mean(x, group, size),
        "street_y": _group_mean(y, group, size),
        "street_size": np.bincount(group, minlength=size).astype(np.int32),
        "street_radius": _group_radius(x, y, group, size),
    }
    for i, row in enumerate(first):
        folded = fold_text(texts[road[used[row]]])
        build.name(folded, STREET, i)
        for short, penalty in short_roads(folded):
            build.name(short, STREET, i, penalty, NEEDS_NUMBER)


def short_roads(folded: str) -> list[tuple[str, float]]:
    """Short forms of a road: without 路, and 中山一段 for 中山路一段."""
    stem = _ROAD_END.sub("", folded)
    shorts = [(stem, 0.6)] if stem != folded and len(stem) >= 2 else []
    section = _SECTION.match(folded)
    if section:
        shorts.append((section[1] + section[2], 0.5))
    return shorts


def _group_radius(
    x: NDArray[np.float64], y: NDArray[np.float64], group: NDArray[np.int64], size: int
) -> NDArray[np.float32]:
    """Half the diagonal of the box around each group of rows, metres; 50 m for a group of no rows."""
    low, high = np.full((2, size), np.inf), np.full((2, size), -np.inf)
    for axis, values in enumerate((x, y)):
        np.minimum.at(low[axis], group, values)
        np.maximum.at(high[axis], group, values)
    radius = np.full(size, 50.0, np.float32)
    seen = np.isfinite(low[0])
    radius[seen] = np.hypot(*(high - low)[:, seen]) / 2
    return radius


def _scope(
    rows: _Rows,
    road: NDArray[np.int64],
    used: NDArray[np.int64],
    district: NDArray[np.int64],
    towns: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Area that makes a street name unique: the district, or the town where towns repeat its numbers."""
    scope = district.copy()
    town = rows.code["town"]
    if len(rows.text["town"]) < 2 or not len(used):
        return np.where(scope == NONE, towns, scope)
    same, group = _distinct(district[used], road[used], rows.code["lane"][used], rows.code["number"][used],
                            rows.code["building"][used])  # fmt: skip
    first_town = town[used][same][group]
    far = np.hypot(rows.x[used] - rows.x[used][same][group], rows.y[used] - rows.y[used][same][group]) > 500
    repeats = (town[used] != first_town) & far
    _, street = _distinct(district[used], road[used])
    share = np.bincount(street, repeats) / np.bincount(street)
    split = share[street] > 0.05
    scope[used[split]] = towns[used[split]]
    return np.where(scope == NONE, towns, scope)


def _plates(build: _Builder, rows: _Rows) -> None:
    """Door plates: sorted (number, sub-number) of every street and lane, with point, grid and area."""
    number, sub = el.house_numbers(rows.text["number"])
    number, sub = number[rows.code["number"]], sub[rows.code["number"]]
    at = np.flatnonzero((rows.street >= 0) & (number >= 0))
    first, path = _distinct(rows.street[at], rows.code["lane"][at])
    lanes = [fold_text(rows.text["lane"][rows.code["lane"][at[i]]]) for i in first]
    path_street = rows.street[at[first]]
    head, group = _distinct(path, number[at], sub[at])
    door = _is_door(rows)[at]
    x, y = _group_mean(rows.x[at], group, len(head)), _group_mean(rows.y[at], group, len(head))
    plate_row, plate_path, x, y = _split_doors(rows, at, group, door, at[head], path[head], x, y)
    order = np.lexsort((y, x, sub[plate_row], number[plate_row], plate_path))
    plate_row, plate_path, x, y = plate_row[order], plate_path[order], x[order], y[order]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows.plate = np.full(len(rows.x), NONE, np.int64)
    rows.plate[at] = place[group]
    key = np.array([path_key(int(s), lane) for s, lane in zip(path_street, lanes, strict=True)], np.uint64)
    bounds = np.searchsorted(plate_path, np.arange(len(lanes) + 1)).astype(np.int64)
    by_key = np.argsort(key)
    build.text("lane_text", [lanes[i] for i in by_key])
    build.text("plate_id", rows.ids[plate_row].astype(str).tolist())
    build.text("grid_text", rows.text["grid_id"])
    build.arrays |= {
        "path_key": key[by_key],
        "path_start": bounds[:-1][by_key],
        "path_end": bounds[1:][by_key],
        "path_street": path_street[by_key].astype(np.int32),
        "plate_num": number[plate_row].astype(np.int32),
        "plate_sub": sub[plate_row].astype(np.int32),
        "plate_x": x,
        "plate_y": y,
        "plate_area": rows.area[plate_row].astype(np.int32),
        "plate_grid": rows.code["grid_id"][plate_row].astype(np.int32),
        "plate_street": rows.street[plate_row].astype(np.int32),
    }
    _named_lanes(build, lanes, by_key)


_Doors = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float64]", "NDArray[np.float64]"]


def _split_doors(
    rows: _Rows,
    at: NDArray[np.int64],
    group: NDArray[np.int64],
    door: NDArray[np.bool_],
    head: NDArray[np.int64],
    path: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> _Doors:
    """(row, path, x, y) of every plate: the door's own point before the middle of the homes behind it.

    One address at two points more than 100 m apart: both stay, the second after all others.
    """
    doors = at[door]
    order = np.lexsort((rows.y[doors], rows.x[doors], group[door]))
    doors, owner = doors[order], group[door][order]
    new = np.ones(len(owner), bool)
    new[1:] = owner[1:] != owner[:-1]
    head, x, y = head.copy(), x.copy(), y.copy()
    head[owner[new]] = doors[new]
    x[owner[new]], y[owner[new]] = rows.x[doors[new]], rows.y[doors[new]]
    far = np.hypot(rows.x[doors] - x[owner], rows.y[doors] - y[owner]) > TWO_POINTS_M
    return (
        np.concatenate([head, doors[far]]),
        np.concatenate([path, path[owner[far]]]),
        np.concatenate([x, rows.x[doors[far]]]),
        np.concatenate([y, rows.y[doors[far]]]),
    )


def _named_lanes(build: _Builder, lanes: list[str], by_key: NDArray[np.intp]) -> None:
    """A lane with a name of its own (新生巷) can be called without its street."""
    for at, i in enumerate(by_key.tolist()):
        if lanes[i] and not lanes[i][0].isdigit():
            build.name(lanes[i], LANE, at, 0.1)


def _is_door(rows: _Rows) -> NDArray[np.bool_]:
    """Rows that are a door plate itself, not a building or room behind it."""
    door = np.ones(len(rows.x), bool)
    for column in ("building", "unit", "room", "compound"):
        blank = np.array([t == "" for t in rows.text[column]], bool)
        door &= blank[rows.code[column]] if len(door) else door
    return door


def _compounds(build: _Builder, rows: _Rows) -> None:
    """Compounds, their buildings, and households as sorted integers."""
    blank = {c: np.array([t == "" for t in rows.text[c]], bool) for c in ("compound", "building")}
    named = ~blank["compound"][rows.code["compound"]] if len(rows.x) else np.zeros(0, bool)
    built = ~blank["building"][rows.code["building"]] if len(rows.x) else np.zeros(0, bool)
    at = np.flatnonzero(named | (built & (rows.plate >= 0)))
    owner = np.where(named, NONE, rows.plate)[at]  # a nameless compound belongs to its plate
    first, group = _distinct(
        build.arrays["row_district"][at], build.arrays["row_town"][at], rows.code["compound"][at], owner
    )
    size = len(first)
    plate = np.full(size, NONE, np.int64)
    with_plate = rows.plate[at] >= 0
    plate[group[with_plate]] = rows.plate[at][with_plate]
    names = [rows.text["compound"][rows.code["compound"][at[i]]] for i in first]
    build.text("compound_text", names)
    by_plate = np.argsort(plate, kind="stable")
    build.arrays |= {
        "compound_area": rows.area[at[first]].astype(np.int32),
        "compound_x": _group_mean(rows.x[at], group, size),
        "compound_y": _group_mean(rows.y[at], group, size),
        "compound_radius": np.maximum(_group_radius(rows.x[at], rows.y[at], group, size), 15),
        "compound_plate": plate.astype(np.int32),
        "compound_by_plate": by_plate.astype(np.int32),
        "compound_grid": rows.code["grid_id"][at[first]].astype(np.int32),
    }
    for i, name in enumerate(names):
        if name:
            _compound_names(build, fold_text(name), i)
    _buildings(build, rows, at[built[at]], group[built[at]], size)


def _compound_names(build: _Builder, folded: str, at: int) -> None:
    build.name(folded, COMPOUND, at)
    end = _COMPOUND_END.search(folded)
    if end is None:
        return
    short = folded[: end.start()] + (end["part"] or "")
    if short != folded and len(short) >= 2:
        build.name(short, COMPOUND, at, 0.7)
    if end["part"]:
        build.name(folded[: -len(end["part"])], COMPOUND, at, 0.6)


def _buildings(
    build: _Builder, rows: _Rows, at: NDArray[np.int64], compound: NDArray[np.int64], size: int
) -> None:
    codes = np.array([el.building_code(t) for t in rows.text["building"]], np.int64)
    code = codes[rows.code["building"][at]] if len(at) else np.zeros(0, np.int64)
    first, group = _distinct(compound, code)
    count = len(first)
    build.arrays |= {
        "building_ptr": np.searchsorted(compound[first], np.arange(size + 1)).astype(np.int64),
        "building_code": code[first].astype(np.int32) if count else np.zeros(0, np.int32),
        "building_x": _group_mean(rows.x[at], group, count),
        "building_y": _group_mean(rows.y[at], group, count),
        "building_area": rows.area[at[first]].astype(np.int32),
        "building_grid": rows.code["grid_id"][at[first]].astype(np.int32),
    }
    unit = np.array([el.unit_code(t) for t in rows.text["unit"]], np.int64)[rows.code["unit"][at]]
    room = np.array([el.room_code(t) for t in rows.text["room"]], np.int64)[rows.code["room"][at]]
    home = (unit > 0) | (room > 0)
    homes = np.sort(household_key(group[home], unit[home], room[home]))
    new = np.ones(len(homes), bool)
    new[1:] = homes[1:] != homes[:-1]
    build.arrays["household"] = homes[new]


def household_key(building: Codes, unit: Codes, room: Codes) -> Codes:
    """Eight bytes for a household: building, unit (6 bits), room (14 bits). Never a name."""
    return (building << 20) | (unit << 14) | room


def _pois(build: _Builder, facilities: gpd.GeoDataFrame | None) -> None:
    """Named facilities and the street their address names."""
    if facilities is None or not len(facilities) or "name" not in facilities.columns:
        table = None
    else:
        points = facilities.geometry.to_numpy()
        good = np.isfinite(shapely.get_x(points)) & facilities["name"].notna().to_numpy(bool)
        good &= ~facilities["kind"].isin(DEVICES).to_numpy(bool)
        table = facilities.loc[good]
    names = [] if table is None else [str(n) for n in table["name"]]
    points = np.array([]) if table is None else table.geometry.to_numpy()
    address = [""] * len(names)
    if table is not None and "address" in table.columns:
        address = [str(a) if isinstance(a, str) else "" for a in table["address"]]
    build.text("poi_text", names)
    build.text("poi_street", [el.split_text(a)[3] if a else "" for a in address])
    x = shapely.get_x(points) if len(points) else np.zeros(0)
    y = shapely.get_y(points) if len(points) else np.zeros(0)
    area = np.full(len(names), NONE, np.int32)
    plates = np.column_stack([build.arrays["plate_x"], build.arrays["plate_y"]])
    if len(plates) and names:
        away, at = cKDTree(plates).query(np.column_stack([x, y]), distance_upper_bound=500.0)
        near = np.isfinite(away)
        area[near] = build.arrays["plate_area"][at[near]]
    build.arrays |= {"poi_x": x, "poi_y": y, "poi_area": area}
    for i, name in enumerate(names):
        folded = fold_text(name)
        build.name(folded, POI, i)
        inner = re.match(r"^(.{2,}?)[(（【\[]", name)
        if inner:
            build.name(fold_text(inner[1]), POI, i, 0.5)
        branch = _BRANCH.match(folded)
        if branch and not inner:
            build.name(branch[1], POI, i, 0.9)


def _street_roads(build: _Builder) -> None:
    """Road line of every street, by name; short forms of the roads."""
    roads = Strings(build.arrays["road_text_blob"], build.arrays["road_text_ptr"]).tolist()
    at = {fold_text(name): i for i, name in enumerate(roads)}
    streets = Strings(build.arrays["street_text_blob"], build.arrays["street_text_ptr"]).tolist()
    build.arrays["street_road"] = np.array([at.get(fold_text(s), NONE) for s in streets], np.int32)
    for folded, i in at.items():
        for short, penalty in short_roads(folded):
            build.name(short, ROAD_LINE, i, penalty, NEEDS_NUMBER)


def _finish(build: _Builder, version: str) -> Gazetteer:
    """Postings sorted by name, the index of names, and the version from the content."""
    rows = build.rows
    table = np.array([(n, k, a, f) for n, k, a, _, f in rows], np.int64).reshape(-1, 4)
    penalty = np.array([p for *_, p, _ in rows], np.float32)
    order = np.lexsort((penalty, table[:, 0]))
    table, penalty = table[order], penalty[order]
    names = list(build.names)
    kinds = np.zeros(len(names), np.int64)
    np.bitwise_or.at(kinds, table[:, 0], np.left_shift(1, table[:, 1]))
    near = np.array([sum("一" <= c <= "鿿" for c in n) >= 2 or len(n) >= 3 for n in names], bool)
    full = np.zeros(len(names), bool)
    full[table[penalty <= 0, 0]] = True
    near &= full | np.array(
        [len(n) >= 3 for n in names], bool
    )  # a short form of two characters: only as it is
    build.arrays |= {
        "posting_ptr": np.searchsorted(table[:, 0], np.arange(len(names) + 1)).astype(np.int64),
        "posting_kind": table[:, 1].astype(np.uint8),
        "posting_at": table[:, 2].astype(np.int32),
        "posting_flag": table[:, 3].astype(np.uint8),
        "posting_penalty": penalty,
        "name_kinds": kinds.astype(np.uint8),
    }
    build.arrays = {k: v for k, v in build.arrays.items() if not k.startswith("row_")}
    index = NameIndex.build(names, near & (kinds != 0))
    arrays = {**build.arrays, **index.arrays}
    return Gazetteer(version or content_version(arrays), arrays, index)


def content_version(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Version of a gazetteer: a hash of its arrays, so that equal tables have equal versions."""
    digest = hashlib.blake2b(f"santu-address-{FORMAT}".encode(), digest_size=8)
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).view(np.uint8).data)
    return digest.hexdigest()
