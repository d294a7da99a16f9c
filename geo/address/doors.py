"""Doors and what is behind them (门牌与楼栋): plates, compounds, buildings and households, as sorted arrays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from geo.address import elements as el
from geo.address.gazetteer import COMPOUND, LANE, NONE, TWO_POINTS_M, household_key, path_key
from geo.address.names import Strings
from geo.address.normalize import fold_text
from geo.address.rows import Rows, distinct_rows, group_mean, group_radius

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


MOST_COMMON = 5000  # larger numbers are rare everywhere
_COMPOUND_END = re.compile(
    r"(?:小区|花园|新村|家园|公寓|花苑|社区|大厦|苑|园|府|城|庭|里|湾|轩|居|郡|邸|公馆|广场)?"
    r"(?P<part>[东西南北中]区|[A-Z]区|\d期)?$"
)


class Builder:
    """Steps of one compilation, in the order they are called; each adds arrays and names."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self.postings: list[tuple[NDArray[Any], int, NDArray[Any], float, int]] = []
        self.names: dict[str, int] = {}
        self.rows: list[tuple[int, int, int, float, int]] = []

    def text(self, name: str, values: Sequence[str]) -> None:
        """Pack a list of texts into two arrays."""
        packed = Strings.pack(values)
        self.arrays[f"{name}_blob"], self.arrays[f"{name}_ptr"] = packed.blob, packed.ptr

    def name(self, folded: str, kind: int, at: int, penalty: float = 0.0, flag: int = 0) -> None:
        """Let a folded name lead to an entity; names of one character or over 40 are left out."""
        if len(folded) >= 2 and len(folded) <= 40:
            self.rows.append((self.names.setdefault(folded, len(self.names)), kind, at, penalty, flag))


def add_plates(build: Builder, rows: Rows) -> None:
    """Door plates: sorted (number, sub-number) of every street and lane, with point, grid and area."""
    number, sub = el.house_numbers(rows.text["number"])
    number, sub = number[rows.code["number"]], sub[rows.code["number"]]
    at = np.flatnonzero((rows.street >= 0) & (number >= 0))
    first, path = distinct_rows(rows.street[at], rows.code["lane"][at])
    lanes = [fold_text(rows.text["lane"][rows.code["lane"][at[i]]]) for i in first]
    path_street = rows.street[at[first]]
    head, group = distinct_rows(path, number[at], sub[at])
    door = _is_door(rows)[at]
    x, y = group_mean(rows.x[at], group, len(head)), group_mean(rows.y[at], group, len(head))
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
        "number_common": commonness(number[plate_row], plate_path, len(lanes)),
    }
    _named_lanes(build, lanes, by_key)


def commonness(
    number: NDArray[np.integer[Any]], owner: NDArray[np.int64], owners: int
) -> NDArray[np.float32]:
    """Share of the streets and lanes that own each number from 0 to 4,999 (门牌号常见度)."""
    low = number < MOST_COMMON
    pairs = np.unique(owner[low].astype(np.int64) * MOST_COMMON + number[low])
    return (np.bincount(pairs % MOST_COMMON) / max(owners, 1)).astype(np.float32)


_Doors = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float64]", "NDArray[np.float64]"]


def _split_doors(
    rows: Rows,
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


def _named_lanes(build: Builder, lanes: list[str], by_key: NDArray[np.intp]) -> None:
    """A lane with a name of its own (新生巷) can be called without its street."""
    for at, i in enumerate(by_key.tolist()):
        if lanes[i] and not lanes[i][0].isdigit():
            build.name(lanes[i], LANE, at, 0.1)


def _is_door(rows: Rows) -> NDArray[np.bool_]:
    """Rows that are a door plate itself, not a building or room behind it."""
    door = np.ones(len(rows.x), bool)
    for column in ("building", "unit", "room", "compound"):
        blank = np.array([t == "" for t in rows.text[column]], bool)
        door &= blank[rows.code[column]] if len(door) else door
    return door


def add_compounds(build: Builder, rows: Rows) -> None:
    """Compounds, their buildings, and households as sorted integers."""
    blank = {c: np.array([t == "" for t in rows.text[c]], bool) for c in ("compound", "building")}
    named = ~blank["compound"][rows.code["compound"]] if len(rows.x) else np.zeros(0, bool)
    built = ~blank["building"][rows.code["building"]] if len(rows.x) else np.zeros(0, bool)
    at = np.flatnonzero(named | (built & (rows.plate >= 0)))
    owner = np.where(named, NONE, rows.plate)[at]  # a nameless compound belongs to its plate
    first, group = distinct_rows(
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
        "compound_x": group_mean(rows.x[at], group, size),
        "compound_y": group_mean(rows.y[at], group, size),
        "compound_radius": np.maximum(group_radius(rows.x[at], rows.y[at], group, size), 15),
        "compound_plate": plate.astype(np.int32),
        "compound_by_plate": by_plate.astype(np.int32),
        "compound_grid": rows.code["grid_id"][at[first]].astype(np.int32),
    }
    for i, name in enumerate(names):
        if name:
            _compound_names(build, fold_text(name), i)
    _buildings(build, rows, at[built[at]], group[built[at]], size)


def _compound_names(build: Builder, folded: str, at: int) -> None:
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
    build: Builder, rows: Rows, at: NDArray[np.int64], compound: NDArray[np.int64], size: int
) -> None:
    codes = np.array([el.building_code(t) for t in rows.text["building"]], np.int64)
    code = codes[rows.code["building"][at]] if len(at) else np.zeros(0, np.int64)
    first, group = distinct_rows(compound, code)
    count = len(first)
    build.arrays |= {
        "building_ptr": np.searchsorted(compound[first], np.arange(size + 1)).astype(np.int64),
        "building_code": code[first].astype(np.int32) if count else np.zeros(0, np.int32),
        "building_x": group_mean(rows.x[at], group, count),
        "building_y": group_mean(rows.y[at], group, count),
        "building_area": rows.area[at[first]].astype(np.int32),
        "building_grid": rows.code["grid_id"][at[first]].astype(np.int32),
        "building_common": commonness(np.clip(code[first], 0, None), compound[first], size),
    }
    unit = np.array([el.unit_code(t) for t in rows.text["unit"]], np.int64)[rows.code["unit"][at]]
    room = np.array([el.room_code(t) for t in rows.text["room"]], np.int64)[rows.code["room"][at]]
    home = (unit > 0) | (room > 0)
    homes = np.sort(household_key(group[home], unit[home], room[home]))
    new = np.ones(len(homes), bool)
    new[1:] = homes[1:] != homes[:-1]
    build.arrays["household"] = homes[new]
