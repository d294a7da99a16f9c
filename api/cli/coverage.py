"""`santu coverage`: rates with what they rest on, the ledger, what is lost when something fails."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from api.cli import coverage_words as words
from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, err, out, print_json
from geo import covered
from geo.city import City
from geo.coverage import blind_spot
from geo.coverage.blind_spot import KINDS
from geo.coverage.ledger import compare
from geo.coverage.level import DEFAULT_PROFILE, PROFILES
from geo.errors import NotFoundError, UnknownNameError
from geo.io import ledger as files
from geo.scope import EVERYTHING, reach
from geo.store import open_city, open_store

KIND = "ledger"
SecretOption = Annotated[bool, typer.Option("--with-secret", help="Count secret cameras too (涉密点位)")]


def coverage(
    city: CityOption = DEFAULT_CITY,
    by: Annotated[str, typer.Option(help="Also what is lost with each camera, pole, switch or unit")] = "",
    top: Annotated[int, typer.Option(min=1, help="Rows of that list")] = 10,
    file: Annotated[Path | None, typer.Option("--out", help="Ledger as .xlsx or .gpkg")] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep this ledger in the city's history")] = False,
    since: Annotated[str, typer.Option(help="Compare with a kept ledger: its key, or 'last'")] = "",
    history: Annotated[bool, typer.Option("--history", help="List the kept ledgers and end")] = False,
    runs: Annotated[
        int,
        typer.Option("--interval", min=0, max=200, help="Simulate azimuth and position errors, so many runs"),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation")] = 0,
    profile: Annotated[
        str,
        typer.Option(
            help=f"Also targets by image level of: {', '.join(PROFILES)}; rates use {DEFAULT_PROFILE}"
        ),
    ] = "",
    reachable: Annotated[
        bool, typer.Option("--reachable", help="Also what steerable cameras could turn to")
    ] = False,
    days: Annotated[
        int, typer.Option("--days", min=0, max=366, help="Also online and effective rates of so many days")
    ] = 0,
    until: Annotated[datetime | None, typer.Option(help="End of these days; default: now")] = None,
    secret: SecretOption = False,
    as_json: JsonOption = False,
) -> None:
    """Coverage of targets, ground and roads, claim by claim, with what each rate rests on (覆盖率与台账)."""
    store = open_store(city)
    try:
        kept = dict(store.records(KIND))
        if history:
            words.show_history(kept, as_json=as_json)
            return
        snapshot = store.city()
        summary = covered.summary_of(snapshot, secret=secret)
        table = covered.ledger_of(snapshot, secret=secret)
        answer = summary.as_json() | {"version": snapshot.version(*covered.WATCHED, "targets")}
        if by:
            losses = covered.losses_of(snapshot, by, secret=secret).head(top)
            answer["losses"] = losses.round(1).reset_index().to_dict("records")
            answer["useless"] = len(covered.useless_of(snapshot, secret=secret))
        answer["forbidden_views"] = len(covered.forbidden_of(snapshot, secret=secret))
        if runs:
            found = covered.interval_of(snapshot, runs=runs, seed=seed, secret=secret)
            answer["interval"] = found.rates.round(6).to_dict("index")
            answer["survey_first"] = found.records.head(top).round(3).reset_index().to_dict("records")
        _more(snapshot, answer, (days, until), profile, top, reachable=reachable, secret=secret)
        if since:
            answer["changes"] = _changes(table, kept, since)
        if save:
            key = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            with store.transaction() as change:
                change.record(KIND, key, covered.ledger_record(summary, table, secret=secret))
                change.audit("cli", "ledger.save", key, f"{len(table)} targets")
            answer["saved"] = key
    finally:
        store.close()
    if file is not None:
        sheets = {
            "分类覆盖率": files.chinese(summary.classes, files.RATE_ZH),
            "面积与道路": files.chinese(pd.concat([summary.ground, summary.roads]), files.RATE_ZH),
            "目标覆盖台账": files.chinese(table.rename_axis("target_id"), files.LEDGER_ZH),
            "台账历史": files.chinese(files.history(kept, secret=secret), files.HISTORY_ZH),
            "禁拍冲突": files.chinese(covered.forbidden_of(snapshot, secret=secret), files.FORBIDDEN_ZH),
        }
        files.write(
            file, sheets, {"清单版本": ",".join(summary.classes["list_version"].unique())} | summary.basis
        )
        err.print(f"wrote {file}", markup=False)
    if as_json:
        print_json(answer)
    else:
        words.show_rates(answer, by)


def blind_spots(
    city: CityOption = DEFAULT_CITY,
    kind: Annotated[str, typer.Option(help="road, junction, target or cordon; default: all")] = "",
    top: Annotated[int, typer.Option(min=1, help="Rows")] = 20,
    grid: Annotated[str, typer.Option(help="Only in this grid and below")] = "",
    ring: Annotated[str, typer.Option(help="Instead: what closes the ring around this grid")] = "",
    working: Annotated[bool, typer.Option("--working", help="Only cameras in order count")] = False,
    file: Annotated[Path | None, typer.Option("--out", help="List as .xlsx or .gpkg")] = None,
    secret: SecretOption = False,
    as_json: JsonOption = False,
) -> None:
    """Roads, junctions, targets and ring leaks that nobody watches, worst first (盲区清单)."""
    snapshot = open_city(city)
    if ring:
        words.show_ring(
            covered.ring_of(snapshot, ring, secret=secret, working=working), ring, as_json=as_json
        )
        return
    if kind and kind not in KINDS:
        raise UnknownNameError("kind of blind spot", kind, KINDS)
    table = covered.blind_spots_of(snapshot, secret=secret, working=working)
    table = table[table["kind"] == kind] if kind else table
    if grid:
        table = table[table["grid_id"].isin(reach(snapshot.degrees("grids"), EVERYTHING, grid))]
    if file is not None:
        files.write(file, {"盲区清单": files.chinese(table, files.SPOT_ZH)}, {"得分": blind_spot.FORMULA})
        err.print(f"wrote {file}: {len(table)} rows", markup=False)
    shown = table.head(top)
    if as_json:
        rows = pd.DataFrame(shown.drop(columns="geometry")).round(3).to_dict("records")
        print_json(
            {"total": len(table), "kinds": table["kind"].value_counts().to_dict(), "blind_spots": rows}
        )
        return
    for row in shown.itertuples():
        out.print(f"{row.rank:>4}  {KINDS[row.kind]}  {row.text}（得分 {row.score:.1f}）", markup=False)
    err.print(f"{len(table)} blind spots; score = {blind_spot.FORMULA}", markup=False)


def _more(
    snapshot: City,
    answer: dict[str, Any],
    period: tuple[int, datetime | None],
    profile: str,
    top: int,
    *,
    reachable: bool,
    secret: bool,
) -> None:
    """Add figures that stand beside the rates, those that were asked for."""
    days, until = period
    if profile:
        answer["levels"] = covered.levels_of(snapshot, profile=profile, secret=secret).to_dict("records")
    if reachable:
        answer["reachable"] = covered.reachable_of(snapshot, secret=secret)
    if days:
        end = pd.Timestamp(until or datetime.now(UTC))
        end = end.tz_localize(snapshot.timezone) if end.tzinfo is None else end
        answer["period"] = covered.period_of(snapshot, end=end, days=days, secret=secret).as_json(top)


def _changes(table: pd.DataFrame, kept: dict[str, dict[str, Any]], since: str) -> dict[str, Any]:
    key = max(kept, default="") if since == "last" else since
    if key not in kept:
        raise NotFoundError(f"no kept ledger {since!r}; kept: {', '.join(kept) or 'none (use --save)'}")
    then = pd.DataFrame({"covered": pd.Series(kept[key]["covered"], dtype=bool)})
    found = compare(table, then)
    counts = {name: int((found["change"] == name).sum()) for name in ("gained", "lost", "listed", "delisted")}
    return {"since": key, "counts": counts, "targets": found["change"].to_dict()}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(coverage)
    app.command("blind-spots")(blind_spots)
