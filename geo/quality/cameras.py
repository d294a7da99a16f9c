"""Cameras against buildings, districts and their own optics (监控点体检)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geo.camera.faults import CODES as CAMERA_CODES
from geo.camera.faults import faults as camera_faults
from geo.quality.checks import Tables, check, faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    import geopandas as gpd
    from numpy.typing import NDArray


@check
def optics_and_place(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Find cameras inside buildings, in another district than they state, with absurd optics, without bearing."""
    cameras = tables.get("cameras")
    if cameras.empty:
        return
    found = camera_faults(
        cameras, blocks=_around(cameras, tables.get("buildings")), grids=tables.get("grids")
    )
    place = cameras.geometry
    for code in CAMERA_CODES:
        part = found[found["code"] == code]
        if len(part):
            rows = cameras.index.get_indexer(part["id"])
            yield faults(code, "cameras", part["id"].to_numpy(object), value=part["value"].to_numpy(object),
                         message=part["message"].to_numpy(object), shapes=place.to_numpy()[rows],
                         crs=tables.crs)  # fmt: skip


def _around(cameras: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """Disjoint blocks of the buildings within 5 m of a camera."""
    shapes = buildings.geometry.to_numpy()
    points = cameras.geometry.to_numpy()
    near = np.unique(shapely.STRtree(shapes).query(points, predicate="dwithin", distance=5.0)[1])
    valid = shapely.make_valid(shapes[near], method="structure", keep_collapsed=False)
    blocks = shapely.get_parts(shapely.disjoint_subset_union_all(valid)) if len(near) else valid
    return np.asarray(blocks[shapely.get_type_id(blocks) == 3], dtype=object)
