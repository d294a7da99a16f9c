"""What was to be expected (期望值): rates shrunk for small exposure, and each grid against its own past.

"What is new" is measured against the grid's own baseline and the whole city's swing, not against other grids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from geo.errors import BadInputError
from geo.hotspot import _check

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TINY_P = 1e-12  # residuals are cut at ±7.03, which keeps one extreme grid from owning the city's variance


@dataclass(frozen=True, slots=True)
class EmpiricalBayes:
    """Shrunken rates (经验贝叶斯率): the prior's mean and variance, and each grid's rate."""

    mean: float
    variance: float
    rate: NDArray[np.float64]


def eb_rate(events: ArrayLike, exposure: ArrayLike) -> EmpiricalBayes:
    """Global empirical Bayes rates of Marshall (1991), as in spdep `EBest` and GeoDa (经验贝叶斯平滑率).

    Parameters
    ----------
    events, exposure
        Counts and exposure (households, km², camera days …) of each grid.

    Returns
    -------
    EmpiricalBayes
        Rates per unit of exposure. A grid without exposure gets the city's mean. No exposure anywhere: zeros.
    """
    x, e = _check.counts(events, "events"), _check.counts(exposure, "exposure")
    if x.shape != e.shape:
        raise BadInputError(f"events of shape {x.shape}, exposure of {e.shape}; allowed: one each per grid")
    total = e.sum()
    if total == 0:
        return EmpiricalBayes(0.0, 0.0, np.zeros_like(x))
    mean = x.sum() / total
    safe = np.where(e > 0, e, 1.0)
    raw = np.where(e > 0, x / safe, mean)
    variance = (e * np.square(raw - mean)).sum() / total - mean / (total / np.count_nonzero(e))
    variance = max(variance, 0.0)
    pooled = variance + mean / safe
    weight = np.where((e > 0) & (pooled > 0), variance / np.where(pooled > 0, pooled, 1.0), 0.0)
    return EmpiricalBayes(float(mean), float(variance), mean + weight * (raw - mean))


def choynowski(events: ArrayLike, exposure: ArrayLike) -> NDArray[np.float64]:
    """P(X <= x) under a common Poisson rate (Choynowski 1959): near 1 is high for its size; no exposure: 1."""
    x, e = _check.counts(events, "events"), _check.counts(exposure, "exposure")
    rate = x.sum() / e.sum() if e.sum() > 0 else 0.0
    return special.pdtr(x, rate * e)


@dataclass(frozen=True, slots=True)
class Windows:
    """Counts of the recent window and of the baseline before it (近期与基线), each `(n,)` or `(n, planes)`."""

    recent: NDArray[np.int64]
    baseline: NDArray[np.int64]
    recent_days: int
    baseline_days: int


def windows(plane: ArrayLike, *, recent_days: int = 7, baseline_days: int = 56, gap_days: int = 0) -> Windows:
    """Cut the last days of a `(days, n)` plane into recent window, gap and baseline.

    Parameters
    ----------
    plane
        Counts, one row a day, the last row the last complete day.
    recent_days, baseline_days, gap_days
        Multiples of 7, so that every weekday weighs the same in both. A gap of the length of an outbreak keeps
        the outbreak out of its own baseline.

    Raises
    ------
    BadInputError
        Windows that are not whole weeks, a baseline shorter than the recent window, or too few days.
    """
    counts = np.asarray(plane)
    _check.whole_weeks(recent_days, "recent_days")
    _check.whole_weeks(baseline_days, "baseline_days")
    if gap_days:
        _check.whole_weeks(gap_days, "gap_days")
    if baseline_days < recent_days:
        raise BadInputError(
            f"baseline of {baseline_days} days is shorter than the window of {recent_days}; "
            f"allowed: {recent_days} days and more (8 weeks are usual)"
        )
    need = recent_days + gap_days + baseline_days
    if counts.shape[0] < need:
        raise BadInputError(
            f"{counts.shape[0]} days of incidents; {need} are needed for a window of {recent_days}, a gap of "
            f"{gap_days} and a baseline of {baseline_days}: import more days or shorten the baseline"
        )
    end = counts.shape[0]
    recent = counts[end - recent_days :].sum(axis=0, dtype=np.int64)
    baseline = counts[end - need : end - recent_days - gap_days].sum(axis=0, dtype=np.int64)
    return Windows(recent, baseline, recent_days, baseline_days)


def city_factor(recent: ArrayLike, baseline: ArrayLike) -> NDArray[np.float64]:
    """Recent count of the whole city over its baseline count, per plane (全市同比因子).

    Takes up season, holidays, trend and the unequal lengths of the two windows. No baseline at all: 0.
    """
    r, b = (
        np.asarray(recent, dtype=np.float64).sum(axis=0),
        np.asarray(baseline, dtype=np.float64).sum(axis=0),
    )
    return np.where(b > 0, r / np.where(b > 0, b, 1.0), 0.0)


def residual(
    recent: ArrayLike, baseline: ArrayLike, *, factor: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Normal score of the recent count given the grid's own baseline (负二项中位 p 残差).

    The predictive law of a Poisson count after a Jeffreys gamma prior: negative binomial with size
    `baseline + 1/2` and success `1 / (1 + factor)`. The score is the normal quantile of its mid-p, cut at ±7.03.

    Parameters
    ----------
    recent, baseline
        Counts, `(n,)` or `(n, planes)`.
    factor
        City-wide recent / baseline; computed from the two if not given.

    Returns
    -------
    array
        About standard normal where nothing changed. No incident in the whole city, recently or in the
        baseline: 0 everywhere (nothing to compare).
    """
    r, b = _check.counts(recent, "recent"), _check.counts(baseline, "baseline")
    if r.shape != b.shape:
        raise BadInputError(
            f"recent of shape {r.shape}, baseline of {b.shape}; allowed: the same grids in both"
        )
    f = np.asarray(city_factor(r, b) if factor is None else factor, dtype=np.float64)
    flat = np.broadcast_to(f, r.shape)
    keys = np.stack([r.ravel(), b.ravel(), flat.ravel()]) if r.size else np.empty((3, 0))
    # a city has few distinct (recent, baseline) pairs: the special functions run once for each
    pairs, inverse = _distinct(keys)
    return normal_score(mid_p(*pairs))[inverse].reshape(r.shape)


def mid_p(
    recent: NDArray[np.float64], baseline: NDArray[np.float64], factor: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mid-p P(X < r) + P(X = r) / 2 of the negative binomial predictive law; 1/2 where factor is 0."""
    size = baseline + 0.5
    p = 1.0 / (1.0 + factor)
    below = np.where(recent > 0, special.betainc(size, np.maximum(recent, 1.0), p), 0.0)
    upto = special.betainc(size, recent + 1.0, p)
    return np.where(factor > 0, (below + upto) / 2.0, 0.5)


def upper_tail(recent: ArrayLike, baseline: ArrayLike, factor: ArrayLike) -> NDArray[np.float64]:
    """P(X >= r) of the negative binomial predictive law (上尾概率); 1 where r is 0 or factor is 0."""
    r, b, f = (np.asarray(v, dtype=np.float64) for v in np.broadcast_arrays(recent, baseline, factor))
    live = (r > 0) & (f > 0)
    tail = special.betaincc(b + 0.5, np.where(live, r, 1.0), 1.0 / (1.0 + f))
    return np.where(live, tail, 1.0)


def normal_score(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal quantile of a probability, cut at ±7.03."""
    return special.ndtri(np.clip(q, TINY_P, 1.0 - TINY_P))


def expected(baseline: ArrayLike, factor: ArrayLike) -> NDArray[np.float64]:
    """Mean of the predictive law: `(baseline + 1/2) * factor` (期望数)."""
    return (np.asarray(baseline, dtype=np.float64) + 0.5) * np.asarray(factor, dtype=np.float64)


def upper_limit(baseline: ArrayLike, factor: ArrayLike, *, alpha: float) -> NDArray[np.float64]:
    """Least count whose cumulative predictive probability reaches `1 - alpha` (预警上限).

    The negative binomial quantile; `surveillance::bayes` in R is this with `factor = 1 / reference weeks`.
    """
    b, f = np.broadcast_arrays(np.asarray(baseline, np.float64), np.asarray(factor, np.float64))
    from scipy import stats  # noqa: PLC0415  (slow to import, rarely needed)

    limit = stats.nbinom.ppf(1.0 - alpha, b + 0.5, 1.0 / (1.0 + f))
    return np.where(f > 0, limit, 0.0)


def _distinct(keys: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    codes = np.zeros(keys.shape[1], np.int64)
    for row in keys:
        values, code = np.unique(row, return_inverse=True)
        codes = codes * len(values) + code
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return keys[:, first], inverse
