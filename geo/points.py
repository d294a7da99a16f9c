"""Points held as coordinates (点坐标数组): a geometry column without an object a row.

A shapely point takes about 220 bytes, its two coordinates 16: millions of incidents need half a gigabyte less. The
column is a geopandas one like any other; shapely points are made for the rows that are asked for, and of all rows for
as long as somebody works with them. What only needs coordinates asks `lonlat`.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyproj
import shapely
from geopandas.array import GeometryArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MANY = 50_000  # points of smaller tables stay objects: they are asked for as a whole again and again


class PointArray(GeometryArray):
    """Points of one CRS as two arrays of coordinates; NaN where a row has no place.

    It reads as a `GeometryArray` does. Writing into it turns it into objects first.
    """

    def __init__(self, x: Floats, y: Floats, crs: object = None) -> None:
        self._xy = x, y
        self._made: NDArray[np.object_] | None = None
        self._crs = None if crs is None else pyproj.CRS.from_user_input(crs)
        self._sindex = None

    @property
    def _data(self) -> NDArray[np.object_]:
        """Shapely points of all rows, made anew at each call; None where there is no place."""
        return _points(*self._xy) if self._made is None else self._made

    @property
    def x(self) -> Floats:
        """Longitude or easting of each row."""
        return self._xy[0] if self._made is None else super().x

    @property
    def y(self) -> Floats:
        """Latitude or northing of each row."""
        return self._xy[1] if self._made is None else super().y

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Each point as a box."""
        return np.column_stack([self.x, self.y, self.x, self.y])

    @property
    def total_bounds(self) -> NDArray[np.float64]:
        """Box of all points; NaN without any."""
        if not np.isfinite(self.x).any():
            return np.full(4, np.nan)
        return np.array([np.nanmin(self.x), np.nanmin(self.y), np.nanmax(self.x), np.nanmax(self.y)])

    @property
    def nbytes(self) -> int:
        """Bytes of the coordinates."""
        return self._xy[0].nbytes + self._xy[1].nbytes

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._xy[0])

    def __getitem__(self, idx: Any) -> Any:  # noqa: ANN401  # as pandas indexes arrays
        """Give a shapely point for a number, else the points of some rows."""
        if self._made is not None:
            return super().__getitem__(idx)
        x, y = self._xy
        if isinstance(idx, (int, np.integer)):
            row = operator.index(idx)
            return None if np.isnan(x[row]) else shapely.Point(x[row], y[row])
        if not isinstance(idx, slice):
            idx = pd.api.indexers.check_array_indexer(self, idx)
        some = PointArray(x[idx], y[idx], self._crs)
        if isinstance(idx, slice) and idx == slice(None):
            some._sindex = self._sindex  # of its own kind
        return some

    def __setitem__(self, key: Any, value: Any) -> None:  # noqa: ANN401
        """Write geometries, as objects from now on."""
        self._made, self._sindex = self._data, None
        super().__setitem__(key, value)

    def isna(self) -> NDArray[np.bool_]:
        """Whether each row has no place."""
        missing: NDArray[np.bool_] = np.isnan(self._xy[0]) if self._made is None else super().isna()
        return missing

    def copy(self, *_: object, **__: object) -> GeometryArray:
        """Another array of the same points; the coordinates are never written, so that they are shared."""
        return PointArray(*self._xy, self._crs) if self._made is None else super().copy()

    def take(self, indices: Any, allow_fill: bool = False, fill_value: Any = None) -> GeometryArray:  # noqa: ANN401, FBT001, FBT002
        """Rows by position; with `allow_fill`, -1 is a row without a place."""
        filled = isinstance(fill_value, shapely.Geometry)
        if self._made is not None or filled:
            return super().take(indices, allow_fill=allow_fill, fill_value=fill_value)
        rows = np.asarray(indices, dtype=np.intp)
        if allow_fill and (rows < -1).any():
            raise ValueError("take: positions below -1 with allow_fill")
        if len(rows) and len(self) == 0 and not (allow_fill and (rows == -1).all()):
            raise IndexError("take: no rows to take from")
        gone = (rows == -1) & allow_fill
        if not gone.any():
            return PointArray(self._xy[0].take(rows), self._xy[1].take(rows), self._crs)
        x, y = (np.append(v, np.nan).take(np.where(gone, len(self), rows)) for v in self._xy)
        return PointArray(x, y, self._crs)

    def to_crs(self, crs: Any = None, epsg: int | None = None) -> GeometryArray:  # noqa: ANN401
        """Project the coordinates; the same numbers as geopandas gives."""
        if self._made is not None or self.crs is None or (crs is None and epsg is None):
            return super().to_crs(crs, epsg)
        target = pyproj.CRS.from_user_input(epsg if crs is None else crs)
        if self.crs.is_exact_same(target):
            return self
        x, y = pyproj.Transformer.from_crs(self.crs, target, always_xy=True).transform(*self._xy)
        gone = np.isnan(self._xy[0])
        x[gone] = y[gone] = np.nan
        return PointArray(x, y, target)

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[GeometryArray]) -> GeometryArray:
        """Join arrays; coordinates where all of them are points without height, else objects."""
        if not all(isinstance(a, PointArray) or _plain_points(a.to_numpy()) for a in to_concat):
            return super()._concat_same_type(to_concat)
        crs = next((a.crs for a in to_concat if a.crs is not None), None)
        if any(a.crs is not None and a.crs != crs for a in to_concat):
            return super()._concat_same_type(to_concat)  # says which
        parts = [lonlat_of(a) for a in to_concat]
        return cls(np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]), crs)


def point_column(x: Floats, y: Floats, crs: object = None) -> GeometryArray | NDArray[np.object_]:
    """Geometry column of points from coordinates, NaN where a row has none: a `PointArray` of many, objects of few."""
    return PointArray(x, y, crs) if len(x) >= MANY else _points(x, y)


def lonlat(frame: gpd.GeoDataFrame) -> tuple[Floats, Floats]:
    """First and second coordinate of every row of a point table; NaN where a row has no place."""
    return lonlat_of(frame.geometry.array)


def lonlat_of(array: GeometryArray) -> tuple[Floats, Floats]:
    """`lonlat` of a geometry array."""
    if isinstance(array, PointArray):
        return array.x, array.y
    shapes = array.to_numpy()
    return shapely.get_x(shapes), shapely.get_y(shapes)


def _points(x: Floats, y: Floats) -> NDArray[np.object_]:
    made: NDArray[np.object_] = shapely.points(x, y)
    gone = np.isnan(x)
    if gone.any():
        made[gone] = None
    return made


def _plain_points(shapes: NDArray[np.object_]) -> bool:
    there = ~shapely.is_missing(shapes)
    return bool((shapely.get_type_id(shapes[there]) == 0).all()) and not shapely.has_z(shapes[there]).any()
