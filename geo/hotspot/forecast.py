"""Forecast of the next week (预测): a decayed count, chosen by back-test, beside the naive ones it must beat.

An exponentially decayed count with a long half-life beats counts of the last week or month and kernel densities
on every series it was tried on, and a self-exciting term adds nothing to it. A little of the neighbours' rate
helps where counts are few. Both are chosen on past weeks by likelihood, not by the score they are judged by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.errors import BadInputError
from geo.hotspot import _check
from geo.hotspot.heat import kde

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from geo.hotspot.graph import Graph

HALF_LIVES = (7.0, 14.0, 28.0, 56.0, 90.0, 180.0, 365.0, np.inf)
SMOOTHINGS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
PRIORS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
RINGS = 3
OWN_COUNT = 10.0  # incidents of its own after which a grid listens to its neighbours half as much
FLOOR = 0.05  # share of a likelihood that is spread over the area evenly: any place may have a first incident
BLENDED = 20  # of the candidates, those that past weeks like best are averaged: they are hard to tell apart
SHARES = (0.01, 0.05)
KDE_BANDWIDTH_M = 1000.0
METHODS = {"santu": "衰减计数", "count_7d": "近7日计数", "count_28d": "近28日计数", "count_all": "全部计数",
           "kde": "核密度"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Model:
    """What the forecast is made with (预测模型).

    Attributes
    ----------
    half_life_days
        Half-life of a count.
    smoothing
        Share of the neighbours' rate in the rate of a grid that has had no incident.
    prior
        If over 0, instead of `smoothing`: the grid's rate is taken from a gamma law of this shape around the rate
        of the grids up to `rings` away (Clayton & Kaldor 1987): the fewer are expected there, the less a grid's
        own count says.
    rings
        How far around.
    """

    half_life_days: float = 90.0
    smoothing: float = 0.1
    prior: float = 0.0
    rings: int = 1


def decayed_count(plane: ArrayLike, *, half_life_days: float) -> NDArray[np.float64]:
    """Count incidents, those of long ago less (衰减计数).

    Parameters
    ----------
    plane
        Counts `(days, n)`, the last row the newest day.
    half_life_days
        After so many days a count weighs half; infinite: the plain count.

    Returns
    -------
    array
        `(n,)`, weighted incidents; `memory_days` says for how many days they stand. No days: 0.
    """
    counts = _check.counts(plane, "plane")
    if not half_life_days > 0:
        raise BadInputError(f"half_life_days: {half_life_days}; allowed: over 0")
    return _weights(len(counts), half_life_days) @ counts


def memory_days(days: int, *, half_life_days: float) -> float:
    """Days that a decayed count of `days` days stands for: the sum of its weights."""
    return float(_weights(days, half_life_days).sum())


def predict(
    plane: ArrayLike, graph: Graph, area_m2: ArrayLike, *, model: Model, horizon_days: int = 7
) -> NDArray[np.float64]:
    """Incidents to be expected in each grid in the next days (下期期望数).

    Parameters
    ----------
    plane, graph, area_m2
        Counts `(days, n)`, neighbours and areas of the same grids.
    model
        Half-life, and how much a grid takes from the density around it. A grid listens to its neighbours less the
        more incidents it has had itself: with `smoothing`, half as much at ten.

    Returns
    -------
    array
        `(n,)`, incidents in `horizon_days`. No days: 0.
    """
    area = _area(area_m2, graph.size)
    counts = np.asarray(plane)
    if not len(counts):
        return np.zeros(graph.size)
    decayed = decayed_count(counts, half_life_days=model.half_life_days)
    days = memory_days(len(counts), half_life_days=model.half_life_days)
    around = _around(decayed, graph, area, model.rings)
    return _value(model, decayed, around, _evidence(len(counts), model.half_life_days)) / days * horizon_days


def choose(
    plane: ArrayLike,
    graph: Graph,
    area_m2: ArrayLike,
    *,
    horizon_days: int = 7,
    folds: int = 8,
    half_lives: Sequence[float] = HALF_LIVES,
    smoothings: Sequence[float] = SMOOTHINGS,
    priors: Sequence[float] = PRIORS,
) -> tuple[Model, pd.DataFrame]:
    """Choose half-life and what neighbours say by back-test on past horizons (回测选参).

    Each of the last `folds` horizons is forecast from the days before it; the model with the highest likelihood
    of where the incidents then fell wins. Of equal ones the longest half-life and the least smoothing.
    Candidates are every half-life with every smoothing, and with every prior over one, two and three rings.

    Returns
    -------
    model, table
        The choice, and the mean log likelihood per incident of each candidate. Too few days or incidents for a
        back-test: the default model and an empty table.
    """
    counts = _check.counts(plane, "plane")
    area = _area(area_m2, graph.size)
    folds = min(folds, (len(counts) - horizon_days) // horizon_days)
    cuts = [len(counts) - horizon_days * (k + 1) for k in range(max(folds, 0))]
    actual = [counts[cut : cut + horizon_days].sum(axis=0) for cut in cuts]
    total = sum(float(a.sum()) for a in actual)
    columns = ["half_life_days", "smoothing", "prior", "rings", "log_likelihood"]
    if total == 0:
        return Model(), pd.DataFrame(columns=columns, dtype="float64")
    rows = []
    even = area / area.sum()
    models = [Model(0.0, smoothing) for smoothing in sorted(smoothings)]
    models += [Model(0.0, 0.0, prior, rings + 1) for prior in sorted(priors) for rings in range(RINGS)]
    for half_life in sorted(half_lives, reverse=True):
        gain = np.zeros(len(models))
        for cut, happened in zip(cuts, actual, strict=True):
            decayed = decayed_count(counts[:cut], half_life_days=half_life)
            around, evidence = _around(decayed, graph, area, RINGS), _evidence(cut, half_life)
            where = np.flatnonzero(happened)
            for i, model in enumerate(models):
                value = _value(model, decayed, around, evidence)
                total_value = value.sum()
                share = value[where] / total_value if total_value > 0 else even[where]
                gain[i] += happened[where] @ np.log((1 - FLOOR) * share + FLOOR * even[where] + 1e-300)
        rows += [
            (half_life, m.smoothing, m.prior, m.rings, g / total) for m, g in zip(models, gain, strict=True)
        ]
    table = pd.DataFrame(rows, columns=columns)
    return _model(table.loc[table["log_likelihood"].idxmax()]), table


def blend(
    plane: ArrayLike,
    graph: Graph,
    area_m2: ArrayLike,
    *,
    horizon_days: int = 7,
    most: int = BLENDED,
) -> tuple[NDArray[np.float64], Model]:
    """Incidents to be expected, averaged over the models that the past weeks like best (回测择优平均).

    The back-test of `choose` knows nothing of the weeks to come, and its best candidates differ by chance; the
    mean of the first `most` is steadier than any of them. Each counts by where it expects incidents; how many
    there are in all is the best one's.

    Returns
    -------
    expected, best
        As `predict` gives, and the best single model. Too little history for a back-test: the default model.
    """
    best, table = choose(plane, graph, area_m2, horizon_days=horizon_days)
    counts, area = np.asarray(plane), _area(area_m2, graph.size)
    own = predict(counts, graph, area, model=best, horizon_days=horizon_days)
    chosen = table.nlargest(most, "log_likelihood", keep="first")
    if len(chosen) < 2 or own.sum() == 0:
        return own, best
    shares = np.zeros(graph.size)
    for half_life, rows in chosen.groupby("half_life_days"):
        decayed = decayed_count(counts, half_life_days=float(half_life))
        around = _around(decayed, graph, area, RINGS)
        evidence = _evidence(len(counts), float(half_life))
        for _, row in rows.iterrows():
            value = _value(_model(row), decayed, around, evidence)
            shares += value / value.sum()
    return shares * (own.sum() / shares.sum()), best


def naive(
    plane: ArrayLike, xy: ArrayLike, *, bandwidth_m: float = KDE_BANDWIDTH_M
) -> dict[str, NDArray[np.float64]]:
    """Make the forecasts that any other must beat (基线预测): last 7 days, last 28, all days, kernel density.

    Parameters
    ----------
    plane
        Counts `(days, n)`.
    xy
        A point in each grid, metres; the kernel density puts each grid's incidents there.
    bandwidth_m
        Of the kernel density.

    Returns
    -------
    dict
        Name -> value per grid; "kde" is a density (per km²), the others are counts.
    """
    counts = _check.counts(plane, "plane")
    total = counts.sum(axis=0)
    places = _check.planar(xy, reach_m=bandwidth_m)
    margin = 0.5 * bandwidth_m
    low, high = (
        (places.min(axis=0) - margin, places.max(axis=0) + margin)
        if len(places)
        else (np.zeros(2), np.ones(2))
    )
    density = np.zeros(len(places))
    if len(places):
        surface = kde(
            places, bandwidth_m=bandwidth_m, cell_m=bandwidth_m / 5, bounds=(*low.tolist(), *high.tolist()),
            weights=total, edge=False,
        )  # fmt: skip
        density = surface.at(places)
    return {
        "count_7d": counts[-7:].sum(axis=0),
        "count_28d": counts[-28:].sum(axis=0),
        "count_all": total,
        "kde": density,
    }


def ranked(
    values: ArrayLike, area_m2: ArrayLike, *, share: float, density: bool = False
) -> NDArray[np.int64]:
    """Grids to patrol, best first, that fill a share of the area (按面积预算选格).

    Parameters
    ----------
    values
        Expected incidents per grid, or incidents per area with `density`.
    area_m2
        Area of each grid.
    share
        Of the whole area, 0 to 1. Grids are taken by density as long as they fit; the first is always taken.

    Returns
    -------
    array
        Rows. Ties keep the order of the grids.
    """
    value, area = np.asarray(values, dtype=np.float64), np.asarray(area_m2, dtype=np.float64)
    if not 0 < share <= 1:
        raise BadInputError(f"share of the area: {share}; allowed: over 0, up to 1")
    per_area = value if density else np.divide(value, area, out=np.zeros_like(value), where=area > 0)
    order = np.argsort(-per_area, kind="stable")
    order = order[area[order] > 0]
    fits = np.cumsum(area[order]) <= share * area.sum() * (1 + 1e-9)
    if len(fits):
        fits[0] = True
    return order[fits]


@dataclass(frozen=True, slots=True)
class Score:
    """How good a forecast was (预测评分).

    Attributes
    ----------
    hits, total
        Incidents in the chosen grids, incidents in all.
    area_share
        Area of the chosen grids over all area.
    hit_rate, low, high
        `hits / total` with its 95 % Wilson interval; NaN if nothing happened (undefined, not 0).
    pai
        Prediction accuracy index, hit rate over area share (Chainey et al. 2008); NaN if nothing happened.
    pei
        PEI*: hits over the hits of the best choice of the same area (Hunt 2016).
    oracle_pai
        PAI of that best choice.
    """

    hits: int
    total: int
    area_share: float
    hit_rate: float
    low: float
    high: float
    pai: float
    pei: float
    oracle_pai: float


def score(chosen: ArrayLike, actual: ArrayLike, area_m2: ArrayLike) -> Score:
    """Score chosen grids against what happened.

    Parameters
    ----------
    chosen
        Rows of the chosen grids.
    actual
        Incidents per grid in the forecast period.
    area_m2
        Area of each grid.
    """
    rows = np.asarray(chosen, dtype=np.int64)
    happened, area = _check.counts(actual, "actual"), _check.counts(area_m2, "area_m2")
    if happened.shape != area.shape:
        raise BadInputError(f"{happened.shape} counts for {area.shape} areas; allowed: one each")
    whole, hits, total = area.sum(), float(happened[rows].sum()), float(happened.sum())
    share = float(area[rows].sum() / whole) if whole > 0 else 0.0
    if total == 0 or share == 0:
        nan = float("nan")
        return Score(int(hits), int(total), share, nan, nan, nan, nan, nan, nan)
    best = float(happened[ranked(happened, area, share=share)].sum())
    best = max(best, hits)  # filling by density is not always the best packing
    low, high = wilson(hits, total)
    rate = hits / total
    return Score(int(hits), int(total), share, rate, low, high, rate / share, hits / best if best else float("nan"),
                 best / total / share)  # fmt: skip


def _weights(days: int, half_life_days: float) -> NDArray[np.float64]:
    return np.exp2(-np.arange(days)[::-1] / half_life_days)


def _evidence(days: int, half_life_days: float) -> float:
    """By how much a decayed count must grow to vary as a count does: sum of weights over sum of squares."""
    weights = _weights(days, half_life_days)
    return float(weights.sum() / np.square(weights).sum())


def _around(
    decayed: NDArray[np.float64], graph: Graph, area: NDArray[np.float64], rings: int
) -> list[NDArray[np.float64]]:
    """Count that each grid would have at the density of the grids up to one, two, … rings around it."""
    found, top, bottom = [], decayed, area
    for _ in range(rings):
        top, bottom = graph.with_self @ top, graph.with_self @ bottom
        found.append(np.divide(top, bottom, out=np.zeros_like(decayed), where=bottom > 0) * area)
    return found


def _value(
    model: Model, decayed: NDArray[np.float64], around: list[NDArray[np.float64]], evidence: float
) -> NDArray[np.float64]:
    """Decayed count of a model: the grid's own with what its surroundings say."""
    near = around[model.rings - 1]
    if model.prior:
        return near * (model.prior + decayed * evidence) / (model.prior + near * evidence)
    if not model.smoothing:
        return decayed
    weight = model.smoothing / (1.0 + decayed / OWN_COUNT)
    return (1.0 - weight) * decayed + weight * near


def _model(row: pd.Series) -> Model:
    return Model(
        float(row["half_life_days"]), float(row["smoothing"]), float(row["prior"]), int(row["rings"])
    )


def _area(area_m2: ArrayLike, n: int) -> NDArray[np.float64]:
    area = _check.counts(area_m2, "area_m2")
    if area.shape != (n,):
        raise BadInputError(f"{area.shape} areas for {n} grids; allowed: one each")
    return area


def wilson(hits: float, total: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """95 % Wilson interval of a share (Wilson 1927), 0 to 1; nothing in all: undefined, NaN."""
    if total <= 0:
        return float("nan"), float("nan")
    p = hits / total
    centre = p + z * z / (2 * total)
    half = z * np.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    bottom = 1 + z * z / total
    return float(max((centre - half) / bottom, 0.0)), float(min((centre + half) / bottom, 1.0))
