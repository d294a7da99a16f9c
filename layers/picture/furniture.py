"""What stands around the map on a sheet (图面整饰): title, legend, scale bar, north arrow, data date, scope."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from layers import summary
from layers.picture.sheet import FOOT, HATCH, HEAD, MARKERS, PANEL
from layers.tiles import mvt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from layers.picture.sheet import Sheet
    from layers.style import Entry, Style


def furnish(sheet: Sheet) -> None:
    """Write title, legend, scale bar, north arrow, data date and scope."""
    view, k = sheet.view, sheet.scope.k
    date, seen = summary.data_date(sheet.city), summary.scope_words(sheet.city, sheet.scope, view.lang)
    high = 1 - HEAD * (0.36 if view.note else 0.5)
    sheet.figure.text(0.012, high, view.title, fontproperties=sheet.bold, fontsize=20, va="center")
    room = int(view.width / 15)  # letters of this size, the wide ones
    note = view.note if len(view.note) <= room else view.note[: room - 1] + "…"
    sheet.figure.text(
        0.012, 1 - HEAD * 0.8, note, fontproperties=sheet.font, fontsize=10, va="center", color="#333333"
    )
    facts = (
        f"Data to {date}    Seen: {seen}    counts of fewer than {k} persons are not shown"
        if view.lang == "en"
        else f"数据日期 {date}　可见范围：{seen}　少于 {k} 人的计数不显示"
    )
    sheet.figure.text(
        0.012, FOOT / 2, facts, fontproperties=sheet.font, fontsize=10, va="center", color="#333333"
    )
    sheet.figure.text(
        1 - 0.012, FOOT / 2, "三图 Santu　CGCS2000", fontproperties=sheet.font, fontsize=10, va="center", ha="right",
        color="#333333",
    )  # fmt: skip
    _north(sheet)
    _scale(sheet)
    _legend(sheet)


def _north(sheet: Sheet) -> None:
    _, _, east, north = sheet.window
    x, y = east - 32 * sheet.pixel_m, north - 26 * sheet.pixel_m
    u = sheet.pixel_m
    arrow = Path([(x, y), (x - 9 * u, y - 34 * u), (x, y - 26 * u), (x + 9 * u, y - 34 * u), (x, y)])
    sheet.axes.add_artist(PathPatch(arrow, facecolor="#222222", edgecolor="white", lw=1, zorder=90))
    sheet.axes.text(
        x,
        y + 2 * u,
        "N" if sheet.view.lang == "en" else "北",
        fontproperties=sheet.bold,
        fontsize=12,
        ha="center",
        va="bottom",
        zorder=90,
    )


def _scale(sheet: Sheet) -> None:
    west, south, east, north = sheet.window
    middle = 2 * np.arctan(np.exp((south + north) / 2 / (mvt.HALF_WORLD_M / np.pi))) - np.pi / 2
    ground = float(np.cos(middle))  # metres on the ground a metre of the projection
    length = nice_length((east - west) * ground / 6)
    span, u = length / ground, sheet.pixel_m
    x, y = west + 20 * u, south + 22 * u
    for k, colour in enumerate(("#222222", "white")):
        sheet.axes.add_artist(
            Rectangle(
                (x + k * span / 2, y),
                span / 2,
                7 * u,
                facecolor=colour,
                edgecolor="#222222",
                lw=1,
                zorder=90,
            )
        )
    metre, kilometre = ("m", "km") if sheet.view.lang == "en" else ("米", "公里")
    text = f"{length / 1000:g} {kilometre}" if length >= 1000 else f"{length:g} {metre}"
    sheet.axes.text(
        x + span,
        y + 11 * u,
        text,
        fontproperties=sheet.font,
        fontsize=10,
        ha="right",
        va="bottom",
        zorder=90,
    )
    sheet.axes.text(
        x, y + 11 * u, "0", fontproperties=sheet.font, fontsize=10, ha="left", va="bottom", zorder=90
    )


def _legend(sheet: Sheet) -> None:
    panel = sheet.figure.add_axes((1 - PANEL, FOOT, PANEL - 0.012, 1 - HEAD - FOOT))
    panel.set_axis_off()
    width, height = sheet.view.width * (PANEL - 0.012), sheet.view.height * (1 - HEAD - FOOT)
    panel.set_xlim(0, width)
    panel.set_ylim(height, 0)
    groups = [(title, used) for title, used in reversed(sheet.legends) if used]
    lines = sum((2.2 if len(used) > 1 else 0) + len(used) for _, used in groups)
    step = min(21.0, height / max(lines + 1, 1))
    small = min(10.0, step * 0.5)
    y = step
    for n, (title, used) in enumerate(groups):
        if len(used) > 1:
            y += 0.6 * step if n and len(groups[n - 1][1]) == 1 else 0
            panel.text(0, y, title, fontproperties=sheet.bold, fontsize=small * 1.1, va="center")
            y += step
        for one in used:
            _swatch(panel, y, step, one)
            panel.text(44, y, sheet.word(one[0]), fontproperties=sheet.font, fontsize=small, va="center")
            y += step
        y += 0.6 * step if len(used) > 1 else 0


def _swatch(panel: Axes, y: float, step: float, used: tuple[Entry, Style, str]) -> None:
    (e, look, kind), x = used, 6
    h = step * 0.62
    if kind == "polygon":
        red, green, blue = (int(e.colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        edge = e.colour if look.opacity < 0.2 else "#7b8790"
        panel.add_patch(
            Rectangle(
                (x, y - h / 2),
                26,
                h,
                facecolor=(red, green, blue, look.opacity),
                edgecolor=edge,
                lw=max(look.weight, 0.6),
            )
        )
    elif kind == "over":
        hatch = HATCH if e.shape == "hatch" else None
        width = 0.6 if hatch else look.weight
        panel.add_patch(
            Rectangle((x, y - h / 2), 26, h, facecolor="none", edgecolor=e.colour, lw=width, hatch=hatch)
        )
    elif kind == "line":
        panel.plot([x, x + 26], [y, y], color=e.colour, lw=look.weight + 1)
    else:
        face, edge, width = ("none", e.colour, 2) if kind == "mark" else (e.colour, "white", 0.6)
        panel.plot([x + 13], [y], linestyle="none", marker=MARKERS.get(e.shape, "o"), markersize=h * 0.62,
                   markerfacecolor=face, markeredgecolor=edge, markeredgewidth=width)  # fmt: skip


def nice_length(most_m: float) -> float:
    """Return the longest 1, 2 or 5 times a power of ten that is no longer than `most_m`, metres."""
    power = 10.0 ** np.floor(np.log10(most_m))
    return float(max(step * power for step in (1, 2, 5) if step * power <= most_m))
