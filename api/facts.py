"""What the console knows of a city before it draws (指挥席所需说明): layers, legends, indicators, the data's time."""

import functools
from dataclasses import asdict
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo import schema
from geo.city import City
from geo.indicators import INDICATORS, latest
from geo.scope import Scope, visible_cameras
from layers import catalog, style, summary, tiles

SOURCES_EN = {"reported": "reported", "discovered": "patrol", "sensor": "sensor"}
PRESET_TABLES = ("people", "hazards", "facilities", "incidents", "cameras")
RIM_DEG = 0.01  # fields of view reach beyond their cameras
COUNTED = {"cameras": "state", "facilities": "kind", "hazards": "level", "targets": "target_class"}


def facts_of(city: City, scope: Scope) -> dict[str, Any]:
    """Describe the city as a scope sees it, once per version of its tables."""
    return city.derive(f"console:{scope.key}", tuple(schema.TABLES), lambda: _facts(city, scope))


def _facts(city: City, scope: Scope) -> dict[str, Any]:
    """Describe the city without computing any layer: what a layer holds is found when it is first drawn."""
    entries = [e for e in catalog.LAYERS.values() if all(len(city.degrees(t)) for t in e.tables[:1])]
    names = {e.name for e in entries}
    groups = {g: [m for m in members if m in names] for g, members in catalog.GROUPS.items()}
    groups = {g: members for g, members in groups.items() if members}
    incidents = city.degrees("incidents")
    versioned = {e.name: (e,) for e in entries} | {g: catalog.members(g) for g in groups}
    bounds = summary.bounds_of(city, scope)
    return {
        "name": city.name,
        "timezone": city.timezone,
        "bounds": bounds,
        "extent": _extent(city, scope),
        "seen": {lang: summary.scope_words(city, scope, lang) for lang in ("zh", "en")},
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
        "missing": [t for t in PRESET_TABLES if not len(city.degrees(t))],
        "incident_style": catalog.layer("incidents").style.as_json(),
        "history": bool(len(city.degrees("grids_history"))),
        **_span(incidents, city),
    }


def _extent(city: City, scope: Scope) -> list[float] | None:
    """West, south, east, north in degrees of all that a role sees, a little widened; None: nothing, or a part of a city."""
    if not scope.whole_city:
        return None
    drawn = {"grids_history", *(t for e in catalog.LAYERS.values() for t in e.tables)}
    names = [n for n in sorted(drawn - {"cameras"}) if schema.table(n).geometry]
    found = [city.derive(f"bounds:{n}", (n,), functools.partial(_bounds, city.degrees(n))) for n in names]
    cameras = city.degrees("cameras")
    boxes = np.array([*found, _bounds(cameras[visible_cameras(cameras, scope)])])
    if not np.isfinite(boxes).any():
        return None
    low, high = np.nanmin(boxes[:, :2], axis=0) - RIM_DEG, np.nanmax(boxes[:, 2:], axis=0) + RIM_DEG
    return [round(float(v), 4) for v in (*low, *high)]


def _bounds(frame: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """West, south, east, north; NaN without rows."""
    bounds: NDArray[np.float64] = frame.geometry.array.total_bounds
    return bounds


def _layer(city: City, entry: catalog.Layer, scope: Scope) -> dict[str, Any]:
    return {
        "name": entry.name,
        "zh": entry.zh,
        "en": entry.en,
        "grids": entry.grids,
        "size_m": round(catalog.typical_size_m(city, entry), 1) if entry.grids else None,
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
    last = entry.style.entries[-1].value  # the look of a value that is missing
    counted = rows[column].astype("object").where(rows[column].notna(), last).value_counts()
    return {str(k): int(v) for k, v in counted.items()}


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
