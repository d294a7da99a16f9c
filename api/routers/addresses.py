"""Addresses (标准地址): type-ahead, and the aliases that operators teach."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import CityDep, StateDep
from geo.errors import BadInputError, ForbiddenError
from geo.store import addresses

router = APIRouter(prefix="/v1/addresses", tags=["addresses"])

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
def suggest(q: Words, city: CityDep, limit: Annotated[int, Query(ge=1, le=50)] = 8) -> Suggestions:
    """Complete what was typed (输入提示)."""
    return Suggestions(suggestions=addresses.suggest(city, q, limit=limit))


@router.get("/aliases")
def aliases(
    city: CityDep, state: Literal["proposed", "accepted", "withdrawn"] | None = None
) -> dict[str, Any]:
    """List aliases (别名), newest first."""
    table = city.degrees("aliases")
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
def propose(body: Taught, state: StateDep) -> AliasKey:
    """Propose an alias: what an operator confirmed; it counts once it is accepted (学习别名)."""
    store = _writable(state)
    key = addresses.teach(
        store, body.text, body.standard, (body.lon, body.lat), by=body.by, at=datetime.now(UTC)
    )
    state.reload()
    return AliasKey(alias_id=key, state="proposed")


@router.post("/aliases/{alias_id}/review")
def review(alias_id: str, body: Review, state: StateDep) -> AliasKey:
    """Accept or withdraw an alias; either can be taken back (审核别名)."""
    addresses.review(_writable(state), alias_id, body.step, by=body.by, at=datetime.now(UTC))
    state.reload()
    return AliasKey(alias_id=alias_id, state=body.step)


def _writable(state: StateDep) -> Any:  # noqa: ANN401 - a Store
    if state.store is None:
        raise BadInputError("this server shows a city that lives in memory only; nothing can be kept")
    if state.settings.role == "public":
        raise ForbiddenError("the public cannot teach addresses")
    return state.store
