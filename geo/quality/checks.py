"""Faults and the checks that find them (数据问题与检查项).

A check is a function of a city's tables that returns faults. It registers itself with `@check`; `examine` runs
them all. To add one: write the function in a module that `geo.quality` imports, and its codes into `CODES`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geo import schema
from geo.camera.faults import CODES as CAMERA_CODES
from geo.errors import UnknownNameError
from geo.quality.evidence import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pyproj import CRS

COLUMNS = ("code", "table", "id", "value", "message")
SLIVER_M = 1.0
"""Gaps and overlaps narrower than this on average are slivers (碎缝): drawing noise, not ground."""

CODES: dict[str, tuple[str, str]] = {
    "grid.gap": ("gap between grids", "网格缝隙"),
    "grid.overlap": ("grids overlap", "网格重叠"),
    "grid.sliver": ("sliver between grids", "网格碎缝"),
    "grid.edge": ("edge that does not match its neighbour", "边界未对齐"),
    "grid.beyond": ("grid reaches beyond the level above", "超出上级范围"),
    "grid.parent.absent": ("no parent", "缺上级网格"),
    "grid.parent.unknown": ("parent does not exist", "上级网格不存在"),
    "grid.parent.level": ("parent is not of a level above", "上级层级不符"),
    "grid.parent.leaves": ("leaves its parent", "越出上级网格"),
    "grid.childless": ("nothing below", "无下级网格"),
    "grid.code": ("code breaks the scheme", "网格编码不合规"),
    "grid.code.parent": ("code does not continue its parent's", "编码与上级不一致"),
    "grid.dates": ("ends before it begins", "失效早于生效"),
    "camera.code": ("code breaks GB/T 28181", "设备编码不合规"),
    "camera.duplicate": ("likely the same camera twice", "疑似重复登记"),
    "camera.field": ("required field absent", "必填项缺失"),
    **CAMERA_CODES,
    "geometry.absent": ("no geometry", "缺少图形"),
    "geometry.invalid": ("invalid polygon", "图形无效"),
    "geometry.duplicate": ("same geometry twice", "图形重复"),
    "key.duplicate": ("same key twice", "编码重复"),
    "row.duplicate": ("same content twice", "内容重复"),
    "point.zero": ("at 0, 0", "坐标为零"),
    "point.outside": ("outside the city", "位于市域之外"),
    "point.pile": ("many rows on one point", "多条记录同一坐标"),
    "reference.unknown": ("names something that does not exist", "引用对象不存在"),
    "reference.grid": ("lies in another grid than it states", "所在网格与登记不符"),
    "time.order": ("times in the wrong order", "时间先后颠倒"),
    "time.default": ("a time that stands for none", "疑似默认时间"),
    "people.households": ("more people than the households can hold", "人数超出户数"),
    "people.duplicate": ("same grid, category and date twice", "人数重复登记"),
    "datum": ("coordinates in another system", "坐标系不符"),
}
"""Every fault code: English, 中文."""


@dataclass(frozen=True)
class Tables:
    """Tables of a city in one metric CRS, and what a check needs to know beside them.

    `all` maps table names to frames by contract, `crs` is theirs, `scheme` the city's grid code scheme (empty:
    codes are opaque), `hints` EPSG names of the files they came from. Missing tables are empty.
    """

    all: Mapping[str, pd.DataFrame]
    crs: CRS
    scheme: str = ""
    hints: tuple[str, ...] = ()
    _made: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def get(self, name: str) -> gpd.GeoDataFrame:
        """Return a table; an empty one of the contract where it is missing."""
        if name not in self.all:
            return self.once(f"empty:{name}", lambda: schema.empty(name, self.crs))
        return self.all[name]

    def once(self, key: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Return what `make` gives, made once."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def reference(self, without: str = "") -> Reference:
        """Return the tables as evidence about the one that is left out."""
        return self.once(
            f"reference:{without}",
            lambda: Reference.of(self.all, crs=self.crs, without=without, hints=self.hints),
        )


Check = Any  # Callable[[Tables], Iterable[GeoDataFrame]]
CHECKS: list[Check] = []


def check(
    function: Callable[[Tables], Iterable[gpd.GeoDataFrame]],
) -> Callable[..., Iterable[gpd.GeoDataFrame]]:
    """Register a check; it yields tables made by `faults`."""
    CHECKS.append(function)
    return function


def faults(
    code: str,
    table: str,
    ids: object,
    *,
    value: object = "",
    message: object = "",
    shapes: object = None,
    crs: CRS,
) -> gpd.GeoDataFrame:
    """Make a table of faults of one code (生成问题表).

    `ids`, `value`, `message` and `shapes` are arrays of one length or single values; `shapes` may be None.
    """
    if code not in CODES:
        raise UnknownNameError("fault code", code, CODES)
    keys = np.atleast_1d(np.asarray(ids, dtype=object))
    drawn = np.full(len(keys), None, dtype=object)
    if shapes is not None:
        drawn[:] = shapes
    data = {"code": code, "table": table, "id": keys, "value": value, "message": message}
    frame = pd.DataFrame(data, index=pd.RangeIndex(len(keys)), columns=list(COLUMNS))
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(drawn, index=frame.index, crs=crs))
