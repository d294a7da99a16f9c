"""Shapes held as WKB: they read, join, project and are written as shapely shapes are."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely

from geo import packed
from geo.packed import PackedArray

CRS = "EPSG:4490"
SHAPES = np.array(
    [
        shapely.box(117.0, 36.0, 117.1, 36.1),
        None,
        shapely.MultiPolygon([shapely.box(117.2, 36.0, 117.3, 36.1), shapely.box(117.4, 36.0, 117.5, 36.1)]),
        shapely.box(118.0, 36.0, 118.1, 36.2),
    ],
    dtype=object,
)


def frame(geometry: object) -> gpd.GeoDataFrame:
    """Four rows, one without a shape."""
    index = pd.Index(list("abcd"), name="building_id", dtype="str")
    return gpd.GeoDataFrame({"n": range(4)}, index=index, geometry=geometry, crs=CRS)


def held() -> gpd.GeoDataFrame:
    return frame(PackedArray(pa.array(shapely.to_wkb(SHAPES), pa.large_binary()), CRS))


@pytest.mark.parametrize(
    "step",
    [
        lambda f: f,
        lambda f: f.copy(),
        lambda f: f[f["n"] % 2 == 0],
        lambda f: f.iloc[[3, 1, 0]],
        lambda f: f.iloc[1:3],
        lambda f: f.iloc[-1:],
        lambda f: f.loc[["d", "a"]],
        lambda f: f[0:0],
        lambda f: f.assign(m=1),
        lambda f: f.reindex(list("dxb")),
        lambda f: f.to_crs("EPSG:4548"),
        lambda f: pd.concat([f[f["n"] < 2], f]),
    ],
)
def test_frames_equal_those_of_objects(step) -> None:
    mine, theirs = step(held()), step(frame(SHAPES))
    assert mine.crs == theirs.crs
    assert mine.index.equals(theirs.index)
    assert mine.to_wkb().equals(theirs.to_wkb())
    assert (mine.geometry.isna() == theirs.geometry.isna()).all()
    np.testing.assert_array_equal(mine.total_bounds, theirs.total_bounds)
    assert mine.geometry.geom_type.equals(theirs.geometry.geom_type)


def test_whole_frames_stay_packed_and_single_rows_are_shapes() -> None:
    for same in (held(), held().copy(), held().assign(m=1), held().drop(columns="n")):
        assert isinstance(same.geometry.array, PackedArray)
    assert held().geometry.iloc[-1] == SHAPES[3]
    assert held().geometry.loc["b"] is None
    with pytest.raises(IndexError):
        held().geometry.array[9]


def test_writing_leaves_the_original_as_it_was() -> None:
    first = held()
    second = first.copy()
    second.loc["b", "geometry"] = shapely.box(0, 0, 1, 1)
    assert second.geometry.to_numpy().tolist() == [SHAPES[0], shapely.box(0, 0, 1, 1), *SHAPES[2:]]
    assert first.geometry.iloc[1] is None


def test_few_shapes_are_objects_many_are_packed(monkeypatch) -> None:
    column = pa.chunked_array(
        [pa.array(shapely.to_wkb(part), pa.large_binary()) for part in (SHAPES[:2], SHAPES[2:])]
    )
    monkeypatch.setattr(packed, "MANY", 5)
    assert packed.shape_column(column, CRS).tolist() == SHAPES.tolist()
    monkeypatch.setattr(packed, "MANY", 4)
    many = packed.shape_column(column, CRS)
    assert isinstance(many, PackedArray)
    assert list(many) == SHAPES.tolist()
    assert many.nbytes < 1000
