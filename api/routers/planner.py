"""The planner (补点规划): its page, what-ifs with the rates before and after, the work list as a file."""

from typing import Annotated, Any, Literal

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import shapely
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.deps import CityDep, ScopeDep
from api.pages import page
from api.routers.coverage import geojson, ground_of
from geo import covered, schema
from geo.city import City
from geo.coverage.what_if import Change
from geo.errors import BadInputError, ForbiddenError, NotFoundError
from geo.scope import check_grid, visible_grids
from layers import catalog, summary, tiles
from layers.style import RAMPS
from layers.worklist import work_list, work_list_file

router = APIRouter(prefix="/planner", tags=["planner"])


BELOW = ("basemap", "borders", "grid_labels")
"""Groups of layers under and around the coloured grids."""
MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "gpkg": "application/geopackage+sqlite3",
}


class NewCamera(BaseModel):
    """A camera that is not there yet; degrees, longitude first."""

    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    name: str = Field("新增监控点", max_length=80)
    bearing_deg: float = Field(0, ge=0, le=360)
    fov_deg: float = Field(70, gt=0, le=360)
    range_m: float = Field(80, gt=0, le=2000)
    height_m: float = Field(5, ge=0, le=200)
    resolution_px: int = Field(1920, ge=100, le=20_000)


class Plan(BaseModel):
    """Cameras added, turned, lost and restored; nothing of it is kept."""

    add: list[NewCamera] = Field(default_factory=list, max_length=500)
    turn: dict[str, Annotated[float, Field(ge=0, le=360)]] = Field(default_factory=dict)
    lose: list[str] = Field(default_factory=list, max_length=5000)
    restore: list[str] = Field(default_factory=list, max_length=5000)


@router.get("", response_class=Response, responses={200: {"content": {"text/html": {}}}})
def planner() -> Response:
    """Return the planner's page."""
    return page("planner")


@router.get("/config.json")
def planner_config(city: CityDep, scope: ScopeDep) -> dict[str, Any]:
    """Return what the page must know before it draws; reads no table that the first view does without."""
    finest = catalog.layer(catalog.deepest_grids(city))
    held = {n: [e for e in catalog.members(n) if len(city.degrees(e.tables[0]))] for n in BELOW}
    groups = {name: tuple(entries) for name, entries in held.items() if entries}
    versions = {
        name: tiles.etag_of(city, entries, scope, tiles.NOTHING).strip('"')
        for name, entries in {**groups, finest.name: (finest,)}.items()
    }
    grids = catalog.entry_rows(city, finest)
    return {
        "city": city.name,
        "bounds": summary.bounds_of(city, scope),
        "empty": not len(grids),
        "cameras_missing": not len(city.degrees("cameras")),
        "grids": finest.name,
        "level": int(grids["level"].mode().iloc[0]) if len(grids) else 3,
        "versions": versions,
        "groups": {
            name: [
                {
                    "name": e.name,
                    "geometry": e.geometry,
                    "style": e.style.as_json(),
                    "size_m": _size_m(city, e),
                }
                for e in entries
            ]
            for name, entries in groups.items()
        },
        "size_m": _size_m(city, finest),
        "cameras": catalog.layer("cameras").style.as_json(),
        "ramp": RAMPS["green"],
        "claims": list(covered.STEPS),
        "seen": {lang: summary.scope_words(city, scope, lang) for lang in ("zh", "en")},
        "whole_city": scope.whole_city,
    }


def _size_m(city: City, entry: catalog.Layer) -> float | None:
    """Typical width of a layer's grids, which decides how thick their borders are; None for other layers."""
    return round(catalog.typical_size_m(city, entry), 1) if entry.grids else None


@router.get("/names.json")
def grid_names(city: CityDep, scope: ScopeDep) -> dict[str, str]:
    """Return the name of every grid of the finest level in scope, by its code."""
    grids = catalog.entry_rows(city, catalog.layer(catalog.deepest_grids(city)))
    seen = visible_grids(city.degrees("grids"), scope)
    names: dict[str, str] = grids["name"][seen.reindex(grids.index).to_numpy(dtype=bool)].dropna().to_dict()
    return names


@router.post("/what-if")
def planner_what_if(plan: Plan, city: CityDep, scope: ScopeDep) -> Response:
    """Return what a plan changes: ground, grids and target classes before and after, and where."""
    if not scope.whole_city:
        raise ForbiddenError("a what-if is a matter of the whole city; your scope is a part of it")
    secret = scope.sees_secret
    put = _put(city, plan, secret=secret)
    found = covered.what_if_of(city, put=put if len(put) else None, lose=plan.lose, secret=secret)
    views = found.views.to_crs(city.lonlat_crs) if len(found.views) else found.views
    body = ground_of(city, found) | {
        "grids": _grids(city, found, secret=secret),
        "classes": _classes(city, found, secret=secret),
        "targets": _targets(city, found),
        "views": [_geometry(v) for v in views],
    }
    return Response(orjson.dumps(body), media_type="application/json")


@router.post("/worklist.{form}", response_class=Response)
def planner_work_list(
    form: Literal["xlsx", "gpkg"],
    plan: Plan,
    city: CityDep,
    scope: ScopeDep,
    grid: Annotated[str, Query(description="Only this grid and what lies below it")] = "",
) -> Response:
    """Return blind spots, uncovered targets, broken cameras and the plan as Excel or GeoPackage."""
    if grid:
        check_grid(city.degrees("grids"), scope, grid)
    tables = work_list(city, scope=scope, grid=grid, plan=_planned(city, plan, secret=scope.sees_secret))
    headers = {"Content-Disposition": f'attachment; filename="santu-worklist.{form}"'}
    return Response(work_list_file(tables, form), media_type=MEDIA[form], headers=headers)


def _put(city: City, plan: Plan, *, secret: bool) -> gpd.GeoDataFrame:
    """Cameras that a plan adds or changes, in metres, as the contract says."""
    cameras = covered.cameras_of(city, secret=secret)
    _known(cameras, [*plan.turn, *plan.lose, *plan.restore])
    changed = cameras.loc[list(dict.fromkeys([*plan.turn, *plan.restore]))].copy()
    if plan.turn:
        changed.loc[list(plan.turn), "bearing_deg"] = list(plan.turn.values())
        changed.loc[list(plan.turn), "direction_type"] = pd.NA
    if plan.restore:
        changed.loc[plan.restore, "state"] = "on"
    both = set(plan.lose) & {*plan.turn, *plan.restore}
    if both:
        raise BadInputError(f"camera {min(both)!r} is both lost and changed; choose one")
    new = _new(city, plan)
    return gpd.GeoDataFrame(pd.concat([changed, new]) if len(new) else changed, crs=city.crs)


def _new(city: City, plan: Plan) -> gpd.GeoDataFrame:
    rows = [c.model_dump() for c in plan.add]
    ids = pd.Index([f"plan-{i + 1:03d}" for i in range(len(rows))], name="camera_id", dtype="str")
    frame = pd.DataFrame(rows, index=ids, columns=list(NewCamera.model_fields))
    x, y = city.to_metres(frame.pop("lon").to_numpy(float), frame.pop("lat").to_numpy(float))
    plain = frame.assign(
        state="on", ptz_type=3, room_type="outdoor", light_type=2, secrecy=0, bearing_error_deg=0.0
    )
    new: gpd.GeoDataFrame = schema.checked(
        "cameras", gpd.GeoDataFrame(plain, geometry=shapely.points(x, y), crs=city.crs)
    )
    return new


def _known(cameras: gpd.GeoDataFrame, ids: list[str]) -> None:
    unknown = [i for i in ids if i not in cameras.index]
    if unknown:
        raise NotFoundError(f"there is no camera {unknown[0]!r}")


def _planned(city: City, plan: Plan, *, secret: bool) -> gpd.GeoDataFrame:
    put = _put(city, plan, secret=secret)
    lost = covered.cameras_of(city, secret=secret).loc[plan.lose]
    words = ["转向" if i in plan.turn else "恢复" if i in plan.restore else "新增" for i in put.index]
    table = (
        pd.concat([put.assign(change=words), lost.assign(change="停用")])
        if len(lost)
        else put.assign(change=words)
    )
    return gpd.GeoDataFrame(table, crs=city.crs).rename_axis(index="camera_id")


def _grids(city: City, found: Change, *, secret: bool) -> list[dict[str, Any]]:
    ground = covered.grid_ground(city, secret=secret).reindex(found.by_zone.index)
    names = city.degrees("grids")["name"].reindex(found.by_zone.index)
    before = ground["geometric"].to_numpy(dtype=float)
    after = before + (found.by_zone["gained_m2"] - found.by_zone["lost_m2"]).to_numpy(dtype=float)
    free = ground["free_m2"].to_numpy(dtype=float)
    rows = pd.DataFrame(
        {
            "grid_id": found.by_zone.index,
            "name": names.to_numpy(),
            "free_m2": free,
            "before_m2": before,
            "after_m2": np.clip(after, 0, free),
        }
    )
    order = np.argsort(-np.abs(after - before), kind="stable")
    return _records(rows.iloc[order].round(1))


def _classes(city: City, found: Change, *, secret: bool) -> list[dict[str, Any]]:
    """Targets per class, listed and covered, before and after."""
    ledger = covered.ledger_of(city, secret=secret)
    changed = found.targets
    rows = []
    for number, part in ledger.groupby("target_class"):
        mine = changed[changed.index.isin(part.index)]
        row: dict[str, Any] = {"target_class": int(number), "listed": len(part)}
        for claim in ("covered", "effective"):
            now = int(part[claim].sum())
            more = int(mine[claim].sum()) - int(mine[f"{claim}_before"].sum()) if len(mine) else 0
            row |= {f"{claim}_before": now, f"{claim}_after": now + more}
        rows.append(row)
    return rows


def _targets(city: City, found: Change) -> list[dict[str, Any]]:
    table = found.targets
    if not len(table):
        return []
    names = city.degrees("targets").loc[table.index]
    points = names.geometry.representative_point()
    plain = table.assign(
        target_id=table.index, name=names["name"], target_class=names["target_class"],
        lon=points.x.round(7), lat=points.y.round(7),
    )  # fmt: skip
    return _records(plain)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    records: list[dict[str, Any]] = [
        {k: v.item() if hasattr(v, "item") else v for k, v in r.items()} for r in plain.to_dict("records")
    ]
    return records


def _geometry(shape: shapely.Geometry) -> dict[str, Any] | None:
    """GeoJSON of a shape in degrees; nothing where it is empty."""
    return None if shape.is_empty else geojson(shape)
