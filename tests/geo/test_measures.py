"""Laws of the measures: parts add up, overlay and brute force agree."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.coverage.fraction import cells, free_area, open_water
from geo.coverage.road import stretches


def discs(seed, n=60, size=300.0):
    rng = np.random.default_rng(seed)
    return shapely.buffer(shapely.points(rng.uniform(0, size, (n, 2))), rng.uniform(10, 50, n)), rng


def zones(step=100.0, n=3, turn=0.0):
    boxes = [
        shapely.box(i * step, j * step, (i + 1) * step, (j + 1) * step) for i in range(n) for j in range(n)
    ]
    turned = [shapely.affinity.rotate(b, turn, (0, 0)) for b in boxes]
    return gpd.GeoSeries(turned, index=[f"g{i}" for i in range(len(boxes))])


@pytest.mark.parametrize("turn", [0.0, 7.0])
def test_areas_per_zone_add_up_to_the_union(turn):
    shapes, _ = discs(0)
    grid = zones(turn=turn)
    got = cells(grid, shapes)
    union = shapely.union_all(shapes)
    expected = shapely.area(shapely.intersection(union, grid.to_numpy()))
    np.testing.assert_allclose(got.covered().to_numpy(), expected, atol=1e-4)
    assert got.covered().sum() == pytest.approx(
        shapely.intersection(union, shapely.union_all(grid)).area, abs=1e-3
    )


def test_multiplicity_equals_overlay_of_pairs():
    shapes, _ = discs(1, n=25)
    grid = zones()
    got = cells(grid, shapes)
    one, two = np.triu_indices(len(shapes), 1)
    twice = shapely.union_all(shapely.intersection(shapes[one], shapes[two]))
    expected = shapely.area(shapely.intersection(twice, grid.to_numpy()))
    np.testing.assert_allclose(got.covered(times=2).to_numpy(), expected, atol=1e-4)
    total = sum(got.covered(times=k).sum() for k in range(1, 26))
    inside = shapely.intersection(shapes, shapely.union_all(grid))
    assert total == pytest.approx(shapely.area(inside).sum(), abs=1e-3)


def test_what_one_viewer_or_a_group_sees_alone():
    shapes, rng = discs(2)
    grid = zones()
    got = cells(grid, shapes)
    everything = shapely.union_all(grid)
    alone = got.alone(len(shapes))
    for i in (0, 7, 31):
        others = shapely.union_all(np.delete(shapes, i))
        expected = shapes[i].intersection(everything).difference(others).area
        assert alone[i] == pytest.approx(expected, abs=1e-4)
    group = rng.integers(-1, 5, len(shapes))
    lost = got.lost(group, 5)
    for g in range(5):
        kept, gone = shapely.union_all(shapes[group != g]), shapely.union_all(shapes[group == g])
        assert lost[g] == pytest.approx(gone.intersection(everything).difference(kept).area, abs=1e-3)


def test_conditions_on_viewers_need_no_new_overlay():
    shapes, rng = discs(3)
    grid = zones()
    on = rng.random(len(shapes)) < 0.5
    fewer = cells(grid, shapes[on])
    np.testing.assert_allclose(cells(grid, shapes).covered(by=on), fewer.covered(), atol=1e-4)


def test_zones_with_holes_and_without_viewers():
    shapes = shapely.buffer(shapely.points([[50.0, 50.0]]), 30)
    ring = shapely.box(0, 0, 100, 100).difference(shapely.box(40, 40, 60, 60))
    got = cells(gpd.GeoSeries([ring, shapely.box(500, 500, 600, 600)]), shapes)
    assert got.covered().tolist() == pytest.approx([shapes[0].area - 400, 0], abs=1e-4)
    assert cells(zones(), np.empty(0, dtype=object)).covered().sum() == 0


def test_free_space_is_zone_minus_buildings_minus_water():
    grid = gpd.GeoSeries([shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)])
    blocks = np.array([shapely.box(90, 10, 110, 20), shapely.box(10, 10, 20, 20)])
    water = np.array([shapely.box(0, 50, 200, 60), shapely.box(5, 15, 15, 55)])
    expected = shapely.area(shapely.difference(grid.to_numpy(), shapely.union_all([*blocks, *water])))
    np.testing.assert_allclose(free_area(grid, np.concatenate([blocks, open_water(water, blocks)])), expected)


def union_length(road, shapes):
    return road.intersection(shapely.union_all(shapes)).length


def test_road_length_equals_the_union_oracle():
    shapes, rng = discs(4)
    roads = [shapely.LineString(rng.uniform(0, 300, (rng.integers(2, 6), 2))) for _ in range(80)]
    roads += [shapely.box(50, 50, 200, 200).exterior, shapely.MultiLineString([roads[0], roads[1]])]
    table = gpd.GeoSeries(roads, index=[f"r{i}" for i in range(len(roads))])
    got = stretches(table, shapes)
    expected = [union_length(r, shapes) for r in roads]
    np.testing.assert_allclose(got.covered()[:-1], expected[:-1], atol=1e-6)
    # overlapping parts of a multi-line count by their own length
    assert got.covered().iloc[-1] == pytest.approx(expected[0] + expected[1], abs=1e-6)
    lengths = pd.Series(got.end_m - got.start_m).groupby(got.road).sum()
    np.testing.assert_allclose(lengths, shapely.length(np.array(roads)), atol=1e-6)
    gaps = got.gaps()
    dark = (
        (gaps["end_m"] - gaps["start_m"]).groupby(gaps["road"]).sum().reindex(range(len(roads)), fill_value=0)
    )
    np.testing.assert_allclose(dark, got.length_m - got.covered().to_numpy(), atol=1e-5)


def test_road_seen_twice():
    road = gpd.GeoSeries([shapely.LineString([(0, 0), (100, 0)])])
    shapes = np.array([shapely.box(10, -1, 50, 1), shapely.box(40, -1, 70, 1), shapely.box(10, -1, 50, 1)])
    got = stretches(road, shapes)
    assert got.covered().tolist() == [60.0]
    assert got.covered(times=2).tolist() == [40.0]
    assert got.covered(times=3).tolist() == [10.0]
    assert got.covered(by=np.array([False, True, False])).tolist() == [30.0]
    assert got.gaps().to_numpy().tolist() == [[0, 0, 10], [0, 70, 100]]
    assert stretches(road, np.empty(0, dtype=object)).gaps().to_numpy().tolist() == [[0, 0, 100]]
