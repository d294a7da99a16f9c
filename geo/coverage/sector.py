"""Sectors: the reach of cameras before anything stands in the way (扇形视域).

Bearings are degrees clockwise from north, as people and registers write them; inside the sweep angles are
radians counter-clockwise from east. Lengths are metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geo.errors import BadInputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TWO_PI = 2 * np.pi
FULL = TWO_PI - 1e-9


@dataclass(frozen=True, slots=True)
class Sectors:
    """N sectors of a ring: eye, first angle, opening, near and far distance (扇形).

    Attributes
    ----------
    x, y
        Eye, metres.
    start
        First ray (the one most clockwise), radians counter-clockwise from east.
    opening
        Angle from the first to the last ray, radians in [0, 2π].
    far, near
        Distance at which the view ends and begins, metres; `near` is the blind zone under the camera.
    eye_m
        Height of the eye above ground, metres; NaN where unknown: everything hides what is behind it.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    start: NDArray[np.float64]
    opening: NDArray[np.float64]
    far: NDArray[np.float64]
    near: NDArray[np.float64]
    eye_m: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of sectors."""
        return len(self.x)

    def take(self, rows: NDArray[np.intp] | slice) -> Sectors:
        """Return the sectors of these rows, in their order."""
        return Sectors(
            self.x[rows],
            self.y[rows],
            self.start[rows],
            self.opening[rows],
            self.far[rows],
            self.near[rows],
            self.eye_m[rows],
        )

    def join(self, other: Sectors) -> Sectors:
        """Return these sectors followed by others."""
        names = ("x", "y", "start", "opening", "far", "near", "eye_m")
        return Sectors(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    @property
    def area(self) -> NDArray[np.float64]:
        """Area of each open sector, m² (no building considered)."""
        return 0.5 * self.opening * np.maximum(self.far**2 - self.near**2, 0.0)

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Bounding box of each sector with its eye, (N, 4) as minx, miny, maxx, maxy."""
        end = self.start + self.opening
        cos = np.column_stack([np.cos(self.start), np.cos(end), np.zeros(len(self))]) * self.far[:, None]
        sin = np.column_stack([np.sin(self.start), np.sin(end), np.zeros(len(self))]) * self.far[:, None]
        box = np.column_stack([cos.min(1), sin.min(1), cos.max(1), sin.max(1)])
        for axis, side in ((np.pi, 0), (1.5 * np.pi, 1), (0.0, 2), (0.5 * np.pi, 3)):
            inside = np.mod(axis - self.start, TWO_PI) <= self.opening
            box[inside, side] = self.far[inside] * (1.0 if side >= 2 else -1.0)
        return box + np.column_stack([self.x, self.y, self.x, self.y])


def sectors(
    xy: ArrayLike,
    *,
    bearing_deg: ArrayLike,
    fov_deg: ArrayLike,
    range_m: ArrayLike,
    near_m: ArrayLike = 0.0,
    eye_m: ArrayLike = np.nan,
) -> Sectors:
    """Make sectors from the words of a register (由方位角、视场角、可视距离构造扇形).

    Parameters
    ----------
    xy
        Eyes, (N, 2) metres.
    bearing_deg, fov_deg
        Optical axis, degrees clockwise from north, and full horizontal opening in (0, 360]. Scalars or (N,).
    range_m, near_m, eye_m
        Far and near distance and eye height, metres. Scalars or (N,).

    Returns
    -------
    Sectors
        N sectors. No rows give none. A sector whose `near_m` reaches `range_m` is empty.

    Raises
    ------
    BadInputError
        If a value is NaN (but `eye_m`), an opening is outside (0, 360] or a distance is negative.
    """
    points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    n = len(points)
    bearing, fov, far, near, eye = (
        np.broadcast_to(np.asarray(v, dtype=np.float64), (n,)).copy()
        for v in (bearing_deg, fov_deg, range_m, near_m, eye_m)
    )
    for name, values, bad, allowed in (
        ("xy", points, ~np.isfinite(points), "finite metres"),
        ("bearing_deg", bearing, ~np.isfinite(bearing), "degrees clockwise from north"),
        ("fov_deg", fov, ~((fov > 0) & (fov <= 360)), "0 < fov_deg ≤ 360"),
        ("range_m", far, ~((far >= 0) & np.isfinite(far)), "range_m ≥ 0"),
        ("near_m", near, ~((near >= 0) & np.isfinite(near)), "near_m ≥ 0"),
    ):
        if bad.any():
            where = int(np.flatnonzero(bad.reshape(n, -1).any(axis=1))[0])
            raise BadInputError(f"sector {where}: {name} = {values[where]}; allowed: {allowed}")
    opening = np.radians(fov)
    return Sectors(
        points[:, 0].copy(),
        points[:, 1].copy(),
        np.mod(np.radians(90.0 - bearing) - opening / 2, TWO_PI),
        opening,
        far,
        np.minimum(near, far),
        eye,
    )
