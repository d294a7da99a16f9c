"""Would the map look the same (稳定性): under the error of the addresses, and at the next grid level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.errors import BadInputError
from geo.hotspot import _check
from geo.hotspot.expect import city_factor, residual, windows
from geo.hotspot.local import adjusted, p_value
from geo.hotspot.pooled import dispersion, overdispersion, pooled_residual
from geo.hotspot.report import RECENT_DAYS, longest_baseline, past_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from geo.hotspot.cube import Cube
    from geo.hotspot.graph import Graph

STABLE = 0.8  # of the draws
PARENT_Z = 1.0


def sensitivity(  # noqa: PLR0913, PLR0917  (what the draws are made of)
    cube: Cube,
    graph: Graph,
    xy: ArrayLike,
    radius_m: ArrayLike,
    locate: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.int64]],
    parent: pd.Series,
    *,
    category: str | None = None,
    source: str | None = None,
    recent_days: int = RECENT_DAYS,
    baseline_days: int | None = None,
    alpha: float = 0.05,
    draws: int = 20,
    seed: int,
) -> pd.DataFrame:
    """How stable each grid's mark is (热点稳定性).

    Parameters
    ----------
    cube, graph
        As for `report.hotspots`.
    xy, radius_m
        Place of each row of the incident table, metres, and how far off it may be (定位误差); missing or 0 is
        exact. Both by row of the table, as `cube.row` counts.
    locate
        Rows of the grids for eastings and northings, -1 outside.
    parent
        Code of the grid above each grid, on the index of the graph; missing: none.
    category, source, recent_days, baseline_days, alpha
        As for `report.hotspots`.
    draws, seed
        How often all recent incidents are moved, each within its radius, and the seed.

    Returns
    -------
    DataFrame
        On the index of the grids: `hot_share` of the draws in which the grid is hot; `parent_z`, the score of the
        whole grid above (0 without one); `stable`: hot in at least 80 % of the draws and not against the trend of
        the grid above, or hot in at most 20 %. The map hatches what is not stable.
    """
    plane = cube.plane(category=category, source=source)
    baseline_days = longest_baseline(cube.days, recent_days, 0) if baseline_days is None else baseline_days
    cut = windows(plane, recent_days=recent_days, baseline_days=baseline_days)
    phi = overdispersion(past_windows(plane, cut), graph)
    places = np.asarray(xy, dtype=np.float64)
    radius = np.nan_to_num(np.asarray(radius_m, dtype=np.float64))
    if draws < 1 or places.shape != (len(radius), 2) or (len(radius) and radius.min() < 0):
        raise BadInputError("draws: 1 and more; xy and radius_m: one per incident, radius 0 and more metres")
    chosen = cube.where(category=category, source=source) & (cube.day >= cube.days - recent_days)
    row, home = cube.row[chosen], cube.grid[chosen]
    moves = radius[row] > 0
    if moves.any():
        _check.planar(places[row[moves]], reach_m=float(radius[row[moves]].max()))
    rng = np.random.default_rng(seed)
    times_hot = np.zeros(graph.size)
    rounds = draws if moves.any() else 1
    for _ in range(rounds):
        grid = home.astype(np.int64)
        grid[moves] = locate(*_moved(places[row[moves]], radius[row[moves]], rng))
        recent = np.bincount(grid[grid >= 0], minlength=graph.size)
        z = pooled_residual(recent, cut.baseline, graph, overdispersion=phi)
        z = z / dispersion(z)
        times_hot += (adjusted(p_value(z, alternative="greater")) <= alpha) & (z > 0)
    share = times_hot / rounds
    above = _parent_score(cut.recent, cut.baseline, parent.reindex(graph.index))
    stable = (share <= 1 - STABLE) | ((share >= STABLE) & (above >= -PARENT_Z))
    return pd.DataFrame({"hot_share": share, "parent_z": above, "stable": stable}, index=graph.index)


def _moved(
    xy: NDArray[np.float64], radius: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each point anywhere in its circle, evenly."""
    far = radius * np.sqrt(rng.random(len(xy)))
    turn = rng.random(len(xy)) * 2 * np.pi
    return xy[:, 0] + far * np.cos(turn), xy[:, 1] + far * np.sin(turn)


def _parent_score(
    recent: NDArray[np.int64], baseline: NDArray[np.int64], parent: pd.Series
) -> NDArray[np.float64]:
    code, names = pd.factorize(parent.to_numpy(dtype=object))
    if not len(names):
        return np.zeros(len(recent))
    known = code >= 0
    r = np.bincount(code[known], recent[known], minlength=len(names))
    b = np.bincount(code[known], baseline[known], minlength=len(names))
    z = residual(r, b, factor=city_factor(recent, baseline))
    return np.where(known, (z / dispersion(z))[np.maximum(code, 0)], 0.0)
