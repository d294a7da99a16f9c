"""What a screen shows first, made before somebody asks (首屏预热), and made anew when the tables change."""

import contextlib
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from api.facts import facts_of
from api.pages import page
from api.watching import hot_rows
from geo import situation, watch
from geo.city import City
from geo.errors import SantuError
from geo.hotspot.report import RECENT_DAYS
from geo.indicators import latest
from geo.scope import Scope
from layers import catalog, tiles
from layers.summary import bounds_of
from layers.tiles.mvt import tile_of
from layers.tiles.source import mercator

ZOOMS = (9, 11)  # about where a city fills a screen: 256 and 512 px a tile
LAYERS = ("basemap", "borders", "grids", "incidents", "cameras")


def prepare(city: City, *, scope: Scope) -> None:
    """Make all that the console's first view waits for, in the order in which it is seen.

    The page's description of the city, borders and basemap, the list of open incidents, their density, and the
    hotspots that colour the grids. A city without grids has nothing to prepare.
    """
    if not len(city.degrees("grids")):
        return
    page("console")
    situation.incidents_by_time(city, only_open=True)
    facts_of(city, scope)
    for name in LAYERS:
        _tiles(city, name, scope)
    with contextlib.suppress(SantuError):  # too few days of incidents for a hotspot
        hot(city, scope=scope)


def hot(city: City, *, scope: Scope) -> None:
    """Make the hotspots of all incidents and of each category, as `/v1/hotspots` and the map ask for them."""
    end = watch.asked_day(city, None, datetime.now(ZoneInfo(city.timezone)).date())
    if end is not None:
        hot_rows(
            city, category=None, source=None, recent_days=RECENT_DAYS, baseline_days=None, fdr="bh", until=end,
            top=1, scope=scope,
        )  # fmt: skip


def _tiles(city: City, name: str, scope: Scope) -> None:
    """Index a layer, and encode the tiles in the middle: what is compiled and simplified on demand is then done."""
    west, south, east, north = bounds_of(city, scope)
    [[x, y]] = mercator(np.array([[(west + east) / 2, (south + north) / 2]]))
    for entry in catalog.members(name):
        if all(len(city.degrees(t)) for t in entry.tables[:1]):
            chosen = tiles.Selection(since=latest(city)) if entry.time else tiles.NOTHING
            for z in ZOOMS:
                tiles.tile(city, entry, (z, *tile_of(x, y, z)), scope=scope, selection=chosen)
