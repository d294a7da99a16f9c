"""Import of the people table (重点关注人员): counts per grid and service category, never a person.

Rows with a count are taken as they are; rows without one are counted by grid and category at once and thrown
away. Columns that look like names, identity or phone numbers, faces or plates, and categories about petitioning,
belief, ethnicity or politics stop the import: what is not accepted is not even read into memory twice.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo import schema
from geo.errors import ImportRefusedError, PrivacyError, Problem
from geo.io import derive, headers, place, privacy, shape, values, where
from geo.io.cleaning import clean
from geo.io.report import Rejected
from geo.io.rows import Batch
from geo.io.times import dates
from geo.io.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from geo.city import City
    from geo.io.options import ImportOptions
    from geo.io.report import Report
    from geo.io.source import Chunk, Source


_PLACES = re.compile(
    "网格|網格|社区|社區|村|街|镇|鎮|区|區|县|單位|单位|类|類|地址|路|编码|編碼|grid|categor|district",
    re.IGNORECASE,
)
"""Headers of places and categories: their short words may begin with a surname."""


@dataclass(slots=True)
class Counting:
    """Counts one people file, chunk by chunk; holds totals and no rows."""

    source: Source
    city: City
    options: ImportOptions
    report: Report
    _found: dict[str, str] = field(default_factory=dict)
    _totals: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def batches(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Batch, float, int]]:
        """Yield one batch: the counts of the whole file.

        Raises
        ------
        PrivacyError
            For a column about persons or a category that is no service category.
        ImportRefusedError
            Without grid (or coordinates) and category.
        """
        _refuse_headers(self.source)
        self._match()
        rejected: list[Rejected] = []
        read = 0
        for chunk in chunks:
            _refuse_content(self.source, chunk)
            read += len(chunk.frame)
            frame, numbers = chunk.frame, chunk.rows
            if self.options.where:
                taken = where.chosen(frame, self.options.where)
                self.report.left_out["not chosen by --where"] += int((~taken).sum())
                frame, numbers = frame[taken].reset_index(drop=True), numbers[taken]
            rejected += self._count(frame, numbers)
        if not self._counted:
            self.report.note("rows were counted by grid and category and thrown away; no person is stored")
        yield Batch(_frame(self._totals), rejected), 1.0, read

    @property
    def _counted(self) -> bool:
        return "count" in self._found or "count" in self.options.constants

    def _match(self) -> None:
        columns = self.source.columns
        mapped = headers.match("people", columns, self.options.columns).columns
        self._found = {c: h for c, h in mapped.items() if c not in self.options.constants}
        have = {*self._found, *self.options.constants}
        lacking = [c for c in ("grid_id", "category") if c not in have]
        if lacking == ["grid_id"] and {"lon", "lat"} <= have:
            lacking = []
        if lacking:
            raise ImportRefusedError(
                f"{self.source.name}: does not fit the table people; its columns are {', '.join(columns)}; no column "
                f"for {' and '.join(lacking)}. Say --column HEADER={lacking[0]}"
            )
        self.report.columns = dict(self._found)
        self.report.unused = [h for h in columns if h not in self._found.values()]

    def _count(self, frame: pd.DataFrame, numbers: NDArray[np.int64]) -> list[Rejected]:
        columns = {c: clean(frame[h])[0] for c, h in self._found.items()}
        columns |= {
            c: pd.Series(v, index=frame.index, dtype="str") for c, v in self.options.constants.items()
        }
        self._refuse_categories(columns["category"], numbers)
        problems: dict[int, Problem] = {}
        number = values.numbers(columns["count"]) if self._counted else pd.Series(1.0, index=frame.index)
        counted = pd.DataFrame(
            {
                "grid_id": columns["grid_id"]
                if "grid_id" in columns
                else self._located(columns, numbers, problems),
                "category": columns["category"],
                "count": number.where((number >= 0) & (number == number.round())),
                "as_of": dates(columns["as_of"], self.options.timezone) if "as_of" in columns else pd.NaT,
            }
        )
        for name, rule in (
            ("grid_id", "a grid code"),
            ("category", "a category"),
            ("count", "a whole number from 0"),
        ):
            header = self._found.get(name, name)
            for i in np.flatnonzero(counted[name].isna().to_numpy()):
                given = str(columns[name].iloc[i]) if name == "count" and self._counted else ""
                problems.setdefault(int(i), Problem("value", header, int(numbers[i]), given, rule))
        good = counted.drop(index=counted.index[list(problems)])
        day = good["as_of"].dt.strftime("%Y-%m-%d").fillna("") if len(good) else good["as_of"].astype("str")
        # rows with a count may keep the file's own key; counted persons never keep anything of their own
        own = columns["people_id"] if self._counted and "people_id" in columns else None
        made = good["grid_id"] + "|" + good["category"] + ("|" + day).where(day != "", "")
        keys = made if own is None else own[good.index].fillna(made)
        for key, total in good.groupby([keys, good["grid_id"], good["category"], day])["count"].sum().items():
            self._totals[key] += int(total)
        for problem in problems.values():
            self.report.reasons[problem.code] += 1
            self.report.sample(str(self.source.name), problem)
        # what a refused row held is not kept: it may be about a person
        return [Rejected(int(numbers[i]), p.code, str(p), {}) for i, p in sorted(problems.items())]

    def _refuse_categories(self, category: pd.Series, numbers: NDArray[np.int64]) -> None:
        forbidden = privacy.forbidden_category(category.dropna().unique())
        if forbidden:
            word, about = forbidden[0]
            row = int(numbers[np.flatnonzero((category == word).to_numpy(dtype=bool, na_value=False))[0]])
            raise PrivacyError(
                f"{self.source.name}: row {row}, column {self._found.get('category', 'category')!r}: category {word!r} "
                f"is about {about}; allowed: service categories (e.g. 独居老人, 残疾人, 困境儿童). Nothing was stored."
            )

    def _located(
        self, columns: dict[str, pd.Series], numbers: NDArray[np.int64], problems: dict[int, Problem]
    ) -> pd.Series:
        """Base grid of each row's coordinates; the coordinates go no further."""
        shapes, absent = shape.from_columns(columns, self._found, numbers)
        problems.update(absent)
        witness = Witness.of(self.city, "people")
        headers_ = {c: h for c, h in self._found.items() if c in headers.PLACE}
        chosen = place.decide(self.source, self.options.crs, headers_, shapes, witness)
        self.report.crs = chosen.label
        grid = derive.grid_of(place.to_degrees(shapes, chosen), self.city)
        self.report.derived["grid_id.from_coordinates"] += int(grid.notna().sum())
        return grid


def _refuse_headers(source: Source) -> None:
    personal = [(h, kind) for h in source.columns if (kind := privacy.header_kind(h))]
    if personal:
        listed = ", ".join(f"{h!r} ({kind})" for h, kind in personal)
        raise PrivacyError(
            f"{source.name}: columns about persons: {listed}; allowed: grid code, service category, count and date. "
            "Take these columns out before the file comes here. Nothing was stored."
        )


def _refuse_content(source: Source, chunk: Chunk) -> None:
    for header in chunk.frame.columns:
        column = chunk.frame[header]
        if not pd.api.types.is_string_dtype(column.dtype) and column.dtype != object:
            column = column.astype("str").where(column.notna())
        kind = privacy.content_kind(column, names=not _PLACES.search(str(header)))
        if not kind and 5 * privacy.redact(column)[1] >= max(len(column), 5):
            kind = "numbers of persons inside text"
        if kind:  # the value itself is not shown: it is what must not be spread
            raise PrivacyError(
                f"{source.name}: the values of column {str(header)!r} look like: {kind} (rows from {chunk.rows[0]}); "
                "allowed: grid code, service category, count and date. Nothing was stored."
            )


def _frame(totals: Counter[tuple[str, str, str, str]]) -> pd.DataFrame:
    keys = sorted(totals)
    frame = pd.DataFrame(
        {
            "people_id": [i for i, _, _, _ in keys],
            "grid_id": [g for _, g, _, _ in keys],
            "category": [c for _, _, c, _ in keys],
            "count": [totals[k] for k in keys],
            "as_of": pd.to_datetime(pd.Series([d or None for _, _, _, d in keys], dtype="object")),
        }
    )
    return schema.checked("people", frame.set_index("people_id"))
