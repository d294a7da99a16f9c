"""From a text to places with confidence (解析): the engine that a command centre asks.

`Resolver` holds one gazetteer; `resolve` answers one text. Steps: fold, find names, read what follows them,
weigh; only if that leaves doubt, look for near names; then crossings, segments and offsets; then the
probability that the base grid is right. Two equal places are both returned, never one of them silently.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from geo.address import elements as el
from geo.address import gazetteer as gz
from geo.address import grammar
from geo.address.aliases import NO_ALIASES, Aliases
from geo.address.answer import Answer, Candidate
from geo.address.areas import left_over
from geo.address.confidence import DEFAULT, Calibration, features
from geo.address.found import EXACT, NUMBERED, SUB, Found, Hit, Mention, manner
from geo.address.last_resort import LastResort, unsure
from geo.address.normalize import fold
from geo.address.places import crossings_and_segments, not_crossing, offset_places
from geo.address.search import ENOUGH, Search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geo.address.fallback import Kind
    from geo.address.gazetteer import Gazetteer
    from geo.address.normalize import Folded

SAME_PLACE_M = 15.0
MOST_NEAR = 28  # near names that are looked into, cheapest first
WINDOW = 64  # characters around the first number that are searched for near names
SEPARATE_M = 150.0
UNPLACED = ("street", "lane", "compound")  # what is left of two roads that do not meet


@dataclass(frozen=True, slots=True)
class Hint:
    """What is known beside the text: a point near the place (metres), and a district or town by name."""

    near: tuple[float, float] | None = None
    district: str = ""


class Resolver:
    """Answers texts from one gazetteer with one calibration; safe to share between threads."""

    def __init__(
        self,
        gazetteer: Gazetteer,
        calibration: Calibration = DEFAULT,
        *,
        aliases: Aliases = NO_ALIASES,
        hidden: frozenset[int] = frozenset(),
        fallback: Kind | None = None,
    ) -> None:
        self.gazetteer = gazetteer
        self.calibration = calibration
        self.aliases = aliases
        self.search = Search(gazetteer, hidden=hidden)
        self.last_resort = None if fallback is None else LastResort(self.search, aliases, fallback)

    def resolve(self, text: str, *, hint: Hint = Hint(), limit: int = 5) -> Answer:
        """Places that a text may mean (地址解析).

        Parameters
        ----------
        text
            An address as written or said, in any style; only its first 400 characters are read.
        hint
            A point near the place, and a district the caller named elsewhere: evidence, never a filter.
        limit
            Most candidates to return.

        Returns
        -------
        Answer
            Candidates best first with faults, precision, radius and confidence. Nothing recognised: status
            "none" and no candidates. More than one address in the text: `others`, one answer each.
        """
        given = fold(text)
        folded, renamed = self.aliases.rewrite(given, self.search.exact(given.text))
        if not folded.text.strip("|"):
            return Answer("none", [], folded.text)
        found, mentions, hits = self._found(folded.text, hint)
        if not found or found[0].precision == "district":
            answer = Answer("none", [], folded.text)  # nothing, or nothing but a district
        else:
            answer = self._answer(folded, found, mentions, hits, limit)
        if len(hits) > 1 and answer.candidates and answer.candidates[0].precision in UNPLACED:
            apart = not_crossing(self.search, folded.text, hits)
            if apart:
                answer.candidates[0].faults.insert(0, ("CROSSING.absent", apart))
        if renamed and answer.candidates:
            answer.candidates[0].faults.insert(0, ("NAME.alias", renamed))
        if self.last_resort is not None and unsure(answer):
            self._propose(self.last_resort, answer, folded, mentions, hint, limit)
        return answer

    def _propose(
        self,
        last: LastResort,
        answer: Answer,
        folded: Folded,
        mentions: list[Mention],
        hint: Hint,
        limit: int,
    ) -> None:
        """Add what the fallback finds: before readings that nobody believes, behind those that are likely."""
        kept = distinct(last.found(folded.text, mentions, hint.near), limit)
        if not kept:
            return
        more = [self._candidate(f, folded) for f in kept]
        for candidate, numbers in zip(more, features(kept), strict=True):
            candidate.features = numbers
            candidate.confidence = last.confidence(self.calibration, numbers)
        parts = (more, answer.candidates) if answer.status == "none" else (answer.candidates, more)
        answer.candidates = _apart([*parts[0], *parts[1]])[:limit]
        if answer.status == "none":
            answer.status, answer.spans = "low", self._spans([], kept[0])

    def best(self, text: str) -> Candidate | None:
        """First candidate of `resolve`, or None."""
        answer = self.resolve(text)
        return answer.candidates[0] if answer.candidates else None

    # ------------------------------------------------------------------ steps
    def _found(self, text: str, hint: Hint) -> tuple[list[Found], list[Mention], list[Hit]]:
        hits = self.search.exact(text)
        mentions = self.search.mentions(hits) + self._hinted(hint)
        found = self.search.candidates(text, hits, mentions, hint.near)
        places = crossings_and_segments(self.search, text, hits)
        if not places and not (found and self._certain(found[0], text)):
            start = self._window(text)
            part = text[start : start + WINDOW]
            near = self.search.near(part)
            if start:
                near = [replace(h, start=h.start + start, end=h.end + start) for h in near]
            near = self._sober(text, hits, near, mentions)
            if near:
                hits = hits + near
                mentions = self.search.mentions(hits) + self._hinted(hint)
                found = self.search.candidates(text, hits, mentions, hint.near)
                places = crossings_and_segments(self.search, text, hits)
        found = places + found
        found += [p for f in found[:3] for p in offset_places(self.search, text, f)]
        found.sort(key=lambda f: -f.score)
        return found, mentions, hits

    def _hinted(self, hint: Hint) -> list[Mention]:
        """A district given beside the text counts like one in it."""
        if not hint.district:
            return []
        name = fold(hint.district).text
        hits = [h for h in self.search.exact(name) if h.end - h.start == len(name)]
        return [Mention(-1, -1, m.areas, m.levels, 0.7) for m in self.search.mentions(hits)]

    @staticmethod
    def _certain(best: Found, text: str) -> bool:
        """Whether near names need not be looked for: all said was read and stands in the table."""
        del text
        return (
            best.score >= ENOUGH - 1.4
            and best.hit.cost == 0
            and best.number == EXACT
            and best.penalty == 0
            and not best.unexplained
            and not best.conflict
        )

    @staticmethod
    def _window(text: str) -> int:
        digit = next((i for i, c in enumerate(text) if c.isdigit()), 0)
        return max(0, digit - WINDOW // 2) if len(text) > WINDOW else 0

    def _sober(
        self, text: str, exact: Sequence[Hit], near: list[Hit], mentions: Sequence[Mention]
    ) -> list[Hit]:
        """Near names at what they really cost.

        Where an exact name with a number stands, a near one costs more (a wrong name that owns the number must
        not beat a right name that lacks it); a near name of two characters counts only right before a number.
        """
        explained = [(m.start, m.end) for m in mentions]
        streets = (1 << gz.STREET) | (1 << gz.LANE) | (1 << gz.COMPOUND)
        kinds = self.gazetteer.name_kinds
        firm = [
            (h.start, h.end)
            for h in exact
            if int(kinds[h.name]) & streets
            and self.search.full_name(h.name)
            and not left_over(text, h.start, explained)
            and grammar.house(text, self._after_lane(text, h.end)) is not None
        ]
        areas = [(m.start, m.end) for m in mentions if m.weight >= 0.8]
        out = []
        for h in near:
            if any(b <= h.start < e and h.end - e <= 1 for b, e in areas):
                continue  # made of a district's own characters
            short = self.gazetteer.names.arrays["name_length"][h.name] <= 2 and h.cost > 0.8
            if short and (not text[h.end : h.end + 1].isdigit() or left_over(text, h.start, explained)):
                continue
            extra = 0.4 if any(b < h.end and h.start < e for b, e in areas) else 0.0
            if any(h.start < e and b < h.end and e - b >= h.end - h.start - 1 for b, e in firm):
                extra = 1.3
            out.append(replace(h, cost=h.cost + extra) if extra else h)
        out.sort(key=lambda h: h.cost)
        costs = [h.cost for h in out]
        return [replace(h, crowd=bisect.bisect_right(costs, h.cost + 0.15) - 1) for h in out[:MOST_NEAR]]

    @staticmethod
    def _after_lane(text: str, at: int) -> int:
        match = grammar.LANE_NUMBER.match(text, at)
        return match.end() if match else at

    def _answer(
        self, folded: Folded, found: list[Found], mentions: list[Mention], hits: list[Hit], limit: int
    ) -> Answer:
        """Answer from scored entities: places that are one are merged, a second address is answered apart."""
        second = _second_address(found)
        groups = [found]
        if second is not None:
            groups = [_overlapping(found, found[0]), _overlapping(found, second)]
        answers = []
        for group in groups:
            kept = distinct(group, limit + 3)
            candidates = [self._candidate(f, folded) for f in kept[:limit]]
            for candidate, numbers in zip(candidates, features(kept), strict=False):
                candidate.features = numbers
                candidate.confidence = self.calibration.probability(numbers)
            self._name_missing(candidates[0], kept[0], mentions)
            if folded.cut:
                candidates[0].faults.append(("TEXT.cut", ""))
            status = self.calibration.status(candidates)
            answers.append(Answer(status, candidates[:limit], folded.text, self._spans(hits, kept[0])))
        first = answers[0]
        if second is not None:
            first.candidates[0].faults.append(("TEXT.several", second.detail))
            first.others = answers[1:]
            first.status = "ambiguous" if first.status == "unique" else first.status
        return first

    def _name_missing(self, candidate: Candidate, found: Found, mentions: list[Mention]) -> None:
        if found.area >= 0 and not any(gz.DISTRICT in m.levels for m in mentions):
            candidate.faults.append(("DISTRICT.missing", ""))

    def _spans(self, hits: Sequence[Hit], best: Found) -> list[tuple[int, int, str, int]]:
        level = {gz.STREET: 41, gz.LANE: 41, gz.ROAD_LINE: 41, gz.COMPOUND: 42, gz.POI: 50}
        g = self.gazetteer
        out = []
        for hit in [
            best.hit,
            *[h for h in hits if not h.cost and not (best.start < h.end and h.start < best.end)],
        ]:
            kind, at, _, _ = next(iter(self.search.postings(hit.name)))
            rank = int(g.area_level[at]) if kind == gz.AREA else level[kind]
            out.append((hit.start, hit.end, g.names.texts[hit.name], rank))
        return sorted(set(out))

    def _candidate(self, f: Found, folded: Folded) -> Candidate:
        faults = [*self._name_faults(f, folded), *f.faults]
        if f.unexplained:
            faults.append(("TEXT.unexplained", folded.text[max(0, f.start - f.unexplained) : f.start]))
        g = self.gazetteer
        row = g.plate_id[f.plate] if f.plate >= 0 and f.number in (EXACT, SUB) else ""
        span = (
            folded.source[min(f.start, len(folded.source) - 1)],
            folded.source[min(f.end, len(folded.source)) - 1] + 1,
        )
        grid = g.grid_text[f.grid] if f.grid >= 0 else ""
        return Candidate(self.standard(f), f.x, f.y, f.precision, f.radius_m, f.score, span, faults, 0.0, row, grid,
                         _SOURCE.get(f.kind, ""), f.line)  # fmt: skip

    def _name_faults(self, f: Found, folded: Folded) -> list[tuple[str, str]]:
        word = "ROAD" if f.kind in (gz.STREET, gz.LANE, gz.ROAD_LINE) else "NAME"
        name = self.gazetteer.names.texts[f.hit.name]
        if f.hit.cost:
            said = folded.text[f.hit.start : f.hit.end]
            return [(f"{word}.{manner(f.hit)}", f"{said}→{name}")]
        if 0 < f.penalty <= 0.1:
            return [("NAME.alias", name)] if f.kind != gz.STREET else []
        if f.penalty:
            return [(f"{word}.short", name)]
        return []

    def standard(self, f: Found) -> str:
        """Standard text of a place: areas, street, lane, number, compound, building."""
        g = self.gazetteer
        chain = sorted(self.search.chain(f.area), key=lambda a: int(g.area_level[a])) if f.area >= 0 else []
        own = g.street_text[f.at] if f.kind == gz.STREET else ""
        lead = "".join(g.area_text[a] for a in chain if g.area_text[a] != own)
        if f.place:
            return lead + f.place
        if f.kind == gz.STREET:
            street = g.street_text[f.at]
            lane = ""
            if f.plate >= 0 and f.precision != "street":
                lane = g.lane_text[self.search.numbers.path_with(f.plate)]
            number = ""
            if f.number in (EXACT, SUB) and f.plate >= 0:
                number = house_text(
                    int(g.plate_num[f.plate]), int(g.plate_sub[f.plate]) if f.number == EXACT else 0
                )
            elif f.detail:
                number = f"{f.detail}号"
            return f"{lead}{street}{lane}{number}"
        if f.kind == gz.COMPOUND:
            plate = int(g.compound_plate[f.at])
            at_door = ""
            if plate >= 0:
                at_door = g.street_text[int(g.plate_street[plate])] + house_text(
                    int(g.plate_num[plate]), int(g.plate_sub[plate])
                )
            return f"{lead}{at_door}{g.compound_text[f.at]}{f.detail}"
        if f.kind == gz.POI:
            return lead + g.poi_text[f.at]
        return lead


_SOURCE = {
    gz.STREET: "addresses",
    gz.COMPOUND: "addresses",
    gz.POI: "facilities",
    gz.AREA: "grids",
    gz.ROAD_LINE: "roads",
}


def house_text(number: int, sub: int) -> str:
    """House number as a table writes it: 113号, 113号之2, 113号甲."""
    if sub == 0:
        return f"{number}号"
    if sub < 10_000:
        return f"{number}号之{sub}"
    if sub < el.OWN_NAME:
        return f"{number}号{el.LETTERS[sub - 10_001]}"
    return f"{number}号附"


def distinct(found: Sequence[Found], limit: int) -> list[Found]:
    """Best of each place: a lower one within 15 m of a higher one is the same place."""
    kept: list[Found] = []
    for f in found:
        if kept and f.kind == gz.AREA and kept[0].kind != gz.AREA:
            continue  # the district of an address is no other place it may mean
        if all(math.hypot(f.x - k.x, f.y - k.y) > SAME_PLACE_M for k in kept):
            kept.append(f)
            if len(kept) >= limit:
                break
    return kept


def _apart(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates without those within 15 m of one before them."""
    kept: list[Candidate] = []
    for c in candidates:
        if all(math.hypot(c.x - k.x, c.y - k.y) > SAME_PLACE_M for k in kept):
            kept.append(c)
    return kept


def _second_address(found: Sequence[Found]) -> Found | None:
    """A second complete address elsewhere in the text (A路5号和B路7号), or None."""
    first = found[0]
    if first.number not in NUMBERED or first.kind != gz.STREET:
        return None
    for other in found[1:]:
        apart = other.start >= first.end or other.end <= first.start
        whole = (
            other.kind == gz.STREET
            and other.number in NUMBERED
            and other.hit.cost == 0
            and other.penalty == 0
        )
        if apart and whole and math.hypot(other.x - first.x, other.y - first.y) > SEPARATE_M:
            return other
    return None


def _overlapping(found: Sequence[Found], one: Found) -> list[Found]:
    """Entities read from the same part of the text as one of them, which comes first."""
    rest = [f for f in found if f is not one and f.start < one.end and one.start < f.end]
    return [one, *rest]
