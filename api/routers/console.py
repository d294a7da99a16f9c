"""The operator console: the page `/` and what it needs to know before it draws (指挥席页面)."""

from collections.abc import Container
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
from fastapi import APIRouter, Request, Response

from api.deps import CityDep, ScopeDep, StateDep
from geo import schema
from geo.address.answer import FAULTS
from geo.city import City
from geo.hotspot import CLASSES, CLASSES_ZH
from geo.indicators import INDICATORS, latest
from geo.scope import Scope, visible_cameras
from layers import assets, catalog, style, tiles

router = APIRouter(include_in_schema=False)

WEB = Path(__file__).parents[1] / "web" / "console"
LEAFLET = "https://cdn.jsdelivr.net/npm/leaflet@1.9.3/dist/leaflet"
VECTOR_GRID = "https://unpkg.com/leaflet.vectorgrid@latest/dist/Leaflet.VectorGrid.bundled.js"
SOURCES_EN = {"reported": "reported", "discovered": "patrol", "sensor": "sensor"}
COUNTED = {"cameras": "state", "facilities": "kind", "hazards": "level", "targets": "target_class"}


@router.get("/")
def console() -> Response:
    """Return the console."""
    return Response(_page(), media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=1)
def _page() -> str:
    """Fill the addresses of third-party scripts, which hold the hash of their content, into the page."""
    modules = sorted(p.name for p in WEB.glob("*.js"))
    words = {
        "leaflet_css": assets.URL_BASE + assets.resolve(f"{LEAFLET}.css").name,
        "leaflet_js": assets.URL_BASE + assets.resolve(f"{LEAFLET}.js").name,
        "vectorgrid_js": assets.URL_BASE + assets.resolve(VECTOR_GRID).name,
        "preloads": "\n".join(f'<link rel="modulepreload" href="/static/console/{m}">' for m in modules),
    }
    page = (WEB / "index.html").read_text("utf-8")
    for name, value in words.items():
        page = page.replace("{" + name + "}", value)
    return page


@router.get("/console/config.json")
def configuration(request: Request, state: StateDep, city: CityDep, scope: ScopeDep) -> Response:
    """Return what the console must know: layers with their legends, indicators, categories, the data's time."""
    facts = city.derive(f"console:{scope.key}", tuple(schema.TABLES), lambda: _facts(city, scope))
    newest = max((r["occurred_at"] for r in state.live.rows()), default="")
    body = {
        **facts,
        "latest": max(facts["latest"], newest) or None,
        "basemap": request.app.state.basemap.as_json(),
        **_abilities(request.app.openapi()["paths"]),
    }
    return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-cache"})


def _facts(city: City, scope: Scope) -> dict[str, Any]:
    """Describe the city without computing any layer: what a layer holds is found when it is first drawn."""
    entries = [e for e in catalog.LAYERS.values() if all(len(city.degrees(t)) for t in e.tables[:1])]
    names = {e.name for e in entries}
    groups = {g: [m for m in members if m in names] for g, members in catalog.GROUPS.items()}
    groups = {g: members for g, members in groups.items() if members}
    incidents = city.degrees("incidents")
    versioned = {e.name: (e,) for e in entries} | {g: catalog.members(g) for g in groups}
    bounds = (
        tiles.tilejson_bounds(city, catalog.layer("grids")) if "grids" in names else [73.0, 18.0, 135.0, 54.0]
    )
    return {
        "name": city.name,
        "timezone": city.timezone,
        "bounds": bounds,
        "finest": catalog.deepest_grids(city),
        "layers": {e.name: _layer(city, e, scope) for e in entries},
        "groups": groups,
        "versions": {
            n: tiles.etag_of(city, m, scope, tiles.NOTHING).strip('"') for n, m in versioned.items()
        },
        "indicators": [
            {"name": i.name, "zh": i.zh, "en": i.name.replace("_", " ")}
            for i in INDICATORS.values()
            if all(len(city.degrees(t)) for t in i.tables[:1])
        ],
        "categories": incidents["category"].value_counts().head(40).index.tolist(),
        "sources": [
            {"value": v, "zh": zh, "en": SOURCES_EN[v]}
            for v, zh in schema.INCIDENT_SOURCES.items()
            if (incidents["source"] == v).any()
        ],
        "history": bool(len(city.degrees("grids_history"))),
        **_span(incidents, city),
    }


def _layer(city: City, entry: catalog.Layer, scope: Scope) -> dict[str, Any]:
    return {
        "name": entry.name,
        "zh": entry.zh,
        "en": entry.en,
        "grids": entry.grids,
        "geometry": entry.geometry,
        "crowd": entry.crowd,
        "filters": [*entry.filters, *(("since", "until") if entry.time else ()), "grid"],
        "style": entry.style.as_json(),
        "density": [asdict(e) for e in style.DENSITY] if entry.crowd == "density" else [],
        "words": {k: dict(v) for k, v in catalog.words(entry).items()},
        "counts": _counts(city, entry, scope),
    }


def _counts(city: City, entry: catalog.Layer, scope: Scope) -> dict[str, int] | None:
    """How many rows each value of the legend has; nothing where only a part of the city may be seen."""
    column = COUNTED.get(entry.name)
    if column is None or not scope.whole_city:
        return None
    rows = city.degrees(entry.tables[0])
    if entry.name == "cameras":
        rows = rows[visible_cameras(rows, scope).to_numpy()]
    if entry.name == "hazards":
        rows = rows[rows["fixed_at"].isna()]
    return {str(k): int(v) for k, v in rows[column].value_counts().items()}


def _span(incidents: pd.DataFrame, city: City) -> dict[str, Any]:
    """First and last day of the incidents in the city's zone, and the data's own now."""
    newest = latest(city)
    if incidents.empty:
        moment = "" if pd.isna(newest) else f"{newest:%Y-%m-%dT%H:%M:%SZ}"
        return {"first": None, "latest": moment, "latestDay": None, "today": moment[:10]}
    local = incidents["occurred_at"].dt.tz_convert(city.timezone)
    last = f"{local.max():%Y-%m-%d}"
    return {
        "first": f"{local.min():%Y-%m-%d}",
        "latest": f"{newest:%Y-%m-%dT%H:%M:%SZ}",
        "latestDay": last,
        "today": last,
    }


def _abilities(paths: Container[str]) -> dict[str, Any]:
    """Say what this server can answer beyond the map: addresses, and analyses with a value per grid."""
    return {
        "address": "/v1/addresses/suggest" in paths,
        "blind": "/v1/blind-spots" in paths,
        "faults": FAULTS,
        "analyses": {k: v for k, v in ANALYSES.items() if v["path"] in paths},
    }


_CLASS_COLOURS = dict(
    zip(
        [c for c in CLASSES if c.endswith("hot")],
        ("#d55e00", "#e69f00", "#cc3311", "#882255", "#cc79a7", "#ddcc77", "#aa4499", "#999933"),
        strict=False,
    )
)
ANALYSES: dict[str, dict[str, Any]] = {
    "hotspots": {
        "zh": "热点（较自身基线，已控误报）",
        "en": "hot and cold against their own past",
        "path": "/v1/hotspots/grids",
        "params": {},
        "until": "until",
        "category": "category",
        "rows": "grids",
        "id": "grid_id",
        "value": "gi_bin",
        "fixed": True,
        "ranks": [
            {"value": 3, "zh": "▲▲▲ 热点 99 %", "en": "▲▲▲ hot, 99 %", "colour": "#d7301f"},
            {"value": 2, "zh": "▲▲ 热点 95 %", "en": "▲▲ hot, 95 %", "colour": "#fc8d59"},
            {"value": 1, "zh": "▲ 热点 90 %", "en": "▲ hot, 90 %", "colour": "#fdcc8a"},
            {"value": -1, "zh": "▽ 冷点 90 %", "en": "▽ cold, 90 %", "colour": "#bdd7e7"},
            {"value": -2, "zh": "▽▽ 冷点 95 %", "en": "▽▽ cold, 95 %", "colour": "#6baed6"},
            {"value": -3, "zh": "▽▽▽ 冷点 99 %", "en": "▽▽▽ cold, 99 %", "colour": "#2171b5"},
        ],
    },
    "classes": {
        "zh": "热点演变类型",
        "en": "emerging classes of hotspots",
        "path": "/v1/hotspots/grids",
        "params": {},
        "until": "until",
        "category": "category",
        "rows": "grids",
        "id": "grid_id",
        "value": "class",
        "fixed": True,
        "ranks": [
            {"value": c, "zh": zh, "en": c, "colour": _CLASS_COLOURS[c]}
            for c, zh in zip(CLASSES, CLASSES_ZH, strict=True)
            if c in _CLASS_COLOURS
        ],
    },
    "risk": {
        "zh": "风险等级",
        "en": "risk level",
        "path": "/v1/risk",
        "params": {},
        "until": "until",
        "rows": "grids",
        "id": "grid_id",
        "value": "level",
        "fixed": True,
        "ranks": [
            {"value": 1, "zh": "一级（红）", "en": "level 1 (red)", "colour": "#c8102e"},
            {"value": 2, "zh": "二级（橙）", "en": "level 2 (orange)", "colour": "#f28e2b"},
            {"value": 3, "zh": "三级（黄）", "en": "level 3 (yellow)", "colour": "#f0d000"},
            {"value": 4, "zh": "四级（蓝）", "en": "level 4 (blue)", "colour": "#9ecae1"},
        ],
    },
}
"""Analyses that colour grids: where the answer is, which columns hold grid and value (or value and the whole it
is a part of), and ranks with words and colours. One whose path the server does not have is not offered."""
