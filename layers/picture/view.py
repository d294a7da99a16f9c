"""What is on a sheet of paper (图面内容), known without loading what draws it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geo import watch
from layers import catalog, folium_map

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import geopandas as gpd
    import pandas as pd

    from geo.city import City
    from layers.style import Style

DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Shade:
    """Colours of the grids that an analysis gives, instead of an indicator (研判着色).

    Attributes
    ----------
    zh, en
        What the colours mean.
    ranks
        Index grid id: value of `style`'s entries; grids that are not in it are not coloured.
    style
        The look of every rank.
    """

    zh: str
    en: str
    ranks: pd.Series
    style: Style


@dataclass(frozen=True, slots=True)
class View:
    """What is on the sheet.

    Attributes
    ----------
    layers
        Names of layers and groups from bottom to top.
    indicator
        Indicator that colours the grid layer; empty: none.
    bbox
        West, south, east, north in degrees; None: all that the scope sees.
    width, height
        Pixels of the sheet at 100 dots an inch (PDF: the same size in inches).
    title
        Heading.
    day
        Only what happened on this day of the city, where a layer has times; None: everything.
    asked
        Filters as in the address of a tile (`category`, `since`, `grid` …), for every layer that knows them;
        `cameras.state` is for the layer of cameras alone.
    shade
        Colours of the grid layer that an analysis gives; None: those of `indicator`.
    open
        Open incidents to draw one by one, in degrees, with `stage`; None: none.
    note
        A line below the title: what the filters leave out.
    lang
        `zh` or `en`.
    """

    layers: tuple[str, ...]
    indicator: str = ""
    bbox: tuple[float, float, float, float] | None = None
    width: int = 1600
    height: int = 1130
    title: str = ""
    day: date | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    shade: Shade | None = None
    open: gpd.GeoDataFrame | None = None
    note: str = ""
    lang: str = "zh"


def view_of(city: City, name: str, **more: Any) -> View:  # noqa: ANN401
    """Return the view of one of the three maps, or `daily`: the wall's picture of the last complete day (每日态势)."""
    if name == DAILY:
        day = watch.last_day(city)
        names = ("basemap", "hotspots", "borders", "incidents", "grid_labels")
        return View(names, **{"title": f"{city.name}每日态势　{day or ''}", "day": day, **more})
    theme = folium_map.theme(name)
    points = (theme.points,) if theme.points else ()
    names = ("basemap", catalog.deepest_grids(city), "borders", *points, "grid_labels")
    return View(names, theme.indicator, **{"title": f"{city.name}{theme.zh}", **more})
