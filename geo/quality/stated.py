"""What rows say about their own place in words (自述位置): the grid, village or town and the road that they name.

A code or a name in a column of its own, or names inside an address text: both tell systems of coordinates apart
far better than the distance to just any road.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from geo.quality.evidence import Reference

MOST_TEXTS = 4000
MIN_NAME = 2
MAX_NAME = 24


@dataclass(frozen=True)
class Stated:
    """What n rows say: `area`, position in `Reference.areas` (-1 none); `road`, position of a road name (-1)."""

    area: NDArray[np.intp]
    road: NDArray[np.intp]

    def __getitem__(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Stated:
        """Return the part about some rows."""
        return Stated(self.area[rows], self.road[rows])

    @classmethod
    def nothing(cls, count: int) -> Stated:
        """Rows that say nothing."""
        return cls(np.full(count, -1), np.full(count, -1))

    @classmethod
    def read(
        cls, reference: Reference, area: ArrayLike | None, text: ArrayLike | None, count: int, *, seed: int
    ) -> Stated:
        """Read what rows say (解读自述位置).

        Parameters
        ----------
        reference
            What the city holds: the areas and roads that may be named.
        area
            A code or name of an area for each row; None: no such column.
        text
            Words of each row, e.g. its address; the smallest area and the longest road name in them count. Of more
            than 4,000 rows only so many, drawn by `seed`, are read.
        count
            Number of rows.
        """
        found = cls.nothing(count)
        if area is not None and reference.areas is not None:
            words = pd.Series(np.ravel(np.asarray(area, dtype=object))).astype("str")
            found.area[:] = reference.areas.index.get_indexer(pd.Index(words))
        if text is None or not count:
            return found
        rows = np.arange(count)
        if count > MOST_TEXTS:
            rows = np.sort(np.random.default_rng(seed).choice(count, MOST_TEXTS, replace=False))
        texts = np.ravel(np.asarray(text, dtype=object))[rows]
        if reference.areas is not None:
            named = _contained(texts, reference.area_ranks)
            found.area[rows] = np.where(found.area[rows] >= 0, found.area[rows], named)
        found.road[rows] = _contained(texts, reference.road_ranks)
        return found


def ranks(names: pd.Index, size: NDArray[np.float64]) -> dict[str, tuple[float, int]]:
    """Name → (size, position), for names that a text can hold without chance: no bare numbers, two letters or more."""
    text = names.astype("str")
    fit = (text.str.len() >= MIN_NAME) & (text.str.len() <= MAX_NAME) & ~text.str.fullmatch(r"[\W\dA-Za-z]+")
    latin = text.str.fullmatch(r"[A-Za-z][A-Za-z .'\-]{4,}[A-Za-z]")
    at = np.flatnonzero(np.asarray(fit | latin, dtype=bool))
    return dict(zip(text[at], zip(size[at].tolist(), at.tolist(), strict=True), strict=True))


def _contained(texts: NDArray[np.object_], known: Mapping[str, tuple[float, int]]) -> NDArray[np.intp]:
    """Position of the smallest-ranked known name inside each text, -1 for none."""
    lengths = sorted({len(name) for name in known})

    def best(text: object) -> int:
        if not isinstance(text, str):
            return -1
        parts = (text[i : i + n] for n in lengths for i in range(len(text) - n + 1))
        return min((known[p] for p in parts if p in known), default=(0.0, -1))[1]

    codes, unique = pd.factorize(texts)
    found = np.array([best(t) for t in unique] + [-1], dtype=np.intp)
    return np.asarray(found[codes])


def geometry_of(shapes: NDArray[np.object_], at: NDArray[np.intp]) -> NDArray[np.object_]:
    """Shape at each position, None at -1."""
    return np.asarray(np.append(shapes, [None])[at], dtype=object)


def road_index(
    names: NDArray[np.object_], lines: NDArray[np.object_]
) -> tuple[pd.Index, NDArray[np.object_]]:
    """Every road name once, and all the lines of that name as one shape; roads without a name are left out."""
    codes, unique = pd.factorize(pd.Series(names, dtype=object))
    parts, owner = shapely.get_parts(lines[codes >= 0], return_index=True)
    owner = codes[codes >= 0][owner]
    order = np.argsort(owner, kind="stable")
    joined = (
        shapely.multilinestrings(parts[order], indices=owner[order]) if len(parts) else np.empty(0, object)
    )
    return pd.Index(unique), np.asarray(joined, dtype=object)
