"""The hotspot map as a page, with the ledger of the forecasts beside it (热点研判图)."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

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
)


def document(city: City, *, scope: Scope, ledger: Sequence[Mapping[str, Any]], lang: str = "zh") -> str:
    """Return the hotspot map with the ledger's summary beside it (热点研判图与预测台账).

    Parameters
    ----------
    city, scope, lang
        As for the other maps.
    ledger
        Rows of `hotspot.ledger.summary`.
    """
    text, _ = page(city, MAP, scope=scope, lang=lang)
    return text.replace("</body>", ledger_panel(ledger, lang=lang) + "</body>", 1)


def ledger_panel(rows: Sequence[Mapping[str, Any]], *, lang: str = "zh") -> str:
    """Return the ledger as a table that folds away: hits, PAI and PEI* of every method beside the best possible."""
    zh = lang == "zh"
    title = (
        "预测台账（预测先存档、周后核验）" if zh else "Forecast ledger (stored before the week, scored after)"
    )
    none = "尚无已核验的预测" if zh else "No forecast has been scored yet"
    head = ("类别", "来源", "面积", "方法", "周数", "命中", "总数", "命中率", "PAI", "PEI*", "最优PAI") if zh else (
        "category", "source", "area", "method", "weeks", "hits", "total", "hit rate", "PAI", "PEI*", "best PAI",
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
    return f'<details id="santu-ledger" style="{look}"><summary>{title}</summary>{table}</details>'


def _cells(row: Mapping[str, Any], *, zh: bool) -> list[str]:
    def number(name: str, form: str) -> str:
        value = row.get(name)
        return "-" if value is None or not np.isfinite(value) else format(value, form)

    method = str(row["method_zh"] if zh else row["method"])
    return [str(row["category"]), str(row["source"]), number("share", ".0%"), method, str(row["weeks"]),
            str(row["hits"]), str(row["total"]), number("hit_rate", ".1%"), number("pai", ".2f"),
            number("pei", ".2f"), number("oracle_pai", ".2f")]  # fmt: skip
