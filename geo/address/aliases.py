"""Other names of places (别名): old names, nicknames, and what operators taught.

An alias is replaced by its standard text before the text is read; so a nickname of a compound can be followed
by a building, an old road name by a number. Aliases lie over the compiled gazetteer: one taught now counts
with the next text. Each has days of validity, so that an old text is read with the names of its day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from geo.address.names import automaton_of
from geo.address.normalize import Folded, fold_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geo.address.found import Hit


@dataclass(frozen=True)
class Aliases:
    """Folded aliases and their folded standard texts."""

    names: tuple[str, ...]
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_automaton", automaton_of(self.names))

    @classmethod
    def of(cls, table: pd.DataFrame | None, as_of: pd.Timestamp | None = None) -> Aliases:
        """Aliases of a table that count on a day; see `valid`. None or no rows: none."""
        if table is None or not len(table):
            return NO_ALIASES
        live = valid(table, as_of)
        rows = {
            fold_text(str(t)): fold_text(str(s)) for t, s in zip(live["text"], live["standard"], strict=True)
        }
        rows = {k: v for k, v in rows.items() if len(k) >= 2 and v and k != v}
        return cls(tuple(rows), tuple(rows.values()))

    def rewrite(self, folded: Folded, hits: Sequence[Hit]) -> tuple[Folded, str]:
        """Text with its longest alias replaced, and "alias→standard" ("" where there is none).

        An alias inside a longer name of the table (`hits`) is that name, not the alias; one that its own
        standard text already surrounds is left alone.
        """
        if not self.names:
            return folded, ""
        best: tuple[int, int, int] | None = None
        for last, at in self._automaton.iter(folded.text):  # type: ignore[attr-defined]
            end = last + 1
            start = end - len(self.names[at])
            inside = any(h.start <= start and end <= h.end and h.end - h.start > end - start for h in hits)
            if (
                not inside
                and self.targets[at] not in folded.text
                and (best is None or end - start > best[1] - best[0])
            ):
                best = start, end, at
        if best is None:
            return folded, ""
        start, end, at = best
        target = self.targets[at]
        source = (*folded.source[:start], *[folded.source[start]] * len(target), *folded.source[end:])
        text = folded.text[:start] + target + folded.text[end:]
        return Folded(text, source, frozenset(), folded.cut), f"{self.names[at]}→{target}"


NO_ALIASES = Aliases((), ())


def valid(aliases: pd.DataFrame, as_of: pd.Timestamp | None) -> pd.DataFrame:
    """Aliases that count on a day (当日有效别名): accepted (or without a state), begun and not ended.

    `as_of` None: whatever their days. Begin inclusive, end exclusive, like grids.
    """
    state = aliases["state"] if "state" in aliases.columns else pd.Series("accepted", index=aliases.index)
    live = (state.isna() | (state == "accepted")).to_numpy(bool)
    if as_of is not None:
        for column, begins in (("valid_from", True), ("valid_to", False)):
            if column in aliases.columns:
                day = pd.to_datetime(aliases[column])
                fits = (day <= as_of) if begins else (day > as_of)
                live = live & (day.isna() | fits).to_numpy(bool)
    return aliases.loc[live]
