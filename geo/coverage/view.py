"""Fields of view of a camera table (可视域), exact, and re-swept only where something changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.camera import DEFAULTS, free_of_buildings, views
from geo.coverage.occlusion import Occluders, prepared, simple_parts
from geo.coverage.sector import Sectors, sectors
from geo.coverage.shadow import shadows
from geo.coverage.sweep import visible
from geo.errors import CrsMismatchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geo.camera import Defaults


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything that hides, prepared once (场景): as if infinitely high, and with known heights.

    `flat` answers for eyes lower than every shape near them and for unknown heights; `raised` for the others.
    """

    shapes: NDArray[np.object_]
    heights_m: NDArray[np.float64]
    flat: Occluders
    raised: Occluders | None

    @property
    def lowest_m(self) -> float:
        """Least known height, metres; infinite where none is known."""
        return float(np.min(self.heights_m, initial=np.inf))


@dataclass(frozen=True, eq=False)
class Fields:
    """Fields of view with what they were made of (可视域成果).

    Attributes
    ----------
    cameras
        Index of the camera table.
    optics
        `camera.views` of it; `why_not` says why a camera has no field of view.
    xy
        (N, 2) eyes, metres, wall cameras set free; NaN without a place.
    rows
        Rows that were swept, ascending.
    sectors
        Sectors of these rows, before occlusion.
    shapes, area_m2
        (N,) polygons and exact areas of all cameras; empty and 0 where `why_not` is set.
    """

    cameras: pd.Index
    optics: pd.DataFrame
    xy: NDArray[np.float64]
    rows: NDArray[np.intp]
    sectors: Sectors
    shapes: NDArray[np.object_]
    area_m2: NDArray[np.float64]
    scene: Scene
    crs: object

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Index of the polygons."""
        return shapely.STRtree(self.shapes)

    def series(self) -> gpd.GeoSeries:
        """Return the polygons on the index of the cameras."""
        return gpd.GeoSeries(self.shapes, index=self.cameras, crs=self.crs, name="field_of_view")


def field_of_view(
    cameras: gpd.GeoDataFrame,
    occluders: gpd.GeoDataFrame | gpd.GeoSeries | Scene | None = None,
    *,
    defaults: Defaults = DEFAULTS,
    snap_m: float = 3.0,
) -> gpd.GeoSeries:
    """Ground that each camera sees (监控点可视域), exact among buildings and walls.

    Steerable cameras count with their home preset, never with the full circle. Things lower than a camera of
    stated height hide only the ground behind them (2.5-D). Range, opening and blind zone: `camera.views`.

    Parameters
    ----------
    cameras
        Camera table, points in a metric CRS.
    occluders
        Polygons and lines in the same CRS, with `height_m` where known; or a prepared `scene`.
    defaults
        What to take where the register is silent.
    snap_m
        A camera at most this deep in a building hangs on its wall and is set 0.3 m in front of the wall that
        faces its bearing; one deeper inside sees the room it is in.

    Returns
    -------
    GeoSeries
        Valid polygons or multi-polygons on the index of `cameras`; empty for a camera that takes no part
        (indoor, removed, mobile, no place, no bearing: `camera.views` says which).

    Raises
    ------
    CrsMismatchError
        If the two tables are in different CRSs.
    """
    return fields(cameras, occluders, defaults=defaults, snap_m=snap_m).series()


def fields(
    cameras: gpd.GeoDataFrame,
    occluders: gpd.GeoDataFrame | gpd.GeoSeries | Scene | None = None,
    *,
    defaults: Defaults = DEFAULTS,
    snap_m: float = 3.0,
    indoors: bool = True,
    home: bool = True,
    previous: Fields | None = None,
) -> Fields:
    """Fields of view with their sectors and optics (可视域及其参数); see `field_of_view`.

    With `previous`, made of the same occluders or others, only cameras whose sector changed, and those whose
    sector meets a changed occluder, are swept again. Without `indoors`, cameras deep inside a building are left
    out (`why_not` = inside_building); without `home`, steerable ones turn all the way round. `optics` gets a column `place`: outside, snapped or inside.
    """
    if not isinstance(occluders, Scene):
        _same_crs(cameras, occluders)
        occluders = scene(occluders)
    optics = views(cameras, defaults=defaults, home=home)
    xy = _placed(cameras, optics, occluders, snap_m)
    if not indoors:
        optics.loc[(optics["why_not"] == "") & (optics["place"] == "inside"), "why_not"] = "inside_building"
    rows = np.flatnonzero(optics["why_not"] == "")
    used = optics.iloc[rows]
    reach = sectors(
        xy[rows],
        bearing_deg=used["bearing_deg"],
        fov_deg=used["fov_deg"],
        range_m=used["range_m"],
        near_m=used["near_m"],
        eye_m=used["eye_m"],
    )
    result = Fields(
        cameras.index,
        optics,
        xy,
        rows,
        reach,
        np.full(len(cameras), shapely.Polygon(), dtype=object),
        np.zeros(len(cameras)),
        occluders,
        cameras.crs,
    )
    todo = np.arange(len(rows)) if previous is None else _reused(result, previous)
    result.shapes[rows[todo]], result.area_m2[rows[todo]] = seen(reach.take(todo), occluders)
    return result


def _placed(
    cameras: gpd.GeoDataFrame, optics: pd.DataFrame, scene: Scene, snap_m: float
) -> NDArray[np.float64]:
    """Positions of all cameras (NaN: none), wall cameras set free; writes `optics["place"]`."""
    shapes = cameras.geometry.to_numpy()
    xy = np.column_stack([shapely.get_x(shapes), shapely.get_y(shapes)])
    there = np.flatnonzero(np.isfinite(xy).all(axis=1))
    place = np.full(len(cameras), "outside", dtype=object)
    xy[there], place[there] = free_of_buildings(
        xy[there],
        optics["bearing_deg"].to_numpy()[there],
        scene.flat.shapes,
        within_m=snap_m,
        tree=scene.flat.shape_tree,
    )
    optics["place"] = place
    return xy


def scene(
    buildings: gpd.GeoDataFrame | gpd.GeoSeries | None,
    walls: gpd.GeoDataFrame | gpd.GeoSeries | None = None,
) -> Scene:
    """Prepare buildings and extra occluders (准备场景); either may be absent.

    Raises
    ------
    CrsMismatchError
        If the two are in different CRSs.
    """
    tables = [t for t in (buildings, walls) if t is not None]
    if len(tables) == 2:
        _same_crs(*tables)
    shapes = np.concatenate([np.empty(0, dtype=object), *(t.geometry.to_numpy() for t in tables)])
    heights = np.concatenate([np.empty(0), *(_heights(t) for t in tables)])
    parts, height = simple_parts(shapes, heights)
    raised = prepared(parts, height, dissolve=False) if np.isfinite(heights).any() else None
    flat = prepared(parts, np.full(len(parts), np.inf), dissolve=True)
    return Scene(shapes, heights, flat, raised)


def seen(views: Sectors, scene: Scene) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Polygons and areas of sectors in a scene, with shadows of things lower than the eye."""
    high = _high(views, scene)
    polygons = np.full(len(views), shapely.Polygon(), dtype=object)
    area = np.zeros(len(views))
    low = np.flatnonzero(~high)
    polygons[low], area[low] = visible(views.take(low), scene.flat)
    if scene.raised is None or not high.any():
        return polygons, area
    rows = np.flatnonzero(high)
    above = views.take(rows)
    shape, size = visible(above, scene.raised)
    hit, shadow = shadows(above, scene.raised)
    cut = shapely.difference(shape[hit], shadow)
    shape[hit] = areal(cut)
    size[hit] = shapely.area(shape[hit])
    polygons[rows], area[rows] = shape, size
    return polygons, area


def _high(views: Sectors, scene: Scene) -> NDArray[np.bool_]:
    """Whether a shape lower than the eye stands within the box of a view."""
    result = np.zeros(len(views), dtype=bool)
    rows = np.flatnonzero(views.eye_m > scene.lowest_m)
    if scene.raised is None or len(rows) == 0:
        return result
    view, run = scene.raised.tree.query(views.take(rows).bounds)
    height = scene.raised.height_m[scene.raised.run_start[run]]
    result[rows[view[height < views.eye_m[rows[view]]]]] = True
    return result


def _reused(result: Fields, previous: Fields) -> NDArray[np.intp]:
    """Copy what did not change from `previous` into `result`; return the rows of sectors still to sweep."""
    n = len(result.rows)
    before = pd.Series(np.arange(len(previous.rows)), index=previous.cameras[previous.rows])
    old = before.reindex(result.cameras[result.rows]).to_numpy()
    known = np.flatnonzero(~np.isnan(old))
    match = old[known].astype(np.intp)
    same = np.zeros(n, dtype=bool)
    same[known] = True
    for name in ("x", "y", "start", "opening", "far", "near", "eye_m"):
        now, then = getattr(result.sectors, name)[known], getattr(previous.sectors, name)[match]
        same[known] &= (now == then) | (np.isnan(now) & np.isnan(then))
    if result.scene is not previous.scene:
        changed = _changed(result.scene, previous.scene)
        touched = shapely.STRtree(shapely.box(*result.sectors.bounds.T)).query(changed)[1]
        same[touched] = False
    keep = np.flatnonzero(same)
    source = previous.rows[old[keep].astype(np.intp)]
    result.shapes[result.rows[keep]] = previous.shapes[source]
    result.area_m2[result.rows[keep]] = previous.area_m2[source]
    return np.flatnonzero(~same)


def _changed(now: Scene, then: Scene) -> NDArray[np.object_]:
    """Shapes that are in one scene but not, with the same height, in the other."""
    tables = [
        pd.Series(s.shapes, index=pd.MultiIndex.from_arrays([shapely.to_wkb(s.shapes), s.heights_m]))
        for s in (now, then)
    ]
    one, two = tables
    return np.concatenate(
        [one[~one.index.isin(two.index)].to_numpy(), two[~two.index.isin(one.index)].to_numpy()]
    )


def _heights(table: gpd.GeoDataFrame | gpd.GeoSeries) -> NDArray[np.float64]:
    if "height_m" not in getattr(table, "columns", ()):
        return np.full(len(table), np.inf)
    values = table["height_m"].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(values > 0, values, np.inf)


def areal(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Keep the polygons of what an overlay returned."""
    mixed = np.flatnonzero(~np.isin(shapely.get_type_id(shapes), (3, 6)))
    result = shapes.copy()
    for row in mixed:
        parts = shapely.get_parts(shapes[row])
        result[row] = shapely.union_all(parts[shapely.get_type_id(parts) == 3])
    result[shapely.is_empty(result)] = shapely.Polygon()
    return result


def _same_crs(one: gpd.GeoDataFrame, two: gpd.GeoDataFrame | gpd.GeoSeries | None) -> None:
    if two is not None and one.crs is not None and two.crs is not None and one.crs != two.crs:
        raise CrsMismatchError(f"cameras are in {one.crs}, occluders in {two.crs}; convert one of them")


def with_range(views: Sectors, far_m: NDArray[np.float64]) -> Sectors:
    """Return the same sectors with a nearer end, metres (for image levels)."""
    far = np.minimum(views.far, far_m)
    return replace(views, far=far, near=np.minimum(views.near, far))
