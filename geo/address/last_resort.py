"""Where the parser is unsure (兜底): names that much of the text stands for become proposals, never answers.

Matches of `fallback` are read like any other name (number, building, district around it), at a cost above
every near name; each carries the fault ROAD.fallback or NAME.fallback and a confidence with a lid far under
every threshold of automatic assignment.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from geo.address import gazetteer as gz
from geo.address.fallback import Fallback
from geo.address.found import FALLBACK, Found, Hit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geo.address.aliases import Aliases
    from geo.address.answer import Answer
    from geo.address.confidence import Calibration
    from geo.address.fallback import Kind, Match
    from geo.address.found import Mention
    from geo.address.search import Search

LID = 0.3  # most a proposal is believed
DOUBTED = 0.3  # a reading that is believed less leaves room for proposals
AREAS = ("town", "village")
NAMES = 8  # names that are read
COST = 2.1  # just above the dearest near name; a name of which less stands in the text costs up to 0.7 more
_PLACES = sum(1 << kind for kind in (gz.STREET, gz.COMPOUND, gz.POI))
SHORT = 0.2  # penalty from which a name is only a short form


def unsure(answer: Answer) -> bool:
    """Whether the fallback is asked: nothing read, nothing but an area or a short form, or hardly believed."""
    if answer.status == "none":
        return True
    first = answer.candidates[0]
    if answer.status != "low":
        return False
    short = any(code.endswith(".short") for code, _ in first.faults)
    return short or first.precision in AREAS or first.confidence < DOUBTED


class LastResort:
    """The fallback of one gazetteer and its taught aliases; safe to share between threads."""

    def __init__(self, search: Search, aliases: Aliases, kind: Kind) -> None:
        self.search, self.aliases, self.kind = search, aliases, kind
        Fallback((), kind)  # an index that cannot be had is said here

    @cached_property
    def _indexed(self) -> tuple[Fallback, list[int]]:
        """Index over full names and aliases, and the name of the gazetteer at each position but the aliases'."""
        g = self.search.gazetteer
        own = []
        if len(g.names.texts):
            best = np.minimum.reduceat(g.posting_penalty, g.posting_ptr[:-1])
            whole = (best <= SHORT) & ((np.asarray(g.name_kinds) & _PLACES) > 0)
            own = [n for n in np.flatnonzero(whole).tolist() if n not in self.search.hidden]
        return Fallback([*(g.names.texts[n] for n in own), *self.aliases.names], self.kind), own

    def found(self, text: str, mentions: Sequence[Mention], near: tuple[float, float] | None) -> list[Found]:
        """Places of the names that much of a folded text stands for, best first; empty where there are none."""
        fallback, own = self._indexed
        out: list[Found] = []
        for match in fallback.candidates(text, NAMES):
            if match.name < len(own):
                hit = self._hit(match, own[match.name], text)
                out += self.search.candidates(text, [hit], mentions, near)
            else:
                out += self._of_alias(match, self.aliases.targets[match.name - len(own)], text, near)
        out.sort(key=self._worth, reverse=True)
        return out

    def _hit(self, match: Match, name: int, text: str) -> Hit:
        told = self.search.told(text[match.start : match.end], name)
        return Hit(match.start, match.end, name, COST + 2 * (1.0 - match.share), FALLBACK, 0, told)

    def _of_alias(
        self, match: Match, target: str, text: str, near: tuple[float, float] | None
    ) -> list[Found]:
        """Places of the standard text that a garbled alias stands for."""
        hits = self.search.exact(target)
        mentions = self.search.mentions(hits)
        out = []
        for f in self.search.candidates(target, hits, mentions, near):
            if f.kind != gz.AREA:
                hit = self._hit(match, f.hit.name, text)
                out.append(replace(f, hit=hit, start=match.start, end=match.end, unexplained=0))
        return out[:1]

    def _worth(self, f: Found) -> float:
        """Order of proposals: as the matches, a fifth more or less for each area that agrees or does not."""
        share = 1.0 - (f.hit.cost - COST) / 2
        return (
            share**3
            * len(self.search.gazetteer.names.texts[f.hit.name])
            * (1.0 + 0.2 * (f.agreed - f.conflict))
        )

    @staticmethod
    def confidence(calibration: Calibration, numbers: Sequence[float]) -> float:
        """Probability of a proposal: the calibrated one, under a lid well below the threshold of assignment."""
        return min(calibration.probability(numbers), LID, calibration.unique_at / 3)
