"""Score, levels, rank interval and explanation of grids (评分、等级、排名区间、说明)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special, stats

from geo.errors import BadInputError, UnknownNameError
from geo.risk.factors import RiskConfig, refuse_persons

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEVELS = {1: "红", 2: "橙", 3: "黄", 4: "蓝"}
STEP = 2.0**-20  # contributions are multiples of it: they add up exactly, in any order
OUTCOME = "加强巡查、整改与调解服务"


def percentile(values: ArrayLike, group: ArrayLike | None = None) -> NDArray[np.float64]:
    """Mid-rank percentile among peers, 0 to 1 (同类百分位): equal values get equal percentiles.

    Parameters
    ----------
    values
        One per grid; missing ones are refused.
    group
        Peers (城区 and 农村 …); the whole city if not given.
    """
    x = np.asarray(values, dtype=np.float64)
    if not np.isfinite(x).all():
        bad = np.flatnonzero(~np.isfinite(x))
        raise BadInputError(
            f"{len(bad)} missing or infinite factor value(s), first at row {bad[0]}; give 0 or leave out"
        )
    labels = np.zeros(len(x), np.int64) if group is None else pd.factorize(np.asarray(group, dtype=object))[0]
    result = np.empty_like(x)
    for label in np.unique(labels):
        rows = labels == label
        result[rows] = (stats.rankdata(x[rows]) - 0.5) / rows.sum()
    return result


def contributions(
    values: pd.DataFrame, *, config: RiskConfig | None = None, group: ArrayLike | None = None
) -> pd.DataFrame:
    """What each factor adds to the score (因子贡献).

    Parameters
    ----------
    values
        One row a grid, one column a factor of the configuration; all that have a weight must be there.
    config, group
        Weights, peers.

    Returns
    -------
    DataFrame
        On the index of `values`, points out of 100, each a multiple of 2^-20: the row sum *is* the score, to the
        last bit and in any order of addition.

    Raises
    ------
    PrivacyError, UnknownNameError
        A column about persons; a column that is no factor.
    """
    config = config or RiskConfig()
    for name in values.columns:
        refuse_persons(str(name))
        if name not in config.factors:
            raise UnknownNameError("risk factor", str(name), config.factors)
    missing = [n for n, w in config.weights.items() if w > 0 and n not in values.columns]
    if missing:
        raise BadInputError(f"values of {', '.join(missing)} are missing; the weights need them")
    whole = sum(config.weights.values())
    return pd.DataFrame(
        {
            name: np.round(100.0 * weight / whole * percentile(values[name], group) / STEP) * STEP
            for name, weight in config.weights.items()
            if weight > 0
        },
        index=values.index,
    )


def risk_score(parts: pd.DataFrame) -> pd.Series:
    """Score of each grid, 0 to 100 (风险评分): the sum of its contributions."""
    return parts.sum(axis=1).rename("risk_score")


def probability_above(events: ArrayLike, exposure: ArrayLike) -> NDArray[np.float64]:
    """Posterior probability that a grid's rate is above the city's (高于全市的概率).

    Gamma prior around the city's rate, by moments (Marshall 1991); posterior of a Poisson count. No exposure or
    no incidents at all: 0.
    """
    shape, scale, mean = _posterior(events, exposure)
    if mean == 0:
        return np.zeros(len(shape))
    return np.where(np.asarray(exposure) > 0, special.gammaincc(shape, mean / scale), 0.0)


def levels(
    score: pd.Series,
    *,
    events: ArrayLike,
    significant: ArrayLike,
    config: RiskConfig | None = None,
    previous: pd.DataFrame | None = None,
    days: int = 1,
) -> pd.DataFrame:
    """Levels by capacity, with floors and hysteresis (风险等级).

    Parameters
    ----------
    score
        Of `risk_score`.
    events
        Incidents of each grid in the window.
    significant
        Whether each grid is surely above the city's rate.
    config
        Capacity, floors, band.
    previous
        This function's last answer; grids that it lacks are new. None: no hysteresis.
    days
        Days since `previous`.

    Returns
    -------
    DataFrame
        On the index of `score`: `level` 1 红, 2 橙, 3 黄, 4 蓝; `raw_level` by today's score alone; `significant`;
        `unearned_days` for which the level has been kept without reaching its cut. Up at the cut; down when the
        score is `band` below it, or after `keep_days`. Never more grids than the capacity reach a cut: where ties
        would exceed it, none of them does. Never red below the floors.
    """
    config = config or RiskConfig()
    sure = np.asarray(significant, dtype=bool)
    counted = np.asarray(events)
    raw, cuts = _by_capacity(score.to_numpy(dtype=np.float64), config.capacity)
    allowed_red = sure & (counted >= config.least_events)
    raw = np.where((raw == 1) & ~allowed_red, 2, raw)
    level, unearned = raw.copy(), np.zeros(len(raw), np.int64)
    if previous is not None:
        before = previous["level"].reindex(score.index).fillna(4).to_numpy(dtype=np.int64)
        waited = previous["unearned_days"].reindex(score.index).fillna(0).to_numpy(dtype=np.int64)
        held = _above(score.to_numpy(dtype=np.float64), cuts * (1.0 - config.band))
        held = np.where((held == 1) & ~allowed_red, 2, held)
        kept = np.maximum(before, held)  # the old level, or as far down as the band lets it fall
        still = (kept < raw) & (waited + days <= config.keep_days)
        level = np.where(still, kept, raw)
        unearned = np.where(still, waited + days, 0)
    return pd.DataFrame(
        {"level": level, "raw_level": raw, "significant": sure, "unearned_days": unearned}, index=score.index
    )


def rank_interval(
    parts: pd.DataFrame,
    events: ArrayLike,
    exposure: ArrayLike,
    *,
    factor: str = "rate",
    group: ArrayLike | None = None,
    config: RiskConfig | None = None,
    draws: int = 200,
    seed: int,
) -> pd.DataFrame:
    """How sure a grid's rank is (排名区间): 80 % interval over draws of the rate from its posterior.

    Parameters
    ----------
    parts
        Of `contributions`.
    events, exposure
        The counts behind the factor `factor`.
    group, config
        As for `contributions`.
    draws, seed
        Number and seed of the draws.

    Returns
    -------
    DataFrame
        `rank` (1 is highest), `rank_low`, `rank_high`, `uncertain`: the interval spans more than two levels, to be
        hatched on the map.
    """
    config = config or RiskConfig()
    n = len(parts)
    if n == 0:
        return pd.DataFrame({"rank": [], "rank_low": [], "rank_high": [], "uncertain": []}, index=parts.index)
    score = risk_score(parts).to_numpy()
    rest = score - (parts[factor].to_numpy() if factor in parts else 0.0)
    weight = 100.0 * config.weights.get(factor, 0.0) / sum(config.weights.values())
    shape, scale, _ = _posterior(events, exposure)
    rng = np.random.default_rng(seed)
    ranks = np.empty((draws, n), np.int32)
    for d in range(draws):
        drawn = rest + weight * percentile(rng.gamma(shape) * scale, group)
        ranks[d, np.argsort(-drawn, kind="stable")] = np.arange(1, n + 1)
    low, high = np.quantile(ranks, (0.1, 0.9), axis=0)
    rank = np.empty(n, np.int64)
    rank[np.argsort(-score, kind="stable")] = np.arange(1, n + 1)
    limits = np.cumsum(config.capacity) * n
    spans = np.searchsorted(limits, high, side="left") - np.searchsorted(limits, low, side="left") + 1
    return pd.DataFrame(
        {"rank": rank, "rank_low": low, "rank_high": high, "uncertain": spans > 2}, index=parts.index
    )


def explain(
    grid_id: str,
    values: pd.DataFrame,
    parts: pd.DataFrame,
    *,
    config: RiskConfig | None = None,
    group: ArrayLike | None = None,
) -> pd.DataFrame:
    """Why a grid has its score (评分说明), largest contribution first.

    Returns
    -------
    DataFrame
        Index `factor`: `zh`, `value`, `unit`, `peer_median`, `percentile`, `weight`, `contribution`. The
        contributions add up to the score exactly.

    Raises
    ------
    UnknownNameError
        If the grid has no score.
    """
    config = config or RiskConfig()
    if grid_id not in parts.index:
        raise UnknownNameError("grid", grid_id, parts.index[:5])
    row = parts.index.get_loc(grid_id)
    labels = (
        np.zeros(len(parts), np.int64) if group is None else pd.factorize(np.asarray(group, dtype=object))[0]
    )
    peers = labels == labels[row]
    whole = sum(config.weights.values())
    rows = []
    for name in parts.columns:
        column = values[name].to_numpy(dtype=np.float64)
        factor = config.factors[name]
        among, own = column[peers], column[row]
        place = (np.sum(among < own) + np.sum(among == own) / 2) / len(
            among
        )  # its `percentile`, without the others'
        rows.append((name, factor.zh, own, factor.unit, float(np.median(among)), float(place),
                     config.weights[name] / whole, parts[name].iloc[row]))  # fmt: skip
    columns = ["factor", "zh", "value", "unit", "peer_median", "percentile", "weight", "contribution"]
    table = pd.DataFrame(rows, columns=columns).set_index("factor")
    return table.sort_values("contribution", ascending=False, kind="stable")


def _posterior(
    events: ArrayLike, exposure: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Shape and scale of each grid's gamma posterior, and the city's rate."""
    x, e = np.asarray(events, dtype=np.float64), np.asarray(exposure, dtype=np.float64)
    if x.shape != e.shape or (len(x) and (x.min() < 0 or e.min() < 0)):
        raise BadInputError("events and exposure; allowed: one each per grid, 0 and more")
    total = e.sum()
    mean = x.sum() / total if total > 0 else 0.0
    if mean == 0:
        return np.full(len(x), 0.5), np.zeros(len(x)), 0.0
    rate = np.divide(x, e, out=np.full(len(x), mean), where=e > 0)
    variance = (e * np.square(rate - mean)).sum() / total - mean / (total / np.count_nonzero(e))
    variance = max(variance, 1e-6 * mean * mean)
    a, b = mean * mean / variance, mean / variance
    return x + a, 1.0 / (e + b), float(mean)


def _by_capacity(
    score: NDArray[np.float64], capacity: tuple[float, float, float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Levels and the scores at which they begin; a tie that would exceed the capacity is left out whole."""
    ordered = np.sort(score)[::-1]
    cuts = np.full(3, np.inf)
    for i, share in enumerate(np.cumsum(capacity)):
        places = int(np.floor(share * len(score) + 1e-9))
        if places == 0:
            continue
        if places == len(score):
            cuts[i] = ordered[-1]
            continue
        above = ordered[:places][ordered[:places] > ordered[places]]
        cuts[i] = above[-1] if len(above) else np.inf
    return _above(score, cuts), cuts


def _above(score: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    level = np.full(len(score), 4)
    for i in (2, 1, 0):
        level[score >= cuts[i]] = i + 1
    return level
