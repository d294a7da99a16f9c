"""Make labelled texts from a city's own table (造样): the ways people really write and say addresses.

For fitting the confidence of a city and for checking the engine on any city: true place known, text garbled by
class. Roads that are not in the table are among them (`unknown_road`): real names that the search is told to
look away from, and invented ones.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geo.address import elements as el
from geo.address import gazetteer as gz
from geo.address.normalize import fold_text
from geo.address.resolve import house_text
from geo.address.shapes import alike_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geo.address.gazetteer import Gazetteer

T = TypeVar("T")

CLASSES = (
    "clean", "full", "no_district", "homophone", "look_alike", "wrong_char", "missing_char", "extra_char", "style",
    "filler", "reorder", "no_suffix", "wrong_district", "combo", "unseen_number", "unknown_road",
    "home", "home_spoilt", "poi",
)  # fmt: skip

SPOILT = ("homophone", "look_alike", "wrong_char", "missing_char", "extra_char")

_BEFORE = (
    "你好我在",
    "麻烦来人到",
    "我要反映",
    "有人在",
    "",
    "喂，这里是",
    "我家住在",
    "群众来电称",
    "报警，",
    "请尽快到",
    "事发地点是",
    "在",
)
_AFTER = (
    "门口",
    "附近有人吵架",
    "，请来处理",
    "楼下",
    "有井盖坏了",
    "路灯不亮",
    "",
    "旁边",
    "着火了",
    "的垃圾没人清",
    "有车乱停",
)
_HAN_NUMERALS = "一二三四五六七八九十百千零两〇"


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled text. `hidden` names and `without` plate must be looked away from when it is asked."""

    text: str
    kind: str
    x: float
    y: float
    grid: int
    plate: int
    hidden: frozenset[int] = frozenset()
    without: int = -1


@lru_cache(maxsize=1)
def _common() -> list[str]:
    """The 3,755 everyday characters (GB 2312 level 1)."""
    out = []
    for high in range(0xB0, 0xD8):
        for low in range(0xA1, 0xFF):
            try:
                out.append(bytes((high, low)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return out


@lru_cache(maxsize=1)
def _by_sound() -> tuple[dict[str, str], dict[str, list[str]]]:
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 - build time only

    chars = _common()
    sound = {c: lazy_pinyin(c, style=Style.NORMAL)[0] for c in chars}
    groups: dict[str, list[str]] = {}
    for char, s in sound.items():
        groups.setdefault(s, []).append(char)
    return sound, groups


class Garbler:
    """Draws plates of a gazetteer and writes them down in every manner; deterministic for a seed."""

    def __init__(self, gazetteer: Gazetteer, *, seed: int) -> None:
        self.gazetteer = gazetteer
        self.rng = np.random.default_rng(seed)
        g = gazetteer
        self._districts = [i for i, level in enumerate(g.area_level) if level == gz.DISTRICT]
        self._names = {name: i for i, name in enumerate(g.names.texts.tolist())}
        names = g.poi_text.tolist()
        self._poi_street = g.strings("poi_street").tolist()
        self._poi_count = Counter(names)
        self._poi_road_count = Counter(zip(self._poi_street, names, strict=True))
        order = np.argsort(g.path_start)
        self._starts, self._order = g.path_start[order], order

    def sample(self, kind: str) -> Sample | None:
        """One text of a class, or None where this plate cannot be garbled so."""
        g = self.gazetteer
        if kind in ("home", "home_spoilt"):
            return self._home(kind)
        if kind == "poi":
            return self._poi()
        if not len(g.plate_num):
            return None
        plate = int(self.rng.integers(len(g.plate_num)))
        path = int(self._order[np.searchsorted(self._starts, plate, "right") - 1])
        street = int(g.plate_street[plate])
        parts = _Parts(
            self._areas(int(g.plate_area[plate])), g.street_text[street], g.lane_text[path],
            house_text(int(g.plate_num[plate]), int(g.plate_sub[plate])),
        )  # fmt: skip
        if int(g.plate_sub[plate]) >= el.OWN_NAME or not parts.road:
            return None
        hidden: frozenset[int] = frozenset()
        if kind == "unknown_road":
            text, hidden = self._unknown(parts)
        else:
            text = self._text(kind, parts)
        if text is None:
            return None
        away = kind == "unknown_road"
        return Sample(
            text, kind, np.nan if away else float(g.plate_x[plate]), np.nan if away else float(g.plate_y[plate]),
            -1 if away else int(g.plate_grid[plate]), plate, hidden, plate if kind == "unseen_number" else -1,
        )  # fmt: skip

    def _home(self, kind: str) -> Sample | None:
        """A building of a named compound, in one of the styles; `home_spoilt`: a character of its name is wrong."""
        g = self.gazetteer
        if not len(g.building_code):
            return None
        at = int(self.rng.integers(len(g.building_code)))
        compound = int(np.searchsorted(g.building_ptr, at, "right")) - 1
        name, code = g.compound_text[compound], int(g.building_code[at])
        if not name or code >= 10_000:
            return None
        if kind == "home_spoilt":
            spoilt = self.spoil(name, self._pick(SPOILT))
            if spoilt is None:
                return None
            name = spoilt
        areas = self._areas(int(g.building_area[at]))
        lead = areas.get(gz.DISTRICT, "") if self.rng.random() < 0.4 else ""
        style = self._pick(("{n}号楼", "{n}栋", "{n}幢2单元301", "{n}#楼", "{n}-1-201", "{h}号楼"))
        text = lead + name + style.format(n=code, h=cardinal(code))
        return Sample(
            text, kind, float(g.building_x[at]), float(g.building_y[at]), int(g.building_grid[at]), -1
        )

    def _poi(self) -> Sample | None:
        """A point of interest by name, or by its road and its name where several have that name.

        Only its place is true: its row names no grid. None for a common name without a road: nobody could say
        which is meant.
        """
        g = self.gazetteer
        if not len(g.poi_x):
            return None
        at = int(self.rng.integers(len(g.poi_x)))
        text, lead = g.poi_text[at], ""
        if self._poi_count[text] > 1:
            lead = self._poi_street[at]
            if not lead or self._poi_road_count[lead, text] > 1:
                return None
        if self.rng.random() < 0.3:
            text = self.spoil(text, self._pick(SPOILT)) or text
        return Sample(lead + text, "poi", float(g.poi_x[at]), float(g.poi_y[at]), -1, -1)

    def samples(self, per_class: int, kinds: tuple[str, ...] = CLASSES) -> list[Sample]:
        """Up to `per_class` texts of each class."""
        out = []
        for kind in kinds:
            tries = made = 0
            while made < per_class and tries < 20 * per_class:
                tries += 1
                sample = self.sample(kind)
                if sample is not None:
                    out.append(sample)
                    made += 1
        return out

    def _areas(self, area: int) -> dict[int, str]:
        g, out = self.gazetteer, {}
        while area >= 0:
            out[int(g.area_level[area])] = g.area_text[area]
            area = int(g.area_parent[area])
        return out

    def _text(self, kind: str, p: _Parts) -> str | None:
        """What is written for a class; None where this address cannot be garbled so."""
        if kind in SPOILT:
            road = self.spoil(p.road, kind)
            return None if road is None else p.district + road + p.lane + p.number
        writers: dict[str, Callable[[_Parts], str | None]] = {
            "full": lambda q: "".join(q.areas[k] for k in sorted(q.areas)) + q.road + q.lane + q.number,
            "no_district": lambda q: q.road + q.lane + q.number,
            "style": lambda q: self._style(q.text()),
            "filler": lambda q: self._pick(_BEFORE) + q.text() + self._pick(_AFTER),
            "reorder": self._reordered,
            "no_suffix": _without_suffix,
            "wrong_district": self._misplaced,
            "combo": self._combined,
        }
        return writers[kind](p) if kind in writers else p.text()

    def _reordered(self, p: _Parts) -> str:
        rest = p.road + p.lane + p.number
        return self._pick(
            (f"{rest}（{p.district}）", f"{p.district} {p.road} {p.lane} {p.number}", f"{rest}，{p.district}")
        )

    def _misplaced(self, p: _Parts) -> str | None:
        others = [self.gazetteer.area_text[i] for i in self._districts]
        others = [o for o in others if o != p.district]
        return self._pick(others) + p.road + p.lane + p.number if others and p.district else None

    def _combined(self, p: _Parts) -> str | None:
        road = self.spoil(p.road, self._pick(("homophone", "look_alike", "wrong_char")))
        if road is None:
            return None
        district = p.district if self.rng.random() < 0.5 else ""
        return self._pick(_BEFORE) + self._style(district + road + p.lane + p.number) + self._pick(_AFTER)

    def _unknown(self, p: _Parts) -> tuple[str | None, frozenset[int]]:
        """A road that the table does not have: a real one hidden, or an invented one."""
        if p.lane and not p.lane[0].isdigit():
            return None, frozenset()  # a lane with a name of its own says where it is without its road
        if self.rng.random() < 0.5:
            folded = fold_text(p.road)
            stems = {folded, *(s for s, _ in gz.short_roads(folded))}
            return p.text(), frozenset(self._names[s] for s in stems if s in self._names)
        end = re.search(r"(?:大道|路|街|巷|村|里)?$", p.road)
        stem = "".join(self._pick(_common()) for _ in range(2))
        if fold_text(stem + (end[0] if end else "路")) in self._names:
            return None, frozenset()
        return p.district + stem + (end[0] if end and end[0] else "路") + p.lane + p.number, frozenset()

    def spoil(self, name: str, kind: str) -> str | None:
        """A name with one character wrong, missing or extra; None where it has none to spoil."""
        last = len(name) - (1 if len(name) > 2 else 0)
        places = [i for i in range(last) if "一" <= name[i] <= "鿿" and name[i] not in _HAN_NUMERALS]
        if not places or (kind == "missing_char" and len(name) < 4):
            return None
        i = int(self._pick(places))
        if kind == "missing_char":
            return name[:i] + name[i + 1 :]
        if kind == "extra_char":
            return name[: i + 1] + self._pick((name[i], *"大小新老上下")) + name[i + 1 :]
        sound, groups = _by_sound()
        if kind == "homophone":
            options = [c for c in groups.get(sound.get(name[i], ""), []) if c != name[i]]
        elif kind == "look_alike":
            options = alike_of(name[i])
        else:
            options = _common()
        return name[:i] + self._pick(options) + name[i + 1 :] if options else None

    def _style(self, text: str) -> str:
        """Numbers in another style: full width, Chinese numerals, 附 for 之."""
        style = self._pick(("wide", "han", "digits", "sub"))
        if style == "wide":
            return "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in text)
        if style == "sub":
            return re.sub("号之", self._pick(("附", "-", "号附")), text)
        if style == "han":
            return re.sub(r"\d+", lambda m: cardinal(int(m[0])) if int(m[0]) < 10_000 else m[0], text)
        return re.sub(r"\d+", lambda m: "".join("零一二三四五六七八九"[int(c)] for c in m[0]), text)

    def _pick(self, options: Sequence[T]) -> T:
        return options[int(self.rng.integers(len(options)))]


def _without_suffix(p: _Parts) -> str | None:
    road = re.sub(r"(?<=..)(?:大道|路|街)$", "", p.road)
    number = p.number.replace("号之", "-").rstrip("号")
    return None if road == p.road and number == p.number else p.district + road + p.lane + number


@dataclass(frozen=True, slots=True)
class _Parts:
    areas: dict[int, str]
    road: str
    lane: str
    number: str

    @property
    def district(self) -> str:
        return self.areas.get(gz.DISTRICT) or self.areas.get(gz.TOWN, "")

    def text(self) -> str:
        return self.district + self.road + self.lane + self.number


def cardinal(n: int) -> str:
    """Chinese cardinal of 0 to 9999 (113 → 一百一十三)."""
    digits = "零一二三四五六七八九"
    if n == 0:
        return "零"
    out, zero = "", False
    for scale, word in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, n = divmod(n, scale)
        if digit:
            out += ("零" if zero else "") + digits[digit] + word
            zero = False
        elif out and n:
            zero = True
    return out.removeprefix("一") if out.startswith("一十") else out
