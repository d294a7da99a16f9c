"""Grids (网格): which grid is a point in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import ArrayLike

COLUMNS = ("town", "village", "base", "dedicated", "micro")


@dataclass(frozen=True)
class GridLookup:
    """Trees over the levels of one version of the grids, in degrees."""

    levels: dict[str, tuple[shapely.STRtree, pd.Index]]

    @classmethod
    def build(cls, grids: gpd.GeoDataFrame) -> GridLookup:
        """Index grids in degrees by level; lowest code first, so that it wins on borders."""
        grids = grids.sort_index()
        dedicated = (grids["kind"] == "dedicated").to_numpy(dtype=bool)
        parts = {
            name: grids[(grids["level"] == level).to_numpy(dtype=bool) & ~dedicated]
            for level, name in ((1, "town"), (2, "village"), (3, "base"), (4, "micro"))
        }
        parts["dedicated"] = grids[dedicated]
        return cls({k: (shapely.STRtree(v.geometry.to_numpy()), v.index) for k, v in parts.items()})


def locate(lookup: GridLookup, lon: ArrayLike, lat: ArrayLike) -> pd.DataFrame:
    """Return `grid_id` per level for each point; missing outside. Border ties: the lowest code."""
    x, y = np.atleast_1d(np.asarray(lon, dtype=float)), np.atleast_1d(np.asarray(lat, dtype=float))
    points = shapely.points(x, y)
    result = {}
    for name in COLUMNS:
        tree, ids = lookup.levels[name]
        found = np.full(len(x), len(ids), dtype=np.int64)
        i, j = tree.query(points, predicate="covered_by")
        np.minimum.at(found, i, j)
        values = np.concatenate([ids.to_numpy(dtype=object), [None]])
        result[name] = pd.array(values[found], dtype="str")
    return pd.DataFrame(result)
