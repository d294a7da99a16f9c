"""Kernel density against spatstat, Knox against burkitt, and their laws."""

import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.errors import BadInputError
from geo.hotspot import contours, kde, kde_at, knox

BOX = (0.0, -1.0, 1.0, 0.0)


@pytest.fixture(scope="module")
def redwood(shared_data):
    return pd.read_csv(shared_data("hotspot/redwood.csv"))


def test_exact_density_equals_spatstat(redwood):
    xy = redwood[["x", "y"]].to_numpy()
    plain = kde_at(xy, xy, bandwidth_m=0.05)
    assert plain.sum() == pytest.approx(12660.20157907, abs=1e-7)
    np.testing.assert_allclose(plain, redwood["noedge"], rtol=1e-11)
    uniform = kde_at(xy, xy, bandwidth_m=0.05, box=BOX)
    assert uniform.sum() == pytest.approx(12917.979343881, abs=1e-7)
    np.testing.assert_allclose(uniform, redwood["uni"], rtol=1e-11)
    np.testing.assert_allclose(
        kde_at(xy, xy, bandwidth_m=0.05, box=BOX, diggle=True), redwood["dig"], rtol=1e-11
    )


def test_binned_density_is_close_to_the_exact_one(redwood):
    xy = redwood[["x", "y"]].to_numpy() * 10_000  # a window of 10 km
    box = (0.0, -10_000.0, 10_000.0, 0.0)
    surface = kde(xy, bandwidth_m=500, cell_m=50, bounds=box)
    x, y = np.meshgrid(*surface.centres())
    exact = kde_at(xy, np.c_[x.ravel(), y.ravel()][::37], bandwidth_m=500, box=box) * 1e6
    got = surface.cells.ravel()[::37]
    dense = exact > 0.1 * exact.max()
    error = np.abs(got[dense] / exact[dense] - 1)
    assert np.median(error) < 0.002
    assert error.max() < 0.02


def test_density_holds_the_mass_of_the_points_away_from_borders():
    xy = np.random.default_rng(0).uniform(4000, 6000, size=(500, 2))
    surface = kde(xy, bandwidth_m=200, cell_m=50, bounds=(0, 0, 10_000, 10_000))
    assert surface.cells.sum() * 50**2 / 1e6 == pytest.approx(500, rel=1e-6)
    doubled = kde(xy, bandwidth_m=200, cell_m=50, bounds=(0, 0, 10_000, 10_000), weights=np.full(500, 2.0))
    np.testing.assert_allclose(doubled.cells, 2 * surface.cells)


def test_edge_correction_keeps_an_even_city_even():
    xy = np.random.default_rng(1).uniform(0, 5000, size=(200_000, 2))
    even = kde(xy, bandwidth_m=400, cell_m=100, bounds=(0, 0, 5000, 5000)).cells
    bare = kde(xy, bandwidth_m=400, cell_m=100, bounds=(0, 0, 5000, 5000), edge=False).cells
    assert even[0, 0] == pytest.approx(8000, rel=0.1)
    assert bare[0, 0] < 0.4 * 8000


def test_cells_outside_the_city_are_empty_and_do_not_count():
    city = shapely.Point(5000, 5000).buffer(3000)
    xy = np.array([(5000.0, 5000.0)])
    surface = kde(xy, bandwidth_m=500, cell_m=100, bounds=(0, 0, 10_000, 10_000), within=city)
    assert np.isnan(surface.cells[0, 0])
    assert surface.at([(5000, 5000), (100, 100), (-50, 20_000)]).tolist()[1:] == [0, 0]
    assert surface.at([(5000, 5000)])[0] == np.nanmax(surface.cells)
    assert np.isfinite(surface.cells[50, 50])


def test_no_points_no_heat():
    surface = kde(np.empty((0, 2)), bandwidth_m=500, cell_m=100, bounds=(0, 0, 1000, 1000))
    assert (surface.cells == 0).all()
    assert len(contours(surface, [1.0])) == 0


def test_contours_hold_the_hot_cells():
    xy = np.r_[np.full((200, 2), 2000.0), np.full((50, 2), 7000.0), [[10.0, 10.0]]]
    surface = kde(xy, bandwidth_m=300, cell_m=100, bounds=(0, 0, 10_000, 10_000))
    table = contours(surface, [1.0, 100.0, 1e9], crs="EPSG:4527")
    assert table["level"].tolist() == [1.0, 100.0]
    assert table.geometry.is_valid.all()
    assert table.geometry.iloc[1].within(table.geometry.iloc[0].buffer(1e-6))
    assert table.geometry.iloc[1].contains(shapely.Point(2000, 2000))
    low = surface.cells >= 1.0
    assert table["area_m2"].iloc[0] == pytest.approx(low.sum() * 1e4, rel=0.2)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"bandwidth_m": 10}, "under one cell"),
        ({"cell_m": 0.5}, "larger cells"),
        ({"bounds": (5, 0, 1, 1)}, "west < east"),
        ({"xy": np.array([(118.05, 36.81), (118.3, 36.9)])}, "degrees"),
        ({"xy": np.array([(np.nan, 1.0), (118.3, 36.9)])}, "without coordinates"),
    ],
)
def test_bad_input_is_refused(kwargs, words):
    given = {
        "xy": np.zeros((2, 2)),
        "bandwidth_m": 500,
        "cell_m": 100,
        "bounds": (0, 0, 10_000, 10_000),
    } | kwargs
    with pytest.raises(BadInputError, match=words):
        kde(given.pop("xy"), **given)


def test_burkitt():
    table = gpd.read_file(libpysal.examples.get_path("burkitt.shp"))
    days = table["T"].to_numpy()
    before = days.copy()
    found = knox(table[["X", "Y"]].to_numpy(), days, distance_m=20, within_days=5, permutations=199, seed=1)
    assert (found.pairs, found.space_pairs, found.time_pairs) == (13, 3429, 52)
    assert 0.1 < found.p < 0.35
    assert (days == before).all()
    strict = knox(
        table[["X", "Y"]].to_numpy(), days, distance_m=20, within_days=4.999, permutations=0, seed=1
    )
    assert strict.pairs == 12


def test_knox_counts_all_pairs_and_finds_planted_repeats():
    rng = np.random.default_rng(5)
    xy, days = rng.uniform(0, 3000, (300, 2)), rng.integers(0, 90, 300).astype(float)
    found = knox(xy, days, distance_m=200, within_days=7, permutations=99, seed=2)
    gap = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    close = (gap <= 200) & (np.abs(days[:, None] - days[None]) <= 7)
    assert found.pairs == np.triu(close, 1).sum()
    assert found.p > 0.01
    repeats = np.r_[xy, xy[:60] + rng.normal(0, 30, (60, 2))], np.r_[days, days[:60] + 2]
    assert knox(*repeats, distance_m=200, within_days=7, permutations=99, seed=2).p == 0.01


def test_knox_of_one_point_and_of_mixed_lengths():
    assert knox([(1, 1)], [3], distance_m=5, within_days=1, seed=0).p == 1
    with pytest.raises(BadInputError, match="one day each"):
        knox([(0, 0), (1000, 0)], [3], distance_m=5, within_days=1, seed=0)
    with pytest.raises(BadInputError, match="degrees"):
        knox([(118.0, 36.0), (118.1, 36.1)], [3, 4], distance_m=200, within_days=1, seed=0)
