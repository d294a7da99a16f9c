"""Districts, towns and villages that a text names, and what they say for or against a place (行政区证据)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from geo.address import gazetteer as gz
from geo.address.found import Hit, Mention

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geo.address.gazetteer import Gazetteer

WORDS = {gz.DISTRICT: "DISTRICT", gz.TOWN: "TOWN"}
ANOTHER_ROAD = 5  # `left_over` of a name that follows another road
_SAID_BEFORE = re.compile(
    r"(?:在|位于|于|到|是|住|往|来|去|的|报警|反映|投诉|处理|现在|目前|人称|电称|你好|您好|喂|说|这边|那边|我|址|位置|处|快|"
    r"点|称|从|沿|由|经|说是|靠近|家|号|弄|巷|和|与|[|,])$"
)
_ANOTHER_ROAD = re.compile(r"[一-鿿\d][路街道]$")  # 某某路|仁和巷: a road that the table lacks was named
_CJK = re.compile(r"[一-鿿]")


class Areas:
    """Areas of one gazetteer."""

    def __init__(
        self, gazetteer: Gazetteer, postings: Callable[[int], list[tuple[int, int, float, int]]]
    ) -> None:
        self.gazetteer = gazetteer
        self.postings = postings
        self.chain = lru_cache(maxsize=4096)(self._ancestors)
        self.levels = lru_cache(maxsize=4096)(self._levels)
        self.named = lru_cache(maxsize=4096)(self._named)

    def _ancestors(self, area: int) -> frozenset[int]:
        parents, chain = self.gazetteer.area_parent, set()
        while area >= 0 and area not in chain:
            chain.add(area)
            area = int(parents[area])
        return frozenset(chain)

    def _levels(self, area: int) -> dict[int, int]:
        """Area of each level above and at an area."""
        return {int(self.gazetteer.area_level[a]): a for a in self.chain(area)}

    def _named(self, name: int) -> tuple[frozenset[int], frozenset[int], float] | None:
        """(areas, levels, strength) of a name that is an area's."""
        g = self.gazetteer
        if not int(g.name_kinds[name]) & (1 << gz.AREA):
            return None
        rows = [(at, p) for kind, at, p, _ in self.postings(name) if kind == gz.AREA]
        weight = 0.5 if min(p for _, p in rows) > 0 else 1.0
        levels = frozenset(int(g.area_level[at]) for at, _ in rows)
        return frozenset(at for at, _ in rows), levels, weight

    def mentions(self, hits: Sequence[Hit]) -> list[Mention]:
        """Areas that the text names; a mention inside a longer one is dropped."""
        found = []
        for hit in hits:
            named = self.named(hit.name)
            if named is not None:
                areas, levels, weight = named
                weight *= max(0.3, 1.0 - hit.cost / 2)
                found.append(Mention(hit.start, hit.end, areas, levels, weight))
        found.sort(key=lambda m: (m.start - m.end, -m.weight))
        kept: list[Mention] = []
        for mention in found:
            if not any(k.start < mention.end and mention.start < k.end for k in kept):
                kept.append(mention)
        return kept

    def agree(self, area: int, start: int, end: int, mentions: Sequence[Mention], faults: list[tuple[str, str]]
              ) -> tuple[float, float]:  # fmt: skip
        """Evidence of the areas named outside a span: (agreement, conflict); conflicts are added to `faults`."""
        chain, levels = self.chain(area), self.levels(area)
        agreed = conflict = 0.0
        for m in mentions:
            if m.start < end and start < m.end:
                continue
            if chain & m.areas:
                agreed += m.weight * (1.4 if gz.DISTRICT in m.levels else 0.8)
                continue
            shared = m.levels & levels.keys()
            if shared and m.weight >= 0.6:
                level = min(shared)
                names = self.gazetteer.area_text
                said = names[next(iter(m.areas))]
                conflict += m.weight * (0.7 if level == gz.DISTRICT else 0.35)
                faults.append((f"{WORDS.get(level, 'VILLAGE')}.conflict", f"{said}→{names[levels[level]]}"))
        return agreed, conflict


def left_over(text: str, start: int, explained: Sequence[tuple[int, int]]) -> int:
    """Characters right before a name that nothing explains (大|中路 for 中路), at most 3; `ANOTHER_ROAD` after another road."""
    if not start:
        return 0
    if _ANOTHER_ROAD.search(text, 0, start) and not any(b < start <= e for b, e in explained):
        return ANOTHER_ROAD
    at, count = start, 0
    while at > 0 and count < 3:
        if any(b < at <= e for b, e in explained) or _SAID_BEFORE.search(text, 0, at):
            break
        if not _CJK.match(text[at - 1]):
            break
        at, count = at - 1, count + 1
    return count
