"""Tiling of grids: what is planted is found, what is whole is left alone."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.crs import metric_crs
from geo.quality import tiling_faults
from geo.quality.tiling import mean_width_m, polygonal

CRS = "EPSG:4548"


def lattice(columns=5, rows=4, side=100.0):
    boxes = [
        shapely.box(x * side, y * side, (x + 1) * side, (y + 1) * side)
        for x in range(columns)
        for y in range(rows)
    ]
    return gpd.GeoDataFrame(geometry=boxes, index=[f"c{i:02d}" for i in range(len(boxes))], crs=CRS)


def counts(found):
    return found["code"].value_counts().to_dict()


def of(found, code):
    return found[found["code"] == code]


def test_a_lattice_tiles():
    assert tiling_faults(lattice()).empty
    assert tiling_faults(lattice(), outline=np.array([shapely.box(0, 0, 500, 400)])).empty
    assert tiling_faults(lattice().iloc[:0]).empty
    assert tiling_faults(lattice(), outline=np.array([shapely.box(0, 0, 500, 400)])).crs == CRS


@given(st.integers(0, 19))
@settings(max_examples=20, deadline=None)
def test_a_cell_taken_out_is_a_gap_of_its_size(which):
    """Inside it is a hole; at the rim only the outline can tell."""
    cells = lattice()
    rest = cells.drop(cells.index[which])
    rim = cells.geometry.iloc[which].touches(shapely.box(0, 0, 500, 400).exterior)
    assert len(of(tiling_faults(rest), "grid.gap")) == (0 if rim else 1)
    found = of(tiling_faults(rest, outline=np.array([shapely.box(0, 0, 500, 400)])), "grid.gap")
    assert found["value"].tolist() == [10_000.0]
    assert found.geometry.iloc[0].equals(cells.geometry.iloc[which])
    assert found["id"].iloc[0] in rest.index


@given(st.floats(2.0, 60.0), st.floats(0.001, 0.4))
@settings(max_examples=25, deadline=None)
def test_overlaps_and_slivers_are_told_apart_by_their_width(wide, thin):
    for width, code, other in [(wide, "grid.overlap", "grid.sliver"), (thin, "grid.sliver", "grid.overlap")]:
        cells = lattice()
        cells.loc["c05", "geometry"] = shapely.box(100 - width, 100, 200, 200)
        found = tiling_faults(cells)
        assert of(found, other).empty
        hit = of(found, code)
        assert hit["id"].tolist() == ["c01|c05"]
        assert hit["value"].iloc[0] == pytest.approx(100 * width, abs=1e-5)
        assert set(of(found, "grid.edge")["id"]) >= {"c01", "c05"}


def test_a_narrow_gap_is_a_sliver_and_an_unmatched_vertex_an_edge():
    cells = lattice()
    cells.loc["c05", "geometry"] = shapely.box(100.2, 100, 200, 200)
    found = tiling_faults(cells)
    assert of(found, "grid.sliver")["value"].tolist() == [20.0]
    assert of(found, "grid.gap").empty


def test_polygons_beyond_the_outline_are_named():
    found = tiling_faults(lattice(), outline=np.array([shapely.box(0, 0, 450, 400)]))
    assert of(found, "grid.beyond")["value"].tolist() == [20_000.0]


def test_the_rounding_of_doubles_is_no_fault():
    """Vertices that differ in the last digits are one place; a millimetre is not."""
    rng = np.random.default_rng(0)
    cells = lattice()
    corners = shapely.get_coordinates(cells.geometry.to_numpy()).reshape(len(cells), 5, 2)[:, :4] + 4e6
    for noise, expected in [(2e-9, set()), (1e-3, {"grid.sliver", "grid.edge"})]:
        shapes = shapely.polygons(corners + rng.uniform(-noise, noise, corners.shape))
        found = tiling_faults(gpd.GeoDataFrame(geometry=shapes, index=cells.index, crs=CRS))
        assert set(found["code"]) == expected


def test_a_ring_road_is_no_gap_where_the_outline_leaves_it_out():
    """A lake that the boundary leaves out is not missing."""
    cells = lattice().drop("c05")
    outline = shapely.box(0, 0, 500, 400).difference(shapely.box(100, 100, 200, 200))
    assert tiling_faults(cells, outline=np.array([outline])).empty


def test_invalid_polygons_and_collections_are_measured_by_their_area():
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    mixed = shapely.GeometryCollection([shapely.box(0, 0, 1, 1), shapely.Point(5, 5)])
    areas = shapely.area(polygonal(np.array([bow, mixed, None, shapely.LineString([(0, 0), (1, 1)])])))
    assert areas.tolist() == [2.0, 1.0, 0.0, 0.0]
    assert mean_width_m(np.array([shapely.box(0, 0, 1000, 1)]))[0] == pytest.approx(1.0, rel=0.01)


# --- real data ------------------------------------------------------------------------------------


def cells_of(path, key):
    cells = gpd.read_file(path).set_index(key)
    centre = cells.to_crs(4326).geometry.representative_point()
    return cells.to_crs(metric_crs(centre.x, centre.y))


@pytest.mark.parametrize("city", ["taipei", "hsinchu"])
def test_statistical_cells_tile_exactly(shared_data, city):
    assert tiling_faults(cells_of(shared_data(f"{city}/cells.gpkg"), "CODEBASE")).empty


def test_lsoa_have_thousands_of_slivers_and_nothing_wider(shared_data):
    found = tiling_faults(cells_of(shared_data("uk_police/lsoa.gpkg"), "LSOA11CD"))
    assert set(found["code"]) == {"grid.sliver", "grid.edge"}
    assert counts(found)["grid.sliver"] > 5000
    assert of(found, "grid.sliver")["value"].sum() < 10  # m² in all
    assert (of(found, "grid.sliver")["value"] < 1e-4).sum() > 5000


def test_portland_has_holes_of_three_percent(shared_data):
    districts = cells_of(shared_data("portland/police_districts.gpkg"), "DISTRICT")
    found = tiling_faults(districts)
    assert of(found, "grid.overlap").empty
    holes = of(found, "grid.gap")["value"].sum() / shapely.area(
        shapely.union_all(polygonal(districts.geometry.to_numpy()))
    )
    assert holes == pytest.approx(0.031, abs=0.001)
