"""The situation card (态势卡): one request says where a place is, who sees it, what is near and what is open."""

from operator import itemgetter
from typing import Annotated, Any, Literal

import numpy as np
import orjson
import pandas as pd
from fastapi import APIRouter, Query, Response

from api.deps import CityDep, ScopeDep, StateDep
from api.observe import note_query
from api.routers.hotspots import risk_now
from api.routers.incidents import Crs
from api.state import ServerState
from geo import situation
from geo.address.fallback import Kind
from geo.address.visible import cut
from geo.city import City
from geo.crs import convert
from geo.errors import BadInputError, ForbiddenError, NotFoundError
from geo.incident import ground_distance_m
from geo.risk import LEVELS
from geo.scope import Scope, visible_cameras, visible_grids, visible_ids
from geo.store.addresses import LONGEST_TEXT, kind_of, locate_address

router = APIRouter(prefix="/v1/situation", tags=["situation"])

Near = Annotated[float, Query(ge=10, le=2000, description="Radius for incidents and hazards, metres")]
Text = Annotated[str | None, Query(max_length=128)]
Row = dict[str, Any]
MANY = 20
INCIDENT_FACTS = ["occurred_at", "category", "severity", "source", "stage", "due_at", "address", "distance_m", "lon",
                  "lat"]  # fmt: skip


@router.get("", response_class=Response, responses={200: {"content": {"application/json": {}}}})
def situation_card(
    state: StateDep,
    city: CityDep,
    scope: ScopeDep,
    lon: Annotated[float | None, Query(ge=-180, le=180)] = None,
    lat: Annotated[float | None, Query(ge=-90, le=90)] = None,
    crs: Crs = "cgcs2000",
    incident: Text = None,
    camera: Text = None,
    grid: Text = None,
    address: Annotated[str | None, Query(max_length=LONGEST_TEXT)] = None,
    near_m: Near = situation.NEAR_M,
) -> Response:
    """Return the situation of a place: `lon` and `lat`, or an incident, a camera, a grid or an address.

    By address the best candidate is taken; `place.address` says how sure it is and what was wrong with the words.
    Lists are nearest first and hold at most 20 rows; `total` says how many there are. What a scope does not
    reach is not in the answer; a place outside it is refused.
    """
    place, lon_, lat_ = _place(state, city, scope, (lon, lat, crs), (incident, camera, grid, address))
    chain = _chain(city, scope, lon_, lat_)
    x, y = (float(v) for v in city.to_metres(lon_, lat_))
    cameras = situation.cameras_seeing(city, x, y, scope=scope)
    card = {
        "place": {**place, "lon": round(lon_, 7), "lat": round(lat_, 7)},
        "grids": chain,
        "risk": _risk(state, city, scope, chain),
        "cameras": {
            "total": len(cameras),
            "working": int((cameras["state"] == situation.WORKING).sum()),
            "unjudged": situation.unjudged_cameras(city, x, y, scope=scope),
            "seen_by": rows_of(cameras.head(MANY)),
        },
        "facilities": rows_of(situation.nearest_facilities(city, x, y)),
        "incidents": _incidents(state, city, scope, (x, y, lon_, lat_), near_m),
        "hazards": _listed(_within(city, scope, situation.open_hazards(city, x, y, radius_m=near_m))),
        "near_m": near_m,
        "as_of": state.live.last,
    }
    return Response(orjson.dumps(card), media_type="application/json")


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """Turn a table without geometry into plain rows: its index first, missing is None, times ISO in UTC."""
    columns = {frame.index.name or "index": frame.index, **{str(n): frame[n] for n in frame.columns}}
    values = [_plain(c) for n, c in columns.items() if n != "geometry"]
    names = [n for n in columns if n != "geometry"]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _plain(column: pd.Series | pd.Index) -> list[Any]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = (
            column.strftime("%Y-%m-%dT%H:%M:%SZ")
            if isinstance(column, pd.Index)
            else column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    values = column.to_numpy(dtype=object)
    gone = pd.isna(values)
    if gone.any():
        values = np.where(gone, None, values)
    plain: list[Any] = values.tolist()
    return plain


def _risk(state: ServerState, city: City, scope: Scope, chain: list[Row]) -> Row | None:
    """Level of the watched grid of a place, and the factors whose parts add up to its score, largest first.

    Nothing for the public, and where a city has too few incidents to compare with.
    """
    if scope.role == "public":
        return None
    try:
        found = risk_now(state.store, city, None)
    except NotFoundError:
        return None
    grid = next((g["grid_id"] for g in reversed(chain) if g["grid_id"] in found.table.index), None)
    if grid is None:
        return None
    row = found.table.loc[grid]
    why = found.explain(grid).sort_values("contribution", ascending=False)
    return {
        "grid_id": grid,
        "level": int(row["level"]),
        "colour": LEVELS[int(row["level"])],
        "score": round(float(row["risk_score"]), 1),
        "until": found.until.isoformat(),
        "why": rows_of(why.round(2)),
    }


def _listed(frame: pd.DataFrame) -> dict[str, Any]:
    return {"total": len(frame), "rows": rows_of(frame.head(MANY))}


def _place(
    state: ServerState,
    city: City,
    scope: Scope,
    point: tuple[float | None, float | None, Literal["wgs84", "cgcs2000", "gcj02", "bd09"]],
    named: tuple[str | None, str | None, str | None, str | None],
) -> tuple[Row, float, float]:
    """Find the place that is asked for; exactly one way of naming it is allowed."""
    lon, lat, crs = point
    incident, camera, grid, address = named
    if (lon is not None or lat is not None) + sum(v is not None for v in named) != 1:
        raise BadInputError("name one place: lon and lat, or incident, or camera, or grid, or address")
    if address is not None:
        return _of_address(city, scope, address, kind_of(state.settings.fallback))
    if incident is not None:
        row = state.live.get(incident)
        if row is not None:
            return {"kind": "incident", "id": incident, "incident": row}, row["lon"], row["lat"]
        found = _row(city, "incidents", incident)
        plain = rows_of(pd.DataFrame(found).T.rename_axis("incident_id").infer_objects())[0]
        return {"kind": "incident", "id": incident, "incident": plain}, found.geometry.x, found.geometry.y
    if camera is not None:
        found = _row(city, "cameras", camera)
        if not visible_cameras(city.degrees("cameras").loc[[camera]], scope).iloc[0]:
            raise NotFoundError(f"there is no row {camera!r} in cameras")  # not even that it exists
        return {"kind": "camera", "id": camera, "name": found["name"]}, found.geometry.x, found.geometry.y
    if grid is not None:
        found = _row(city, "grids", grid)
        inside = found.geometry.representative_point()
        return {"kind": "grid", "id": grid, "name": found["name"]}, inside.x, inside.y
    if lon is None or lat is None:
        raise BadInputError("lon and lat go together")
    east, north = convert(np.array([lon]), np.array([lat]), source=crs, target="cgcs2000")
    return {"kind": "point"}, float(east[0]), float(north[0])


def _of_address(city: City, scope: Scope, text: str, fallback: Kind | None) -> tuple[Row, float, float]:
    answer = locate_address(city, text, fallback=fallback)
    note_query("situation", text, str(answer["status"]))
    if not scope.whole_city:
        answer = cut(answer, visible_ids(city.degrees("grids"), scope))
    best = next((c for c in answer["candidates"] if c["lon"] is not None), None)
    if best is None:
        raise NotFoundError(f"no place is known for the address {text!r}")
    told = {k: best[k] for k in ("standard", "precision", "radius_m", "confidence", "faults")}
    place = {"kind": "address", "name": best["standard"], "address": told | {"status": answer["status"]}}
    return place, best["lon"], best["lat"]


def _row(city: City, table: str, key: str) -> Any:  # noqa: ANN401  # a row of a GeoDataFrame
    frame = city.degrees(table)
    if key not in frame.index:
        raise NotFoundError(f"there is no row {key!r} in {table}")
    return frame.loc[key]


def _chain(city: City, scope: Scope, lon: float, lat: float) -> list[Row]:
    """Grids of the place, town first, with the post of its staff; refused outside the scope."""
    found = city.locate([lon], [lat]).iloc[0].dropna()
    if not scope.whole_city:
        seen = visible_grids(city.degrees("grids"), scope)
        if not seen.reindex(found).any():
            raise ForbiddenError("this place is outside your scope")
    posts = city.derive("grid-posts", ("grids",), lambda: _posts(city))
    return [{**posts[grid], "role": role} for role, grid in found.items()]


def _posts(city: City) -> dict[str, Row]:
    """What a card says of each grid."""
    columns = ["level", "kind", "name", "staff_post", "households"]
    rows = rows_of(pd.DataFrame(city.degrees("grids")[columns]))
    return {row["grid_id"]: row for row in rows}


def _within(city: City, scope: Scope, frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows whose grids the scope reaches."""
    if scope.whole_city or frame.empty:
        return frame
    grids = city.degrees("grids")
    seen = set(grids.index[visible_grids(grids, scope)])
    return frame[
        city.locate(frame["lon"].to_numpy(float), frame["lat"].to_numpy(float))
        .isin(seen)
        .any(axis=1)
        .to_numpy()
    ]


def _incidents(
    state: ServerState, city: City, scope: Scope, at: tuple[float, float, float, float], near_m: float
) -> dict[str, Any]:
    """Open incidents around, the newest state of each: what has arrived stands before the snapshot."""
    x, y, lon, lat = at
    old = situation.open_incidents(city, x, y, radius_m=near_m)
    old = old[np.array([state.live.get(i) is None for i in old.index], dtype=bool)]
    east = near_m / (111_000.0 * max(np.cos(np.radians(lat)), 0.01))
    north = near_m / 110_000.0
    live = pd.DataFrame(
        [{"incident_id": r["incident_id"], **{n: r.get(n) for n in INCIDENT_FACTS}}
         for r in state.live.within(lon - east, lat - north, lon + east, lat + north) if r.get("stage") != "closed"],
        columns=["incident_id", *INCIDENT_FACTS], dtype=object,
    ).set_index("incident_id")  # fmt: skip
    if len(live):
        away = ground_distance_m(live["lon"].to_numpy(float), live["lat"].to_numpy(float), lon, lat)
        live = live.assign(distance_m=np.round(away, 1))[away <= near_m]
    old, live = _within(city, scope, old), _within(city, scope, live)
    rows = rows_of(old[INCIDENT_FACTS].head(MANY)) + rows_of(live)
    return {"total": len(old) + len(live), "rows": sorted(rows, key=itemgetter("distance_m"))[:MANY]}
