"""Contiguity: slivers, gaps, islands, corners, levels, units."""

import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.errors import BadInputError, CrsMismatchError
from geo.hotspot import Graph, contiguity, distance_band


def grids(*boxes, crs="EPSG:4527"):
    names = pd.Index([f"g{i}" for i in range(len(boxes))], name="grid_id")
    return gpd.GeoDataFrame(index=names, geometry=[shapely.box(*b) if b else None for b in boxes], crs=crs)


def neighbours(graph, grid_id):
    row = graph.matrix[[graph.index.get_loc(grid_id)], :].toarray().ravel()
    return set(graph.index[row > 0])


def test_edges_corners_gaps_and_islands():
    table = grids(
        (0, 0, 100, 100), (100, 0, 200, 100), (200, 100, 300, 200), (300.6, 100, 400, 200), (900, 0, 950, 50)
    )
    graph = contiguity(table)
    assert neighbours(graph, "g0") == {"g1"}
    assert neighbours(graph, "g1") == {"g0", "g2"}  # a corner counts
    assert neighbours(graph, "g3") == {"g2"}  # 0.6 m of gap
    assert graph.islands.tolist() == [False, False, False, False, True]
    assert neighbours(contiguity(table, tolerance_m=0), "g3") == set()
    joined = contiguity(table, join_islands=True)
    assert neighbours(joined, "g4") == {"g3"}
    assert not joined.islands.any()


def test_sliver_between_two_grids_does_not_part_them():
    table = grids((0, 0, 100, 100), (100, 0, 100.4, 100), (100.4, 0, 200, 100))
    assert neighbours(contiguity(table), "g0") == {"g1", "g2"}


def test_t_junction_is_found():
    table = grids((0, 0, 100, 100), (100, 0, 200, 30), (100, 30, 200, 100))
    assert neighbours(contiguity(table, tolerance_m=0), "g0") == {"g1", "g2"}


def test_missing_and_empty_geometry_is_an_island():
    table = grids((0, 0, 1, 1), None, (1, 0, 2, 1))
    table.geometry = [table.geometry.iloc[0], shapely.Polygon(), table.geometry.iloc[2]]
    graph = contiguity(table, join_islands=True)
    assert graph.islands.tolist() == [False, True, False]


def test_symmetric_binary_without_self():
    rng = np.random.default_rng(0)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(rng.uniform(0, 9000, (300, 2)))))
    table = gpd.GeoDataFrame(geometry=cells)
    graph = contiguity(table, tolerance_m=0.01)
    assert (graph.matrix - graph.matrix.T).nnz == 0
    assert graph.matrix.diagonal().sum() == 0
    assert set(np.unique(graph.matrix.data)) == {1.0}
    queen = libpysal.graph.Graph.build_contiguity(table, rook=False, strict=True)
    assert graph.links == queen.sparse.nnz
    assert (graph.with_self.diagonal() == 1).all()
    rows = np.asarray(graph.row_standardised.sum(axis=1)).ravel()
    np.testing.assert_allclose(rows, 1)


@pytest.mark.parametrize(("crs", "words"), [("EPSG:4326", "degrees"), ("EPSG:2913", "0.3048 m")])
def test_degrees_and_feet_are_refused(crs, words):
    with pytest.raises(CrsMismatchError, match=f"{words}.*to_crs"):
        contiguity(grids((0, 0, 1, 1), (1, 0, 2, 1), crs=crs))


def test_degrees_in_bare_arrays_are_refused():
    with pytest.raises(BadInputError, match=r"look like degrees.*to_crs"):
        distance_band([(118.05, 36.81), (118.06, 36.82)], distance_m=500)
    assert distance_band([(3.0, 5.0), (3.0, 5.0)], distance_m=500).links == 2  # one place: nothing to tell


def test_levels_together_and_repeated_codes_are_refused():
    table = grids((0, 0, 1, 1), (0, 0, 2, 2))
    with pytest.raises(BadInputError, match=r"levels \[2, 3\].*choose one"):
        contiguity(table.assign(level=[3, 2]))
    table.index = ["g0", "g0"]
    with pytest.raises(BadInputError, match="'g0' is listed twice"):
        contiguity(table)


def test_no_grids():
    assert contiguity(grids()).size == 0


def test_band_includes_its_limit():
    assert distance_band([(0, 0), (10, 0), (20.1, 0)], distance_m=10).links == 2


def test_graph_refuses_a_matrix_of_another_size():
    with pytest.raises(BadInputError, match="for 3 grids"):
        Graph(distance_band([(0, 0), (1, 0)], distance_m=1).matrix, pd.RangeIndex(3))
