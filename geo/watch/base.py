"""What everything else looks at (基础): the watched grids, the days of the data, the counts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo import hotspot
from geo.errors import BadInputError
from geo.hotspot import INDEPENDENT

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.city import City
    from geo.hotspot import Cube, Graph

MOST_DAYS = 364
LEAST_DAYS = 28  # below it there is no baseline to compare with
STRAY_DAYS = 7
LEVEL_COLUMNS = {1: "town", 2: "village", 3: "base", 4: "micro"}


def watched_level(city: City) -> int:
    """Level of the grids that are watched: 3, or the finest above it that the city has."""

    def compute() -> int:
        have = set(_plain_grids(city)["level"].dropna().astype(int))
        return 3 if 3 in have or not have else max((level for level in have if level < 3), default=min(have))

    return city.derive("watched-level", ("grids",), compute)


def watched_grids(city: City) -> gpd.GeoDataFrame:
    """Watched grids in metres, without dedicated ones (专属网格), which lie over the others."""
    level = watched_level(city)

    def compute() -> gpd.GeoDataFrame:
        grids = _plain_grids(city)
        return grids[(grids["level"] == level).to_numpy(dtype=bool)]

    return city.derive("watched", ("grids",), compute)


def graph_of(city: City) -> Graph:
    """Neighbours of the watched grids."""
    return city.derive("watched-graph", ("grids",), lambda: hotspot.contiguity(watched_grids(city)))


def centres_of(city: City) -> NDArray[np.float64]:
    """A point inside each watched grid, metres."""
    points = shapely.point_on_surface(watched_grids(city).geometry.to_numpy())
    return shapely.get_coordinates(points)


def areas_of(city: City) -> NDArray[np.float64]:
    """Areas of the watched grids, m²."""
    return watched_grids(city).geometry.area.to_numpy()


def days_of(city: City) -> pd.Series:
    """Incidents a local day (每日起数), on the days that have any, in order; none without incidents."""

    def compute() -> pd.Series:
        occurred = city.degrees("incidents")["occurred_at"]
        local = hotspot.local_day(occurred, city.timezone)
        day, number = np.unique(local[~np.isnat(local)], return_counts=True)
        return pd.Series(number, index=pd.DatetimeIndex(day), name="incidents")

    return city.keep("days", ("incidents",), compute)


def last_day(city: City, today: date | None = None) -> date | None:
    """Last complete local day of the data; None without incidents.

    `today` is never complete, and what is dated later is left out. Without it, the newest day of the data, of
    which a few stray dates far ahead of all others are no part.
    """
    days = days_of(city)
    if today is not None:
        days = days[days.index < pd.Timestamp(today)]
    if not len(days):
        return None
    before = days.cumsum().to_numpy()
    usual = days.index[np.searchsorted(before, 0.999 * (before[-1] - 1), side="right")]
    return days.index[days.index <= usual + pd.Timedelta(days=STRAY_DAYS)][-1].date()


def asked_day(city: City, until: date | None, today: date) -> date | None:
    """Last day to look at: the one asked for, if the data hold it, else the last complete day of the data.

    Raises
    ------
    BadInputError
        For a day that is not over, or before the first incident: an answer would be about nothing.
    """
    end = last_day(city, today)
    if until is None or end is None:
        return until or end
    limit = max(end, today - timedelta(days=1))
    first = days_of(city).index[0].date()
    if not first <= until <= limit:
        raise BadInputError(
            f"until {until}: no days of incidents there; the data run from {first} to {end}; allowed: {first} to {limit}"
        )
    return until


def cube_of(city: City, *, until: date | None = None, known_at: pd.Timestamp | None = None) -> Cube:
    """Counts of the watched grids up to a day (default: the last of the data), at most 52 weeks.

    A city without incidents has a cube of zeros.
    """
    end = until or last_day(city) or date(2000, 1, 1)

    def compute() -> Cube:
        incidents, held = city.degrees("incidents"), days_of(city)
        days = (end - held.index[0].date()).days + 1 if len(held) else LEAST_DAYS * 3
        column = LEVEL_COLUMNS[watched_level(city)]
        return hotspot.incident_cube(
            incidents, city.located("incidents")[column], grids=watched_grids(city).index, until=end,
            days=int(np.clip(days, 1, MOST_DAYS)), timezone=city.timezone, known_at=known_at,
        )  # fmt: skip

    return city.keep(f"cube:{end}:{known_at}", ("grids", "incidents"), compute)


def default_source(cube: Cube) -> str | None:
    """Sources that do not follow the patrols, if the data tell sources apart; else all.

    What patrols find goes where they were sent; a forecast or a score made of it would send them there again.
    """
    told = set(cube.totals().columns[(cube.totals() > 0).any()]) - {"unknown"}
    return INDEPENDENT if told - {"discovered"} else None


def _plain_grids(city: City) -> gpd.GeoDataFrame:
    grids = city.table("grids")
    return grids[(grids["kind"] != "dedicated").to_numpy(dtype=bool)]
