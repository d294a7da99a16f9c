"""The operator console: the page `/` and what it needs to know before it draws (指挥席页面)."""

from collections.abc import Container
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
        "basemap": state.settings.basemap,
        "basemap_attribution": state.settings.basemap_attribution,
        **_abilities(request.app.openapi()["paths"]),
    }
    return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-cache"})


def _facts(city: City, scope: Scope) -> dict[str, Any]:
    entries = catalog.present(city)
    names = {e.name for e in entries}
    groups = {g: [m for m in members if m in names] for g, members in catalog.GROUPS.items()}
    groups = {g: members for g, members in groups.items() if members}
    finest = catalog.deepest_grids(city)
    incidents = city.degrees("incidents")
    span = _span(incidents, city)
    versioned = {e.name: (e,) for e in entries} | {g: catalog.members(g) for g in groups}
    return {
        "name": city.name,
        "timezone": city.timezone,
        "bounds": tiles.tilejson_bounds(city, entries[-1]) if entries else [73.0, 18.0, 135.0, 54.0],
        "finest": finest,
        "layers": {e.name: _layer(city, e, scope) for e in entries},
        "groups": groups,
        "versions": {
            n: tiles.etag_of(city, m, scope, tiles.NOTHING).strip('"') for n, m in versioned.items()
        },
        "indicators": [
            {"name": i.name, "zh": i.zh, "en": i.name.replace("_", " ")} for i in INDICATORS.values()
        ],
        "categories": incidents["category"].value_counts().head(40).index.tolist(),
        "sources": [
            {"value": v, "zh": zh, "en": SOURCES_EN[v]}
            for v, zh in schema.INCIDENT_SOURCES.items()
            if (incidents["source"] == v).any()
        ],
        "history": bool(len(city.degrees("grids_history"))),
        **span,
    }


def _layer(city: City, entry: catalog.Layer, scope: Scope) -> dict[str, Any]:
    described = tiles.tilejson(city, entry, scope=scope)["santu"]
    more: dict[str, Any] = {"counts": None}
    by = COUNTED.get(entry.name)
    if by is not None and scope.whole_city:
        rows = catalog.entry_rows(city, entry)
        if entry.name == "cameras":
            rows = rows[visible_cameras(rows, scope).to_numpy()]
        more["counts"] = {str(k): int(v) for k, v in rows[by].value_counts().items()}
    return {
        "name": entry.name,
        "zh": entry.zh,
        "en": entry.en,
        "grids": entry.grids,
        "clustered": bool(described["points_from"]),
        **{k: described[k] for k in ("geometry", "crowd", "filters", "style", "density", "words")},
        **more,
    }


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


_COVER = style.RAMPS["green"]
ANALYSES: dict[str, dict[str, Any]] = {
    "coverage": {
        "zh": "地面覆盖率（在线完好）",
        "en": "ground covered by working cameras",
        "path": "/v1/coverage/grids",
        "params": {"level": 3},
        "rows": "grids",
        "value": "available",
        "of": "free_m2",
        "ranks": [
            {"from": 1e-9, "to": 0.05, "zh": "低于 5 %", "en": "under 5 %", "colour": _COVER[0]},
            {"from": 0.05, "to": 0.1, "zh": "5–10 %", "en": "5–10 %", "colour": _COVER[1]},
            {"from": 0.1, "to": 0.2, "zh": "10–20 %", "en": "10–20 %", "colour": _COVER[2]},
            {"from": 0.2, "to": 0.4, "zh": "20–40 %", "en": "20–40 %", "colour": _COVER[3]},
            {"from": 0.4, "zh": "40 % 以上", "en": "40 % or more", "colour": _COVER[4]},
        ],
    },
}
"""Analyses that colour grids: where the answer is, which columns hold grid and value (or value and the whole it
is a part of), and ranks with words and colours. One whose path the server does not have is not offered."""
