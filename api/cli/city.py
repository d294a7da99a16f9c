"""`santu init`: an empty city."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.base import err
from geo.store import create_store


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make")] = Path("city"),
    name: Annotated[str, typer.Option(help="Name of the city; default: the folder's")] = "",
    scheme: Annotated[str, typer.Option(help="Grid code scheme; without it, codes are opaque")] = "",
) -> None:
    """Make an empty city in a folder (新建城市)."""
    create_store(folder, name=name, scheme=scheme).close()
    err.print(f"made {folder}/santu.gpkg; next: santu import grids FILE --city {folder}", markup=False)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
