"""Rows of the layers that show a table as it is: which rows, and what is added to them for the map (图层的行).

Each gives rows in degrees, indexed by their id; an empty table gives none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo import indicators, schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from geo.city import City


def table(name: str) -> Callable[[City], gpd.GeoDataFrame]:
    """Rows as the table has them."""
    return lambda city: city.degrees(name)


def grids(*levels: int, dedicated: bool = False) -> Callable[[City], gpd.GeoDataFrame]:
    """Rows of some grid levels, with the name of the grid above."""

    def rows(city: City) -> gpd.GeoDataFrame:
        grids = city.degrees("grids")
        special = (grids["kind"] == "dedicated").to_numpy(dtype=bool)
        level = grids["level"].to_numpy(dtype=np.int64, na_value=0)
        chosen = grids[special if dedicated else np.isin(level, levels) & ~special]
        above = grids["name"].reindex(chosen["parent_id"]).to_numpy()
        return chosen.assign(grid_id=chosen.index, parent=above)

    return rows


def grid_labels(city: City) -> gpd.GeoDataFrame:
    """One point inside each grid, its name, and the zooms at which the name fits into the grid.

    Names are written from the zoom at which the grid is about 110 px wide (towns: 72) until it is eight times that, where
    the next level takes over; the finest level stays.
    """
    grids = city.degrees("grids")
    level = grids["level"].to_numpy(dtype=np.int64, na_value=0)
    side_m = np.sqrt(np.maximum(city.grids.area.to_numpy(), 1.0))
    wide_px = np.where(level == 1, 72, 110)  # towns are few: their names may stand closer
    first = np.ceil(np.log2(wide_px * 156543.03 * _cos_latitude(grids) / side_m))
    finest = level.max(initial=0)
    return gpd.GeoDataFrame(
        {
            "grid_id": grids.index,
            "name": grids["name"].fillna(pd.Series(grids.index, index=grids.index)),
            "level": grids["level"],
            "zoom_from": np.clip(first, 7, 17).astype(int),
            "zoom_to": np.where(level < finest, np.clip(first + 3, 9, 22), 22).astype(int),
        },
        geometry=shapely.point_on_surface(grids.geometry.to_numpy()),
        index=grids.index,
        crs=grids.crs,
    )


def _cos_latitude(frame: gpd.GeoDataFrame) -> float:
    if frame.empty:
        return 1.0
    _, south, _, north = frame.total_bounds
    return float(np.cos(np.radians((south + north) / 2)))


def hazards(city: City) -> gpd.GeoDataFrame:
    """Hazards not yet fixed; overdue by the data's own now."""
    hazards = city.degrees("hazards")
    open_ = hazards[hazards["fixed_at"].isna()]
    late = (open_["due_at"] < indicators.latest(city)).to_numpy(dtype=bool)
    kinds = {f"n_{k}": (open_["kind"] == k).to_numpy(dtype=bool) for k in schema.HAZARD_KINDS}
    return open_.assign(
        hazard_id=open_.index, overdue=late.astype(np.int64), level=open_["level"].fillna(0), **kinds
    )


def facilities(city: City) -> gpd.GeoDataFrame:
    """Facilities; `bad` are those with an alarm, a fault or no connection; a yes/no column for each kind."""
    facilities = city.degrees("facilities")
    bad = facilities["state"].isin(["alarm", "fault", "offline"]).to_numpy(dtype=bool)
    kinds = {f"n_{k}": (facilities["kind"] == k).to_numpy(dtype=bool) for k in schema.FACILITY_KINDS}
    return facilities.assign(facility_id=facilities.index, bad=bad.astype(np.int64), **kinds)


def cameras(city: City) -> gpd.GeoDataFrame:
    """Cameras; `bad` are those that give no usable picture."""
    cameras = city.degrees("cameras")
    bad = cameras["state"].isin(["off", "vlost", "defect", "repair"]).to_numpy(dtype=bool)
    return cameras.assign(
        camera_id=cameras.index, bad=bad.astype(np.int64), state=cameras["state"].fillna("unknown")
    )


def targets(city: City) -> gpd.GeoDataFrame:
    """One point for each target, whatever its shape."""
    targets = city.degrees("targets")
    points = shapely.point_on_surface(targets.geometry.to_numpy())
    return targets.assign(target_id=targets.index).set_geometry(
        gpd.GeoSeries(points, index=targets.index, crs=targets.crs)
    )


def incidents(city: City) -> gpd.GeoDataFrame:
    """All incidents with their id."""
    incidents = city.degrees("incidents")
    return incidents.assign(incident_id=incidents.index)


def of_dimension(name: str, dimension: int) -> Callable[[City], gpd.GeoDataFrame]:
    """Rows whose shapes have a dimension: 1 lines, 2 areas."""

    def rows(city: City) -> gpd.GeoDataFrame:
        frame = city.degrees(name)
        return frame[shapely.get_dimensions(frame.geometry.to_numpy()) == dimension]

    return rows


_ROAD_ZOOM = {
    "motorway": 8, "trunk": 8, "primary": 9, "secondary": 11, "tertiary": 12, "residential": 14,
    "unclassified": 13, "living_street": 14, "service": 15, "pedestrian": 15, "footway": 16, "path": 16,
}  # fmt: skip


def roads(city: City) -> gpd.GeoDataFrame:
    """Roads with the first zoom of each class; unknown classes come with the streets."""
    roads = city.degrees("roads")
    plain = roads["class"].str.removesuffix("_link")
    first = plain.map(_ROAD_ZOOM).fillna(13).astype(int)
    rank = np.select([first <= 8, first <= 10, first <= 12], [0, 1, 2], 3)
    return roads.assign(zoom_from=first, rank=rank)
