"""Compiled loops (编译核): linear binning. Imported on first use: loading numba takes half a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geo.index._jit import jit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@jit()
def bin_linear(
    points: NDArray[np.float64],
    corner: NDArray[np.float64],
    cell_m: float,
    weight: NDArray[np.float64],
    cells: NDArray[np.float64],
) -> None:
    """Share each point among the four cell centres around it, in place; points outside the raster are left out.

    Shares that fall off the raster go to its border cell: no mass is lost. `weight` of one element serves all.
    """
    rows, cols = cells.shape
    step = 0 if len(weight) == 1 else 1
    for i in range(len(points)):
        c, r = (points[i, 0] - corner[0]) / cell_m, (points[i, 1] - corner[1]) / cell_m
        if not (0.0 <= c < cols and 0.0 <= r < rows):
            continue
        c, r, w = c - 0.5, r - 0.5, weight[i * step]
        c0, r0 = int(np.floor(c)), int(np.floor(r))
        fc, fr = c - c0, r - r0
        left, right = max(c0, 0), min(c0 + 1, cols - 1)
        low, high = max(r0, 0), min(r0 + 1, rows - 1)
        cells[low, left] += w * (1 - fr) * (1 - fc)
        cells[low, right] += w * (1 - fr) * fc
        cells[high, left] += w * fr * (1 - fc)
        cells[high, right] += w * fr * fc
