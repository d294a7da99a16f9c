"""House numbers of one gazetteer (门牌号): the path of a street's lane, the plate, or the place between plates."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geo.address import gazetteer as gz
from geo.address import geometry, grammar
from geo.address.found import EXACT, EXTRAPOLATED, INTERPOLATED, NO_PLATES, SUB, Found
from geo.address.sides import Habit

if TYPE_CHECKING:
    import shapely
    from numpy.typing import NDArray

    from geo.address.gazetteer import Gazetteer

AROUND = 24  # plates that are gone through to find the next ones of one side
RAREST = 8.0
FAR_APART_M = 150.0  # sub-numbers this far from their number's neighbours have nothing to do with them
UNKNOWN_GRID = 0.6  # how sure a place between plates is where the rows name no grid
Reading = tuple[grammar.House, float, "geometry.Placed | None", int, int]


class Numbers:
    """Reads house numbers; holds no state between texts.

    `without` is a plate that is looked away from: it makes out-of-table numbers for calibration.
    """

    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer
        self.without = -1
        self._path_key = gazetteer.path_key
        self._paths = np.argsort(gazetteer.path_start)
        self._starts = gazetteer.path_start[self._paths]
        self._blank = next((i for i, t in enumerate(gazetteer.grid_text.tolist()) if not t), -1)

    def path_of(self, street: int, lane: str) -> int:
        """Path of a street's lane ("" the street itself), or -1."""
        key = np.uint64(gz.path_key(street, lane))
        at = int(self._path_key.searchsorted(key))
        return at if at < len(self._path_key) and self._path_key[at] == key else -1

    def path_with(self, plate: int) -> int:
        """Path (street and lane) that a plate stands on."""
        return int(self._paths[int(self._starts.searchsorted(plate, "right")) - 1])

    def in_lane(self, plate: int) -> bool:
        """Whether a plate stands in a lane of its street, not on the street itself."""
        return plate >= 0 and bool(self.gazetteer.lane_text[self.path_with(plate)])

    def path_after(self, text: str, street: int, at: int) -> tuple[int, int, bool]:
        """(path, where it ends, whether a lane was said that this street lacks) after a street's name."""
        window, ends, numbered = grammar.lane_ends(text, at)
        for end in ends:
            path = self.path_of(street, window[:end].lstrip("|"))
            if path >= 0:
                return path, at + end, False
        return self.path_of(street, ""), at, numbered

    def on_path(
        self, path: int, house: grammar.House, line: shapely.LineString | None
    ) -> tuple[float, geometry.Placed | None, int, int]:
        """(evidence, placed, plate, manner) of a house number on a path."""
        g = self.gazetteer
        a, b = int(g.path_start[path]), int(g.path_end[path])
        if a <= self.without < b:
            return self._on_rest(path, house, line)
        numbers = g.plate_num[a:b]
        low = int(numbers.searchsorted(house.number))
        if low < b - a and numbers[low] == house.number:
            high = int(numbers.searchsorted(house.number + 1))
            subs = g.plate_sub[a + low : a + high]
            same = np.flatnonzero(subs == house.sub)
            if len(same):
                return 3.0, None, a + int(low + same[0]), EXACT
            placed = geometry.subs_between(
                subs, g.plate_x[a + low : a + high], g.plate_y[a + low : a + high], house.sub
            )
            if not house.sub:
                others = np.r_[a : a + low, a + high : b]
                placed = self._before_subs(placed, path, others, house.number, line)
            return (2.2 if house.sub else 2.4), placed, a + int(low) + placed.low, SUB
        placed_far = self._between(path, slice(a, b), house.number, line)
        if placed_far is None:
            return -0.8, None, -1, NO_PLATES
        at = placed_far.low if placed_far.low == placed_far.high else self._nearer(a, placed_far)
        inside = placed_far.kind in ("interpolated", "far") and placed_far.low != placed_far.high
        if inside:
            return 0.3 + 1.4 * placed_far.quality, placed_far, a + at, INTERPOLATED
        return 1.6 * placed_far.quality - 0.1, placed_far, a + at, EXTRAPOLATED

    def _between(
        self, path: int, rows: NDArray[np.intp] | slice, number: int, line: shapely.LineString | None
    ) -> geometry.Placed | None:
        """Place a number among some plates of a path, by the habit of this path."""
        g = self.gazetteer
        habit = Habit(bool(g.path_own[path]), float(g.path_left[path]), float(g.path_step[path]))
        return geometry.between(
            g.plate_num[rows], g.plate_x[rows], g.plate_y[rows], number, habit=habit, line=line
        )

    def _before_subs(
        self, placed: geometry.Placed, path: int, others: NDArray[np.intp], number: int, line: shapely.LineString | None
    ) -> geometry.Placed:  # fmt: skip
        """113号 where the table holds 113号之1 …: by them, drawn a third of the way to between 111号 and 115号."""
        beside = self._between(path, others, number, line)
        if beside is None or math.hypot(beside.x - placed.x, beside.y - placed.y) > FAR_APART_M:
            return placed
        return replace(placed, x=(2 * placed.x + beside.x) / 3, y=(2 * placed.y + beside.y) / 3)

    def _on_rest(
        self, path: int, house: grammar.House, line: shapely.LineString | None
    ) -> tuple[float, geometry.Placed | None, int, int]:
        """`on_path` as if one plate were not there."""
        g = self.gazetteer
        a, b = int(g.path_start[path]), int(g.path_end[path])
        rows = np.delete(np.arange(a, b), self.without - a)
        at = np.flatnonzero(g.plate_num[rows] == house.number)
        if len(at):
            same = rows[at]
            placed = geometry.subs_between(g.plate_sub[same], g.plate_x[same], g.plate_y[same], house.sub)
            if not house.sub:
                others = rows[g.plate_num[rows] != house.number]
                placed = self._before_subs(placed, path, others, house.number, line)
            return (2.2 if house.sub else 2.4), placed, int(same[placed.low]), SUB
        far = self._between(path, rows, house.number, line)
        if far is None:
            return -0.8, None, -1, NO_PLATES
        inside = far.low != far.high
        placed = replace(far, low=int(rows[far.low]) - a, high=int(rows[far.high]) - a)
        nearer = self._nearer(a, placed)
        if inside:
            return 0.3 + 1.4 * far.quality, placed, a + nearer, INTERPOLATED
        return 1.6 * far.quality - 0.1, placed, a + nearer, EXTRAPOLATED

    def _nearer(self, base: int, placed: geometry.Placed) -> int:
        g = self.gazetteer
        away = [
            (g.plate_x[base + i] - placed.x) ** 2 + (g.plate_y[base + i] - placed.y) ** 2
            for i in (placed.low, placed.high)
        ]
        return placed.low if away[0] <= away[1] else placed.high

    def best_reading(self, path: int, house: grammar.House, line: shapely.LineString | None) -> Reading:
        """113-2-501 is 113附2 房501 or 113号2单元…: the reading the table knows wins."""
        result = self.on_path(path, house, line)
        if result[3] == SUB and house.subs and len(house.subs) > 1:
            short = replace(house, sub=house.subs[0], subs=house.subs[:1])
            again = self.on_path(path, short, line)
            if again[3] == EXACT:
                return short, *again
        return house, *result

    def line(self, street: int, path: int) -> shapely.LineString | None:
        """Centre line of the street itself; None for a lane, or a line that was made from these numbers."""
        g = self.gazetteer
        if g.lane_text.ptr[path] != g.lane_text.ptr[path + 1] or not len(g.lines):
            return None
        road = self.road_of(street)
        if road < 0 or g.lines.rebuilt(road):
            return None
        return g.lines.nearest_part(road, float(g.street_x[street]), float(g.street_y[street]))

    def road_of(self, street: int) -> int:
        """Road line of a street's name, or -1."""
        return int(self.gazetteer.street_road[street])

    def fault(
        self, found: Found, house: grammar.House, placed: geometry.Placed, path: int, manner: int
    ) -> None:
        """Say on a place what its number lacks in the table, and how precise it is."""
        g = self.gazetteer
        a = int(g.path_start[path])
        if manner == SUB:
            found.precision = "door"
            found.faults.append(("NUMBER.sub", f"{house.number}"))
            return
        low, high = int(g.plate_num[a + placed.low]), int(g.plate_num[a + placed.high])
        found.precision = "segment" if placed.kind == "far" else "door-interpolated"
        if manner == INTERPOLATED:
            found.faults.append(("NUMBER.interpolated", f"{low}..{high}"))
        else:
            found.faults.append(("NUMBER.extrapolated", f"{low}→{house.number}"))

    def sure(self, path: int, plate: int, number: int) -> float:
        """How far the plates around a number that is not in the table lie in one grid, 0 to 1.

        The next two plates of its side (parity) below and above count by their nearness: a number between two
        plates of one grid lies there too, and the two sides of a road are often two grids. Past the last plate
        only one half can be known. Rows without grids: `UNKNOWN_GRID`.
        """
        g = self.gazetteer
        own = int(g.plate_grid[plate])
        if own == self._blank:
            return UNKNOWN_GRID
        a, b = int(g.path_start[path]), int(g.path_end[path])
        at = a + int(g.plate_num[a:b].searchsorted(number))
        numbers, grids = g.plate_num, g.plate_grid
        total = 0.0
        for way, first, last in ((-1, at - 1, a - 1), (1, at, b)):
            left, weight = 2, 0.35
            for i in range(first, last, way):
                if (int(numbers[i]) - number) % 2 or i == self.without:
                    continue
                total += weight * (int(grids[i]) == own)
                left, weight = left - 1, 0.15
                if not left or abs(i - at) > AROUND:
                    break
        return total

    def rarity(self, number: int, *, sub: int, lane: bool) -> float:
        """How unlikely another street would own this number: 0 for one that all have, 8 at most."""
        common = self.gazetteer.number_common
        share = float(common[number]) if number < len(common) else 0.0
        return min(rarity_of(share) + (1.5 if sub else 0.0) + (2.0 if lane else 0.0), RAREST)


def rarity_of(share: float) -> float:
    """Minus the logarithm of a share, `RAREST` at most."""
    return min(-math.log(share), RAREST) if share > 0 else RAREST
