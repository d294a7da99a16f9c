"""One chunk of a file on its way into a table (逐块导入): values, shapes and keys, with one reason per bad row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo import codes, schema
from geo.errors import Problem
from geo.io import headers, headings, ids, place, privacy, shape, values
from geo.io.cleaning import ABSENT, clean
from geo.io.report import Rejected
from geo.io.times import joined as joined_times
from geo.io.witness import Witness, Words, stated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geo.city import City
    from geo.io.place import Place
    from geo.io.report import Report

SAMPLE = 400
"""Shapes of each chunk that are kept to judge the whole file's coordinate system at its end."""

# Things that stand in one place once: the same row twice is the same thing. Two incidents may be alike.
_ONCE = {"grids", "boundary", "buildings", "roads", "water", "occluders", "forbidden"}


@dataclass(slots=True)
class Batch:
    """Rows ready for the store, and those that are not trusted."""

    frame: pd.DataFrame
    rejected: list[Rejected]


@dataclass(slots=True)
class FilePlan:
    """What was decided for a whole file from its first chunk."""

    path: str
    table: schema.Table
    headers: dict[str, str]  # contract column, place or part -> header
    factors: Mapping[str, float]
    place: Place | None
    witness: Witness
    constants: Mapping[str, str]
    city: City
    timezone: str
    parents: tuple[str, ...] = ()
    keep_outside: bool = False
    guarded: bool = False  # text may carry the apostrophe of `export.guarded`
    open_columns: tuple[str, ...] = ()  # headers whose words may say where a row is: not the personal ones
    contacts: tuple[str, ...] = ()  # personal columns that only say whether there is a contact
    seen: ids.Seen = field(default_factory=ids.Seen)
    # of every chunk some raw shapes, and what their rows say of their place
    sampled: list[tuple[NDArray[np.object_], Words | None]] = field(default_factory=list)


@dataclass(slots=True)
class _Work:
    """The rows of one chunk: what is still trusted, and the first problem of each row that is not."""

    rows: NDArray[np.int64]
    report: Report
    problems: dict[int, Problem] = field(default_factory=dict)

    def refuse(self, found: Mapping[int, Problem]) -> None:
        for i, problem in found.items():
            self.problems.setdefault(i, problem)

    @property
    def good(self) -> NDArray[np.bool_]:
        result = np.ones(len(self.rows), dtype=bool)
        result[list(self.problems)] = False
        return result


def process(
    raw: pd.DataFrame,
    rows: NDArray[np.int64],
    shapes: NDArray[np.object_] | None,
    plan: FilePlan,
    report: Report,
) -> Batch:
    """Turn raw rows into a conforming frame in the store's degrees, and the rejected rest.

    Parameters
    ----------
    raw, rows, shapes
        A chunk: raw columns, the row numbers that a person sees, geometry of the format if it has one.
    plan
        Decisions for the file.
    report
        Counts of repairs, of derived, dropped and left-out values are added here.
    """
    work = _Work(rows, report)
    columns = _cleaned(raw, plan, work)
    if plan.table.geometry:
        shapes = _placed(columns, shapes, plan, work, raw)
    hashed = ids.content_hash(
        pd.DataFrame({k: v for k, v in columns.items() if k not in headers.PLACE}), shapes
    )
    typed = _typed(columns, plan, work)
    keys = _keys(columns, hashed, plan, work)
    frame = pd.DataFrame(typed, index=raw.index)
    frame[plan.table.key] = np.asarray(keys, dtype="object")
    _check_codes(frame, plan, work)
    return _split(frame, columns, shapes, plan, work)


def _cleaned(raw: pd.DataFrame, plan: FilePlan, work: _Work) -> dict[str, pd.Series]:
    """Every used column, text cleaned, personal numbers blanked, constants set."""
    columns: dict[str, pd.Series] = {}
    for column, header in plan.headers.items():
        values_ = raw[header]
        if not (pd.api.types.is_string_dtype(values_.dtype) or values_.dtype == object or
                isinstance(values_.dtype, pd.CategoricalDtype)):  # fmt: skip
            columns[column] = _plain_numbers(values_) if _holds_text(plan.table, column) else values_
            continue
        text, counts = clean(values_)
        work.report.repairs.update(counts)
        _refuse_damaged(text, header, work)
        if plan.guarded:
            text = _unguarded(text)
        if column not in headers.PLACE and column != plan.table.key:
            text, blanked = privacy.redact(text)
            if blanked:
                work.report.repairs["privacy.blanked"] += blanked
        columns[column] = text
    for column, value in plan.constants.items():
        columns[column] = pd.Series(value, index=raw.index, dtype="str")
    if plan.contacts and "has_contact" not in columns:
        given = pd.concat([clean(raw[h])[0].notna() for h in plan.contacts], axis=1).any(axis=1)
        columns["has_contact"] = given.astype("boolean")
        work.report.derived["has_contact"] += int(given.sum())
    return columns


def _holds_text(table: schema.Table, column: str) -> bool:
    """Whether a column of the contract is text: codes that a file keeps as numbers must not become 12.0."""
    return column == table.key or any(c.name == column and c.kind == "text" for c in table.columns)


def _refuse_damaged(text: pd.Series, header: str, work: _Work) -> None:
    flat = text.fillna("")
    damaged = flat.str.contains("\ufffd", regex=False).to_numpy(dtype=bool)
    rule = "text that decodes whole (--encoding names another one)"
    work.refuse(
        {
            int(i): Problem("text.undecodable", header, int(work.rows[i]), flat.iloc[i], rule)
            for i in np.flatnonzero(damaged)
        }
    )
    lost = flat.str.startswith(headers.LOST).to_numpy(dtype=bool)
    rule = "a long number stored as text in the spreadsheet: Excel keeps 15 digits of a number"
    for i in np.flatnonzero(lost):
        value = flat.iloc[i].removeprefix(headers.LOST)
        work.refuse({int(i): Problem("number.rounded", header, int(work.rows[i]), value, rule)})


def _unguarded(text: pd.Series) -> pd.Series:
    """Take off the apostrophe that an export puts before a cell that a spreadsheet would run as a formula."""
    return text.str.replace(r"^'(?='*[=+\-@\t\r＝＋－＠])", "", regex=True)


def _placed(
    columns: dict[str, pd.Series],
    shapes: NDArray[np.object_] | None,
    plan: FilePlan,
    work: _Work,
    raw: pd.DataFrame,
) -> NDArray[np.object_]:
    """Shapes in the store's degrees, repaired; what has no place that can be true is refused."""
    rows = work.rows
    where = {k: h for k, h in plan.headers.items() if k in headers.PLACE}
    if shapes is None:
        shapes, problems = shape.from_columns(columns, where, rows)
        work.refuse(problems)
    _sample(raw, shapes, plan)
    given = ~shapely.is_missing(shapes)
    zero = given & shapely.is_valid_input(shapes)
    zero[zero] = (np.abs(shapely.bounds(shapes[zero])) < 1e-9).all(axis=1)
    column = ", ".join(dict.fromkeys(where.values())) or "geometry"
    rule = "the place itself; 0, 0 stands for unknown"
    work.refuse(
        {
            int(i): Problem("coordinates.zero", column, int(rows[i]), "0, 0", rule)
            for i in np.flatnonzero(zero)
        }
    )
    shapes, problems, counts = shape.fit(shapes, plan.table, rows)
    work.refuse(problems)
    work.report.repairs.update(counts)
    if plan.place is not None:
        shapes = place.to_degrees(shapes, plan.place)
    work.refuse(place.faults(shapes, rows, where, plan.witness.extent, keep_outside=plan.keep_outside))
    return shapes


def _sample(raw: pd.DataFrame, shapes: NDArray[np.object_], plan: FilePlan) -> None:
    """Keep some shapes and words of a chunk, copied: a view would keep all of it."""
    some = slice(None, None, max(len(shapes) // SAMPLE, 1))
    words = stated(raw.iloc[some], plan.open_columns, plan.witness)
    plan.sampled.append((shapes[some].copy(), words))


def _typed(columns: dict[str, pd.Series], plan: FilePlan, work: _Work) -> dict[str, pd.Series]:
    """Values in the contract's types; what cannot be read empties an optional value or refuses the row."""
    typed: dict[str, pd.Series] = {}
    _join_alleys(columns)
    if "date_part" in columns and "time_part" in columns:
        joined, spans = joined_times(columns["date_part"], columns["time_part"])
        columns["occurred_at"] = joined
        work.report.derived["occurred_at.joined"] += int(joined.notna().sum())
        if spans:
            work.report.derived["occurred_at.start_of_span"] += spans
    for column in plan.table.columns:
        given = columns.get(column.name)
        if given is None:
            continue
        factor = plan.factors.get(column.name, 1.0)
        result = values.read(plan.table.name, column, given, timezone=plan.timezone, factor=factor)
        if plan.table.name == "cameras" and column.name == "bearing_deg":
            result = result.fillna(headings.first(given, columns, typed, work.report))
        if column.name == "bearing_deg" and "bearing_error_deg" not in columns:
            error = values.bearings(given)[1]
            if error.notna().any():
                typed["bearing_error_deg"] = error
                work.report.derived["bearing.from_compass_word"] += int(error.notna().sum())
        if column.kind in ("time", "date"):
            work.report.derived.update(_coarse(given, column.name))
        typed[column.name] = _judged(column, given, result, plan, work)
    return typed


def _join_alleys(columns: dict[str, pd.Series]) -> None:
    """Lane and alley (巷、弄) of an address in one text, largest first."""
    if "alley_part" in columns:
        alley = columns.pop("alley_part")
        lane = columns.get("lane", pd.Series(None, index=alley.index, dtype="str"))
        both = lane.fillna("") + alley.fillna("")
        columns["lane"] = both.where(both != "")


def _coarse(given: pd.Series, name: str) -> dict[str, int]:
    if not pd.api.types.is_string_dtype(given.dtype):
        return {}
    months = int(given.str.fullmatch(r"\d{4}[-/.]\d{1,2}").fillna(False).sum())
    return {f"{name}.first_of_month": months} if months else {}


def _judged(
    column: schema.Column, given: pd.Series, result: pd.Series, plan: FilePlan, work: _Work
) -> pd.Series:
    absent = given.isna()
    if column.kind != "text" and pd.api.types.is_string_dtype(given.dtype):
        absent |= given.str.lower().isin(ABSENT).fillna(False).astype(bool)
    bad = ~absent & result.isna()
    if column.kind in ("int", "float"):
        number = result.astype("float64")
        low = -np.inf if column.minimum is None else column.minimum
        high = np.inf if column.maximum is None else column.maximum
        off = number.notna() & ~((number >= low) & (number <= high))
        if column.kind == "int":
            off |= number.notna() & (number != number.round())
        bad |= off
        result = number.mask(off)
    bad_at = np.flatnonzero(bad.to_numpy(dtype=bool))
    header = plan.headers.get(column.name, column.name)
    for i in bad_at:
        problem = Problem("value", header, int(work.rows[i]), str(given.iloc[i]), column.rule)
        if column.required:
            work.refuse({int(i): problem})
        else:
            work.report.sample(plan.path, problem)
    if len(bad_at) and not column.required:
        work.report.dropped[column.name] += len(bad_at)
    if column.required:
        missing = np.flatnonzero((result.isna() & ~bad).to_numpy(dtype=bool))
        work.refuse(
            {int(i): Problem("value.absent", header, int(work.rows[i]), "", column.rule) for i in missing}
        )
    return result


def _keys(columns: dict[str, pd.Series], hashed: NDArray[np.uint64], plan: FilePlan, work: _Work) -> pd.Index:
    """Keys of the rows: the file's own (each once), or made from content (the same file gives the same ids)."""
    table = plan.table
    own = columns.get(table.key)
    good = work.good
    if own is None:
        before = np.zeros(len(hashed), dtype="int64")
        before[good], _ = plan.seen.add(hashed[good], hashed[good])
        if table.name in _ONCE:
            again = good & (before > 0)
            work.report.left_out["row.duplicate"] += int(again.sum())
            work.refuse({int(i): Problem("row.duplicate") for i in np.flatnonzero(again)})
        work.report.derived[table.key] += int(good.sum())
        return ids.text_ids(table.name, hashed, before + 1)
    text = own.astype("str")
    missing = np.flatnonzero(text.isna().to_numpy() & good)
    header = plan.headers.get(table.key, table.key)
    work.refuse(
        {int(i): Problem("key.absent", header, int(work.rows[i]), "", "a key in every row") for i in missing}
    )
    good = work.good
    where = np.flatnonzero(good)
    before, first = plan.seen.add(ids.keys_hash(text[good]), hashed[good])
    again = before > 0
    same = again & (first == hashed[good])
    work.report.left_out["row.duplicate"] += int(same.sum())
    work.refuse({int(i): Problem("row.duplicate") for i in where[same]})
    rule = "every key once; an earlier row has it with other values"
    work.refuse({
        int(i): Problem("key.duplicate", header, int(work.rows[i]), str(text.iloc[i]), rule, str(text.iloc[i]))
        for i in where[again & ~same]
    })  # fmt: skip
    return pd.Index(text)


def _plain_numbers(own: pd.Series) -> pd.Series:
    """Numbers as text without a point: 12.0 is 12; anything else as it prints."""
    if not pd.api.types.is_numeric_dtype(own.dtype) or pd.api.types.is_bool_dtype(own.dtype):
        return own.astype("str").where(own.notna())
    number = own.astype("float64")
    whole = number.notna() & (number == number.round())
    text = own.astype("str").where(own.notna())
    return text.where(~whole, number.round().astype("Int64").astype("str")).astype("str")


def _check_codes(frame: pd.DataFrame, plan: FilePlan, work: _Work) -> None:
    """Grid codes against the city's scheme; camera codes that claim to be GB/T 28181 against its length."""
    if plan.table.name == "grids" and plan.city.scheme and "level" in frame:
        scheme = codes.scheme(plan.city.scheme)
        level = pd.to_numeric(frame["level"], errors="coerce")
        fault = codes.faults(frame["grid_id"].astype("str"), level, scheme)
        header = plan.headers.get("grid_id", "grid_id")
        for i in np.flatnonzero((fault != "").to_numpy() & work.good):
            lengths = scheme.lengths(int(level.iloc[i])) if pd.notna(level.iloc[i]) else (scheme.length,)
            digits = " or ".join(map(str, lengths)) or "no"
            rule = f"{digits} digits (scheme {scheme.name})"
            work.refuse({int(i): Problem("code.length" if "digits" in fault.iloc[i] and fault.iloc[i] != "not digits" else "code.digits",
                                         header, int(work.rows[i]), str(frame["grid_id"].iloc[i]), rule)})  # fmt: skip


def _split(
    frame: pd.DataFrame,
    columns: Mapping[str, pd.Series],
    shapes: NDArray[np.object_] | None,
    plan: FilePlan,
    work: _Work,
) -> Batch:
    good = work.good
    kept = frame[good].set_index(plan.table.key)
    if plan.table.geometry and shapes is not None:
        kept = gpd.GeoDataFrame(kept, geometry=shapes[good], crs=place.LONLAT)
    conformed, rest = schema.conform(plan.table.name, kept)
    for problem in rest:  # what the door missed, the contract finds: never into the store
        at = int(np.flatnonzero(good)[problem.row]) if problem.row is not None else 0
        seen = Problem(
            problem.code, problem.column, int(work.rows[at]), problem.value, problem.allowed, problem.id
        )
        work.refuse({at: seen})
    still = work.good[good]
    conformed = conformed[still]
    if plan.table.name == "cameras" and "bearing_deg" in columns:
        conformed = headings.each(conformed, columns["bearing_deg"][good][still], work.report)
    rejected = _rejected(columns, plan, work)
    return Batch(conformed, rejected)


def _rejected(columns: Mapping[str, pd.Series], plan: FilePlan, work: _Work) -> list[Rejected]:
    result = []
    for i, problem in sorted(work.problems.items()):
        if problem.code == "row.duplicate":
            continue
        content: dict[str, Any] = {
            c: str(s.iloc[i])[:200]
            for c, s in columns.items()
            if c not in ("wkt", "geojson") and not pd.isna(s.iloc[i])
        }
        work.report.sample(plan.path, problem)
        work.report.reasons[problem.code] += 1
        result.append(Rejected(int(work.rows[i]), problem.code, str(problem), content))
    return result
