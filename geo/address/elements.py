"""Elements of a standard address (标准地址要素): from columns where the table has them, else from its text.

Levels follow GA/T 2000.32: 13 district, 2x town, 3x village or community, 41 street or lane, 42/43 compound,
50 building, 61 unit, 62 room. A house number is one integer and a sub-number (之12, 附3, 甲) another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from geo.address.normalize import fold, fold_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_STEMS = "甲乙丙丁戊己庚辛"
NO_NUMBER = -1
OWN_NAME = 1 << 30  # codes from here on are hashes of named buildings or odd sub-numbers

COLUMNS = ("district", "town", "village", "road", "lane", "number", "compound", "building", "unit", "room")

_HOUSE = re.compile(
    r"^\|?(?P<n>\d{1,6})(?P<sub>(?:号?[-之附]\d{1,4}|号?[甲乙丙丁戊己庚辛A-H](?![A-Z座栋]))*)(?:号)?"
)


def _mixed(text: str) -> int:
    """Stable 30-bit code of a text that is no number."""
    h = 0
    for char in text:
        h = (h * 1_000_003 + ord(char)) & 0x3FFFFFFF
    return OWN_NAME | h


@lru_cache(maxsize=100_000)
def sub_code(text: str) -> int:
    """Code of a sub-number: 0 none, 之12 / 附12 / -12 → 12, 甲 / A → 10001, anything else a hash."""
    parts = re.findall(r"\d+|[甲乙丙丁戊己庚辛A-H]", text)
    if not parts:
        return 0
    if len(parts) == 1:
        part = parts[0]
        if part.isdigit():
            return min(int(part), 9999)
        return 10_001 + (_STEMS.index(part) if part in _STEMS else LETTERS.index(part))
    return _mixed("-".join(parts))


@lru_cache(maxsize=200_000)
def house_number(text: str) -> tuple[int, int]:
    """(number, sub-number code) of a house-number text (门牌号); (NO_NUMBER, 0) where there is none."""
    match = _HOUSE.match(fold_text(text))
    if match is None:
        return NO_NUMBER, 0
    return int(match["n"]), sub_code(match["sub"])


_BUILDING = re.compile(r"^第?([A-Z]?)-?(\d{0,4})([A-Z]?)(?:号楼|栋|幢|座|#楼|#|号|楼)?$")


@lru_cache(maxsize=200_000)
def building_code(text: str) -> int:
    """Code of a building's number or name (楼栋): 3栋, 三号楼 and 3# are all 3; A座 is 100,000."""
    folded = fold_text(text)
    if not folded:
        return NO_NUMBER
    match = _BUILDING.match(folded)
    if match is None or not (match[1] or match[2]):
        return _mixed(folded)
    first = LETTERS.index(match[1]) + 1 if match[1] else 0
    last = LETTERS.index(match[3]) + 1 if match[3] else 0
    return (first or last) * 100_000 + int(match[2] or 0) if first or last else int(match[2])


@lru_cache(maxsize=20_000)
def unit_code(text: str) -> int:
    """Code of a unit (单元), 0 for none, 1 to 63."""
    folded = fold_text(text)
    match = re.match(r"^第?(\d{1,2})|^([A-Z])", folded)
    if match is None:
        return 0
    return min(int(match[1]), 63) if match[1] else 32 + LETTERS.index(match[2]) % 31


@lru_cache(maxsize=100_000)
def room_code(text: str) -> int:
    """Code of a room (室), 0 for none, 1 to 16383."""
    match = re.match(r"^\D{0,2}(\d{1,5})", fold_text(text))
    return min(int(match[1]), 16_383) if match else 0


_TAIL = re.compile(
    r"^(?P<head>.*?)"
    r"(?:(?P<building>(?:[A-Z]?\d{1,4}[A-Z]?|[A-Z])(?:号楼|栋|幢|座|#楼|#)))?"
    r"(?:(?P<unit>(?:\d{1,2}|[A-Z])(?:单元|门)))?"
    r"(?:(?P<room>[A-Z]?\d{3,5})(?:室|户|房|号房)?|(?P<floor>\d{1,2}楼(?:[-之]\d+)?))?$"
)
_ADMIN = re.compile(
    r"^(?:[一-鿿]{2,7}?(?:省|自治区))?(?:[一-鿿]{2,6}?(?:市|自治州|盟))?"
    r"(?P<district>[一-鿿]{1,5}?(?:区|县|旗|市)(?![一-鿿]?(?:路|街)))?"
    r"(?P<town>[一-鿿]{1,6}?(?:街道办事处|街道|镇|乡|苏木)(?!路|街|东|西|南|北|\d))?"
    r"(?P<village>[一-鿿\d]{1,7}?(?:社区居委会|社区|居委会|村委会|行政村|里|村)(?!路|街|\d|东路|西路))?"
)
_STREET = re.compile(
    r"^(?P<road>[^\d].{0,12}?(?:大道|公路|大街(?!路)|路|街(?!路)|道)(?:[东西南北中]?\d{1,2}段)?"
    r"|\d{1,2}[^\d]{0,6}?(?:大道|公路|路|街|道)(?:\d{1,2}段)?)"
    r"(?P<lane>.*)$"
)
_NUMBER_START = re.compile(r"\|?\d{1,6}(?:[-之附]\d{1,4})*(?:号(?!楼)|$)")


@lru_cache(maxsize=65_536)
def split_text(text: str) -> tuple[str, ...]:
    """Elements of one standard address text as it writes them, in the order of `COLUMNS`; "" for what it lacks."""
    given = fold(text)
    spans = _spans(given.text)
    ends = (*given.source, len(text))
    return tuple(text[ends[a] : ends[b]].strip(" ,，;；") if b > a else "" for a, b in spans)


_Span = tuple[int, int]


def _spans(folded: str) -> tuple[_Span, ...]:
    """(start, end) of every element in folded text."""
    none = (0, 0)
    admin = _ADMIN.match(folded)
    start = admin.end() if admin else 0
    areas = [admin.span(g) if admin and admin[g] else none for g in ("district", "town", "village")]
    if start >= len(folded) or folded[start] in "号栋-":  # the admin part took what it should not have
        start, areas = 0, [none, none, none]
    road = lane = number = none
    tail = start
    plate = next((m for m in _NUMBER_START.finditer(folded, start) if m.start() > start), None)
    if plate is not None:
        more = _NUMBER_MORE.match(folded, plate.end())
        tail = more.end() if more else plate.end()
        number = plate.start() + (folded[plate.start()] == "|"), tail
        road, lane = _street(folded, start, plate.start())
    end = _TAIL.match(folded[tail:])
    rest = [none] * 4
    if end is not None:
        rest = [(tail + a, tail + b) for a, b in (end.span(g) for g in ("head", "building", "unit", "room"))]
    return (*areas, road, lane, number, *rest)


_NUMBER_MORE = re.compile(r"(?:[-之附]\d{1,4}号?|[甲乙丙丁](?![一-鿿]))+")


def _street(folded: str, start: int, stop: int) -> tuple[_Span, _Span]:
    """Spans of the street and of the lanes between the areas and the number."""
    before = folded[start:stop]
    match = _STREET.match(before) or _LANED.match(before)
    if match is None:
        return (start, stop), (0, 0)
    split = start + match.end("road")
    return (start, split), (split, stop)


_LANED = re.compile(r"^(?P<road>.*?[^\d|])(?P<lane>\|?\d+(?:-\d+)?[^\d]{0,4}(?:巷|弄).*)$")


@dataclass(frozen=True, slots=True)
class Coded:
    """Text columns as codes into their distinct texts: a table of millions in four bytes a value."""

    code: dict[str, NDArray[np.int32]]
    text: dict[str, list[str]]

    def blank(self, name: str) -> NDArray[np.bool_]:
        """Rows without a text in a column."""
        return np.array([t == "" for t in self.text[name]], bool)[self.code[name]]


def coded(addresses: pd.DataFrame) -> Coded:
    """Element columns of an address table as codes (地址要素): the given ones, or parsed from the text.

    Parameters
    ----------
    addresses
        Table `addresses`: `standard`, and any of the element columns and `grid_id`. Categorical columns are
        taken as they are.

    Returns
    -------
    Coded
        `COLUMNS` and `grid_id`, "" for what is missing. A row whose road, number, compound and building are
        all empty is parsed from `standard`; the row's own district, town and village stay.
    """
    code: dict[str, NDArray[np.int32]] = {}
    text: dict[str, list[str]] = {}
    for name in (*COLUMNS, "grid_id"):
        if name in addresses.columns:
            code[name], text[name] = _factorized(addresses[name])
        else:
            code[name], text[name] = np.zeros(len(addresses), np.int32), [""]
    given = Coded(code, text)
    bare = np.ones(len(addresses), bool)
    for name in ("road", "number", "compound", "building"):
        bare &= given.blank(name)
    if "standard" in addresses.columns and bare.any():
        _parse_into(given, np.flatnonzero(bare), addresses["standard"])
    return given


def _factorized(values: pd.Series) -> tuple[NDArray[np.int32], list[str]]:
    """Codes and distinct texts of a column; a missing value is ""."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, unique = values.cat.codes.to_numpy(), values.cat.categories
    else:
        codes, unique = pd.factorize(values)
    texts = [str(u) for u in unique]
    if (codes < 0).any() or not texts:
        blank = texts.index("") if "" in texts else len(texts)
        if blank == len(texts):
            texts.append("")
        codes = np.where(codes < 0, blank, codes)
    return codes.astype(np.int32), texts


_ROOMS = (
    r"^(?P<head>.*?[^0-9A-Z-])"
    r"(?P<building>(?:[A-Z]?[0-9]{1,4}[A-Z]?|[A-Z])(?:号楼|栋|幢|座|#楼|#))?"
    r"(?P<unit>[0-9]{1,2}(?:单元|门))?"
    r"(?P<room>[0-9]{3,5}(?:室|户|房)?)?$"
)


def _parse_into(given: Coded, rows: NDArray[np.intp], standard: pd.Series) -> None:
    """Parse the texts of some rows and put what the row lacks into its columns.

    Building, unit and room are cut off first, all rows at once: what remains is one text a door, not a home.
    """
    texts = pa.array(
        standard.iloc[rows].astype("object").where(standard.iloc[rows].notna(), ""), pa.large_string()
    )
    parts = pc.extract_regex(texts, _ROOMS)
    whole = parts.is_null()
    head = pc.if_else(whole, texts, pc.struct_field(parts, "head")).dictionary_encode()
    table = np.array([split_text(t) for t in head.dictionary.to_pylist()], object).reshape(-1, len(COLUMNS))
    door = head.indices.to_numpy()
    for i, name in enumerate(COLUMNS):
        codes, unique = pd.factorize(table[:, i]) if len(table) else (np.zeros(0, np.int64), np.array([""]))
        mine = [str(u) for u in unique]
        value = codes[door]
        if name in ("building", "unit", "room"):
            tail = pc.fill_null(pc.struct_field(parts, name), "").dictionary_encode()
            words = [t or "" for t in tail.dictionary.to_pylist()]
            cut = tail.indices.to_numpy()
            said = np.array([bool(w) for w in words], bool)[cut]
            value = np.where(said, cut + len(mine), value)
            mine += words
        _fill(given, name, rows, value, mine)


def _fill(
    given: Coded, name: str, rows: NDArray[np.intp], value: NDArray[np.int64], words: list[str]
) -> None:
    """Set the blank values of a column in some rows."""
    known = {t: i for i, t in enumerate(given.text[name])}
    place = np.array([known.setdefault(w, len(known)) for w in words], np.int32)
    blank = given.blank(name)[rows]
    given.code[name][rows[blank]] = place[value[blank]]
    given.text[name][:] = list(known)


def house_numbers(texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(number, sub-number code) arrays of house-number texts."""
    table = np.array([house_number(t) for t in texts], np.int64).reshape(-1, 2)
    return table[:, 0].astype(np.int32), table[:, 1].astype(np.int32)
