"""The staircase of claims over ground and roads (覆盖率阶梯): nominal → … → two devices, side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo.coverage.fraction import cells, free_area, open_water, overlap
from geo.coverage.road import stretches
from geo.coverage.view import areal
from geo.coverage.watch import STEPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geo.coverage.fraction import Cells
    from geo.coverage.watch import Viewers, Watch

AREA_PX_M = 25.0  # "detect": the picture that ground and roads ask for, where no target asks for more


@dataclass(frozen=True, eq=False)
class Survey:
    """Zones cut once for all measures of ground (地面普查): claims, multiplicity, losses."""

    cut: Cells
    viewers: Viewers
    table: pd.DataFrame

    @property
    def by_device(self) -> Cells:
        """The cells with one viewer a device, its first row, for multiplicity and losses (按设备)."""
        keep = self.viewers.claim("geometric")[self.cut.viewer]
        first = np.unique(self.viewers.watch.device, return_index=True)[1]
        lead = first[self.viewers.watch.device]
        row = lead[self.cut.viewer[keep] % len(self.viewers.watch)]
        pairs = np.unique(np.stack([self.cut.cell[keep], row], axis=1), axis=0)
        return replace(self.cut, cell=pairs[:, 0], viewer=pairs[:, 1])


def survey(
    zones: pd.Series, watch: Watch, *, water: NDArray[np.object_] | None = None, px_m: float = AREA_PX_M
) -> Survey:
    """Measure the ground of every zone, claim by claim (分网格面积覆盖阶梯).

    Parameters
    ----------
    zones
        Polygons (grids, junction discs …) in metres; those that overlap are counted independently.
    watch
        Cameras and what hides.
    water
        Water polygons: no free ground.
    px_m
        Pixel density of claim quality and below.

    Returns
    -------
    Survey
        `table` has the index of `zones`: `free_m2`, the denominator (zone minus buildings minus water), and one
        column of m² per claim. Empty zones: 0.
    """
    blocks = watch.fields.scene.flat.blocks
    lakes = np.empty(0, dtype=object) if water is None or len(water) == 0 else open_water(water, blocks)
    viewers = watch.viewers(px_m, nominal=False)
    cut = cells(zones, viewers.shapes, cuts=watch.outlines(px_m))
    solid = np.maximum(cut.area_m2 - overlap(cut.shape, lakes), 0.0)
    held = viewers.holds(cut.cell, cut.viewer, len(cut.zone))
    ground = np.concatenate([blocks, lakes])
    free = free_area(zones, ground)
    result = pd.DataFrame(
        {"free_m2": free, "nominal": _nominal(zones, watch, free, ground)}, index=zones.index
    )
    for step in STEPS:
        if step != "nominal":
            result[step] = np.bincount(cut.zone, solid * held[step], minlength=len(zones))
    # a circle is drawn with corners and a wall with rounding: no claim may pass the one above it
    result[list(STEPS)] = np.minimum.accumulate(
        np.minimum(result[list(STEPS)].to_numpy(), free.to_numpy()[:, None]), axis=1
    )
    return Survey(cut, viewers, result)


def _nominal(
    zones: pd.Series, watch: Watch, free: pd.Series, solid: NDArray[np.object_]
) -> NDArray[np.float64]:
    """Free ground within the range of some camera, per zone, m²; one circle a pole.

    Counted from what lies beyond every range: in a city that is the lesser part.
    """
    discs = watch.discs
    xy, size = watch.fields.xy, shapely.area(discs)
    order = np.lexsort((-size, xy[:, 1], xy[:, 0]))
    order = order[size[order] > 0]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (xy[order[1:]] != xy[order[:-1]]).any(axis=1)
    discs = discs[order[new]]
    beyond = np.array(zones, dtype=object)
    zone, disc = shapely.STRtree(discs).query(beyond, predicate="intersects")
    sort = np.argsort(zone, kind="stable")
    rows, first = np.unique(zone[sort], return_index=True)
    groups = np.split(discs[disc[sort]], first[1:]) if len(rows) else []
    beyond[rows] = areal(
        shapely.difference(beyond[rows], np.array([shapely.union_all(g) for g in groups], dtype=object))
    )
    return np.asarray(free - free_area(pd.Series(beyond), solid).to_numpy())


def roads(lines: pd.Series, watch: Watch, *, px_m: float = AREA_PX_M) -> pd.DataFrame:
    """Road length covered, claim by claim (道路长度覆盖阶梯).

    Returns
    -------
    DataFrame
        Index of `lines`: `length_m` and one column of metres per claim.
    """
    viewers = watch.viewers(px_m)
    cut = stretches(lines, viewers.shapes)
    held = viewers.holds(cut.stretch, cut.viewer, len(cut.road))
    result = pd.DataFrame({"length_m": cut.length_m}, index=lines.index)
    for step in STEPS:
        metres = (cut.end_m - cut.start_m) * held[step]
        result[step] = np.bincount(cut.road, metres, minlength=len(lines))
    return result


def times(cut: Cells, highest: int = 4) -> pd.DataFrame:
    """Ground seen exactly once, twice … and `highest` times or more, per zone (覆盖重数), m²."""
    number = np.minimum(cut.times(), highest)
    table = {
        f"k{k}": np.bincount(cut.zone, np.where(number == k, cut.area_m2, 0.0), minlength=len(cut.zones))
        for k in range(1, highest + 1)
    }
    return pd.DataFrame(table, index=cut.zones)


def summary(table: pd.DataFrame, whole: str, unit: str) -> pd.DataFrame:
    """Add a staircase up over all rows: numerator, denominator and rate of each claim (全市口径).

    Parameters
    ----------
    table
        `Survey.table` or `roads`, or rows of it that do not overlap.
    whole
        Column of the denominator.
    unit
        Unit of both.
    """
    total = float(table[whole].sum())
    rows = [
        (
            step,
            zh,
            float(table[step].sum()),
            total,
            float(table[step].sum()) / total if total else np.nan,
            unit,
        )
        for step, zh in STEPS.items()
        if step in table
    ]
    return pd.DataFrame(rows, columns=["step", "zh", "numerator", "denominator", "rate", "unit"])
