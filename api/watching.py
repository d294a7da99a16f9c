"""Rows of hotspots, risk and the ledger as commands and routes answer them."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from geo import hotspot, watch
from geo.city import City
from geo.errors import UnknownNameError
from geo.hotspot import ledger
from geo.scope import EVERYTHING, Scope, visible_grids
from geo.store import Store

COUNTS = ("observed", "reported", "discovered", "sensor", "unknown", "events")
PUBLIC_K = 5


def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a table into JSON-ready rows: numbers rounded, missing is None."""
    rows = table.copy()
    for name in rows.columns:
        if pd.api.types.is_float_dtype(rows[name]):
            small = name in ("p", "q", "level_p", "level_q", "p_gumbel")
            rows[name] = rows[name].map(
                lambda v, small=small: float(f"{v:.4g}") if small else round(float(v), 6)
            )
    rows = rows.astype(object).where(rows.notna(), None)
    found: list[dict[str, Any]] = rows.to_dict("records")
    return found


def only(table: pd.DataFrame, fields: str) -> pd.DataFrame:
    """Return the grid and the columns named (comma-separated); all columns where none is named.

    Raises
    ------
    UnknownNameError
        For a column that the table does not have.
    """
    names = [n for n in fields.split(",") if n and n != "grid_id"]
    for name in names:
        if name not in table.columns:
            raise UnknownNameError("field", name, table.columns)
    return table[["grid_id", *names]] if names else table


def seen_by(table: pd.DataFrame, city: City, scope: Scope) -> pd.DataFrame:
    """Cut a table (index or column `grid_id`) to what a scope reaches; the public sees no count of 1 to 4.

    Where a small count is withheld, so is what it could be computed from.
    """
    ids = table["grid_id"] if "grid_id" in table.columns else table.index
    seen = visible_grids(city.degrees("grids"), scope)
    table = table[seen.reindex(ids).fillna(value=False).to_numpy(dtype=bool)]
    if scope.role != "public":
        return table
    table = table.copy()
    counts = [c for c in COUNTS if c in table.columns]
    small = ((table[counts] > 0) & (table[counts] < PUBLIC_K)).any(axis=1)
    hidden = [*counts, *(c for c in ("expected", "ratio", "discovered_share", "rate") if c in table.columns)]
    table[hidden] = table[hidden].astype("float64").where(~small)
    return table


def hot_rows(
    city: City,
    *,
    category: str | None,
    source: str | None,
    recent_days: int,
    baseline_days: int | None,
    fdr: hotspot.Fdr | None,
    until: date | None,
    top: int,
    stable: bool = False,
    scope: Scope = EVERYTHING,
) -> dict[str, Any]:
    """Hot grids: of one category, or of each category and all together, adjusted over all that is shown."""
    cube = watch.cube_of(city, until=until)
    names: Iterable[str | None] = [category] if category else [None, *cube.categories]
    tables = {
        name or "*": watch.hotspots_of(
            city, category=name, source=source, recent_days=recent_days, baseline_days=baseline_days, fdr=fdr,
            until=until,
        )
        for name in names
    }  # fmt: skip
    attrs = next(iter(tables.values())).attrs
    found = hotspot.hot_list(tables, fdr=fdr)
    cold = {name: int(table["cold"].sum()) for name, table in tables.items()}
    if stable and len(found):
        marks = {
            name: watch.sensitivity_of(
                city, category=None if name == "*" else name, source=source, until=until
            )
            for name in found["category"].unique()
        }
        keys = zip(found["category"], found["grid_id"], strict=True)
        found[["hot_share", "stable"]] = [tuple(marks[c].loc[g, ["hot_share", "stable"]]) for c, g in keys]
    found["class_zh"] = found["class"].map(dict(zip(hotspot.CLASSES, hotspot.CLASSES_ZH, strict=True)))
    found = seen_by(found, city, scope)
    return {
        "until": cube.last_day,
        "recent_days": attrs["recent_days"],
        "baseline_days": attrs["baseline_days"],
        "source": source,
        "adjusted": fdr or "none",
        "tests": sum(len(t) for t in tables.values()),
        "account": {k: getattr(cube.account, k) for k in cube.account.__slots__},
        "total": len(found),
        "cold": sum(cold.values()),
        "hot": plain(found.head(top).drop(columns=["hot", "cold"], errors="ignore")),
    }


def cluster_rows(
    found: hotspot.Scan, city: City, top: int, scope: Scope = EVERYTHING
) -> list[dict[str, Any]]:
    """Clusters of a scan with grid codes and the local day since when; those wholly out of scope are left out."""
    ids = watch.watched_grids(city).index
    seen = visible_grids(city.degrees("grids"), scope).reindex(ids).to_numpy(dtype=bool)
    rows = []
    for cluster, row in zip(
        found.clusters["grids"], plain(found.clusters.drop(columns="grids")), strict=True
    ):
        members = np.array(cluster)
        if seen[members].any():
            row["centre"] = ids[row["centre"]]
            rows.append(row | {"grid_ids": ids[members[seen[members]]].tolist()})
    return rows[:top]


def risk_rows(found: watch.Risk, top: int, fields: str = "") -> dict[str, Any]:
    """Highest scores, and how many grids have each level."""
    levels = found.table["level"].value_counts()
    order = found.table.sort_values(["level", "risk_score"], ascending=[True, False], kind="stable")
    return {
        "levels": {str(k): int(levels.get(k, 0)) for k in (1, 2, 3, 4)},
        "significant": int(found.table["significant"].sum()),
        "grids": plain(only(order.head(top).rename_axis("grid_id").reset_index(), fields)),
    }


def why_rows(found: watch.Risk, grid_id: str) -> dict[str, Any]:
    """Score of one grid with its factors; contributions are not rounded, so that they add up to the score exactly."""
    row = plain(found.table.loc[[grid_id]].rename_axis("grid_id").reset_index())[0]
    table = found.explain(grid_id)
    why = plain(table.reset_index())
    for line, exact in zip(why, table["contribution"], strict=True):
        line["contribution"] = float(exact)
    return row | {"risk_score": float(found.table.loc[grid_id, "risk_score"]), "why": why}


def week_of(day: date) -> date:
    """Monday of the week of a day."""
    return day - timedelta(days=day.weekday())


def store_forecast(
    store: Store,
    city: City,
    now: datetime,
    *,
    category: str | None,
    source: str | None,
    week: date | None = None,
) -> tuple[dict[str, Any], bool]:
    """Return the stored forecast of a week, and whether this call has stored it.

    What is stored never changes: of several processes that issue at once, the first wins.
    """
    chosen = week or max(ledger.next_week(watch.cube_of(city).last_day), week_of(now.date()))
    origin = source or watch.default_source(watch.cube_of(city))
    key = ledger.key_of(chosen, category, origin)
    kept = dict(store.records(ledger.FORECASTS)).get(key)
    if kept is not None:
        return kept, False
    body = watch.forecast_of(
        city, issued_at=now.isoformat(timespec="seconds"), week=chosen, category=category, source=origin
    )
    with store.transaction() as change:
        kept = dict(store.records(ledger.FORECASTS)).get(
            key
        )  # within the transaction: nobody else writes now
        if kept is not None:
            return kept, False
        change.record(ledger.FORECASTS, key, body)
        change.audit("forecast", "forecast.issue", key, f"{body['issued']}, digest {body['digest']}")
    return body, True


def forecast_now(
    store: Store | None, city: City, now: datetime, *, category: str | None, source: str | None
) -> dict[str, Any]:
    """Return the stored forecast of this week or, where there is none, of the next; else a preview that is not stored."""
    origin = source or watch.default_source(watch.cube_of(city))
    if store is not None:
        ends = [
            ledger.key_of(week_of(now.date()) + weeks * ledger.WEEK, category, origin) for weeks in (0, 1)
        ]
        kept = dict(store.records(ledger.FORECASTS))
        for key in ends:
            if key in kept:
                return kept[key] | {"stored": True}
    body = watch.forecast_of(city, issued_at=f"{now:%Y-%m-%d}", category=category, source=origin)
    return body | {"stored": False}


def settle_due(store: Store, city: City, now: datetime) -> int:
    """Score every stored forecast whose week is over and that has no score yet; how many."""
    scored = dict(store.records(ledger.SCORES))
    number = 0
    for key, forecast in dict(store.records(ledger.FORECASTS)).items():
        result = None if key in scored else watch.settle(city, forecast, now.date())
        if result is not None:
            with store.transaction() as change:
                change.record(ledger.SCORES, key, result)
            number += 1
    return number


def ledger_answer(store: Store | None) -> dict[str, Any]:
    """Every scored week beside the naive forecasts and the oracle, and what is stored and waits for its score."""
    if store is None:
        return {"weeks": 0, "waiting": [], "stored": [], "summary": [], "scores": []}
    scored = dict(store.records(ledger.SCORES))
    stored = dict(store.records(ledger.FORECASTS))
    waiting = sorted(set(stored) - set(scored))
    rows = [
        {"week": f["week"], "category": f["category"] or "*", "source": f["source"] or "*",
         "issued_at": f["issued_at"], "issued": ledger.timing(date.fromisoformat(f["week"]), f["issued_at"]),
         "last_day": f["last_day"]}
        for f in map(stored.__getitem__, waiting)
    ]  # fmt: skip
    table = ledger.table(scored.values())
    return {
        "weeks": int(table["week"].nunique()),
        "waiting": waiting,
        "stored": rows,
        "summary": plain(ledger.summary(table)),
        "scores": plain(table),
    }
