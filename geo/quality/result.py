"""The answer of the datum verdict, and how it is said (判定结果)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {
    "wgs84": ("CGCS2000 / WGS-84", "CGCS2000 / WGS-84"),
    "gcj02": ("GCJ-02", "GCJ-02 火星坐标"),
    "bd09": ("BD-09", "BD-09 百度坐标"),
    "swapped": ("longitude and latitude swapped", "经纬度颠倒"),
    "mixed": ("mixed", "混合坐标"),
    "unknown": ("unknown", "无法判定"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file's coordinates are (判定结果).

    Attributes
    ----------
    verdict
        `wgs84` (CGCS2000 and WGS-84), `gcj02`, `bd09`, `swapped`, `EPSG:n`, `mixed` or `unknown`.
    source
        Name for `geo.crs.convert`, empty where that is not settled.
    swapped
        The first column is latitude or northing.
    unit
        `degree`, `metre` or `foot` of the numbers; empty where that is not settled.
    margin
        Standard deviations by which the named system beats the next best explanation; 0 for unknown and mixed.
    evidence
        What was tried: one mapping per trial and kind of evidence.
    message, message_zh
        One line for people.
    reference
        Datum in which the city's own data appear to be; `wgs84` unless the evidence says otherwise.
    content
        Offset inside the numbers: `wgs84` for none. A projected system with another content has no `source`.
    equivalents
        EPSG names that put the points within 300 m of the same place.
    candidates
        What an `unknown` may be.
    parts
        Verdict of each source unit, or number of rows per reading, where the file is `mixed`.
    """

    verdict: str
    source: str = ""
    swapped: bool = False
    unit: str = ""
    margin: float = 0.0
    evidence: tuple[Mapping[str, Any], ...] = ()
    message: str = ""
    message_zh: str = ""
    reference: str = "wgs84"
    content: str = "wgs84"
    equivalents: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain mapping for JSON; parts as mappings too."""
        parts = {k: v.as_dict() if isinstance(v, Verdict) else v for k, v in self.parts.items()}
        return {
            "verdict": self.verdict, "margin": round(self.margin, 2), "source": self.source,
            "swapped": self.swapped, "unit": self.unit, "reference": self.reference, "content": self.content,
            "equivalents": list(self.equivalents), "candidates": list(self.candidates), "parts": parts,
            "message": self.message, "message_zh": self.message_zh, "evidence": [dict(e) for e in self.evidence],
        }  # fmt: skip


def spoken(given: Verdict) -> Verdict:
    """Add the two lines for people."""
    en, zh = _NAMES.get(given.verdict, (given.verdict, given.verdict))
    content = _NAMES[given.content]
    if given.unit == "foot":
        en, zh = f"{en}, feet", f"{zh}，英尺"
    if given.verdict == "swapped":
        en, zh = f"{en}, {content[0]}", f"{zh}，{content[1]}"
    elif given.swapped:
        en, zh = f"{en}, northing first", f"{zh}，北坐标在前"
    if given.verdict.startswith("EPSG") and given.content != "wgs84":
        en, zh = f"{en} with {content[0]} offsets inside", f"{zh}，内含 {content[1]} 偏移"
    if given.reference != "wgs84":
        other = _NAMES[given.reference]
        en, zh = f"{en}; what it is compared with looks like {other[0]}", f"{zh}；所比对的数据像是 {other[1]}"
    return replace(given, message=en, message_zh=zh)
