"""Type-ahead (输入提示): from the first characters of an address to full ones, out of the same gazetteer."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from geo.address import gazetteer as gz
from geo.address.normalize import fold_text
from geo.address.resolve import house_text
from geo.address.search import Search

if TYPE_CHECKING:
    from geo.address.gazetteer import Gazetteer

_NUMBER_TAIL = re.compile(r"^(?P<name>.*?[^\d|])\|?(?P<n>\d{1,6})(?:号)?$")


class Suggester:
    """Names in sorted order, so that a prefix is a range; numbers of a street the same."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer
        self.search = Search(gazetteer)
        full = [
            (gazetteer.names.texts[i], i)
            for i in np.flatnonzero(gazetteer.posting_penalty[gazetteer.posting_ptr[:-1]] <= 0).tolist()
        ] if len(gazetteer.names.texts) else []  # fmt: skip
        full.sort()
        self._texts = [t for t, _ in full]
        self._names = [n for _, n in full]

    def suggest(self, text: str, *, limit: int = 8) -> list[dict[str, Any]]:
        """Completions of what was typed, best first.

        Parameters
        ----------
        text
            What was typed so far; a district before the name narrows.
        limit
            Most suggestions.

        Returns
        -------
        list of dict
            `text` to show, `kind` (street, number, compound, poi, area), `x` and `y` in metres. Nothing typed or
            nothing begins so: empty.
        """
        folded = fold_text(text[:60])
        if not folded:
            return []
        areas, rest = self._lead(folded)
        out = self._names_from(rest or folded, areas if rest else frozenset(), limit)
        number = _NUMBER_TAIL.match(rest or folded)
        if number:
            out = self._numbers(number["name"], number["n"], areas, limit) + out
        seen: set[str] = set()
        unique = [s for s in out if not (str(s["text"]) in seen or seen.add(str(s["text"])))]  # type: ignore[func-returns-value]
        return unique[:limit]

    def _lead(self, folded: str) -> tuple[frozenset[int], str]:
        """Areas at the start of the text, and the rest."""
        hits = [h for h in self.search.exact(folded) if h.start == 0]
        mentions = [m for m in self.search.mentions(hits) if m.start == 0 and m.weight >= 0.8]
        if not mentions:
            return frozenset(), folded
        return mentions[0].areas, folded[mentions[0].end :]

    def _inside(self, area: int, areas: frozenset[int]) -> bool:
        return not areas or bool(self.search.chain(area) & areas)

    def _names_from(self, prefix: str, areas: frozenset[int], limit: int) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        at = bisect.bisect_left(self._texts, prefix)
        kinds = {gz.STREET: "street", gz.COMPOUND: "compound", gz.POI: "poi", gz.AREA: "area"}
        while at < len(self._texts) and self._texts[at].startswith(prefix) and len(out) < 4 * limit:
            for kind, entity, penalty, _ in self.search.postings(self._names[at])[:8]:
                if penalty > 0 or kind not in kinds:
                    continue
                area, x, y, size = self._facts(kind, entity)
                if self._inside(area, areas):
                    shown = self._areas_text(area) + self._own_text(kind, entity)
                    out.append({"text": shown, "kind": kinds[kind], "x": x, "y": y, "_rank": size})
            at += 1
        out.sort(key=lambda s: -float(s["_rank"]))
        return [{k: v for k, v in s.items() if k != "_rank"} for s in out]

    def _own_text(self, kind: int, at: int) -> str:
        g = self.gazetteer
        if kind == gz.AREA:
            return ""
        return {gz.STREET: g.street_text, gz.COMPOUND: g.compound_text, gz.POI: g.poi_text}[kind][at]

    def _facts(self, kind: int, at: int) -> tuple[int, float, float, float]:
        """(area, x, y, how much stands there)."""
        g = self.gazetteer
        if kind == gz.STREET:
            return (
                int(g.street_area[at]),
                float(g.street_x[at]),
                float(g.street_y[at]),
                float(g.street_size[at]),
            )
        if kind == gz.COMPOUND:
            size = float(g.building_ptr[at + 1] - g.building_ptr[at])
            return int(g.compound_area[at]), float(g.compound_x[at]), float(g.compound_y[at]), 10 * size
        if kind == gz.POI:
            return int(g.poi_area[at]), float(g.poi_x[at]), float(g.poi_y[at]), 1.0
        return at, float(g.area_x[at]), float(g.area_y[at]), 1e6

    def _areas_text(self, area: int) -> str:
        g = self.gazetteer
        chain = sorted(self.search.chain(area), key=lambda a: int(g.area_level[a])) if area >= 0 else []
        return "".join(g.area_text[a] for a in chain if int(g.area_level[a]) <= gz.TOWN)

    def _numbers(self, name: str, digits: str, areas: frozenset[int], limit: int) -> list[dict[str, Any]]:
        """Plates of a street whose number begins with what was typed: 11 → 11, 110, 111 …, in order."""
        g, out = self.gazetteer, list[dict[str, Any]]()
        at = bisect.bisect_left(self._texts, name)
        if at == len(self._texts) or self._texts[at] != name:
            return []
        for kind, street, penalty, _ in self.search.postings(self._names[at])[:12]:
            if kind != gz.STREET or penalty > 0 or not self._inside(int(g.street_area[street]), areas):
                continue
            path = self.search.numbers.path_of(street, "")
            if path < 0:
                continue
            a, b = int(g.path_start[path]), int(g.path_end[path])
            low = int(digits)
            for scale in (1, 10, 100):
                first, last = np.searchsorted(g.plate_num[a:b], [low * scale, (low + 1) * scale])
                for plate in range(a + int(first), min(a + int(last), a + int(first) + limit)):
                    shown = self._areas_text(int(g.plate_area[plate])) + g.street_text[street]
                    shown += house_text(int(g.plate_num[plate]), int(g.plate_sub[plate]))
                    out.append(
                        {
                            "text": shown,
                            "kind": "number",
                            "x": float(g.plate_x[plate]),
                            "y": float(g.plate_y[plate]),
                        }
                    )
        return out[: limit * 2]
