"""The target ledger as files (台账导出): an Excel workbook for people, a GeoPackage for maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import pyogrio

from geo.coverage.blind_spot import KINDS
from geo.coverage.ledger import BASIS_ZH
from geo.coverage.level import NAMES_ZH
from geo.coverage.watch import STEPS
from geo.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LEDGER_ZH: Mapping[str, str] = {
    "target_id": "目标编号", "name": "名称", "target_class": "目标类别", "kind": "目标类型", "grid_id": "网格编码",
    "required_level": "要求图像等级", "px_m": "要求像素密度（px/m）", "list_version": "清单版本",
    "covered": "已覆盖", "effective": "有效覆盖（在线）", "times": "覆盖设备数", "cameras": "覆盖监控点编码",
    "nominal": "登记半径内", "geometric": "几何可视", "quality": "达到等级", "available": "在线",
    "night": "夜间", "twice": "双重覆盖", "moved": "按墙外判定", "action": "处置建议",
}  # fmt: skip
RATE_ZH: Mapping[str, str] = {
    "target_class": "目标类别", "step": "口径", "zh": "口径说明", "numerator": "分子", "denominator": "分母",
    "rate": "比率", "goal": "目标值", "list_version": "清单版本", "unit": "单位", "unknown": "未知", "name": "指标",
}  # fmt: skip
FORBIDDEN_ZH: Mapping[str, str] = {
    "camera_id": "监控点编码", "forbidden_id": "场所编号", "name": "场所名称", "kind": "场所类型", "seen_m": "可见外立面（m）",
    "distance_m": "距离（m）", "px_m": "像素密度（px/m）", "mask_from": "遮挡起（画面左起）", "mask_to": "遮挡止", "advice": "建议",
}  # fmt: skip
SPOT_ZH: Mapping[str, str] = {
    "rank": "序号", "kind": "类型", "name": "名称", "text": "说明", "grid_id": "网格编码", "measure": "未覆盖量",
    "unit": "单位", "incidents": "周边警情", "weight": "等级权重", "base": "基准", "share": "未覆盖占比", "score": "得分", "near": "参照路口",
}  # fmt: skip


NOTES_ZH: Mapping[str, str] = {
    "cameras": "监控点", "used": "参与计算的监控点", "excluded": "排除", "devices": "设备数（多目通道合一）",
    "defaults": "缺省与修正", "steerable_at_home": "云台（按预置位计）", "on": "参与者中在线", "water_and_buildings": "面积分母",
    "covered_share": "面积、线状目标算作覆盖的占比", "image_level_profile": "图像等级标准",
    "ground_and_roads_px_m": "面积与道路要求像素密度（px/m）", "secret_cameras": "涉密点位", "included": "计入", "left out": "未计入",
} | BASIS_ZH  # fmt: skip
HISTORY_ZH: Mapping[str, str] = {
    "key": "存档时间", "list_version": "清单版本", "target_class": "目标类别", "numerator": "已覆盖", "denominator": "清单目标", "rate": "覆盖率",
}  # fmt: skip


CODES_ZH: Mapping[str, str] = {
    **{step: LEDGER_ZH[step] for step in STEPS}, "effective": LEDGER_ZH["effective"], "covered": LEDGER_ZH["covered"],
    **NAMES_ZH, **KINDS,
}  # fmt: skip
SHARES = ("比率", "目标值", "覆盖率", "未覆盖占比", "遮挡起（画面左起）", "遮挡止")


def history(kept: Mapping[str, Mapping[str, Any]], *, secret: bool) -> pd.DataFrame:
    """Kept ledgers, newest first, one row a class (台账历史); those with secret cameras only if `secret`."""
    rows = [
        (key, body["list_version"], int(c), body["numerators"][c], body["denominators"][c], rate)
        for key, body in sorted(kept.items(), reverse=True)
        if secret or not body.get("secret")
        for c, rate in body["rates"].items()
    ]
    return pd.DataFrame(rows, columns=list(HISTORY_ZH))


def write(path: Path, tables: Mapping[str, pd.DataFrame], notes: Mapping[str, Any]) -> None:
    """Write tables to an Excel workbook or a GeoPackage, by the ending of the name (写出台账).

    Parameters
    ----------
    path
        ``.xlsx`` or ``.gpkg``; an existing file is replaced.
    tables
        Sheet or layer name -> table; geometry goes to the GeoPackage only, tables without one too.
    notes
        What the figures rest on: a sheet of its own, or a table without geometry.

    Raises
    ------
    BadInputError
        For another ending.
    """
    about = pd.DataFrame(_flat(notes), columns=["项目", "值"])
    if path.suffix.lower() == ".xlsx":
        with pd.ExcelWriter(path, engine="openpyxl") as book:
            for name, table in {**tables, "口径说明": about}.items():
                plain = pd.DataFrame(table.drop(columns="geometry", errors="ignore"))
                plain.apply(_words).to_excel(book, sheet_name=name[:31], index=False)
                _dressed(book.sheets[name[:31]], plain)
        return
    if path.suffix.lower() != ".gpkg":
        raise BadInputError(f"{path.name}: allowed endings: .xlsx, .gpkg")
    path.unlink(missing_ok=True)
    for name, table in {**tables, "口径说明": about}.items():
        pyogrio.write_dataframe(table, path, layer=name, driver="GPKG")


def _dressed(sheet: Any, table: pd.DataFrame) -> None:  # noqa: ANN401  # of openpyxl
    """Make a sheet legible: heading stays in view, shares in percent, measures with one decimal, wide columns."""
    sheet.freeze_panes = "A2"
    for number, name in enumerate(table.columns, start=1):
        letter = sheet.cell(1, number).column_letter
        if pd.api.types.is_float_dtype(table[name]):
            width = 12
            for cell in sheet[letter][1:]:
                cell.number_format = "0.0%" if name in SHARES else "#,##0.0"
        else:
            width = max((_width(str(v)) for v in table[name].head(200) if pd.notna(v)), default=0)
        sheet.column_dimensions[letter].width = min(max(_width(str(name)), width) + 2, 60)


def _width(text: str) -> int:
    """Columns that a text takes: a Chinese character takes two."""
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)


def chinese(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the named columns under their Chinese headings, in the order of `names`; absent ones are left out.

    Codes of claims, image levels and kinds of blind spots stand beside their Chinese words (识别 recognise).
    """
    frame = table.reset_index() if table.index.name in names else table
    coded = {c: frame[c].map(_beside) for c in ("step", "required_level", "kind") if c in frame.columns}
    frame = frame.assign(**coded)
    kept = [c for c in names if c in frame.columns]
    extra = ["geometry"] if isinstance(frame, gpd.GeoDataFrame) else []
    return frame[[*kept, *extra]].rename(columns=dict(names))


def _beside(code: object) -> object:
    word = CODES_ZH.get(str(code))
    return code if word is None else f"{word} {code}"


def _words(column: pd.Series) -> pd.Series:
    return column.map({True: "是", False: "否"}) if column.dtype == bool else column


def _flat(notes: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in notes.items():
        name = f"{prefix}{NOTES_ZH.get(key, key)}"
        if isinstance(value, dict):
            rows += _flat(value, f"{name}：")
        else:
            rows.append((name, NOTES_ZH.get(str(value), str(value))))
    return rows
