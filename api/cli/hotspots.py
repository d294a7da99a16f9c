"""`santu hotspots` and `santu risk`: where it is hot, what is new, what to expect, why, and was it right."""

import sys
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, err, out, print_json
from api.watching import (
    cluster_rows,
    hot_rows,
    ledger_answer,
    plain,
    risk_rows,
    settle_due,
    store_forecast,
    week_of,
    why_rows,
)
from geo import hotspot, risk, watch
from geo.city import City
from geo.errors import BadInputError, NotFoundError
from geo.hotspot import ledger
from geo.hotspot.report import RECENT_DAYS
from geo.store import Store, open_store

SourceOption = Annotated[
    str,
    typer.Option(help="reported, discovered, sensor, unknown, independent (all but discovered); empty: all"),
]
UntilOption = Annotated[
    str, typer.Option(help="Last day, YYYY-MM-DD; empty: the last complete day of the data")
]


FDR: Mapping[str, hotspot.Fdr | None] = {"bh": "bh", "by": "by", "none": None}
SHOWN = (
    "week", "issued", "issued_at", "last_day", "grid_id", "centre", "category", "source", "share", "method", "method_zh", "weeks", "hits",
    "total", "hit_rate", "low", "high", "pai", "pei", "oracle_pai", "factor", "zh", "value", "peer_median", "percentile",
    "contribution", "risk_score", "level", "significant", "uncertain", "events", "radius_m", "days", "observed",
    "expected", "ratio", "llr", "z", "p", "q", "class_zh", "since", "reported", "discovered", "sensor", "hot_share",
    "stable", "p_gumbel",
)  # fmt: skip


def hotspots(
    city: CityOption = DEFAULT_CITY,
    category: Annotated[
        str, typer.Option(help="One category; empty: each by itself, adjusted together")
    ] = "",
    source: SourceOption = "",
    recent_days: Annotated[int, typer.Option(help="Window, a multiple of 7")] = RECENT_DAYS,
    baseline_days: Annotated[
        int, typer.Option(help="Baseline before it, a multiple of 7; 0: up to 22 weeks")
    ] = 0,
    fdr: Annotated[str, typer.Option(help="False-discovery control: bh, by or none")] = "bh",
    until: UntilOption = "",
    top: Annotated[int, typer.Option(min=1, help="Rows to show")] = 20,
    stable: Annotated[
        bool, typer.Option("--stable", help="Also: stable under address errors and one level up?")
    ] = False,
    scan: Annotated[bool, typer.Option("--scan", help="Outbreaks by space-time scan instead")] = False,
    radius_m: Annotated[float, typer.Option(help="Largest radius of the scan, metres")] = 1500.0,
    replicates: Annotated[int, typer.Option(min=0, help="Random replicates of the scan")] = 999,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="Single grids above their own normal instead")
    ] = False,
    near_repeat: Annotated[
        bool, typer.Option("--near-repeat", help="Knox test of near repeats instead")
    ] = False,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Store the forecast of the coming week")
    ] = False,
    show_ledger: Annotated[
        bool, typer.Option("--ledger", help="Score forecasts whose week is over; all scores")
    ] = False,
    replay: Annotated[
        int, typer.Option(min=0, help="With --ledger: also the last N weeks, marked as replayed")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Hotspots of incidents against each grid's own past; scan, warnings, forecast and its ledger (热点研判)."""
    if fdr not in FDR:
        raise BadInputError(f"--fdr {fdr!r}; allowed: bh, by, none")
    store = open_store(city)
    try:
        snapshot = store.city()
        end = watch.asked_day(snapshot, day_of(until), _today(snapshot))
        chosen, origin = category or None, source or None
        if show_ledger:
            answer = _ledger(store, snapshot, chosen, origin, replay)
        elif forecast:
            answer = _forecast(store, snapshot, chosen, origin)
        elif scan:
            found = watch.scan_of(
                snapshot, radius_m=radius_m, replicates=replicates, category=chosen, source=origin, until=end
            )
            answer = {"until": end, "replicates": replicates, "clusters": cluster_rows(found, snapshot, top)}
        elif warnings:
            table = watch.warnings_of(snapshot, category=chosen, source=origin, until=end)
            answer = {"until": end, "total": len(table), "warnings": plain(table.head(top))}
        elif near_repeat:
            answer = {"until": end, "near_repeat": _knox(snapshot, chosen, origin, end)}
        else:
            answer = hot_rows(
                snapshot, category=chosen, source=origin, recent_days=recent_days,
                baseline_days=baseline_days or None, fdr=FDR[fdr], until=end, top=top, stable=stable,
            )  # fmt: skip
    finally:
        store.close()
    _print(answer, as_json=as_json)


def show_risk(
    city: CityOption = DEFAULT_CITY,
    explain: Annotated[str, typer.Option("--explain", help="Why this grid has its score")] = "",
    top: Annotated[int, typer.Option(min=1, help="Rows to show")] = 20,
    until: UntilOption = "",
    config: Annotated[Path | None, typer.Option(help="Weights and limits, .json")] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Keep today's levels for tomorrow's hysteresis")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Risk score of each grid with its reasons, level and rank interval (风险评分)."""
    settings = read_config(config)
    store = open_store(city)
    try:
        snapshot = store.city()
        end = watch.asked_day(snapshot, day_of(until), _today(snapshot))
        kept = dict(store.records(watch.RISK_LEVELS)).get("latest")
        previous, days = watch.levels_before(kept, end) if end else (None, 1)
        found = watch.risk_of(snapshot, config=settings, until=end, previous=previous, days=days)
        if explain:
            if explain not in found.table.index:
                level = watch.watched_level(snapshot)
                raise NotFoundError(
                    f"grid {explain!r} has no score: only grids of level {level} of this city have"
                )
            answer: dict[str, Any] = {
                "until": found.until,
                "config": found.config.version,
                **why_rows(found, explain),
            }
            answer["outcome"] = risk.OUTCOME
        else:
            answer = {"until": found.until, "config": found.config.version, **risk_rows(found, top)}
        if save:
            with store.transaction() as change:
                change.record(watch.RISK_LEVELS, "latest", watch.levels_record(found))
                change.audit("cli", "risk.save", found.until.isoformat(), f"config {found.config.version}")
            answer["saved"] = True
    finally:
        store.close()
    _print(answer, as_json=as_json)


def day_of(text: str) -> date | None:
    """Parse a day; empty is None."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"day {text!r}; allowed: YYYY-MM-DD") from None


def read_config(path: Path | None) -> risk.RiskConfig:
    """Read weights and limits from a JSON file; no file, the defaults. Unknown keys are refused."""
    if path is None:
        return risk.RiskConfig()
    import orjson  # noqa: PLC0415

    try:
        given = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BadInputError(f"{path}: {error}") from None
    allowed = {
        "version",
        "weights",
        "severity",
        "capacity",
        "least_events",
        "least_probability",
        "band",
        "keep_days",
    }
    if not isinstance(given, dict) or set(given) - allowed or "version" not in given:
        raise BadInputError(f"{path}: allowed keys: {', '.join(sorted(allowed))}; version is required")
    if "severity" in given:
        given["severity"] = {int(k): float(v) for k, v in given["severity"].items()}
    if "capacity" in given:
        given["capacity"] = tuple(given["capacity"])
    return risk.RiskConfig(**given)


def _today(city: City) -> date:
    return datetime.now(ZoneInfo(city.timezone)).date()


def _forecast(store: Store, city: City, category: str | None, source: str | None) -> dict[str, Any]:
    now = datetime.now(ZoneInfo(city.timezone))
    body, _ = store_forecast(store, city, now, category=category, source=source)
    return {k: v for k, v in body.items() if k != "chosen"} | {"grid_ids": body["chosen"]["santu"][:20]}


def _ledger(
    store: Store, city: City, category: str | None, source: str | None, replay: int
) -> dict[str, Any]:
    now = datetime.now(ZoneInfo(city.timezone))
    end = watch.last_day(city, now.date())
    if replay and end is not None:
        last = week_of(end + timedelta(days=1)) - ledger.WEEK
        for back in range(replay):
            store_forecast(store, city, now, category=category, source=source, week=last - back * ledger.WEEK)
    settle_due(store, city, now)
    return ledger_answer(store)


def _knox(city: City, category: str | None, source: str | None, until: date | None) -> dict[str, Any]:
    cube = watch.cube_of(city, until=until)
    chosen = cube.where(category=category, source=source) & (cube.day >= cube.days - 90)
    places = city.table("incidents").geometry.iloc[cube.row[chosen]]
    xy = list(zip(places.x, places.y, strict=True))
    found = (
        hotspot.knox(xy, cube.day[chosen].astype(float), distance_m=200, within_days=7, seed=0)
        if xy
        else None
    )
    fields = {
        name: getattr(found, name, None)
        for name in ("pairs", "space_pairs", "time_pairs", "expected", "ratio", "p")
    }
    return {"incidents": len(xy), "distance_m": 200, "within_days": 7, "last_days": 90, **fields}


def _print(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    for key, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            out.print(_grid(key, value))
        elif isinstance(value, dict):
            err.print(f"{key}: " + ", ".join(f"{k} {v}" for k, v in value.items()), markup=False)
        elif isinstance(value, list):
            err.print(f"{key}: {', '.join(map(str, value)) or '-'}", markup=False)
        else:
            err.print(f"{key}: {value}", markup=False)
    sys.stdout.flush()


def _grid(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title)
    names = [n for n in SHOWN if n in rows[0]]
    for name in names:
        table.add_column(name, no_wrap=name == "grid_id", overflow="fold")
    for row in rows:
        table.add_row(*(f"{row[n]:.4g}" if isinstance(row[n], float) else str(row[n]) for n in names))
    return table


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(hotspots)
    app.command("risk")(show_risk)
