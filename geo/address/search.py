"""Find what a folded text may mean in a gazetteer (检索与评分).

Names first, then the numbers that follow them, then the evidence of districts, towns and villages around
them. Scores are evidence on one scale: 3.0 for an exact house number, 0.25 a character of a name, minus what
was wrong with the name. `geo.address.confidence` turns them into a probability.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geo.address import elements as el
from geo.address import gazetteer as gz
from geo.address import geometry, grammar
from geo.address.names import HOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geo.address.gazetteer import Gazetteer

WILD = 0.9  # cost of a name from which it counts only in the district that the text names
MANY = 60  # entities of one name: more are first narrowed by district, road or a near point
FEWEST = 12
ENOUGH = 4.6
EXACT, SUB, INTERPOLATED, EXTRAPOLATED, LANE_MOUTH, NO_NUMBER, NO_PLATES = range(7)
_SAID_BEFORE = re.compile(
    r"(?:在|位于|于|到|是|住|往|来|去|的|报警|反映|投诉|处理|现在|目前|人称|电称|你好|您好|喂|说|这边|那边|我|址|位置|处|快|"
    r"点|称|从|沿|由|经|说是|靠近|家|号|弄|巷|和|与|[|,])$"
)
_ANOTHER_ROAD = re.compile(r"[一-鿿\d][路街道]$")  # 某某路|仁和巷: a road that the table lacks was named
_CJK = re.compile(r"[一-鿿]")


@dataclass(frozen=True, slots=True)
class Hit:
    """A name that occurs in the text: where, at what cost, and in what manner (index of `names.HOW`)."""

    start: int
    end: int
    name: int
    cost: float
    how: int
    crowd: int = (
        0  # near names of the text that cost no more: many mean that anything would be near something
    )


@dataclass(slots=True)
class Found:
    """An entity with its evidence."""

    x: float
    y: float
    score: float
    precision: str
    radius_m: float
    start: int
    end: int
    hit: Hit
    kind: int
    at: int
    number: int = NO_NUMBER
    quality: float = 0.0
    plate: int = -1
    area: int = -1
    grid: int = -1
    penalty: float = 0.0
    agreed: float = 0.0
    conflict: float = 0.0
    unexplained: int = 0
    detail: str = ""
    place: str = ""
    line: shapely.LineString | None = None
    faults: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mention:
    """An area named in the text, and its strength (0.5 for a short form)."""

    start: int
    end: int
    areas: frozenset[int]
    levels: frozenset[int]
    weight: float


_Posting = tuple[int, int, float, int]
_Reading = tuple[grammar.House, float, "geometry.Placed | None", int, int]


class Search:
    """Looks texts up in one gazetteer; holds no state between texts but caches."""

    def __init__(self, gazetteer: Gazetteer, *, hidden: frozenset[int] = frozenset()) -> None:
        self.gazetteer = gazetteer
        self.hidden = hidden  # names that are looked away from: makes out-of-table roads for calibration
        self.without = -1  # plate that is looked away from: makes out-of-table numbers
        self.chain = lru_cache(maxsize=4096)(self._ancestors)
        self.postings = lru_cache(maxsize=16_384)(self._postings)
        self._path_key = gazetteer.path_key
        self._paths = np.argsort(gazetteer.path_start)
        self._starts = gazetteer.path_start[self._paths]

    # ------------------------------------------------------------------ names
    def exact(self, text: str) -> list[Hit]:
        """Names that stand in the text."""
        found = self.gazetteer.names.exact(text)
        return [Hit(b, e, n, 0.0, 0) for b, e, n in found if n not in self.hidden]

    def near(self, text: str) -> list[Hit]:
        """Names that nearly stand in the text."""
        found = self.gazetteer.names.near(text)
        rows = zip(found.start.tolist(), found.end.tolist(), found.name.tolist(), found.cost.tolist(),
                   found.how.tolist(), strict=True)  # fmt: skip
        return [Hit(b, e, n, c, h) for b, e, n, c, h in rows if n not in self.hidden]

    def _postings(self, name: int) -> list[tuple[int, int, float, int]]:
        """(kind, entity, penalty, flag) of everything a name may mean."""
        g = self.gazetteer
        a, b = int(g.posting_ptr[name]), int(g.posting_ptr[name + 1])
        columns = (g.posting_kind, g.posting_at, g.posting_penalty, g.posting_flag)
        return list(zip(*(c[a:b].tolist() for c in columns), strict=True))

    # ------------------------------------------------------------------ areas
    def _ancestors(self, area: int) -> frozenset[int]:
        parents, chain = self.gazetteer.area_parent, set()
        while area >= 0 and area not in chain:
            chain.add(area)
            area = int(parents[area])
        return frozenset(chain)

    def mentions(self, hits: Sequence[Hit]) -> list[Mention]:
        """Areas that the text names; a mention inside a longer one is dropped."""
        g = self.gazetteer
        found = []
        for hit in hits:
            if not int(g.name_kinds[hit.name]) & (1 << gz.AREA):
                continue
            rows = [(at, p) for kind, at, p, _ in self.postings(hit.name) if kind == gz.AREA]
            weight = (0.5 if min(p for _, p in rows) > 0 else 1.0) * max(0.3, 1.0 - hit.cost / 2)
            areas = frozenset(at for at, _ in rows)
            levels = frozenset(int(g.area_level[at]) for at in areas)
            found.append(Mention(hit.start, hit.end, areas, levels, weight))
        found.sort(key=lambda m: (m.start - m.end, -m.weight))
        kept: list[Mention] = []
        for mention in found:
            if not any(k.start < mention.end and mention.start < k.end for k in kept):
                kept.append(mention)
        return kept

    def _agree(self, area: int, start: int, end: int, mentions: Sequence[Mention], faults: list[tuple[str, str]]
               ) -> tuple[float, float]:  # fmt: skip
        """Evidence of the areas named outside a span: (agreement, conflict)."""
        chain = self.chain(area)
        levels = {int(self.gazetteer.area_level[a]): a for a in chain}
        agreed = conflict = 0.0
        for m in mentions:
            if m.start < end and start < m.end:
                continue
            if chain & m.areas:
                agreed += m.weight * max(1.4 if gz.DISTRICT in m.levels else 0.0, 0.8)
                continue
            shared = m.levels & levels.keys()
            if shared and m.weight >= 0.6:
                level = min(shared)
                word = {gz.DISTRICT: "DISTRICT", gz.TOWN: "TOWN"}.get(level, "VILLAGE")
                names = self.gazetteer.area_text
                said = names[next(iter(m.areas))]
                conflict += m.weight * (0.7 if level == gz.DISTRICT else 0.35)
                faults.append((f"{word}.conflict", f"{said}→{names[levels[level]]}"))
        return agreed, conflict

    # ------------------------------------------------------------------ numbers
    def path_of(self, street: int, lane: str) -> int:
        """Path of a street's lane ("" the street itself), or -1."""
        key = np.uint64(gz.path_key(street, lane))
        at = int(np.searchsorted(self._path_key, key))
        return at if at < len(self._path_key) and self._path_key[at] == key else -1

    def path_with(self, plate: int) -> int:
        """Path (street and lane) that a plate stands on."""
        return int(self._paths[int(np.searchsorted(self._starts, plate, "right")) - 1])

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
            return self._on_rest(a, b, house, line)
        numbers = g.plate_num[a:b]
        low, high = np.searchsorted(numbers, [house.number, house.number + 1])
        if low < high:
            subs = g.plate_sub[a + low : a + high]
            same = np.flatnonzero(subs == house.sub)
            if len(same):
                return 3.0, None, a + int(low + same[0]), EXACT
            placed = geometry.subs_between(
                subs, g.plate_x[a + low : a + high], g.plate_y[a + low : a + high], house.sub
            )
            return (2.2 if house.sub else 2.4), placed, a + int(low) + placed.low, SUB
        placed_far = geometry.between(numbers, g.plate_x[a:b], g.plate_y[a:b], house.number, line=line)
        if placed_far is None:
            return -0.8, None, -1, NO_PLATES
        at = placed_far.low if placed_far.low == placed_far.high else self._nearer(a, placed_far)
        inside = placed_far.kind in ("interpolated", "far") and placed_far.low != placed_far.high
        if inside:
            return 0.3 + 1.4 * placed_far.quality, placed_far, a + at, INTERPOLATED
        return 1.6 * placed_far.quality - 0.1, placed_far, a + at, EXTRAPOLATED

    def _on_rest(
        self, a: int, b: int, house: grammar.House, line: shapely.LineString | None
    ) -> tuple[float, geometry.Placed | None, int, int]:
        """`on_path` as if one plate were not there."""
        g, rows = self.gazetteer, np.delete(np.arange(a, b), self.without - a)
        at = np.flatnonzero(g.plate_num[rows] == house.number)
        if len(at):
            same = rows[at]
            placed = geometry.subs_between(g.plate_sub[same], g.plate_x[same], g.plate_y[same], house.sub)
            return (2.2 if house.sub else 2.4), placed, int(same[placed.low]), SUB
        far = geometry.between(g.plate_num[rows], g.plate_x[rows], g.plate_y[rows], house.number, line=line)
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

    # ------------------------------------------------------------------ one entity
    def street(
        self, text: str, hit: Hit, street: int, penalty: float, *, needs_number: bool, lane: str = ""
    ) -> list[Found]:
        """Evidence for a street with the lane and number after its name."""
        section = grammar.SECTION.match(text, hit.end)
        if section:  # 中山路二段 is another road than 中山路
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
            path, end, absent = self.path_of(street, lane), hit.end, False
            more, more_end, _ = self.path_after(text, street, hit.end)
            del more, more_end
        else:
            path, end, absent = self.path_after(text, street, hit.end)
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
        line = self._line(street, path)
        house, number, placed, plate, manner = self._best_reading(path, house, line)
        on_lane = 0.5 if end > hit.end or lane else 0.0
        score += number + on_lane + (0.3 if house.marked else 0.0)
        found = Found(0, 0, score, "door", 10.0, hit.start, house.end, hit, gz.STREET, street, manner,
                      1.0, plate, penalty=penalty, detail=str(house.number))  # fmt: skip
        if placed is None:
            found.x, found.y = float(g.plate_x[plate]), float(g.plate_y[plate])
        else:
            found.x, found.y, found.quality = placed.x, placed.y, placed.quality
            found.radius_m = placed.radius_m
            self._number_fault(found, house, placed, path, manner)
        if plate >= 0:
            found.area, found.grid = int(g.plate_area[plate]), int(g.plate_grid[plate])
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

    def _best_reading(self, path: int, house: grammar.House, line: shapely.LineString | None) -> _Reading:
        """113-2-501 is 113附2 房501 or 113号2单元…: the reading the table knows wins."""
        result = self.on_path(path, house, line)
        if result[3] == SUB and house.subs and len(house.subs) > 1:
            short = replace(house, sub=house.subs[0], subs=house.subs[:1])
            again = self.on_path(path, short, line)
            if again[3] == EXACT:
                return short, *again
        return house, *result

    def _line(self, street: int, path: int) -> shapely.LineString | None:
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

    def _number_fault(
        self, found: Found, house: grammar.House, placed: geometry.Placed, path: int, manner: int
    ) -> None:
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
        number, placed, plate, _ = self.on_path(path, house, self._line(street, path))
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
        if read.unit or read.room:
            found.precision = "unit" if not read.room else "room"
            if read.room and not self._household(row, read):
                found.score -= 0.2
                found.precision = "building"
                found.faults.append(("ROOM.absent", read.text))
            elif read.room:
                found.score += 0.6
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

    # ------------------------------------------------------------------ all
    def candidates(self, text: str, hits: Sequence[Hit], mentions: Sequence[Mention], near: tuple[float, float] | None
                   ) -> list[Found]:  # fmt: skip
        """Every entity of every hit with its evidence, best first."""
        out: list[Found] = []
        spans = [(m.start, m.end) for m in mentions if m.weight >= 0.8]
        said = frozenset().union(*(m.areas for m in mentions if m.weight >= 0.8 and gz.DISTRICT in m.levels))
        for hit in hits:
            if any(b <= hit.start and hit.end <= e and e - b > hit.end - hit.start for b, e in spans):
                continue  # a short name inside the name of an area (鹤庭 in 鹤庭街道)
            rows = self.postings(hit.name)
            if len(rows) > MANY:
                rows = self._narrow(rows, mentions, near)
            if said and hit.cost > WILD and len(rows) > 2:
                rows = self._inside(rows, said)
            for row in rows:
                out += self._entity(text, hit, *row)
        roads = self._said_roads(hits)
        explained = [(m.start, m.end) for m in mentions] + [(b, e) for b, e, _ in roads]
        for found in out:
            self._weigh(found, mentions, roads, near)
            found.unexplained = self.left_over(text, found.start, explained)
            found.score -= 0.2 * min(found.unexplained, 3)
        out.sort(key=lambda f: -f.score)
        return out

    def _entity(self, text: str, hit: Hit, kind: int, at: int, penalty: float, flag: int) -> list[Found]:
        """Evidence for one entity that a name may mean."""
        g = self.gazetteer
        if kind == gz.STREET:
            return self.street(text, hit, at, penalty, needs_number=bool(flag & gz.NEEDS_NUMBER))
        if kind == gz.LANE:
            street = int(g.path_street[at])
            return self.street(text, hit, street, penalty, needs_number=True, lane=g.lane_text[at])
        if kind == gz.COMPOUND:
            return self.compound(text, hit, at, penalty)
        if kind == gz.POI:
            return [self.poi(hit, at, penalty)]
        return [self.area(hit, at, penalty)] if kind == gz.AREA and not hit.cost else []

    def _inside(self, rows: list[_Posting], said: frozenset[int]) -> list[_Posting]:
        """Entities of a badly misspelt name only where the text says they are; all of them if none is there."""
        g = self.gazetteer
        area_of = {gz.STREET: g.street_area, gz.COMPOUND: g.compound_area}
        inside = [r for r in rows if r[0] in area_of and self.chain(int(area_of[r[0]][r[1]])) & said]
        return inside or rows

    def _narrow(self, rows: list[tuple[int, int, float, int]], mentions: Sequence[Mention],
                near: tuple[float, float] | None) -> list[tuple[int, int, float, int]]:  # fmt: skip
        """Keep the entities of a common name that lie in a named area or near the caller's point."""
        g = self.gazetteer
        said = frozenset().union(*(m.areas for m in mentions)) if mentions else frozenset()
        area_of = {gz.STREET: g.street_area, gz.COMPOUND: g.compound_area, gz.POI: g.poi_area}
        if said:
            inside = [r for r in rows if r[0] in area_of and self.chain(int(area_of[r[0]][r[1]])) & said]
            if inside:
                return inside[: MANY * 4]
        if near is not None:
            x_of = {
                gz.STREET: (g.street_x, g.street_y),
                gz.COMPOUND: (g.compound_x, g.compound_y),
                gz.POI: (g.poi_x, g.poi_y),
            }
            placed = [r for r in rows if r[0] in x_of]
            placed.sort(
                key=lambda r: (x_of[r[0]][0][r[1]] - near[0]) ** 2 + (x_of[r[0]][1][r[1]] - near[1]) ** 2
            )
            return placed[:MANY]
        return rows[: MANY * 4]

    def _said_roads(self, hits: Sequence[Hit]) -> list[tuple[int, int, int]]:
        """(start, end, road) of the roads that the text names exactly."""
        return [
            (hit.start, hit.end, at)
            for hit in hits
            if not hit.cost
            for kind, at, penalty, _ in self.postings(hit.name)
            if kind == gz.ROAD_LINE and penalty == 0
        ]

    def _weigh(self, found: Found, mentions: Sequence[Mention], roads: Sequence[tuple[int, int, int]],
               near: tuple[float, float] | None) -> None:  # fmt: skip
        """Add the evidence around an entity: areas, a road it stands on, the caller's point, text left over."""
        if found.area >= 0 and mentions:
            found.agreed, found.conflict = self._agree(
                found.area, found.start, found.end, mentions, found.faults
            )
        found.score += found.agreed - found.conflict
        if roads and found.kind in (gz.COMPOUND, gz.POI):
            found.score += self._beside_road(found, roads)
        if near is not None:
            away = float(np.hypot(found.x - near[0], found.y - near[1]))
            found.score += 1.2 * float(np.exp(-away / 600.0))

    def _beside_road(self, found: Found, roads: Sequence[tuple[int, int, int]]) -> float:
        """1.2 for a compound or facility on a road the text names, less the farther it is from it."""
        best = 0.0
        for start, end, road in roads:
            if start < found.hit.end and found.hit.start < end:
                continue
            part = self.gazetteer.lines.nearest_part(road, found.x, found.y)
            if part is not None:
                away = part.distance(shapely.Point(found.x, found.y))
                best = max(best, 1.2 if away < 120 else 1.2 - (away - 120) / 300)
        return best

    def full_name(self, name: int) -> bool:
        """Whether a name is someone's full name, not only a short form."""
        g = self.gazetteer
        return bool(g.posting_penalty[int(g.posting_ptr[name])] <= 0)

    @staticmethod
    def left_over(text: str, start: int, explained: Sequence[tuple[int, int]]) -> int:
        """Characters right before a name that nothing explains (大|中路 for 中路)."""
        at, count = start, 0
        if _ANOTHER_ROAD.search(text, 0, start) and not any(b < start <= e for b, e in explained):
            return 5
        while at > 0 and count < 3:
            if any(b < at <= e for b, e in explained) or _SAID_BEFORE.search(text, 0, at):
                break
            if not _CJK.match(text[at - 1]):
                break
            at, count = at - 1, count + 1
        return count


def manner(hit: Hit) -> str:
    """How a name was found: exact, homophone, typo and so on."""
    return HOW[hit.how]
