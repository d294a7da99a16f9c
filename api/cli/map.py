"""`santu map`: the three maps as files that open from disk, and layers as PMTiles."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from api.box import parse_box
from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, err, print_json, progress
from api.settings import Settings
from geo import open_city
from geo.city import City
from geo.errors import BadInputError
from geo.scope import Scope
from layers import catalog, folium_map, map_files, picture, tiles

Step = Callable[[str, int, int], None]


def map_(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the pages; opens from disk, no server needed")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help=f"Which: {', '.join(folium_map.MAPS)}; pictures also {picture.DAILY}; default: all"
        ),
    ] = None,
    pmtiles: Annotated[Path | None, typer.Option("--pmtiles", help="File for one layer as PMTiles")] = None,
    png: Annotated[Path | None, typer.Option("--png", help="File for a printed picture of one map")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", help="File for the same as a vector PDF")] = None,
    bbox: Annotated[str, typer.Option(help="west,south,east,north of the picture, degrees")] = "",
    size_px: Annotated[
        str, typer.Option("--size", help="Width x height of the picture, pixels")
    ] = "1600x1130",
    layer: Annotated[str, typer.Option(help="Layer of the PMTiles file")] = "grids",
    indicator: Annotated[str, typer.Option(help="Indicator that the grids of the PMTiles file carry")] = "",
    max_zoom: Annotated[int | None, typer.Option(min=8, max=18, help="Deepest zoom")] = None,
    root: Annotated[list[str] | None, typer.Option(help="Only this grid and what lies below it")] = None,
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
    city: CityOption = DEFAULT_CITY,
    as_json: JsonOption = False,
) -> None:
    """Write maps (三张地图) as files: people, hazards, facilities. Small counts of persons are suppressed."""
    if not any((out, pmtiles, png, pdf)):
        raise typer.BadParameter("say where: --out DIR, --png FILE, --pdf FILE or --pmtiles FILE")
    opened = open_city(city)
    scope = _scope(opened, root or [])
    names = tuple(name or folium_map.MAPS)
    report: dict[str, object] = {}
    lines: list[str] = []
    with progress("drawing tiles") as (bar, task):

        def step(what: str, done: int, of: int) -> None:
            bar.update(TaskID(task), description=what, completed=done, total=of)

        if out is not None:
            done = map_files.write_maps(
                opened, out, scope=scope, names=names, max_zoom=max_zoom, lang=lang, step=step
            )
            report |= {"out": str(out), "maps": names, **asdict(done)}
            size = f"{done.files} files, {done.bytes / 1e6:.1f} MB, zoom to {done.max_zoom}"
            lines.append(f"wrote {out}/index.html ({size})")
        if pmtiles is not None:
            count = _archive(opened, pmtiles, layer, indicator, scope, max_zoom or 14, step)
            report |= {"pmtiles": str(pmtiles), "layer": layer, "layer_tiles": count}
            lines.append(f"wrote {pmtiles} ({count} tiles)")
    for form, target in (("png", png), ("pdf", pdf)):
        if target is not None:
            target.write_bytes(_picture(opened, names[0] if name else "hazards", scope, bbox, size_px, form))
            report[form] = str(target)
            lines.append(f"wrote {target}")
    if as_json:
        print_json(report)
    else:
        err.print("\n".join(lines), markup=False)


def _scope(city: City, roots: list[str]) -> Scope:
    settings = Settings()
    scope = Scope(who="cli", role=settings.role, roots=frozenset(roots or settings.roots), k=settings.k)
    missing = sorted(scope.roots - set(city.degrees("grids").index))
    if missing:
        raise BadInputError(f"there is no grid {', '.join(missing)}")
    return scope


def _archive(
    city: City, file: Path, layer: str, indicator: str, scope: Scope, max_zoom: int, step: Step
) -> int:
    entry = catalog.layer(layer)
    selection = tiles.Selection(indicator=indicator)
    with file.open("wb") as target:
        return map_files.write_pmtiles(
            city, entry, target, scope=scope, selection=selection, max_zoom=max_zoom, step=step
        )


def _picture(city: City, name: str, scope: Scope, bbox: str, size: str, form: str) -> bytes:
    width, _, height = size.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise BadInputError(f"size {size!r}; allowed: width x height in pixels, such as 1600x1130")
    box = parse_box(bbox)
    view = picture.view_of(city, name, bbox=box, width=int(width), height=int(height))
    return picture.picture(city, view, scope=scope, form="pdf" if form == "pdf" else "png")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("map")(map_)
