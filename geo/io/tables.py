"""Tables without geometry of their own (表格): CSV, TSV, Excel, JSON records and JSON lines, in bounded memory."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
from pyarrow import csv as pa_csv

from geo.errors import ImportRefusedError, Problem
from geo.io import headers
from geo.io.encoding import Utf8Stream, detect
from geo.io.source import Chunk, ReadOptions, Source, check_zip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

PREVIEW_BYTES = 256 << 10
JSON_MAX_BYTES = 1 << 30
_LOST_DIGITS = 15  # a float keeps no more decimal digits than this


def open_table(path: Path, kind: str, options: ReadOptions) -> Source:
    """Open a CSV, TSV, XLSX or JSON file; GeoJSON is handed on to the vector reader."""
    if kind == "csv":
        return _open_csv(path, options)
    if kind == "xlsx":
        return _open_xlsx(path, options)
    return _open_json(path, kind, options)


def _open_csv(path: Path, options: ReadOptions) -> Source:
    encoding = detect(path, options.encoding)
    with Utf8Stream(path, encoding.name) as stream:
        text = io.BufferedReader(stream).read(PREVIEW_BYTES).decode("utf-8", "replace")
    whole = path.stat().st_size <= PREVIEW_BYTES
    lines = text.lstrip("\ufeff").splitlines(keepends=True)
    lines = lines if whole or len(lines) < 2 else lines[:-1]
    delimiter = _delimiter(lines, path)
    preview = list(itertools.islice(csv.reader(lines, delimiter=delimiter), 40))
    if not preview:
        raise ImportRefusedError(f"{path}: no text in this file; nothing to import")
    top, columns, note = _header(preview)
    source = Source(path, "csv", columns, lambda size: _read_csv(source, encoding.name, delimiter, top, size))
    source.encoding = encoding.name
    source.notes += [f"encoding {encoding.name}: {encoding.evidence}", *([note] if note else [])]
    return source


def _read_csv(source: Source, encoding: str, delimiter: str, top: int, size: int) -> Iterator[Chunk]:
    path, columns = source.path, source.columns
    broken: list[int] = []

    def note(row: Any) -> str:  # noqa: ANN401  (pyarrow names no type for it)
        number = int(row.number) if row.number is not None else 0
        broken.append(number)
        allowed = f"{row.expected_columns} values, as the header has"
        source.broken.append(
            Problem("row.width", "", number, f"{row.actual_columns} values: {row.text[:80]}", allowed)
        )
        return "skip"

    stream = Utf8Stream(path, encoding)
    bytes_total = path.stat().st_size
    width = max(bytes_total // 4, 1 << 16) if bytes_total < (4 << 20) else 8 << 20
    try:
        reader = pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(
                column_names=columns, skip_rows=top + 1, use_threads=False, block_size=width
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.large_string()), strings_can_be_null=False
            ),
        )
        first = top + 2
        for table in _gather(reader, size):
            rows, first = _numbers(first, table.num_rows, broken)
            frame = table.to_pandas()
            yield Chunk(frame, rows, None, min(stream.position() / max(bytes_total, 1), 1.0))
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return
        raise ImportRefusedError(f"{path}: cannot be read as a table: {error}") from error
    finally:
        stream.close()


def _gather(reader: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    """Join the reader's blocks to tables of about `size` rows."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in reader:
        held.append(batch)
        count += batch.num_rows
        while count >= size:
            table = pa.Table.from_batches(held)
            yield table.slice(0, size)
            held, count = table.slice(size).to_batches(), count - size
    if count:
        yield pa.Table.from_batches(held)


def _numbers(first: int, count: int, broken: Iterable[int]) -> tuple[np.ndarray, int]:
    """Row numbers of `count` good rows from `first` on, jumping over the broken ones; and the next number."""
    skip = np.array(sorted(n for n in broken if n >= first), dtype="int64")
    rows = np.arange(first, first + count + len(skip), dtype="int64")
    rows = rows[~np.isin(rows, skip)][:count]
    return rows, (int(rows[-1]) + 1 if len(rows) else first)


def _delimiter(lines: Sequence[str], path: Path) -> str:
    """The delimiter that cuts the first lines into the most columns of the same number."""
    if path.suffix.lower() == ".tsv":
        return "\t"

    def score(mark: str) -> tuple[int, int]:
        widths = [len(r) for r in itertools.islice(csv.reader(lines, delimiter=mark), 20) if r]
        common = max(set(widths), key=widths.count) if widths else 1
        return (widths.count(common) if common > 1 else 0, common)

    return max((",", "\t", ";", "|"), key=score)


def _header(preview: Sequence[Sequence[Any]]) -> tuple[int, list[str], str]:
    """Find the header among the first rows: above it may stand a title, and it may have two rows (表头).

    It is the first row that holds two names of the dictionary, or that fills more than half of the widest row's
    cells; a next row without numbers that holds two names itself belongs to it: its cells win, what they leave
    blank is named by the row above (merged cells).

    Returns
    -------
    top, names, note
        Index of the header's last row, column names, and what to tell the user ("" for nothing).
    """
    filled = [sum(1 for cell in row if _written(cell)) for row in preview]
    fits = (i for i, row in enumerate(preview[:15]) if _known(row) >= 2 or 2 * filled[i] > max(filled))
    top = next(fits, 0)
    first = list(preview[top])
    below = preview[top + 1] if top + 1 < len(preview) else []
    if _known(below) >= 2 and not any(_written(c) and _number_like(c) for c in below):
        width = max(len(first), len(below))
        pairs = zip((*first, *[None] * width)[:width], (*below, *[None] * width)[:width], strict=True)
        names = _unique([lower if _written(lower) else upper for upper, lower in pairs])
        return top + 1, names, f"header found in rows {top + 1} and {top + 2}"
    note = f"header found in row {top + 1}; the rows above are a title" if top else ""
    return top, _unique(first), note


def _written(cell: object) -> bool:
    return cell is not None and bool(str(cell).strip())


def _known(row: Sequence[Any]) -> int:
    return sum(headers.known(str(cell)) for cell in row if _written(cell))


def _number_like(cell: object) -> bool:
    return not isinstance(cell, str) or any(c.isdigit() for c in cell[:1])


def _unique(names: Sequence[Any]) -> list[str]:
    """Column names as text: blank ones get their letter's number, a repeated one gets its count."""
    seen: dict[str, int] = {}
    result = []
    for i, raw in enumerate(names):
        name = str(raw if raw is not None else "").strip().strip("\ufeff") or f"column {i + 1}"
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def _open_xlsx(path: Path, options: ReadOptions) -> Source:
    import openpyxl  # noqa: PLC0415

    check_zip(path, options.max_bytes)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise ImportRefusedError(f"{path}: cannot be opened as an Excel workbook: {error}") from error
    sheets = [s for s in book.worksheets if s.sheet_state == "visible"] or book.worksheets
    named = [s for s in book.worksheets if s.title == options.layer]
    if options.layer and not named:
        raise ImportRefusedError(f"{path}: no sheet {options.layer!r}; allowed: {', '.join(book.sheetnames)}")
    preview, sheet = [], sheets[0]
    for sheet in named or sheets:
        preview = [list(r) for r in itertools.islice(sheet.iter_rows(values_only=True), 40)]
        if any(any(c is not None for c in row) for row in preview):
            break
    if not any(any(c is not None for c in row) for row in preview):
        book.close()
        raise ImportRefusedError(f"{path}: no sheet holds a row; nothing to import")
    width = max(i + 1 for row in preview for i, c in enumerate(row) if c is not None)
    top, columns, note = _header([(row + [None] * width)[:width] for row in preview])
    named_columns = [c for c in columns if not ("wkt" in columns and re.fullmatch(r"wkt_\d+", c))]
    source = Source(path, "xlsx", named_columns, lambda size: _read_xlsx(book, sheet, columns, top, size))
    source.layer = sheet.title
    source.total = max((sheet.max_row or 0) - top - 1, 0) or None
    others = [s.title for s in book.worksheets if s is not sheet]
    if others:
        source.notes.append(f"sheet {sheet.title!r} read; not read: {', '.join(others)} (--layer)")
    if note:
        source.notes.append(note)
    return source


def _read_xlsx(book: Workbook, sheet: Worksheet, columns: list[str], top: int, size: int) -> Iterator[Chunk]:
    try:
        width = len(columns)
        total = max(sheet.max_row or 1, 1)
        numbered = enumerate(sheet.iter_rows(min_row=top + 2, values_only=True), start=top + 2)
        held = ((n, r) for n, r in numbered if any(c is not None and c != "" for c in r))
        while part := list(itertools.islice(held, size)):
            cells = [[_cell(c) for c in (*r, *[None] * width)[:width]] for _, r in part]
            frame = _joined_wkt(pd.DataFrame(cells, columns=columns, dtype="object").astype("str"))
            rows = np.array([n for n, _ in part], dtype="int64")
            yield Chunk(frame, rows, None, min(int(rows[-1]) / total, 1.0))
    finally:
        book.close()


def _joined_wkt(frame: pd.DataFrame) -> pd.DataFrame:
    """A WKT that an export has cut to the size of a cell (wkt, wkt_2, …) in one piece again."""
    more = [c for c in frame.columns if re.fullmatch(r"wkt_\d+", c)]
    if "wkt" not in frame or not more:
        return frame
    whole = frame["wkt"].str.cat([frame[c].fillna("") for c in more])
    return frame.drop(columns=more).assign(wkt=whole)


def _cell(value: object) -> str:
    """A cell as text: dates in ISO, whole numbers without a point, a number too long to be exact marked."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, float | int) and abs(value) >= 10**_LOST_DIGITS and float(value).is_integer():
        return f"{headers.LOST}{int(value)}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _open_json(path: Path, kind: str, options: ReadOptions) -> Source:
    encoding = detect(path, options.encoding)
    if kind == "jsonl":
        return _json_lines(path, encoding.name)
    with Utf8Stream(path, encoding.name) as stream:
        head = io.BufferedReader(stream).read(4096).decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    if not head.startswith(("{", "[")):
        raise ImportRefusedError(f"{path}: is no JSON (begins with {head[:20]!r})")
    if head.startswith("{") and '"Feature' in head:
        from geo.io import vector  # noqa: PLC0415

        return vector.open_vector(path, "ogr", options)
    if path.stat().st_size > JSON_MAX_BYTES:
        raise ImportRefusedError(
            f"{path}: a JSON document of over {JSON_MAX_BYTES:,} bytes; allowed: JSON lines (.jsonl), CSV or "
            "Parquet for tables of this size"
        )
    with Utf8Stream(path, encoding.name) as stream:
        body = stream.readall() or b""
    try:
        document = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise ImportRefusedError(f"{path}: broken JSON: {error}") from error
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        from geo.io import vector  # noqa: PLC0415

        return vector.open_vector(path, "ogr", options)
    records = _records(document, path)
    columns = list(dict.fromkeys(itertools.chain.from_iterable(_flat(r) for r in records)))

    def read(size: int) -> Iterator[Chunk]:
        for start in range(0, len(records), size):
            part = [_flat(r) for r in records[start : start + size]]
            yield _chunk_of_records(part, columns, start + 1, (start + len(part)) / len(records))

    return Source(path, "json", columns, read, encoding=encoding.name, total=len(records))


def _records(document: object, path: Path) -> list[dict[str, Any]]:
    """The one list of objects in a JSON document: at the top, or at most three keys down (data, result …)."""
    level = [document]
    for _ in range(4):
        for node in level:
            if isinstance(node, list) and node and all(isinstance(r, dict) for r in node):
                return node
        level = [v for node in level if isinstance(node, dict) for v in node.values()]
    raise ImportRefusedError(
        f"{path}: no list of records in this JSON; allowed: [{{…}}, …], a GeoJSON FeatureCollection, or an "
        "object that holds such a list"
    )


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects with dotted names (``tags.direction``); lists as JSON text."""
    result: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and not {"type", "coordinates"} <= value.keys():
            result.update(_flat(value, f"{name}."))
        else:
            result[name] = value
    return result


def _json_lines(path: Path, encoding: str) -> Source:
    def lines() -> Iterator[tuple[int, bytes]]:
        with io.BufferedReader(Utf8Stream(path, encoding)) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line

    def parse(number: int, line: bytes) -> dict[str, Any] | None:
        try:
            value = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            return _flat(value)
        source.broken.append(
            Problem("row.json", "", number, line[:80].decode("utf-8", "replace"), "an object")
        )
        return None

    def read(size: int) -> Iterator[Chunk]:
        numbered = lines()
        while part := list(itertools.islice(numbered, size)):
            parsed = [(n, r) for n, line in part if (r := parse(n, line)) is not None]
            chunk = _chunk_of_records([r for _, r in parsed], source.columns, 1, 0.0)
            yield Chunk(chunk.frame, np.array([n for n, _ in parsed], dtype="int64"), None, 0.0)

    columns: dict[str, None] = {}
    source = Source(path, "jsonl", [], read, encoding=encoding)
    for number, line in itertools.islice(lines(), 1000):
        columns.update(dict.fromkeys(parse(number, line) or ()))
    source.broken.clear()
    source.columns = list(columns)
    return source


def _chunk_of_records(part: list[dict[str, Any]], columns: list[str], first: int, fraction: float) -> Chunk:
    cells = [[_json_cell(r.get(c)) for c in columns] for r in part]
    frame = pd.DataFrame(cells, columns=columns, dtype="object").astype("str")
    return Chunk(frame, np.arange(first, first + len(part), dtype="int64"), None, fraction)


def _json_cell(value: object) -> str:
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _cell(value)
