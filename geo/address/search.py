"""Find what a folded text may mean in a gazetteer (检索与评分).

Names first, then the numbers that follow them (`entities`), then the evidence of districts, towns and villages
around them (`areas`). `geo.address.confidence` turns scores into a probability.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geo.address import gazetteer as gz
from geo.address.areas import ANOTHER_ROAD, Areas, left_over
from geo.address.entities import Entities
from geo.address.found import EXACT, VARIANT, Found, Hit, Mention
from geo.address.names import ROAD_ENDS, TELLING
from geo.address.normalize import fold_text
from geo.address.numbers import Numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geo.address.gazetteer import Gazetteer

WILD = 0.9  # cost of a name from which it counts only in the district that the text names
STEM_ENDS = ROAD_ENDS + "0123456789"
MANY = 60  # entities of one name: more are first narrowed by district, road or a near point
ENOUGH = 4.6
BEHIND = 0.4  # how far a compound that is named right after its door stands above the door
_Posting = tuple[int, int, float, int]


class Search:
    """Looks texts up in one gazetteer; holds no state between texts but caches."""

    def __init__(self, gazetteer: Gazetteer, *, hidden: frozenset[int] = frozenset()) -> None:
        self.gazetteer = gazetteer
        self.hidden = hidden  # names that are looked away from: makes out-of-table roads for calibration
        self.postings = lru_cache(maxsize=16_384)(self._postings)
        self.stem = lru_cache(maxsize=65_536)(self._stem)
        self.areas = Areas(gazetteer, self.postings)
        self.chain, self.mentions = self.areas.chain, self.areas.mentions
        self.numbers = Numbers(gazetteer)
        self.entities = Entities(gazetteer, self.numbers)
        self._char_told = gazetteer.char_told
        self._chance = math.log(max(len(gazetteer.street_area) + len(gazetteer.compound_area), 2))
        self.poi_street = [fold_text(t) for t in gazetteer.strings("poi_street").tolist()]

    def exact(self, text: str) -> list[Hit]:
        """Names that stand in the text."""
        found = self.gazetteer.names.exact(text)
        return [Hit(b, e, n, 0.0, 0) for b, e, n in found if n not in self.hidden]

    def near(self, text: str) -> list[Hit]:
        """Names that nearly stand in the text."""
        found = self.gazetteer.names.near(text)
        return [
            Hit(b, e, n, c, h, 0, self.told(text[b:e], n)) for b, e, n, c, h in found if n not in self.hidden
        ]

    def told(self, said: str, name: int) -> float:
        """Nats of a name's own characters (without 路, 街, 村 …) that stand in what was said, less those of chance."""
        return sum((nats for char, nats in self.stem(name) if char in said), -self._chance)

    def _stem(self, name: int) -> tuple[tuple[str, float], ...]:
        """A name's own characters and what each tells."""
        own = self.gazetteer.names.texts[name].rstrip(STEM_ENDS)
        return tuple((char, float(self._char_told[ord(char) & 0xFFFF])) for char in own)

    def _postings(self, name: int) -> list[tuple[int, int, float, int]]:
        """(kind, entity, penalty, flag) of everything a name may mean."""
        g = self.gazetteer
        a, b = int(g.posting_ptr[name]), int(g.posting_ptr[name + 1])
        columns = (g.posting_kind, g.posting_at, g.posting_penalty, g.posting_flag)
        return list(zip(*(c[a:b].tolist() for c in columns), strict=True))

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
            found.unexplained = left_over(text, found.start, explained)
            found.score -= 0.2 * min(found.unexplained, 3)
            found.other_name = found.hit.how == VARIANT or (
                0 < found.unexplained < ANOTHER_ROAD
                and (found.hit.cost > 0 or text[found.start - 1] in TELLING)
            )  # 下|塘头 is another place than 塘头; 大|丰路 is not 丰兴路 with a character missing
        self._named_behind(out)
        out.sort(key=lambda f: -f.score)
        return out

    def _named_behind(self, found: Sequence[Found]) -> None:
        """Prefer the compound to its door where both are said: 柏坊路11号柏坊苑小区 is the compound."""
        g = self.gazetteer
        doors = {(f.end, f.plate): f for f in found if f.kind == gz.STREET and f.number == EXACT}
        for f in found if doors else ():
            if f.kind != gz.COMPOUND or f.hit.cost or f.penalty or f.precision != "compound":
                continue
            door = doors.get((f.start, int(g.compound_plate[f.at])))
            if door is not None:
                areas = (f.agreed - f.conflict) - (door.agreed - door.conflict)
                f.score = max(f.score, door.score + BEHIND + areas)
                f.start, f.unexplained = door.start, door.unexplained

    def _entity(self, text: str, hit: Hit, kind: int, at: int, penalty: float, flag: int) -> list[Found]:
        """Evidence for one entity that a name may mean."""
        g = self.gazetteer
        if kind == gz.STREET:
            return self.entities.street(text, hit, at, penalty, needs_number=bool(flag & gz.NEEDS_NUMBER))
        if kind == gz.LANE:
            street = int(g.path_street[at])
            return self.entities.street(text, hit, street, penalty, needs_number=True, lane=g.lane_text[at])
        if kind == gz.COMPOUND:
            return self.entities.compound(text, hit, at, penalty)
        if kind == gz.POI:
            return [self.entities.poi(hit, at, penalty)]
        return [self.entities.area(hit, at, penalty)] if kind == gz.AREA and not hit.cost else []

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
            found.agreed, found.conflict = self.areas.agree(
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
                own = 0.4 if found.kind == gz.POI and self._stands_on(found.at, road) else 0.0
                best = max(best, own + (1.2 if away < 120 else 1.2 - (away - 120) / 300))
        return best

    def _stands_on(self, poi: int, road: int) -> bool:
        """Whether a facility's own address names a road."""
        return self.poi_street[poi] == self.gazetteer.lines.text[road]

    def full_name(self, name: int) -> bool:
        """Whether a name is someone's full name, not only a short form."""
        g = self.gazetteer
        return bool(g.posting_penalty[int(g.posting_ptr[name])] <= 0)
