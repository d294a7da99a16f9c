"""Stability under the error of the addresses and at the next level."""

import numpy as np
import pandas as pd
import pytest

from geo.errors import BadInputError
from geo.hotspot import SOURCES, Account, Cube, distance_band, hotspots
from geo.hotspot.sensitivity import sensitivity

SIDE = 20
XY = np.stack(np.meshgrid(np.arange(SIDE) * 100.0 + 50, np.arange(SIDE) * 100.0 + 50), axis=-1).reshape(-1, 2)
GRIDS = pd.Index([f"g{i:03d}" for i in range(SIDE * SIDE)], name="grid_id")
GRAPH = distance_band(XY, distance_m=150, index=GRIDS)
PARENT = pd.Series([f"p{(i // SIDE) // 5}{(i % SIDE) // 5}" for i in range(SIDE * SIDE)], index=GRIDS)
HOT = [210, 211, 230, 231]


def locate(x, y):
    col, row = np.floor(x / 100).astype(int), np.floor(y / 100).astype(int)
    inside = (col >= 0) & (col < SIDE) & (row >= 0) & (row < SIDE)
    return np.where(inside, row * SIDE + col, -1)


@pytest.fixture(scope="module")
def city():
    rng = np.random.default_rng(0)
    plane = rng.poisson(0.3, (98, SIDE * SIDE))
    plane[-14:, HOT] += rng.poisson(1.5, (14, 4))
    day, grid = np.nonzero(plane)
    times = plane[day, grid]
    day, grid = np.repeat(day, times), np.repeat(grid, times)
    n = len(day)
    cube = Cube(
        grids=GRIDS, first_day=pd.Timestamp("2026-01-01").date(), days=98, categories=("fire",), sources=SOURCES,
        day=day.astype(np.int32), category=np.zeros(n, np.int16), source=np.zeros(n, np.int8),
        grid=grid.astype(np.int32), row=np.arange(n), account=Account(n, n, *[0] * 9),
    )  # fmt: skip
    return cube, XY[grid] + rng.uniform(-45, 45, (n, 2))


def test_exact_places_give_the_marks_of_the_table(city):
    cube, xy = city
    hot = hotspots(cube, GRAPH)["hot"]
    table = sensitivity(cube, GRAPH, xy, np.zeros(len(xy)), locate, PARENT, seed=1)
    assert hot.sum() >= 4
    assert ((table["hot_share"] == 1) == hot).all()
    assert (table.loc[hot, "stable"] == (table.loc[hot, "parent_z"] >= -1)).all()
    assert table.loc[~hot, "stable"].all()


def test_rough_places_make_marks_unstable(city):
    cube, xy = city
    fine = sensitivity(cube, GRAPH, xy, np.full(len(xy), 20.0), locate, PARENT, seed=1)
    rough = sensitivity(cube, GRAPH, xy, np.full(len(xy), 600.0), locate, PARENT, seed=1)
    assert fine["hot_share"].iloc[HOT].mean() > rough["hot_share"].iloc[HOT].mean()
    assert (fine["hot_share"].iloc[HOT] >= 0.8).all()
    assert not rough["hot_share"].iloc[HOT].max() == 1
    pd.testing.assert_frame_equal(
        rough, sensitivity(cube, GRAPH, xy, np.full(len(xy), 600.0), locate, PARENT, seed=1)
    )


def test_the_grid_above_speaks_too(city):
    cube, xy = city
    table = sensitivity(cube, GRAPH, xy, np.zeros(len(xy)), locate, PARENT, seed=1)
    by_parent = table.groupby(PARENT)["parent_z"].nunique()
    assert (by_parent == 1).all()
    assert table["parent_z"].iloc[HOT].max() == table["parent_z"].max()
    none = sensitivity(cube, GRAPH, xy, np.zeros(len(xy)), locate, PARENT.where(PARENT == ""), seed=1)
    assert (none["parent_z"] == 0).all()


def test_bad_input_is_refused(city):
    cube, xy = city
    with pytest.raises(BadInputError, match="draws: 1 and more"):
        sensitivity(cube, GRAPH, xy, np.zeros(len(xy)), locate, PARENT, draws=0, seed=1)
    with pytest.raises(BadInputError, match="radius"):
        sensitivity(cube, GRAPH, xy, np.full(len(xy), -1.0), locate, PARENT, seed=1)
    with pytest.raises(BadInputError, match="degrees"):
        sensitivity(cube, GRAPH, xy / 1e3 % 90, np.full(len(xy), 200.0), locate, PARENT, seed=1)
