"""Places between and beside known points (插值、偏移、路口、路段): house numbers, offsets, corners, segments.

All in metres. Nothing here knows names: arrays and lines in, points and radii out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
import shapely.ops

from geo.address.sides import Habit

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR_LINE_M = 60.0  # a plate this near its road's line may be placed along it
LARGEST_GAP_M = 400.0
LARGEST_NUMBER_GAP = 60
NEXT_DOOR_M = 30.0
MOST_STEPS = 6  # numbers that a street is continued by past its last plate
USUAL_STEP_M = 15.0  # metres from number to number that no street must show first
AS_USUAL = Habit()


@dataclass(frozen=True, slots=True)
class Placed:
    """A point for a number that is not in the table.

    `kind`: sub (same number, other sub-number), interpolated (between two), extrapolated (past the last), far
    (the two neighbours are too far apart: only the stretch of street is known). `quality` 0 to 1; `low` and
    `high` index the neighbours; `gap_m` is their distance.
    """

    x: float
    y: float
    kind: str
    quality: float
    radius_m: float
    low: int
    high: int
    gap_m: float


def between(
    number: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    wanted: int,
    *,
    habit: Habit = AS_USUAL,
    line: shapely.LineString | None = None,
) -> Placed | None:
    """Place an unseen house number among the sorted plates of one street or lane (同侧内插).

    On a street that keeps odd and even apart the neighbours of its side are used, else the nearest numbers; a
    number between two of the other side is moved across. Two plates of its side within 30 m hold it in any case.
    Past either end the last step is continued, by at most six numbers and no faster than the street goes.

    Parameters
    ----------
    number, x, y
        Plates sorted by number, metres.
    wanted
        Number to place; not in `number`.
    habit
        Sides and spacing of this street (`geo.address.sides`).
    line
        Centre line of the street; both neighbours near it: the point is set along it.

    Returns
    -------
    Placed or None
        None for no plates.
    """
    if len(number) == 0:
        return None
    side = np.flatnonzero((number & 1) == (wanted & 1))
    use = _among(number, x, y, wanted, side, own=habit.own)
    at = int(np.searchsorted(number[use], wanted))
    if 0 < at < len(use):
        low, high = int(use[at - 1]), int(use[at])
        return _inside(number, x, y, wanted, low, high, habit.left_m, line)
    return _outside(number, x, y, wanted, use, habit.step_m, low=at == 0)


def _among(
    number: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    wanted: int,
    side: NDArray[np.intp],
    *,
    own: bool,
) -> NDArray[np.intp]:
    """Plates to place a number among: its own side, or all."""
    everyone = np.arange(len(number))
    if len(side) < 2:
        return everyone
    at = int(np.searchsorted(number[side], wanted))
    if 0 < at < len(side):
        low, high = side[at - 1], side[at]
        return side if own or math.hypot(x[low] - x[high], y[low] - y[high]) <= NEXT_DOOR_M else everyone
    past = abs(int(number[side[0 if at == 0 else -1]]) - wanted)
    inside = number[0] < wanted < number[-1]
    return side if own and not (inside and past > MOST_STEPS) else everyone


def _inside(
    number: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    wanted: int,
    low: int,
    high: int,
    left_m: float,
    line: shapely.LineString | None,
) -> Placed:
    n0, n1 = int(number[low]), int(number[high])
    share = (wanted - n0) / max(n1 - n0, 1)
    gap = math.hypot(x[low] - x[high], y[low] - y[high])
    px, py = x[low] + (x[high] - x[low]) * share, y[low] + (y[high] - y[low]) * share
    if line is not None and gap > 20:
        px, py = _along(line, (x[low], y[low]), (x[high], y[high]), share, (px, py))
    if left_m and (wanted - n0) % 2 and (n1 - wanted) % 2 and gap > 1:  # both stand on the other side
        shift = (left_m if wanted % 2 else -left_m) / gap
        px, py = px - shift * (y[high] - y[low]), py + shift * (x[high] - x[low])
    far = gap > LARGEST_GAP_M or n1 - n0 > LARGEST_NUMBER_GAP
    quality = max(0.0, 1.0 - min(0.75, gap / LARGEST_GAP_M) - min(0.3, (n1 - n0) / 160))
    return Placed(
        float(px), float(py), "far" if far else "interpolated", quality, max(12.0, gap / 2), low, high, gap
    )


def _along(
    line: shapely.LineString,
    start: tuple[float, float],
    end: tuple[float, float],
    share: float,
    straight: tuple[float, float],
) -> tuple[float, float]:
    """Point between two plates along a line, kept at their distance from it and on their side."""
    ends = shapely.points([start, end])
    away = shapely.distance(line, ends)
    if (away > NEAR_LINE_M).any():
        return straight
    reach = shapely.line_locate_point(line, ends)
    along = reach[0] + (reach[1] - reach[0]) * share
    feet = shapely.get_coordinates(shapely.line_interpolate_point(line, [reach[0], reach[1], along]))
    beside = (np.array(start) - feet[0]) * (1 - share) + (np.array(end) - feet[1]) * share
    straight_m = math.hypot(end[0] - start[0], end[1] - start[1])
    if abs(reach[1] - reach[0]) > 2 * straight_m + 20:  # the line goes round: not this stretch
        return straight
    return float(feet[2][0] + beside[0]), float(feet[2][1] + beside[1])


def _outside(
    number: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    wanted: int,
    use: NDArray[np.intp],
    step_m: float,
    *,
    low: bool,
) -> Placed:
    """Continue the street past its first or last plate by its own step, six numbers at most."""
    order = use if low else use[::-1]
    last = int(order[0])
    gap = abs(int(number[last]) - wanted)
    px, py = float(x[last]), float(y[last])
    if len(order) >= 2:
        back = order[: min(len(order), 5)]
        span = abs(int(number[back[-1]]) - int(number[last]))
        if span:
            step = ((x[last] - x[back[-1]]) / span, (y[last] - y[back[-1]]) / span)
            reach = min(gap, MOST_STEPS)
            if math.hypot(*step) < max(USUAL_STEP_M, 2 * step_m):
                px, py = px + step[0] * reach, py + step[1] * reach
    quality = max(0.0, 0.45 - gap / 60)
    return Placed(
        px, py, "extrapolated" if gap <= 40 else "far", quality, 20.0 + 5.0 * min(gap, 60), last, last, 0.0
    )


def subs_between(
    sub: NDArray[np.int32], x: NDArray[np.float64], y: NDArray[np.float64], wanted: int
) -> Placed:
    """Place an unseen sub-number (之12) among the plates of the same number."""
    at = int(np.searchsorted(sub, wanted))
    gap = float(np.hypot(np.ptp(x), np.ptp(y)))
    if wanted and 0 < at < len(sub) and sub[at] < 10_000:
        low, high = at - 1, at
        share = (wanted - sub[low]) / max(sub[high] - sub[low], 1)
        near = math.hypot(x[low] - x[high], y[low] - y[high])
        px, py = x[low] + (x[high] - x[low]) * share, y[low] + (y[high] - y[low]) * share
        return Placed(float(px), float(py), "sub", 0.9, max(10.0, near / 2), low, high, near)
    if wanted and len(sub):
        near_at = min(max(at, 0), len(sub) - 1)
        return Placed(
            float(x[near_at]), float(y[near_at]), "sub", 0.8, max(12.0, gap / 2), near_at, near_at, gap
        )
    return Placed(float(x[0]), float(y[0]), "sub", 0.9, max(12.0, gap / 2), 0, 0, gap)


def opposite(
    x: float, y: float, line: shapely.LineString, *, width_m: float, most_m: float
) -> tuple[float, float]:
    """Point across the road (对面): mirrored in the centre line, at least half the width beyond, at most `most_m` away."""
    point = shapely.Point(x, y)
    foot = shapely.get_coordinates(
        shapely.line_interpolate_point(line, shapely.line_locate_point(line, point))
    )[0]
    across = foot - np.array([x, y])
    length = float(np.hypot(*across))
    if length < 1e-6:
        return x, y
    reach = min(length + max(length, width_m / 2), most_m)
    return float(x + across[0] / length * reach), float(y + across[1] / length * reach)


def along_road(
    x: float, y: float, line: shapely.LineString, direction: tuple[float, float], distance_m: float
) -> tuple[float, float] | None:
    """Point `distance_m` along the road from a point, the way that leads most towards `direction`.

    None where the road runs across that direction (more than 60°) or ends before.
    """
    here = float(shapely.line_locate_point(line, shapely.Point(x, y)))
    best: tuple[float, float] | None = None
    best_cos = 0.5
    for sign in (1.0, -1.0):
        there = here + sign * distance_m
        if not 0 <= there <= line.length:
            continue
        a, b = shapely.get_coordinates(shapely.line_interpolate_point(line, [here, there]))
        move = b - a
        length = float(np.hypot(*move))
        if length < 1e-6:
            continue
        cos = float(move @ np.array(direction)) / length
        if cos > best_cos:
            best_cos, best = cos, (float(x + move[0]), float(y + move[1]))
    return best


def stretch(
    line: shapely.LineString, start: tuple[float, float], end: tuple[float, float]
) -> shapely.LineString:
    """Part of a line between the feet of two points (路段)."""
    a, b = shapely.line_locate_point(line, shapely.points([start, end]))
    lengths = np.sort([a, b])
    part = shapely.ops.substring(line, lengths[0], lengths[1])
    return part if part.geom_type == "LineString" else shapely.LineString([start, end])
