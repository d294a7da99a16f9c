"""Base grids around a place (周边网格): which one holds it, and how the circle of doubt is shared out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

LEAST_SHARE = 0.01
WIDE_M = 400.0  # a circle this wide is shared out by the middles of grids
SNAP_M = 40.0  # a plate this near the grid its row names belongs to it: plates stand on road edges
LEVEL_COLUMNS = ("grid_id", "level", "kind", "name")


class BaseGrids:
    """Base grids of a city with the chain of grids above each; geometry in metres."""

    def __init__(self, grids: gpd.GeoDataFrame) -> None:
        admin = (grids["kind"] != "dedicated").to_numpy(bool)
        base = grids[(grids["level"] == 3).to_numpy(bool) & admin].sort_index()
        self.ids: list[str] = [str(i) for i in base.index]
        self.shapes: NDArray[np.object_] = base.geometry.to_numpy()
        self.edges: NDArray[np.object_] = shapely.boundary(self.shapes)
        self.tree = shapely.STRtree(self.shapes)
        middle = shapely.centroid(self.shapes)
        self._x, self._y = shapely.get_x(middle), shapely.get_y(middle)
        self._area = shapely.area(self.shapes)
        self._at = {g: i for i, g in enumerate(self.ids)}
        self._facts = {
            str(i): (str(i), int(level), str(kind), name if isinstance(name, str) else "")
            for i, level, kind, name in zip(
                grids.index, grids["level"], grids["kind"], grids["name"], strict=True
            )
        }
        parent = grids["parent_id"]
        self._parent = {str(i): p for i, p in zip(grids.index, parent, strict=True) if isinstance(p, str)}

    def __len__(self) -> int:
        return len(self.ids)

    def has(self, grid_id: str) -> bool:
        """Whether this base grid exists on the day of the table."""
        return grid_id in self._at

    def index_of(self, grid_id: str) -> int:
        """Place of a base grid in `ids` and `shapes`, or -1."""
        return self._at.get(grid_id, -1)

    def chain(self, grid_id: str) -> list[dict[str, object]]:
        """Grids from the town down to this one; unknown: empty."""
        out: list[dict[str, object]] = []
        at: str | None = grid_id
        while at in self._facts and len(out) < 6:
            out.insert(0, dict(zip(LEVEL_COLUMNS, self._facts[at], strict=True)))
            at = self._parent.get(at)
        return out

    def holding(self, x: float, y: float) -> str:
        """Base grid that holds a point; the lowest code on a border; "" outside."""
        found = self.tree.query(shapely.Point(x, y), predicate="intersects")
        return self.ids[int(found.min())] if len(found) else ""

    def distance_m(self, grid_id: str, x: float, y: float) -> float:
        """Metres from a point to a base grid, 0 inside."""
        return float(shapely.distance(self.shapes[self._at[grid_id]], shapely.Point(x, y)))

    def shares(self, x: float, y: float, radius_m: float) -> list[tuple[str, float]]:
        """Base grids within a radius and the share of the circle each holds, largest first.

        Shares are of the part of the circle that is inside the city; they add up to 1 but for shares below 1 %.
        Outside every grid: empty.
        """
        if radius_m > WIDE_M:
            return self._wide_shares(x, y, radius_m)
        point = shapely.Point(x, y)
        inside = self.holding(x, y)
        if inside and float(shapely.distance(self.edges[self._at[inside]], point)) >= radius_m:
            return [(inside, 1.0)]
        disc = point.buffer(max(radius_m, 1.0), quad_segs=8)
        near = np.sort(self.tree.query(disc, predicate="intersects"))
        if not len(near):
            return []
        area = shapely.area(shapely.intersection(self.shapes[near], disc))
        total = area.sum()
        if total <= 0:
            return [(self.ids[int(near[0])], 1.0)]
        order = np.argsort(-area, kind="stable")
        return [
            (self.ids[int(near[i])], round(float(area[i] / total), 3))
            for i in order
            if area[i] / total >= LEAST_SHARE
        ]

    def _wide_shares(self, x: float, y: float, radius_m: float) -> list[tuple[str, float]]:
        """`shares` of a wide circle: grids whose middle is in it, by their area."""
        near = np.flatnonzero(np.hypot(self._x - x, self._y - y) <= radius_m)
        if not len(near):
            return []
        part = self._area[near] / self._area[near].sum()
        order = np.argsort(-part, kind="stable")
        return [(self.ids[int(near[i])], round(float(part[i]), 3)) for i in order if part[i] >= LEAST_SHARE]

    def decide(self, x: float, y: float, said: str) -> tuple[str, str]:
        """(base grid, fault detail) of a plate: the grid its row names if it stands in or at it, else the polygon."""
        inside = self.holding(x, y)
        if not said or said == inside or not self.has(said):
            return inside, ""
        if not inside or self.distance_m(said, x, y) <= SNAP_M:
            return said, ""
        return inside, f"{said}≠{inside}"


def base_grids(grids: gpd.GeoDataFrame | pd.DataFrame | None) -> BaseGrids | None:
    """`BaseGrids` of a grid table, or None where it has no base grid."""
    if grids is None or not len(grids) or not (grids["level"] == 3).any():
        return None
    return BaseGrids(grids)
