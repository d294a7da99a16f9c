"""`santu import`: files into one table of a store, in one transaction (导入).

Read in chunks, each mapped, cleaned, placed, checked (`rows.process`) and written at once; what is not trusted
goes to the quarantine in the same transaction. Any refusal in the middle undoes all of it. A dry run does the
same work and undoes it at the end: its report is exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import pandas as pd

from geo import schema
from geo.errors import ImportRefusedError, UnknownNameError
from geo.io import derive, headers, people, place, privacy, rows, shape, where
from geo.io.report import Rejected, Report
from geo.io.source import CHUNK_ROWS, MAX_BYTES, Chunk, ReadOptions, Source, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from geo.city import City


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import; the names are those of the command line.

    Parameters
    ----------
    columns
        Header of the file → column of the table.
    constants
        Column of the table → value for every row.
    where
        SQL condition over the file's columns.
    layer
        Layer, sheet, or file of an archive.
    mode
        ``append`` adds and changes by key; ``replace`` also removes what the files do not have.
    crs, encoding
        ``auto`` or a name.
    parents
        Headers of the codes of the levels above, nearest first: the base grids are joined to those levels.
    max_bytes
        Largest file that is read.
    max_bad
        Largest share of rows that may go to the quarantine; above it the file is refused.
    keep_outside
        Take rows far from the city too.
    timezone
        Of times that name none; empty: the city's.
    dry_run
        Report, change nothing.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    layer: str = ""
    mode: Literal["append", "replace"] = "append"
    crs: str = "auto"
    encoding: str = "auto"
    parents: tuple[str, ...] = ()
    max_bytes: int = MAX_BYTES
    max_bad: float = 0.5
    keep_outside: bool = False
    timezone: str = ""
    dry_run: bool = False
    chunk_rows: int = CHUNK_ROWS


class Change(Protocol):
    """What an import needs of a store's transaction."""

    def upsert(self, table: str, frame: pd.DataFrame) -> Any:  # noqa: ANN401
        """Add or change rows; the result counts `inserted`, `updated`, `unchanged`, `retired`."""

    def clear(self, table: str) -> int:
        """Remove every row; how many there were."""

    def quarantine(self, table: str, source: str, rows: Iterable[Any]) -> int:
        """Keep rows that were not trusted."""

    def audit(self, who: str, action: str, subject: str, detail: str = "") -> None:
        """Add a line to the audit log."""


class Sink(Protocol):
    """What an import needs of a store."""

    def city(self) -> City:
        """Return the snapshot of this moment."""

    def transaction(self) -> AbstractContextManager[Any]:
        """All or nothing."""


Progress = Callable[[str, float, int], None]


@dataclass(frozen=True, slots=True)
class _Run:
    """What all files of one import share."""

    contract: schema.Table
    change: Change
    city: City
    options: ImportOptions
    report: Report
    progress: Progress | None


class _UndoError(Exception):
    """Leaves a transaction so that it is undone."""


def import_files(
    table: str,
    paths: Sequence[str | Path],
    store: Sink,
    *,
    options: ImportOptions | None = None,
    progress: Progress | None = None,
    who: str = "santu import",
) -> Report:
    """Import files into one table of a store (导入数据).

    Parameters
    ----------
    table
        Name of the table.
    paths
        One or more files.
    store
        Where they go.
    options
        See `ImportOptions`.
    progress
        Called after every chunk with the file's name, the fraction read and the rows read so far.
    who
        For the audit log.

    Returns
    -------
    Report
        What was read, written, repaired, derived and refused.

    Raises
    ------
    UnknownNameError
        No such table, or a named header or column that does not exist.
    ImportRefusedError
        A file that is refused whole; the store is as it was.
    PrivacyError
        A people file that holds persons or categories that are not accepted; the store is as it was.
    """
    contract = schema.table(table)
    options = options or ImportOptions()
    _check_options(contract, options, paths)
    report = Report(table, dry_run=options.dry_run, files=[str(p) for p in paths])
    city = store.city()
    options = replace(options, timezone=options.timezone or city.timezone)
    sources = [
        open_source(p, ReadOptions(options.encoding, options.layer, options.max_bytes), table=table)
        for p in paths
    ]
    try:
        with store.transaction() as change:
            run = _Run(contract, change, city, options, report, progress)
            removed = change.clear(table) if options.mode == "replace" else 0
            for source in sources:
                _import_one(source, run)
            if not report.read:
                raise ImportRefusedError(f"{paths[0]}: no rows; nothing to import")
            report.removed = (
                max(0, removed - report.imported - report.updated - report.unchanged) if removed else 0
            )
            change.audit(who, "import", table, f"{report.imported} new, {report.updated} changed, "
                         f"{report.quarantined} quarantined from {', '.join(Path(p).name for p in paths)}")  # fmt: skip
            if options.dry_run:
                raise _UndoError  # noqa: TRY301  (the only way to leave a transaction undone)
    except _UndoError:
        pass
    return report


def _check_options(contract: schema.Table, options: ImportOptions, paths: Sequence[str | Path]) -> None:
    if not paths:
        raise ImportRefusedError("no file named; nothing to import")
    allowed = (contract.key, *contract.names)
    for column in options.constants:
        if column not in allowed:
            raise UnknownNameError(f"column of {contract.name}", column, allowed)
    if options.parents and contract.name != "grids":
        raise ImportRefusedError("--parents is for the table grids: it joins base grids to the levels above")


def _import_one(source: Source, run: _Run) -> None:
    contract, options, report, change = run.contract, run.options, run.report, run.change
    name = source.name
    report.encoding = source.encoding if source.format != "parquet" else "utf-8"
    whole = contract.name == "grids"  # parents need every row at once
    chunks = source.read(options.chunk_rows)
    first = joined(list(chunks)) if whole else next(chunks, None)
    if first is None or (not len(first.frame) and not source.broken):
        raise ImportRefusedError(f"{name}: no rows below the header; nothing to import")
    if contract.name == "people":
        plan = None
        counter = people.Counting(source, run.city, options, report)
        batches = counter.batches(itertools.chain([first], chunks))
    else:
        plan = _plan(source, first, run)
        batches = _batches(itertools.chain([first], chunks), plan, options, report)
    bad = apart = 0
    for batch, fraction, read in batches:
        rejected = [*batch.rejected, *_broken(source, report)]
        apart += sum(r.reason == "coordinates.outside" for r in rejected)
        bad += len(rejected)
        report.read += read + (len(rejected) - len(batch.rejected))
        report.quarantined += len(rejected)
        if rejected:
            change.quarantine(contract.name, Path(name).name, rejected)
        written = change.upsert(contract.name, batch.frame)
        report.imported += written.inserted
        report.updated += written.updated
        report.unchanged += written.unchanged
        report.retired += written.retired
        _refuse_bad(source, bad - apart, report, options)
        if run.progress is not None:
            run.progress(name, fraction, report.read)
    if plan is not None:
        place.refuse_other_parts(name, plan.place, plan.sampled, plan.witness)
    for text in source.notes:
        report.note(text)
    if apart and not report.imported + report.updated + report.unchanged:
        _refuse_bad(source, bad, report, replace(options, max_bad=0))
    if apart:
        report.note(
            f"{apart:,} rows lie far from the city and are in the quarantine (--keep-outside takes them)"
        )


def joined(chunks: Sequence[Chunk]) -> Chunk | None:
    """Make one chunk of all; None of none."""
    if len(chunks) < 2:
        return chunks[0] if chunks else None
    shapes = [c.shapes for c in chunks if c.shapes is not None]
    return Chunk(
        pd.concat([c.frame for c in chunks], ignore_index=True),
        np.concatenate([c.rows for c in chunks]),
        np.concatenate(shapes) if shapes else None,
        1.0,
    )


def _refuse_bad(source: Source, bad: int, report: Report, options: ImportOptions) -> None:
    """Stop where so much is wrong that the file is not what it was taken for."""
    if not bad or bad <= options.max_bad * report.read:
        return
    worst = ", ".join(f"{code} {count:,}" for code, count in report.reasons.most_common(4))
    shown = "\n  ".join(report.samples[:8])
    raise ImportRefusedError(
        f"{source.name}: {bad:,} of {report.read:,} rows cannot be trusted ({worst}); allowed: "
        f"{options.max_bad:.0%} (--max-bad). Nothing was changed.\n  {shown}"
    )


def _broken(source: Source, report: Report) -> list[Rejected]:
    """Rows that could not be cut into columns, noted by the reader since last asked."""
    found, source.broken[:] = list(source.broken), []
    for problem in found:
        report.reasons[problem.code] += 1
        report.sample(source.name, problem)
    return [Rejected(p.row or 0, p.code, str(p), {}) for p in found]


def _batches(
    chunks: Iterable[Chunk], plan: rows.FilePlan, options: ImportOptions, report: Report
) -> Iterator[tuple[rows.Batch, float, int]]:
    for chunk in chunks:
        frame, numbers, shapes = chunk.frame, chunk.rows, chunk.shapes
        count = len(frame)
        if options.where:
            taken = where.chosen(frame, options.where)
            report.left_out["not chosen by --where"] += int((~taken).sum())
            frame, numbers = frame[taken].reset_index(drop=True), numbers[taken]
            shapes = None if shapes is None else shapes[taken]
        batch = rows.process(frame, numbers, shapes, plan, report)
        if plan.table.name == "grids":
            batch.frame = derive.grids(batch.frame, frame, plan, report)
        elif plan.table.name == "addresses":
            batch.frame = derive.addresses(batch.frame, plan.city, report)
        yield batch, chunk.fraction, count


def _plan(source: Source, first: Chunk, run: _Run) -> rows.FilePlan:
    """Decide for the whole file what its columns are and where it lies; refuse it if it cannot be this table."""
    contract, city, options, report = run.contract, run.city, run.options, run.report
    personal = {
        h: kind for h in source.columns if h not in options.columns and (kind := privacy.header_kind(h))
    }
    contacts = (
        tuple(h for h, kind in personal.items() if kind == "phone number")
        if contract.name == "cameras"
        else ()
    )
    candidates = [h for h in source.columns if h not in personal]
    mapped = headers.match(contract.name, candidates, options.columns)
    found = dict(mapped.columns)
    if source.has_shapes:
        found = {c: h for c, h in found.items() if c not in headers.PLACE}
    for column in options.constants:
        found.pop(column, None)
    _fuller(found, mapped.others, first, report)
    _drop_weak(found, mapped.weak, first, contract, report)
    for column, header in list(found.items()):
        kind = (
            ""
            if column in (*headers.PLACE, contract.key)
            else privacy.content_kind(_text(first, header), names=False)
        )
        if kind:
            personal[header] = kind
            del found[column]
    report.private += [f"{h} ({kind})" for h, kind in personal.items()]
    if options.constants.keys() & found.keys():
        found = {c: h for c, h in found.items() if c not in options.constants}
    _require(contract, source, found, options)
    report.columns = dict(found) if source.format != "osm" else {}
    used = {*found.values(), *personal, *options.parents}
    report.unused = [h for h in source.columns if h not in used]
    witness = place.Witness.of(city, contract.name)
    chosen = None
    if contract.geometry:
        raw = first.shapes
        if raw is None:
            raw, _ = shape.from_columns(
                {c: _text(first, h) for c, h in found.items() if c in headers.PLACE}, found, first.rows
            )
        _refuse_type(contract, source, raw)
        chosen = place.decide(
            source, options.crs, {c: h for c, h in found.items() if c in headers.PLACE}, raw, witness
        )
        report.crs = chosen.label
        report.note(f"coordinate system {chosen.label}: {chosen.evidence}")
    constants = dict(options.constants)
    if contract.name == "grids":
        derive.grid_constants(found, constants, options.parents, report)
    return rows.FilePlan(
        path=source.name,
        table=contract,
        headers=found,
        factors=mapped.factors,
        place=chosen,
        witness=witness,
        constants=constants,
        city=city,
        timezone=options.timezone,
        parents=options.parents,
        keep_outside=options.keep_outside,
        guarded=source.format == "csv",
        contacts=contacts,
    )


def _text(chunk: Chunk, header: str) -> pd.Series:
    return chunk.frame[header]


def _fuller(
    found: dict[str, str], others: Mapping[str, tuple[str, ...]], first: Chunk, report: Report
) -> None:
    """Of several headers for one column take another where the best-named one is mostly empty."""

    def share(header: str) -> float:
        text = first.frame[header].astype("str").fillna("").str.strip()
        return float((text != "").mean()) if len(text) else 0.0

    for column, headers_ in others.items():
        filled = share(found[column]) if column in found else 1.0
        best = max(headers_, key=share)
        if filled < 0.5 and share(best) > filled:
            report.note(f"column {found[column]!r} is mostly empty: {best!r} taken for {column}")
            found[column] = best


def _drop_weak(
    found: dict[str, str], weak: frozenset[str], first: Chunk, contract: schema.Table, report: Report
) -> None:
    """Let go of columns with a vague name whose values do not bear it out."""
    for column in weak & found.keys():
        values = first.frame[found[column]]
        text = values.astype("str").where(values.notna())
        if column == contract.key:
            number = pd.to_numeric(text, errors="coerce")
            running = (
                number.notna().all()
                and bool((number.diff().dropna() == 1).all())
                and number.iloc[0] in (0, 1)
            )
            if running or text.isna().any() or text.duplicated().any():
                why = "a running number" if running else "not one value a row"
                report.note(
                    f"column {found[column]!r} is {why}, not taken as key: ids are made from the content"
                )
                del found[column]
        elif column == "lonlat":
            pairs = text.str.contains(r"^\W*\d+(?:\.\d+)?\s*[,，;\s]\s*\d+(?:\.\d+)?\W*$", regex=True).fillna(
                False
            )
            if pairs.mean() < 0.5:
                del found[column]


def _require(
    contract: schema.Table, source: Source, found: Mapping[str, str], options: ImportOptions
) -> None:
    """Refuse a file without what the table needs, naming the headers and the nearest names."""
    lacking = [
        c for c in contract.columns if c.required and c.name not in found and c.name not in options.constants
    ]
    lacking = [
        c for c in lacking if not (c.name == "occurred_at" and {"date_part", "time_part"} <= found.keys())
    ]
    if contract.name == "grids":  # level and kind have safe defaults
        lacking = [c for c in lacking if c.name not in ("level", "kind")]
    placed = (
        source.has_shapes
        or {"lon", "lat"} <= found.keys()
        or {"x", "y"} <= found.keys()
        or (found.keys() & {"lonlat", "wkt", "geojson"})
    )
    lines = []
    if contract.geometry and not placed:
        addressed = (
            f" Its column {found['address']!r} holds addresses: find their coordinates first (santu locate --batch)."
            if "address" in found
            else ""
        )
        lines.append(
            f"no geometry: no column is known as longitude and latitude, x and y, WKT or GeoJSON; allowed: "
            f"{', '.join(contract.geometry)}. Say --column HEADER=lon --column HEADER=lat.{addressed}"
        )
    for column in lacking:
        guess = headers.near(column.zh, [h for h in source.columns if h not in found.values()])
        hint = f"; is it {guess!r}?" if guess else ""
        lines.append(
            f"no column for {column.name} ({column.zh}), allowed: {column.rule}{hint}. "
            f"Say --column HEADER={column.name} or --set {column.name}=VALUE"
        )
    if lines:
        fits = _other_tables(source, contract.name)
        other = f"\n  The headers fit the table {fits} better." if fits else ""
        raise ImportRefusedError(
            f"{source.name}: does not fit the table {contract.name} ({contract.zh}); its columns are "
            f"{', '.join(source.columns) or 'none'}\n  " + "\n  ".join(lines) + other
        )


def _other_tables(source: Source, table: str) -> str:
    """The table whose key or required columns the headers name outright, if it is another one."""

    def score(name: str) -> int:
        mapped = headers.match(name, source.columns)
        strong = [
            c
            for c in mapped.columns
            if c not in mapped.weak and c not in headers.PLACE and c not in headers.PARTS
        ]
        needed = {schema.table(name).key, *(c.name for c in schema.table(name).columns if c.required)}
        return len(strong) + 2 * len(needed & set(strong))

    best = max(schema.TABLES, key=score)
    return best if best != table and score(best) > score(table) + 1 else ""


def _refuse_type(contract: schema.Table, source: Source, raw: Any) -> None:  # noqa: ANN401
    """Refuse a file of which hardly a shape is of a kind that the table takes: it is the wrong table."""
    fitted, problems, _ = shape.fit(raw, contract, np.arange(1, len(raw) + 1))
    wrong = [p for p in problems.values() if p.code == "geometry.type"]
    if wrong and len(wrong) > 0.5 * len(fitted):
        others = [t.name for t in schema.TABLES.values() if wrong[0].value in t.geometry]
        raise ImportRefusedError(
            f"{source.name}: {len(wrong):,} of the first {len(fitted):,} rows are of type {wrong[0].value} (row "
            f"{wrong[0].row}); allowed in {contract.name}: {', '.join(contract.geometry)}. Is it one of the tables "
            f"{', '.join(others)}?"
        )
