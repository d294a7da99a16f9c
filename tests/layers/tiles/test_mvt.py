from itertools import pairwise

import mapbox_vector_tile
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from geo.errors import BadInputError
from layers.tiles import mvt

TILE = (12, 3377, 1602)


def to_tile(geometry, tile=TILE):
    """Tile units, y down: what a decoded tile holds."""
    west, _, east, north = mvt.tile_bounds(*tile)
    scale = mvt.EXTENT / (east - west)
    return shapely.transform(geometry, lambda a: np.c_[(a[:, 0] - west) * scale, (north - a[:, 1]) * scale])


def from_tile(geometry, tile=TILE):
    west, _, east, north = mvt.tile_bounds(*tile)
    scale = (east - west) / mvt.EXTENT
    return shapely.transform(geometry, lambda a: np.c_[west + a[:, 0] * scale, north - a[:, 1] * scale])


def features(shapes, **columns):
    shapes = np.asarray(shapes, object)
    columns = {k: pd.Series(v) for k, v in columns.items()}
    return mvt.Features.of(shapes, columns, np.arange(len(shapes), dtype=np.uint64))


def decode(data):
    tile = mapbox_vector_tile.decode(data, default_options={"y_coord_down": True})
    return tile["x"]["features"] if tile else []


def mosaic(n=200, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1500, 5600, (n, 2))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points)))
    cells = shapely.intersection(cells, shapely.box(-1500, -1500, 5600, 5600))
    return shapely.segmentize(cells, 60)


def test_areas_agree_with_a_clip_by_geos():
    cells = mosaic()
    holes = shapely.difference(cells, shapely.buffer(shapely.centroid(cells), 40))
    found = {
        int(f["id"]): shape(f["geometry"]) for f in decode(mvt.encode("x", features(from_tile(holes)), TILE))
    }
    window = shapely.box(-64, -64, 4160, 4160)
    wanted = shapely.intersection(holes, window)
    assert set(found) == set(np.flatnonzero(shapely.area(wanted) > 1))
    for i, area in found.items():
        assert abs(area.area - wanted[i].area) <= 0.8 * wanted[i].length, i
        drawn = shapely.make_valid(area, method="structure")  # rings may touch along the buffer's edge
        assert shapely.intersection(drawn, wanted[i]).area >= wanted[i].area - 0.8 * wanted[i].length


def test_the_tile_is_covered_once_by_a_mosaic():
    found = [shape(f["geometry"]) for f in decode(mvt.encode("x", features(from_tile(mosaic())), TILE))]
    assert sum(g.area for g in found) == pytest.approx((4096 + 128) ** 2, rel=1e-6)


def test_outer_rings_are_clockwise_on_screen_and_holes_are_not():
    ring = shapely.box(0, 0, 1000, 1000).difference(shapely.box(200, 200, 400, 400))
    for area in (ring, shapely.normalize(ring), shapely.reverse(ring)):
        [feature] = decode(mvt.encode("x", features([from_tile(area)]), TILE))
        outer, hole = feature["geometry"]["coordinates"]
        signed = [sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(r)) for r in (outer, hole)]
        assert signed[0] > 0 > signed[1]


def test_lines_are_cut_into_the_pieces_inside():
    line = shapely.LineString([(-500, 1000), (500, 1000), (500, -900), (900, -900), (900, 500), (6000, 500)])
    [feature] = decode(mvt.encode("x", features([from_tile(line)]), TILE))
    found, wanted = shape(feature["geometry"]), line.intersection(shapely.box(-64, -64, 4160, 4160))
    assert found.length == pytest.approx(wanted.length, abs=1)
    assert len(shapely.get_parts(found)) == len(shapely.get_parts(wanted)) == 2


def test_points_keep_their_place_and_those_outside_are_left_out():
    points = shapely.points([(0, 0), (4095.4, 4095.6), (-65, 0), (4160, 10), (9000, 9000)])
    found = {
        f["id"]: f["geometry"]["coordinates"]
        for f in decode(mvt.encode("x", features(from_tile(points)), TILE))
    }
    assert found == {0: [0, 0], 1: [4095, 4096], 3: [4160, 10]}
    both = shapely.multipoints([[1, 2], [9000, 1], [5, 7]])
    [feature] = decode(mvt.encode("x", features([from_tile(both)]), TILE))
    assert feature["geometry"]["coordinates"] == [[1, 2], [5, 7]]


def test_properties_come_back_as_they_went_in():
    columns = {
        "name": ["解放路", None, "解放路"],
        "count": pd.array([7, -3, pd.NA], "Int64"),
        "share": [0.25, np.nan, 3.0],
        "ok": pd.array([True, pd.NA, False], "boolean"),
    }
    points = from_tile(shapely.points([(1, 1), (2, 2), (3, 3)]))
    found = [f["properties"] for f in decode(mvt.encode("x", features(points, **columns), TILE))]
    assert found == [
        {"name": "解放路", "count": 7, "share": 0.25, "ok": True},
        {"count": -3},
        {"name": "解放路", "share": 3, "ok": False},
    ]


def test_nothing_in_the_tile_is_no_bytes():
    far = from_tile(shapely.points([(9000, 9000)]))
    assert mvt.encode("x", features(far), TILE) == b""
    assert mvt.encode("x", features([]), TILE) == b""
    speck = from_tile(shapely.box(10.1, 10.1, 10.2, 10.2))
    assert mvt.encode("x", features([speck]), TILE) == b""


def test_an_area_around_the_whole_tile_fills_it():
    [feature] = decode(mvt.encode("x", features([from_tile(shapely.box(-9e5, -9e5, 9e5, 9e5))]), TILE))
    assert shape(feature["geometry"]).bounds == (-64, -64, 4160, 4160)


def test_keeping_rows_is_encoding_fewer():
    cells = from_tile(mosaic())
    mask = np.arange(len(cells)) % 3 == 0
    table = features(cells, name=[f"格{i}" for i in range(len(cells))])
    some = mvt.encode("x", table, TILE, keep=mask)
    every = {f["id"]: f for f in decode(mvt.encode("x", table, TILE))}
    assert {f["id"]: f for f in decode(some)} == {i: f for i, f in every.items() if mask[i]}


def test_more_columns_on_the_same_shapes():
    table = features(from_tile(shapely.points([(1, 1), (2, 2)])), a=[1, 2])
    data = mvt.encode("x", table, TILE, more={"b": mvt.Column.of(pd.Series([3, None]))})
    assert [f["properties"] for f in decode(data)] == [{"a": 1, "b": 3}, {"a": 2}]


def test_other_shapes_for_the_same_features():
    table = features([from_tile(shapely.box(0, 0, 100, 100))], a=["x"])
    [feature] = decode(mvt.encode("x", table.with_shapes([from_tile(shapely.box(50, 50, 60, 60))]), TILE))
    assert feature["properties"] == {"a": "x"}
    assert shape(feature["geometry"]).bounds == (50, 50, 60, 60)


def test_points_and_boxes_from_arrays_equal_those_from_shapes():
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 4096, (50, 2))
    points = from_tile(shapely.points(xy))
    ids = np.arange(50, dtype=np.uint64)
    column = {"n": pd.Series(range(50))}
    made = mvt.Features.points(shapely.get_coordinates(points), column, ids)
    assert mvt.encode("x", made, TILE) == mvt.encode("x", features(points, n=range(50)), TILE)
    squares = shapely.box(xy[:, 0], xy[:, 1], xy[:, 0] + 30, xy[:, 1] + 30)
    corners = np.concatenate([shapely.get_coordinates(g)[:4] for g in from_tile(squares)])
    boxes = decode(mvt.encode("x", mvt.Features.boxes(corners, column, ids), TILE))
    assert {f["id"]: shape(f["geometry"]).area for f in boxes} == pytest.approx(
        dict.fromkeys(range(50), 900), rel=0.1
    )


@pytest.mark.parametrize("tile", [(-1, 0, 0), (3, 8, 0), (3, 0, -1), (23, 0, 0)])
def test_a_tile_that_does_not_exist_is_refused(tile):
    with pytest.raises(BadInputError, match="no tile"):
        mvt.encode("x", features([]), tile)


def test_points_and_areas_do_not_mix():
    with pytest.raises(BadInputError, match="split the table"):
        features([shapely.Point(0, 0), shapely.box(0, 0, 1, 1)])


@given(st.integers(0, 2**64 - 1))
@settings(max_examples=50)
def test_varint_is_little_endian_base_128(n):
    data = mvt.varint(n)
    assert sum((b & 0x7F) << (7 * i) for i, b in enumerate(data)) == n
    assert all(b & 0x80 for b in data[:-1])
    assert not data[-1] & 0x80


@given(st.integers(0, 18), st.floats(-2e7, 2e7), st.floats(-2e7, 2e7))
@settings(max_examples=100)
def test_a_point_lies_in_its_tile(z, x, y):
    west, south, east, north = mvt.tile_bounds(z, *mvt.tile_of(x, y, z))
    assert west - 1e-6 <= x <= east + 1e-6
    assert south - 1e-6 <= y <= north + 1e-6
