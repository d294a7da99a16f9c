"""One grid and its card (网格信息卡)."""

from typing import Any

import pandas as pd
from fastapi import APIRouter

from api.deps import CityDep, ScopeDep, StateDep
from geo.indicators import INDICATORS, seen_values
from geo.scope import check_grid

router = APIRouter(prefix="/v1/grids", tags=["grids"])


@router.get("/{grid_id}")
def grid_card(grid_id: str, state: StateDep, city: CityDep, scope: ScopeDep) -> dict[str, Any]:
    """Return a grid: names, the grids above and directly below it, and every indicator (missing: suppressed)."""
    grids = city.degrees("grids")
    check_grid(grids, scope, grid_id)
    state.audit_read(scope, "service_workload")
    row = grids.loc[grid_id]
    shape = city.grids.geometry[grid_id]
    lon, lat = city.to_degrees(shape.representative_point().x, shape.representative_point().y)
    return {
        **_brief(grid_id, row),
        "chain": _chain(grids, grid_id),
        "children": [
            _brief(str(i), r) for i, r in grids[grids["parent_id"] == grid_id].sort_index().iterrows()
        ],
        "staff_post": _plain(row["staff_post"]),
        "households": _plain(row["households"]),
        "valid_from": _plain(row["valid_from"]),
        "valid_to": _plain(row["valid_to"]),
        "area_m2": round(float(shape.area), 1),
        "lon": round(float(lon), 7),
        "lat": round(float(lat), 7),
        "bbox": [round(float(v), 7) for v in grids.geometry[grid_id].bounds],
        "indicators": {
            name: {"value": _plain(seen_values(city, i, scope=scope)[grid_id]), "unit": i.unit, "zh": i.zh}
            for name, i in INDICATORS.items()
        },
    }


def _chain(grids: pd.DataFrame, grid_id: str) -> list[dict[str, Any]]:
    chain: list[dict[str, Any]] = []
    at: Any = grid_id
    while isinstance(at, str) and at in grids.index and len(chain) < 8:
        chain.insert(0, _brief(at, grids.loc[at]))
        at = grids.loc[at, "parent_id"]
    return chain


def _brief(grid_id: str, row: pd.Series) -> dict[str, Any]:
    return {
        "grid_id": grid_id,
        "level": _plain(row["level"]),
        "kind": _plain(row["kind"]),
        "name": _plain(row["name"]),
    }


def _plain(value: Any) -> Any:  # noqa: ANN401  # a cell of any column
    if value is None or pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return value.item() if hasattr(value, "item") else value
