"""Codes of grids and cameras (网格编码、设备编码): parsed once, at the door.

A grid code scheme is configuration: named segments with lengths. Presets follow the published standards where
they could be read and say where they could not; a city writes its own as text, for example
``"county:6 street:3 community:3 serial:3"``. Without a scheme grid codes are opaque strings.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.errors import CodeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

SEGMENTS: Mapping[str, tuple[str, int]] = {
    "object": ("对象", 3),
    "county": ("县区", 0),
    "street": ("街道 / 乡镇", 1),
    "community": ("社区 / 村", 2),
    "serial": ("序号", 3),
    "micro": ("微网格序号", 4),
}
"""Segments that a scheme may name: Chinese name, and the grid level (层级) at which each first appears."""

STREET_KINDS: Mapping[str, tuple[int, int]] = {"街道": (1, 99), "镇": (100, 199), "乡": (200, 399)}
"""Kind of a town-level unit by its three digits (GB/T 10114)."""


def _plain(text: object) -> str:
    """Full-width digits to plain ones, blanks at the ends off (全角转半角)."""
    return unicodedata.normalize("NFKC", str(text)).strip()


@dataclass(frozen=True, slots=True)
class GridScheme:
    """A grid code scheme (网格编码方案): segments in order, each a name of `SEGMENTS` and its digits."""

    name: str
    segments: tuple[tuple[str, int], ...]
    source: str = ""

    @property
    def length(self) -> int:
        """Digits of a base grid's code."""
        return sum(digits for name, digits in self.segments if SEGMENTS[name][1] <= 3)

    def lengths(self, level: int) -> tuple[int, ...]:
        """Numbers of digits that a code of this grid level may have (各层级允许的位数).

        Towns and villages carry the region part alone (9 and 12 digits where county, street and community
        have 6, 3 and 3), or the same filled up with zeros to a full region code or a base grid's length.
        """
        if level >= 4:
            micro = sum(digits for name, digits in self.segments if name == "micro")
            return (self.length + micro,) if micro else ()
        if level == 3:
            return (self.length,)
        return tuple(sorted({self.region_digits(level), self.region_digits(2), self.length}))

    def region_digits(self, level: int) -> int:
        """Digits of county, street and community down to a level (1 or 2)."""
        return sum(digits for name, digits in self.segments if SEGMENTS[name][1] <= level)

    def slices(self) -> dict[str, slice]:
        """Where each segment stands in a base grid's code."""
        ends = np.cumsum([digits for _, digits in self.segments])
        return {
            name: slice(int(end) - digits, int(end))
            for (name, digits), end in zip(self.segments, ends, strict=True)
        }

    def region(self, codes: pd.Series, level: int) -> pd.Series:
        """Region digits (county, street, community) in the codes of grids of one level (所属区划).

        Text on the index of `codes`, with as many region segments as the level has; for codes of a wrong
        length the result means nothing: ask `faults` first.
        """
        wide, short = self.slices()["county"].start, self.region_digits(min(level, 2))
        from_start, behind = codes.str.slice(0, short), codes.str.slice(wide, wide + short)
        return behind.where(codes.str.len() >= self.length, from_start)


@dataclass(frozen=True, slots=True)
class GridCode:
    """A grid code, parsed (网格编码)."""

    text: str
    scheme: GridScheme
    level: int
    parts: Mapping[str, str]

    @classmethod
    def parse(cls, text: str, scheme: GridScheme, *, level: int = 3) -> GridCode:
        """Parse one code of a grid level; full-width digits are accepted.

        Raises `CodeError` naming the value and what is allowed: wrong length, or anything but digits.

        Examples
        --------
        >>> GridCode.parse("370402001001005", scheme("15")).parts["street"]
        '001'
        """
        plain = _plain(text)
        fault = faults(pd.Series([plain], dtype="str"), pd.Series([level]), scheme).iloc[0]
        if fault:
            allowed = " or ".join(map(str, scheme.lengths(level))) or "no code of this level"
            raise CodeError(f"grid code {text!r}: {fault}; allowed: {allowed} digits (scheme {scheme.name})")
        if level >= 3:
            parts = {name: plain[where] for name, where in scheme.slices().items() if plain[where]}
        else:
            parts, at = {}, 0
            for name, digits in scheme.segments:
                if SEGMENTS[name][1] <= level:
                    parts[name] = plain[at : at + digits]
                    at += digits
        return cls(plain, scheme, level, parts)

    @property
    def street_kind(self) -> str:
        """街道, 镇 or 乡 by the street digits; empty where they say nothing."""
        return street_kind(self.parts.get("street", ""))


def street_kind(digits: str) -> str:
    """Kind of a town-level unit by its three digits: 街道, 镇, 乡; empty for any other text."""
    number = int(digits) if re.fullmatch(r"[0-9]{3}", digits) else -1
    return next((kind for kind, (low, high) in STREET_KINDS.items() if low <= number <= high), "")


PRESETS: Mapping[str, GridScheme] = {
    s.name: s
    for s in (
        GridScheme(
            "15", (("county", 6), ("street", 3), ("community", 3), ("serial", 3)), "Beijing DB11, 单元网格"
        ),
        GridScheme(
            "14", (("county", 6), ("street", 3), ("community", 3), ("serial", 2)),
            "common in cities; from memory, no text at hand",
        ),
        GridScheme(
            "20", (("object", 6), ("county", 6), ("street", 3), ("community", 3), ("serial", 2)),
            "CJ/T 349-2010",
        ),
        GridScheme("region", (("county", 6), ("street", 3), ("community", 3)), "12-digit 区划代码"),
    )
}  # fmt: skip

_ALIASES = {"12": "region", "beijing": "15", "beijing15": "15", "cjt349": "20"}


@lru_cache(maxsize=64)
def scheme(text: str) -> GridScheme:
    """Return a preset by name, or the scheme that a text describes (编码方案).

    `text` is one of ``15``, ``14``, ``20``, ``region``, or segments as ``name:digits`` with blanks between:
    names of `SEGMENTS`, each once, county before street before community before serial.

    Raises
    ------
    UnknownNameError
        For a preset or a segment that does not exist.
    CodeError
        For a text that is not a scheme: repeated segment, no digits, wrong order, no county.
    """
    name = _ALIASES.get(text.strip().lower(), text.strip())
    if name in PRESETS:
        return PRESETS[name]
    if ":" not in name:
        raise UnknownNameError("grid code scheme", text, [*PRESETS, "county:6 street:3 community:3 serial:3"])
    segments = []
    for part in re.split(r"[\s,]+", name):
        segment, _, digits = part.partition(":")
        if segment not in SEGMENTS:
            raise UnknownNameError("segment of a grid code", segment, SEGMENTS)
        if not re.fullmatch(r"[1-9]|1[0-9]", digits):
            raise CodeError(f"scheme {text!r}: {part!r} needs a number of digits, 1 to 19")
        segments.append((segment, int(digits)))
    names = [segment for segment, _ in segments]
    order = [n for n in SEGMENTS if n != "object" and n in names]
    if "county" not in names or len(set(names)) < len(names) or [n for n in names if n != "object"] != order:
        raise CodeError(
            f"scheme {text!r}: each segment once, in the order {', '.join(SEGMENTS)}; county is needed"
        )
    return GridScheme(name, tuple(segments))


def faults(codes: pd.Series, level: pd.Series, scheme: GridScheme) -> pd.Series:
    """Name what breaks the scheme in each code (编码是否合规), in English; empty where nothing does.

    Parameters
    ----------
    codes
        Text. Missing counts as empty.
    level
        Grid level 1 to 4, same length.
    scheme
        Any scheme.

    Returns
    -------
    Series
        Text on the index of `codes`: `empty`, `not digits`, `N digits`, or an empty text.
        No codes: an empty Series.
    """
    text = codes.fillna("").astype("str")
    digits = text.str.len().to_numpy("int64")
    levels = level.fillna(3).to_numpy("int64")
    fine = np.zeros(len(text), bool)
    for value in np.unique(levels):
        here = levels == value
        allowed = scheme.lengths(int(value))
        fine[here] = np.isin(digits[here], allowed) if allowed else True
    result = np.where(fine, "", np.char.add(digits.astype("str"), " digits")).astype(object)
    result[~text.str.fullmatch(r"[0-9]*").to_numpy(bool)] = "not digits"
    result[digits == 0] = "empty"
    return pd.Series(result, index=codes.index, dtype="str")


# --- cameras: GB/T 28181 --------------------------------------------------------------------------

INDUSTRIES: Mapping[str, str] = {
    "00": "社会治安路面接入", "01": "社会治安社区接入", "02": "社会治安内部接入", "03": "社会治安其他接入",
    "04": "交通路面接入", "05": "交通卡口接入", "06": "交通内部接入", "07": "交通其他接入",
    "08": "城市管理接入", "09": "卫生环保接入", "10": "商检海关接入",
    "11": "教育部门接入", "12": "民航接入", "13": "铁路接入",
    "14": "航运接入", "40": "农、林、牧、渔业接入",
}  # fmt: skip
"""Industry digits 9-10, from independent implementations of GB/T 28181; more exist, so none is refused."""

CAMERA_TYPES: Mapping[str, str] = {
    "111": "DVR", "118": "NVR", "121": "卡口", "122": "多目设备", "131": "摄像机", "132": "网络摄像机",
}  # fmt: skip
"""Type digits 11-13 that may stand in a register of cameras."""

OTHER_TYPES: Mapping[str, str] = {
    "134": "报警输入设备", "200": "中心信令控制服务器", "215": "业务分组", "216": "虚拟组织",
}  # fmt: skip
"""Type digits of things that are not cameras: a catalogue holds them, a register of cameras should not."""


@dataclass(frozen=True, slots=True)
class CameraCode:
    """A device code of GB/T 28181 (国标设备编码), 20 digits; the older 16 digits are read and never written.

    `network` is the network id of the 2022 edition, the first serial digit before it: both are accepted. Of a
    16-digit code only `centre` and `industry` are taken, the rest stays in `serial`.
    """

    centre: str
    industry: str
    type: str
    network: str
    serial: str

    @classmethod
    def parse(cls, text: str) -> CameraCode:
        """Parse a 20-digit or 16-digit code; `CodeError` names the value and what is allowed.

        Examples
        --------
        >>> CameraCode.parse("34020000001320000001").type
        '132'
        """
        plain = _plain(text)
        if not re.fullmatch(r"[0-9]{20}|[0-9]{16}", plain):
            raise CodeError(
                f"camera code {text!r}: {len(plain)} characters; allowed: 20 digits (GB/T 28181), or 16"
            )
        if len(plain) == 16:
            return cls(plain[:8], plain[8:10], "", "", plain[10:])
        return cls(plain[:8], plain[8:10], plain[10:13], plain[13], plain[14:])

    @property
    def is_current(self) -> bool:
        """Whether this is a 20-digit code, the only kind that is written."""
        return bool(self.type)

    @property
    def civil_code(self) -> str:
        """Region of the centre code: 6 digits (行政区划代码)."""
        return self.centre[:6]

    def __str__(self) -> str:
        """20 digits; `CodeError` for a code that was read with 16."""
        if not self.is_current:
            raise CodeError(
                f"camera code {self.centre}{self.industry}{self.serial}: 16 digits are read, never written"
            )
        return f"{self.centre}{self.industry}{self.type}{self.network}{self.serial}"


def camera_faults(codes: pd.Series) -> pd.Series:
    """Name what breaks GB/T 28181 in each camera code; empty where nothing does (设备编码是否合规).

    Text on the index of `codes`: `empty`, `not digits`, `N digits`, `16 digits (old rule)`, `type NNN is not
    a camera`. An unknown type or industry is no fault: registers carry more than the published lists.
    """
    text = codes.fillna("").astype("str")
    digits = text.str.len().to_numpy("int64")
    kind = text.str.slice(10, 13).to_numpy()
    result = np.where(digits == 20, "", np.char.add(digits.astype("str"), " digits")).astype(object)
    result[digits == 16] = "16 digits (old rule)"
    other = (digits == 20) & np.isin(kind, list(OTHER_TYPES))
    result[other] = [f"type {k} is not a camera" for k in kind[other]]
    result[~text.str.fullmatch(r"[0-9]*").to_numpy(bool)] = "not digits"
    result[digits == 0] = "empty"
    return pd.Series(result, index=codes.index, dtype="str")
