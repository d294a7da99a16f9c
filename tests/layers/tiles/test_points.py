import numpy as np
import pytest

from layers.tiles import mvt
from layers.tiles.points import PointIndex, squares


@pytest.fixture(scope="module")
def xy():
    rng = np.random.default_rng(1)
    return rng.normal(0, 1, (20_000, 2)) * [20_000, 12_000] + [13_000_000, 4_300_000]


@pytest.fixture(scope="module")
def index(xy):
    return PointIndex.of(xy)


def inside(xy, tile):
    west, south, east, north = mvt.tile_bounds(*tile)
    return (xy[:, 0] >= west) & (xy[:, 0] < east) & (xy[:, 1] > south) & (xy[:, 1] <= north)


@pytest.mark.parametrize("z", [0, 5, 9, 12, 16])
def test_a_tile_holds_the_points_that_lie_in_it(index, xy, z):
    tile = (z, *mvt.tile_of(13_000_000, 4_300_000, z))
    assert sorted(index.order[index.slice(tile)]) == np.flatnonzero(inside(xy, tile)).tolist()


def test_the_tiles_of_a_zoom_hold_every_point_once(index, xy):
    tiles = {mvt.tile_of(x, y, 11) for x, y in xy}
    assert sum(len(index.order[index.slice((11, *t))]) for t in tiles) == len(xy)
    assert index.densest(11) == max(len(index.order[index.slice((11, *t))]) for t in tiles)


def test_near_adds_the_rim_and_nothing_else(index, xy):
    tile = (12, *mvt.tile_of(13_000_000, 4_300_000, 12))
    west, south, east, north = mvt.tile_bounds(*tile)
    rim = 0.25 * (east - west)
    wanted = (
        (xy[:, 0] >= west - rim)
        & (xy[:, 0] <= east + rim)
        & (xy[:, 1] >= south - rim)
        & (xy[:, 1] <= north + rim)
    )
    assert sorted(index.order[index.near(tile, 0.25)]) == np.flatnonzero(wanted).tolist()


@pytest.mark.parametrize("across", [8, 32])
def test_cells_count_every_point_of_the_tile(index, xy, across):
    tile = (10, *mvt.tile_of(13_000_000, 4_300_000, 10))
    weight = np.arange(len(index.order)) % 7.0
    cells = index.cells(tile, across=across, extra={"w": weight[index.slice(tile)]})
    assert cells.count.sum() == inside(xy, tile).sum()
    assert cells.sums["w"].sum() == weight[index.slice(tile)].sum()
    assert (cells.count > 0).all()
    corners = squares(cells, tile, across).reshape(-1, 4, 2)
    assert ((cells.x_m >= corners[:, :, 0].min(axis=1)) & (cells.x_m <= corners[:, :, 0].max(axis=1))).all()
    assert ((cells.y_m >= corners[:, :, 1].min(axis=1)) & (cells.y_m <= corners[:, :, 1].max(axis=1))).all()


def test_cells_are_those_of_plain_arithmetic_row_by_row(index, xy):
    tile, across = (10, *mvt.tile_of(13_000_000, 4_300_000, 10)), 16
    west, south, east, north = mvt.tile_bounds(*tile)
    here = xy[inside(xy, tile)]
    column = ((here[:, 0] - west) / (east - west) * across).astype(int)
    row = ((north - here[:, 1]) / (north - south) * across).astype(int)
    wanted, count = np.unique(row * across + column, return_counts=True)
    cells = index.cells(tile, across=across, centres=False)
    assert (cells.row * across + cells.column).tolist() == wanted.tolist()
    assert cells.count.tolist() == count.tolist()
    assert len(cells.x_m) == len(cells.y_m) == 0


def test_cells_come_in_powers_of_two(index):
    with pytest.raises(ValueError, match="power of two"):
        index.cells((3, 1, 1), across=5)


def test_a_mask_is_the_same_as_fewer_points(index, xy):
    tile = (10, *mvt.tile_of(13_000_000, 4_300_000, 10))
    odd = np.arange(len(xy)) % 2 == 1
    masked = index.cells(tile, across=16, keep=odd[index.order[index.slice(tile)]])
    fewer = PointIndex.of(xy[odd]).cells(tile, across=16)
    assert (masked.row.tolist(), masked.column.tolist()) == (fewer.row.tolist(), fewer.column.tolist())
    assert masked.count.tolist() == fewer.count.tolist()


def test_missing_places_are_left_out_and_none_is_fine():
    index = PointIndex.of(np.array([[np.nan, 1.0], [5.0, 5.0]]))
    assert index.order.tolist() == [1]
    empty = PointIndex.of(np.empty((0, 2)))
    assert empty.densest(10) == 0
    assert len(empty.cells((3, 1, 1), across=8).count) == 0
    assert len(empty.near((3, 1, 1))) == 0
