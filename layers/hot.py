"""Rows and looks of the layers of hotspots and risk (热点与风险图层).

Only grids that are marked are drawn. What is not stable under the error of the addresses, or one grid level up, is hatched:
the map does not claim more than the data hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd

from geo import hotspot, watch
from layers import style

if TYPE_CHECKING:
    from geo.city import City

HOT_LOOK = style.entries(
    [
        (3, "热点 99 %", "hot, 99 %", style.RAMPS["red"][4], "fill"),
        (2, "热点 95 %", "hot, 95 %", style.RAMPS["red"][2], "fill"),
        (-2, "冷点 95 %", "cold, 95 %", style.RAMPS["blue"][2], "fill"),
        (-3, "冷点 99 %", "cold, 99 %", style.RAMPS["blue"][4], "fill"),
    ]
)
UNSTABLE = style.entries(
    [
        (1, "斜线：不稳定（定位误差或上级网格下不成立）", "hatched: not stable under address error or one level up",
         style.DARK, "hatch")
    ]
)  # fmt: skip
LEVEL_LOOK = style.entries(
    [
        (1, "红：前 1 %", "red: top 1 %", "#c8102e", "fill"),
        (2, "橙：其后 3 %", "orange: next 3 %", "#f28e2b", "fill"),
        (3, "黄：其后 6 %", "yellow: next 6 %", "#f0d000", "fill"),
        (4, "蓝", "blue", "#2c7bb6", "fill"),
    ]
)
SIGNIFICANT = style.entries(
    [(1, "粗框：显著高于全市", "thick border: significantly above the city", style.DARK, "line")]
)
TABLES = ("grids", "incidents")
HOT_FIELDS = (
    "grid_id",
    "name",
    "category",
    "gi_bin",
    "class_zh",
    "observed",
    "expected",
    "z",
    "q",
    "unstable",
)
RISK_FIELDS = (
    "grid_id",
    "name",
    "level",
    "risk_score",
    "significant",
    "events",
    "discovered_share",
    "rank",
    "uncertain",
)


def hotspots(city: City) -> gpd.GeoDataFrame:
    """Hot and cold grids of all categories, adjusted together, the strongest category of each grid; in degrees."""
    shapes = city.degrees("grids")
    empty = pd.DataFrame({name: pd.Series(dtype="object") for name in HOT_FIELDS})
    if watch.cube_of(city).days < watch.LEAST_DAYS:
        return _on_shapes(empty, shapes)
    names = [None, *watch.cube_of(city).categories]
    tables = {name or "全部": watch.hotspots_of(city, category=name) for name in names}
    hot = hotspot.hot_list(tables)
    cold = tables["全部"].rename_axis("grid_id").reset_index()
    cold = cold[cold["cold"] & ~cold["grid_id"].isin(hot["grid_id"])].assign(category="全部")
    marked = pd.concat([hot, cold], ignore_index=True).drop_duplicates("grid_id")
    if marked.empty:
        return _on_shapes(empty, shapes)
    marked["class_zh"] = marked["class"].map(dict(zip(hotspot.CLASSES, hotspot.CLASSES_ZH, strict=True)))
    marked["unstable"] = 0
    for name, rows in marked.groupby("category").groups.items():
        stable = watch.sensitivity_of(city, category=None if name == "全部" else name)["stable"]
        marked.loc[rows, "unstable"] = (~stable[marked.loc[rows, "grid_id"]]).astype(int).to_numpy()
    return _on_shapes(marked, shapes)


def risk(city: City) -> gpd.GeoDataFrame:
    """Watched grids with level and score; none where there is no score yet; in degrees."""
    cube = watch.cube_of(city)
    shapes = city.degrees("grids")
    if cube.days < watch.LEAST_DAYS or not len(cube.row):
        return _on_shapes(pd.DataFrame({name: pd.Series(dtype="object") for name in RISK_FIELDS}), shapes)
    table = watch.risk_of(city).table.rename_axis("grid_id").reset_index()
    table[["significant", "uncertain"]] = table[["significant", "uncertain"]].astype(int)
    return _on_shapes(table.round({"risk_score": 2, "discovered_share": 3}), shapes)


def _on_shapes(table: pd.DataFrame, shapes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    ids = pd.Index(table["grid_id"], name="grid_id")
    found = shapes.reindex(ids)
    return gpd.GeoDataFrame(
        table.set_index(ids).assign(name=found["name"].to_numpy()),
        geometry=found.geometry.to_numpy(),
        crs=shapes.crs,
    )
