"""Shapes held as well-known binary (几何的压缩存放): a geometry column without an object a row.

A building is 100 bytes of WKB, which may lie in a mapped file, and 450 bytes as an object. Objects are made for the rows
that are asked for, and of all rows for as long as somebody works with them; see `geo.points` for points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyproj
import shapely
from geopandas.array import GeometryArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANY = 100_000  # shapes of smaller tables stay objects: they are asked for as a whole again and again


class PackedArray(GeometryArray):
    """Shapes of one CRS as one Arrow array of WKB; null where a row has none.

    It reads as a `GeometryArray` does. Writing into it turns it into objects first; joined with others it is objects.
    """

    def __init__(self, wkb: pa.LargeBinaryArray, crs: object = None) -> None:
        self._wkb = wkb
        self._made: NDArray[np.object_] | None = None
        self._crs = None if crs is None else pyproj.CRS.from_user_input(crs)
        self._sindex = None

    @property
    def _data(self) -> NDArray[np.object_]:
        """Shapes of all rows, made anew at each call; None where there is none."""
        return _shapes(self._wkb) if self._made is None else self._made

    @property
    def nbytes(self) -> int:
        """Bytes of the WKB."""
        return int(self._wkb.nbytes)

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._wkb)

    def __getitem__(self, idx: Any) -> Any:  # noqa: ANN401  # as pandas indexes arrays
        """Give a shape for a number, the same column for all rows, else the shapes of some rows."""
        if self._made is not None:
            return super().__getitem__(idx)
        if isinstance(idx, (int, np.integer)):
            return _shapes(self._wkb.take(pa.array([range(len(self))[idx]])))[0]
        if isinstance(idx, slice) and idx == slice(None):
            same = PackedArray(self._wkb, self._crs)
            same._sindex = self._sindex  # of its own kind
            return same
        if not isinstance(idx, slice):
            idx = pd.api.indexers.check_array_indexer(self, idx)
        rows = np.arange(len(self))[idx]
        return GeometryArray(_shapes(self._wkb.take(pa.array(rows))), crs=self._crs)

    def __setitem__(self, key: Any, value: Any) -> None:  # noqa: ANN401
        """Write geometries, as objects from now on."""
        self._made, self._sindex = self._data, None
        super().__setitem__(key, value)

    def isna(self) -> NDArray[np.bool_]:
        """Whether each row has no shape."""
        if self._made is not None:
            return super().isna()
        missing: NDArray[np.bool_] = self._wkb.is_null().to_numpy(zero_copy_only=False)
        return missing

    def copy(self, *_: object, **__: object) -> GeometryArray:
        """Another array of the same shapes; WKB is never written, so that it is shared."""
        return PackedArray(self._wkb, self._crs) if self._made is None else super().copy()


def shape_column(wkb: pa.ChunkedArray, crs: object = None) -> GeometryArray | NDArray[np.object_]:
    """Geometry column from WKB: a `PackedArray` of many, objects of few."""
    whole = wkb.chunk(0) if wkb.num_chunks == 1 else pa.concat_arrays(wkb.chunks or [pa.array([], wkb.type)])
    return PackedArray(whole, crs) if len(whole) >= MANY else _shapes(whole)


def _shapes(wkb: pa.LargeBinaryArray) -> NDArray[np.object_]:
    made: NDArray[np.object_] = shapely.from_wkb(wkb.to_numpy(zero_copy_only=False))
    return made
