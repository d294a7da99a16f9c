"""`santu import`: files into one table of a city."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, err, out, print_json
from geo import schema
from geo.address.audit import CODES
from geo.city import City
from geo.errors import BadInputError
from geo.io import MAX_BYTES, ImportOptions, import_files
from geo.store import addresses, open_store

_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?$", re.IGNORECASE)
_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def import_(
    table: Annotated[str, typer.Argument(help=f"One of {', '.join(schema.TABLES)}")],
    files: Annotated[
        list[Path],
        typer.Argument(help="CSV, TSV, XLSX, JSON, GeoJSON, GPKG, SHP, FGB, Parquet, OSM PBF, ZIP"),
    ],
    city: CityOption = DEFAULT_CITY,
    crs: Annotated[str, typer.Option(help="auto, wgs84, gcj02, bd09 or EPSG:n")] = "auto",
    encoding: Annotated[str, typer.Option(help="auto, utf-8, gb18030, big5 …")] = "auto",
    column: Annotated[
        list[str] | None, typer.Option(metavar="表头=column", help="Which header is which column; repeatable")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="column=value", help="One value for every row; repeatable"),
    ] = None,
    layer: Annotated[str, typer.Option(help="Layer, sheet or file of an archive")] = "",
    where: Annotated[str, typer.Option(help="SQL condition over the file's columns")] = "",
    parents: Annotated[
        str, typer.Option(help="Grids: columns with the codes of the levels above, nearest first")
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace/--append", help="Also remove what the files do not have")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same report, nothing changed")] = False,
    keep_outside: Annotated[
        bool, typer.Option("--keep-outside", help="Take rows far from the city too")
    ] = False,
    max_bad: Annotated[float, typer.Option(min=0, max=1, help="Largest share of quarantined rows")] = 0.5,
    max_size: Annotated[str, typer.Option(help="Largest file that is read")] = f"{MAX_BYTES >> 30}GB",
    timezone: Annotated[str, typer.Option(help="Of times that name none; default: the city's")] = "",
    as_json: JsonOption = False,
) -> None:
    """Import files into one table of a city (导入数据): all or nothing; what is not trusted goes to the quarantine."""
    schema.table(table)
    options = ImportOptions(
        columns=_pairs("--column", column),
        constants=_pairs("--set", set_),
        where=where,
        layer=layer,
        mode="replace" if replace else "append",
        crs=crs,
        encoding=encoding,
        parents=tuple(p.strip() for p in parents.split(",") if p.strip()),
        max_bytes=_bytes(max_size),
        max_bad=max_bad,
        keep_outside=keep_outside,
        timezone=timezone,
        dry_run=dry_run,
    )
    store = open_store(city)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(), console=err, disable=not err.is_terminal,
    )  # fmt: skip
    with bar:
        task = int(bar.add_task(files[0].name, total=1.0, rows=0))

        def show(name: str, fraction: float, rows: int) -> None:
            bar.update(TaskID(task), description=Path(name).name, completed=fraction, rows=rows)

        report = import_files(table, files, store, options=options, progress=show)
        if table in addresses.SOURCES and not dry_run:
            _build_addresses(store.city())
    store.close()
    if as_json:
        print_json(report.as_json())
        return
    for line in report.lines():
        out.print(line, markup=False)


def _build_addresses(city: City) -> None:
    """Build the address index with the import, so that the first question does not wait for it."""
    if city.degrees("addresses").empty:
        return
    made = addresses.build(city)
    counts = made["counts"]
    err.print(
        f"address index: {counts['streets']:,} streets, {counts['plates']:,} plates, {counts['households']:,} "
        f"households; calibration: {made['calibration']}",
        markup=False,
    )
    for code, count in made["audit"].items():
        if count:
            err.print(f"  {code} {CODES[code]}: {count:,}", markup=False)


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """`A=b` texts as a mapping; the last ``=`` cuts a header that holds one itself."""
    result = {}
    for text in given or []:
        left, sign, right = text.rpartition("=") if option == "--column" else text.partition("=")
        if not sign or not left or (option == "--column" and not right):
            raise typer.BadParameter(f"{option} {text!r}; allowed: LEFT=RIGHT")
        result[left] = right
    return result


def _bytes(text: str) -> int:
    found = _SIZE.match(text.strip())
    if not found:
        raise BadInputError(f"--max-size {text!r}; allowed: a number and KB, MB, GB or TB, e.g. 500MB")
    return int(float(found.group(1)) * 1024 ** _UNITS[found.group(2).upper()])


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("import")(import_)
