"""The operator console: the page `/` and what it needs to know before it draws (指挥席页面)."""

from collections.abc import Container
from dataclasses import asdict
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from api.deps import CityDep, ScopeDep, StateDep
from api.facts import facts_of
from api.pages import page
from geo.address.answer import FAULTS
from layers import shading

router = APIRouter(include_in_schema=False)


@router.get("/")
def console() -> Response:
    """Return the console."""
    return page("console")


@router.get("/console/config.json")
def configuration(request: Request, state: StateDep, city: CityDep, scope: ScopeDep) -> Response:
    """Return what the console must know: layers with their legends, indicators, categories, the data's time."""
    facts = facts_of(city, scope)
    newest = max((r["occurred_at"] for r in state.live.rows()), default="")
    body = {
        **facts,
        "latest": max(facts["latest"], newest) or None,
        "basemap": request.app.state.basemap.as_json(),
        **_abilities(request.app.openapi()["paths"]),
    }
    return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-cache"})


def _abilities(paths: Container[str]) -> dict[str, Any]:
    """Say what this server can answer beyond the map: addresses, and analyses with a value per grid."""
    return {
        "address": "/v1/addresses/suggest" in paths,
        "blind": "/v1/blind-spots" in paths,
        "faults": FAULTS,
        "analyses": {k: v for k, v in shading.ANALYSES.items() if v["path"] in paths},
        "risk": [asdict(e) for e in shading.RISK_LEVELS],
    }
