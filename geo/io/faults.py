"""Faults of a data examination as a GeoPackage that QGIS opens (问题图层)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import shapely

from geo.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd

LAYERS = {"fault_points": 0, "fault_lines": 1, "fault_polygons": 2}


def write_faults(faults: gpd.GeoDataFrame, path: Path) -> int:
    """Write faults as a GeoPackage (导出问题图层): one layer each for points, lines, polygons and no place.

    Parameters
    ----------
    faults
        Columns code, table, id, value, message and geometry (of any kind, or missing) in any CRS.
    path
        File to write; an older one is replaced when the new one is whole.

    Returns
    -------
    int
        Rows written. No faults: the layers are there, empty.

    Raises
    ------
    BadInputError
        If the file cannot be written there.
    """
    rows = faults.to_crs("EPSG:4490")
    rows = rows.assign(value=rows["value"].astype("str"), id=rows["id"].astype("str"))
    dimension = np.where(
        shapely.is_empty(rows.geometry), -1, shapely.get_dimensions(rows.geometry.to_numpy())
    )
    partial = path.with_name(f".{path.name}.part.gpkg")
    kinds = {0: "MultiPoint", 1: "MultiLineString", 2: "MultiPolygon"}
    try:
        partial.unlink(missing_ok=True)
        for layer, kind in LAYERS.items():
            part = rows[dimension == kind]
            pyogrio.write_dataframe(part, partial, layer=layer, geometry_type=kinds[kind], promote_to_multi=True,
                                    append=partial.exists())  # fmt: skip
        bare = rows[dimension < 0].drop(columns="geometry")
        pyogrio.write_dataframe(bare, partial, layer="faults_without_place", append=True)
        partial.replace(path)
    except (OSError, pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise BadInputError(f"cannot write {path}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return len(rows)
