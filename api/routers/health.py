"""Is it alive, is it ready, how is it doing (健康检查、指标)."""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.deps import StateDep
from geo.errors import StoreBusyError

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Return ok while the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(request: Request, state: StateDep) -> dict[str, Any]:
    """Return ok once the city is open and its grids are indexed; `prepared` says that nobody will wait for a first."""
    if not request.app.state.ready:
        raise StoreBusyError("the city is still being opened")
    state.city.locate([0.0], [0.0])
    return {
        "status": "ok",
        "city": state.city.name,
        "versions": state.city.version(),
        "prepared": state.prepared.is_set(),
    }


@router.get("/metrics", include_in_schema=False)
def metrics() -> Response:
    """Return the counters in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
