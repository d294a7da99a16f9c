"""The hotspot map as a page, with the ledger of the forecasts beside it (热点研判图)."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from geo.hotspot import ledger
from layers.folium_map import ThemeMap, page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geo.city import City
    from geo.scope import Scope

MAP = ThemeMap(
    "hotspots",
    "热点研判图",
    "hotspots",
    "hotspot",
    "hotspots",
    "gi_bin",
    note="较各网格自身基线，错误发现率 5 %",
    note_en="against each grid's own past, false discovery rate 5 %",
)


def document(
    city: City,
    *,
    scope: Scope,
    scores: Sequence[Mapping[str, Any]],
    waiting: Sequence[Mapping[str, Any]] = (),
    lang: str = "zh",
) -> str:
    """Return the hotspot map with the ledger's summary beside it (热点研判图与预测台账).

    Parameters
    ----------
    city, scope, lang
        As for the other maps.
    scores
        Rows of `hotspot.ledger.summary`.
    waiting
        Forecasts that are stored and wait for the end of their week: `week`, `category`, `issued_at`, `issued`.
    """
    text, _ = page(city, MAP, scope=scope, lang=lang)
    return text.replace("</body>", ledger_panel(scores, waiting, lang=lang) + "</body>", 1)


def ledger_panel(
    rows: Sequence[Mapping[str, Any]], waiting: Sequence[Mapping[str, Any]] = (), *, lang: str = "zh"
) -> str:
    """Return the ledger as a table that folds away: hits, PAI and PEI* of every method beside the best possible."""
    zh = lang == "zh"
    title = (
        "预测台账（预测先存档、周后核验）" if zh else "Forecast ledger (stored before the week, scored after)"
    )
    none = "尚无已核验的预测" if zh else "No forecast has been scored yet"
    head = ("存档", "类别", "来源", "面积", "方法", "周数", "命中", "总数", "命中率（95 %）", "PAI", "PEI*", "最优PAI") if zh else (
        "issued", "category", "source", "area", "method", "weeks", "hits", "total", "hit rate (95 %)", "PAI", "PEI*", "best PAI",
    )  # fmt: skip
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row, zh=zh)) + "</tr>"
        for row in rows
    )
    table = (
        "<table><thead><tr>"
        + "".join(f"<th scope=col>{h}</th>" for h in head)
        + f"</tr></thead><tbody>{body}</tbody></table>"
        if body
        else f"<p>{none}</p>"
    )
    look = (
        "position:fixed;left:50%;transform:translateX(-50%);bottom:1.6rem;z-index:1100;background:#fff;color:#222;"
        "border:1px solid #888;border-radius:4px;padding:.3rem .6rem;max-height:45vh;max-width:92vw;overflow:auto;"
        "font-size:.85rem"
    )
    stored = "".join(f"<li>{html.escape(_waiting(row, zh=zh))}</li>" for row in waiting)
    stored = f"<ul>{stored}</ul>" if stored else ""
    return f'<details id="santu-ledger" style="{look}"><summary>{title}</summary>{stored}{table}</details>'


def _waiting(row: Mapping[str, Any], *, zh: bool) -> str:
    """One stored forecast in words."""
    issued = ledger.ISSUED[row["issued"]] if zh else row["issued"]
    kind = ("全部" if zh else "all") if row["category"] == "*" else row["category"]
    moment = str(row["issued_at"])[:16].replace("T", " ")
    if zh:
        return f"{row['week']} 一周 · {kind}：已于 {moment} 存档（{issued}），待周后核验"
    return f"week of {row['week']} · {kind}: stored {moment} ({issued}), to be scored after the week"


def _cells(row: Mapping[str, Any], *, zh: bool) -> list[str]:
    def number(name: str, form: str) -> str:
        value = row.get(name)
        return "-" if value is None or not np.isfinite(value) else format(value, form)

    method = str(row["method_zh"] if zh else row["method"])
    issued = str(ledger.ISSUED[row["issued"]] if zh else row["issued"])
    rate = f"{number('hit_rate', '.1%')} ({number('low', '.1%')}–{number('high', '.1%')})"
    return [issued, str(row["category"]), str(row["source"]), number("share", ".0%"), method, str(row["weeks"]),
            str(row["hits"]), str(row["total"]), rate, number("pai", ".2f"),
            number("pei", ".2f"), number("oracle_pai", ".2f")]  # fmt: skip
