"""What every page and print says of a city: where it lies, whose view it is, how new the data are (页面与图件的通用信息)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.indicators import latest
from layers import catalog, tiles
from layers.tiles.source import visible

if TYPE_CHECKING:
    from geo.city import City
    from geo.scope import Scope

CHINA = (73.0, 18.0, 135.0, 54.0)  # what the map of an empty city shows: west, south, east, north, degrees
_GROUND = ("boundary", "buildings", "roads", "water", "facilities")


def bounds_of(city: City, scope: Scope) -> list[float]:
    """West, south, east, north in degrees of the grids that a scope sees; without grids of what the city has, else China."""
    grids = catalog.layer("towns" if scope.whole_city else "grids")
    frame = city.degrees("grids")
    if not len(frame):
        names = _GROUND if scope.whole_city else ()  # a role cut to grids sees nothing where there are none
        boxes = np.array([city.degrees(t).total_bounds for t in names if len(city.degrees(t))]).reshape(-1, 4)
        low, high = (
            (boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)) if len(boxes) else (CHINA[:2], CHINA[2:])
        )
        return [round(float(v), 6) for v in (*low, *high)]
    if scope.whole_city:
        return tiles.tilejson_bounds(city, grids)
    keep = visible(city, grids, scope)
    chosen = catalog.entry_rows(city, grids)[keep] if keep is not None else frame
    return [round(float(v), 6) for v in (chosen if len(chosen) else frame).total_bounds]


def scope_words(city: City, scope: Scope, lang: str = "zh") -> str:
    """Say in a few words what a scope sees (可见范围说明): the whole city, or its grids by name and code."""
    zh = lang == "zh"
    if scope.whole_city:
        return "全市" if zh else "whole city"
    names = city.degrees("grids")["name"].reindex(sorted(scope.roots))
    both = ("{}（{}）" if zh else "{} ({})").format
    return ("、" if zh else ", ").join(i if pd.isna(n) else both(n, i) for i, n in names.items())


def data_date(city: City) -> str:
    """Return the day of the newest record, in the city's zone; a dash where there is none."""
    moment = latest(city)
    return "—" if pd.isna(moment) else moment.tz_convert(city.timezone).strftime("%Y-%m-%d")
