"""What `santu coverage` and `santu blind-spots` print (覆盖率、台账、围合的文字)."""

from typing import Any

import pandas as pd

from api.cli.base import err, out, print_json
from geo import covered
from geo.coverage.ledger import BASIS_ZH

GROUP_ZH = {
    "ground": "地面",
    "road": "道路",
    "target_1": "一类目标",
    "target_2": "二类目标",
    "target_3": "三类目标",
}


def show_ring(table: Any, grid: str, *, as_json: bool) -> None:  # noqa: ANN401 - a GeoDataFrame
    """Print what closes a ring (围合方案)."""
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


def show_history(kept: dict[str, dict[str, Any]], *, as_json: bool) -> None:
    """Print the kept ledgers (台账历史)."""
    rows = [{"key": k, **{n: v for n, v in body.items() if n != "covered"}} for k, body in kept.items()]
    if as_json:
        print_json({"ledgers": rows})
        return
    for row in rows:
        rates = "  ".join(f"{c}类 {_percent(r)}" for c, r in row["rates"].items())
        out.print(f"{row['key']}  清单 {row['list_version'] or '无版本'}  {rates}", markup=False)
    if not rows:
        err.print("no ledger is kept yet; keep one with: santu coverage --save")


def show_rates(answer: dict[str, Any], by: str) -> None:
    """Print every rate with what it rests on, and whatever else was asked for (口径一览)."""
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
    out.print(
        f"图像等级按 {basis['image_level_profile']}；面积与道路要求 {basis['ground_and_roads_px_m']:g} px/m；云台按预置位计",
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
    parts = {
        "interval": _show_interval,
        "levels": _show_levels,
        "reachable": _show_reachable,
        "period": _show_period,
        "changes": _show_changes,
    }
    for name, show in parts.items():
        if name in answer:
            show(answer)
    if "saved" in answer:
        err.print(f"kept as {answer['saved']}", markup=False)


def _show_interval(answer: dict[str, Any]) -> None:
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


def _show_reachable(answer: dict[str, Any]) -> None:
    found = answer["reachable"]
    out.print(
        f"可转动监控点 {found['steerable']} 个：预置位视域 {found['home_m2']:,.0f} m²，可转达 "
        f"{found['reachable_m2']:,.0f} m²（不计入任何比率）",
        markup=False,
    )
    for row in found["targets"]:
        out.print(
            f"    {row['target_class']} 类目标 {row['listed']:,}：预置位覆盖 {row['home']:,}，"
            f"若恰好转到 {row['reachable']:,}",
            markup=False,
        )


def _show_changes(answer: dict[str, Any]) -> None:
    counts = answer["changes"]["counts"]
    out.print(
        f"较 {answer['changes']['since']}：新增覆盖 {counts['gained']}，失去覆盖 {counts['lost']}，"
        f"新列入 {counts['listed']}，移出 {counts['delisted']}",
        markup=False,
    )


def _show_levels(answer: dict[str, Any]) -> None:
    rows = answer["levels"]
    out.print(f"各图像等级达到的目标（{rows[0]['profile']}）", markup=False)
    for start in range(0, len(rows), 3):
        part = rows[start : start + 3]
        shares = "  ".join(f"{r['target_class']} 类 {r['numerator']:,} / {r['denominator']:,}" for r in part)
        out.print(
            f"    {part[0]['zh']} {part[0]['level']}（{part[0]['px_m']:g} px/m）  {shares}", markup=False
        )


def _show_period(answer: dict[str, Any]) -> None:
    found = answer["period"]
    out.print(
        f"时段 {found['start'][:16]} 至 {found['end'][:16]}，状态记录 {found['entries']:,} 条", markup=False
    )
    for row in found["units"]:
        out.print(
            f"    在线率 {row['unit'] or '未填单位'}  {_percent(row['rate'])}  {row['numerator']:,.0f} / "
            f"{row['denominator']:,.0f} 小时（{row['cameras']:,} 路，其中 {row['silent']:,} 路无记录）",
            markup=False,
        )
    for row in found["effective"]:
        out.print(
            f"    {row['target_class']} 类目标时段有效覆盖率  {_percent(row['rate'])}  {row['numerator']:,} / "
            f"{row['denominator']:,} 目标·时刻",
            markup=False,
        )
    for row in found["worst"]:
        out.print(
            f"    {row['camera_id']}  在线率 {_percent(row['rate'])}  中断 {row['outages']} 次", markup=False
        )


def _percent(rate: float | None) -> str:
    return "无" if rate is None else f"{rate:.1%}"
