"""Local statistics against published and cross-checked values (spdep, esda), and their laws."""

import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo import hotspot
from geo.errors import BadInputError

SIX_XY = [(10, 10), (20, 10), (40, 10), (15, 20), (30, 20), (30, 30)]
SIX_Y = np.array([2, 3, 3.2, 5, 8, 7])


def example(name):
    table = gpd.read_file(libpysal.examples.get_path(name)).set_geometry("geometry")
    table.crs = None  # stated in degrees or not at all; contiguity needs none
    return table


@pytest.fixture(scope="module")
def columbus():
    table = example("columbus.shp")
    return table, hotspot.contiguity(table, tolerance_m=0)


@pytest.fixture(scope="module")
def sids():
    table = example("sids2.shp").set_index("NAME")
    return table, hotspot.contiguity(table, tolerance_m=0)


def lattice(side, step=100.0):
    x, y = np.meshgrid(np.arange(side) * step, np.arange(side) * step)
    return hotspot.distance_band(np.c_[x.ravel(), y.ravel()], distance_m=1.5 * step)


def test_six_point_example():
    graph = hotspot.distance_band(SIX_XY, distance_m=15)
    gi = [
        -1.0136728985503,
        -0.0436158942017,
        1.3155870289605,
        -0.3141267582046,
        1.1537398581068,
        1.7783394086211,
    ]
    gi_star = [
        -1.397276262012,
        -0.289177615627,
        0.650649635161,
        -0.289177615627,
        1.234520883520,
        2.024243309390,
    ]
    np.testing.assert_allclose(hotspot.gi(SIX_Y, graph), gi, rtol=0, atol=1e-10)
    np.testing.assert_allclose(hotspot.gi_star(SIX_Y, graph), gi_star, rtol=0, atol=1e-10)


def test_columbus_gi_star(columbus):
    table, graph = columbus
    z = hotspot.gi_star(table["CRIME"], graph)
    assert graph.links == 236
    assert isinstance(z, pd.Series)
    assert z.index.equals(table.index)
    assert (z.argmax(), z.argmin()) == (15, 31)  # rows 16 and 32, counted from 1
    np.testing.assert_allclose([z.max(), z.min()], [3.47505135616012, -2.85102317657986], atol=1e-9)
    np.testing.assert_allclose(z[:4], [-1.432779654, -1.340008097, -0.771998681, -0.131733364], atol=1e-9)
    assert z.sum() == pytest.approx(9.383049238, abs=1e-9)
    assert ((z > 1.96).sum(), (z < -1.96).sum()) == (11, 7)
    p = hotspot.p_value(z)
    assert (hotspot.adjusted(p) < 0.05).sum() == 9
    assert (p * len(p) < 0.05).sum() == 2


def test_columbus_moran(columbus):
    table, graph = columbus
    moran = hotspot.moran(table["CRIME"], graph)
    assert moran.i == pytest.approx(0.500188557182861, abs=1e-10)
    assert moran.expected == pytest.approx(-1 / 48, abs=1e-12)
    assert moran.variance == pytest.approx(0.00868928920133206, abs=1e-10)
    assert moran.z == pytest.approx(5.589382675045, abs=1e-10)


def test_columbus_local_moran_averages_to_moran(columbus):
    table, graph = columbus
    local = hotspot.local_moran(table["CRIME"], graph)
    np.testing.assert_allclose(
        local["i"][:4], [0.736818491, 0.528777013, 0.093850742, 0.004820967], atol=1e-9
    )
    assert local["i"].mean() == pytest.approx(0.500188557182861, abs=1e-12)
    esda = pytest.importorskip("esda")
    weights = libpysal.graph.Graph.from_sparse(graph.matrix).transform("R")
    theirs = esda.Moran_Local(table["CRIME"].to_numpy(), weights, permutations=0)
    np.testing.assert_allclose(theirs.Is, local["i"] * 48 / 49, atol=1e-12)


def test_local_moran_z_has_the_moments_of_the_conditional_draw(columbus):
    table, graph = columbus
    x = table["CRIME"].to_numpy()
    local = hotspot.local_moran(x, graph)
    rng = np.random.default_rng(0)
    for i in (0, 15, 31):
        others, k = np.delete(x, i), graph.degree[i]
        around = np.array([rng.choice(others, k, replace=False).mean() for _ in range(20_000)])
        z = np.sign(x[i] - x.mean()) * ((graph.row_standardised @ x)[i] - around.mean()) / around.std()
        assert local["z"][i] == pytest.approx(z, abs=0.05)


def test_sids_rates_have_hot_counties_but_none_after_control(sids):
    table, graph = sids
    z = hotspot.gi_star(table["SID79"] / table["BIR79"] * 1000, graph)
    assert graph.links == 490
    expected = {"Robeson": 3.11324630854865, "Richmond": 2.85086846864381, "Scotland": 2.25852350398333}
    for county, value in expected.items():
        assert z[county] == pytest.approx(value, abs=1e-10)
    p = hotspot.p_value(z)
    assert ((p < 0.05) & (z > 0)).sum() == 6
    assert ((p < 0.05) & (z < 0)).sum() == 5
    assert hotspot.hot_cold(table["SID79"] / table["BIR79"], graph)[["hot", "cold"]].to_numpy().sum() == 0


def test_gi_star_equals_esda_for_binary_weights(columbus):
    esda = pytest.importorskip("esda")
    table, graph = columbus
    weights = libpysal.graph.Graph.from_sparse(graph.matrix)
    theirs = esda.G_Local(table["HOVAL"].to_numpy(), weights, transform="B", star=True, permutations=0)
    np.testing.assert_allclose(hotspot.gi_star(table["HOVAL"].to_numpy(), graph), theirs.Zs, atol=1e-12)


def test_adjusted_p_equals_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(3).uniform(size=500) ** 2
    for ours, theirs in (("bh", "fdr_bh"), ("by", "fdr_by")):
        np.testing.assert_allclose(
            hotspot.adjusted(p, method=ours), multitest.multipletests(p, method=theirs)[1], atol=1e-14
        )
    table = p.reshape(100, 5)
    by_column = np.column_stack([hotspot.adjusted(c) for c in table.T])
    np.testing.assert_allclose(hotspot.adjusted(table, axis=0), by_column)
    np.testing.assert_allclose(hotspot.adjusted(table).ravel(), hotspot.adjusted(p))


def test_adjusted_edges():
    assert hotspot.adjusted([]).shape == (0,)
    with pytest.raises(BadInputError, match="'bh', 'by'"):
        hotspot.adjusted([0.1], method="holm")
    with pytest.raises(BadInputError, match="outside 0 to 1"):
        hotspot.adjusted([0.1, np.nan])


def test_gi_bin_levels():
    z = np.array([3.0, 3.0, 3.0, 3.0, -3.0, 0.0])
    q = np.array([0.01, 0.05, 0.10, 0.11, 0.001, 0.9])
    assert hotspot.gi_bin(z, q).tolist() == [3, 2, 1, 0, -3, 0]


@pytest.mark.parametrize("value", [0.0, 7.3, 0.1])
def test_constant_plane_has_no_hot_spot_and_no_nan(value):
    graph = lattice(6)
    x = np.full(36, value)
    for z in (hotspot.gi_star(x, graph), hotspot.gi(x, graph)):
        assert (z == 0).all()
    table = hotspot.hot_cold(x, graph)
    assert not table[["hot", "cold"]].to_numpy().any()
    assert table.notna().all().all()
    local = hotspot.local_moran(x, graph)
    assert (local["quadrant"] == "none").all()
    assert local.drop(columns="quadrant").notna().all().all()
    assert hotspot.moran(x, graph).p == 1
    assert (hotspot.permutation_p(x, graph, seed=0) == 1).all()


def test_island_keeps_its_own_standardised_value():
    graph = hotspot.distance_band([(0, 0), (10, 0), (20, 0), (5000, 0), (30, 0)], distance_m=15)
    y = np.array([1.0, 2.0, 3.0, 9.0, 4.0])
    table = hotspot.hot_cold(y, graph)
    assert table["island"].tolist() == [False, False, False, True, False]
    assert table["z"][3] == pytest.approx((y[3] - y.mean()) / y.std(), abs=1e-12)
    assert hotspot.gi(y, graph)[3] == 0
    assert hotspot.local_moran(y, graph)["quadrant"][3] == "none"


def test_missing_values_and_wrong_index_are_refused(columbus):
    table, graph = columbus
    with pytest.raises(BadInputError, match=r"1 missing.*give 0"):
        hotspot.gi_star(table["CRIME"].where(table.index != 3), graph)
    with pytest.raises(BadInputError, match="reindex"):
        hotspot.gi_star(table["CRIME"].sample(frac=1, random_state=0), graph)
    with pytest.raises(BadInputError, match="one row a grid"):
        hotspot.gi_star(np.ones(7), graph)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1e4), st.floats(-1e4, 1e4))
def test_gi_star_does_not_change_with_units_or_with_the_order_of_grids(seed, scale, shift):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 1000, size=(40, 2))
    y = rng.poisson(3, size=40).astype(float)
    z = hotspot.gi_star(y, hotspot.distance_band(xy, distance_m=200))
    moved = hotspot.distance_band(xy + np.array([39_500_000, 3_800_000]), distance_m=200)
    np.testing.assert_allclose(hotspot.gi_star(y * scale + shift, moved), z, atol=1e-6)
    order = rng.permutation(40)
    shuffled = hotspot.gi_star(y[order], hotspot.distance_band(xy[order], distance_m=200))
    np.testing.assert_allclose(shuffled, z[order], atol=1e-10)


def test_planes_together_equal_planes_alone():
    graph = lattice(9)
    x = np.random.default_rng(0).poisson(2, size=(81, 4)).astype(float)
    together = hotspot.gi_star(x, graph)
    for j in range(4):
        np.testing.assert_allclose(together[:, j], hotspot.gi_star(x[:, j], graph), atol=1e-12)


def test_graph_of_none():
    graph = hotspot.distance_band(np.empty((0, 2)), distance_m=5)
    assert hotspot.gi_star(np.empty(0), graph).shape == (0,)
    assert len(hotspot.hot_cold(np.empty(0), graph)) == 0
    assert hotspot.permutation_p(np.empty(0), graph, seed=1).shape == (0,)


def test_permutation_p_equals_all_subsets_on_a_small_graph():
    """Nine grids in a row: the exact conditional law by enumeration."""
    from itertools import combinations

    graph = hotspot.distance_band([(10.0 * i, 0) for i in range(9)], distance_m=10)
    x = np.array([1.0, 4, 2, 8, 5, 7, 3, 9, 6])
    p = hotspot.permutation_p(x, graph, permutations=40_000, seed=5, enough=0)
    for i in range(9):
        others = np.delete(x, i)
        k = graph.degree[i]
        sums = np.array([sum(c) for c in combinations(others, k)])
        exact = (sums >= (graph.matrix @ x)[i]).mean()
        assert p[i] == pytest.approx(exact, abs=0.011)


def test_permutation_p_agrees_with_esda_and_with_the_normal_p():
    esda = pytest.importorskip("esda")
    graph = lattice(12)
    x = np.random.default_rng(2).normal(size=144)
    p = hotspot.permutation_p(x, graph, permutations=9999, seed=1, enough=0)
    theirs = esda.G_Local(
        x,
        libpysal.graph.Graph.from_sparse(graph.matrix),
        transform="B",
        star=True,
        permutations=999,
        seed=1,
        n_jobs=1,
    )
    ours = np.minimum(p, 1 - p)
    assert np.abs(ours - theirs.p_sim).max() < 0.06
    assert np.abs(ours - theirs.p_sim).mean() < 0.012
    normal = hotspot.p_value(hotspot.gi(x, graph), alternative="greater")
    assert np.abs(p - normal).max() < 0.03


def test_permutation_p_is_uniform_under_no_structure():
    graph = lattice(40)
    p = hotspot.permutation_p(np.random.default_rng(8).normal(size=1600), graph, permutations=9999, seed=3)
    assert 0.03 < (p <= 0.05).mean() < 0.07
    assert 0.45 < p.mean() < 0.55


def test_permutation_sides_and_seeds():
    graph = lattice(10)
    x = np.zeros(100)
    x[[0, 1, 10, 11]] = 10  # a corner of four
    hot = hotspot.permutation_p(x, graph, permutations=99_999, seed=1)
    cold = hotspot.permutation_p(x, graph, permutations=999, seed=1, alternative="less")
    both = hotspot.permutation_p(x, graph, permutations=99_999, seed=1, alternative="two-sided")
    assert hot[0] < 1e-4
    assert cold[0] > 0.99
    assert both[0] == pytest.approx(2 * hot[0], rel=1e-12)
    assert (hot == hotspot.permutation_p(x, graph, permutations=99_999, seed=1)).all()
    with pytest.raises(BadInputError, match="1 and more"):
        hotspot.permutation_p(x, graph, permutations=0, seed=1)


def test_permutations_serve_a_grid_with_very_many_neighbours():
    """A large rural grid with hundreds of small neighbours must not blow up memory or time."""
    hub = np.c_[np.zeros(399, int), np.arange(1, 400)]
    ring = np.c_[np.arange(1, 999), np.arange(2, 1000)]
    pairs = np.r_[hub, ring]
    graph = hotspot.Graph.from_pairs(pairs[:, 0], pairs[:, 1], pd.RangeIndex(1000))
    x = np.random.default_rng(1).normal(size=1000)
    p = hotspot.permutation_p(x, graph, permutations=1999, seed=1, enough=0)
    normal = hotspot.p_value(hotspot.gi(x, graph), alternative="greater")
    assert abs(p[0] - normal[0]) < 0.04
