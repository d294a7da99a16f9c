"""Every table of a city, column by column (各表字段)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geo.schema.contract import ANY_GEOMETRY, LINES, POINTS, POLYGONS, Column, Table
from geo.schema.vocabulary import (
    CAMERA_STATES,
    FACILITY_KINDS,
    FACILITY_STATES,
    GRID_KINDS,
    HAZARD_KINDS,
    IMAGE_LEVELS,
    INCIDENT_SOURCES,
    INCIDENT_STAGES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


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
            "camera_states",
            "监控点状态记录",
            "state_id",
            (),
            (
                _text("camera_id", "监控点编码", required=True),
                _text("state", "状态", required=True, allowed=CAMERA_STATES),
                Column("at", "time", "起始时间", required=True),
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
