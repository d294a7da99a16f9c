"""Hotspots, warnings, forecasts and risk (热点、预警、预测、风险)."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
from fastapi import APIRouter, Query, Response

from api.deps import CityDep, ScopeDep, StateDep
from api.watching import (
    cluster_rows,
    forecast_now,
    hot_rows,
    ledger_answer,
    only,
    plain,
    risk_rows,
    seen_by,
    why_rows,
)
from geo import hotspot, risk, watch
from geo.city import City
from geo.errors import ForbiddenError, NotFoundError
from geo.hotspot.report import RECENT_DAYS
from geo.scope import Scope, check_grid, visible_grids
from layers import hot_page

router = APIRouter(prefix="/v1", tags=["hotspots"])

pages = APIRouter(prefix="/maps", tags=["maps"])

Category = Annotated[str | None, Query(description="One category; without, each by itself and all together")]
Source = Annotated[
    Literal["reported", "discovered", "sensor", "unknown", "independent"] | None,
    Query(description="One source; independent: all but discovered; without: all"),
]
Until = Annotated[date | None, Query(description="Last day; without: the last complete day of the data")]
Top = Annotated[int, Query(ge=1, le=20_000)]
Fields = Annotated[
    str, Query(description="Comma-separated columns that are wanted beside the grid; without: all")
]
Fdr = Literal["bh", "by", "none"]
NAMES: dict[Fdr, hotspot.Fdr | None] = {"bh": "bh", "by": "by", "none": None}


@router.get("/hotspots")
def hotspots(
    city: CityDep,
    scope: ScopeDep,
    category: Category = None,
    source: Source = None,
    recent_days: Annotated[int, Query(ge=7, le=182, description="A multiple of 7")] = RECENT_DAYS,
    baseline_days: Annotated[int | None, Query(ge=7, le=364, description="A multiple of 7")] = None,
    fdr: Fdr = "bh",
    until: Until = None,
    top: Top = 200,
    stable: bool = False,
) -> dict[str, Any]:
    """Return grids above their own past, false-discovery control on, with the split by source."""
    return hot_rows(
        city, category=category, source=source, recent_days=recent_days, baseline_days=baseline_days,
        fdr=NAMES[fdr], until=_end(city, until), top=top, stable=stable, scope=scope,
    )  # fmt: skip


@router.get("/hotspots/grids")
def hotspot_grids(
    city: CityDep, scope: ScopeDep, category: Category = None, source: Source = None, until: Until = None,
    fields: Fields = "",
) -> dict[str, Any]:  # fmt: skip
    """Return every watched grid of one category (or all together), hot or not."""
    table = watch.hotspots_of(city, category=category, source=source, until=_end(city, until))
    shown = seen_by(table.rename_axis("grid_id").reset_index(), city, scope)
    return {"windows": dict(table.attrs), "grids": plain(only(shown, fields))}


@router.get("/hotspots/scan")
def scan(
    city: CityDep,
    scope: ScopeDep,
    radius_m: Annotated[float, Query(gt=0, le=20_000)] = 1500.0,
    days: Annotated[int, Query(ge=1, le=60)] = 14,
    replicates: Annotated[int, Query(ge=0, le=999)] = 99,
    category: Category = None,
    source: Source = None,
    until: Until = None,
) -> dict[str, Any]:
    """Return outbreaks that go on now: where, since when, how sure (prospective space-time scan)."""
    _not_public(scope)
    end = _end(city, until)
    found = watch.scan_of(
        city, radius_m=radius_m, days=days, replicates=replicates, category=category, source=source, until=end
    )
    return {"until": end, "replicates": replicates, "clusters": cluster_rows(found, city, 20, scope)}


@router.get("/hotspots/warnings")
def warnings(
    city: CityDep,
    scope: ScopeDep,
    category: Category = None,
    source: Source = None,
    until: Until = None,
    top: Top = 200,
) -> dict[str, Any]:
    """Return single grids above their own normal: expected, observed, since when, and the incidents behind it."""
    _not_public(scope)
    end = _end(city, until)
    table = seen_by(watch.warnings_of(city, category=category, source=source, until=end), city, scope)
    rows = plain(table.head(top))
    for row in rows:
        behind = watch.incidents_behind(
            city, row["grid_id"], days=7, category=row["category"], source=source, until=end
        )
        row["incident_ids"] = behind.index[:100].tolist()
    return {"until": end, "total": len(table), "warnings": rows}


@router.get("/hotspots/warnings/live")
def live_warnings(state: StateDep, city: CityDep, scope: ScopeDep) -> dict[str, Any]:
    """Return the early warnings of this moment, with what has arrived since the snapshot; as the stream sends them."""
    _not_public(scope)
    table = seen_by(state.alarms(), city, scope)
    return {"until": state.today(), "total": len(table), "warnings": plain(table)}


@router.get("/hotspots/live")
def live(
    state: StateDep, city: CityDep, scope: ScopeDep, category: Category = None, source: Source = None,
    top: Annotated[int, Query(ge=1, le=500)] = 20,
) -> dict[str, Any]:  # fmt: skip
    """Return the hottest grids with what has arrived this minute."""
    _not_public(scope)
    hot = state.hot_list(category=category, source=None if source == "independent" else source, top=top)
    rows = [
        {
            "grid_id": g,
            "z": round(float(z), 4),
            "q": float(f"{q:.4g}"),
            "observed": int(o),
            "expected": round(float(e), 4),
        }
        for g, z, q, o, e in zip(hot.grid_id, hot.z, hot.q, hot.observed, hot.expected, strict=True)
    ]
    seen = set(city.degrees("grids").index[visible_grids(city.degrees("grids"), scope).to_numpy(dtype=bool)])
    return {"hot": hot.hot, "grids": [row for row in rows if row["grid_id"] in seen]}


@router.get("/hotspots/ledger")
def show_ledger(state: StateDep) -> dict[str, Any]:
    """Return every scored forecast beside the naive ones and the best possible (city-wide figures)."""
    return ledger_answer(state.store)


@router.get("/forecast")
def forecast(
    state: StateDep, city: CityDep, scope: ScopeDep, category: Category = None, source: Source = None,
    top: Top = 500,
) -> dict[str, Any]:  # fmt: skip
    """Return the stored forecast of this week: grids to patrol, best first. None stored yet: a preview (`stored`)."""
    now = datetime.now(ZoneInfo(city.timezone))
    body = forecast_now(state.store, city, now, category=category, source=source)
    grids = city.degrees("grids")
    seen = set(grids.index[visible_grids(grids, scope).to_numpy(dtype=bool)])
    pairs = zip(body["chosen"]["santu"], body["expected"], strict=True)
    chosen = [{"rank": i + 1, "grid_id": g, "expected": e} for i, (g, e) in enumerate(pairs) if g in seen]
    rest = {k: v for k, v in body.items() if k not in ("chosen", "expected")}
    return rest | {"methods": list(hotspot.METHODS), "grids": chosen[:top]}


@router.get("/risk")
def all_risk(
    state: StateDep,
    city: CityDep,
    scope: ScopeDep,
    until: Until = None,
    top: Top = 20_000,
    fields: Fields = "",
) -> dict[str, Any]:
    """Return score, level and rank interval of every grid in scope, highest first."""
    found = risk_now(state.store, city, until)
    answer = risk_rows(found, len(found.table), fields)
    shown = seen_by(found.table.rename_axis("grid_id").reset_index(), city, scope)
    seen = set(shown["grid_id"])
    answer["grids"] = [row for row in answer["grids"] if row["grid_id"] in seen][:top]
    if scope.role == "public":
        hidden = shown.set_index("grid_id")["events"]
        for row in answer["grids"]:
            if np.isnan(hidden[row["grid_id"]]):
                row.update({k: None for k in ("events", "discovered_share") if k in row})
    return {"until": found.until, "config": found.config.version, "outcome": risk.OUTCOME} | answer


@router.get("/risk/{grid_id}")
def grid_risk(
    grid_id: str, state: StateDep, city: CityDep, scope: ScopeDep, until: Until = None
) -> dict[str, Any]:
    """Return why a grid has its score: factors whose contributions add up to it exactly."""
    grids = city.degrees("grids")
    check_grid(grids, scope, grid_id)
    _not_public(scope)
    found = risk_now(state.store, city, until)
    if grid_id not in found.table.index:
        raise NotFoundError(
            f"grid {grid_id} has no score: only grids of level {watch.watched_level(city)} have"
        )
    return {
        "until": found.until, "config": found.config.version, "outcome": risk.OUTCOME, **why_rows(found, grid_id)
    }  # fmt: skip


@pages.get("/hotspots", response_class=Response, responses={200: {"content": {"text/html": {}}}})
def hotspot_map(
    state: StateDep, city: CityDep, scope: ScopeDep, lang: Literal["zh", "en"] = "zh"
) -> Response:
    """Return the hotspot map with the forecast ledger."""
    found = ledger_answer(state.store)
    document = hot_page.document(
        city, scope=scope, scores=found["summary"], waiting=found["stored"], lang=lang
    )
    return Response(document, media_type="text/html", headers={"Cache-Control": "private, no-cache"})


def risk_now(store: Any, city: City, until: date | None) -> watch.Risk:  # noqa: ANN401
    """Return the risk of all grids on a day, with the hysteresis of the levels that the store remembers."""
    end = _end(city, until)
    kept = dict(store.records(watch.RISK_LEVELS)).get("latest") if store is not None else None
    previous, days = watch.levels_before(kept, end) if end else (None, 1)
    key = f"risk:{end}:{days}:{kept['until'] if kept else ''}"
    found: watch.Risk = city.derive(
        key,
        ("grids", "incidents", "hazards"),
        lambda: watch.risk_of(city, until=end, previous=previous, days=days),
    )
    return found


def _today(city: City) -> date:
    return datetime.now(ZoneInfo(city.timezone)).date()


def _end(city: City, until: date | None = None) -> date | None:
    return watch.asked_day(city, until, _today(city))


def _not_public(scope: Scope) -> None:
    if scope.role == "public":
        raise ForbiddenError("the public sees hot grids and risk levels, not single warnings and incidents")
