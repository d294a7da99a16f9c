"""The planner's work list as a file (补点工作清单): Excel for people, GeoPackage for QGIS."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import shapely
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from geo import covered
from geo.io.export import guarded
from geo.scope import reach

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd

    from geo.city import City
    from geo.scope import Scope

SHEETS = {"blind_spots": "盲区", "targets": "未覆盖目标", "cameras": "待修监控点", "plan": "假设方案"}
HEADERS = {
    "rank": "序号", "kind": "类型", "name": "名称", "what": "问题", "text": "说明", "measure": "规模", "unit": "单位",
    "share": "未覆盖比例", "score": "得分", "incidents": "近90日警情", "grid_id": "网格编码", "target_id": "目标编号",
    "target_class": "目标类别", "required_level": "要求图像等级", "action": "处理建议", "camera_id": "监控点编码",
    "state": "状态", "address": "安装地址", "lon": "经度", "lat": "纬度", "change": "变更", "bearing_deg": "方位角",
    "fov_deg": "视场角", "range_m": "可视距离", "height_m": "安装高度",
}  # fmt: skip
_COLUMNS = {
    "blind_spots": (
        "rank",
        "kind",
        "name",
        "text",
        "measure",
        "unit",
        "share",
        "incidents",
        "score",
        "grid_id",
    ),
    "targets": ("target_class", "kind", "name", "required_level", "action", "grid_id"),
    "cameras": ("name", "state", "unit", "address"),
    "plan": ("change", "name", "bearing_deg", "fov_deg", "range_m", "height_m"),
}
_BROKEN = ("off", "vlost", "defect", "repair")


def work_list(
    city: City, *, scope: Scope, grid: str = "", plan: gpd.GeoDataFrame | None = None
) -> Mapping[str, gpd.GeoDataFrame]:
    """What is to be done, by kind, most urgent first (工作清单).

    Parameters
    ----------
    city
        Snapshot.
    scope
        Whose view: nothing that lies outside it is listed, no secret camera below its role.
    grid
        Only what lies in this grid or below it; empty: everything.
    plan
        Cameras of a what-if, with a column `change`; in degrees.

    Returns
    -------
    mapping
        `blind_spots`, `targets` (not covered), `cameras` (out of order) and, where given, `plan`: tables in
        degrees (`city.lonlat_crs`). What has nothing is an empty table.
    """
    secret = scope.sees_secret
    cameras = covered.cameras_of(city, secret=secret)
    spots = covered.blind_spots_of(city, secret=secret)
    ledger = covered.ledger_of(city, secret=secret)
    tables = {
        "blind_spots": spots,
        "targets": ledger[~ledger["covered"].to_numpy(dtype=bool)].sort_values("target_class", kind="stable"),
        "cameras": cameras[cameras["state"].isin(_BROKEN).to_numpy(dtype=bool)],
    }
    inside = None if scope.whole_city and not grid else reach(city.degrees("grids"), scope, grid)
    result = {}
    for name, table in tables.items():
        if inside is not None:
            ids = table["grid_id"] if "grid_id" in table else covered.grid_of(city, table.geometry)
            table = table[np.isin(np.asarray(ids, dtype=object).astype(str), list(inside))]  # noqa: PLW2901
        result[name] = _columns(table.to_crs(city.lonlat_crs), name)
    if plan is not None and len(plan):
        result["plan"] = _columns(plan.to_crs(city.lonlat_crs), "plan")
    return result


def _columns(table: gpd.GeoDataFrame, name: str) -> gpd.GeoDataFrame:
    wanted = [c for c in _COLUMNS[name] if c in table]
    if table.geometry.name != "geometry":
        table = table.rename_geometry("geometry")
    kept = table[[*wanted, "geometry"]].copy()
    key = table.index.name
    if key and key not in kept:
        kept.insert(0, key, table.index.astype(str))
    return kept.reset_index(drop=True)


def work_list_file(tables: Mapping[str, gpd.GeoDataFrame], form: Literal["xlsx", "gpkg"]) -> bytes:
    """Write a work list: a sheet or layer a kind. Text that a spreadsheet would take for a formula is defused."""
    return _workbook(tables) if form == "xlsx" else _geopackage(tables)


def _workbook(tables: Mapping[str, gpd.GeoDataFrame]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for name, table in tables.items():
        sheet = book.create_sheet(SHEETS[name])
        points = shapely.point_on_surface(table.geometry.to_numpy())
        plain = pd.DataFrame(table.drop(columns="geometry")).assign(
            lon=np.round(shapely.get_x(points), 6), lat=np.round(shapely.get_y(points), 6)
        )
        sheet.append([HEADERS.get(c, c) for c in plain.columns])
        for cell in sheet[1]:
            cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="DDE7F0")
        for row in plain.astype(object).where(plain.notna(), None).itertuples(index=False):
            sheet.append([guarded(v.item() if hasattr(v, "item") else v) for v in row])
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = sheet.dimensions
        for i, column in enumerate(plain.columns, 1):
            wide = column in ("text", "action", "address")
            sheet.column_dimensions[get_column_letter(i)].width = 60 if wide else 18
            if wide:
                for cell in sheet[get_column_letter(i)]:
                    cell.alignment = Alignment(wrap_text=True, vertical="top")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _geopackage(tables: Mapping[str, gpd.GeoDataFrame]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "work.gpkg"
        for name, table in tables.items():
            plain = table.copy()
            for column in plain.columns.drop("geometry"):
                if plain[column].dtype == object:
                    plain[column] = plain[column].astype("str")
            plain.to_file(path, layer=name, driver="GPKG", engine="pyogrio")
        return path.read_bytes()
