"""Colours, shapes and words of the map (图例样式): data that the browser, the legend and the printed map share.

A colour never stands alone: every entry has its word in Chinese and English and, for points, its own shape.
Categories use the Okabe-Ito palette, ranks a single-hue ramp; both can be told apart with colour-blind eyes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

Shape = Literal[
    "circle", "square", "triangle", "diamond", "cross", "pentagon", "star", "fill", "line", "hatch", "text"
]

BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, YELLOW, GREY, DARK = "#cc79a7", "#56b4e9", "#f0e442", "#7f7f7f", "#222222"
RAMPS: Mapping[str, tuple[str, ...]] = {
    "orange": ("#fdd9b5", "#fdae6b", "#f2813a", "#d95008", "#8c2d04"),
    "purple": ("#dedeee", "#bcb8dc", "#958ec4", "#705aab", "#4a1486"),
    "green": ("#d3eecd", "#a3d99b", "#64bc6e", "#258c44", "#00501f"),
    "red": ("#fdd3c1", "#fc9f81", "#f4614a", "#cd1f26", "#80000f"),
    "blue": ("#d3e3f3", "#9fc9e2", "#5ba3d0", "#2474b7", "#083a7a"),
}
RANKS = (("很低", "very low"), ("较低", "low"), ("中等", "medium"), ("较高", "high"), ("很高", "very high"))
NO_VALUE = "#eeeeee"
HIDDEN = "#c8c8c8"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a legend: a value, its words, colour and shape."""

    value: str | int
    zh: str
    en: str
    colour: str
    shape: Shape = "fill"


@dataclass(frozen=True, slots=True)
class Style:
    """How the features of a layer look.

    Attributes
    ----------
    by
        Property whose value chooses the entry; empty: the first entry for all.
    entries
        The legend, in order; a value without an entry takes the last one.
    mark
        A second property drawn as an outline (overdue, out of order) or, on areas, as a hatch (not stable); its
        entries without a match draw none.
    opacity, weight, radius
        Of fill 0 to 1; of lines, pixels; of points, pixels.
    label
        Property that is written beside the feature.
    """

    by: str = ""
    entries: tuple[Entry, ...] = ()
    mark: Style | None = None
    opacity: float = 0.85
    weight: float = 1.0
    radius: float = 6.0
    label: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the style as plain data for the browser."""
        return asdict(self)


def one(colour: str, zh: str, en: str, shape: Shape = "fill", **more: Any) -> Style:  # noqa: ANN401
    """Return a style with one look for everything."""
    return Style(entries=(Entry("", zh, en, colour, shape),), **more)


def entries(rows: Iterable[tuple[str | int, str, str, str, Shape]]) -> tuple[Entry, ...]:
    """Return legend entries from rows of value, 中文, English, colour, shape."""
    return tuple(Entry(*row) for row in rows)


HAZARD_LEVELS = entries(
    [
        (1, "一级（红）重大", "level 1, major (red)", "#c8102e", "triangle"),
        (2, "二级（橙）较大", "level 2, serious (orange)", "#f28e2b", "diamond"),
        (3, "三级（黄）一般", "level 3, ordinary (yellow)", "#f0d000", "square"),
        (4, "四级（蓝）低", "level 4, low (blue)", "#2c7bb6", "circle"),
        (0, "未定级", "not rated", GREY, "cross"),
    ]
)
CAMERA_STATES = entries(
    [
        ("on", "在线", "online", BLUE, "circle"),
        ("off", "离线", "offline", GREY, "cross"),
        ("vlost", "视频丢失", "no picture", ORANGE, "diamond"),
        ("defect", "故障", "defect", VERMILION, "triangle"),
        ("repair", "维修", "in repair", PURPLE, "square"),
        ("removed", "拆除", "removed", "#bbbbbb", "cross"),
        ("unknown", "未知", "unknown", "#999999", "pentagon"),
    ]
)
FACILITY_KINDS = entries(
    [
        ("smoke_alarm", "烟感报警器", "smoke alarm", VERMILION, "circle"),
        ("lpg_cylinder", "液化气瓶", "LPG cylinder", ORANGE, "square"),
        ("ebike_charger", "电动自行车充电桩", "e-bike charger", GREEN, "diamond"),
        ("hydrant", "消火栓", "hydrant", "#c8102e", "triangle"),
        ("police_post", "警务室", "police post", BLUE, "pentagon"),
        ("police_station", "派出所", "police station", "#08306b", "star"),
        ("fire_station", "消防站", "fire station", "#8c1515", "star"),
        ("aed", "AED", "AED", PURPLE, "cross"),
        ("clinic", "医疗机构", "clinic", SKY, "cross"),
        ("shelter", "应急避难场所", "shelter", "#6a51a3", "square"),
        ("poi", "兴趣点", "point of interest", "#999999", "circle"),
        ("other", "其他", "other", GREY, "circle"),
    ]
)
FACILITY_MARKS = entries(
    [
        ("alarm", "报警（粗红圈）", "alarm (thick red ring)", "#c8102e", "circle"),
        ("fault", "故障（粗黑圈）", "fault (thick black ring)", DARK, "circle"),
        ("offline", "离线（粗灰圈）", "offline (thick grey ring)", "#5a5a5a", "circle"),
    ]
)
TARGET_CLASSES = entries(
    [
        (1, "一类目标", "class 1", VERMILION, "star"),
        (2, "二类目标", "class 2", ORANGE, "diamond"),
        (3, "三类目标", "class 3", SKY, "square"),
    ]
)
INCIDENT_STAGES = entries(
    [
        ("found", "发现", "found", VERMILION, "triangle"),
        ("screened", "甄别", "screened", ORANGE, "diamond"),
        ("filed", "上报", "filed", ORANGE, "square"),
        ("assigned", "交办", "assigned", PURPLE, "square"),
        ("handling", "处置", "handling", BLUE, "pentagon"),
        ("feedback", "反馈", "feedback", SKY, "circle"),
        ("closed", "办结", "closed", GREEN, "circle"),
        ("", "未登记环节", "no stage", GREY, "circle"),
    ]
)
DENSITY_EDGES = (1, 2, 4, 8, 16, 32, 64, 128)
_DENSITY_COLOURS = (
    "#fff3d9", "#fee0a8", "#fdc475", "#fb9d4f", "#f2703a", "#d8432a", "#ad1d24", "#6d0a22",
)  # fmt: skip


def _density() -> tuple[Entry, ...]:
    highs = [*(e - 1 for e in DENSITY_EDGES[1:]), None]
    rows = []
    for i, (low, high, colour) in enumerate(zip(DENSITY_EDGES, highs, _DENSITY_COLOURS, strict=True)):
        text = f"≥ {low}" if high is None else str(low) if high == low else f"{low}–{high}"
        rows.append(Entry(i, f"{text} 起/格", f"{text} per cell", colour))
    return tuple(rows)


DENSITY = _density()


@dataclass(frozen=True, slots=True)
class Classes:
    """Values cut into ranks: rank i holds edges[i] <= value < edges[i+1], the last one is open (分级).

    `edges` is empty where there is nothing to rank.
    """

    edges: tuple[float, ...] = ()
    unit: str = ""
    whole: bool = field(default=True)

    def rank(self, values: pd.Series) -> np.ndarray:
        """Rank of each value from 0; -1 below the first edge and where it is missing."""
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        rank = np.searchsorted(np.asarray(self.edges), numbers, side="right") - 1
        return np.where(np.isnan(numbers) | (not self.edges), -1, rank)

    def words(self, i: int, *, unit: bool = True) -> str:
        """Return the interval of rank i in words; a share, which has no unit, in percent."""
        if not self.whole and not self.unit:
            return replace(self, edges=tuple(100 * e for e in self.edges), unit="%").words(i)
        tail = f" {self.unit}" if self.unit and (unit or self.unit == "%") else ""
        low = _number(self.edges[i], whole=self.whole)
        if i + 1 == len(self.edges):
            return f"≥ {low}{tail}"
        if self.whole:
            high = _number(self.edges[i + 1] - 1, whole=True)
            return f"{low if low == high else f'{low}–{high}'}{tail}"
        return f"{low}–{_number(self.edges[i + 1], whole=False)}{tail}"


def classify(values: pd.Series, *, unit: str = "", ranks: int = 5) -> Classes:
    """Cut positive values into up to `ranks` ranks at quantiles of what occurs (分位数分级).

    Counts get whole-number edges, 1 the first; zero and missing values have no rank. The upper ranks are
    narrower (50, 75, 90, 97 %): few grids carry much of the load, and those are looked for.
    """
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    positive = numbers[np.isfinite(numbers) & (numbers > 0)]
    if not len(positive):
        return Classes(unit=unit)
    whole = bool((positive == np.round(positive)).all())
    cuts = np.quantile(positive, (0.5, 0.75, 0.9, 0.97)[: ranks - 1])
    if whole:
        edges = sorted({1.0, *(np.floor(cuts) + 1).tolist()})
        edges = [e for e in edges if e <= positive.max()]
    else:
        digits = 2 - int(np.floor(np.log10(positive.max())))
        edges = sorted({0.0, *np.round(cuts, max(digits, 0)).tolist()})
        edges = [e for e in edges if e < positive.max()]
    return Classes(tuple(edges), unit, whole)


def graduated(classes: Classes, ramp: str, *, zero: str = "无", hidden: bool = False) -> Style:
    """Return the style of ranked areas: colour, rank word and interval (分级设色).

    `hidden` adds the entry of grids whose small count is suppressed (小数隐藏).
    """
    n = len(classes.edges)
    chosen = ((), (2,), (1, 3), (0, 2, 4), (0, 1, 3, 4), (0, 1, 2, 3, 4))[n]
    rows = [
        Entry(
            i,
            f"{RANKS[c][0]}　{classes.words(i)}",
            f"{RANKS[c][1]}: {classes.words(i, unit=False)}",
            RAMPS[ramp][c],
        )
        for i, c in enumerate(chosen)
    ]
    rows.insert(0, Entry(-1, zero, "none", NO_VALUE))
    if hidden:
        rows.append(Entry(-2, "不显示（人数过少）", "not shown (small count)", HIDDEN))
    return Style(by="rank", entries=tuple(rows), opacity=0.6, weight=0.8)


def with_opacity(style: Style, opacity: float) -> Style:
    """Return the same style with another fill opacity."""
    return replace(style, opacity=opacity)


def _number(value: float, *, whole: bool) -> str:
    return f"{value:,.0f}" if whole else f"{value:.4g}"
