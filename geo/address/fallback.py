"""Names that share pieces with a text (兜底检索): the last resort where neither exact nor near names are found.

Near names (`names`) forgive one slip. Here the pieces of a name may be swapped, doubled or lost (银座西城店商城
for 银座商城西城店): a text index proposes names that share three (tantivy: two) adjacent characters, and one
rule ranks them, so that both indexes give the same kind of answer. What is found so is only ever proposed.

The index lies in memory and is built with the first text that needs it: tens of thousands of names take a
fraction of a second, which is less than keeping one more file in step with the compiled gazetteer.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol

from geo.address.names import char_told
from geo.errors import BadInputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Kind = Literal["fts5", "tantivy"]

LONGEST = 64  # characters of a text that are looked at
MOST = 200  # names that an index proposes for ranking
SPOKEN = 24  # characters of a text up to which trigrams with a gap are looked for too
SLACK = 2  # characters that a garbled name may be longer than itself
LEAST_SHARE = 0.65  # share of a name that must stand in the text


@dataclass(frozen=True, slots=True)
class Match:
    """A name of which much stands in `text[start:end]`; `share` 0 to 1, order of its characters included."""

    name: int
    start: int
    end: int
    share: float


class TextIndex(Protocol):
    """Proposes names that share adjacent characters with a text."""

    def propose(self, text: str, most: int) -> list[int]:
        """Positions of names, best first by the index's own measure; the text is data, never a query language."""


class Fts5:
    """SQLite FTS5 with the trigram tokenizer, in memory; names of fewer than three characters are never found."""

    def __init__(self, names: Sequence[str]) -> None:
        self._lock = Lock()
        self._base = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            self._base.execute(
                "CREATE VIRTUAL TABLE names USING fts5(name, content='', tokenize='trigram', detail=full)"
            )
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"SQLite {sqlite3.sqlite_version} has no FTS5 with trigrams ({error}): use a Python with SQLite "
                "3.34 or later, or fallback='tantivy'"
            ) from error
        self._base.executemany("INSERT INTO names(rowid, name) VALUES (?, ?)", enumerate(names))
        self._base.commit()

    def propose(self, text: str, most: int) -> list[int]:
        """Names that share a trigram with the text, or with it less one character, by BM25."""
        pieces = _pieces(text, 3, gaps=len(text) <= SPOKEN)
        if not pieces:
            return []
        query = " OR ".join('"' + p.replace('"', '""') + '"' for p in pieces)
        with self._lock:
            rows = self._base.execute(
                "SELECT rowid FROM names WHERE names MATCH ? ORDER BY rank LIMIT ?", (query, most)
            )
            return [int(row[0]) for row in rows]


class Tantivy:
    """tantivy over adjacent pairs of characters, in memory; needs the extra `santu[tantivy]`."""

    def __init__(self, names: Sequence[str]) -> None:
        try:
            import tantivy  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise StoreError(
                "fallback 'tantivy' is not installed: pip install 'santu[tantivy]', or fallback='fts5'"
            ) from error
        self._query, self._should = tantivy.Query, tantivy.Occur.Should
        schema = tantivy.SchemaBuilder()
        schema.add_text_field("pairs", tokenizer_name="whitespace", index_option="freq")
        schema.add_integer_field("name", stored=True, indexed=False)
        self._schema = schema.build()
        self._index = tantivy.Index(self._schema)
        writer = self._index.writer(heap_size=50_000_000, num_threads=1)
        for i, name in enumerate(names):
            writer.add_document(tantivy.Document(pairs=" ".join(_pieces(name, 2)), name=i))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self._searcher = self._index.searcher()

    def propose(self, text: str, most: int) -> list[int]:
        """Names that share a pair of characters with the text, by BM25."""
        terms = [
            (self._should, self._query.term_query(self._schema, "pairs", p, index_option="freq"))
            for p in _pieces(text, 2)
        ]
        if not terms:
            return []
        found = self._searcher.search(self._query.boolean_query(terms), most).hits
        return [int(self._searcher.doc(at)["name"][0]) for _, at in found]


INDEXES: dict[str, Any] = {"fts5": Fts5, "tantivy": Tantivy}


class Fallback:
    """Names of which much stands in a text; safe to share between threads.

    Parameters
    ----------
    names
        Folded names of roads, compounds, facilities and aliases; a result names one by its position.
    kind
        Which index proposes: `fts5` (SQLite, always there) or `tantivy` (optional extra).

    Raises
    ------
    BadInputError
        Another kind.
    StoreError
        SQLite without FTS5 trigrams, or tantivy not installed.
    """

    def __init__(self, names: Sequence[str], kind: Kind = "fts5") -> None:
        if kind not in INDEXES:
            raise BadInputError(f"fallback must be one of {', '.join(INDEXES)}; not {kind!r}")
        INDEXES[kind]([])  # say at once that an index cannot be had, not with the first text that needs it
        self.names, self.kind = names, kind
        self._lock = Lock()
        self._made: tuple[TextIndex, NDArray[Any]] | None = None

    def _ready(self) -> tuple[TextIndex, NDArray[Any]]:
        with self._lock:
            if self._made is None:
                self._made = INDEXES[self.kind](self.names), char_told(self.names)
            return self._made

    def candidates(self, text: str, limit: int = 5) -> list[Match]:
        """Names of which much stands in a folded text, best first.

        Parameters
        ----------
        text
            Folded text; its first 64 characters are looked at.
        limit
            Most names.

        Returns
        -------
        list of Match
            Empty for a text that shares too little with every name. The share weighs a character by how few
            names have it, and by whether its neighbour in the name follows it in the text too. A long name
            stands before a short one that is a piece of it.
        """
        text = _clean(text)
        if len(text) < 2 or not len(self.names) or limit < 1:
            return []
        index, told = self._ready()
        found = [m for at in index.propose(text, MOST) if (m := _match(text, at, self.names[at], told))]
        found.sort(key=lambda m: (-(m.share**3) * len(self.names[m.name]), m.name))
        return found[:limit]


def _clean(text: str) -> str:
    """What may be looked for: no control characters, no lone surrogates."""
    return "".join(c for c in text[:LONGEST] if c.isprintable())


def _pieces(text: str, size: int, *, gaps: bool = False) -> list[str]:
    """Distinct runs of `size` characters in their order; none with a space, a break or only digits.

    With `gaps` also runs of one more character less one inside, and with two neighbours swapped.
    """
    runs = [text[i : i + size] for i in range(len(text) - size + 1)]
    if gaps:
        longer = [text[i : i + size + 1] for i in range(len(text) - size)]
        runs += [r[:at] + r[at + 1 :] for r in longer for at in range(1, size)]
        runs += [
            r[:at] + r[at + 1] + r[at] + r[at + 2 :]
            for r in runs[: len(text) - size + 1]
            for at in range(size - 1)
        ]
    return list(dict.fromkeys(r for r in runs if not (" " in r or "|" in r or r.isdigit())))


def _match(text: str, at: int, name: str, told: NDArray[Any]) -> Match | None:
    """How much of a name stands in its best window of the text; None for too little."""
    weight = {c: float(told[ord(c) & 0xFFFF]) + 0.1 for c in name}
    whole, own = sum(weight[c] for c in name), Counter(name)
    if 0.8 * sum(weight[c] for c in name if c in text) / whole + 0.2 < LEAST_SHARE:
        return None
    size = min(len(name) + SLACK, len(text))
    have: Counter[str] = Counter(text[:size])
    best, start = -1.0, 0
    told_now = sum(weight[c] * min(n, have[c]) for c, n in own.items())
    for i in range(len(text) - size + 1):
        if i:
            gone, come = text[i - 1], text[i + size - 1]
            if own[gone] and have[gone] <= own[gone]:
                told_now -= weight[gone]
            have[gone] -= 1
            have[come] += 1
            if own[come] and have[come] <= own[come]:
                told_now += weight[come]
        if told_now > best + 1e-9:
            best, start = told_now, i
    window = text[start : start + size]
    inside = [i for i, c in enumerate(window) if c in own]
    if not inside:
        return None
    pairs = list(pairwise(name))
    kept = sum(a + b in window for a, b in pairs) / len(pairs) if pairs else 1.0
    share = 0.8 * best / whole + 0.2 * kept
    if share < LEAST_SHARE:
        return None
    return Match(at, start + inside[0], start + inside[-1] + 1, min(share, 1.0))
