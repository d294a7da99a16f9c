"""Rates and baselines against Marshall (spdep, esda), Choynowski, surveillance, and the law they claim."""

import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from geo.errors import BadInputError
from geo.hotspot import (
    choynowski,
    city_factor,
    ears_limit,
    eb_rate,
    expected,
    residual,
    upper_limit,
    upper_tail,
    windows,
)  # fmt: skip


@pytest.fixture(scope="module")
def sids():
    return gpd.read_file(libpysal.examples.get_path("sids2.shp")).set_index("NAME")


def test_marshall(sids):
    eb = eb_rate(sids["SID74"], sids["BIR74"])
    assert eb.mean == pytest.approx(0.00202144489365442, abs=1e-12)
    assert eb.variance == pytest.approx(7.69293064701465e-07, abs=1e-12)
    rate = pd.Series(eb.rate, sids.index)
    known = {"Ashe": 0.00169729733085562, "Alleghany": 0.00170537768084218, "Surry": 0.00177308702207018}
    for county, value in known.items():
        assert rate[county] == pytest.approx(value, abs=1e-12)
    assert rate.idxmax() == "Anson"
    assert rate.max() == pytest.approx(0.00483880405212655, abs=1e-12)


def test_rates_without_exposure_or_without_events():
    eb = eb_rate([3, 0, 5], [10, 0, 100])
    assert eb.rate[1] == pytest.approx(8 / 110)
    assert np.isfinite(eb.rate).all()
    assert eb_rate([0, 0], [0, 0]).rate.tolist() == [0, 0]
    assert eb_rate([0, 0], [5, 9]).rate.tolist() == [0, 0]
    with pytest.raises(BadInputError, match="lowest value -1"):
        eb_rate([-1, 2], [1, 1])
    with pytest.raises(BadInputError, match="one each"):
        eb_rate([1, 2], [1])


def test_choynowski(sids):
    p = pd.Series(choynowski(sids["SID74"], sids["BIR74"]), sids.index)
    known = {"Anson": 0.999999740227, "Halifax": 0.999784201149, "Robeson": 0.999738799176}
    for county, value in known.items():
        assert p[county] == pytest.approx(value, abs=1e-9)
    assert choynowski([0, 0], [0, 0]).tolist() == [1, 1]


def test_ears_on_agona(shared_data):
    series = pd.read_csv(shared_data("hotspot/agona.csv")).iloc[:, 0].to_numpy()
    assert len(series) == 312
    c1 = [6.5682929076, 6.1527787976, 6.1527787976, 6.0754226466, 5.2251115224, 4.6536829510]
    c2 = [5.6217103359, 5.6217103359, 6.5682929076, 6.1527787976, 6.1527787976, 6.0754226466]
    np.testing.assert_allclose(ears_limit(series)[-6:], c1, atol=1e-9)
    np.testing.assert_allclose(ears_limit(series, lag=2)[-6:], c2, atol=1e-9)


def test_ears_needs_its_baseline():
    assert np.isinf(ears_limit([1, 2, 3])).all()
    limit = ears_limit(np.arange(20), lag=2)
    assert np.isinf(limit[:9]).all()
    assert np.isfinite(limit[9:]).all()
    with pytest.raises(BadInputError, match="2 and more"):
        ears_limit([1, 2, 3], baseline=1)


def test_negative_binomial_limit_on_agona(shared_data):
    """The same six weeks as `surveillance::bayes(b = 4, w = 3, alpha = 0.01)`."""
    series = pd.read_csv(shared_data("hotspot/agona.csv")).iloc[:, 0].to_numpy()
    limits = []
    for week in range(306, 312):
        years = np.concatenate([np.arange(week - 52 * y - 3, week - 52 * y + 4) for y in range(1, 5)])
        limits.append(float(upper_limit(series[years].sum(), 1 / len(years), alpha=0.01)))
    assert limits == [7, 7, 7, 6, 6, 7]


def test_limit_is_the_least_count_that_reaches_its_level():
    rng = np.random.default_rng(0)
    b, f = rng.integers(0, 60, 200), rng.uniform(0.02, 1, 200)
    limit = upper_limit(b, f, alpha=0.01)
    assert (upper_tail(limit + 1, b, f) <= 0.01 + 1e-12).all()
    assert (upper_tail(limit, b, f) > 0.01).all()
    assert upper_limit(5, 0.0, alpha=0.01) == 0


def test_residual_is_the_normal_score_of_the_mid_p():
    rng = np.random.default_rng(1)
    r, b = rng.poisson(3, 400), rng.poisson(25, 400)
    f = r.sum() / b.sum()
    law = stats.nbinom(b + 0.5, 1 / (1 + f))
    direct = special.ndtri(law.cdf(r) - law.pmf(r) / 2)
    np.testing.assert_allclose(residual(r, b), direct, atol=1e-9)
    np.testing.assert_allclose(upper_tail(r, b, f), law.sf(r - 1), atol=1e-12)
    np.testing.assert_allclose(expected(b, f), law.mean(), rtol=1e-12)
    both = residual(np.c_[r, r[::-1]], np.c_[b, b[::-1]])
    np.testing.assert_allclose(both[:, 0], direct, atol=1e-9)
    np.testing.assert_allclose(both[:, 1], direct[::-1], atol=1e-9)


def test_residual_is_about_standard_normal_when_nothing_changed():
    rng = np.random.default_rng(2)
    rate = rng.lognormal(0, 1.1, 20_000)
    y = residual(rng.poisson(rate * 4), rng.poisson(rate * 32))
    assert abs(y.mean()) < 0.06
    assert 0.85 < y.std() < 1.02
    assert (y > 3).mean() < 0.003


def test_residual_takes_up_a_city_wide_swing():
    rng = np.random.default_rng(3)
    base = rng.poisson(40, 5000)
    assert (
        abs(residual(rng.poisson(base / 4.0), base).mean()) < 0.05
    )  # twice the usual everywhere: nothing new


@pytest.mark.parametrize(("r", "b"), [(0, 0), (3, 0), (0, 4)])
def test_residual_without_comparison_is_zero(r, b):
    y = residual(np.full(5, r), np.full(5, b))
    assert np.isfinite(y).all()
    assert np.ptp(y) == 0
    if b == 0 or r == 0:
        assert (y == 0).all()
    assert city_factor([0, 0], [0, 0]) == 0


def test_extreme_counts_stay_finite():
    y = residual([100_000, 0, 1], [0, 1_000_000, 3])
    assert np.isfinite(y).all()
    assert y[0] > 5 > -5 > y[1]


def test_residual_refuses_gaps_and_shapes():
    with pytest.raises(BadInputError, match="missing"):
        residual([1, np.nan], [1, 2])
    with pytest.raises(BadInputError, match="same grids"):
        residual([1, 2], [1, 2, 3])


def test_windows_are_cut_from_the_end():
    plane = np.arange(91)[:, None] * np.ones((1, 2), dtype=int)
    cut = windows(plane, recent_days=7, baseline_days=56, gap_days=14)
    assert cut.recent.tolist() == [sum(range(84, 91))] * 2
    assert cut.baseline.tolist() == [sum(range(14, 70))] * 2


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"recent_days": 10}, r"recent_days: 10 days; allowed: a multiple of 7"),
        ({"baseline_days": 30}, r"baseline_days: 30 days.*multiple of 7"),
        ({"gap_days": 3}, r"gap_days: 3 days.*multiple of 7"),
        ({"recent_days": 0}, r"recent_days: 0"),
        ({"recent_days": 28, "baseline_days": 14}, r"shorter than the window.*28 days and more"),
        ({"baseline_days": 84}, r"70 days of incidents; 91 are needed"),
    ],
)
def test_windows_that_cannot_be_compared_are_refused(kwargs, words):
    with pytest.raises(BadInputError, match=words):
        windows(np.zeros((70, 3), dtype=int), **kwargs)
