"""Places that are no address (路口、路段、偏移): crossings, stretches between two crossings, offsets from an anchor."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import shapely

from geo.address import gazetteer as gz
from geo.address import geometry, grammar
from geo.address.found import EXACT, Found, Hit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geo.address.search import Search

MOST_ACROSS_M = 45.0  # across the road is not farther
NEXT_TO = 4  # characters that may stand between two joined road names


def _road_hits(search: Search, hits: Sequence[Hit]) -> list[tuple[Hit, int, float]]:
    """(hit, road, penalty) of roads with a line; of equal hits the cheaper."""
    out = []
    bit = 1 << gz.ROAD_LINE
    for hit in hits:
        if int(search.gazetteer.name_kinds[hit.name]) & bit:
            out += [(hit, at, p) for kind, at, p, _ in search.postings(hit.name) if kind == gz.ROAD_LINE]
    firm = [h for h, _, p in out if not h.cost and p <= 0]
    out = [
        r for r in out if not r[0].cost or not any(r[0].start < h.end and h.start < r[0].end for h in firm)
    ]  # a road that stands there is not taken for a similar one, even if that one has a crossing
    out = [r for r in out if not any(h.start <= r[0].start and r[0].end < h.end for h in firm)]  # 星河路|1巷
    out.sort(key=lambda r: (r[0].cost + r[2], r[0].start - r[0].end))
    return out[:24]


def crossings_and_segments(search: Search, text: str, hits: Sequence[Hit]) -> list[Found]:
    """Crossings (A路与B路路口东南角) and stretches (A路B路到C路段) that the text names; empty where none."""
    roads = _road_hits(search, hits)
    if len(roads) < 2:
        return []
    out: list[Found] = []
    for one in roads:
        for other in roads:
            if one[1] == other[1] or other[0].start < one[0].end or other[0].start - one[0].end > NEXT_TO:
                continue
            if not grammar.joins(text[one[0].end : other[0].start]):
                continue
            segment = _segments(search, text, one, other, roads)
            out += segment or _crossing(search, text, one, other)
    out.sort(key=lambda f: -f.score)
    return out[:8]


def _crossing(
    search: Search, text: str, one: tuple[Hit, int, float], other: tuple[Hit, int, float]
) -> list[Found]:
    """Points where two named roads meet, one candidate each."""
    g = search.gazetteer
    end = other[0].end
    word = grammar.crossing_word(text, end)
    joined = other[0].start > one[0].end
    after = word or end
    corner = grammar.corner(text, after)
    if word is None and grammar.house(text, end) is not None:
        return []
    if grammar.LANE_NUMBER.match(text, end):
        return []  # a lane of that road, which the table has not as a road
    if word is None and not joined and (one[0].cost or other[0].cost or one[2] or other[2]):
        return []  # 柳泉路共青团路 with nothing between: only where both stand there in full
    points = g.lines.crossings(one[1], other[1])
    hit = max(one[0], other[0], key=lambda h: h.cost)
    score = 0.25 * sum(min(h.end - h.start, 6) for h in (one[0], other[0])) - one[0].cost - other[0].cost
    score += 2.6 - one[2] - other[2] + (0.6 if word else 0.0)
    rebuilt = g.lines.rebuilt(one[1])
    width = (g.lines.width_m(one[1]) + g.lines.width_m(other[1])) / 2
    place = f"{g.lines.text[one[1]]}与{g.lines.text[other[1]]}路口"
    found = []
    for x, y in points.tolist():
        f = Found(x, y, score, "intersection", 45.0 if rebuilt else 25.0, one[0].start, after, hit, gz.ROAD_LINE, one[1],
                  EXACT, 0.5 if rebuilt else 1.0, place=place)  # fmt: skip
        if rebuilt:
            f.faults.append(("CROSSING.rebuilt", ""))
        if corner is not None:
            reach = width / 2 * math.sqrt(2) + 4
            f.x, f.y, f.end = x + corner[0][0] * reach, y + corner[0][1] * reach, corner[1]
        if len(points) > 1:
            f.faults.append(("CROSSING.several", str(len(points))))
        found.append(f)
    return found


def not_crossing(search: Search, text: str, hits: Sequence[Hit]) -> str:
    """Two roads that the text joins and that meet nowhere (相交道路不存在), with their distance; "" where none are."""
    roads = [r for r in _road_hits(search, hits) if not r[0].cost and not r[2]]
    lines = search.gazetteer.lines
    for one in roads:
        for other in roads:
            gap = text[one[0].end : other[0].start]
            if other[0].start < one[0].end or len(gap) > NEXT_TO or not grammar.joins(gap):
                continue
            said = bool(gap) or grammar.crossing_word(text, other[0].end) is not None
            if not said or one[1] == other[1] or len(lines.crossings(one[1], other[1])):
                continue
            apart = shapely.distance(
                shapely.MultiLineString(lines.parts(one[1])), shapely.MultiLineString(lines.parts(other[1]))
            )
            return f"{lines.text[one[1]]}×{lines.text[other[1]]} {apart:.0f} m"
    return ""


def _segments(search: Search, text: str, one: tuple[Hit, int, float], other: tuple[Hit, int, float],
              roads: Sequence[tuple[Hit, int, float]]) -> list[Found]:  # fmt: skip
    """A路(B路到C路): the stretch of A between its crossings with B and C."""
    g = search.gazetteer
    out = []
    for third in roads:
        gap = text[other[0].end : third[0].start]
        closed = grammar.between_word(text, third[0].end)
        if third[0].start < other[0].end or not (grammar.until(gap) or (closed and grammar.joins(gap))):
            continue
        if third[1] in (one[1], other[1]):
            continue
        starts, ends = g.lines.crossings(one[1], other[1]), g.lines.crossings(one[1], third[1])
        if not len(starts) or not len(ends):
            continue
        a, b = min(((p, q) for p in starts.tolist() for q in ends.tolist()), key=lambda r: math.dist(*r))
        part = g.lines.nearest_part(one[1], a[0], a[1])
        if part is None:
            continue
        line = geometry.stretch(part, tuple(a), tuple(b))
        middle = line.interpolate(0.5, normalized=True)
        cost = one[0].cost + other[0].cost + third[0].cost + one[2] + other[2] + third[2]
        place = f"{g.lines.text[one[1]]}（{g.lines.text[other[1]]}至{g.lines.text[third[1]]}）"
        f = Found(middle.x, middle.y, 5.0 - cost, "segment", max(line.length / 2, 25.0), one[0].start, third[0].end, one[0],
                  gz.ROAD_LINE, one[1], EXACT, 0.5, place=place)  # fmt: skip
        f.line = line
        out.append(f)
    return out


def offset_places(search: Search, text: str, anchor: Found) -> list[Found]:
    """Places an offset after an anchor leads to (西边50米, 对面, 旁边): by compass, and along the road."""
    read = grammar.offset(text, anchor.end)
    if read is None or anchor.precision in ("district", "town", "village", "street", "segment"):
        return []
    line = _line_at(search, anchor)
    base = replace(anchor, end=read.end, precision="offset", faults=list(anchor.faults), score=anchor.score + 0.4,
                   grid=-1, plate=anchor.plate, place="")  # fmt: skip
    base.place = ""
    if read.kind == "beside" and not read.distance_m:
        return [replace(anchor, end=read.end, score=base.score)]
    if read.kind == "beside":
        beside = replace(base, radius_m=anchor.radius_m + read.distance_m, grid=anchor.grid,
                         faults=[*anchor.faults, ("OFFSET.nearby", read.text)])  # fmt: skip
        beside.precision = anchor.precision
        return [beside]
    if read.kind == "opposite":
        if line is None:
            return [
                replace(
                    base,
                    radius_m=anchor.radius_m + 40,
                    faults=[*anchor.faults, ("OFFSET.opposite", read.text)],
                )
            ]
        x, y = geometry.opposite(anchor.x, anchor.y, line, width_m=20.0, most_m=MOST_ACROSS_M)
        return [
            replace(
                base,
                x=x,
                y=y,
                radius_m=anchor.radius_m + 15,
                faults=[*anchor.faults, ("OFFSET.opposite", read.text)],
            )
        ]
    dx, dy = read.direction
    reach = read.distance_m if read.kind == "compass" else 15.0
    x, y = anchor.x + dx * reach, anchor.y + dy * reach
    spread = anchor.radius_m + 10 + 0.2 * reach
    out = [replace(base, x=x, y=y, radius_m=spread, faults=[*anchor.faults, ("OFFSET.compass", read.text)])]
    if line is not None and read.kind == "compass":
        moved = geometry.along_road(anchor.x, anchor.y, line, read.direction, reach)
        if moved is not None and math.hypot(moved[0] - x, moved[1] - y) > 10:
            out.append(replace(base, x=moved[0], y=moved[1], radius_m=spread, score=base.score - 0.1,
                               faults=[*anchor.faults, ("OFFSET.along", read.text)]))  # fmt: skip
    return out


def _line_at(search: Search, anchor: Found) -> shapely.LineString | None:
    """Centre line of the road an anchor stands on: its own street's, else the nearest within 60 m."""
    g = search.gazetteer
    road = -1
    if anchor.kind == gz.STREET:
        if search.numbers.in_lane(anchor.plate):
            return None  # a lane has no line of its own: only the near side of it is known
        road = search.numbers.road_of(anchor.at)
    elif anchor.kind == gz.ROAD_LINE:
        road = anchor.at
    if road >= 0:
        part = g.lines.nearest_part(road, anchor.x, anchor.y)
        if part is not None and part.distance(shapely.Point(anchor.x, anchor.y)) < 80:
            return part
    return g.lines.nearest_line(anchor.x, anchor.y, within_m=60.0) if anchor.kind != gz.STREET else None
