"""`santu coverage`: rates with what they rest on, the ledger, what is lost when something fails."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from api.cli.base import DEFAULT_CITY, CityOption, JsonOption, err, out, print_json
from geo import covered
from geo.coverage import blind_spot
from geo.coverage.blind_spot import KINDS
from geo.coverage.ledger import BASIS_ZH, compare
from geo.errors import NotFoundError, UnknownNameError
from geo.io import ledger as files
from geo.scope import Scope, visible_grids
from geo.store import open_city, open_store

KIND = "ledger"
GROUP_ZH = {
    "ground": "地面",
    "road": "道路",
    "target_1": "一类目标",
    "target_2": "二类目标",
    "target_3": "三类目标",
}
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
    secret: SecretOption = False,
    as_json: JsonOption = False,
) -> None:
    """Coverage of targets, ground and roads, claim by claim, with what each rate rests on (覆盖率与台账)."""
    store = open_store(city)
    try:
        kept = dict(store.records(KIND))
        if history:
            _show_history(kept, as_json=as_json)
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
            "禁拍冲突": files.chinese(covered.forbidden_of(snapshot, secret=secret), files.FORBIDDEN_ZH),
        }
        files.write(
            file, sheets, {"清单版本": ",".join(summary.classes["list_version"].unique())} | summary.basis
        )
        err.print(f"wrote {file}", markup=False)
    if as_json:
        print_json(answer)
    else:
        _show(answer, by)


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
        _show_ring(covered.ring_of(snapshot, ring, secret=secret, working=working), ring, as_json=as_json)
        return
    if kind and kind not in KINDS:
        raise UnknownNameError("kind of blind spot", kind, KINDS)
    table = covered.blind_spots_of(snapshot, secret=secret, working=working)
    table = table[table["kind"] == kind] if kind else table
    if grid:
        grids = snapshot.degrees("grids")
        if grid not in grids.index:
            raise NotFoundError(f"there is no grid {grid!r}")
        below = grids.index[visible_grids(grids, Scope(roots=frozenset([grid])))]
        table = table[table["grid_id"].isin(below)]
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


def _show_ring(table: Any, grid: str, *, as_json: bool) -> None:  # noqa: ANN401 - a GeoDataFrame
    missing = table[table["role"] == "watch"]
    if as_json:
        rows = pd.DataFrame(table.drop(columns="geometry")).to_dict("records")
        print_json({"grid_id": grid, "leaks": len(missing), "streets": rows})
        return
    watched = len(table) - len(missing)
    if missing.empty:
        out.print(f"网格 {grid} 已围合：{watched} 处路段已看住，无缺口", markup=False)
    else:
        out.print(f"网格 {grid} 还需补 {len(missing)} 处即可围合（已看住 {watched} 处）：", markup=False)
    for row in missing.itertuples():
        out.print(f"    {row.near}  {row.name or '无名道路'}", markup=False)


def _changes(table: pd.DataFrame, kept: dict[str, dict[str, Any]], since: str) -> dict[str, Any]:
    key = max(kept, default="") if since == "last" else since
    if key not in kept:
        raise NotFoundError(f"no kept ledger {since!r}; kept: {', '.join(kept) or 'none (use --save)'}")
    then = pd.DataFrame({"covered": pd.Series(kept[key]["covered"], dtype=bool)})
    found = compare(table, then)
    counts = {name: int((found["change"] == name).sum()) for name in ("gained", "lost", "listed", "delisted")}
    return {"since": key, "counts": counts, "targets": found["change"].to_dict()}


def _show_history(kept: dict[str, dict[str, Any]], *, as_json: bool) -> None:
    rows = [{"key": k, **{n: v for n, v in body.items() if n != "covered"}} for k, body in kept.items()]
    if as_json:
        print_json({"ledgers": rows})
        return
    for row in rows:
        rates = "  ".join(f"{c}类 {_percent(r)}" for c, r in row["rates"].items())
        out.print(f"{row['key']}  清单 {row['list_version'] or '无版本'}  {rates}", markup=False)
    if not rows:
        err.print("no ledger is kept yet; keep one with: santu coverage --save")


def _show(answer: dict[str, Any], by: str) -> None:
    out.print("目标覆盖率（分子 / 分母）", markup=False)
    for number in (1, 2, 3):
        rows = [r for r in answer["targets"] if r["target_class"] == number]
        version = rows[0]["list_version"] or "无版本"
        out.print(f"  {number} 类目标（清单 {version}，目标值 {rows[0]['goal']:.0%}）", markup=False)
        for row in rows:
            out.print(
                f"    {row['zh']}  {_percent(row['rate'])}  {row['numerator']:,} / {row['denominator']:,}",
                markup=False,
            )
    for name, title in (("ground", "面积覆盖率（公共可用空间）"), ("roads", "道路长度覆盖率")):
        out.print(title, markup=False)
        for row in answer[name]:
            share = f"{row['numerator']:,.0f} / {row['denominator']:,.0f} {row['unit']}"
            out.print(f"    {row['zh']}  {_percent(row['rate'])}  {share}", markup=False)
    out.print("台账质量", markup=False)
    for row in answer["register"]:
        out.print(
            f"    {row['zh']}  {_percent(row['rate'])}  {row['numerator']:,} / {row['denominator']:,}",
            markup=False,
        )
    whole = answer["completeness"][-1]
    out.print(
        f"    建档率  {_percent(whole['rate'])}  {whole['numerator']:,} / {whole['denominator']:,}",
        markup=False,
    )
    basis = answer["basis"]
    left = "、".join(f"{BASIS_ZH[k]} {v}" for k, v in basis["excluded"].items()) or "无"
    taken = "、".join(f"{BASIS_ZH[k]} {v}" for k, v in basis["defaults"].items() if v) or "无"
    out.print(
        f"口径：监控点 {basis['cameras']:,}，参与 {basis['used']:,}；排除：{left}；缺省与修正：{taken}",
        markup=False,
    )
    _show_more(answer, by)


def _show_more(answer: dict[str, Any], by: str) -> None:
    if by:
        out.print(f"失效影响（{covered.GROUPS[by]}）；冗余监控点 {answer['useless']} 个", markup=False)
        for row in answer["losses"]:
            out.print(f"    {row['group']}  {row['cameras']} 路  失去 {row['lost_m2']:,.0f} m²", markup=False)
    if answer["forbidden_views"]:
        out.print(f"禁拍冲突：{answer['forbidden_views']} 处视域触及禁拍场所", markup=False)
    if "interval" in answer:
        out.print("区间（方位、位置误差模拟）：最小 / 期望 / 最大（按登记）", markup=False)
        for name, row in answer["interval"].items():
            parts = " / ".join(_percent(row[c]) for c in ("minimum", "expected", "maximum"))
            out.print(
                f"    {GROUP_ZH.get(name, name)}  {parts}（{_percent(row['as_registered'])}）", markup=False
            )
        out.print("优先复核：", markup=False)
        for row in answer["survey_first"]:
            what = "方位" if row["field"] == "bearing_deg" else "位置"
            out.print(f"    {row['camera_id']}  复核{what}  影响 {row['swing']:.2f}", markup=False)
    if "changes" in answer:
        counts = answer["changes"]["counts"]
        out.print(
            f"较 {answer['changes']['since']}：新增覆盖 {counts['gained']}，失去覆盖 {counts['lost']}，"
            f"新列入 {counts['listed']}，移出 {counts['delisted']}",
            markup=False,
        )
    if "saved" in answer:
        err.print(f"kept as {answer['saved']}", markup=False)


def _percent(rate: float | None) -> str:
    return "无" if rate is None else f"{rate:.1%}"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(coverage)
    app.command("blind-spots")(blind_spots)
