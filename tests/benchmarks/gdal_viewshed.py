"""GDAL's viewshed as a peer, run by a Python that has `osgeo` (Debian: python3-gdal): reads and writes .npz.

In: `x`, `y`, `far`, `start`, `opening` (sectors as in `geo.coverage.sector`), `wkb` (what stands around each eye, as
hex), `cell_m`. Out: `area` (m² seen in the sector) and CPU seconds of all: `viewshed` the bare call on a surface that
is there, `polygon` from footprints to a polygon (surface drawn, viewshed, cut to the sector, outlined), which is what a
field of view is.
"""

import sys
import time

import numpy as np
from osgeo import gdal, ogr

gdal.UseExceptions()
gdal.PushErrorHandler("CPLQuietErrorHandler")
HIGH_M, EYE_M = 100.0, 1.5


def surface(wkb, corner, size, cell):
    """Raster of 0 m with solids of 100 m, of `size` cells a side."""
    raster = gdal.GetDriverByName("MEM").Create("", size, size, 1, gdal.GDT_Float32)
    raster.SetGeoTransform((corner[0], cell, 0, corner[1] + size * cell, 0, -cell))
    source = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = source.CreateLayer("solid")
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetGeometry(ogr.CreateGeometryFromWkb(bytes.fromhex(wkb)))
    layer.CreateFeature(feature)
    gdal.RasterizeLayer(raster, [1], layer, burn_values=[HIGH_M])
    return raster


def main(source, target):
    data = np.load(source)
    cell = float(data["cell_m"])
    areas, bare, whole = [], 0.0, 0.0
    rows = zip(*(data[n] for n in ("x", "y", "far", "start", "opening", "wkb")), strict=True)
    for x, y, far, start, opening, wkb in rows:
        size = int(2 * np.ceil(far / cell) + 5)
        corner = np.floor(np.array([x, y]) / cell) * cell - (size // 2) * cell
        begin = time.process_time()
        raster = surface(str(wkb), corner, size, cell)
        drawn = time.process_time()
        seen = gdal.ViewshedGenerate(
            raster.GetRasterBand(1), "MEM", "", [], x, y, EYE_M, 0.0, 1.0, 0.0, 0.0, -1.0, 0.0, 2, far
        )
        bare += time.process_time() - drawn
        inside = in_sector(raster, seen, (x, y, far, start, opening))
        outline(seen, inside)
        whole += time.process_time() - begin
        areas.append(inside.sum() * cell * cell)
    np.savez(target, area=np.array(areas), viewshed=bare, polygon=whole)


def in_sector(raster, seen, sector):
    """Cells of free ground that are seen within the sector."""
    x, y, far, start, opening = sector
    box = seen.GetGeoTransform()
    free = (seen.ReadAsArray() == 1) & (base(raster, seen) < HIGH_M)
    dx = (box[0] + (np.arange(seen.RasterXSize) + 0.5) * box[1] - x)[None]
    dy = (box[3] + (np.arange(seen.RasterYSize) + 0.5) * box[5] - y)[:, None]
    return (
        free & (np.mod(np.arctan2(dy, dx) - start, 2 * np.pi) <= opening) & (dx * dx + dy * dy <= far * far)
    )


def outline(seen, inside):
    """Polygons of the cells that are seen."""
    picture = gdal.GetDriverByName("MEM").Create("", seen.RasterXSize, seen.RasterYSize, 1, gdal.GDT_Byte)
    picture.SetGeoTransform(seen.GetGeoTransform())
    band = picture.GetRasterBand(1)
    band.WriteArray(inside.astype(np.uint8))
    kept = ogr.GetDriverByName("Memory").CreateDataSource("")
    gdal.Polygonize(band, band, kept.CreateLayer("seen"), -1)


def base(raster, seen):
    """Part of the surface model under a viewshed."""
    one, two = raster.GetGeoTransform(), seen.GetGeoTransform()
    column, row = round((two[0] - one[0]) / one[1]), round((two[3] - one[3]) / one[5])
    return raster.ReadAsArray(column, row, seen.RasterXSize, seen.RasterYSize)


if __name__ == "__main__":
    main(*sys.argv[1:])
