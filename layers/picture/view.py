"""What is on a sheet of paper (图面内容), known without loading what draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geo import watch
from layers import catalog, folium_map

if TYPE_CHECKING:
    from datetime import date

    from geo.city import City

DAILY = "daily"


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
    """

    layers: tuple[str, ...]
    indicator: str = ""
    bbox: tuple[float, float, float, float] | None = None
    width: int = 1600
    height: int = 1130
    title: str = ""
    day: date | None = None


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
