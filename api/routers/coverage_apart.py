"""Figures of coverage that stand beside the rates (单列口径): image levels, what can be reached, a period of time."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.deps import CityDep, ScopeDep, SecretDep
from api.routers.coverage import Grid, Limit, clean, everything, within_reach
from api.routers.incidents import moment
from geo import covered
from geo.coverage.level import DEFAULT_PROFILE, PROFILES
from geo.errors import ForbiddenError

router = APIRouter(prefix="/v1", tags=["coverage"])


@router.get("/coverage/levels")
def coverage_by_level(
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    profile: Annotated[str, Query(description=", ".join(PROFILES))] = DEFAULT_PROFILE,
) -> dict[str, Any]:
    """Return how many targets reach each image level of a pixel-density profile (各图像等级达到数)."""
    if not scope.whole_city:
        raise ForbiddenError("levels are counted for the whole city; your scope is a part of it")
    table = covered.levels_of(city, profile=profile, secret=secret)
    rows = [clean(row) for _, row in table.drop(columns="profile").iterrows()]
    return {"profile": profile, "default": DEFAULT_PROFILE, "profiles": list(PROFILES), "levels": rows}


@router.get("/coverage/reachable")
def coverage_reachable(city: CityDep, scope: ScopeDep, secret: SecretDep) -> dict[str, Any]:
    """Return what steerable cameras could turn to beside their home preset; never part of a rate (可转达范围)."""
    if not scope.whole_city:
        raise ForbiddenError("what can be reached is counted for the whole city; your scope is a part of it")
    return covered.reachable_of(city, secret=secret)


@router.get("/coverage/period")
def coverage_over_a_period(
    city: CityDep,
    scope: ScopeDep,
    secret: SecretDep,
    days: Annotated[int, Query(ge=1, le=366)] = 30,
    until: Annotated[datetime | None, Query(description="End, ISO 8601; default: now")] = None,
    grid: Grid = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Return online hours per unit and camera, and the effective rate over a period (时段在线率、有效覆盖率)."""
    within = None if everything(scope, grid) else within_reach(city, scope, grid)
    end = moment(until or datetime.now(UTC), city)
    assert end is not None  # noqa: S101  # there is a moment
    return covered.period_of(city, end=end, days=days, secret=secret, within=within).as_json(limit)
