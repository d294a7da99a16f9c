"""Heat surface for the eye (热力面): binned Gaussian kernel density with edge correction, and its contours.

A picture, not a test: what is significant comes from `local` and `scan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import shapely
from scipy import ndimage, special

from geo.errors import BadInputError
from geo.hotspot import _check

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TRUNCATE = 4.0  # bandwidths
MAX_CELLS = 50_000_000


@dataclass(frozen=True, eq=False)
class Surface:
    """Values on square cells (栅格面): `cells[row, col]`, row 0 in the south, NaN outside the city.

    `x_m`, `y_m` is the south-west corner of cell (0, 0), `cell_m` its side.
    """

    cells: NDArray[np.float64]
    x_m: float
    y_m: float
    cell_m: float

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north, metres."""
        rows, cols = self.cells.shape
        return self.x_m, self.y_m, self.x_m + cols * self.cell_m, self.y_m + rows * self.cell_m

    def centres(self) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Easting of each column and northing of each row."""
        rows, cols = self.cells.shape
        return (
            self.x_m + (np.arange(cols) + 0.5) * self.cell_m,
            self.y_m + (np.arange(rows) + 0.5) * self.cell_m,
        )

    def at(self, xy: ArrayLike) -> NDArray[np.float64]:
        """Value of the cell of each point; 0 outside the raster and the city."""
        points = np.asarray(xy, dtype=np.float64)
        col = np.floor((points[:, 0] - self.x_m) / self.cell_m).astype(np.int64)
        row = np.floor((points[:, 1] - self.y_m) / self.cell_m).astype(np.int64)
        rows, cols = self.cells.shape
        inside = (col >= 0) & (col < cols) & (row >= 0) & (row < rows)
        found = self.cells[np.where(inside, row, 0), np.where(inside, col, 0)]
        return np.where(inside, np.nan_to_num(found), 0.0)


def kde(
    xy: ArrayLike,
    *,
    bandwidth_m: float,
    cell_m: float,
    bounds: tuple[float, float, float, float],
    weights: ArrayLike | None = None,
    within: shapely.Geometry | None = None,
    edge: bool = True,
) -> Surface:
    """Incidents per square kilometre on a raster, by a Gaussian kernel (核密度).

    Parameters
    ----------
    xy
        `(n, 2)` metres; points outside `bounds` are left out.
    bandwidth_m
        Standard deviation of the kernel, metres; at least one cell.
    cell_m
        Side of a cell, metres. A point is shared among the four cell centres around it (linear binning): with
        five cells a bandwidth the error is about 1 %.
    bounds
        West, south, east, north, metres.
    weights
        One per point; 1 if not given.
    within
        Boundary of the city; cells whose centre is outside are NaN.
    edge
        Divide by the kernel's mass inside the city, which is about a half at a border ("uniform" correction).

    Returns
    -------
    Surface
        No points: 0 everywhere.
    """
    points = _check.planar(xy, reach_m=bandwidth_m) if len(np.asarray(xy)) else np.empty((0, 2))
    rows, cols = _shape(bounds, cell_m, bandwidth_m)
    binned = _bin(points, weights, bounds[:2], cell_m, (rows, cols))
    sigma = bandwidth_m / cell_m
    smooth = ndimage.gaussian_filter(binned, sigma, mode="constant", truncate=TRUNCATE)
    surface = Surface(smooth, bounds[0], bounds[1], cell_m)
    if within is None:
        inside = np.ones((rows, cols), dtype=bool)
        mass = _box_mass(rows, sigma)[:, None] * _box_mass(cols, sigma)[None, :]
    else:
        shapely.prepare(within)
        inside = shapely.contains_xy(within, *np.meshgrid(*surface.centres()))
        mass = ndimage.gaussian_filter(inside.astype(np.float32), sigma, mode="constant", truncate=TRUNCATE)
    if edge:
        smooth = np.divide(smooth, mass, out=np.zeros_like(smooth), where=mass > 1e-6)
    smooth *= 1e6 / cell_m**2
    smooth[~inside] = np.nan
    return Surface(smooth, bounds[0], bounds[1], cell_m)


def kde_at(
    xy: ArrayLike,
    at: ArrayLike,
    *,
    bandwidth_m: float,
    box: tuple[float, float, float, float] | None = None,
    diggle: bool = False,
) -> NDArray[np.float64]:
    """Exact Gaussian intensity at a few places, points per unit area (逐点核密度).

    Parameters
    ----------
    xy, at
        Points and places, the same units as `bandwidth_m`.
    box
        Rectangular window for edge correction: west, south, east, north; none without it.
    diggle
        Correct each point by its own mass in the window (Diggle 1985) instead of each place by its own.

    Returns
    -------
    array
        One per place; of order points × places: for checks and short lists, not for maps.
    """
    points, places = np.asarray(xy, dtype=np.float64), np.asarray(at, dtype=np.float64)
    square = np.square(places[:, None, :] - points[None, :, :]).sum(axis=2)
    kernel = np.exp(-square / (2 * bandwidth_m**2)) / (2 * np.pi * bandwidth_m**2)
    if box is None:
        return kernel.sum(axis=1)
    if diggle:
        return (kernel / _mass_in_box(points, box, bandwidth_m)[None, :]).sum(axis=1)
    return kernel.sum(axis=1) / _mass_in_box(places, box, bandwidth_m)


def contours(surface: Surface, levels: ArrayLike, *, crs: object = None) -> gpd.GeoDataFrame:
    """Areas at or above each level as polygons (等值面).

    Returns
    -------
    GeoDataFrame
        `level`, `area_m2`, geometry (MultiPolygon); a level that is nowhere reached has no row.
    """
    import contourpy  # noqa: PLC0415  (comes with matplotlib; only maps need it)

    values = np.pad(np.nan_to_num(surface.cells), 1)  # areas that touch the border are closed there
    x, y = surface.centres()
    x = np.r_[x[0] - surface.cell_m, x, x[-1] + surface.cell_m]
    y = np.r_[y[0] - surface.cell_m, y, y[-1] + surface.cell_m]
    generator = contourpy.contour_generator(x, y, values, fill_type=contourpy.FillType.OuterOffset)
    kept, shapes = [], []
    top = float(values.max()) if values.size else 0.0
    for level in np.atleast_1d(np.asarray(levels, dtype=np.float64)):
        if level > top:
            continue
        parts = [
            shapely.Polygon(points[offsets[0] : offsets[1]],
                            [points[a:b] for a, b in pairwise(offsets[1:])])
            for points, offsets in zip(*generator.filled(level, top + 1.0), strict=True)
        ]  # fmt: skip
        if parts:
            kept.append(float(level))
            shapes.append(shapely.multipolygons(shapely.make_valid(np.array(parts)).tolist()))
    table = gpd.GeoDataFrame({"level": kept}, geometry=shapes, crs=crs)
    table["area_m2"] = table.geometry.area
    return table


def _shape(bounds: tuple[float, float, float, float], cell_m: float, bandwidth_m: float) -> tuple[int, int]:
    west, south, east, north = bounds
    if not (east > west and north > south and cell_m > 0):
        raise BadInputError(
            f"bounds {bounds}, cell {cell_m}; allowed: west < east, south < north, cell > 0, metres"
        )
    if bandwidth_m < cell_m:
        raise BadInputError(f"bandwidth {bandwidth_m:g} m under one cell of {cell_m:g} m; use smaller cells")
    rows, cols = int(np.ceil((north - south) / cell_m)), int(np.ceil((east - west) / cell_m))
    if rows * cols > MAX_CELLS:
        raise BadInputError(f"{rows} × {cols} cells; allowed: {MAX_CELLS:,} at most: use larger cells")
    return rows, cols


def _bin(
    points: NDArray[np.float64],
    weights: ArrayLike | None,
    corner: tuple[float, float],
    cell_m: float,
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    from geo.hotspot import _kernels  # noqa: PLC0415  (numba)

    weight = np.ones(1) if weights is None else _check.counts(weights, "weights")
    if weights is not None and weight.shape != (len(points),):
        raise BadInputError(f"{weight.shape} weights for {len(points)} points; allowed: one each")
    cells = np.zeros(shape)
    if len(points):
        _kernels.bin_linear(points, np.array(corner, dtype=np.float64), cell_m, weight, cells)
    return cells


def _box_mass(cells: int, sigma: float) -> NDArray[np.float64]:
    """Mass of the truncated discrete kernel inside a row of cells."""
    return ndimage.gaussian_filter1d(np.ones(cells), sigma, mode="constant", truncate=TRUNCATE)


def _mass_in_box(
    places: NDArray[np.float64], box: tuple[float, float, float, float], bandwidth: float
) -> NDArray[np.float64]:
    low, high = np.array(box[:2]), np.array(box[2:])
    sides = special.ndtr((high - places) / bandwidth) - special.ndtr((low - places) / bandwidth)
    return sides.prod(axis=1)
