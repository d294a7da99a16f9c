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
from scipy import special

from geo.errors import BadInputError
from geo.hotspot import _check

if TYPE_CHECKING:
    from types import ModuleType

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
        Side of a cell, metres. A point is shared among the four cell centres around it (linear binning), and the
        kernel is narrowed by what that spreads: with five cells a bandwidth the error is about 0.1 %.
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
    rows, cols = _shape(bounds, cell_m, bandwidth_m)
    kernel = _half_kernel(bandwidth_m / cell_m)
    surface = Surface(np.empty((rows, cols)), bounds[0], bounds[1], cell_m)
    smooth = surface.cells
    binned = _bin(xy, weights, bounds[:2], cell_m, (rows, cols), reach_m=bandwidth_m)
    _kernels().blur(binned, kernel * (1e3 / cell_m), smooth)  # both ways: per square kilometre
    if within is not None:
        shapely.prepare(within)
        inside = shapely.contains_xy(within, *np.meshgrid(*surface.centres()))
    if edge and within is None:
        smooth /= _mass_along(rows, kernel)[:, None]
        smooth /= _mass_along(cols, kernel)[None, :]
    elif edge:
        mass = np.empty((rows, cols))
        _kernels().blur(inside.astype(np.float64), kernel, mass)
        np.divide(smooth, mass, out=smooth, where=mass > 1e-6)
    if within is not None:
        smooth[~inside] = np.nan
    return surface


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


def _kernels() -> ModuleType:
    from geo.hotspot import _kernels  # noqa: PLC0415  (numba)

    return _kernels


def _bin(
    xy: ArrayLike,
    weights: ArrayLike | None,
    corner: tuple[float, float],
    cell_m: float,
    shape: tuple[int, int],
    *,
    reach_m: float,
) -> NDArray[np.float64]:
    """Counts on the raster by linear binning; shares that fall off it go to its border cells, so no mass is lost."""
    points = np.asarray(xy, dtype=np.float64)
    if not len(points):
        return np.zeros(shape)
    if points.ndim != 2 or points.shape[1] != 2 or not 0 < reach_m < np.inf:
        points = _check.planar(points, reach_m=reach_m)  # says what is wrong
    weight = np.ones(1) if weights is None else _check.counts(weights, "weights")
    if weights is not None and weight.shape != (len(points),):
        raise BadInputError(f"{weight.shape} weights for {len(points)} points; allowed: one each")
    cells = np.zeros((shape[0] + 2, shape[1] + 2))
    place = np.array(corner, dtype=np.float64)
    bad, largest = _kernels().bin_linear(points, place, cell_m, weight, cells)
    if bad or largest <= 180:
        _check.planar(points, reach_m=reach_m)  # missing, or degrees: says which
    for inner, outer in ((1, 0), (-2, -1)):
        cells[inner] += cells[outer]
        cells[:, inner] += cells[:, outer]
    return np.ascontiguousarray(cells[1:-1, 1:-1])


def _half_kernel(sigma: float) -> NDArray[np.float64]:
    """Weights at 0, 1, … cells of a Gaussian that, with the sharing among cells (variance 1/6), spreads by `sigma`."""
    reach = int(TRUNCATE * sigma + 0.5)
    half = np.exp(-0.5 * np.arange(reach + 1) ** 2 / (sigma**2 - 1.0 / 6.0))
    return half / (2.0 * half.sum() - half[0])


def _mass_along(cells: int, half: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mass of the kernel inside a row of cells, seen from each of them."""
    upto = np.cumsum(half) - half[0] / 2.0  # from the middle of the cell to k cells away
    place = np.arange(cells)
    last = len(half) - 1
    return upto[np.minimum(place, last)] + upto[np.minimum(cells - 1 - place, last)]


def _mass_in_box(
    places: NDArray[np.float64], box: tuple[float, float, float, float], bandwidth: float
) -> NDArray[np.float64]:
    low, high = np.array(box[:2]), np.array(box[2:])
    sides = special.ndtr((high - places) / bandwidth) - special.ndtr((low - places) / bandwidth)
    return sides.prod(axis=1)
