"""How every street numbers its doors (门牌编排), learned from its own plates: sides, direction, spacing.

Each number is left out in turn and placed twice, between the next numbers of its own side (parity) and between
the next numbers of all; whichever comes nearer on a street is that street's habit. A street of few plates
follows the habit of the city.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

MOST_M = 150.0  # a plate farther off than this says no more than one this far off: number jumps do not rule
CITY_COUNTS = 5.0  # the city's habit counts like this many plates of the street
WIDEST_M = 60.0  # two sides of one road are not farther apart


@dataclass(frozen=True, slots=True)
class Habit:
    """How one street numbers its doors.

    `own`: odd and even numbers keep to sides. `left_m`: how far an odd number stands to the left of the even
    ones, looking the way the numbers grow; negative to the right, 0 unknown or none. `step_m`: metres from one
    number to the next along the street; 0 unknown.
    """

    own: bool = True
    left_m: float = 0.0
    step_m: float = 0.0


def learn(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """`Habit` of every path (street or lane) as arrays `path_own`, `path_left`, `path_step`.

    Parameters
    ----------
    arrays
        `path_start`, `path_end`, and `plate_num`, `plate_x`, `plate_y` sorted by path and number.
    """
    size = len(arrays["path_start"])
    path, number, x, y = _numbers(arrays)
    own = _left_out(path, number, x, y, number % 2)
    every = _left_out(path, number, x, y, np.zeros(len(number), np.int64))
    left, moved = _sides(path, number, x, y, every, size)
    known = own.known & every.known
    own_m, every_m = (_mean_error(path, e, known, size) for e in (own.away(x, y), moved))
    step = np.where(own.known, own.gap_m / np.maximum(own.numbers, 1), np.nan)
    return {
        "path_own": own_m <= every_m,
        "path_left": left.astype(np.float32),
        "path_step": _medians(path, step, size).astype(np.float32),
    }


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """Every number placed without itself: whether it could be, where, and what it stood between."""

    known: NDArray[np.bool_]
    x: Floats
    y: Floats
    low: Places
    high: Places
    gap_m: Floats
    numbers: Places

    def away(self, x: Floats, y: Floats) -> Floats:
        return np.hypot(self.x - x, self.y - y)


def _numbers(arrays: Mapping[str, NDArray[Any]]) -> tuple[Places, Places, Floats, Floats]:
    """(path, number, x, y), one row a number of a path: the middle of its sub-numbers."""
    by_start = np.argsort(arrays["path_start"])
    size = (arrays["path_end"] - arrays["path_start"])[by_start]
    path = np.repeat(by_start, size)
    number = arrays["plate_num"].astype(np.int64)
    new = np.ones(len(number), bool)
    new[1:] = (np.diff(path) != 0) | (np.diff(number) != 0)
    group = np.cumsum(new) - 1
    count = np.bincount(group)
    x, y = (
        np.bincount(group, arrays[c]) / count if len(count) else np.zeros(0) for c in ("plate_x", "plate_y")
    )
    return path[new], number[new], x, y


def _left_out(path: Places, number: Places, x: Floats, y: Floats, side: Places) -> _LeftOut:
    """Every number placed between the next two of its path with an equal `side`."""
    count = len(number)
    order = np.lexsort((number, side, path))
    same = (np.diff(path[order]) == 0) & (np.diff(side[order]) == 0)
    low, high = np.full(count, -1), np.full(count, -1)
    low[order[1:][same]] = order[:-1][same]
    high[order[:-1][same]] = order[1:][same]
    known = (low >= 0) & (high >= 0)
    between = number[high] - number[low]
    share = np.where(known, (number - number[low]) / np.maximum(between, 1), 0.0)
    gap = np.hypot(x[high] - x[low], y[high] - y[low])
    return _LeftOut(known, x[low] + (x[high] - x[low]) * share, y[low] + (y[high] - y[low]) * share, low, high,
                    gap, between)  # fmt: skip


def _sides(
    path: Places, number: Places, x: Floats, y: Floats, every: _LeftOut, size: int
) -> tuple[Floats, Floats]:
    """(how far odd stands left of even on every path, how far every number is then off its place)."""
    odd = np.where(number % 2 == 1, 1.0, -1.0)
    across = every.known & ((number - number[every.low]) % 2 == 1) & ((number[every.high] - number) % 2 == 1)
    run = np.column_stack([x[every.high] - x[every.low], y[every.high] - y[every.low]])
    run /= np.maximum(np.hypot(*run.T), 1e-6)[:, None]
    left = ((y - every.y) * run[:, 0] - (x - every.x) * run[:, 1]) * odd
    left = np.where(across & (np.abs(left) < WIDEST_M), left, 0.0)
    total, count = np.bincount(path, left, size), np.bincount(path, across, size)
    others = (total[path] - left) / np.maximum(count[path] - 1 + CITY_COUNTS, 1.0)
    shift = np.where(across, others * odd, 0.0)
    moved = np.hypot(every.x - shift * run[:, 1] - x, every.y + shift * run[:, 0] - y)
    return total / (count + CITY_COUNTS), moved


def _mean_error(path: Places, error: Floats, known: NDArray[np.bool_], size: int) -> Floats:
    """Mean distance a path is off, the mean of the city counted in."""
    error = np.where(known, np.minimum(error, MOST_M), 0.0)
    city = error.sum() / max(int(known.sum()), 1)
    return (np.bincount(path, error, size) + CITY_COUNTS * city) / (
        np.bincount(path, known, size) + CITY_COUNTS
    )


def _medians(path: Places, value: Floats, size: int) -> Floats:
    """Median of the known values of every path, 0 where there is none."""
    known = np.isfinite(value)
    path, value = path[known], value[known]
    order = np.lexsort((value, path))
    first, last = np.searchsorted(path[order], [np.arange(size), np.arange(1, size + 1)])
    out = np.zeros(size)
    has = last > first
    out[has] = value[order][(first + (last - first) // 2)[has]]
    return out
