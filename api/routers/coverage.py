"""Cameras, targets and what is covered (监控点、目标、覆盖)."""

from typing import Annotated, Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import shapely
from fastapi import APIRouter, Path, Query, Response

from api.deps import CityDep, ScopeDep
from geo import covered
from geo.city import City
from geo.coverage.blind_spot import KINDS
from geo.errors import BadInputError, ForbiddenError, NotFoundError, UnknownNameError
from geo.scope import Scope, visible_grids

router = APIRouter(prefix="/v1", tags=["coverage"])

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
    secret = scope.sees_secret
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
        | ({} if seen is None else _clean(seen.loc[i, ["distance_m", "px_m"]]))
        for i in order[:limit]
    ]
    return {"total": len(order), "cameras": rows}


@router.get("/cameras/{camera_id}")
def one_camera(
    camera_id: Annotated[str, Path(max_length=64)], city: CityDep, scope: ScopeDep
) -> dict[str, Any]:
    """Return one camera with its field of view (GeoJSON) and what nobody else sees."""
    secret = scope.sees_secret
    table, seen = covered.cameras_of(city, secret=secret), covered.watch_of(city, secret=secret)
    if camera_id not in table.index:
        raise NotFoundError(f"there is no camera {camera_id!r}")
    if not _inside(city, scope, None, table.geometry.loc[[camera_id]])[0]:
        raise ForbiddenError(f"camera {camera_id!r} is outside your scope")
    row = int(table.index.get_loc(camera_id))
    shape = gpd.GeoSeries([seen.fields.shapes[row]], crs=city.crs).to_crs(city.lonlat_crs)
    return _camera(city, table, seen.fields.optics, camera_id) | {
        "seen_m2": round(float(seen.fields.area_m2[row]), 1),
        "field_of_view": orjson.loads(shapely.to_geojson(shapely.set_precision(shape.iloc[0], 1e-7))),
    }


@router.get("/targets")
def list_targets(
    city: CityDep,
    scope: ScopeDep,
    target_class: Annotated[int | None, Query(alias="class", ge=1, le=3)] = None,
    is_covered: Annotated[bool | None, Query(alias="covered")] = None,
    grid: Grid = None,
    limit: Limit = 500,
) -> dict[str, Any]:
    """Return the target ledger: what each place asks for, who reaches it, what to do (目标覆盖台账)."""
    table = covered.ledger_of(city, secret=scope.sees_secret)
    keep = np.array(table["grid_id"].isin(_reach(city, scope, grid))) | _everything(scope, grid)
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
        {"target_id": str(i)} | _clean(row) | {"cameras": [c for c in row["cameras"].split(";") if c]}
        for i, row in rows.iterrows()
    ]
    return {"total": len(part), "targets": records}


@router.get("/coverage")
def coverage(city: CityDep, scope: ScopeDep, grid: Grid = None) -> dict[str, Any]:
    """Return every rate of the city, or of a grid, claim by claim, with what it rests on (覆盖率口径)."""
    within = None if _everything(scope, grid) else frozenset(_reach(city, scope, grid))
    found = covered.summary_of(city, secret=scope.sees_secret, within=within)
    return found.as_json() | {"version": city.version(*covered.WATCHED, "targets")}


@router.get("/coverage/grids")
def coverage_by_grid(
    city: CityDep,
    scope: ScopeDep,
    level: Annotated[int | None, Query(ge=1, le=4, description="1 town, 2 village, 3 base, 4 micro")] = None,
) -> Response:
    """Return free ground and ground covered per grid, claim by claim, m² (网格面积覆盖)."""
    grids = city.degrees("grids")
    seen = visible_grids(grids, scope).to_numpy(dtype=bool)
    if level is not None:
        seen = seen & (grids["level"] == level).to_numpy(dtype=bool)
    table = covered.grid_ground(city, secret=scope.sees_secret)[seen].round(1)
    body = {"claims": dict(covered.STEPS), "grids": table.to_dict("index")}
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


@router.get("/coverage/losses")
def losses(
    city: CityDep,
    scope: ScopeDep,
    by: Annotated[str, Query(description="camera, pole, switch or unit")] = "pole",
    limit: Limit = 100,
) -> dict[str, Any]:
    """Return the ground that goes dark with each camera, pole, switch or unit, most first (失效影响)."""
    if not scope.whole_city:
        raise ForbiddenError("losses are a matter of the whole city; your scope is a part of it")
    table = covered.losses_of(city, by, secret=scope.sees_secret)
    return {
        "by": by,
        "total": len(table),
        "losses": table.head(limit).round(1).reset_index().to_dict("records"),
    }


@router.get("/blind-spots")
def blind_spots(
    city: CityDep,
    scope: ScopeDep,
    kind: Annotated[str | None, Query(description="road, junction, target, cordon")] = None,
    working: Annotated[bool, Query(description="Only cameras in order count")] = False,
    grid: Grid = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Return blind spots with names, highest score first, with every factor of the score (盲区清单)."""
    table = covered.blind_spots_of(city, secret=scope.sees_secret, working=working)
    keep = np.array(table["grid_id"].isin(_reach(city, scope, grid))) | _everything(scope, grid)
    if kind is not None:
        if kind not in KINDS:
            raise UnknownNameError("kind of blind spot", kind, KINDS)
        keep &= (table["kind"] == kind).to_numpy()
    part = table[keep].head(limit)
    shapes = part.geometry.to_crs(city.lonlat_crs)
    rows = [
        _clean(row) | {"geometry": orjson.loads(shapely.to_geojson(shapely.set_precision(shape, 1e-7)))}
        for (_, row), shape in zip(part.drop(columns="geometry").iterrows(), shapes, strict=True)
    ]
    counts = table.loc[keep, "kind"].value_counts().to_dict()
    return {
        "total": int(keep.sum()),
        "kinds": {str(k): int(v) for k, v in counts.items()},
        "blind_spots": rows,
    }


@router.get("/coverage/ring/{grid_id}")
def ring(
    grid_id: Annotated[str, Path(max_length=64)],
    city: CityDep,
    scope: ScopeDep,
    working: Annotated[bool, Query(description="Only cameras in order count")] = False,
) -> dict[str, Any]:
    """Return the fewest streets whose watching closes the ring around a grid (围合方案)."""
    _reach(city, scope, grid_id)
    table = covered.ring_of(city, grid_id, secret=scope.sees_secret, working=working)
    shapes = table.geometry.to_crs(city.lonlat_crs)
    streets = [
        _clean(row) | {"geometry": orjson.loads(shapely.to_geojson(shapely.set_precision(shape, 1e-7)))}
        for (_, row), shape in zip(table.drop(columns="geometry").iterrows(), shapes, strict=True)
    ]
    return {"grid_id": grid_id, "leaks": int((table["role"] == "watch").sum()), "streets": streets}


def _camera(city: City, table: gpd.GeoDataFrame, optics: pd.DataFrame, camera_id: str) -> dict[str, Any]:
    row, view = table.loc[camera_id], optics.loc[camera_id]
    place = city.degrees("cameras").geometry[camera_id]
    return (
        {"camera_id": camera_id, "lon": round(place.x, 7), "lat": round(place.y, 7)}
        | _clean(row[list(CAMERA_FIELDS)])
        | {"optics": _clean(view[list(OPTICS)])}
    )


def _everything(scope: Scope, grid: str | None) -> bool:
    return grid is None and scope.whole_city


def _reach(city: City, scope: Scope, grid: str | None) -> set[str]:
    """Grids that were asked for and may be seen, with all below them."""
    grids = city.degrees("grids")
    seen = visible_grids(grids, scope)
    if grid is None:
        return set(grids.index[seen])
    if grid not in grids.index:
        raise NotFoundError(f"there is no grid {grid!r}")
    if not seen[grid]:
        raise ForbiddenError(f"grid {grid!r} is outside your scope")
    below = visible_grids(grids, Scope(roots=frozenset([grid])))
    return set(grids.index[below])


def _inside(city: City, scope: Scope, grid: str | None, places: gpd.GeoSeries) -> np.ndarray:
    if _everything(scope, grid):
        return np.ones(len(places), dtype=bool)
    return np.isin(covered.grid_of(city, places), list(_reach(city, scope, grid)))


def _in_box(city: City, places: gpd.GeoSeries, text: str) -> np.ndarray:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise BadInputError(f"bbox {text!r}: allowed: west,south,east,north in degrees") from None
    lon, lat = city.to_degrees(places.x.to_numpy(), places.y.to_numpy())
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def _clean(row: pd.Series) -> dict[str, Any]:
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
