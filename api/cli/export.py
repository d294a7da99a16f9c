"""`santu export`: one table of a city to a file."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, out, print_json
from api.settings import Settings
from geo import schema
from geo.io.export import FORMATS, export_table
from geo.scope import Scope
from geo.store import open_store


def export(
    table: Annotated[str, typer.Argument(help=f"One of {', '.join(schema.TABLES)}")],
    file: Annotated[Path, typer.Argument(help=f"Its ending is the format: {', '.join(FORMATS)}")],
    city: CityOption = DEFAULT_CITY,
    crs: Annotated[str, typer.Option(help="cgcs2000, wgs84, gcj02, bd09 or EPSG:n")] = "cgcs2000",
    chinese: Annotated[bool, typer.Option("--chinese", help="Chinese column names (CSV, Excel)")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists")] = False,
    as_json: JsonOption = False,
) -> None:
    """Export one table (导出数据表), cut to the role and grids of SANTU_ROLE and SANTU_ROOTS."""
    settings = Settings()
    scope = Scope(who="santu export", role=settings.role, roots=frozenset(settings.roots), k=settings.k)
    store = open_store(city)
    done = export_table(store.city(), table, file, scope=scope, crs=crs, chinese=chinese, overwrite=overwrite)
    with store.transaction() as change:
        change.audit(scope.who, "export", table, f"{done.rows} rows as {scope.role} to {file.name}")
    store.close()
    if as_json:
        print_json(asdict(done))
        return
    held = f", {done.withheld:,} withheld from the role {scope.role}" if done.withheld else ""
    out.print(f"{done.rows:,} rows of {table} written to {file} ({done.format}){held}", markup=False)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(export)
