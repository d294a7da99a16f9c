"""Points held as coordinates: they read, join, project and are written as shapely points are."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.array import GeometryArray, from_shapely

from geo import points
from geo.points import PointArray, lonlat

X = np.array([117.0, 117.5, np.nan, 118.25, 116.75])
Y = np.array([36.5, 36.25, np.nan, 36.0, 36.75])
CRS = "EPSG:4490"


def held() -> gpd.GeoDataFrame:
    """Five rows, one without a place, held as coordinates."""
    index = pd.Index(list("abcde"), name="incident_id", dtype="str")
    return gpd.GeoDataFrame({"n": range(5)}, index=index, geometry=PointArray(X, Y, CRS))


def objects() -> gpd.GeoDataFrame:
    """Hold the same rows as shapely points."""
    shapes = shapely.points(X, Y)
    shapes[2] = None
    return gpd.GeoDataFrame(pd.DataFrame(held().drop(columns="geometry")), geometry=shapes, crs=CRS)


def is_held(frame: gpd.GeoDataFrame) -> bool:
    return isinstance(frame.geometry.array, PointArray)


@pytest.mark.parametrize(
    "step",
    [
        lambda f: f,
        lambda f: f.copy(),
        lambda f: f[f["n"] % 2 == 0],
        lambda f: f.iloc[[4, 2, 0]],
        lambda f: f.iloc[1:4],
        lambda f: f.loc[["e", "a"]],
        lambda f: f[0:0],
        lambda f: f.assign(m=1),
        lambda f: f.sort_values("n", ascending=False),
        lambda f: f.reindex(list("edxc")),
        lambda f: f.to_crs("EPSG:4548"),
        lambda f: f.set_crs("EPSG:4326", allow_override=True),
        lambda f: pd.concat([f[f["n"] < 3], f[f["n"] > 3]]),
    ],
)
def test_frames_stay_held_and_equal_those_of_objects(step) -> None:
    mine, theirs = step(held()), step(objects())
    assert is_held(mine)
    assert mine.crs == theirs.crs
    assert mine.index.equals(theirs.index)
    assert mine.geometry.to_numpy().tolist() == theirs.geometry.to_numpy().tolist()
    assert (mine.geometry.isna() == theirs.geometry.isna()).all()
    np.testing.assert_array_equal(mine.total_bounds, theirs.total_bounds)
    np.testing.assert_array_equal(lonlat(mine), lonlat(theirs))
    np.testing.assert_array_equal(mine.geometry.x, theirs.geometry.x)
    assert mine.to_wkb().equals(theirs.to_wkb())


def test_single_rows_are_shapely_points() -> None:
    column = held().geometry
    assert column.iloc[1] == shapely.Point(117.5, 36.25)
    assert column.loc["c"] is None
    assert [None if p is None else p.x for p in column] == [117.0, 117.5, None, 118.25, 116.75]


def test_held_rows_join_objects_and_other_shapes() -> None:
    joined = pd.concat([held()[:2], objects()[3:]])
    assert is_held(joined)
    assert joined.geometry.to_numpy().tolist() == objects().geometry.to_numpy()[[0, 1, 3, 4]].tolist()
    line = gpd.GeoDataFrame({"n": [9]}, geometry=[shapely.LineString([(0, 0), (1, 1)])], crs=CRS)
    high = gpd.GeoDataFrame({"n": [9]}, geometry=[shapely.Point(1, 2, 3)], crs=CRS)
    for other in (line, high):
        mixed = pd.concat([held(), other])
        assert not is_held(mixed)
        assert mixed.geometry.iloc[-1] == other.geometry.iloc[0]
    with pytest.raises(ValueError, match="CRS"):
        pd.concat([held(), objects().to_crs("EPSG:4548")])


def test_writing_leaves_the_original_as_it_was() -> None:
    first = held()
    second = first.copy()
    second.loc["a", "geometry"] = shapely.Point(1, 2)
    assert second.geometry.iloc[0] == shapely.Point(1, 2)
    assert second.geometry.x.iloc[0] == 1
    assert first.geometry.iloc[0] == shapely.Point(117.0, 36.5)


def test_take_as_pandas_asks_of_arrays() -> None:
    array, plain = PointArray(X, Y, CRS), from_shapely(objects().geometry.to_numpy(), crs=CRS)
    for rows, fill in (([0, -1], False), ([0, -1], True), ([], True), ([-1, -1], True)):
        mine, theirs = array.take(rows, allow_fill=fill), plain.take(rows, allow_fill=fill)
        assert list(mine) == list(theirs)
    spot = shapely.Point(0, 0)
    assert list(array.take([0, -1], allow_fill=True, fill_value=spot)) == [shapely.Point(117.0, 36.5), spot]
    with pytest.raises(IndexError):
        array[:0].take([0])
    with pytest.raises(ValueError, match="below -1"):
        array.take([-2], allow_fill=True)


def test_few_points_are_objects_many_are_held(monkeypatch) -> None:
    monkeypatch.setattr(points, "MANY", 6)
    few = points.point_column(X, Y, CRS)
    assert isinstance(few, np.ndarray)
    assert few[2] is None
    monkeypatch.setattr(points, "MANY", 5)
    many = points.point_column(X, Y, CRS)
    assert isinstance(many, PointArray)
    assert isinstance(many, GeometryArray)
    assert many.nbytes == X.nbytes + Y.nbytes
    assert list(many) == [None if s is None else s for s in few]
