"""The command `santu`. One module per command or small family; a command loads only its own module."""

import importlib
import sys

import typer

from api.cli import base

COMMANDS = {
    "init": "city",
    "import": "import_",
    "export": "export",
    "doctor": "doctor",
    "locate": "locate",
    "coverage": "coverage",
    "blind-spots": "coverage",
    "hotspots": "hotspots",
    "risk": "hotspots",
    "map": "map",
    "serve": "serve",
    "demo": "demo",
}
"""Name of the command -> module of this package."""


def make_app(command: str | None = None) -> typer.Typer:
    """Return the application with one command, or with all of them if `command` is none of `COMMANDS`."""
    app = base.make_app()
    modules = {COMMANDS[command]} if command in COMMANDS else dict.fromkeys(COMMANDS.values())
    for name in modules:
        importlib.import_module(f"api.cli.{name}").register(app)
    return app


def main() -> None:
    """Run `santu`."""
    base.run(_run)


def _run() -> None:
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    make_app(command)()


def __getattr__(name: str) -> typer.Typer:
    """Give `api.cli.app`, the application with every command."""
    if name == "app":
        return make_app()
    raise AttributeError(name)
