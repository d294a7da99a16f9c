"""Addresses (标准地址): type-ahead, and the aliases that operators teach."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import numpy as np
import shapely
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from api.deps import CityDep, ScopeDep, StateDep
from api.observe import note_query
from geo.city import City
from geo.errors import BadInputError, ForbiddenError, NotFoundError
from geo.scope import Scope, visible_ids
from geo.store import addresses

router = APIRouter(prefix="/v1/addresses", tags=["addresses"])

MOST_SUGGESTED = 50
Words = Annotated[str, Query(max_length=addresses.LONGEST_TEXT)]


class Suggestions(BaseModel):
    """Completions of what was typed, best first."""

    suggestions: list[dict[str, Any]]


class Taught(BaseModel):
    """What an operator confirmed: these words mean this place."""

    text: str = Field(min_length=2, max_length=60, description="The words, without house number")
    standard: str = Field(min_length=2, max_length=200, description="Standard text of the place")
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    by: str = Field(
        min_length=1, max_length=60, description="Post of the operator (岗位), not a person's name"
    )


class Review(BaseModel):
    """A review of an alias."""

    step: Literal["accepted", "withdrawn"]
    by: str = Field(min_length=1, max_length=60, description="Post of the reviewer (岗位)")


class AliasKey(BaseModel):
    """Key and state of an alias."""

    alias_id: str
    state: str


@router.get("/suggest")
def suggest(
    q: Words, city: CityDep, scope: ScopeDep, limit: Annotated[int, Query(ge=1, le=50)] = 8
) -> Suggestions:
    """Complete what was typed (输入提示); only places that the caller may see."""
    found = addresses.suggest(city, q, limit=limit if scope.whole_city else MOST_SUGGESTED)
    note_query("suggest", q, str(len(found)))
    inside = _inside(city, scope, [s["lon"] for s in found], [s["lat"] for s in found])
    return Suggestions(suggestions=[s for s, good in zip(found, inside, strict=True) if good][:limit])


def _inside(city: City, scope: Scope, lon: Sequence[float], lat: Sequence[float]) -> NDArray[np.bool_]:
    """Which places lie in a base grid that the scope reaches."""
    if scope.whole_city or not len(lon):
        return np.ones(len(lon), bool)
    return city.locate(lon, lat)["base"].isin(visible_ids(city.degrees("grids"), scope)).to_numpy(bool)


@router.get("/aliases")
def aliases(
    city: CityDep, scope: ScopeDep, state: Literal["proposed", "accepted", "withdrawn"] | None = None
) -> dict[str, Any]:
    """List aliases (别名) of places that the caller may see, newest first."""
    table = city.degrees("aliases")
    points = table.geometry.to_numpy()
    table = table[_inside(city, scope, shapely.get_x(points), shapely.get_y(points))]
    chosen = table if state is None else table[(table["state"] == state).to_numpy(bool)]
    chosen = chosen.sort_values("taught_at", ascending=False, na_position="last")
    columns = ["text", "standard", "kind", "state", "taught_by"]
    rows = chosen[columns].astype("object").where(chosen[columns].notna(), None)
    return {
        "aliases": [
            {"alias_id": str(i), **row} for i, row in zip(rows.index, rows.to_dict("records"), strict=True)
        ]
    }


@router.post("/aliases", status_code=201)
def propose(body: Taught, state: StateDep, city: CityDep, scope: ScopeDep) -> AliasKey:
    """Propose an alias: what an operator confirmed; it counts once it is accepted (学习别名)."""
    store = _writable(state)
    if not _inside(city, scope, [body.lon], [body.lat])[0]:
        raise ForbiddenError("this place is outside your scope")
    key = addresses.teach(
        store, body.text, body.standard, (body.lon, body.lat), by=body.by, at=datetime.now(UTC)
    )
    state.reload()
    return AliasKey(alias_id=key, state="proposed")


@router.post("/aliases/{alias_id}/review")
def review(alias_id: str, body: Review, state: StateDep, city: CityDep, scope: ScopeDep) -> AliasKey:
    """Accept or withdraw an alias; either can be taken back (审核别名)."""
    points = city.degrees("aliases").geometry.reindex([alias_id])
    known = points.notna().to_numpy(bool)
    if not _inside(city, scope, points[known].x.to_list(), points[known].y.to_list()).all():
        raise NotFoundError(f"there is no alias {alias_id!r}")
    addresses.review(_writable(state), alias_id, body.step, by=body.by, at=datetime.now(UTC))
    state.reload()
    return AliasKey(alias_id=alias_id, state=body.step)


def _writable(state: StateDep) -> Any:  # noqa: ANN401 - a Store
    if state.store is None:
        raise BadInputError("this server shows a city that lives in memory only; nothing can be kept")
    if state.settings.role == "public":
        raise ForbiddenError("the public cannot teach addresses")
    return state.store
