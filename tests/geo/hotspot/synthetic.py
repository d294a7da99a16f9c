"""A synthetic city whose grids have nothing to do with one another, and one planted outbreak."""

from dataclasses import dataclass
from functools import cached_property

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.hotspot import Graph, contiguity

CRS = "EPSG:4527"
WEEK = np.array([0.95, 1.0, 1.02, 1.0, 1.05, 1.08, 0.9])


@dataclass(frozen=True)
class Synthetic:
    grids: gpd.GeoDataFrame
    xy: np.ndarray
    rate: np.ndarray  # incidents a day in each grid
    plane: np.ndarray  # (days, grids)
    planted: np.ndarray  # rows of the outbreak's grids

    @cached_property
    def graph(self) -> Graph:
        return contiguity(self.grids)


def synthetic_city(
    grids: int, *, days: int, seed: int, per_grid_day: float = 0.948, planted: int = 0, lift: float = 0.6
) -> Synthetic:
    """Voronoi grids of 0.304 km² on average; lognormal rates (sigma 1.1), independent; weekday effect.

    The `planted` grids nearest to the middle have `1 + lift` times their rate in the last 14 days.
    """
    rng = np.random.default_rng(seed)
    scale = np.sqrt(grids / 15_000)
    width, height = 60_000 * scale, 76_000 * scale
    xy = rng.uniform((0, 0), (width, height), size=(grids, 2)) + np.array((39_500_000, 4_000_000))
    box = shapely.box(39_500_000, 4_000_000, 39_500_000 + width, 4_000_000 + height)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(xy), extend_to=box, ordered=True))
    cells = shapely.intersection(cells, box)
    rate = rng.lognormal(0, 1.1, grids)
    rate *= per_grid_day / rate.mean()
    middle = np.argsort(np.square(xy - xy.mean(axis=0)).sum(axis=1))[:planted]
    level = np.tile(WEEK, days // 7 + 1)[:days, None] * rate
    level[-14:, middle] *= 1 + lift
    index = pd.Index([f"g{i:05d}" for i in range(grids)], name="grid_id")
    table = gpd.GeoDataFrame({"level": 3}, index=index, geometry=cells, crs=CRS)
    return Synthetic(table, xy, rate, rng.poisson(level).astype(np.int32), middle)
