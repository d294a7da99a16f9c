"""Incidents: read by window, grid, box and distance; write durably (警情 / 事件)."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import shapely
from fastapi import APIRouter, Body, Path, Query, Response
from numpy.typing import NDArray

from api.box import parse_box
from api.deps import CityDep, ScopeDep, StateDep
from api.state import ServerState, frame_of, rows_at, rows_of
from geo import schema
from geo.city import City
from geo.crs import convert
from geo.errors import BadInputError, NotFoundError, Problem, SchemaError, StoreBusyError
from geo.incident import IncidentFilter
from geo.indicators import located
from geo.scope import Scope, reach
from geo.situation import incidents_by_time

_NO_ZONE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d(:\d\d(:\d\d([.,]\d+)?)?)?)?")

router = APIRouter(prefix="/v1/incidents", tags=["incidents"])

Crs = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]
EXAMPLE = {
    "incident_id": "JQ20260101000001",
    "lon": 118.05,
    "lat": 36.81,
    "occurred_at": "2026-01-01T08:30:00+08:00",
    "category": "theft",
    "source": "reported",
}
Limit = Annotated[int, Query(ge=1, le=10_000)]
Many = Annotated[list[str] | None, Query()]


@router.get("", response_class=Response, responses={200: {"content": {"application/json": {}}}})
def list_incidents(
    state: StateDep,
    city: CityDep,
    scope: ScopeDep,
    since: Annotated[
        datetime | None, Query(description="ISO 8601 with zone; without: the city's zone")
    ] = None,
    until: datetime | None = None,
    grid: Annotated[str | None, Query(description="Grid of any level")] = None,
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees")] = None,
    lon: Annotated[float | None, Query(ge=-180, le=180)] = None,
    lat: Annotated[float | None, Query(ge=-90, le=90)] = None,
    distance_m: float | None = None,
    category: Many = None,
    source: Many = None,
    stage: Many = None,
    only_open: bool = False,  # a query parameter
    limit: Limit = 1000,
) -> Response:
    """Return incidents, newest first, from the snapshot and what has arrived since.

    `next_until`, where it is not null, asks for the next page when given as `until`.
    """
    asked = IncidentFilter(
        since=moment(since, city),
        until=moment(until, city),
        box=parse_box(bbox),
        near=_near(lon, lat, distance_m),
        category=category,
        source=source,
        stage=stage,
        only_open=only_open,
    )
    rows = newest_of(city, state, asked, grid, scope, limit + 1)
    more = len(rows) > limit
    body = {
        "incidents": rows[:limit],
        "next_until": rows[limit - 1]["occurred_at"] if more else None,
        "version": city.version("incidents"),
        "live": len(state.live),
    }
    return Response(orjson.dumps(body), media_type="application/json")


def newest_of(
    city: City, state: ServerState, asked: IncidentFilter, grid: str | None, scope: Scope, limit: int
) -> list[dict[str, Any]]:
    """Incidents of the snapshot (as many as `limit`) and all that arrived since, newest first."""
    rows = [
        *_of_snapshot(city, state, asked, grid, scope, limit),
        *_of_overlay(city, state, asked, grid, scope),
    ]
    rows.sort(key=lambda r: (r["occurred_at"], r["incident_id"]), reverse=True)
    return rows


@router.post("", status_code=201)
def post_incidents(
    state: StateDep,
    city: CityDep,
    body: Annotated[
        dict[str, Any] | list[dict[str, Any]],
        Body(openapi_examples={"one": {"value": EXAMPLE}, "many": {"value": [EXAMPLE]}}),
    ],
    crs: Crs = "cgcs2000",
) -> dict[str, Any]:
    """Keep incidents; the answer comes when they are on disk. The same `incident_id` again corrects the first."""
    _writable(state)
    frame = parse_incidents(body if isinstance(body, list) else [body], crs, timezone=city.timezone)
    changes = state.accept_incidents(frame)
    found = city.locate(frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    grids = found.astype(object).where(found.notna(), None).to_dict("records")
    return {
        "accepted": len(frame),
        "changed": len(changes),
        "incidents": [{"incident_id": i, "grids": g} for i, g in zip(frame.index, grids, strict=True)],
    }


@router.post("/{incident_id}/stage")
def set_stage(
    incident_id: Annotated[str, Path(max_length=128)],
    state: StateDep,
    city: CityDep,
    scope: ScopeDep,
    stage: Annotated[str, Body(embed=True, description=", ".join(schema.INCIDENT_STAGES))],
) -> dict[str, Any]:
    """Move an incident to a stage of the loop 发现→甄别→上报→交办→处置→反馈→办结; kept with who and when."""
    store = _writable(state)
    if stage not in schema.INCIDENT_STAGES:
        allowed = ", ".join(f"{k} {v}" for k, v in schema.INCIDENT_STAGES.items())
        raise BadInputError(f"stage {stage!r}; allowed: {allowed}")
    with state.lock:
        row = state.live.get(incident_id) or _snapshot_row(city, incident_id)
        changed = {**row, "stage": stage}
        frame = frame_of([changed])
        with store.transaction() as change:
            change.upsert("incidents", frame)
            change.audit(scope.who, "incident.stage", incident_id, f"{row.get('stage')} -> {stage}")
        state.live.put(rows_of(frame), kind="stage")
    return changed


def parse_incidents(
    rows: list[dict[str, Any]], crs: str, *, timezone: str = "Asia/Shanghai"
) -> gpd.GeoDataFrame:
    """Turn rows from outside into a conforming table in degrees; `SchemaError` lists every fault at once.

    A time that names no zone is in the city's `timezone`, as everywhere at the door.
    """
    known = {"incident_id", "lon", "lat", *schema.table("incidents").names}
    problems = [
        Problem("column.unknown", name, i, str(row[name])[:50], ", ".join(sorted(known)))
        for i, row in enumerate(rows)
        for name in row
        if name not in known
    ]
    table = pd.DataFrame(rows).reindex(
        columns=["incident_id", "lon", "lat", *schema.table("incidents").names]
    )
    for column in schema.table("incidents").columns:
        if column.kind == "time":
            table[column.name] = _zoned(table[column.name], timezone)
    lon = pd.to_numeric(table["lon"], errors="coerce").to_numpy(dtype=float)
    lat = pd.to_numeric(table["lat"], errors="coerce").to_numpy(dtype=float)
    wrong = ~((abs(lon) <= 180) & (abs(lat) <= 90)) | ((lon == 0) & (lat == 0))
    problems += [
        Problem("place", "lon,lat", int(i), f"{rows[i].get('lon')}, {rows[i].get('lat')}",
                       "degrees, longitude first; not 0,0")
        for i in wrong.nonzero()[0]
    ]  # fmt: skip
    lon, lat = convert(np.where(wrong, 0.0, lon), np.where(wrong, 0.0, lat), source=crs, target="cgcs2000")
    shapes = shapely.points(lon, lat)
    frame = gpd.GeoDataFrame(table.drop(columns=["lon", "lat"]), geometry=shapes, crs="EPSG:4490")
    result, more = schema.conform("incidents", frame)
    if problems or more:
        raise SchemaError("incidents", problems + more)
    return result


def _zoned(times: pd.Series, timezone: str) -> pd.Series:
    """Give a zone to the texts that lack one; what is no time stays, for the contract to refuse."""
    texts = times.map(lambda v: isinstance(v, str) and _NO_ZONE.fullmatch(v) is not None).to_numpy(dtype=bool)
    if not texts.any():
        return times
    stamps = pd.to_datetime(times[texts], errors="coerce", format="ISO8601")
    local = stamps.dt.tz_localize(timezone, ambiguous=True, nonexistent="shift_forward")
    known = local.astype(object).where(stamps.notna(), times[texts])  # the contract names what is no time
    return times.where(~texts, known.reindex(times.index))


def _writable(state: ServerState) -> Any:  # noqa: ANN401  # a Store
    if state.store is None:
        raise StoreBusyError("this city lives in memory only; nothing can be kept")
    return state.store


def _of_snapshot(
    city: City, state: ServerState, asked: IncidentFilter, grid: str | None, scope: Scope, limit: int
) -> list[dict[str, Any]]:
    """Newest first, looked at in growing parts until there are enough: a page of open ones reads no old years."""
    table, order = city.degrees("incidents"), _newest(city, asked)
    within = None if grid is None and scope.whole_city else reach(city.degrees("grids"), scope, grid)
    wanted, found, start, size = limit + len(state.live), 0, 0, 4 * limit
    parts = []
    while start < len(order) and found < wanted:
        part = order[start : start + size]
        rows = part[asked.rows(table.iloc[part])]
        if within is not None:
            rows = rows[located(city, "incidents", rows).isin(within).any(axis=1).to_numpy()]
        parts.append(rows)
        found, start, size = found + len(rows), start + size, size * 2
    newest = np.concatenate([np.empty(0, np.int64), *parts])[:wanted]
    return [r for r in rows_of(table.iloc[newest]) if state.live.get(r["incident_id"]) is None]


def _newest(city: City, asked: IncidentFilter) -> NDArray[np.int64]:
    """Positions of all incidents, or of the open ones, in the window of time asked for, newest first."""
    order, occurred = incidents_by_time(city, only_open=asked.only_open)
    first = 0 if asked.since is None else occurred.searchsorted(asked.since)
    last = len(order) if asked.until is None else occurred.searchsorted(asked.until)
    return order[first:last][::-1]


def _of_overlay(
    city: City, state: ServerState, asked: IncidentFilter, grid: str | None, scope: Scope
) -> list[dict[str, Any]]:
    rows = state.live.within(*asked.box) if asked.box else state.live.rows()
    if not rows:
        return []
    frame = frame_of(rows)
    chosen = frame.iloc[asked.rows(frame)]
    if grid is not None or not scope.whole_city:
        found = city.locate(chosen.geometry.x.to_numpy(), chosen.geometry.y.to_numpy())
        chosen = chosen[found.isin(reach(city.degrees("grids"), scope, grid)).any(axis=1).to_numpy()]
    return rows_of(chosen)


def _snapshot_row(city: City, incident_id: str) -> dict[str, Any]:
    table = city.degrees("incidents")
    if incident_id not in table.index:
        raise NotFoundError(f"there is no incident {incident_id!r}")
    return rows_of(rows_at(table, table.index.get_indexer([incident_id])))[0]


def moment(value: datetime | None, city: City) -> pd.Timestamp | None:
    """Return a time from outside in UTC; one that names no zone is in the city's."""
    if value is None:
        return None
    stamp = pd.Timestamp(value)
    return (stamp.tz_localize(city.timezone) if stamp.tzinfo is None else stamp).tz_convert("UTC")


def _near(
    lon: float | None, lat: float | None, distance_m: float | None
) -> tuple[float, float, float] | None:
    given = [v is not None for v in (lon, lat, distance_m)]
    if not any(given):
        return None
    if lon is None or lat is None or distance_m is None:
        raise BadInputError("lon, lat and distance_m go together")
    return lon, lat, distance_m
