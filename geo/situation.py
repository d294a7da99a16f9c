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

from geo import covered
from geo.camera.pixels import pixels_per_m
from geo.coverage.level import DEFAULT_PROFILE, levels
from geo.incident import IncidentFilter
from geo.points import lonlat
from geo.travel import WALK_M_S, Network, Stops

if TYPE_CHECKING:
    from geo.city import City
    from geo.coverage import Fields
    from geo.scope import Scope

NEAR_M = 300.0
LIMIT_S = 600.0
ON_FOOT_M = 30.0  # nearer than this nobody drives
WORKING = "on"


@dataclass(frozen=True)
class Points:
    """Rows of a table, plain columns with `lon` and `lat`, and a tree over their places in metres."""

    rows: pd.DataFrame
    xy: np.ndarray
    tree: cKDTree | None

    @classmethod
    def of(cls, city: City, name: str, where: np.ndarray) -> Points:
        """Index the chosen rows of a point table."""
        chosen = city.degrees(name)[where]
        lon, lat = lonlat(chosen)
        rows = pd.DataFrame(chosen.drop(columns=chosen.geometry.name)).assign(lon=lon, lat=lat)
        xy = np.column_stack(city.to_metres(lon, lat))
        return cls(rows, xy, cKDTree(xy) if len(xy) else None)

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

    The fields of view are those of the coverage map (`geo.covered.watch_of`), exact among buildings and walls.
    Cameras of every state are listed, with it; only `on` can show a picture now.

    Returns
    -------
    DataFrame
        Index `camera_id`; `name`, `state`, `distance_m` (on the ground), `px_per_m` (along the line of sight; NaN:
        resolution unknown), `image_level` (EN 62676-4, highest reached; empty: below the lowest or unknown),
        `bearing_deg`, `lon`, `lat`, `defaults` (true where opening or range are defaults, not of the register).
        Nobody sees the place: no rows.
    """
    eyes = _eyes(city, scope)
    rows = eyes.fields.tree.query(shapely.Point(x, y), predicate="intersects")
    away = np.hypot(*(eyes.fields.xy[rows] - [x, y]).T)
    order = np.lexsort([rows, away])
    rows, away = rows[order], away[order]
    known = eyes.known.iloc[rows]
    slant = np.maximum(np.hypot(away, known["eye_m"]), 0.5)
    density = pixels_per_m(slant, resolution_px=known["resolution_px"], fov_deg=known["fov_deg"])
    return known[["name", "state", "bearing_deg", "lon", "lat", "defaults"]].assign(
        distance_m=np.round(away, 1), px_per_m=np.round(density, 1), image_level=image_level(density)
    )


def image_level(px_per_m: np.ndarray) -> np.ndarray:
    """Highest level of EN 62676-4 that a pixel density reaches (图像等级); empty below the lowest and for NaN."""
    names = list(levels(DEFAULT_PROFILE))
    steps = np.array(list(levels(DEFAULT_PROFILE).values()))
    rank = np.searchsorted(steps, np.nan_to_num(px_per_m, nan=0.0), side="right")
    return np.array(["", *names], dtype=object)[rank]


def unjudged_cameras(city: City, x: float, y: float, *, scope: Scope, radius_m: float = 60.0) -> int:
    """How many cameras near a place have no bearing in the register, so that nobody can say what they see."""
    return len(_eyes(city, scope).unjudged.within(x, y, radius_m)[0])


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
    if not len(depots.facts):
        return _no_facilities()
    rows, seconds = depots.quickest(x, y)
    facts = depots.facts.iloc[rows].assign(
        distance_m=np.round(np.hypot(*(depots.xy[rows] - [x, y]).T), 1), drive_s=np.round(seconds, 0)
    )
    return facts.sort_values(["drive_s", "distance_m"], na_position="last", kind="stable")


def open_incidents(city: City, x: float, y: float, *, radius_m: float = NEAR_M) -> pd.DataFrame:
    """Incidents of the snapshot around a place that are not closed (周边未办结警情), nearest first.

    Columns of the table without geometry, `lon`, `lat`, `distance_m`.
    """

    def build() -> Points:
        table = city.degrees("incidents")
        still = np.zeros(len(table), dtype=bool)
        still[IncidentFilter(only_open=True).rows(table)] = True
        return Points.of(city, "incidents", still)

    return _around(city.derive("open-incidents", ("incidents",), build), x, y, radius_m)


def open_hazards(city: City, x: float, y: float, *, radius_m: float = NEAR_M) -> pd.DataFrame:
    """Hazards around a place that are not fixed (周边未整改隐患), nearest first; columns as of `open_incidents`."""

    def build() -> Points:
        return Points.of(city, "hazards", city.degrees("hazards")["fixed_at"].isna().to_numpy(dtype=bool))

    return _around(city.derive("open-hazards", ("hazards",), build), x, y, radius_m)


def incidents_by_time(city: City, *, only_open: bool) -> tuple[np.ndarray, pd.DatetimeIndex]:
    """Positions of all incidents, or of the open ones, in the order of their times, and these times."""

    def build() -> tuple[tuple[np.ndarray, pd.DatetimeIndex], ...]:
        table = city.degrees("incidents")
        occurred = pd.DatetimeIndex(table["occurred_at"])
        order = occurred.argsort()
        still = np.zeros(len(table), dtype=bool)
        still[IncidentFilter(only_open=True).rows(table)] = True
        open_order = order[still[order]]
        return (order, occurred[order]), (open_order, occurred[open_order])

    everything, still_open = city.derive("incidents-by-time", ("incidents",), build)
    return still_open if only_open else everything


def warm(city: City, *, scope: Scope) -> None:
    """Build every index that the cards of a scope need, so that the first answer is as quick as the next."""
    for answer in (nearest_facilities, open_incidents, open_hazards):
        answer(city, 0.0, 0.0)
    cameras_seeing(city, 0.0, 0.0, scope=scope)
    incidents_by_time(city, only_open=True)


# -- indexes ----------------------------------------------------------------------------------------------------


def _around(points: Points, x: float, y: float, radius_m: float) -> pd.DataFrame:
    rows, away = points.within(x, y, radius_m)
    return points.rows.iloc[rows].assign(distance_m=np.round(away, 1))


@dataclass(frozen=True)
class Eyes:
    """Fields of view of the cameras a role may see, with what a card says of each; and those without a bearing."""

    fields: Fields
    known: pd.DataFrame
    unjudged: Points


def _eyes(city: City, scope: Scope) -> Eyes:
    def build() -> Eyes:
        fields = covered.watch_of(city, secret=scope.sees_secret).fields
        optics, register = fields.optics, city.degrees("cameras").loc[fields.cameras]
        known = pd.DataFrame(
            {
                "name": register["name"],
                "state": register["state"].fillna("unknown"),
                "bearing_deg": optics["bearing_deg"].round(1),
                "lon": register.geometry.x,
                "lat": register.geometry.y,
                "defaults": (optics["fov_source"] == "default") | (optics["range_source"] == "default"),
                "fov_deg": optics["fov_deg"],
                "resolution_px": optics["resolution_px"],
                "eye_m": optics["eye_m"].fillna(0.0),
            },
        ).astype({"name": object, "state": object})
        blind = fields.cameras[(optics["why_not"] == "no_bearing").to_numpy(dtype=bool)]
        return Eyes(fields, known, Points.of(city, "cameras", city.degrees("cameras").index.isin(blind)))

    return city.derive(f"eyes:{scope.sees_secret}", covered.WATCHED, build)


@dataclass(frozen=True)
class Depots:
    """Facilities joined to the road network; positions in the table by kind, with a tree for each kind."""

    stops: Stops
    xy: np.ndarray
    facts: pd.DataFrame
    of_kind: list[np.ndarray]
    trees: list[cKDTree]

    def quickest(self, x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
        """Position of the quickest facility of each kind, and its seconds; NaN: the nearest, none is quick enough."""
        seconds, rows = self.stops.quickest(x, y, within_s=LIMIT_S)
        near = [tree.query([x, y]) for tree in self.trees]
        away = np.array([d for d, _ in near])
        nearest = np.array([rows_[i] for rows_, (_, i) in zip(self.of_kind, near, strict=True)])
        on_foot = np.where(away < ON_FOOT_M, away / WALK_M_S, np.inf)
        rows = np.where(on_foot < seconds, nearest, np.where(np.isfinite(seconds), rows, nearest))
        seconds = np.minimum(seconds, on_foot)
        return rows, np.where(np.isfinite(seconds), seconds, np.nan)


def _depots(city: City) -> Depots:
    network = city.derive("network", ("roads",), lambda: Network.build(city.roads))

    def build() -> Depots:
        table = city.degrees("facilities")
        lon, lat = lonlat(table)
        xy = np.column_stack(city.to_metres(lon, lat))
        kind, names = pd.factorize(table["kind"])
        of_kind = [np.flatnonzero(kind == k) for k in range(len(names))]
        facts = pd.DataFrame(table[["kind", "name", "state"]]).astype(object).assign(lon=lon, lat=lat)
        trees = [cKDTree(xy[rows]) for rows in of_kind]
        return Depots(Stops.of(network, xy, kind), xy, facts, of_kind, trees)

    return city.derive("depots", ("roads", "facilities"), build)


def _no_facilities() -> pd.DataFrame:
    names = ["kind", "name", "state", "lon", "lat", "distance_m", "drive_s"]
    return pd.DataFrame({n: pd.Series(dtype=object) for n in names}, index=pd.Index([], name="facility_id"))
