"""What every command shares: options, consoles, exit codes, errors in words."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from geo.errors import SantuError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

CityOption = Annotated[Path, typer.Option("--city", envvar="SANTU_CITY", help="Folder of the city")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, all else on stderr")]
DEFAULT_CITY = Path("city")


def print_json(document: object) -> None:
    """Write one JSON document to stdout."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    sys.stdout.write(orjson.dumps(document, default=str, option=options).decode() + "\n")


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[tuple[Progress, int]]:
    """Show a progress bar on a terminal, nothing elsewhere; yields the bar and its task."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )
    with bar:
        yield bar, int(bar.add_task(label, total=total))


def make_app() -> typer.Typer:
    """Return an application without commands."""
    app = typer.Typer(
        name="santu",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback()
    def santu() -> None:
        """Santu 三图: which grid is this place, what happens there, what do the cameras see."""

    return app


def run(application: Callable[[], None]) -> None:
    """Run a command: exit code 0, 1 (the answer is "no", or data was refused) or 2 (usage)."""
    try:
        application()
    except SantuError as error:
        err.print(f"santu: {error}", style="red", markup=False)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        err.print("santu: stopped; nothing half done was kept")
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(1) from None
