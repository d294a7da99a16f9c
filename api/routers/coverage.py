"""Cameras, targets and what is covered (监控点、目标、覆盖)."""

from typing import Annotated, Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import shapely
from fastapi import APIRouter, Body, Path, Query, Response

from api.box import parse_box
from api.deps import CityDep, ScopeDep, SecretDep
from geo import covered, schema
from geo.city import City
from geo.coverage.blind_spot import KINDS
from geo.coverage.ledger import ACTIONS
from geo.coverage.what_if import Change
from geo.errors import BadInputError, ForbiddenError, NotFoundError, Problem, SchemaError, UnknownNameError
from geo.scope import Scope, reach, visible_grids

router = APIRouter(prefix="/v1", tags=["coverage"])

WHY = {text: code for code, text in ACTIONS.items()}
"""Code of what is to be done for a target, from its words; empty: covered."""

Limit = Annotated[int, Query(ge=1, le=10_000)]
Grid = Annotated[str | None, Query(description="A grid of any level: what lies in it or below")]
CAMERA_FIELDS = (
    "name",
    "point_class",
    "ptz_type",
    "state",
    "unit",
    "height_m",
    "resolution_px",
    "light_type",
)
OPTICS = (
    "kind", "bearing_deg", "bearing_source", "bearing_error_deg", "fov_deg", "fov_source", "range_m",
    "range_source", "near_m", "steerable", "place", "absurd", "why_not",
)  # fmt: skip


@router.get("/cameras")
def list_cameras(
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees")] = None,
    lon: Annotated[
        float | None, Query(ge=-180, le=180, description="With lat: those that see this place")
    ] = None,
    lat: Annotated[float | None, Query(ge=-90, le=90)] = None,
    grid: Grid = None,
    state: Annotated[
        str | None, Query(description="on, off, vlost, defect, repair, removed, unknown")
    ] = None,
    limit: Limit = 500,
) -> dict[str, Any]:
    """Return cameras with their optics and where each value comes from; with lon and lat, those that see it."""
    table = covered.cameras_of(city, secret=secret)
    optics = covered.watch_of(city, secret=secret).fields.optics
    chosen = pd.Series(_inside(city, scope, grid, table.geometry), index=table.index)
    seen = None
    if (lon is None) != (lat is None):
        raise BadInputError("lon and lat go together")
    if lon is not None and lat is not None:
        seen = covered.seeing(city, lon, lat, secret=secret)
        chosen &= table.index.isin(seen.index)
    if state is not None:
        chosen &= table["state"] == state
    if bbox is not None:
        chosen &= _in_box(city, table.geometry, bbox)
    order = table.index[chosen] if seen is None else seen.index[seen.index.isin(table.index[chosen])]
    rows = [
        _camera(city, table, optics, str(i))
        | ({} if seen is None else clean(seen.loc[i, ["distance_m", "px_m"]]))
        for i in order[:limit]
    ]
    return {"total": len(order), "cameras": rows}


@router.get("/cameras/{camera_id}")
def one_camera(
    camera_id: Annotated[str, Path(max_length=64)], city: CityDep, scope: ScopeDep, secret: SecretDep
) -> dict[str, Any]:
    """Return one camera with its field of view (GeoJSON) and what nobody else sees."""
    table, seen = covered.cameras_of(city, secret=secret), covered.watch_of(city, secret=secret)
    if camera_id not in table.index:
        raise NotFoundError(f"there is no camera {camera_id!r}")
    if not _inside(city, scope, None, table.geometry.loc[[camera_id]])[0]:
        raise ForbiddenError(f"camera {camera_id!r} is outside your scope")
    row = int(table.index.get_loc(camera_id))
    shape = gpd.GeoSeries([seen.fields.shapes[row]], crs=city.crs).to_crs(city.lonlat_crs)
    return _camera(city, table, seen.fields.optics, camera_id) | {
        "seen_m2": round(float(seen.fields.area_m2[row]), 1),
        "field_of_view": geojson(shape.iloc[0]),
    }


@router.get("/targets")
def list_targets(
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    target_class: Annotated[int | None, Query(alias="class", ge=1, le=3)] = None,
    is_covered: Annotated[bool | None, Query(alias="covered")] = None,
    grid: Grid = None,
    limit: Limit = 500,
) -> dict[str, Any]:
    """Return the target ledger: what each place asks for, who reaches it, what to do (目标覆盖台账)."""
    table = covered.ledger_of(city, secret=secret)
    keep = np.array(table["grid_id"].isin(within_reach(city, scope, grid))) | everything(scope, grid)
    if target_class is not None:
        keep &= (table["target_class"] == target_class).to_numpy(dtype=bool)
    if is_covered is not None:
        keep &= (table["covered"] == is_covered).to_numpy(dtype=bool)
    part = table[keep]
    shown = part.head(limit)
    place = shown.geometry.representative_point()
    lon, lat = city.to_degrees(place.x.to_numpy(), place.y.to_numpy())
    rows = pd.DataFrame(shown.drop(columns="geometry")).assign(lon=np.round(lon, 7), lat=np.round(lat, 7))
    records = [
        {"target_id": str(i), "why": WHY[row["action"]]}
        | clean(row)
        | {"cameras": [c for c in row["cameras"].split(";") if c]}
        for i, row in rows.iterrows()
    ]
    return {"total": len(part), "targets": records}


@router.get("/coverage")
def coverage(city: CityDep, scope: ScopeDep, secret: SecretDep, grid: Grid = None) -> dict[str, Any]:
    """Return every rate of the city, or of a grid, claim by claim, with what it rests on (覆盖率口径)."""
    within = None if everything(scope, grid) else within_reach(city, scope, grid)
    found = covered.summary_of(city, secret=secret, within=within)
    return found.as_json() | {"version": city.version(*covered.WATCHED, "targets")}


@router.get("/coverage/grids")
def coverage_by_grid(
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    level: Annotated[int | None, Query(ge=1, le=4, description="1 town, 2 village, 3 base, 4 micro")] = None,
) -> Response:
    """Return free ground and ground covered per grid, claim by claim, m² (网格面积覆盖)."""
    grids = city.degrees("grids")
    seen = visible_grids(grids, scope).to_numpy(dtype=bool)
    if level is not None:
        seen = seen & (grids["level"] == level).to_numpy(dtype=bool)
    table = covered.grid_ground(city, secret=secret)[seen].round(1)
    body = {"claims": dict(covered.STEPS), "grids": table.to_dict("index")}
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


@router.get("/coverage/losses")
def losses(
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    by: Annotated[str, Query(description="camera, pole, switch or unit")] = "pole",
    limit: Limit = 100,
) -> dict[str, Any]:
    """Return the ground that goes dark with each camera, pole, switch or unit, most first (失效影响)."""
    if not scope.whole_city:
        raise ForbiddenError("losses are a matter of the whole city; your scope is a part of it")
    table = covered.losses_of(city, by, secret=secret)
    return {
        "by": by,
        "total": len(table),
        "losses": table.head(limit).round(1).reset_index().to_dict("records"),
    }


@router.get("/blind-spots")
def blind_spots(
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    kind: Annotated[str | None, Query(description="road, junction, target, cordon")] = None,
    working: Annotated[bool, Query(description="Only cameras in order count")] = False,
    grid: Grid = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Return blind spots with names, highest score first, with every factor of the score (盲区清单)."""
    table = covered.blind_spots_of(city, secret=secret, working=working)
    keep = np.array(table["grid_id"].isin(within_reach(city, scope, grid))) | everything(scope, grid)
    if kind is not None:
        if kind not in KINDS:
            raise UnknownNameError("kind of blind spot", kind, KINDS)
        keep &= (table["kind"] == kind).to_numpy()
    part = table[keep].head(limit)
    shapes = part.geometry.to_crs(city.lonlat_crs)
    rows = [
        clean(row) | {"geometry": geojson(shape)}
        for (_, row), shape in zip(part.drop(columns="geometry").iterrows(), shapes, strict=True)
    ]
    counts = table.loc[keep, "kind"].value_counts().to_dict()
    return {
        "total": int(keep.sum()),
        "kinds": {str(k): int(v) for k, v in counts.items()},
        "blind_spots": rows,
    }


@router.post("/coverage/what-if")
def what_if(
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    add: Annotated[
        list[dict[str, Any]] | None, Body(description="New cameras: lon, lat and contract columns")
    ] = None,
    turn: Annotated[dict[str, float] | None, Body(description="Camera id -> new bearing, degrees")] = None,
    lose: Annotated[list[str] | None, Body(description="Cameras that go dark")] = None,
    lose_group: Annotated[dict[str, str] | None, Body(description='{"by": "switch", "name": "S1"}')] = None,
) -> dict[str, Any]:
    """Return what adding, turning or losing cameras changes: ground, grids, targets; nothing is kept (假设分析)."""
    if not scope.whole_city:
        raise ForbiddenError("a what-if is a matter of the whole city; your scope is a part of it")
    put = [_added(city, add or []), _turned(city, turn or {}, secret=secret)]
    tables = [t for t in put if len(t)]
    group = None if lose_group is None else (lose_group.get("by", ""), lose_group.get("name", ""))
    found = covered.what_if_of(
        city,
        put=gpd.GeoDataFrame(pd.concat(tables), crs=city.crs) if tables else None,
        lose=lose or [],
        group=group,
        secret=secret,
    )
    return ground_of(city, found) | {
        "grids": found.by_zone.round(1).to_dict("index"),
        "targets": {str(i): clean(row) for i, row in found.targets.iterrows()},
    }


@router.get("/coverage/interval")
def coverage_interval(
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    runs: Annotated[int, Query(ge=2, le=100)] = 30,
    seed: Annotated[int, Query(ge=0)] = 0,
    limit: Limit = 50,
) -> dict[str, Any]:
    """Return least, expected and greatest coverage under azimuth and position errors, and what to survey first."""
    if not scope.whole_city:
        raise ForbiddenError("the interval is a matter of the whole city; your scope is a part of it")
    found = covered.interval_of(city, runs=runs, seed=seed, secret=secret)
    records = [{"camera_id": str(i)} | clean(row) for i, row in found.records.head(limit).iterrows()]
    rates = {str(i): clean(row) for i, row in found.rates.iterrows()}
    return {"runs": found.runs, "seed": seed, "rates": rates, "survey_first": records}


@router.get("/coverage/forbidden")
def forbidden(city: CityDep, scope: ScopeDep, secret: SecretDep, limit: Limit = 500) -> dict[str, Any]:
    """Return cameras that see a place where filming is forbidden, with the part of the picture to mask (禁拍冲突)."""
    table = covered.forbidden_of(city, secret=secret)
    cameras = covered.cameras_of(city, secret=secret)
    mine = cameras.index[_inside(city, scope, None, cameras.geometry)]
    part = table[table["camera_id"].isin(mine)]
    return {"total": len(part), "conflicts": [clean(row) for _, row in part.head(limit).iterrows()]}


@router.get("/coverage/ring/{grid_id}")
def ring(
    grid_id: Annotated[str, Path(max_length=64)],
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    working: Annotated[bool, Query(description="Only cameras in order count")] = False,
) -> dict[str, Any]:
    """Return the fewest streets whose watching closes the ring around a grid (围合方案)."""
    within_reach(city, scope, grid_id)
    table = covered.ring_of(city, grid_id, secret=secret, working=working)
    shapes = table.geometry.to_crs(city.lonlat_crs)
    streets = [
        clean(row) | {"geometry": geojson(shape)}
        for (_, row), shape in zip(table.drop(columns="geometry").iterrows(), shapes, strict=True)
    ]
    return {"grid_id": grid_id, "leaks": int((table["role"] == "watch").sum()), "streets": streets}


def _added(city: City, rows: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    """Cameras of a request: `camera_id` may be absent, place is lon and lat."""
    known = {"camera_id", "lon", "lat", *schema.table("cameras").names}
    problems = [
        Problem("column.unknown", name, i, str(row[name])[:50], ", ".join(sorted(known)))
        for i, row in enumerate(rows)
        for name in row
        if name not in known
    ]
    table = pd.DataFrame(rows).reindex(columns=["camera_id", "lon", "lat", *schema.table("cameras").names])
    lon = pd.to_numeric(table["lon"], errors="coerce").to_numpy(dtype=float)
    lat = pd.to_numeric(table["lat"], errors="coerce").to_numpy(dtype=float)
    outside = ~((abs(lon) <= 180) & (abs(lat) <= 90))
    problems += [
        Problem("place", "lon,lat", int(i), "", "degrees, longitude first") for i in outside.nonzero()[0]
    ]
    if problems:
        raise SchemaError("cameras", problems)
    names = [str(c) if isinstance(c, str) and c else f"new-{i + 1}" for i, c in enumerate(table["camera_id"])]
    state = table["state"].astype(object)
    table["state"] = state.where(state.notna(), "on")
    frame = gpd.GeoDataFrame(
        table.drop(columns=["camera_id", "lon", "lat"]).set_axis(
            pd.Index(names, name="camera_id", dtype="str")
        ),
        geometry=shapely.points(*city.to_metres(lon, lat)) if len(table) else [],
        crs=city.crs,
    )
    return schema.checked("cameras", frame)


def _turned(city: City, bearings: dict[str, float], *, secret: bool) -> gpd.GeoDataFrame:
    table = covered.cameras_of(city, secret=secret)
    unknown = [i for i in bearings if i not in table.index]
    if unknown:
        raise NotFoundError(f"there is no camera {unknown[0]!r}")
    return table.loc[list(bearings)].assign(bearing_deg=[b % 360 for b in bearings.values()])


def ground_of(city: City, found: Change) -> dict[str, Any]:
    """Ground that a what-if gains and loses, m² and shapes (null: none); `working`: where working cameras alone count."""
    shapes = [found.gained, found.lost, found.gained_working, found.lost_working]
    drawn = [
        None if s.is_empty else geojson(s)
        for s in gpd.GeoSeries(shapes, crs=city.crs).to_crs(city.lonlat_crs)
    ]
    area = [round(float(s.area), 1) for s in shapes]
    names = ("gained_m2", "lost_m2", "gained", "lost")
    working = dict(zip(names, [*area[2:], *drawn[2:]], strict=True))
    return dict(zip(names, [*area[:2], *drawn[:2]], strict=True)) | {"working": working}


def geojson(shape: shapely.Geometry) -> Any:  # noqa: ANN401 - a GeoJSON geometry
    """GeoJSON of a shape in degrees, 7 decimals (1 cm).

    Point by point: what is valid in metres may have slivers that cross in degrees, and is to be shown all the same.
    """
    return orjson.loads(shapely.to_geojson(shapely.transform(shape, lambda xy: xy.round(7))))


def _camera(city: City, table: gpd.GeoDataFrame, optics: pd.DataFrame, camera_id: str) -> dict[str, Any]:
    row, view = table.loc[camera_id], optics.loc[camera_id]
    place = city.degrees("cameras").geometry[camera_id]
    return (
        {"camera_id": camera_id, "lon": round(place.x, 7), "lat": round(place.y, 7)}
        | clean(row[list(CAMERA_FIELDS)])
        | {"optics": clean(view[list(OPTICS)])}
    )


def everything(scope: Scope, grid: str | None) -> bool:
    """Whether nothing is cut by place: no grid was asked for, and the caller sees the whole city."""
    return grid is None and scope.whole_city


def within_reach(city: City, scope: Scope, grid: str | None) -> frozenset[str]:
    """Grids that were asked for and may be seen, with all below them."""
    return reach(city.degrees("grids"), scope, grid)


def _inside(city: City, scope: Scope, grid: str | None, places: gpd.GeoSeries) -> np.ndarray:
    if everything(scope, grid):
        return np.ones(len(places), dtype=bool)
    return np.isin(covered.grid_of(city, places), list(within_reach(city, scope, grid)))


def _in_box(city: City, places: gpd.GeoSeries, text: str) -> np.ndarray:
    box = parse_box(text)
    if box is None:
        return np.ones(len(places), dtype=bool)
    west, south, east, north = box
    lon, lat = city.to_degrees(places.x.to_numpy(), places.y.to_numpy())
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def clean(row: pd.Series) -> dict[str, Any]:
    """Plain values; missing ones are null, metres and degrees have three decimals."""
    result: dict[str, Any] = {}
    for name, value in row.items():
        if value is None or pd.isna(value):
            result[str(name)] = None
        elif isinstance(value, float | np.floating):
            result[str(name)] = round(float(value), 3)
        else:
            result[str(name)] = value.item() if hasattr(value, "item") else value
    return result
