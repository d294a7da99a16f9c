"""The command `santu`. One module per command or small family; each registers on `app`."""

from api.cli import city as _city
from api.cli import coverage as _coverage
from api.cli import demo as _demo
from api.cli import doctor as _doctor
from api.cli import export as _export
from api.cli import hotspots as _hotspots
from api.cli import import_ as _import
from api.cli import locate as _locate
from api.cli import map as _map
from api.cli import serve as _serve
from api.cli.base import app, main

__all__ = ["app", "main"]

for _module in (_city, _coverage, _demo, _doctor, _export, _hotspots, _import, _locate, _map, _serve):
    _module.register(app)
