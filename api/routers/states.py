"""State of a facility or a camera as its platform reports it (设施与监控点状态): durable, live, audited."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path

from api.deps import ScopeDep, StateDep
from api.routers.incidents import moment
from api.state import ServerState
from geo import schema
from geo.errors import BadInputError, ForbiddenError, NotFoundError, StoreBusyError
from geo.indicators import located
from geo.scope import Scope, visible_cameras, visible_grids

router = APIRouter(prefix="/v1", tags=["states"])

Id = Annotated[str, Path(max_length=128)]


@router.post("/facilities/{facility_id}/state")
def facility_state(
    facility_id: Id,
    state: StateDep,
    scope: ScopeDep,
    value: Annotated[str, Body(alias="state", description=", ".join(schema.FACILITY_STATES))],
    at: Annotated[datetime | None, Body(description="When it was so; ISO 8601 with zone")] = None,
) -> dict[str, Any]:
    """Set the state of a facility; the answer comes when it is on disk."""
    return _set(state, scope, "facilities", facility_id, value, {"last_seen_at": at})


@router.post("/cameras/{camera_id}/state")
def camera_state(
    camera_id: Id,
    state: StateDep,
    scope: ScopeDep,
    value: Annotated[str, Body(alias="state", description=", ".join(schema.CAMERA_STATES))],
    at: Annotated[
        datetime | None, Body(description="Since when it is so; ISO 8601 with zone; default: now")
    ] = None,
) -> dict[str, Any]:
    """Set the state of a camera; the answer comes when it is on disk. Secret cameras only for their role."""
    return _set(state, scope, "cameras", camera_id, value, {"state_since": at or datetime.now(UTC)})


def _set(
    state: ServerState, scope: Scope, table: str, key: str, value: str, times: dict[str, datetime | None]
) -> dict[str, Any]:
    allowed = schema.table(table).column("state").allowed
    if value not in allowed:
        shown = ", ".join(f"{k} {v}" for k, v in allowed.items())
        raise BadInputError(f"state {value!r}; allowed: {shown}")
    if state.store is None:
        raise StoreBusyError("this city lives in memory only; nothing can be kept")
    frame = state.city.degrees(table)
    if key not in frame.index:
        raise NotFoundError(f"{table}: there is no {key!r}")
    row = frame.loc[[key]]
    if table == "cameras" and not visible_cameras(row, scope).iloc[0]:
        raise NotFoundError(
            f"{table}: there is no {key!r}"
        )  # a secret camera does not even exist below its role
    if not _reaches(state, table, key, scope):
        raise ForbiddenError(f"{table}: {key!r} is outside your scope")
    changed = row.assign(state=value, **{k: moment(v, state.city) for k, v in times.items() if v})
    state.accept_state(table, schema.checked(table, changed), scope)
    return {schema.table(table).key: key, "state": value}


def _reaches(state: ServerState, table: str, key: str, scope: Scope) -> bool:
    if scope.whole_city:
        return True
    seen = visible_grids(state.city.degrees("grids"), scope)
    return bool(located(state.city, table).loc[key].isin(seen.index[seen]).any())
