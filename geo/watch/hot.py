"""Where it is hot (热点): the hotspot table, how stable it is, outbreaks, warnings and what is behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geo import hotspot
from geo.hotspot.report import RECENT_DAYS
from geo.hotspot.sensitivity import sensitivity
from geo.points import lonlat
from geo.watch.base import centres_of, cube_of, graph_of, last_day, watched_grids

if TYPE_CHECKING:
    from datetime import date

    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

    from geo.city import City
    from geo.hotspot import Scan


def hotspots_of(
    city: City,
    *,
    category: str | None = None,
    source: str | None = None,
    recent_days: int = RECENT_DAYS,
    baseline_days: int | None = None,
    fdr: hotspot.Fdr | None = "bh",
    until: date | None = None,
) -> pd.DataFrame:
    """Hotspot table of the watched grids (`hotspot.hotspots`) up to a day, default the last of the data."""
    until = until or last_day(city)
    key = f"hotspots:{category}:{source}:{recent_days}:{baseline_days}:{fdr}:{until}"
    return city.keep(
        key,
        ("grids", "incidents"),
        lambda: hotspot.hotspots(
            cube_of(city, until=until), graph_of(city), category=category, source=source, recent_days=recent_days,
            baseline_days=baseline_days, fdr=fdr,
        ),
    )  # fmt: skip


def sensitivity_of(
    city: City,
    *,
    category: str | None = None,
    source: str | None = None,
    until: date | None = None,
    draws: int = 20,
) -> pd.DataFrame:
    """Which marks of the hotspot table are stable (`hotspot.sensitivity`)."""
    until = until or last_day(city)

    def compute() -> pd.DataFrame:
        grids = watched_grids(city)
        tree = shapely.STRtree(grids.geometry.to_numpy())
        xy = np.column_stack(city.to_metres(*lonlat(city.degrees("incidents"))))
        return sensitivity(
            cube_of(city, until=until), graph_of(city), xy, _straying_of(city, until),
            lambda x, y: _rows_of(tree, x, y), grids["parent_id"], category=category, source=source, draws=draws,
            seed=0,
        )  # fmt: skip

    return city.keep(f"sensitivity:{category}:{source}:{until}:{draws}", ("grids", "incidents"), compute)


def _straying_of(city: City, until: date | None) -> NDArray[np.float64]:
    """How far each incident may be off, metres, by row of the table; 0 where that cannot take it out of its grid.

    Most incidents lie farther from the border of their grid than they may be off: nobody need look for them again.
    """

    def compute() -> NDArray[np.float64]:
        incidents, cube = city.degrees("incidents"), cube_of(city, until=until)
        radius = np.nan_to_num(incidents["radius_m"].to_numpy(dtype=np.float64))
        borders = shapely.boundary(watched_grids(city).geometry.to_numpy())
        recent = np.flatnonzero((cube.day >= cube.days - RECENT_DAYS) & (radius[cube.row] > 0))
        row = cube.row[recent]
        x, y = city.to_metres(*lonlat(incidents.iloc[row]))
        room = shapely.distance(shapely.points(x, y), borders[cube.grid[recent]])
        far = np.zeros(len(radius))
        far[row] = np.where(room < radius[row], radius[row], 0.0)
        return far

    return city.derive(f"straying:{until}", ("grids", "incidents"), compute)


def scan_of(
    city: City,
    *,
    radius_m: float = 1500.0,
    days: int = 14,
    replicates: int = 99,
    category: str | None = None,
    source: str | None = None,
    until: date | None = None,
    seed: int = 0,
) -> Scan:
    """Outbreaks that go on now (`hotspot.scan`), over the last 180 days at most."""

    def compute() -> Scan:
        plane = cube_of(city, until=until).plane(category=category, source=source)[-180:]
        return hotspot.scan(
            plane, centres_of(city), radius_m=radius_m, days=days, replicates=replicates, seed=seed
        )

    key = f"scan:{radius_m}:{days}:{replicates}:{category}:{source}:{until}:{seed}"
    return city.derive(key, ("grids", "incidents"), compute)


def warnings_of(
    city: City, *, category: str | None = None, source: str | None = None, until: date | None = None
) -> pd.DataFrame:
    """Grids above their own normal (`hotspot.warnings`)."""
    return city.derive(
        f"warnings:{category}:{source}:{until}",
        ("grids", "incidents"),
        lambda: hotspot.warnings(cube_of(city, until=until), category=category, source=source),
    )


def incidents_behind(
    city: City, grid_id: str, *, days: int = 7, category: str | None = None, source: str | None = None,
    until: date | None = None,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Incidents that one watched grid had in the last days, newest first, in degrees."""
    cube = cube_of(city, until=until)
    return city.degrees("incidents").iloc[
        cube.rows_behind(grid_id, days=days, category=category, source=source)
    ]


def _rows_of(tree: shapely.STRtree, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    found = np.full(len(x), -1, dtype=np.int64)
    point, grid = tree.query(shapely.points(x, y), predicate="intersects")
    found[point] = grid
    return found
