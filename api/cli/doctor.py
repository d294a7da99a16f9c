"""`santu doctor`: the examination of a city's data."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, err, print_json, progress
from geo import schema
from geo.errors import BadInputError
from geo.io.faults import write_faults
from geo.quality import CODES, Report, examine
from geo.store import open_store

_SHOWN = 3


def doctor(
    city: CityOption = DEFAULT_CITY,
    gpkg: Annotated[Path | None, typer.Option(help="Write the faults as a GeoPackage for QGIS")] = None,
    as_of: Annotated[
        str, typer.Option(help="Examine the grids of this date, YYYY-MM-DD; default: today")
    ] = "",
    secret: Annotated[
        bool, typer.Option("--secret", help="Name secret cameras too, not only count them")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Examine a city's data (数据体检): grids, codes, duplicates, places, times, and the datum of every table.

    Exit code 0: no faults; 1: faults.
    """
    if gpkg is not None and gpkg.suffix.lower() != ".gpkg":
        raise BadInputError(f"--gpkg {gpkg}: allowed: a file name that ends in .gpkg")
    store = open_store(city)
    snapshot = store.city()
    snapshot = snapshot.as_of(_day(as_of, snapshot.timezone))
    tables = {name: snapshot.table(name) for name in schema.TABLES}
    with progress("examining 体检") as (bar, task):
        report = examine(
            tables,
            crs=snapshot.crs,
            scheme=snapshot.scheme,
            show_secret=secret,
            step=lambda name: bar.update(task, description=f"examining 体检 {name}", advance=1),  # type: ignore[arg-type]
        )
    if gpkg is not None:
        written = write_faults(report.faults, gpkg)
        err.print(f"wrote {written:,} faults to {gpkg}", markup=False)
    if as_json:
        print_json(report.as_dict())
    else:
        show(report, snapshot.name, Console(highlight=False))
    store.close()
    raise typer.Exit(1 if len(report.faults) else 0)


def _day(text: str, timezone: str) -> date:
    if not text:
        return datetime.now(ZoneInfo(timezone)).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"--as-of {text!r}: allowed: a date as YYYY-MM-DD") from None


def show(report: Report, name: str, console: Console) -> None:
    """Write the report for people: tables and their datum, then the faults by kind with a few examples."""
    console.print(f"{name} · data examination 数据体检", style="bold", markup=False)
    tables = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, side in (
        ("table 表", "left"),
        ("rows 行数", "right"),
        ("datum 坐标系", "left"),
        ("σ", "right"),
        ("", "left"),
    ):
        tables.add_column(title, justify=side, overflow="fold")  # type: ignore[arg-type]
    for table, rows in report.rows.items():
        said = report.datums.get(table)
        zh = schema.table(table).zh
        if said is None:
            tables.add_row(f"{table} {zh}", f"{rows:,}", "-", "", "")
        else:
            margin = f"{said.margin:.1f}" if said.margin else ""
            note = "" if said.verdict == "wgs84" and said.reference == "wgs84" else said.message_zh
            tables.add_row(f"{table} {zh}", f"{rows:,}", said.verdict, margin, note)
    console.print(tables)
    if not len(report.faults):
        console.print("no faults 未发现问题", style="green")
        return
    kinds = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, side in (("fault 问题", "left"), ("count 数量", "right"), ("examples 示例", "left")):
        kinds.add_column(title, justify=side, overflow="fold")  # type: ignore[arg-type]
    for code, count in report.summary.items():
        rows = report.faults[report.faults["code"] == code]
        en, zh = CODES[code]
        lines = [_example(row) for row in rows.head(_SHOWN).itertuples()]
        kinds.add_row(Text(f"{zh}\n{en} ({code})"), f"{count:,}", Text("\n".join(lines)))
    console.print(kinds)
    total = sum(report.summary.values())
    console.print(f"{total:,} faults 共发现 {total:,} 处问题", style="yellow")


def _example(row: object) -> str:
    table, key, value, message = (getattr(row, n) for n in ("table", "id", "value", "message"))
    said = f"{value} {message}" if str(value) else str(message)
    return f"{table} {key}: {said}".replace(" : ", ": ")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(doctor)
