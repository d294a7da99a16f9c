"""Checks at the door of the hotspot functions: metres, finite values, whole weeks (入参检查)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geo.errors import BadInputError, CrsMismatchError

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray

WEEK_DAYS = 7


def metric(table: gpd.GeoDataFrame | gpd.GeoSeries, name: str) -> None:
    """Refuse a table whose coordinates are degrees or feet; a table without a CRS is taken as metres."""
    crs = table.crs
    if crs is None:
        return
    if crs.is_geographic:
        raise CrsMismatchError(
            f"{name}: coordinates are degrees ({crs.to_string()}); distances need metres: "
            "convert first with to_crs(city.crs)"
        )
    unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    if abs(unit - 1.0) > 1e-9:
        raise CrsMismatchError(
            f"{name}: one unit of {crs.to_string()} is {unit:g} m; distances need metres: "
            "convert first with to_crs(city.crs)"
        )


def planar(xy: ArrayLike, *, reach_m: float, name: str = "xy") -> NDArray[np.float64]:
    """Return `(n, 2)` finite metres; refuses what can only be degrees (every point within one `reach_m`)."""
    array = np.asarray(xy, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise BadInputError(f"{name}: shape {array.shape}; allowed: (n, 2), metres east and north")
    if not reach_m > 0 or not np.isfinite(reach_m):
        raise BadInputError(f"distance {reach_m!r}; allowed: a positive number of metres")
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        raise BadInputError(
            f"{name}: {len(bad)} point(s) without coordinates, first at row {bad[0]}; drop them"
        )
    if len(array) > 1:
        spread = float(np.ptp(array, axis=0).max())
        degrees = np.abs(array[:, 0]).max() <= 180 and np.abs(array[:, 1]).max() <= 90
        if degrees and 0 < spread < reach_m:
            raise BadInputError(
                f"{name}: values within ±180/±90 that span {spread:g} look like degrees, but {reach_m:g} m was "
                "asked for; convert to metres first with to_crs(city.crs)"
            )
    return array


def finite(values: ArrayLike, name: str = "values") -> NDArray[np.float64]:
    """Return float64 values; missing ones are refused (a grid without incidents has 0, not a gap)."""
    array = np.asarray(values, dtype=np.float64)
    gaps = int((~np.isfinite(array)).sum())
    if gaps:
        raise BadInputError(
            f"{name}: {gaps} missing or infinite value(s); give 0 for a grid without incidents, "
            "or leave the grid out of the values and of the graph"
        )
    return array


def counts(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return finite, non-negative values."""
    array = finite(values, name)
    if array.size and array.min() < 0:
        raise BadInputError(f"{name}: lowest value {array.min():g}; allowed: 0 and more")
    return array


def whole_weeks(days: int, name: str) -> int:
    """Refuse a window that is not whole weeks: weekdays would weigh unequally in recent and baseline."""
    if days <= 0 or days % WEEK_DAYS:
        nearest = max(WEEK_DAYS, round(days / WEEK_DAYS) * WEEK_DAYS)
        raise BadInputError(f"{name}: {days} days; allowed: a multiple of 7 (for example {nearest})")
    return int(days)


def level_of_one(grids: gpd.GeoDataFrame) -> None:
    """Refuse grids of several levels at once: a parent would be its child's neighbour."""
    if "level" in grids.columns:
        levels = sorted({int(v) for v in grids["level"].dropna().unique()})
        if len(levels) > 1:
            raise BadInputError(
                f"grids of levels {levels} together; choose one: grids[grids['level'] == {levels[-1]}]"
            )
