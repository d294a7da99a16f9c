"""`santu demo`: an invented city of any size, stored and served."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import orjson
import typer
from rich.progress import TaskID

from api.cli.base import CityOption, JsonOption, err, print_json, progress
from api.cli.serve import serve
from geo.demo import CRS, SCALES, SCHEME, demo_tables, facts
from geo.demo.text import CITY
from geo.errors import UnknownNameError
from geo.store import create_store


def demo(
    city: CityOption = Path("demo-city"),
    scale: Annotated[str, typer.Option(help=f"One of {', '.join(SCALES)}")] = "small",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same city")] = 0,
    today: Annotated[str, typer.Option(help="Date at which the incidents end; default: today")] = "",
    serve_it: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve it when it is made")] = True,
    port: Annotated[int | None, typer.Option(min=0, max=65535)] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the demo city (演示城市) in a folder and serve it. Everything in it is invented."""
    if scale not in SCALES:
        raise UnknownNameError("scale of the demo city", scale, SCALES)
    store = create_store(city, name=CITY, scheme=SCHEME)
    day = today or f"{datetime.now(ZoneInfo('Asia/Shanghai')):%F}"
    err.print(f"making the demo city {scale!r}, seed {seed} …", markup=False)
    tables, hot = demo_tables(seed, scale, today=day)
    counts = {name: len(frame) for name, frame in tables.items()}
    with progress("writing tables", total=len(tables)) as (bar, task), store.transaction() as change:
        for name in list(tables):
            change.upsert(name, tables.pop(name))
            bar.advance(TaskID(task))
        change.set_meta("crs", CRS)
        change.set_meta("facts", orjson.dumps(facts(seed, scale, day, hot)).decode())
    store.close()
    if as_json:
        print_json({"city": str(city), "scale": scale, "seed": seed, "today": day, "tables": counts})
    else:
        rows = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        err.print(f"made {city}/santu.gpkg: {rows}", markup=False)
    if serve_it:
        serve(city=city, host=None, port=port)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(demo)
