"""`santu locate`: which grid is a place in, by coordinates or by address; one place or a file of them."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.progress import TaskID

from api.cli import locate_address
from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, err, out, print_json, progress
from geo import open_city
from geo.address.fallback import Kind
from geo.city import City
from geo.crs import convert
from geo.errors import BadInputError, ImportRefusedError
from geo.io.headers import match
from geo.io.source import open_source
from geo.store.addresses import kind_of

ROWS = 100_000
SAME = ("wgs84", "cgcs2000")
ADDRESS = ("address", "地址", "详细地址", "事发地址", "标准地址")


def locate(
    address: Annotated[str | None, typer.Argument(help="Address in words (地址)")] = None,
    lon: Annotated[float | None, typer.Option(help="Longitude, degrees")] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude, degrees")] = None,
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Answer with the grids of this date")
    ] = None,
    crs: Annotated[
        str, typer.Option(help="Of the coordinates: wgs84, cgcs2000, gcj02, bd09, EPSG:n")
    ] = "cgcs2000",
    radius_m: Annotated[float, typer.Option(min=0, help="Uncertainty of the place, metres")] = 0.0,
    district: Annotated[str, typer.Option(help="District or town of the address")] = "",
    batch: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="IN OUT", help="A CSV with lon and lat, or address")
    ] = None,
    evaluate: Annotated[Path | None, typer.Option(help="Score the addresses of a labelled file")] = None,
    fallback: Annotated[
        str,
        typer.Option(envvar="SANTU_FALLBACK", help="Text index for unsure addresses: fts5, tantivy, off"),
    ] = "fts5",
    city: CityOption = DEFAULT_CITY,
    as_json: JsonOption = False,
) -> None:
    """Answer which grid a place is in (所在网格): --lon and --lat, an address, or a file of either."""
    asked = [
        batch is not None,
        evaluate is not None,
        address is not None or lon is not None or lat is not None,
    ]
    if sum(asked) != 1 or (lon is None) != (lat is None):
        raise typer.BadParameter("name one: --lon and --lat, an address, --batch IN OUT, or --evaluate FILE")
    opened = open_city(city)
    day = as_of.date() if as_of else None
    kind = kind_of(fallback)
    if batch is not None:
        locate_file(opened, *batch, as_of=day, crs=crs, fallback=kind, as_json=as_json)
    elif evaluate is not None:
        locate_address.show_evaluation(opened, evaluate, fallback=kind, as_json=as_json)
    elif address is not None:
        near = None if lon is None or lat is None else _degrees(lon, lat, crs)
        found = locate_address.show_address(
            opened, address, near=near, district=district, as_of=day, fallback=kind, as_json=as_json
        )
        raise typer.Exit(found)
    elif lon is not None and lat is not None:
        raise typer.Exit(show_point(opened, *_degrees(lon, lat, crs), day, radius_m, as_json=as_json))


def show_point(
    city: City, lon: float, lat: float, as_of: date | None, radius_m: float, *, as_json: bool
) -> int:
    """Answer one point on stdout; the exit code: 0 in a grid, 1 outside."""
    chosen = city if as_of is None else city.as_of(as_of)
    answer = chosen.lookup.answers([lon], [lat], radius_m=radius_m)[0]
    if as_json:
        print_json(answer)
    else:
        _print(answer)
    return 0 if answer["grids"] else 1


def _print(answer: dict[str, Any]) -> None:
    for grid in answer["grids"]:
        out.print(f"{grid['level']} {grid['kind']:<9} {grid['grid_id']}  {grid['name'] or ''}", markup=False)
    if answer["edge_m"] is not None:
        out.print(f"{answer['edge_m']} m to the nearest border of the base grid", markup=False)
    if answer["also"]:
        out.print(f"also: {', '.join(answer['also'])}", markup=False)
    if answer["nearest"]:
        near = answer["nearest"]
        out.print(f"in no base grid; nearest: {near['grid_id']}, {near['distance_m']} m", markup=False)
    elif "note" in answer:
        out.print(f"in no base grid; {answer['note']}", markup=False)
    elif not answer["grids"]:
        out.print("in no grid; the city has no base grids", markup=False)


def locate_file(
    city: City,
    source: Path,
    target: Path,
    *,
    as_of: date | None,
    crs: str,
    fallback: Kind | None,
    as_json: bool,
) -> None:
    """Write a CSV with the columns of `source` and the answers; a piece at a time, and whole or not at all."""
    if source.resolve() == target.resolve():
        raise BadInputError(f"{target}: the output would overwrite the input; name another file")
    opened = open_source(source)
    place = match("incidents", opened.columns).columns
    text = next((c for c in opened.columns if str(c).strip().lower() in ADDRESS), None)
    by_place = "lon" in place and "lat" in place
    if not by_place and text is None:
        raise ImportRefusedError(
            f"{source} has columns {', '.join(map(str, opened.columns))}; needed: lon and lat in degrees "
            f"(or 经度, 纬度), or an address ({', '.join(ADDRESS)})"
        )
    partial = target.with_name(f".{target.name}.part")
    columns = (place["lon"], place["lat"]) if by_place else None
    partial = target.with_name(f".{target.name}.part")
    parts: list[pd.DataFrame] = []
    try:
        with partial.open("w", encoding="utf-8", newline="") as file, progress("rows", 100) as (bar, task):
            for i, chunk in enumerate(opened.read(ROWS)):
                answers = _answers(city, chunk.frame, columns, text, as_of=as_of, crs=crs, fallback=fallback)
                table = pd.concat([chunk.frame, answers], axis=1)
                table.to_csv(file, index=False, header=i == 0, lineterminator="\n")
                parts.append(answers[["santu_status", "santu_precision", "santu_faults"]])
                bar.update(TaskID(task), completed=int(100 * chunk.fraction))
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if not parts:
        partial.unlink()
        raise ImportRefusedError(f"{source}: a header and no rows; nothing was written")
    partial.replace(target)
    _summary(pd.concat(parts), [str(p) for p in opened.broken], as_json=as_json)


def _answers(
    city: City,
    frame: pd.DataFrame,
    place: tuple[str, str] | None,
    text: str | None,
    *,
    as_of: date | None,
    crs: str,
    fallback: Kind | None,
) -> pd.DataFrame:
    """Answer rows by their coordinates, and by their address where they have none."""
    if place is None:
        return locate_address.locate_texts(city, frame[text], as_of=as_of, fallback=fallback)
    answers = locate_rows(city, frame[place[0]], frame[place[1]], as_of=as_of, crs=crs)
    if text is None:
        return answers
    rest = frame[(frame[place[0]].str.strip() == "") & (frame[text].str.strip() != "")]
    if len(rest):
        answers.loc[rest.index] = locate_address.locate_texts(
            city, rest[text], as_of=as_of, fallback=fallback
        )
    return answers


def locate_rows(
    city: City, lon: pd.Series, lat: pd.Series, *, as_of: date | None = None, crs: str = "cgcs2000"
) -> pd.DataFrame:
    """Answer rows of coordinates in text (按坐标批量定位).

    Parameters
    ----------
    city
        The snapshot.
    lon, lat
        Degrees in `crs`, or metres where that is projected, as text.
    as_of
        Answer with the grids of this date.
    crs
        Of the coordinates.

    Returns
    -------
    DataFrame
        `santu_*` on the index of `lon`: status `unique` in a grid and `none` outside; the place in CGCS2000;
        the code of the dedicated grid, else of the base grid; the faults `coordinates-absent`,
        `coordinates-not-numbers`, `coordinates-impossible` (over 180 and 90 degrees, or exactly 0, 0),
        `outside`, `far-outside` (more than 50 km from every base grid), each alone.
    """
    given = (lon.str.strip() != "") & (lat.str.strip() != "")
    x, y = (pd.to_numeric(v.str.strip(), errors="coerce").to_numpy(np.float64) for v in (lon, lat))
    if crs not in SAME:
        x, y = convert(x, y, source=crs, target="cgcs2000")
    with np.errstate(invalid="ignore"):
        impossible = (np.abs(x) > 180) | (np.abs(y) > 90) | ((x == 0) & (y == 0))
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(impossible, np.nan, x), np.where(impossible, np.nan, y)
    chosen = city if as_of is None else city.as_of(as_of)
    found = chosen.locate(x, y)
    code = found["dedicated"].fillna(found["base"])
    inside = code.notna().to_numpy()
    faults = [
        (~given.to_numpy(), "coordinates-absent"),
        (~finite, "coordinates-not-numbers"),
        (impossible, "coordinates-impossible"),
        (~inside & chosen.lookup.far(x, y), "far-outside"),
        (~inside, "outside"),
    ]
    known = np.isfinite(x) & np.isfinite(y)
    return pd.DataFrame(
        {
            "santu_status": np.where(inside, "unique", "none"),
            "santu_lon": np.where(known, np.round(x, 7), np.nan),
            "santu_lat": np.where(known, np.round(y, 7), np.nan),
            "santu_precision": np.where(known, "point", ""),
            "santu_confidence": inside.astype(float),
            "santu_grid_id": code.fillna("").to_numpy(),
            "santu_faults": np.select([f for f, _ in faults], [name for _, name in faults], ""),
        },
        index=lon.index,
    )


def _summary(table: pd.DataFrame, broken: list[str], *, as_json: bool) -> None:
    summary = locate_address.batch_summary(table) | {"broken_rows": broken[:100]}
    if as_json:
        print_json(summary)
        return
    err.print(f"{summary['rows']} rows, {summary['auto_assigned_share']:.1%} in one grid", markup=False)
    for name in ("status", "precision", "faults"):
        err.print(f"  {name}: " + ", ".join(f"{k} {v}" for k, v in summary[name].items()), markup=False)
    for line in broken[:20]:
        err.print(f"  left out: {line}", markup=False)


def _degrees(lon: float, lat: float, crs: str) -> tuple[float, float]:
    x, y = (lon, lat) if crs in SAME else (float(v) for v in convert(lon, lat, source=crs, target="cgcs2000"))
    if not (-180 <= x <= 180 and -90 <= y <= 90):
        raise BadInputError(
            f"lon {x}, lat {y}: allowed are -180 to 180 and -90 to 90 degrees, longitude first"
        )
    return x, y


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(locate)
