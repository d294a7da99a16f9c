"""`santu map`: the three maps as files that open from disk, and layers as PMTiles."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, err, print_json, progress
from api.settings import Settings
from geo import open_city
from geo.errors import BadInputError
from geo.scope import Scope
from layers import catalog, folium_map, map_files, tiles


def map_(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the pages; opens from disk, no server needed")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--map", help=f"Which: {', '.join(folium_map.MAPS)}; default: all")
    ] = None,
    pmtiles: Annotated[Path | None, typer.Option("--pmtiles", help="File for one layer as PMTiles")] = None,
    layer: Annotated[str, typer.Option(help="Layer of the PMTiles file")] = "grids",
    indicator: Annotated[str, typer.Option(help="Indicator that the grids of the PMTiles file carry")] = "",
    max_zoom: Annotated[int | None, typer.Option(min=8, max=18, help="Deepest zoom")] = None,
    root: Annotated[list[str] | None, typer.Option(help="Only this grid and what lies below it")] = None,
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
    city: CityOption = DEFAULT_CITY,
    as_json: JsonOption = False,
) -> None:
    """Write maps (三张地图) as files: people, hazards, facilities. Small counts of persons are suppressed."""
    if out is None and pmtiles is None:
        raise typer.BadParameter("say where: --out DIR for the maps, --pmtiles FILE for a layer")
    opened = open_city(city)
    settings = Settings()
    scope = Scope(who="cli", role=settings.role, roots=frozenset(root or settings.roots), k=settings.k)
    missing = sorted(scope.roots - set(opened.degrees("grids").index))
    if missing:
        raise BadInputError(f"there is no grid {', '.join(missing)}")
    report: dict[str, object] = {}
    with progress("drawing tiles") as (bar, task):

        def step(what: str, done: int, of: int) -> None:
            bar.update(TaskID(task), description=what, completed=done, total=of)

        if out is not None:
            names = tuple(name or folium_map.MAPS)
            done = map_files.write_maps(
                opened, out, scope=scope, names=names, max_zoom=max_zoom, lang=lang, step=step
            )
            report |= {"out": str(out), "maps": names, "files": done.files, "bytes": done.bytes,
                       "tiles": done.tiles, "max_zoom": done.max_zoom}  # fmt: skip
        if pmtiles is not None:
            selection = tiles.Selection(indicator=indicator)
            with pmtiles.open("wb") as file:
                count = map_files.write_pmtiles(
                    opened, catalog.layer(layer), file,
                    scope=scope, selection=selection, max_zoom=max_zoom or 14, step=step,
                )  # fmt: skip
            report |= {"pmtiles": str(pmtiles), "layer": layer, "layer_tiles": count}
    if as_json:
        print_json(report)
        return
    if out is not None:
        size = (
            f"{report['files']} files, {int(str(report['bytes'])) / 1e6:.1f} MB, zoom to {report['max_zoom']}"
        )
        err.print(f"wrote {out}/index.html ({size})", markup=False)
    if pmtiles is not None:
        err.print(f"wrote {pmtiles} ({report['layer_tiles']} tiles)", markup=False)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("map")(map_)
