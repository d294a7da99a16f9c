"""Grid colours that an analysis gives (研判着色): where the answer is, and which value has which look.

The browser asks the analysis itself and colours the tiles that it has: another day costs one answer, no tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geo.hotspot import CLASSES, CLASSES_ZH
from layers.style import Entry, Style, entries

if TYPE_CHECKING:
    from collections.abc import Mapping

HOT_BINS = entries(
    [
        (3, "▲▲▲ 热点 99 %", "▲▲▲ hot, 99 %", "#d7301f", "fill"),
        (2, "▲▲ 热点 95 %", "▲▲ hot, 95 %", "#fc8d59", "fill"),
        (1, "▲ 热点 90 %", "▲ hot, 90 %", "#fdcc8a", "fill"),
        (-1, "▽ 冷点 90 %", "▽ cold, 90 %", "#bdd7e7", "fill"),
        (-2, "▽▽ 冷点 95 %", "▽▽ cold, 95 %", "#6baed6", "fill"),
        (-3, "▽▽▽ 冷点 99 %", "▽▽▽ cold, 99 %", "#2171b5", "fill"),
    ]
)
RISK_LEVELS = entries(
    [
        (1, "一级（红）", "level 1 (red)", "#c8102e", "triangle"),
        (2, "二级（橙）", "level 2 (orange)", "#f28e2b", "diamond"),
        (3, "三级（黄）", "level 3 (yellow)", "#f0d000", "square"),
        (4, "四级（蓝）", "level 4 (blue)", "#2c7bb6", "circle"),
    ]
)
_CLASS_COLOURS = dict(
    zip(
        [c for c in CLASSES if c.endswith("hot")],
        ("#d55e00", "#e69f00", "#cc3311", "#882255", "#cc79a7", "#ddcc77", "#aa4499", "#999933"),
        strict=False,
    )
)
EMERGING = entries(
    (c, zh, c, _CLASS_COLOURS[c], "fill")
    for c, zh in zip(CLASSES, CLASSES_ZH, strict=True)
    if c in _CLASS_COLOURS
)


def look(name: str) -> Style:
    """Return the look of an analysis by the place of its ranks; -1 is a grid that it does not mark."""
    marked = tuple(
        Entry(i, r["zh"], r["en"], r["colour"], "fill") for i, r in enumerate(ANALYSES[name]["ranks"])
    )
    plain = Entry(-1, "无", "none", "#eeeeee", "fill")
    return Style(by="rank", entries=(plain, *marked), opacity=0.6, weight=0.8)


def _ranks(looks: tuple[Entry, ...]) -> list[dict[str, Any]]:
    return [{"value": e.value, "zh": e.zh, "en": e.en, "colour": e.colour} for e in looks]


ANALYSES: Mapping[str, dict[str, Any]] = {
    "hotspots": {
        "zh": "热点（较自身基线，已控误报）",
        "en": "hot and cold against their own past",
        "path": "/v1/hotspots/grids",
        "params": {"fields": "gi_bin"},
        "until": "until",
        "category": "category",
        "rows": "grids",
        "id": "grid_id",
        "value": "gi_bin",
        "fixed": True,
        "ranks": _ranks(HOT_BINS),
    },
    "classes": {
        "zh": "热点演变类型",
        "en": "emerging classes of hotspots",
        "path": "/v1/hotspots/grids",
        "params": {"fields": "class"},
        "until": "until",
        "category": "category",
        "rows": "grids",
        "id": "grid_id",
        "value": "class",
        "fixed": True,
        "ranks": _ranks(EMERGING),
    },
    "risk": {
        "zh": "风险等级",
        "en": "risk level",
        "path": "/v1/risk",
        "params": {"fields": "level"},
        "until": "until",
        "rows": "grids",
        "id": "grid_id",
        "value": "level",
        "fixed": True,
        "ranks": _ranks(RISK_LEVELS),
    },
}
"""Analyses that colour grids: where the answer is, which columns hold grid and value (or value and the whole it
is a part of), and ranks with words and colours. One whose path the server does not have is not offered."""
