"""Indicators by name (指标)."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query

from api.deps import CityDep, IndicatorDep, ScopeDep, StateDep
from geo.indicators import INDICATORS, seen_values
from geo.scope import visible_grids

router = APIRouter(prefix="/v1/indicators", tags=["indicators"])


@router.get("")
def list_indicators() -> dict[str, Any]:
    """Return every indicator: name, Chinese name, unit, and whether small counts are suppressed."""
    return {
        "indicators": [
            {"name": i.name, "zh": i.zh, "unit": i.unit, "suppressed": i.persons} for i in INDICATORS.values()
        ]
    }


@router.get("/{name}")
def indicator_values(
    indicator: IndicatorDep,
    city: CityDep,
    scope: ScopeDep,
    state: StateDep,
    level: Annotated[int | None, Query(ge=1, le=4, description="1 town, 2 village, 3 base, 4 micro")] = None,
) -> dict[str, Any]:
    """Return an indicator for every grid in scope; null where it is not defined or suppressed."""
    if indicator.persons:
        state.audit_read(scope, indicator.name)
    grids = city.degrees("grids")
    seen = visible_grids(grids, scope).to_numpy()
    if level is not None:
        seen = seen & (grids["level"] == level).to_numpy(dtype=bool)
    values = seen_values(city, indicator, scope=scope)[seen].to_numpy(dtype="float64", na_value=np.nan)
    shown = [None if np.isnan(v) else round(v, 6) for v in values.tolist()]
    return {
        "name": indicator.name,
        "zh": indicator.zh,
        "unit": indicator.unit,
        "version": city.version("grids", *indicator.tables),
        "values": dict(zip(grids.index[seen].tolist(), shown, strict=True)),
    }
