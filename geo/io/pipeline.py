"""`santu import`: files into one table of a store, in one transaction (导入).

Read in chunks, each mapped, cleaned, placed, checked (`rows.process`) and written at once; what is not trusted
goes to the quarantine in the same transaction. Any refusal in the middle undoes all of it. A dry run does the
same work and undoes it at the end: its report is exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from geo import schema
from geo.errors import ImportRefusedError, UnknownNameError
from geo.io import derive, people, place, rows, where
from geo.io.options import ImportOptions
from geo.io.plan import plan_of
from geo.io.report import Rejected, Report
from geo.io.source import Chunk, ReadOptions, Source, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from geo.city import City


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
        plan = plan_of(source, first, contract, city=run.city, options=options, report=report)
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
