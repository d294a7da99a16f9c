"""Mann-Kendall, the space-time Gi* and the ArcGIS classes."""

import numpy as np
import pytest

from geo.errors import BadInputError
from geo.hotspot import CLASSES, CLASSES_ZH, classify, distance_band, gi_cube, gi_star, mann_kendall, weekly
from geo.hotspot.emerging import residual_cube

NILE = """1120 1160 963 1210 1160 1160 813 1230 1370 1140 995 935 1110 994 1020 960 1180 799 958 1140 1100 1210 1150
1250 1260 1220 1030 1100 774 840 874 694 940 833 701 916 692 1020 1050 969 831 726 456 824 702 1120 1100 832 764 821
768 845 864 862 698 845 744 796 1040 759 781 865 845 944 984 897 822 1010 771 676 649 846 812 742 801 1040 860 874
848 890 744 749 838 1050 918 986 797 923 975 815 1020 906 901 1170 912 746 919 718 714 740"""


def lattice(side):
    x, y = np.meshgrid(np.arange(side) * 100.0, np.arange(side) * 100.0)
    return distance_band(np.c_[x.ravel(), y.ravel()], distance_m=150)


def test_nile():
    row = mann_kendall(np.array([NILE.split()], dtype=float)).iloc[0]
    assert row["s"] == -1387
    assert row["variance"] == pytest.approx(112728.3333333, abs=1e-6)
    assert row["z"] == pytest.approx(-4.1280665228441, abs=1e-10)
    assert row["p"] == pytest.approx(3.65826292166e-05, abs=1e-14)


def test_rows_equal_pymannkendall():
    peer = pytest.importorskip("pymannkendall")
    x = np.random.default_rng(0).poisson(2, size=(60, 26)).astype(float)
    x[0] = 3  # constant
    ours = mann_kendall(x)
    for i in range(1, 60):
        theirs = peer.original_test(x[i])
        got = ours.loc[i, ["s", "variance", "z", "p", "tau"]].tolist()
        np.testing.assert_allclose(got, [theirs.s, theirs.var_s, theirs.z, theirs.p, theirs.Tau], atol=1e-10)
    assert ours.loc[0].tolist() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (3, 1)])
def test_mann_kendall_of_little(shape):
    table = mann_kendall(np.zeros(shape))
    assert len(table) == shape[0]
    assert (table["p"] == 1).all()


def test_cube_without_steps_back_is_gi_star_of_each_step():
    graph = lattice(8)
    x = np.random.default_rng(1).normal(size=(64, 12))
    np.testing.assert_allclose(gi_cube(x, graph, neighbour_steps=0), gi_star(x, graph), atol=1e-12)


@pytest.mark.parametrize("against", ["step", "cube"])
def test_cube_is_standard_normal_without_structure(against):
    graph = lattice(30)
    z = gi_cube(np.random.default_rng(2).normal(size=(900, 20)), graph, neighbour_steps=2, against=against)
    assert abs(z.mean()) < 0.05
    assert 0.93 < z.std() < 1.07


def test_constant_cube_is_zero():
    graph = lattice(4)
    for against in ("step", "cube"):
        assert (gi_cube(np.full((16, 12), 2.5), graph, against=against) == 0).all()
    x = np.random.default_rng(0).normal(size=(16, 12))
    x[:, 4] = 1.0  # one dead step
    assert np.isfinite(gi_cube(x, graph)).all()
    with pytest.raises(BadInputError, match="'step', 'cube'"):
        gi_cube(x, graph, against="slice")


def named(row, **kwargs):
    """Class of one grid among quiet ones; only z beyond ±6 is significant."""
    z = np.zeros((40, len(row)))
    z[0] = np.array(row) * 6.0
    return CLASSES[classify(z, **kwargs)[0][0]]


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ([0] * 12, "none"),
        ([0] * 11 + [1], "new hot"),
        ([-1] + [0] * 10 + [1], "new hot"),
        ([0] * 9 + [1, 1, 1], "consecutive hot"),
        ([0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], "sporadic hot"),
        ([0, 1, 0, -1, 0, 0, 0, 0, 0, 0, 0, 1], "oscillating hot"),
        ([1] * 12, "persistent hot"),
        (np.linspace(1, 2, 12).tolist(), "intensifying hot"),
        (np.linspace(2, 1, 12).tolist(), "diminishing hot"),
        ([1] * 11 + [0], "historical hot"),
        ([0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], "none"),
        ([0] * 11 + [-1], "new cold"),
        ([-1] * 12, "persistent cold"),
        (np.linspace(-1, -2, 12).tolist(), "intensifying cold"),
        (np.linspace(-2, -1, 12).tolist(), "diminishing cold"),
    ],
)
def test_classes(row, name):
    assert named(row) == name


def test_every_class_has_a_chinese_name():
    assert len(CLASSES) == len(CLASSES_ZH) == len(set(CLASSES)) == len(set(CLASSES_ZH)) == 17


def test_few_steps_are_refused():
    with pytest.raises(BadInputError, match="10 steps and more"):
        classify(np.zeros((5, 9)))


def test_weeks_end_with_the_last_day():
    plane = np.zeros((30, 2), dtype=np.int32)
    plane[-7:, 0] = 1
    plane[-8, 1] = 5
    weeks = weekly(plane)
    assert weeks.shape == (2, 4)
    assert weeks[:, -1].tolist() == [7, 0]
    assert weeks[1, -2] == 5
    with pytest.raises(BadInputError, match="1 to 4"):
        weekly(plane, weeks=5)


def test_residual_cube_uses_only_earlier_steps():
    rng = np.random.default_rng(4)
    steps = rng.poisson(4, size=(50, 20))
    cube = residual_cube(steps, baseline_steps=8, gap_steps=2)
    assert cube.shape == (50, 10)
    later = steps.copy()
    later[:, 15:] = 0
    np.testing.assert_array_equal(residual_cube(later, baseline_steps=8, gap_steps=2)[:, :5], cube[:, :5])
    from geo.hotspot import residual

    np.testing.assert_allclose(cube[:, 3], residual(steps[:, 13], steps[:, 3:11].sum(axis=1)), atol=1e-12)
    with pytest.raises(BadInputError, match="more than 22 steps"):
        residual_cube(steps, baseline_steps=20, gap_steps=2)
