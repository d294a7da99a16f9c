"""Evidence for one entity that a name may mean (实体证据): a street, a lane, a compound, a facility, an area.

Scores are evidence on one scale: 3.0 for an exact house number, 0.25 a character of a name, minus what was
wrong with the name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geo.address import elements as el
from geo.address import gazetteer as gz
from geo.address import grammar
from geo.address.found import EXACT, LANE_MOUTH, NO_PLATES, SUB, Found, Hit
from geo.address.numbers import RAREST, rarity_of

if TYPE_CHECKING:
    from geo.address.gazetteer import Gazetteer
    from geo.address.numbers import Numbers


class Entities:
    """Reads what follows a name; holds no state between texts."""

    def __init__(self, gazetteer: Gazetteer, numbers: Numbers) -> None:
        self.gazetteer, self.numbers = gazetteer, numbers

    def street(
        self, text: str, hit: Hit, street: int, penalty: float, *, needs_number: bool, lane: str = ""
    ) -> list[Found]:
        """Evidence for a street with the lane and number after its name."""
        section = grammar.SECTION.match(text, hit.end)
        if section:  # 中山路二段 is another road than 中山路
            if text[hit.start : section.end()] in self.gazetteer.names.automaton:
                return []  # and the table has it
            rest = replace(hit, end=section.end())
            found = [] if needs_number or lane else self._street_at(text, rest, street, penalty + 2.0)
            for f in found:
                f.faults.append(("ROAD.section", section[0].strip("|")))
            return found
        return self._street_at(text, hit, street, penalty, needs_number=needs_number, lane=lane)

    def _street_at(
        self, text: str, hit: Hit, street: int, penalty: float, *, needs_number: bool = False, lane: str = ""
    ) -> list[Found]:
        g = self.gazetteer
        if lane:
            path, end, absent = self.numbers.path_of(street, lane), hit.end, False
        else:
            path, end, absent = self.numbers.path_after(text, street, hit.end)
        score = 0.25 * min(hit.end - hit.start, 6) - hit.cost - penalty
        house = grammar.house(text, end) if not absent else None
        if absent:
            return self._lane_mouth(text, hit, street, path, score, penalty)
        if house is None:
            if needs_number:
                return []
            return [self._no_number(hit, street, path, end, score, penalty)]
        if path < 0:
            base = self._no_number(hit, street, path, house.end, score - 1.1, penalty)
            base.number = NO_PLATES
            base.faults.append(("NUMBER.absent", str(house.number)))
            return [base]
        line = self.numbers.line(street, path)
        house, number, placed, plate, manner = self.numbers.best_reading(path, house, line)
        on_lane = 0.5 if end > hit.end or lane else 0.0
        score += number + on_lane + (0.3 if house.marked else 0.0)
        found = Found(0, 0, score, "door", 10.0, hit.start, house.end, hit, gz.STREET, street, manner,
                      1.0, plate, penalty=penalty, detail=str(house.number))  # fmt: skip
        if placed is None:
            found.x, found.y = float(g.plate_x[plate]), float(g.plate_y[plate])
        else:
            found.x, found.y, found.quality = placed.x, placed.y, placed.quality
            found.radius_m = placed.radius_m
            self.numbers.fault(found, house, placed, path, manner)
        if plate >= 0:
            found.area, found.grid = int(g.plate_area[plate]), int(g.plate_grid[plate])
            if manner != EXACT:
                found.sure = self.numbers.sure(path, plate, house.number)
        if hit.cost:
            found.rarity = self.numbers.rarity(house.number, sub=house.sub, lane=bool(on_lane))
        return [found, *self._twins(found, path), *self._behind(text, found)]

    def _twins(self, found: Found, path: int) -> list[Found]:
        """Plates of the very same address elsewhere: all are returned, none is picked."""
        g, out = self.gazetteer, list[Found]()
        at, end = found.plate + 1, int(g.path_end[path])
        while found.number == EXACT and at < end and len(out) < 4 and (
            g.plate_num[at] == g.plate_num[found.plate] and g.plate_sub[at] == g.plate_sub[found.plate]
        ):  # fmt: skip
            twin = replace(found, x=float(g.plate_x[at]), y=float(g.plate_y[at]), plate=at, faults=[],
                           area=int(g.plate_area[at]), grid=int(g.plate_grid[at]))  # fmt: skip
            out.append(twin)
            at += 1
        return out

    def _no_number(self, hit: Hit, street: int, path: int, end: int, score: float, penalty: float) -> Found:
        """A street or a lane without a number: its middle."""
        g = self.gazetteer
        if path >= 0 and end > hit.end:
            a, b = int(g.path_start[path]), int(g.path_end[path])
            x, y = float(np.median(g.plate_x[a:b])), float(np.median(g.plate_y[a:b]))
            radius = float(np.hypot(np.ptp(g.plate_x[a:b]), np.ptp(g.plate_y[a:b]))) / 2
            found = Found(x, y, score + 0.5, "lane", max(radius, 20.0), hit.start, end, hit, gz.STREET, street,
                          penalty=penalty, plate=a + (b - a) // 2)  # fmt: skip
            found.area, found.grid = int(g.plate_area[found.plate]), -1
        else:
            size = float(g.street_radius[street])
            found = Found(float(g.street_x[street]), float(g.street_y[street]), score - 0.3, "street", max(size, 30.0),
                          hit.start, hit.end, hit, gz.STREET, street, penalty=penalty)  # fmt: skip
            found.area = int(g.street_area[street])
        found.faults.append(("NUMBER.missing", ""))
        return found

    def _lane_mouth(
        self, text: str, hit: Hit, street: int, path: int, score: float, penalty: float
    ) -> list[Found]:
        """A lane that is not in the table: its number is a number on the street, where it begins."""
        match = grammar.LANE_NUMBER.match(text, hit.end)
        if match is None or path < 0:
            return [self._no_number(hit, street, path, hit.end, score - 0.8, penalty)]
        inner = grammar.house(text, match.end())
        house = grammar.House(
            int(match[1]), 0, False, match.start(1), inner.end if inner else match.end(), ()
        )
        number, placed, plate, _ = self.numbers.on_path(path, house, self.numbers.line(street, path))
        g = self.gazetteer
        x, y = (placed.x, placed.y) if placed else (float(g.plate_x[plate]), float(g.plate_y[plate]))
        found = Found(x, y, score + min(number, 1.2) - 1.0, "lane", 80.0 + (placed.radius_m if placed else 0.0),
                      hit.start, house.end, hit, gz.STREET, street, LANE_MOUTH, 0.2, plate, penalty=penalty)  # fmt: skip
        found.area, found.grid = int(g.plate_area[plate]), -1
        found.faults.append(("LANE.missing", match[0].strip("|")))
        return [found]

    def _behind(self, text: str, door: Found) -> list[Found]:
        """Buildings behind a door plate: 柳泉路113号3号楼2单元501."""
        g = self.gazetteer
        if door.number not in (EXACT, SUB):
            return []
        read = grammar.building(text, door.end)
        if read is None:
            return []
        first, last = np.searchsorted(g.compound_plate[g.compound_by_plate], [door.plate, door.plate + 1])
        out = []
        for at in range(int(first), int(last)):
            found = self._building(
                text, door.hit, int(g.compound_by_plate[at]), door.end, door.score - 1.5, door.penalty
            )
            if found is not None and found.precision != "compound":
                found.start = door.start
                out.append(found)
        return out

    def compound(self, text: str, hit: Hit, compound: int, penalty: float) -> list[Found]:
        """Evidence for a compound with the building, unit and room after its name."""
        g = self.gazetteer
        score = 0.3 * min(hit.end - hit.start, 8) - hit.cost - penalty
        found = self._building(text, hit, compound, hit.end, score, penalty)
        if found is None:
            found = Found(float(g.compound_x[compound]), float(g.compound_y[compound]), score + 0.9, "compound",
                          float(g.compound_radius[compound]), hit.start, hit.end, hit, gz.COMPOUND, compound,
                          penalty=penalty)  # fmt: skip
            found.area = int(g.compound_area[compound])
            found.grid = int(g.compound_grid[compound]) if found.radius_m < 30 else -1
        return [found]

    def _building(
        self, text: str, hit: Hit, compound: int, at: int, score: float, penalty: float
    ) -> Found | None:
        g = self.gazetteer
        read = grammar.building(text, at)
        if read is None or read.building == el.NO_NUMBER:
            return None
        a, b = int(g.building_ptr[compound]), int(g.building_ptr[compound + 1])
        row = a + int(np.searchsorted(g.building_code[a:b], read.building))
        known = row < b and g.building_code[row] == read.building
        found = Found(float(g.compound_x[compound]), float(g.compound_y[compound]), score, "compound",
                      float(g.compound_radius[compound]), hit.start, read.end, hit, gz.COMPOUND, compound,
                      penalty=penalty, detail=read.text)  # fmt: skip
        found.area = int(g.compound_area[compound])
        if not known:
            found.number, found.score = NO_PLATES, score + 0.4
            found.faults.append(("BUILDING.absent", read.text))
            return found
        found.x, found.y, found.plate = float(g.building_x[row]), float(g.building_y[row]), -1
        found.score, found.number, found.quality, found.radius_m = score + 3.0, EXACT, 1.0, 15.0
        found.area, found.grid, found.precision = (
            int(g.building_area[row]),
            int(g.building_grid[row]),
            "building",
        )
        if hit.cost:
            share = (
                float(g.building_common[read.building])
                if 0 <= read.building < len(g.building_common)
                else 0.0
            )
            found.rarity = rarity_of(share)
        if read.unit or read.room:
            found.precision = "unit" if not read.room else "room"
            if read.room and not self._household(row, read):
                found.score -= 0.2
                found.precision = "building"
                found.faults.append(("ROOM.absent", read.text))
            elif read.room:
                found.score += 0.6
                found.rarity = min(found.rarity + 1.0, RAREST)
        return found

    def _household(self, building: int, read: grammar.Building) -> bool:
        homes = self.gazetteer.household
        key = gz.household_key(building, read.unit, read.room)
        at = int(np.searchsorted(homes, key))
        if at < len(homes) and homes[at] == key:
            return True
        if read.unit:
            return False
        low, high = np.searchsorted(homes, [building << 20, (building + 1) << 20])
        return bool((homes[low:high] & 0x3FFF == read.room).any())

    def poi(self, hit: Hit, poi: int, penalty: float) -> Found:
        """Evidence for a point of interest."""
        g = self.gazetteer
        score = 0.3 * min(hit.end - hit.start, 8) - hit.cost - penalty + 1.3
        found = Found(float(g.poi_x[poi]), float(g.poi_y[poi]), score, "poi", 25.0, hit.start, hit.end, hit, gz.POI, poi,
                      quality=1.0, penalty=penalty)  # fmt: skip
        found.area = int(g.poi_area[poi])
        return found

    def area(self, hit: Hit, area: int, penalty: float) -> Found:
        """Evidence for an area alone: its middle, as wide as its plates lie."""
        g = self.gazetteer
        level = int(g.area_level[area])
        precision = {gz.DISTRICT: "district", gz.TOWN: "town"}.get(level, "village")
        score = 0.25 * min(hit.end - hit.start, 6) - penalty - 0.9 + 0.02 * level
        return Found(float(g.area_x[area]), float(g.area_y[area]), score, precision, float(g.area_radius[area]),
                     hit.start, hit.end, hit, gz.AREA, area, area=area, penalty=penalty)  # fmt: skip
