"""What follows a name in an address: lanes, house numbers, buildings, offsets, connectors (地址语法).

Regular expressions over folded text (`normalize.fold`): numerals are digits, `|` parts two numbers.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from geo.address import elements as el

LANE_END = re.compile(r"巷|弄|胡同|支路|支弄|里|坊|条|村|段|街|路")
SECTION = re.compile(r"\|?\d{1,2}段")
LANE_NUMBER = re.compile(r"\|?(\d{1,5})(?:-\d+)?[^\d号]{0,3}?(?:巷|弄|胡同)")
_NUMBER = re.compile(
    r"\|?(?:的|第|门牌号?|NO|#)?(?P<n>\d{1,6})(?!\d)"
    r"(?P<sub>(?:[-之附]\d{1,4})*)"
    r"(?P<mark>号院|号(?!线|楼(?![下上顶前后道梯旁底]))|院)?"
    r"(?P<more>(?:[-之附]\d{1,4}号?|[甲乙丙丁戊己庚辛A-H](?![A-Z座栋幢\d])号?)*)"
)
_NO_HOUSE = re.compile(
    r"号楼(?![下上顶前后道梯旁底])|号线|栋|幢|座|#|单元|米|层|楼(?![下上顶前后道梯旁底])|点|分|岁|元|人|个|年|月|日|路|街|公里|巷|弄"
)
_BUILDING = re.compile(
    r"[|的,]?(?P<b>[A-Z]?\d{1,4}[A-Z]?|[A-Z])(?:号楼|号院|栋|幢|座|#楼|#|楼(?!\d*米)|号(?!线)|-|(?=\d*\|?\d{1,2}单元))"
    r"|[|的]?(?P<dash>\d{1,3})(?=-\d{1,2}-\d{3,4})-"
)
_UNIT = re.compile(r"[|的]?(?P<u>\d{1,2}|[A-Z])(?:单元|门|-)")
_ROOM = re.compile(r"[|的]?(?P<r>\d{3,5})(?:室|户|号房|号|房)?")
_OFFSET = re.compile(
    r"(?:的)?(?:往|向|朝|再往)?(?:约|大约|正)?(?P<dir>东南|东北|西南|西北|东|西|南|北)(?:侧|边|面|方向|方|头|走|约|大约|大概)*"
    r"(?P<m>\d{1,4}|百)(?:多|来|几)?米"
    r"|(?:的)?(?P<m2>\d{1,4}|百)(?:多|来|几)?米(?:处)?(?:的)?(?:正)?(?P<dir2>东南|东北|西南|西北|东|西|南|北)"
)
_SIDE = re.compile(r"(?:的)?(?:正)?(?P<dir>东南|东北|西南|西北|东|西|南|北)(?:侧|边|面)(?!\d)")
_CORNER = re.compile(r"(?:的)?(?P<dir>东南|东北|西南|西北)(?:角|侧|方向|方)?")
_OPPOSITE = re.compile(r"(?:的)?(?:路|街|马路|斜|正)?(?:对面|对过)")
_BESIDE = re.compile(
    r"(?:的)?(?P<w>附近|周边|1带|旁边|旁|隔壁|门口|门前|楼下|后面|前面|院内|里面|路边|[东西南北正后侧]门)"
)
_CROSS = re.compile(r"(?:的)?(?:交叉路口|交叉口|交叉|交汇处|交汇口|交汇|交界处|交界|交接处|相交处|交口|十字路口|10字路口|丁字路口|"
                    r"丁字口|十字口|10字口|十字|10字|路口|街口|口(?!岸))")  # fmt: skip
_JOIN = re.compile(r"^(?:路口|口)?(?:与|和|以及|及|跟|同|、|/|交|靠近|挨着|靠|近|-|\+|\|)?(?:的)?$")
_UNTIL = re.compile(r"^(?:段|路段)?(?:到|至|-|往)$")
_BETWEEN = re.compile(r"(?:的)?(?:之间|中间|段|路段|之间路段)")
_RANGE = re.compile(r"(?:到|至|-)(?P<n>\d{1,6})号(?!楼)")

_COMPASS = {"东": (1, 0), "西": (-1, 0), "南": (0, -1), "北": (0, 1)}

AT_IT = dict.fromkeys(("门口", "门前", "楼下", "院内", "里面"), 0.0)  # the place itself, not one near it
# Words as they are folded: 一带 is 1带.
BESIDE_M = {"附近": 80.0, "周边": 80.0, "1带": 120.0, "后面": 50.0, "前面": 40.0, **AT_IT}


@dataclass(frozen=True, slots=True)
class House:
    """A house number: number, sub-number code, whether 号 was said, and where it ends."""

    number: int
    sub: int
    marked: bool
    start: int
    end: int
    subs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Building:
    """Building, unit and room codes (0 or NO_NUMBER: not said) and where they end."""

    building: int
    unit: int
    room: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Offset:
    """Metres and unit vector of an offset; `kind` is compass, opposite, beside or side."""

    kind: str
    distance_m: float
    direction: tuple[float, float]
    end: int
    text: str


@lru_cache(maxsize=2048)
def lane_ends(text: str, at: int) -> tuple[str, tuple[int, ...], bool]:
    """What may be lanes after a street's name.

    The text up to 号, where lanes may end in it (longest first), and whether it begins like a numbered lane.
    """
    window = text[at : at + 26]
    stop = window.find("号")
    window = window[: stop if stop >= 0 else None]
    ends = tuple(m.end() for m in LANE_END.finditer(window))[::-1]
    return window, ends, LANE_NUMBER.match(window) is not None


@lru_cache(maxsize=2048)
def house(text: str, at: int) -> House | None:
    """Read a house number at a place of folded text, or None."""
    match = _NUMBER.match(text, at)
    if match is None:
        return None
    if not match["mark"] and _NO_HOUSE.match(text, match.end()):
        return None
    more = match["more"].replace("号", "")
    subs = tuple(int(p) for p in re.findall(r"\d+", match["sub"]))
    end = match.end()
    marked = match["mark"] is not None
    if not more and not marked and text[end : end + 1] == "号" and not _NO_HOUSE.match(text, end):
        end, marked = end + 1, True
    return House(int(match["n"]), el.sub_code(match["sub"] + more), marked, match.start("n"), end, subs)


def building(text: str, at: int) -> Building | None:
    """Read building, unit and room at a place: 3号楼2单元501 = 3栋2门501室 = 3-2-501."""
    match = _BUILDING.match(text, at)
    code, end = el.NO_NUMBER, at
    if match is not None:
        code, end = el.building_code(match["b"] or match["dash"]), match.end()
    unit_match = _UNIT.match(text, end)
    unit = 0
    if unit_match is not None:
        unit, end = el.unit_code(unit_match["u"]), unit_match.end()
    room_match = _ROOM.match(text, end) if match is not None or unit_match is not None else None
    room = 0
    if room_match is not None and not re.match(r"米|点|路|街", text[room_match.end() :]):
        room, end = el.room_code(room_match["r"]), room_match.end()
    if match is None and unit_match is None:
        return None
    return Building(code, unit, room, end, text[at:end])


def direction(words: str) -> tuple[float, float]:
    """Unit vector (east, north) of compass words; two words are the diagonal."""
    dx = float(sum(_COMPASS[c][0] for c in words))
    dy = float(sum(_COMPASS[c][1] for c in words))
    norm = math.hypot(dx, dy)
    return (dx / norm, dy / norm) if norm else (0.0, 0.0)


def offset(text: str, at: int) -> Offset | None:
    """Read an offset after an anchor: 西边50米, 对面, 旁边, 北侧; None where there is none."""
    match = _OFFSET.match(text, at)
    if match is not None:
        metres = match["m"] or match["m2"]
        return Offset("compass", 100.0 if metres == "百" else float(metres),
                      direction(match["dir"] or match["dir2"]), match.end(), match[0])  # fmt: skip
    match = _OPPOSITE.match(text, at)
    if match is not None:
        return Offset("opposite", 0.0, (0.0, 0.0), match.end(), match[0])
    match = _BESIDE.match(text, at)
    if match is not None:
        return Offset("beside", BESIDE_M.get(match["w"], 30.0), (0.0, 0.0), match.end(), match[0])
    match = _SIDE.match(text, at)
    if match is not None:
        return Offset("side", 30.0, direction(match["dir"]), match.end(), match[0])
    return None


def crossing_word(text: str, at: int) -> int | None:
    """End of 路口, 交叉口 … at a place, or None."""
    match = _CROSS.match(text, at)
    return match.end() if match else None


def corner(text: str, at: int) -> tuple[tuple[float, float], int] | None:
    """Quadrant (unit vector) and end of 东南角 …, or None."""
    match = _CORNER.match(text, at)
    return (direction(match["dir"]), match.end()) if match else None


def joins(between: str) -> bool:
    """Whether the text between two road names joins them (与, 和, 、 or nothing)."""
    return _JOIN.match(between) is not None


def until(between: str) -> bool:
    """Whether the text between two names means "as far as" (到, 至)."""
    return _UNTIL.match(between) is not None


def between_word(text: str, at: int) -> bool:
    """Whether 之间 or 路段 stands at a place."""
    return _BETWEEN.match(text, at) is not None


def number_range(text: str, at: int) -> tuple[int, int] | None:
    """(last number, end) of 至135号 after a house number, or None."""
    match = _RANGE.match(text, at)
    return (int(match["n"]), match.end()) if match else None
