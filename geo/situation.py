"""Situation of a place (态势): who sees it, what is near by road, what is open around it.

Each question has an index that is built once per version of its tables, and one function that answers for one
place in a few milliseconds at city scale. Coordinates are metres of `city.crs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from geo import coverage
from geo.camera import views
from geo.camera.pixels import pixels_per_m
from geo.coverage.level import DEFAULT_PROFILE, levels
from geo.scope import EVERYTHING, visible_cameras
from geo.travel import Network

if TYPE_CHECKING:
    from geo.city import City
    from geo.scope import Scope

NEAR_M = 300.0
LIMIT_S = 600.0
FARTHEST_M = 1000.0  # no fixed camera is asked about a place farther than this
WORKING = "on"


@dataclass(frozen=True)
class Points:
    """Rows of a table with a tree over their places."""

    rows: pd.DataFrame
    xy: np.ndarray
    tree: cKDTree | None

    @classmethod
    def of(cls, table: pd.DataFrame, where: np.ndarray | None = None) -> Points:
        """Index the chosen rows of a point table in metres."""
        chosen = table if where is None else table[where]
        shapes = chosen.geometry.to_numpy()
        xy = np.stack([shapely.get_x(shapes), shapely.get_y(shapes)], axis=1).astype(np.float64)
        return cls(chosen, xy, cKDTree(xy) if len(xy) else None)

    def within(self, x: float, y: float, radius_m: float) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the rows within a radius, nearest first, and their distances."""
        if self.tree is None:
            return np.empty(0, dtype=np.int64), np.empty(0)
        found = np.array(self.tree.query_ball_point([x, y], radius_m), dtype=np.int64)
        away = np.hypot(*(self.xy[found] - [x, y]).T) if len(found) else np.empty(0)
        order = np.lexsort([found, away])
        return found[order], away[order]


def cameras_seeing(city: City, x: float, y: float, *, scope: Scope) -> pd.DataFrame:
    """Cameras whose field of view holds a place (看得见此处的监控点), nearest first.

    The field of view is exact among the buildings and walls around (`geo.coverage`), the same as the coverage
    map's. Cameras of every state are listed, with it; only `on` can show a picture now.

    Returns
    -------
    DataFrame
        Index `camera_id`; `name`, `state`, `distance_m`, `px_per_m` (NaN: resolution unknown), `image_level`
        (EN 62676-4, highest reached; empty: below the lowest or unknown), `bearing_deg`, `lon`, `lat`,
        `defaults` (true where opening or range are defaults, not of the register). None in reach: no rows.
    """
    if city.cameras.empty:
        return _no_cameras()
    cameras, optics = city.cameras, _optics(city)
    rows, away = _camera_points(city).within(x, y, _farthest(city))
    allowed = visible_cameras(cameras.iloc[rows], scope).to_numpy()
    reach = optics["range_m"].to_numpy()[rows]
    asked = allowed & (optics["why_not"].to_numpy()[rows] == "") & (away <= reach + 5.0)
    asked &= ~_behind(optics.iloc[rows], city, rows, x, y)
    rows, away = rows[asked], away[asked]
    if not len(rows):
        return _no_cameras()
    shapes = coverage.fields(cameras.iloc[rows], _scene_around(city, x, y, float(reach[asked].max()))).shapes
    sees = shapely.intersects_xy(shapes, x, y)
    rows, away = rows[sees], away[sees]
    chosen, register = optics.iloc[rows], city.degrees("cameras").iloc[rows]
    density = pixels_per_m(
        np.maximum(away, 0.5), resolution_px=chosen["resolution_px"], fov_deg=chosen["fov_deg"]
    )
    default = (chosen["fov_source"] == "default") | (chosen["range_source"] == "default")
    return pd.DataFrame(
        {
            "name": register["name"],
            "state": register["state"].fillna("unknown"),
            "distance_m": np.round(away, 1),
            "px_per_m": np.round(density, 1),
            "image_level": image_level(density),
            "bearing_deg": np.round(chosen["bearing_deg"].to_numpy(), 1),
            "lon": register.geometry.x,
            "lat": register.geometry.y,
            "defaults": default,
        },
        index=register.index,
    )


def image_level(px_per_m: np.ndarray) -> np.ndarray:
    """Highest level of EN 62676-4 that a pixel density reaches (图像等级); empty below the lowest and for NaN."""
    names = list(levels(DEFAULT_PROFILE))
    steps = np.array(list(levels(DEFAULT_PROFILE).values()))
    rank = np.searchsorted(steps, np.nan_to_num(px_per_m, nan=0.0), side="right")
    return np.array(["", *names], dtype=object)[rank]


def unjudged_cameras(city: City, x: float, y: float, *, scope: Scope, radius_m: float = 60.0) -> int:
    """How many cameras near a place have no bearing in the register, so that nobody can say what they see."""
    rows, _ = _camera_points(city).within(x, y, radius_m)
    if not len(rows):
        return 0
    allowed = visible_cameras(city.cameras.iloc[rows], scope).to_numpy()
    return int(np.count_nonzero(allowed & (_optics(city)["why_not"].to_numpy()[rows] == "no_bearing")))


def nearest_facilities(city: City, x: float, y: float) -> pd.DataFrame:
    """Nearest facility of each kind, by time along the roads (各类最近物防设施).

    Returns
    -------
    DataFrame
        Index `facility_id`, one row per kind present: `kind`, `name`, `state`, `distance_m` (straight),
        `drive_s` (from the facility to the place; NaN where no road leads there within ten minutes: then the
        nearest in a straight line is given), `lon`, `lat`. Sorted by time, those without last.
    """
    depots = _depots(city)
    if not len(depots.kind):
        return _no_facilities()
    arrive = depots.network.seconds_to(x, y, within_s=LIMIT_S)
    seconds = np.full(len(depots.kind), np.inf)
    joined = depots.node >= 0
    seconds[joined] = arrive[depots.node[joined]] + depots.walk_s[joined]
    straight = np.hypot(*(depots.xy - [x, y]).T)
    seconds[straight < 30.0] = np.minimum(seconds, straight / 1.4)[straight < 30.0]
    best = _least_per_kind(depots, seconds, straight)
    rows = city.degrees("facilities").iloc[best]
    drive = seconds[best]
    frame = pd.DataFrame(
        {
            "kind": rows["kind"],
            "name": rows["name"],
            "state": rows["state"],
            "distance_m": np.round(straight[best], 1),
            "drive_s": np.where(drive <= LIMIT_S, np.round(drive, 0), np.nan),
            "lon": rows.geometry.x,
            "lat": rows.geometry.y,
        },
        index=rows.index,
    )
    return frame.sort_values(["drive_s", "distance_m"], na_position="last", kind="stable")


def open_incidents(city: City, x: float, y: float, *, radius_m: float = NEAR_M) -> pd.DataFrame:
    """Incidents of the snapshot around a place that are not closed (周边未办结警情), nearest first, with `distance_m`."""

    def build() -> Points:
        table = city.degrees("incidents")
        still = (table["stage"].isna() | (table["stage"] != "closed")).to_numpy(dtype=bool)
        return Points.of(table[still].to_crs(city.crs))

    return _around(city.derive("open-incidents", ("incidents",), build), x, y, radius_m)


def open_hazards(city: City, x: float, y: float, *, radius_m: float = NEAR_M) -> pd.DataFrame:
    """Hazards around a place that are not fixed (周边未整改隐患), nearest first, with `distance_m`."""

    def build() -> Points:
        return Points.of(city.hazards, city.hazards["fixed_at"].isna().to_numpy())

    return _around(city.derive("open-hazards", ("hazards",), build), x, y, radius_m)


def warm(city: City) -> None:
    """Build every index of this module, so that the first answer is as quick as the next."""
    _camera_points(city), _blocks(city)
    for answer in (nearest_facilities, open_incidents, open_hazards):
        answer(city, 0.0, 0.0)
    cameras_seeing(city, 0.0, 0.0, scope=EVERYTHING)


# -- indexes ----------------------------------------------------------------------------------------------------


def _around(points: Points, x: float, y: float, radius_m: float) -> pd.DataFrame:
    rows, away = points.within(x, y, radius_m)
    return points.rows.iloc[rows].assign(distance_m=np.round(away, 1))


def _camera_points(city: City) -> Points:
    return city.derive("camera-points", ("cameras",), lambda: Points.of(city.cameras))


def _optics(city: City) -> pd.DataFrame:
    return city.derive("camera-optics", ("cameras",), lambda: views(city.cameras))


def _farthest(city: City) -> float:
    reach = _optics(city)["range_m"].to_numpy()
    return float(min(np.nanmax(reach, initial=0.0) + 5.0, FARTHEST_M))


def _behind(optics: pd.DataFrame, city: City, rows: np.ndarray, x: float, y: float) -> np.ndarray:
    """Cameras that surely look elsewhere: the place is outside the opening, with 10 m of room around the eye."""
    dx, dy = (np.array([x, y]) - _camera_points(city).xy[rows]).T
    turn = np.degrees(np.arctan2(dx, dy)) - optics["bearing_deg"].to_numpy()
    turn = np.abs((turn + 180.0) % 360.0 - 180.0)
    return (turn > optics["fov_deg"].to_numpy() / 2 + 15.0) & (np.hypot(dx, dy) > 10.0)


@dataclass(frozen=True)
class Blocks:
    """Buildings and other occluders with a tree over them."""

    shapes: np.ndarray
    heights_m: np.ndarray
    tree: shapely.STRtree


def _blocks(city: City) -> Blocks:
    def build() -> Blocks:
        tables = (city.buildings, city.occluders)
        shapes = np.concatenate([t.geometry.to_numpy() for t in tables])
        heights = np.concatenate([t["height_m"].to_numpy(dtype=np.float64, na_value=np.nan) for t in tables])
        return Blocks(shapes, np.where(heights > 0, heights, np.inf), shapely.STRtree(shapes))

    return city.derive("blocks", ("buildings", "occluders"), build)


def _scene_around(city: City, x: float, y: float, radius_m: float) -> coverage.Scene:
    """What may hide the place from eyes within a radius: whatever stands in that circle's box, and a little more."""
    blocks = _blocks(city)
    reach = radius_m + 30.0
    row = np.sort(blocks.tree.query(shapely.box(x - reach, y - reach, x + reach, y + reach)))
    table = city.buildings.iloc[:0]
    near = table.reindex(pd.RangeIndex(len(row)).astype(str)).assign(height_m=blocks.heights_m[row])
    return coverage.scene(near.set_geometry(blocks.shapes[row], crs=city.crs))


@dataclass(frozen=True)
class Depots:
    """Facilities joined to the road network."""

    network: Network
    xy: np.ndarray
    node: np.ndarray
    walk_s: np.ndarray
    kind: np.ndarray
    kinds: int


def _depots(city: City) -> Depots:
    network = city.derive("network", ("roads",), lambda: Network.build(city.roads))

    def build() -> Depots:
        table = city.facilities
        shapes = table.geometry.to_numpy()
        xy = np.stack([shapely.get_x(shapes), shapely.get_y(shapes)], axis=1)
        node, walk = network.join(xy)
        kind, names = pd.factorize(table["kind"])
        return Depots(network, xy, node, walk, kind, len(names))

    return city.derive("depots", ("roads", "facilities"), build)


def _least_per_kind(depots: Depots, seconds: np.ndarray, straight: np.ndarray) -> np.ndarray:
    """Row of the quickest facility of each kind; where none is quick enough, of the nearest in a straight line."""
    late = seconds > LIMIT_S
    cost = np.where(late, 1e6 + straight, seconds)
    least = np.full(depots.kinds, np.inf)
    np.minimum.at(least, depots.kind, cost)
    first = np.flatnonzero(cost == least[depots.kind])
    _, at = np.unique(depots.kind[first], return_index=True)
    return first[at]


def _no_cameras() -> pd.DataFrame:
    names = [
        "name",
        "state",
        "distance_m",
        "px_per_m",
        "image_level",
        "bearing_deg",
        "lon",
        "lat",
        "defaults",
    ]
    return pd.DataFrame({n: pd.Series(dtype=object) for n in names}, index=pd.Index([], name="camera_id"))


def _no_facilities() -> pd.DataFrame:
    names = ["kind", "name", "state", "distance_m", "drive_s", "lon", "lat"]
    return pd.DataFrame({n: pd.Series(dtype=object) for n in names}, index=pd.Index([], name="facility_id"))
