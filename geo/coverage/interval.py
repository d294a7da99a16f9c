"""How sure a coverage rate is (覆盖率区间): seeded simulation over azimuth and position error.

Each run turns every camera within its azimuth error (±22.5° for eight-way codes, all round where no azimuth is
known) and moves it within its position error; places are points of three kinds: targets, ground, roads. What a
survey of one camera would settle is p(1 - p) at every place it may see, times the chance that nobody else
sees it: the part of the variance that this camera alone causes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_array

from geo.camera import DEFAULTS, views
from geo.coverage.view import fields

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.camera import Defaults
    from geo.coverage.view import Scene

POSITION_M = 5.0


@dataclass(frozen=True, eq=False)
class Interval:
    """Spread of rates over the runs, and what to survey first (区间与优先复核清单).

    Attributes
    ----------
    rates
        Index: group of places; `places`, `minimum`, `expected`, `maximum`, `as_registered` (the rate with the
        register taken at its word; cameras without azimuth see nothing).
    records
        Index `camera_id`: `swing` (weighted places whose coverage hangs on this record), `field` to survey
        (bearing_deg or place), `bearing_error_deg`, `position_error_m`; greatest swing first, zero left out.
    runs
        Number of runs.
    """

    rates: pd.DataFrame
    records: pd.DataFrame
    runs: int


def interval(
    cameras: gpd.GeoDataFrame,
    scene: Scene,
    places: pd.DataFrame,
    *,
    runs: int = 30,
    seed: int = 0,
    position_m: float = POSITION_M,
    defaults: Defaults = DEFAULTS,
) -> Interval:
    """Simulate azimuth and position errors (方位与位置误差模拟).

    Parameters
    ----------
    cameras
        Camera table in metres.
    scene
        What hides.
    places
        `x`, `y` in metres, `group` (any text) and `weight` (of a place in `swing`: 1 for a target, m² for a
        ground sample).
    runs, seed
        Number of runs; the same seed gives the same answer.
    position_m
        Position error (1 σ per axis) where the register states none, metres.
    defaults
        What to take where optics are silent.

    Returns
    -------
    Interval
        No places or no cameras: rates 0, no records.
    """
    points = shapely.points(places[["x", "y"]].to_numpy(dtype=np.float64))
    tree = shapely.STRtree(points)
    code, groups = pd.factorize(places["group"], sort=True)
    size = np.maximum(np.bincount(code, minlength=len(groups)), 1)
    optics = views(cameras, defaults=defaults)
    turn = optics["bearing_error_deg"].to_numpy(dtype=np.float64)
    stated = (
        cameras["position_error_m"].to_numpy(dtype=np.float64) if "position_error_m" in cameras else np.nan
    )
    move = np.broadcast_to(np.where(np.isnan(stated), position_m, stated), (len(cameras),))
    rng = np.random.default_rng(seed)
    shares, pairs = [], []
    for _ in range(runs):
        shifted = _shifted(cameras, optics, turn, move, rng)
        camera, place = _seen(shifted, scene, tree, defaults)
        pairs.append(camera.astype(np.int64) * len(points) + place)
        shares.append(_share(place, code, size, len(points)))
    registered = _share(_seen(cameras, scene, tree, defaults)[1], code, size, len(points))
    spread = np.array(shares).reshape(runs, len(groups))
    rates = pd.DataFrame(
        {
            "places": np.bincount(code, minlength=len(groups)),
            "minimum": spread.min(axis=0),
            "expected": spread.mean(axis=0),
            "maximum": spread.max(axis=0),
            "as_registered": registered,
        },
        index=pd.Index(groups, name="group"),
    )
    swing = _swing(
        np.concatenate(pairs), (len(cameras), len(points)), places["weight"].to_numpy(dtype=np.float64), runs
    )
    unsure = optics["bearing_source"].to_numpy() != "stated"
    records = pd.DataFrame(
        {
            "swing": swing,
            "field": np.where(unsure & (turn > 0), "bearing_deg", "place"),
            "bearing_error_deg": turn,
            "position_error_m": move,
        },
        index=cameras.index,
    )
    records = records[records["swing"] > 0].sort_values("swing", ascending=False, kind="stable")
    return Interval(rates, records, runs)


def _shifted(
    cameras: gpd.GeoDataFrame,
    optics: pd.DataFrame,
    turn: NDArray[np.float64],
    move: NDArray[np.float64],
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """One draw: bearings uniform within their error, places normal."""
    n = len(cameras)
    bearing = optics["bearing_deg"].fillna(0.0).to_numpy() + rng.uniform(-1, 1, n) * turn
    shapes = cameras.geometry.to_numpy()
    xy = np.column_stack([shapely.get_x(shapes), shapely.get_y(shapes)])
    moved = shapely.points(xy + rng.normal(size=(n, 2)) * move[:, None])
    moved[np.isnan(xy).any(axis=1)] = None
    return cameras.assign(bearing_deg=np.mod(bearing, 360.0)).set_geometry(moved, crs=cameras.crs)


def _seen(
    cameras: gpd.GeoDataFrame, scene: Scene, tree: shapely.STRtree, defaults: Defaults
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    shapes = fields(cameras, scene, defaults=defaults, indoors=False).shapes
    shapely.prepare(shapes)
    camera, place = tree.query(shapes, predicate="intersects")
    return camera, place


def _share(
    place: NDArray[np.intp], code: NDArray[np.intp], size: NDArray[np.intp], n: int
) -> NDArray[np.float64]:
    hit = np.zeros(n, dtype=bool)
    hit[place] = True
    return np.asarray(np.bincount(code[hit], minlength=len(size)) / size)


def _swing(
    pairs: NDArray[np.int64], shape: tuple[int, int], weight: NDArray[np.float64], runs: int
) -> NDArray[np.float64]:
    """Variance that each camera alone causes: Σ w p(1 - p) Π over others (1 - p)."""
    key, count = np.unique(pairs, return_counts=True)
    camera, place = np.divmod(key, max(shape[1], 1))
    p = csr_array((count / runs, (camera, place)), shape=shape)
    # 1 - p of a camera that always sees a place is 0: keep it off zero so that others can be divided out
    free = np.log(np.maximum(1.0 - p.data, 1e-12))
    nobody = np.bincount(p.indices, free, minlength=shape[1])
    others = np.exp(np.minimum(nobody[p.indices] - free, 0.0))
    value = weight[p.indices] * p.data * (1 - p.data) * others
    row = np.repeat(np.arange(shape[0]), np.diff(p.indptr))
    return np.asarray(np.bincount(row, value, minlength=shape[0]))
