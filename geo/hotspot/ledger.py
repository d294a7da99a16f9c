"""The ledger (预测台账): what was forecast before the week, and how good it was after it.

A forecast is written down before its week: the chosen grids of every method in order, and all that is needed to
score them later without asking anybody's memory. It is never changed; scores stand beside it.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from geo.errors import BadInputError
from geo.hotspot.forecast import METHODS, SHARES, blend, naive, ranked, score, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from geo.hotspot.cube import Cube
    from geo.hotspot.graph import Graph

FORECASTS = "forecast"  # kinds of records in the store
SCORES = "forecast-score"
ISSUED = {"before": "事前", "late": "迟发", "replayed": "回放"}
WEEK = timedelta(days=7)


def next_week(last_day: date) -> date:
    """Monday of the first week that lies wholly after `last_day`."""
    return last_day + timedelta(days=7 - last_day.weekday())


def key_of(week: date, category: str | None, source: str | None) -> str:
    """Name of a forecast in the store: Monday, category, source; `*` for all."""
    return f"{week:%Y-%m-%d}|{category or '*'}|{source or '*'}"


def timing(week: date, issued_at: str) -> str:
    """When a forecast was written down (存档时点): "before" its week, "late" in it, "replayed" after it.

    Only what was written before its week is a forecast in the full sense; late and replayed ones are made from
    what was known before the week, and are never added up with it.
    """
    moment = pd.Timestamp(issued_at).tz_localize(None)
    start = pd.Timestamp(week)
    return "before" if moment < start else "late" if moment < start + WEEK else "replayed"


def issue(
    cube: Cube,
    graph: Graph,
    area_m2: ArrayLike,
    xy: ArrayLike,
    *,
    week: date,
    issued_at: str,
    category: str | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Make the forecast of a week (发布预测), ready for the store.

    Parameters
    ----------
    cube
        Counts; only days before `week` are used.
    graph, area_m2, xy
        Neighbours, areas and a point of the same grids.
    week
        Monday.
    issued_at
        The moment at which it is written down, ISO 8601, in the city's time; see `timing`.
    category, source
        Which incidents.

    Returns
    -------
    dict
        JSON-ready: `week`, `category`, `source`, `issued_at`, `issued`, `replayed`, `history_days`, `last_day`, `model`,
        `area_m2`, `grids` (number), `digest` (of the counts it was made from), `chosen`: method -> grid codes,
        best first, down to the largest share of the area; `expected`: of our own chosen grids.
    """
    if week.weekday() != 0:
        raise BadInputError(f"week {week}: not a Monday; allowed: {week - timedelta(days=week.weekday())}")
    days = (week - cube.first_day).days
    plane = cube.plane(category=category, source=source)[: max(days, 0)]
    if len(plane) < 7:
        raise BadInputError(
            f"{len(plane)} days of incidents before {week}; 7 and more are needed for a forecast"
        )
    area = np.asarray(area_m2, dtype=np.float64)
    own, model = blend(plane, graph, area)
    values = {"santu": own, **naive(plane, xy)}
    rows = {m: ranked(v, area, share=max(SHARES), density=m == "kde") for m, v in values.items()}
    return {
        "week": week.isoformat(),
        "category": category,
        "source": source,
        "issued_at": issued_at,
        "issued": timing(week, issued_at),
        "replayed": timing(week, issued_at) == "replayed",
        "history_days": len(plane),
        "last_day": min(cube.last_day, week - timedelta(days=1)).isoformat(),
        "model": {k: (None if np.isinf(v) else v) for k, v in asdict(model).items()},
        "area_m2": float(area.sum()),
        "grids": len(area),
        "digest": hashlib.blake2b(np.ascontiguousarray(plane).tobytes(), digest_size=8).hexdigest(),
        "chosen": {m: cube.grids[r].tolist() for m, r in rows.items()},
        "expected": [round(float(v), 4) for v in own[rows["santu"]]],
    }


def due(forecast: Mapping[str, Any], last_day: date) -> bool:
    """Whether the week of a forecast lies wholly in the past."""
    return date.fromisoformat(forecast["week"]) + WEEK - timedelta(days=1) <= last_day


def settle(forecast: Mapping[str, Any], cube: Cube, area_m2: ArrayLike) -> dict[str, Any]:
    """Score a forecast after its week (预测核验): every method at every share of the area, beside the oracle.

    Parameters
    ----------
    forecast
        Of `issue`.
    cube
        Counts that hold the whole week. Grids that are gone since count as not hit.
    area_m2
        Area of each grid of the cube.

    Returns
    -------
    dict
        `week`, `category`, `source`, `issued`, `replayed`, `total`, and `scores`: one row per method and share.
    """
    week = date.fromisoformat(forecast["week"])
    start = (week - cube.first_day).days
    if start < 0 or not due(forecast, cube.last_day):
        raise BadInputError(
            f"week of {week}: the counts run from {cube.first_day} to {cube.last_day}; the whole week is needed"
        )
    plane = cube.plane(category=forecast["category"], source=forecast["source"])
    happened = plane[start : start + 7].sum(axis=0)
    area = np.asarray(area_m2, dtype=np.float64)
    rows = []
    for method, codes in forecast["chosen"].items():
        position = cube.grids.get_indexer(codes)
        position = position[position >= 0]
        for share in SHARES:
            result = score(_within(position, area, share), happened, area)
            rows.append({"method": method, "share": share, **_plain(asdict(result))})
    return {
        "week": forecast["week"],
        "category": forecast["category"],
        "source": forecast["source"],
        "issued": timing(week, forecast["issued_at"]),
        "replayed": timing(week, forecast["issued_at"]) == "replayed",
        "total": int(happened.sum()),
        "scores": rows,
    }


def table(scores: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Put settled forecasts in one table (台账), a row per week, category, source, method and share.

    Columns as in `Score`; undefined values (a week without incidents) are NaN.
    """
    rows = [
        {
            "week": s["week"], "category": s["category"] or "*", "source": s["source"] or "*",
            "issued": s.get("issued") or ("replayed" if s["replayed"] else "before"), "replayed": s["replayed"], **row, "method_zh": METHODS.get(row["method"], row["method"]),
        }
        for s in scores
        for row in s["scores"]
    ]  # fmt: skip
    columns = ["week", "category", "source", "issued", "replayed", "method", "method_zh", "share", "hits", "total",
               "area_share", "hit_rate", "low", "high", "pai", "pei", "oracle_pai"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    numbers = ["area_share", "hit_rate", "low", "high", "pai", "pei", "oracle_pai"]
    frame[numbers] = frame[numbers].astype("float64")
    return frame.sort_values(["week", "category", "source", "share", "method"], ignore_index=True)


def summary(ledger: pd.DataFrame) -> pd.DataFrame:
    """All weeks together by category, source, share and method: hits over all weeks, best PAI first (台账汇总).

    What was issued before its week, late in it, and replayed is added up apart (`issued`). `low` and `high` are the
    95 % Wilson interval of the hit rate.
    """
    if ledger.empty:
        return ledger.reindex(
            columns=[
                "issued",
                "category",
                "source",
                "share",
                "method",
                "weeks",
                "hits",
                "total",
                "hit_rate",
                "pai",
                "pei",
            ]
        )
    known = ledger[ledger["total"] > 0]
    best = known["oracle_pai"] * known["area_share"] * known["total"]
    grouped = known.assign(best=best, area=known["area_share"] * known["total"]).groupby(
        ["issued", "category", "source", "share", "method", "method_zh"], as_index=False
    )
    result = grouped.agg(weeks=("week", "nunique"), hits=("hits", "sum"), total=("total", "sum"), best=("best", "sum"),
                         area=("area", "sum"))  # fmt: skip
    result["hit_rate"] = result["hits"] / result["total"]
    result["pai"] = result["hits"] / result["area"]
    result["pei"] = (result["hits"] / result["best"]).where(result["best"] > 0)
    result["oracle_pai"] = result["best"] / result["area"]
    limits = [wilson(h, t) for h, t in zip(result["hits"], result["total"], strict=True)]
    result[["low", "high"]] = np.array(limits).reshape(-1, 2)
    order = ["issued", "category", "source", "share", "pai"]
    result = result.sort_values(order, ascending=[True, True, True, True, False], ignore_index=True)
    return result.drop(columns=["best", "area"])


def _within(rows: NDArray[np.int64], area: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """The first of the chosen rows that fit a smaller share."""
    fits = np.cumsum(area[rows]) <= share * area.sum() * (1 + 1e-9)
    if len(fits):
        fits[0] = True
    return rows[fits]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: (None if isinstance(v, float) and np.isnan(v) else v) for k, v in values.items()}
