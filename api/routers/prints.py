"""A map view on paper (地图打印): the layers, filters and colours of a screen as PNG or PDF."""

from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal

import geopandas as gpd
import pandas as pd
from fastapi import APIRouter, Query, Response

from api.box import parse_box
from api.deps import CityDep, ScopeDep, StateDep
from api.routers.hotspots import risk_now
from api.routers.incidents import newest_of
from api.state import ServerState, frame_of
from geo import schema, watch
from geo.city import City
from geo.errors import NotFoundError, UnknownNameError
from geo.incident import IncidentFilter
from geo.scope import Scope
from layers import catalog, picture, shading, tiles

router = APIRouter(prefix="/v1", tags=["maps"])

OPEN = "open"
MOST_OPEN = 2000
Filter = Annotated[str, Query(description="As in the address of a tile; commas part several values")]


@router.get("/print.{form}", response_class=Response,
            responses={200: {"content": {"image/png": {}, "application/pdf": {}}}})  # fmt: skip
def print_map(
    form: Literal["png", "pdf"],
    state: StateDep,
    city: CityDep,
    scope: ScopeDep,
    map: Annotated[str, Query(description="people, hazards, facilities or daily")] = "hazards",  # noqa: A002
    layers: Annotated[
        str,
        Query(description="Layers from bottom to top, instead of those of the map; `open`: open incidents"),
    ] = "",
    indicator: Annotated[str | None, Query(description="Colours the grid layer")] = None,
    shade: Annotated[
        str, Query(description=f"Analysis that colours it instead: {', '.join(shading.ANALYSES)}")
    ] = "",
    category: Filter = "",
    source: Filter = "",
    camera: Annotated[str, Query(description="States of cameras; commas part several")] = "",
    since: Filter = "",
    until: Filter = "",
    grid: Annotated[str, Query(description="Only what lies in this grid or below it")] = "",
    as_of: Annotated[date | None, Query(description="Grids of this date")] = None,
    bbox: Annotated[
        str, Query(description="west,south,east,north in degrees; default: the whole scope")
    ] = "",
    width: int = 1600,
    height: int = 1130,
    title: Annotated[str, Query(max_length=60)] = "",
    lang: Literal["zh", "en"] = "zh",
) -> Response:
    """Return a map view as a picture to print, with title, legend, scale, north, date and scope.

    What filters leave out is not drawn, and the sheet says which filters those are.
    """
    named = {"category": category, "source": source, "cameras.state": camera, "since": since, "until": until,
             "grid": grid}  # fmt: skip
    asked = {name: value for name, value in named.items() if value}
    view = picture.view_of(city, map, bbox=parse_box(bbox), width=width, height=height, lang=lang)
    names = tuple(layers.split(",")) if layers else view.layers
    view = replace(view, layers=tuple(n for n in names if n != OPEN), asked=asked)
    if layers:
        view = replace(view, indicator="", title=city.name)
    if indicator is not None:
        view = replace(view, indicator=indicator)
    if shade:
        view = replace(view, shade=_shade(state, city, shade, asked))
    if OPEN in names:
        view = replace(view, open=_open(state, city, asked, scope))
    drawn = city if as_of is None else city.as_of(as_of)
    view = replace(view, title=title or view.title, note=_note(city, view, as_of))
    if scope.sees_secret and state.holds_secret and _shows_cameras(view):
        state.audit_read(scope, "secret cameras: /v1/print")
    body = picture.picture(drawn, view, scope=scope, form=form)
    media = "image/png" if form == "png" else "application/pdf"
    return Response(body, media_type=media, headers={"Cache-Control": "private, no-cache"})


def _shows_cameras(view: picture.View) -> bool:
    return any(e.cut == "camera" for name in view.layers for e in catalog.members(name))


def _shade(state: ServerState, city: City, name: str, asked: dict[str, str]) -> picture.Shade:
    """Colours of an analysis for one category (several: all together), up to the day before `until`."""
    if name not in shading.ANALYSES:
        raise UnknownNameError("analysis", name, shading.ANALYSES)
    analysis = shading.ANALYSES[name]
    incidents = catalog.layer("incidents")
    selection = tiles.parse(
        incidents, {k: v for k, v in asked.items() if k == "until"}, timezone=city.timezone
    )
    last = None
    if selection.until is not None:
        last = (selection.until.tz_convert(city.timezone) - pd.Timedelta(1, "ns")).date()
    if name == "risk":
        found = risk_now(state.store, city, last).table["level"]
    else:
        chosen = _values(asked, "category")
        category = chosen[0] if len(chosen) == 1 else None
        end = watch.asked_day(city, last, pd.Timestamp.now(city.timezone).date())
        found = watch.hotspots_of(city, category=category, until=end)[analysis["value"]]
    ranks = found.map({r["value"]: i for i, r in enumerate(analysis["ranks"])}).dropna().astype(int)
    return picture.Shade(analysis["zh"], analysis["en"], ranks, shading.look(name))


def _values(asked: dict[str, str], name: str) -> tuple[str, ...]:
    if name not in asked:
        return ()
    incidents = catalog.layer("incidents")
    return tiles.parse(incidents, {name: asked[name]}, timezone="UTC").fields[name]


def _open(state: ServerState, city: City, asked: dict[str, str], scope: Scope) -> gpd.GeoDataFrame | None:
    """Open incidents that the filters leave, with those that arrived since the snapshot."""
    selection = tiles.parse(
        catalog.layer("incidents"),
        {k: v for k, v in asked.items() if k != "cameras.state"},
        timezone=city.timezone,
    )
    since, until = (None if t is None else t.tz_convert("UTC") for t in (selection.since, selection.until))
    wanted = IncidentFilter(
        since=since,
        until=until,
        category=list(selection.fields.get("category", ())) or None,
        source=list(selection.fields.get("source", ())) or None,
        only_open=True,
    )
    rows = newest_of(city, state, wanted, selection.grid or None, scope, MOST_OPEN)[:MOST_OPEN]
    return frame_of(rows) if rows else None


def _note(city: City, view: picture.View, as_of: date | None) -> str:
    """Say what the filters of a view leave out."""
    zh = view.lang == "zh"
    asked = view.asked
    selection = tiles.parse(
        catalog.layer("incidents"), {k: v for k, v in asked.items() if k in ("since", "until")},
        timezone=city.timezone,
    )  # fmt: skip
    begin, end = (
        None if t is None else t.tz_convert(city.timezone) for t in (selection.since, selection.until)
    )
    words: list[tuple[str, str]] = []
    if begin is not None or end is not None:
        text = " – ".join("…" if t is None else f"{t:%Y-%m-%d %H:%M}" for t in (begin, end))
        words.append(("警情时间" if zh else "incidents of", text))
    if "category" in asked:
        words.append(("类别" if zh else "category", "、".join(_values(dict(asked), "category"))))
    if "source" in asked:
        known = schema.INCIDENT_SOURCES if zh else {}
        words.append(
            ("来源" if zh else "source", "、".join(known.get(v, v) for v in _values(dict(asked), "source")))
        )
    if "cameras.state" in asked and _shows_cameras(view):
        known = {str(e.value): e.zh if zh else e.en for e in catalog.layer("cameras").style.entries}
        states = asked["cameras.state"].split(",")
        words.append(("监控点" if zh else "cameras", "、".join(known.get(s, s) for s in states)))
    if "grid" in asked:
        words.append(("范围" if zh else "within", f"{_name(city, asked['grid'])}（{asked['grid']}）"))
    if as_of is not None:
        words.append(("网格日期" if zh else "grids of", f"{as_of:%Y-%m-%d}"))
    return "　".join(f"{name}：{text}" if zh else f"{name}: {text}" for name, text in words)


def _name(city: City, grid: str) -> str:
    names = city.degrees("grids")["name"]
    if grid not in names.index:
        raise NotFoundError(f"there is no grid {grid!r}")
    found: Any = names[grid]
    return "" if pd.isna(found) else str(found)
