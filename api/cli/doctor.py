"""`santu doctor`: the examination of a city's data."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import pandas as pd
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, err, print_json, progress
from geo import schema
from geo.address import audit
from geo.city import City
from geo.errors import BadInputError
from geo.io.faults import write_faults
from geo.quality import CODES, Report, examine
from geo.store import open_store
from geo.store.addresses import audit_of

_SHOWN = 3
_STYLES = {"wgs84": "green", "unknown": "dim"}


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
    """Examine a city's data (数据体检): grids, codes, duplicates, places, times, addresses, the datum of every table.

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
    addresses = _addresses(snapshot)
    if gpkg is not None:
        written = write_faults(report.faults, gpkg)
        err.print(f"wrote {written:,} faults to {gpkg}", markup=False)
    if as_json:
        print_json(_with_addresses(report.as_dict(), addresses))
    else:
        console = Console(highlight=False, soft_wrap=True)
        show(report, snapshot.name, console)
        show_addresses(addresses, console)
    store.close()
    raise typer.Exit(1 if len(report.faults) or len(addresses) else 0)


def _addresses(city: City) -> pd.DataFrame:
    """Faults of the address table (地址表体检); none for a city without addresses."""
    if city.degrees("addresses").empty:
        return pd.DataFrame(columns=list(audit.COLUMNS))
    return audit_of(city)


def _with_addresses(document: dict[str, Any], faults: pd.DataFrame) -> dict[str, Any]:
    """Put the faults of the address table into the report's document."""
    rows = [{"code": r["code"], "table": "addresses", **r} for r in faults.to_dict("records")]
    counts = {code: count for code, count in audit.summary(faults).items() if count}
    return document | {"faults": [*document["faults"], *rows], "summary": document["summary"] | counts}


def show_addresses(faults: pd.DataFrame, console: Console) -> None:
    """Write the faults of the address table for people, by kind with a few examples; nothing where there are none."""
    for code, rows in faults.groupby("code", sort=True):
        console.print(f"\n{audit.CODES[str(code)]} · {code}: {len(rows):,}", style="yellow", markup=False)
        for row in rows.head(_SHOWN).itertuples():
            console.print(f"    {_line('addresses', row)}", markup=False)
        if len(rows) > _SHOWN:
            console.print(f"    … {len(rows) - _SHOWN:,} more 另有 {len(rows) - _SHOWN:,} 处", style="dim")
    if len(faults):
        console.print(
            f"\n{len(faults):,} faults in the address table 地址表共 {len(faults):,} 处", style="bold yellow"
        )


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
    tables.add_column("table 表")
    tables.add_column("rows 行数", justify="right")
    tables.add_column("datum 坐标系")
    tables.add_column("σ", justify="right")
    for table, rows in report.rows.items():
        said = report.datums.get(table)
        margin = f"{said.margin:.1f}" if said and said.margin else ""
        verdict = Text(said.verdict if said else "-", style=_STYLES.get(said.verdict, "red") if said else "")
        tables.add_row(f"{table} {schema.table(table).zh}", f"{rows:,}", verdict, margin)
    console.print(tables)
    for table, said in report.datums.items():
        if said.verdict != "wgs84" or said.reference != "wgs84":
            console.print(f"{table}: {said.message_zh}\n    {said.message}", markup=False, style="dim")
    for code, count in report.summary.items():
        en, zh = CODES[code]
        console.print(f"\n{zh} {en} · {code}: {count:,}", style="yellow", markup=False)
        rows = report.faults[report.faults["code"] == code]
        for row in rows.head(_SHOWN).itertuples():
            console.print(f"    {_line(row.table, row)}", markup=False)
        if count > _SHOWN:
            console.print(f"    … {count - _SHOWN:,} more 另有 {count - _SHOWN:,} 处", style="dim")
    total = sum(report.summary.values())
    if total:
        console.print(f"\n{total:,} faults 共发现 {total:,} 处问题", style="bold yellow")
    else:
        console.print("\nno faults 未发现问题", style="bold green")


def _line(table: str, row: object) -> str:
    key, value, message = (getattr(row, n) for n in ("id", "value", "message"))
    said = f"{value} {message}" if str(value) else str(message)
    return f"{table} {key}: {said}".replace(" : ", ": ")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(doctor)
