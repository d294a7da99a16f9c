"""The scan against SaTScan's published sample and formula, and against its own uncompiled twin."""

import numpy as np
import pandas as pd
import pyproj
import pytest

from geo.errors import BadInputError
from geo.hotspot import gumbel_p, llr, scan
from geo.hotspot._scan_kernel import LANES, highest
from geo.hotspot.scan import _best_of_each_centre, _zones


@pytest.fixture(scope="module")
def fever(shared_data):
    places = pd.read_csv(shared_data("hotspot/NYCfever.geo"), sep=r"\s+", header=None, dtype={0: str})
    cases = pd.read_csv(shared_data("hotspot/NYCfever.cas"), sep=r"\s+", header=None, dtype={0: str})
    x, y = pyproj.Transformer.from_crs(4326, 32618, always_xy=True).transform(places[2], places[1])
    day = (pd.to_datetime(cases[2]) - pd.Timestamp("2001-11-01")).dt.days
    counts = np.zeros((24, len(places)), dtype=int)
    np.add.at(counts, (day, pd.Index(places[0]).get_indexer(cases[0])), cases[1])
    return counts, np.c_[x, y], places[0]


def test_nyc_fever(fever):
    counts, xy, names = fever
    assert counts.shape == (24, 192)
    assert counts.sum() == 194
    result = scan(counts, xy, radius_m=3000, days=7, replicates=999, seed=1)
    first, second, third = (result.clusters.iloc[i] for i in range(3))
    assert first["llr"] == pytest.approx(3.845418, abs=1e-6)
    expected = ["11418", "11415", "11419", "11435", "11416", "11421", "11451", "11375", "11417"]
    assert [names[i] for i in first["grids"]] == expected
    assert (first["days"], first["observed"]) == (3, 4)
    assert first["expected"] == pytest.approx(0.67, abs=0.005)
    assert first["p"] == pytest.approx(0.21, abs=0.04)
    assert first["p_gumbel"] == pytest.approx(0.209, abs=0.04)
    assert first["recurrence_days"] == pytest.approx(1 / first["p"])
    assert second["llr"] == pytest.approx(3.164201, abs=1e-6)
    assert [names[i] for i in second["grids"]] == ["11372"]
    assert third["llr"] == pytest.approx(2.137259, abs=1e-6)
    assert [names[i] for i in third["grids"]] == ["10472"]
    again = scan(counts, xy, radius_m=3000, days=7, replicates=50, seed=1)
    np.testing.assert_array_equal(
        again.replicates, scan(counts, xy, radius_m=3000, days=7, replicates=50, seed=1).replicates
    )


def test_ratio_formula_on_ny8():
    """SaTScan's NY8 leukaemia, purely spatial: 100 cases of 552, population 111,674 of 1,057,673."""
    assert llr(100, 552 * 111_674 / 1_057_673, 552) == pytest.approx(14.083511, abs=2e-6)
    assert llr(3, 5.0, 100) == 0  # fewer than expected is no cluster
    assert llr(100, 40.0, 100) == pytest.approx(100 * np.log(2.5))
    assert llr(0, 0.0, 0) == 0


def brute(counts, xy, radius_m, days, least=2):
    """Every circle and window, one by one."""
    total, cases = counts.sum(axis=0), counts.sum()
    best = 0.0
    for i in range(len(xy)):
        distance = np.hypot(*(xy - xy[i]).T)
        for radius in np.unique(distance[distance <= radius_m]):
            zone = distance <= radius
            inside = total[zone].sum()
            if inside > cases // 2:
                continue
            for length in range(1, days + 1):
                c = counts[-length:, zone].sum()
                e = inside * counts[-length:].sum() / cases
                if c >= least:
                    best = max(best, float(llr(c, e, cases)))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_best_equals_brute_force(seed):
    rng = np.random.default_rng(seed)
    xy = rng.integers(0, 12, size=(30, 2)) * 100.0  # many ties of distance, some places twice
    counts = rng.poisson(0.4, size=(20, 30))
    expected = brute(counts, xy, 450.0, 6)
    clusters = scan(counts, xy, radius_m=450, days=6, replicates=0, seed=0).clusters
    found = clusters["llr"].iloc[0] if len(clusters) else 0.0
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_compiled_replicate_equals_its_twin(seed):
    rng = np.random.default_rng(seed)
    xy, days = rng.uniform(0, 3000, size=(80, 2)), 1 + seed * 3
    counts = rng.poisson(rng.lognormal(-1, 1, 80), size=(40, 80))
    zones, total = _zones(xy, 900.0), counts.sum(axis=0)
    upto = np.ascontiguousarray(np.cumsum(counts[: -days - 1 : -1], axis=0).T)
    width = -(-days // LANES) * LANES
    padded = np.zeros((80, width), np.float32)
    padded[:, :days] = upto
    exact = upto.sum(axis=0) / counts.sum()
    share = np.full(width, 2, np.float32)
    share[:days] = exact
    got = highest(
        zones.indptr, zones.neighbour, zones.closed, total.astype(np.float32), padded, share, exact,
        counts.sum(), 2, counts.sum() // 2,
    )  # fmt: skip
    assert got == pytest.approx(_best_of_each_centre(zones, upto, total, 2)[0].max(), rel=1e-6)


def test_planted_outbreak_is_found_and_clusters_do_not_overlap():
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 10_000, size=(400, 2))
    near = np.hypot(*(xy - 5000).T) < 1200
    rate = np.full((60, 400), 0.5)
    rate[-5:, near] *= 2.5
    result = scan(rng.poisson(rate), xy, radius_m=1500, days=10, replicates=99, seed=1)
    first = result.clusters.iloc[0]
    hit = np.isin(np.flatnonzero(near), first["grids"]).mean()
    assert hit > 0.6
    assert 4 <= first["days"] <= 6
    assert first["p"] == 0.01
    assert first["p_gumbel"] < 1e-4
    members = [g for row in result.clusters["grids"] for g in row]
    assert len(members) == len(set(members))
    assert result.clusters["llr"].is_monotonic_decreasing


def test_p_is_uniform_when_nothing_happens():
    rng = np.random.default_rng(11)
    xy = rng.uniform(0, 4000, size=(60, 2))
    rate = rng.lognormal(-1, 1, 60) * np.linspace(1, 2, 30)[:, None]  # margins may do what they like
    p = [
        scan(rng.poisson(rate), xy, radius_m=1000, days=5, replicates=39, seed=s).clusters["p"].iloc[0]
        for s in range(60)
    ]
    assert np.mean(np.array(p) <= 0.1) < 0.25
    assert 0.35 < np.mean(p) < 0.65


def test_nothing_to_find():
    xy = [(0, 0), (1000, 0), (2000, 0)]
    assert len(scan(np.zeros((20, 3)), xy, radius_m=500, days=7, replicates=9, seed=0).clusters) == 0
    old = np.zeros((20, 3))
    old[0] = 5  # all long ago
    assert len(scan(old, xy, radius_m=500, days=7, replicates=9, seed=0).clusters) == 0
    assert (
        len(scan(np.zeros((20, 0)), np.empty((0, 2)), radius_m=500, days=7, replicates=9, seed=0).clusters)
        == 0
    )


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"xy": [(118.0, 36.8), (118.01, 36.8)]}, r"look like degrees"),
        ({"days": 11}, "shorten it to 10"),
        ({"xy": [(0, 0)]}, r"for 1 places"),
        ({"radius_m": -5}, r"positive number of metres"),
        ({"cube": np.full((20, 2), -1)}, r"lowest value -1"),
        ({"replicates": -1}, r"replicates: 0 and more"),
    ],
)
def test_bad_input_is_refused(kwargs, words):
    given = {
        "cube": np.ones((20, 2)),
        "xy": [(0, 0), (900, 0)],
        "radius_m": 500,
        "days": 7,
        "replicates": 0,
        "seed": 0,
    }
    given |= kwargs
    with pytest.raises(BadInputError, match=words):
        scan(given.pop("cube"), given.pop("xy"), **given)


def test_gumbel_of_equal_replicates_says_nothing():
    assert gumbel_p([1.0, 9.0], np.full(5, 2.0)).tolist() == [1, 1]
    values = np.random.default_rng(0).gumbel(3, 0.5, 5000)
    assert gumbel_p(3 + 0.5 * 4.6, values) == pytest.approx(0.01, rel=0.2)
