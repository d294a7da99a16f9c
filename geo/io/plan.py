"""What a file's columns are and where it lies (导入方案): decided once, from its first chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from geo import schema
from geo.errors import ImportRefusedError
from geo.io import derive, headers, place, privacy, rows, shape
from geo.io.witness import Witness, stated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geo.city import City
    from geo.io.options import ImportOptions
    from geo.io.report import Report
    from geo.io.source import Chunk, Source


def plan_of(
    source: Source,
    first: Chunk,
    contract: schema.Table,
    *,
    city: City,
    options: ImportOptions,
    report: Report,
) -> rows.FilePlan:
    """Decide for a whole file what its columns are and where it lies.

    Parameters
    ----------
    source, first
        The opened file and its first chunk.
    contract
        The table it is for.
    city
        What there is already.
    options
        What the user said.
    report
        Notes, the columns used and those not used are added here.

    Raises
    ------
    ImportRefusedError
        The file cannot be this table, or its coordinate system is contradicted or unknown.
    """
    personal = {
        h: kind for h in source.columns if h not in options.columns and (kind := privacy.header_kind(h))
    }
    contacts = (
        tuple(h for h, kind in personal.items() if kind == "phone number")
        if contract.name == "cameras"
        else ()
    )
    candidates = [h for h in source.columns if h not in personal]
    mapped = headers.match(contract.name, candidates, options.columns, cut=source.cut)
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
    parents = derive.parent_headers(source, options.parents)
    used = {*found.values(), *personal, *parents}
    report.unused = [h for h in source.columns if h not in used]
    witness = Witness.of(city, contract.name)
    open_columns = tuple(h for h in source.columns if h not in personal)
    chosen = None
    if contract.geometry:
        raw = first.shapes
        if raw is None:
            raw, _ = shape.from_columns(
                {c: _text(first, h) for c, h in found.items() if c in headers.PLACE}, found, first.rows
            )
        _refuse_type(contract, source, raw)
        chosen = place.decide(
            source,
            options.crs,
            {c: h for c, h in found.items() if c in headers.PLACE},
            raw,
            witness,
            words=stated(first.frame, open_columns, witness),
        )
        report.crs = chosen.label
        report.note(f"coordinate system {chosen.label}: {chosen.evidence}")
    constants = dict(options.constants)
    if contract.name == "grids":
        derive.grid_constants(found, constants, parents, report)
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
        parents=parents,
        keep_outside=options.keep_outside,
        guarded=source.format == "csv",
        open_columns=open_columns,
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
        mapped = headers.match(name, source.columns, cut=source.cut)
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
