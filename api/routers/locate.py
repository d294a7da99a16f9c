"""Which grid is this place in (所在网格): one point, or up to 100,000."""

from datetime import date
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from numpy.typing import NDArray

from api import bulk
from api.deps import CityDep, ScopeDep, StateDep
from api.observe import note_query
from api.point import point_answers
from api.routers.incidents import Crs
from geo.address import visible
from geo.city import City
from geo.crs import convert
from geo.errors import BadInputError
from geo.scope import Scope, visible_ids
from geo.store.addresses import LONGEST_TEXT, kind_of, locate_address

router = APIRouter(prefix="/v1/locate", tags=["locate"])

Lon = Annotated[
    float | None,
    Query(ge=-180, le=180, allow_inf_nan=False, description="Longitude, degrees", examples=[118.05]),
]
Lat = Annotated[
    float | None, Query(ge=-90, le=90, allow_inf_nan=False, description="Latitude, degrees", examples=[36.81])
]
AsOf = Annotated[date | None, Query(description="Answer with the grids of this date; default: now")]
Radius = Annotated[float, Query(ge=0, le=5000, description="Uncertainty of the place, metres")]

POINT = {
    "lon": 118.05,
    "lat": 36.81,
    "grids": [
        {"grid_id": "370303001000000", "level": 1, "kind": "admin", "name": "某某街道"},
        {"grid_id": "370303001001000", "level": 2, "kind": "admin", "name": "某某社区"},
        {"grid_id": "370303001001001", "level": 3, "kind": "base", "name": "第一网格"},
    ],
    "edge_m": 41.3,
    "also": [],
    "nearest": None,
}
MANY = {"count": 2, "town": ["370303001000000", None], "village": ["370303001001000", None],
        "base": ["370303001001001", None], "dedicated": [None, None], "micro": [None, None]}  # fmt: skip
ARROW_TYPES = (bulk.ARROW, "application/vnd.apache.arrow.file")
BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get("", responses={200: {"content": {"application/json": {"example": POINT}}}})
def locate(
    state: StateDep,
    city: CityDep,
    scope: ScopeDep,
    lon: Lon = None,
    lat: Lat = None,
    address: Annotated[
        str | None, Query(max_length=LONGEST_TEXT, description="Address in words (地址)")
    ] = None,
    as_of: AsOf = None,
    crs: Crs = "cgcs2000",
    radius_m: Radius = 0.0,
    district: Annotated[str, Query(max_length=60, description="With `address`: its district or town")] = "",
) -> Response:
    """Return the grids of a place, given by `lon` and `lat` or by `address`.

    By coordinates: `grids` goes from town down to the base grid and micro-grid; a dedicated grid (专属网格) stands
    before the base grid beneath it and takes precedence. `edge_m` is the distance to the nearest border of the
    base grid, `also` the other base grids within `radius_m` (0: those that share the border the place is on),
    `nearest` the nearest base grid where the place is in none; more than 50 km outside all of them it is null, and
    a `note` says so. On a border the lowest code answers. `lon` and `lat` of the answer are CGCS2000.

    By address: `candidates`, best first; `lon` and `lat` may be given as a place nearby, which is evidence.
    """
    if (lon is None) != (lat is None) or (lon is None and address is None):
        raise BadInputError("lon and lat: give both, or an address")
    place = None
    if lon is not None and lat is not None:
        x, y = _degrees(np.array([lon]), np.array([lat]), crs)
        place = float(x[0]), float(y[0])
    if address is not None:
        answer = locate_address(
            city,
            address,
            near=place,
            district=district,
            as_of=as_of,
            fallback=kind_of(state.settings.fallback),
        )
        note_query("locate", address, str(answer["status"]))
        if not scope.whole_city:
            answer = visible.cut(answer, _visible(city if as_of is None else city.as_of(as_of), scope))
        return Response(
            orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json"
        )
    assert place is not None  # noqa: S101  # one of them was given
    return answer_point(city, scope, *place, as_of=as_of, radius_m=radius_m)


def answer_point(
    city: City, scope: Scope, lon: float, lat: float, *, as_of: date | None = None, radius_m: float = 0.0
) -> Response:
    """Answer for one point in CGCS2000 degrees, cut to what the scope reaches."""
    city = city if as_of is None else city.as_of(as_of)
    answers = point_answers(city)
    if scope.whole_city:
        body = answers.full(lon, lat, radius_m) if radius_m else answers.body(lon, lat)
    else:
        answer = answers.lookup.answers([lon], [lat], radius_m=radius_m)[0]
        body = orjson.dumps(cut(answer, _visible(city, scope)))
    return Response(body, media_type="application/json")


def cut(answer: dict[str, Any], visible: frozenset[str]) -> dict[str, Any]:
    """Leave the grids that a scope reaches in an answer."""
    grids = [g for g in answer["grids"] if g["grid_id"] in visible]
    nearest = answer["nearest"]
    return answer | {
        "grids": grids,
        "edge_m": answer["edge_m"] if any(g["kind"] == "base" for g in grids) else None,
        "also": [i for i in answer["also"] if i in visible],
        "nearest": nearest if nearest and nearest["grid_id"] in visible else None,
    }


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "",
    responses={200: {"content": {"application/json": {"example": MANY}, bulk.ARROW: BINARY}}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["lon", "lat"],
                        "properties": {
                            name: {
                                "type": "array",
                                "maxItems": bulk.MOST,
                                "items": {"type": ["number", "null"]},
                            }
                            for name in ("lon", "lat")
                        },
                    },
                    "example": {"lon": [118.05, 0.0], "lat": [36.81, 0.0]},
                },
                bulk.ARROW: BINARY,
            },
        }
    },
)
def locate_many(
    request: Request,
    city: CityDep,
    scope: ScopeDep,
    body: Annotated[bytes, Depends(_body)],
    as_of: AsOf = None,
    crs: Crs = "cgcs2000",
) -> Response:
    """Return the grid codes of up to 100,000 places, a column per level; null outside.

    The body is `{"lon": […], "lat": […]}`, or an Arrow IPC stream with columns `lon` and `lat`; the answer has
    the same form, in the same order; in Arrow every column is dictionary-encoded text, each code sent once. Null
    coordinates are outside.
    """
    arrow = request.headers.get("content-type", "").split(";")[0].strip().lower().startswith(ARROW_TYPES)
    lon, lat = bulk.points_of_arrow(body) if arrow else bulk.points_of_json(body)
    city = city if as_of is None else city.as_of(as_of)
    found = city.lookup.positions(*_degrees(lon, lat, crs))
    if not scope.whole_city:
        visible = _visible(city, scope)
        for name, level in city.lookup.levels.items():
            seen = np.array([i in visible for i in level.ids] + [False])
            found[name] = np.where(seen[found[name]], found[name], np.int32(-1))
    media = bulk.ARROW if arrow else "application/json"
    return Response(bulk.written(city, found, arrow=arrow), media_type=media)


def _degrees(
    lon: NDArray[np.float64], lat: NDArray[np.float64], crs: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Convert to the degrees of the grids; those of WGS-84 and CGCS2000 are the same, bit for bit."""
    return (lon, lat) if crs in ("wgs84", "cgcs2000") else convert(lon, lat, source=crs, target="cgcs2000")


def _visible(city: City, scope: Scope) -> frozenset[str]:
    return visible_ids(city.degrees("grids"), scope)
