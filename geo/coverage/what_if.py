"""What a change would do (假设分析): add, turn or lose cameras, and see only what that changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.coverage.ledger import ledger
from geo.coverage.view import areal
from geo.coverage.watch import part, together
from geo.coverage.watch import watch as make_watch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geo.coverage.watch import Watch


@dataclass(frozen=True, eq=False)
class Change:
    """The difference a what-if makes (变化量).

    Attributes
    ----------
    gained, lost
        Ground newly seen, and seen no more, in metres; by every camera of the register, whether it works or not.
    gained_working, lost_working
        The same, where only cameras that work count (在线): a camera that is repaired gains its ground here.
    by_zone
        Index: zones touched; `gained_m2`, `lost_m2`.
    targets
        Index: targets whose `covered` or `effective` changes; these columns before (`…_before`) and after.
    views
        Fields of view of the added and turned cameras.
    """

    gained: shapely.Geometry
    lost: shapely.Geometry
    gained_working: shapely.Geometry
    lost_working: shapely.Geometry
    by_zone: pd.DataFrame
    targets: pd.DataFrame
    views: gpd.GeoSeries


def what_if(
    cameras: gpd.GeoDataFrame,
    watch: Watch,
    *,
    put: gpd.GeoDataFrame | None = None,
    lose: NDArray[np.object_] | list[str] | None = None,
    zones: gpd.GeoSeries,
    targets: gpd.GeoDataFrame,
) -> Change:
    """Compare a register with the same register changed, near the change only (局部重算).

    Parameters
    ----------
    cameras, watch
        Camera table and the watch of it.
    put
        Cameras that are added, or stand for those of the same id (turned, moved, repaired).
    lose
        Ids of cameras that see nothing any more; unknown ids are left out.
    zones, targets
        Grids, and targets, for which the difference is counted.

    Returns
    -------
    Change
        Ground counts wherever some camera sees it, buildings and water excluded as everywhere.
    """
    gone = pd.Index([] if lose is None else lose)
    names = gone if put is None else gone.union(put.index)
    old_rows = cameras.index.get_indexer(names)
    old_rows = old_rows[old_rows >= 0]
    scene = watch.fields.scene
    new = None if put is None or put.empty else make_watch(put, scene)
    old_shapes = watch.fields.shapes[old_rows]
    new_shapes = np.empty(0, dtype=object) if new is None else new.fields.shapes
    touched = np.concatenate([old_shapes, new_shapes])
    near = np.unique(watch.fields.tree.query(touched, predicate="intersects")[1])
    near = near[~np.isin(near, old_rows)]
    gained, lost = _difference(old_shapes, new_shapes, watch.fields.shapes[near])
    working = _difference(
        old_shapes[watch.on[old_rows]],
        new_shapes if new is None else new_shapes[new.on],
        watch.fields.shapes[near[watch.on[near]]],
    )
    return Change(
        gained,
        lost,
        *working,
        _by_zone(zones, gained, lost),
        _targets(watch, new, old_rows, touched, targets),
        gpd.GeoSeries(
            new_shapes, index=put.index if new is not None and put is not None else None, crs=cameras.crs
        ),
    )


def _difference(
    before: NDArray[np.object_], after: NDArray[np.object_], others: NDArray[np.object_]
) -> tuple[shapely.Geometry, shapely.Geometry]:
    """Ground of `after` alone, and of `before` alone, where nothing of `others` lies."""
    old, new, rest = (shapely.union_all(shapes) for shapes in (before, after, others))
    gained, lost = areal(
        np.array([new.difference(old).difference(rest), old.difference(new).difference(rest)])
    )
    return gained, lost


def _by_zone(zones: gpd.GeoSeries, gained: shapely.Geometry, lost: shapely.Geometry) -> pd.DataFrame:
    shapes = zones.to_numpy()
    rows = np.unique(zones.sindex.query([gained, lost], predicate="intersects")[1])
    table = pd.DataFrame(
        {
            "gained_m2": shapely.area(shapely.intersection(shapes[rows], gained)),
            "lost_m2": shapely.area(shapely.intersection(shapes[rows], lost)),
        },
        index=zones.index[rows],
    )
    return table[(table > 1e-6).any(axis=1)]


def _targets(
    watch: Watch,
    new: Watch | None,
    gone: NDArray[np.intp],
    touched: NDArray[np.object_],
    targets: gpd.GeoDataFrame,
) -> pd.DataFrame:
    """Ledger of the targets that the change may reach, before and after, with the cameras around them only."""
    # a target in a building is judged in front of its wall: look a little farther than the fields
    real = touched[~shapely.is_empty(touched)]
    reach = shapely.box(*(shapely.bounds(real) + np.array([-31.0, -31.0, 31.0, 31.0])).T)
    some = targets.iloc[np.unique(targets.sindex.query(reach, predicate="intersects")[1])]
    places = shapely.box(*(shapely.bounds(some.geometry.to_numpy()) + np.array([-35.0, -35.0, 35.0, 35.0])).T)
    # circles of the nominal claim reach farther than fields: those do not change what is compared here
    around = np.unique(watch.fields.tree.query(places, predicate="intersects")[1])
    before = part(watch, np.union1d(around, gone))
    after = part(watch, np.setdiff1d(around, gone))
    after = after if new is None else together(after, new)
    columns = ["covered", "effective"]
    then, now = ledger(some, before)[columns], ledger(some, after)[columns]
    table = then.add_suffix("_before").join(now)
    return table[(then.to_numpy() != now.to_numpy()).any(axis=1)]
