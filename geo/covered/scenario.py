"""What might be otherwise (假设与误差): changes, errors of the register, forbidden views, who sees a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo.camera.pixels import pixels_per_m
from geo.coverage.forbidden import forbidden_views
from geo.coverage.interval import interval
from geo.coverage.what_if import what_if
from geo.covered.base import GROUND, WATCHED, cameras_of, group_of, lowest, scene_of, watch_of
from geo.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import geopandas as gpd

    from geo.city import City
    from geo.coverage.interval import Interval
    from geo.coverage.what_if import Change


def what_if_of(
    city: City,
    *,
    put: gpd.GeoDataFrame | None = None,
    lose: Iterable[str] = (),
    group: tuple[str, str] | None = None,
    secret: bool = False,
) -> Change:
    """What adding, turning or losing cameras changes (假设分析); see `coverage.what_if`.

    Parameters
    ----------
    city
        Snapshot; it stays as it is. `City.with_table` gives the changed City itself.
    put
        Cameras in `city.crs`, as the contract says; an id that exists is replaced.
    lose
        Ids that go dark.
    group
        A whole group goes dark: a key of `GROUPS` and its name, as `losses_of` lists them.
    secret
        With secret cameras.

    Raises
    ------
    NotFoundError
        For an id or a group that does not exist.
    """
    cameras, seen = cameras_of(city, secret=secret), watch_of(city, secret=secret)
    dark = list(lose)
    unknown = [i for i in dark if i not in cameras.index]
    if unknown:
        raise NotFoundError(f"there is no camera {unknown[0]!r}")
    if group is not None:
        names = group_of(cameras, group[0])
        dark += list(cameras.index[(names == group[1]).to_numpy(dtype=bool)])
        if not (names == group[1]).any():
            raise NotFoundError(f"there is no {group[0]} {group[1]!r}")
    zones = city.derive("lowest-grids", ("grids",), lambda: city.grids.geometry[lowest(city.grids)])
    return what_if(cameras, seen, put=put, lose=dark, zones=zones, targets=city.targets)


def forbidden_of(city: City, *, secret: bool = False) -> pd.DataFrame:
    """Cameras that see a place where filming is forbidden, with masks (禁拍冲突清单)."""
    return city.keep(
        f"forbidden-views:{secret}",
        (*WATCHED, "forbidden"),
        lambda: forbidden_views(city.forbidden, watch_of(city, secret=secret)),
    )


def interval_of(
    city: City, *, runs: int = 30, seed: int = 0, samples: int = 20_000, secret: bool = False
) -> Interval:
    """Spread of the coverage rates from azimuth and position errors (覆盖率区间), and what to survey first.

    Places are all targets (by class), `samples` random points of free ground and points every 25 m of road.
    """
    key = f"interval:{runs}:{seed}:{samples}:{secret}"
    return city.keep(
        key,
        (*GROUND, "targets", "roads"),
        lambda: interval(
            cameras_of(city, secret=secret),
            scene_of(city),
            sample_places(city, samples, seed),
            runs=runs,
            seed=seed,
        ),
    )


def sample_places(city: City, samples: int, seed: int) -> pd.DataFrame:
    """Points that stand for targets, free ground (each for its share of it) and roads (each for 25 m)."""
    middle = city.targets.geometry.representative_point()
    number = city.targets["target_class"].astype("float64").fillna(0).astype(int).to_numpy()
    parts = [
        pd.DataFrame({"x": middle.x.to_numpy(), "y": middle.y.to_numpy(), "weight": 1.0}).assign(
            group=[f"target_{c}" for c in number]
        )
    ]
    tiles = city.grids.geometry[lowest(city.grids)]
    if len(tiles):
        rng = np.random.default_rng(seed)
        share = tiles.area.to_numpy() / tiles.area.sum()
        box = shapely.bounds(tiles.to_numpy())[rng.choice(len(tiles), samples, p=share)]
        xy = rng.uniform(box[:, :2], box[:, 2:])
        free = shapely.STRtree(tiles.to_numpy()).query(shapely.points(xy), predicate="intersects")[0]
        inside = np.zeros(samples, dtype=bool)
        inside[free] = True
        inside &= ~scene_of(city).flat.inside(xy)
        ground = pd.DataFrame(xy[inside], columns=["x", "y"])
        parts.append(ground.assign(weight=1.0, group="ground"))
    length = city.roads.length.to_numpy()
    count = np.maximum((length // 25).astype(int), 1)
    road = np.repeat(np.arange(len(length)), count)
    step = (np.arange(len(road)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[road]
    if len(road):
        at = shapely.line_interpolate_point(city.roads.geometry.to_numpy()[road], step, normalized=True)
        along = pd.DataFrame(shapely.get_coordinates(at), columns=["x", "y"])
        parts.append(along.assign(weight=1.0, group="road"))
    return pd.concat(parts, ignore_index=True)


def seeing(city: City, lon: float, lat: float, *, secret: bool = False) -> pd.DataFrame:
    """Cameras that see a place (可见该处的监控点), nearest first.

    Returns
    -------
    DataFrame
        Index `camera_id`: name, state, unit, `distance_m`, `px_m` (pixel density there; NaN where the
        resolution is unknown). Nobody sees it: no rows.
    """
    x, y = city.to_metres(lon, lat)
    seen = watch_of(city, secret=secret)
    rows = seen.fields.tree.query(shapely.Point(float(x), float(y)), predicate="intersects")
    eyes = seen.fields.xy[rows]
    distance = np.hypot(eyes[:, 0] - float(x), eyes[:, 1] - float(y))
    optics = seen.fields.optics.iloc[rows]
    slant = np.hypot(distance, np.nan_to_num(optics["eye_m"].to_numpy()))
    table = cameras_of(city, secret=secret).iloc[rows][["name", "state", "unit"]].copy()
    table["distance_m"] = distance
    table["px_m"] = pixels_per_m(slant, resolution_px=optics["resolution_px"], fov_deg=optics["fov_deg"])
    return table.sort_values("distance_m", kind="stable")
