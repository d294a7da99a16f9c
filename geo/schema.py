"""The contract of every table (数据表契约): columns, key, geometry type, units, allowed values.

One `Table` per noun. `conform` turns a frame with the right names into the right types and reports every
value that does not fit; `empty` makes a table of no rows. Anything from outside passes through here once, at
the door (`geo.io`, `api`), and is trusted afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.errors import Problem, SchemaError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["text", "int", "float", "bool", "time", "date"]

DTYPES: Mapping[Kind, str] = {
    "text": "str",
    "int": "Int64",
    "float": "float64",
    "bool": "boolean",
    "time": "datetime64[us, UTC]",
    "date": "datetime64[us]",
}

POLYGONS = ("Polygon", "MultiPolygon")
LINES = ("LineString", "MultiLineString")
POINTS = ("Point",)
ANY_GEOMETRY = POINTS + LINES + POLYGONS


@dataclass(frozen=True, slots=True)
class Column:
    """One column: type, Chinese name, unit, and what is allowed."""

    name: str
    kind: Kind
    zh: str
    unit: str = ""
    required: bool = False
    allowed: Mapping[str, str] = field(default_factory=dict)  # value -> 中文
    minimum: float | None = None
    maximum: float | None = None

    @property
    def rule(self) -> str:
        """What the column accepts, in words."""
        if self.allowed:
            return ", ".join(f"{k} {v}" for k, v in self.allowed.items())
        if self.minimum is not None or self.maximum is not None:
            low = "" if self.minimum is None else f"{self.minimum:g} ≤ "
            high = "" if self.maximum is None else f" ≤ {self.maximum:g}"
            return f"{low}{self.name}{high} {self.unit}".strip()
        return f"{self.kind} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Table:
    """One table: name, Chinese name, key column (its index), geometry types (none: no geometry), columns."""

    name: str
    zh: str
    key: str
    geometry: tuple[str, ...]
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column of this name; `UnknownNameError` names those that exist."""
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownNameError(f"column of {self.name}", name, [c.name for c in self.columns])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns but the key and the geometry."""
        return tuple(c.name for c in self.columns)


def _text(name: str, zh: str, *, required: bool = False, allowed: Mapping[str, str] | None = None) -> Column:
    return Column(name, "text", zh, required=required, allowed=allowed or {})


def _number(
    name: str, zh: str, unit: str = "", minimum: float | None = None, maximum: float | None = None
) -> Column:
    return Column(name, "float", zh, unit, minimum=minimum, maximum=maximum)


def _int(
    name: str,
    zh: str,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    unit: str = "",
    required: bool = False,
) -> Column:
    return Column(name, "int", zh, unit, required=required, minimum=minimum, maximum=maximum)


GRID_KINDS = {"admin": "行政区划", "base": "基础网格", "dedicated": "专属网格", "micro": "微网格"}
GRID_LEVELS = {1: "镇街", 2: "村居", 3: "基础网格", 4: "微网格"}
INCIDENT_SOURCES = {"reported": "上报", "discovered": "巡查", "sensor": "感知"}
INCIDENT_STAGES = {
    "found": "发现",
    "screened": "甄别",
    "filed": "上报",
    "assigned": "交办",
    "handling": "处置",
    "feedback": "反馈",
    "closed": "办结",
}
CAMERA_STATES = {
    "on": "在线",
    "off": "离线",
    "vlost": "视频丢失",
    "defect": "故障",
    "repair": "维修",
    "removed": "拆除",
    "unknown": "未知",
}
IMAGE_LEVELS = {
    "monitor": "监视",
    "detect": "探测",
    "observe": "观察",
    "recognise": "识别",
    "identify": "辨认",
    # IEC 62676-4:2025
    "overview": "概览",
    "outline": "轮廓",
    "discern": "分辨",
    "perceive": "察觉",
    "characterise": "特征",
    "validate": "确认",
    "scrutinise": "细查",
}
FACILITY_KINDS = {
    "smoke_alarm": "烟感报警器",
    "lpg_cylinder": "液化气瓶",
    "ebike_charger": "电动自行车充电桩",
    "hydrant": "消火栓",
    "police_post": "警务室",
    "police_station": "派出所",
    "fire_station": "消防站",
    "aed": "AED",
    "clinic": "医疗机构",
    "shelter": "应急避难场所",
    "poi": "兴趣点",
    "other": "其他",
}
FACILITY_STATES = {"ok": "正常", "alarm": "报警", "fault": "故障", "offline": "离线", "unknown": "未知"}
HAZARD_KINDS = {
    "fire": "消防隐患",
    "gas": "燃气隐患",
    "electric": "用电隐患",
    "building": "房屋隐患",
    "production": "生产隐患",
    "traffic": "交通隐患",
    "water": "涉水隐患",
    "other": "其他隐患",
}

_GRID_COLUMNS = (
    _int("level", "层级（1 镇街 2 村居 3 基础网格 4 微网格）", 1, 4, required=True),
    _text("kind", "类型", required=True, allowed=GRID_KINDS),
    _text("name", "名称"),
    _text("parent_id", "上级网格编码"),
    Column("valid_from", "date", "生效日期"),
    Column("valid_to", "date", "失效日期"),
    _text("staff_post", "网格员岗位"),
    _int("households", "户数", 0),
    _text("area_type", "城乡类型", allowed={"urban": "城区", "rural": "农村"}),
)

TABLES: Mapping[str, Table] = {
    t.name: t
    for t in (
        Table("boundary", "边界", "boundary_id", POLYGONS, (_text("name", "名称"),)),
        Table("grids", "网格", "grid_id", POLYGONS, _GRID_COLUMNS),
        Table(
            "grids_history",
            "网格历史",
            "history_id",
            POLYGONS,
            (_text("grid_id", "网格编码", required=True), *_GRID_COLUMNS),
        ),
        Table(
            "cameras",
            "监控点",
            "camera_id",
            POINTS,
            (
                _text("name", "点位名称"),
                _int("point_class", "监控点类别", 1, 9),
                _int("ptz_type", "摄像机类型（GB/T 28181 PTZType）", 1, 9),
                _number("bearing_deg", "方位角（真北顺时针）", "deg", 0, 360),
                _number("bearing_error_deg", "方位误差", "deg", 0, 180),
                _int("direction_type", "朝向代码（GB/T 28181 DirectionType）", 1, 8),
                _number("fov_deg", "水平视场角", "deg", 0, 360),
                _number("vfov_deg", "垂直视场角", "deg", 0, 180),
                _number("tilt_deg", "俯角", "deg", -90, 90),
                _number("focal_mm", "焦距", "mm", 0, 2000),
                _text("sensor", "传感器尺寸"),
                _number("range_m", "可视距离", "m", 0, 20_000),
                _number("height_m", "安装高度", "m", 0, 1000),
                _int("resolution_px", "水平像素", 0, 100_000, unit="px"),
                _text("room_type", "室内外", allowed={"outdoor": "室外", "indoor": "室内"}),
                _int("light_type", "补光（1 无 2 红外 3 白光 4 激光 9 其他）", 1, 9),
                _text("state", "状态", allowed=CAMERA_STATES),
                Column("state_since", "time", "状态起始时间"),
                _int("secrecy", "涉密（0 否 1 是）", 0, 1),
                _text("unit", "管理单位"),
                _text("pole_id", "杆件编号"),
                _text("switch_id", "交换机 / 供电回路编号"),
                _text("civil_code", "行政区划代码"),
                _text("address", "安装地址"),
                Column("install_time", "date", "安装时间"),
                _int("record_days", "录像保存天数", 0, 36_500, unit="d"),
                Column("has_contact", "bool", "有联系方式"),
                Column("networked", "bool", "已联网"),
                _text("capture_position", "采集部位类型"),
                _text("function_type", "功能类型"),
                _int("mobile_type", "移动采集设备类型（车载、无人机等，固定点位为空）", 1, 9),
                _number("position_error_m", "位置误差", "m", 0, 100_000),
            ),
        ),
        Table(
            "targets",
            "监控目标",
            "target_id",
            ANY_GEOMETRY,
            (
                _text("name", "名称"),
                _int("target_class", "目标类别（一二三类）", 1, 3, required=True),
                _text("kind", "目标类型"),
                _text("required_level", "要求图像等级", allowed=IMAGE_LEVELS),
                _text("list_version", "清单版本"),
            ),
        ),
        Table(
            "incidents",
            "警情 / 事件",
            "incident_id",
            POINTS,
            (
                Column("occurred_at", "time", "发生时间", required=True),
                Column("reported_at", "time", "上报时间"),
                _text("category", "类别", required=True),
                _int("severity", "严重程度（1 特别重大 … 4 一般）", 1, 4),
                _text("source", "来源", allowed=INCIDENT_SOURCES),
                _text("stage", "环节", allowed=INCIDENT_STAGES),
                Column("closed_at", "time", "办结时间"),
                Column("due_at", "time", "办理时限"),
                _number("radius_m", "定位误差", "m", 0, 100_000),
                _text("address", "地址"),
                _text("duplicate_of", "重复于"),
            ),
        ),
        Table(
            "hazards",
            "隐患",
            "hazard_id",
            POINTS,
            (
                _text("kind", "隐患类型", required=True, allowed=HAZARD_KINDS),
                _int("level", "隐患等级（1 红 2 橙 3 黄 4 蓝）", 1, 4),
                _text("name", "名称"),
                Column("found_at", "time", "发现时间"),
                Column("due_at", "time", "整改时限"),
                Column("fixed_at", "time", "整改完成时间"),
            ),
        ),
        Table(
            "facilities",
            "物防设施",
            "facility_id",
            POINTS,
            (
                _text("kind", "设施类型", required=True, allowed=FACILITY_KINDS),
                _text("name", "名称"),
                _text("state", "状态", allowed=FACILITY_STATES),
                Column("last_seen_at", "time", "最近上线时间"),
                _text("address", "地址"),
            ),
        ),
        Table(
            "people",
            "重点关注人员（服务对象，仅计数）",
            "people_id",
            (),
            (
                _text("grid_id", "网格编码", required=True),
                _text("category", "服务类别", required=True),
                _int("count", "人数", 0, required=True),
                Column("as_of", "date", "统计日期"),
            ),
        ),
        Table(
            "addresses",
            "标准地址",
            "address_id",
            POINTS,
            (
                _text("standard", "标准地址全称"),
                _text("district", "县区"),
                _text("town", "镇街"),
                _text("village", "村居"),
                _text("road", "街路巷"),
                _text("lane", "弄巷胡同"),
                _text("number", "门牌号"),
                _text("compound", "小区 / 院落"),
                _text("building", "楼栋"),
                _text("unit", "单元"),
                _text("room", "室"),
                _int("level", "地址级别（GA/T 2000.32）", 10, 69),
                _text("grid_id", "网格编码"),
            ),
        ),
        Table(
            "aliases",
            "地址别名",
            "alias_id",
            POINTS,
            (
                _text("text", "别名", required=True),
                _text("standard", "对应标准名称 / 地址", required=True),
                _text("kind", "名称类型"),
                Column("valid_from", "date", "生效日期"),
                Column("valid_to", "date", "失效日期"),
                _text("state", "状态", allowed={"proposed": "待审", "accepted": "已审", "withdrawn": "撤销"}),
                _text("taught_by", "确认岗位"),
                Column("taught_at", "time", "确认时间"),
            ),
        ),
        Table(
            "buildings",
            "建筑",
            "building_id",
            POLYGONS,
            (
                _text("name", "名称"),
                _number("height_m", "高度", "m", 0, 1000),
                _int("floors", "层数", 0, 300),
            ),
        ),
        Table(
            "roads",
            "道路",
            "road_id",
            LINES,
            (
                _text("name", "名称"),
                _text("class", "等级"),
                _number("speed_m_s", "通行速度", "m/s", 0, 100),
                Column("oneway", "bool", "单行"),
                _number("width_m", "路宽", "m", 0, 500),
            ),
        ),
        Table("water", "水系", "water_id", POLYGONS + LINES, (_text("name", "名称"), _text("kind", "类型"))),
        Table(
            "occluders",
            "遮挡物",
            "occluder_id",
            LINES + POLYGONS,
            (_text("kind", "类型"), _number("height_m", "高度", "m", 0, 1000)),
        ),
        Table(
            "forbidden",
            "禁拍场所",
            "forbidden_id",
            POLYGONS,
            (_text("name", "名称"), _text("kind", "类型")),
        ),
    )
}


def table(name: str) -> Table:
    """Return the contract of a table; `UnknownNameError` names those that exist."""
    try:
        return TABLES[name]
    except KeyError:
        raise UnknownNameError("table", name, TABLES) from None


def empty(name: str, crs: object = None) -> gpd.GeoDataFrame | pd.DataFrame:
    """Return a table of no rows with every column of its contract, in `crs`."""
    contract = table(name)
    data = {c.name: pd.Series([], dtype=DTYPES[c.kind]) for c in contract.columns}
    frame = pd.DataFrame(data, index=pd.Index([], name=contract.key, dtype="str"))
    if not contract.geometry:
        return frame
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries([], index=frame.index, crs=crs))


def conform(name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Cast a frame to its contract and list every value that does not fit (按契约校验).

    Parameters
    ----------
    name
        Table.
    frame
        Columns by contract name, in any order; the key as index or as a column; a GeoDataFrame keeps its CRS.
        Columns that the contract does not know are left out.

    Returns
    -------
    frame, problems
        A new table with exactly the contract's columns (missing ones empty), in the contract's order, indexed
        by the key; and the problems by row position (`Problem.row` counts from 0). Values with a problem are
        empty in the result, the row stays: the caller decides what to refuse. No rows: no problems.
    """
    contract = table(name)
    if frame.index.name != contract.key and contract.key in frame.columns:
        frame = frame.set_index(contract.key)
    problems: list[Problem] = []
    columns: dict[str, pd.Series] = {}
    for column in contract.columns:
        source = frame[column.name] if column.name in frame.columns else None
        columns[column.name] = _cast(column, source, frame.index, problems)
    ids = pd.Index(frame.index.astype("str"), name=contract.key, dtype="str")
    problems += _key_problems(contract, ids)
    result = pd.DataFrame(columns, index=frame.index)
    result.index = ids
    if not contract.geometry:
        return result, problems
    if not isinstance(frame, gpd.GeoDataFrame):
        raise SchemaError(
            name, [Problem("geometry.absent", "geometry", allowed=", ".join(contract.geometry))]
        )
    problems += _geometry_problems(contract, frame.geometry)
    values = frame.geometry.to_numpy()
    return gpd.GeoDataFrame(result, geometry=values, crs=frame.crs), problems


def checked(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `conform`'s table, or raise `SchemaError` with every problem."""
    result, problems = conform(name, frame)
    if problems:
        raise SchemaError(name, problems)
    return result


def _cast(column: Column, source: pd.Series | None, index: pd.Index, problems: list[Problem]) -> pd.Series:
    dtype = DTYPES[column.kind]
    if source is None:
        if column.required and len(index):
            problems.append(Problem("column.absent", column.name, allowed=column.rule))
        return pd.Series(pd.array([None] * len(index), dtype=dtype) if column.kind != "float" else np.nan,
                         index=index, dtype=dtype)  # fmt: skip
    given = source.notna().to_numpy()
    cast = _convert(column, source)
    bad = given & cast.isna().to_numpy()
    if column.allowed:
        bad |= given & ~cast.isin(list(column.allowed)).to_numpy()
    if column.kind in ("int", "float"):
        values = cast.to_numpy(dtype="float64", na_value=np.nan)
        if column.minimum is not None:
            bad |= values < column.minimum
        if column.maximum is not None:
            bad |= values > column.maximum
        bad |= np.isinf(values)
    rows = np.flatnonzero(bad)
    problems += [
        Problem("value", column.name, int(i), str(source.iloc[i]), column.rule, str(index[i])) for i in rows
    ]
    if column.required:
        problems += [
            Problem("value.absent", column.name, int(i), "", column.rule, str(index[i]))
            for i in np.flatnonzero(~given)
        ]
    if len(rows):
        cast = cast.mask(bad)
    return cast.astype(dtype)


def _convert(column: Column, source: pd.Series) -> pd.Series:
    kind = column.kind
    if kind == "text":
        return source.where(source.isna(), source.astype("str")).astype("str")
    if kind == "float":
        return pd.to_numeric(source, errors="coerce").astype("float64")
    if kind == "int":
        values = pd.to_numeric(source, errors="coerce").astype("float64")
        return values.where(values == values.round()).astype("Int64")
    if kind == "bool":
        return _booleans(source)
    if kind == "time":
        if isinstance(source.dtype, pd.DatetimeTZDtype):
            return source.dt.tz_convert("UTC").astype(DTYPES["time"])
        return pd.to_datetime(source, errors="coerce", utc=True, format="ISO8601").astype(DTYPES["time"])
    if isinstance(source.dtype, pd.DatetimeTZDtype):
        source = source.dt.tz_localize(None)
    return pd.to_datetime(source, errors="coerce", format="ISO8601").astype(DTYPES["date"])


_TRUE = {"1", "true", "yes", "y", "是", "有", "1.0"}
_FALSE = {"0", "false", "no", "n", "否", "无", "0.0"}


def _booleans(source: pd.Series) -> pd.Series:
    if source.dtype == bool or str(source.dtype) == "boolean":
        return source.astype("boolean")
    text = source.astype("str").str.strip().str.lower()
    result = pd.Series(pd.NA, index=source.index, dtype="boolean")
    result[text.isin(_TRUE).to_numpy()] = True
    result[text.isin(_FALSE).to_numpy()] = False
    return result


def _key_problems(contract: Table, ids: pd.Index) -> list[Problem]:
    absent = np.flatnonzero(ids.isna() | (ids == "") | (ids == "nan") | (ids == "None"))
    twice = np.flatnonzero(ids.duplicated(keep="first") & ids.notna())
    return [Problem("key.absent", contract.key, int(i), "", "a key for every row") for i in absent] + [
        Problem("key.duplicate", contract.key, int(i), str(ids[i]), "every key once", str(ids[i]))
        for i in twice
    ]


def _geometry_problems(contract: Table, shapes: gpd.GeoSeries) -> list[Problem]:
    values = shapes.to_numpy()
    allowed = ", ".join(contract.geometry)
    missing = shapely.is_missing(values) | shapely.is_empty(values)
    names = np.array(
        ["Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
         "GeometryCollection", "none"]
    )  # fmt: skip
    types = names[shapely.get_type_id(values)]
    wrong = ~missing & ~np.isin(types, contract.geometry)
    finite = np.isfinite(shapely.bounds(values)).all(axis=1)
    return (
        [Problem("geometry.absent", "geometry", int(i), "", allowed) for i in np.flatnonzero(missing)]
        + [
            Problem("geometry.type", "geometry", int(i), str(types[i]), allowed)
            for i in np.flatnonzero(wrong)
        ]
        + [
            Problem("geometry.nan", "geometry", int(i), "NaN", "finite coordinates")
            for i in np.flatnonzero(~missing & ~finite)
        ]
    )
