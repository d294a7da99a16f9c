"""The header dictionary (表头字典): which column of a file is which column of a table.

Names are compared folded (`hanzi.fold`): case, width, script (繁/简), brackets, dots and underscores do not
matter. Within a column the aliases stand best first; a column of the contract is always known by its own name
and its Chinese name. Aliases after ``"?"`` are weak: taken only where the values look right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from rapidfuzz import process

from geo import schema
from geo.errors import UnknownNameError
from geo.io.hanzi import fold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

LOST = "\ue000rounded:"  # marks a number that a spreadsheet has rounded (see `tables`)

# What stands for geometry in a table without shapes.
PLACE = ("lon", "lat", "lonlat", "x", "y", "wkt", "geojson")
# Parts of a value that a file keeps in two columns.
PARTS = ("date_part", "time_part", "alley_part")

_PLACE: Mapping[str, str] = {
    "lon": "经度 lon lng long longitude 东经 gis经度 坐标经度 点位经度 经度坐标 x经度 经度x gpslng gpslon wgs84lon gcjlng "
    "longitudedeg 经度wgs84 经度gcj02 lonwgs84 lnggcj02 jd jingdu decimallongitude",
    "lat": "纬度 lat latitude 北纬 gis纬度 坐标纬度 点位纬度 纬度坐标 y纬度 纬度y gpslat wgs84lat gcjlat latitudedeg "
    "纬度wgs84 纬度gcj02 latwgs84 latgcj02 wd weidu decimallatitude",
    "lonlat": "经纬度 lonlat lnglat 经纬度坐标 gps坐标 ?坐标 ?location ?地理坐标 ?位置坐标",
    "x": "x坐标 横坐标 xcoord xcoordinate coordx pointx posx easting 东坐标 twd97x x97 x ?xcoordina",
    "y": "y坐标 纵坐标 ycoord ycoordinate coordy pointy posy northing 北坐标 twd97y y97 y ?ycoordina",
    "wkt": "wkt geomwkt geometrywkt wktgeom 空间数据wkt the_geom geom geometry shape 图形",
    "geojson": "geojson geometryjson geomjson",
}

_ID = "?id ?编码 ?编号 ?代码 ?code ?uid ?uuid ?guid ?唯一标识 ?fid ?objectid ?osmid ?gid ?序号"

_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "boundary": {"boundary_id": "adcode 行政区划代码 区划代码 countyid towncode " + _ID, "name": "行政区名称 区划名称 区名 市名 县名"},
    "grids": {
        "grid_id": "网格编码 网格编号 网格代码 网格id 网格号 单元网格编码 单元编码 wgbm wgbh wgid gridcode gridno gridid cellid codebase "
        "lsoa11cd lsoa21cd 村里代码 villcode villageid 社区编码 社区代码 村居代码 区划代码 行政区划代码 adcode " + _ID,
        "name": "网格名称 网格名 单元名称 wgmc gridname 村里名称 villname villagename 社区名称 村居名称 镇街名称 街道名称 townname "
        "lsoa11nm lsoa21nm 名称 name title mc",
        "level": "网格层级 网格级别 层级 级别 gridlevel 等级 wgcj",
        "kind": "网格类型 网格类别 gridtype gridkind wglx 类型",
        "parent_id": "上级网格编码 上级编码 上级网格 上级代码 所属网格 所属社区编码 所属村居编码 所属街道编码 父级编码 父网格编码 父级id parentid "
        "parentcode pid 上级id sjbm 所属镇街编码",
        "valid_from": "生效日期 启用日期 启用时间 生效时间 有效期起 开始日期 startdate validfrom begindate 划定日期",
        "valid_to": "失效日期 停用日期 停用时间 失效时间 有效期止 结束日期 enddate validto 撤销日期",
        "staff_post": "网格员岗位 岗位 岗位名称 staffpost post",
        "households": "户数 住户数 家庭户数 households 总户数 hs",
        "area_type": "城乡类型 城乡分类 城乡属性 areatype 城乡",
    },
    "camera_states": {
        "camera_id": "设备编码 国标编码 监控点编码 监控点编号 设备编号 设备id 通道编码 deviceid channelid cameraid",
        "state": "设备状态 在线状态 运行状态 监控状态 变更后状态 status state",
        "at": "时间 变更时间 状态时间 发生时间 状态变更时间 开始时间 记录时间 time timestamp at",
    },
    "cameras": {
        "camera_id": "设备编码 国标编码 国标id 国标编号 摄像机编码 摄像头编码 监控点编码 监控点编号 监控编号 监控编码 设备编号 设备国标编码 设备id "
        "点位编码 点位编号 通道编码 通道编号 通道id deviceid channelid cameracode cameraid camera_no sbbm gbcode gbid indexcode "
        "cameraindexcode 摄像机编号 摄像头编号 " + _ID,
        "name": "设备名称 点位名称 摄像机名称 摄像头名称 监控点名称 监控名称 通道名称 点位 devicename cameraname channelname sbmc "
        "locationdescription placename sitename 安装位置名称 名称 name 点名",
        "point_class": "监控点类别 监控点位类型 点位类型 点位类别 点位分类 摄像机位置类型 pointtype pointclass jkdwlx 监控点位类别",
        "ptz_type": "摄像机类型 摄像头类型 云台类型 ptztype cameratype sxjlx 设备类型 结构类型",
        "bearing_deg": "方位角 朝向角 朝向角度 水平方位角 拍摄方向 摄影方向 摄像方向 监视方位 监控方位 朝向 方位 方向角 安装方位 azimuth bearing "
        "heading direction cameradirection tags.camera:direction tags.direction orientation pan panangle 拍摄朝向 监控方向 镜头朝向",
        "bearing_error_deg": "方位误差 方位角误差 朝向误差 bearingerror azimutherror",
        "direction_type": "朝向代码 监视方位代码 方向类型 摄像机监视方位 directiontype jsfw 监视方位类型",
        "fov_deg": "水平视场角 视场角 水平视角 视角 hfov fov fovdeg horizontalfieldangle horizontalfov cameraangle 可视角 可视角度 扇形角度",
        "vfov_deg": "垂直视场角 垂直视角 vfov verticalfieldangle verticalfov",
        "tilt_deg": "俯角 俯仰角 下倾角 倾角 tilt tiltangle pitch",
        "focal_mm": "焦距 镜头焦距 focallength focal 焦长",
        "sensor": "传感器尺寸 靶面尺寸 传感器 感光器件 sensor sensorsize 靶面",
        "range_m": "可视距离 有效距离 最大可视距离 监控距离 可视半径 maxviewdistance viewdistance range visualrange 监控半径 拍摄距离 半径",
        "height_m": "安装高度 架设高度 挂高 杆高 mountheight height installheight cameraheight 离地高度 高度 azgd",
        "resolution_px": "水平像素 水平分辨率 horizontalresolution 像素宽 分辨率 resolution 图像分辨率 清晰度",
        "room_type": "室内外 安装场所 室外室内 roomtype 室内外属性 室内外类型",
        "light_type": "补光 补光属性 补光类型 补光方式 supplylighttype lighttype bgsx",
        "state": "状态 设备状态 在线状态 运行状态 监控状态 使用状态 status state devicestatus 在线 设备在线状态 在线情况 sbzt",
        "state_since": "状态起始时间 状态时间 离线时间 最近离线时间 状态更新时间 statesince statustime",
        "secrecy": "涉密 保密属性 是否涉密 涉密属性 secrecy bmsx 密级",
        "unit": "管理单位 所属单位 所属机构 维护单位 建设单位 所属部门 管理部门 使用单位 managementunit owner sourceagency operator 权属单位 gldw",
        "pole_id": "杆件编号 杆号 杆体编号 立杆编号 灯杆编号 poleid 杆编号",
        "switch_id": "交换机 交换机编号 供电回路编号 接入交换机 switchid 电表编号",
        "civil_code": "行政区划代码 行政区域 区划代码 行政区域代码 civilcode 行政区划 县市别代码 districtcode xzqy",
        "address": "安装地址 详细地址 地址 安装位置 安装地点 设置地点 点位地址 位置 address location 地点 azdz addrfull",
        "install_time": "安装时间 安装日期 建设时间 建设日期 投用时间 installtime installdate azsj 启用时间",
        "record_days": "录像保存天数 存储天数 录像天数 保存天数 recordsavedays recorddays 存储周期 lxbcts",
        "has_contact": "有联系方式",
        "networked": "已联网 是否联网 联网状态 联网属性 联网 networked lwsx",
        "capture_position": "采集部位类型 采集部位 采集位置 capturepositiontype captureposition",
        "function_type": "功能类型 摄像机功能类型 设备功能类型 functiontype sxjgnlx 功能",
        "position_error_m": "位置误差 定位误差 定位精度 positionerror accuracy 坐标误差",
    },
    "targets": {
        "target_id": "目标编号 目标编码 监控目标编号 场所编号 场所编码 部位编号 targetid " + _ID,
        "name": "目标名称 场所名称 单位名称 部位名称 监控目标 名称 name 重点部位",
        "target_class": "目标类别 类别 监控目标类别 目标分类 场所类别 targetclass 一二三类 等级",
        "kind": "目标类型 场所类型 类型 kind type 行业类别",
        "required_level": "要求图像等级 图像等级 要求等级 requiredlevel dori",
        "list_version": "清单版本 清单批次 批次 listversion 版本",
    },
    "incidents": {
        "incident_id": "警情编号 接警单编号 接处警编号 事件编号 事件编码 案件编号 工单编号 工单号 警单号 任务编号 案号 jjdbh ajbh sjbh eventid incidentid "
        "caseid casenumber casenum incidentnumber calltakingno crimeid " + _ID,
        "occurred_at": "发生时间 案发时间 事发时间 报警时间 接警时间 发现时间 发生日期时间 事件时间 事故时间 发案时间 警情时间 bjsj fasj occurredat occurtime "
        "occurdate occurdatetime datetime eventtime incidenttime createtime 创建时间 timestamp 时间 occdate 发生日期 案发日期 日期 date month",
        "reported_at": "上报时间 受理时间 登记时间 录入时间 立案时间 reportedat reporttime reportdate",
        "category": "警情类别 案件类别 事件类别 警情类型 事件类型 案件类型 警情性质 案由 案类 事故类型及型态大类别名称 事故类别 类别 类型 报警类别 大类 小类 事件小类 "
        "crimetype offense primarytype category eventtype type calltype casedesc callgroup sjlx jqlb 事故类别名称",
        "severity": "严重程度 等级 级别 事件等级 紧急程度 警情级别 警情等级 severity priority 重要程度",
        "source": "来源 事件来源 上报来源 信息来源 警情来源 source 上报渠道 报警方式",
        "stage": "环节 状态 办理状态 当前环节 事件状态 处理状态 处置状态 流程状态 stage status 办理环节",
        "closed_at": "办结时间 结案时间 完成时间 处置完成时间 处结时间 closedat closetime finishtime",
        "due_at": "办理时限 截止时间 限办时间 到期时间 dueat deadline duetime",
        "radius_m": "定位误差 定位半径 误差半径 radius accuracy",
        "address": "发生地点 案发地点 事发地点 事发地址 案发地址 警情地址 报警地址 事件地址 发生地址 案发地 详细地址 地址 地点 address location place streetname 事故地点 "
        "sfdz fadd blockaddress",
        "duplicate_of": "重复于 重复警情编号 重复事件编号 duplicateof",
    },
    "hazards": {
        "hazard_id": "隐患编号 隐患编码 排查编号 检查编号 hazardid yhbh " + _ID,
        "kind": "隐患类型 隐患类别 隐患种类 隐患分类 风险类型 kind type hazardtype yhlx 类型 类别",
        "level": "隐患等级 隐患级别 风险等级 风险级别 等级 级别 level risklevel yhdj",
        "name": "隐患名称 隐患描述 隐患内容 名称 name 问题描述 描述",
        "found_at": "发现时间 排查时间 检查时间 上报时间 发现日期 排查日期 检查日期 foundat founddate reporttime",
        "due_at": "整改时限 整改期限 限改时间 整改截止时间 限期整改日期 dueat deadline",
        "fixed_at": "整改完成时间 整改时间 完成时间 销号时间 办结时间 整改日期 fixedat closedat",
    },
    "facilities": {
        "facility_id": "设施编号 设施编码 设备编号 设备编码 物防编号 终端编号 设备序列号 facilityid deviceid sn " + _ID,
        "kind": "设施类型 设施类别 设备类型 设备类别 物防类型 类型 类别 kind type facilitytype devicetype amenity",
        "name": "设施名称 设备名称 机构名称 医院名称 诊所名称 单位名称 场所名称 站点名称 名称 name facilityname placename title mc",
        "state": "状态 设施状态 设备状态 在线状态 运行状态 报警状态 state status",
        "last_seen_at": "最近上线时间 最后上线时间 最后在线时间 最近在线时间 最后心跳时间 上报时间 更新时间 lastseenat lastseen lastonline updatetime",
        "address": "地址 安装地址 详细地址 设施地址 安装位置 位置 地点 场所地址 address location",
    },
    "people": {
        "people_id": "people_id",
        "grid_id": "网格编码 网格编号 网格代码 所属网格 所属网格编码 网格 gridid gridcode wgbm",
        "category": "服务类别 类别 人员类别 服务对象类别 类型 服务类型 人员类型 帮扶类别 category type",
        "count": "人数 数量 计数 总人数 count number total 服务人数 rs",
        "as_of": "统计日期 统计时间 截止日期 日期 asof date",
    },
    "addresses": {
        "address_id": "地址编码 地址编号 标准地址编码 地址代码 门牌编码 addressid dzbm " + _ID,
        "standard": "标准地址全称 标准地址 地址全称 详细地址 全地址 地址 门牌地址 address fulladdress addr addrfull dzmc dz",
        "district": "县区 区县 行政区 区 市辖区 district county townname 区名 乡镇市区 addrdistrict",
        "town": "镇街 街道 乡镇街道 街道乡镇 乡镇 town township subdistrict",
        "village": "村居 社区 村 居委会 社区村 村里 里 village community villname 社区名称 村委会",
        "road": "街路巷 道路 街路 路 街 路名 道路名称 street road streetname 街路巷名称 addrstreet 路街",
        "lane": "弄巷胡同 巷 胡同 巷弄 lane",
        "number": "门牌号 门牌 门牌号码 号 housenumber number num numstr addrhousenumber 门楼牌号 门楼牌",
        "compound": "小区院落 小区 院落 小区名称 住宅小区 compound estate area 聚落地名",
        "building": "楼栋 楼栋号 幢 栋 楼号 building 幢号 楼幢号",
        "unit": "单元 单元号 unit",
        "room": "室 室号 房号 户号 房间号 room",
        "level": "地址级别 地址等级 addresslevel",
        "grid_id": "网格编码 所属网格 所属网格编码 网格编号 gridid gridcode",
    },
    "aliases": {
        "alias_id": "别名编号 " + _ID,
        "text": "别名 俗称 俗名 alias text 曾用名 简称",
        "standard": "对应标准名称地址 标准名称 标准地址 对应标准地址 standard 正式名称",
        "kind": "名称类型 类型 kind type",
        "valid_from": "生效日期 validfrom startdate",
        "valid_to": "失效日期 validto enddate",
        "state": "状态 审核状态 state status",
        "taught_by": "确认岗位 taughtby",
        "taught_at": "确认时间 taughtat",
    },
    "buildings": {
        "building_id": "建筑编号 建筑编码 楼栋编号 楼栋编码 房屋编码 房屋编号 buildingid bldgid jzbm " + _ID,
        "name": "建筑名称 楼栋名称 楼宇名称 名称 name buildingname",
        "height_m": "建筑高度 高度 楼高 height heightm buildingheight bldghgt 建物高度 h",
        "floors": "层数 楼层数 总层数 地上层数 楼层 floor floors levels buildinglevels storeys numfloors",
    },
    "roads": {
        "road_id": "道路编号 道路编码 路段编号 路段编码 roadid linkid wayid " + _ID,
        "name": "道路名称 路名 名称 name roadname streetname",
        "class": "等级 道路等级 道路类型 道路类别 highway class fclass roadclass roadtype type",
        "speed_m_s": "通行速度 速度 speed speedms speedmps",
        "oneway": "单行 是否单行 单行道 oneway 单向",
        "width_m": "路宽 道路宽度 宽度 width roadwidth",
    },
    "water": {"water_id": "水系编号 水系编码 " + _ID, "name": "水系名称 河流名称 名称 name", "kind": "类型 水系类型 kind type natural waterway fclass"},
    "occluders": {"occluder_id": "遮挡物编号 " + _ID, "kind": "类型 遮挡物类型 kind type", "height_m": "高度 height heightm"},
    "forbidden": {"forbidden_id": "场所编号 编号 " + _ID, "name": "场所名称 名称 name", "kind": "类型 场所类型 kind type"},
}  # fmt: skip

# Two columns that make one value: the day and the hour; the lane and the alley in it (巷、弄).
_PARTS: Mapping[str, Mapping[str, str]] = {
    "incidents": {
        "date_part": "发生日期 案发日期 事发日期 报警日期 日期 date occdate occurdate",
        "time_part": "发生时间 发生时段 案发时间 事发时间 时段 时间 time occtime occurtime 报警时间",
    },
    "addresses": {"alley_part": "弄 alley 衖"},
}

# Speed limits are read with their unit: the contract holds m/s, signs and registers say km/h.
_KMH = ("限速", "最高限速", "设计速度", "maxspeed", "speedlimit", "speedkmh", "速度kmh", "时速")
_FACTORS = {
    ("m", "km"): 1000.0, ("m", "公里"): 1000.0, ("m", "千米"): 1000.0, ("m", "cm"): 0.01, ("m", "厘米"): 0.01,
    ("m", "mm"): 0.001, ("m", "毫米"): 0.001, ("m", "ft"): 0.3048, ("m", "feet"): 0.3048, ("m", "英尺"): 0.3048,
    ("m/s", "km/h"): 1 / 3.6, ("m/s", "kmh"): 1 / 3.6, ("m/s", "公里/小时"): 1 / 3.6, ("m/s", "千米/时"): 1 / 3.6,
    ("m/s", "mph"): 0.44704, ("mm", "cm"): 10.0, ("deg", "rad"): 57.29577951308232, ("deg", "弧度"): 57.29577951308232,
}  # fmt: skip
_CUT_MIN = 3
_CUT_RANK = 1000  # a header that only begins like an alias comes after all that are whole
_BRACKET = re.compile(r"[(（\[【]([^)）\]】]*)[)）\]】]")


@dataclass(frozen=True, slots=True)
class Mapped:
    """Where each column of the table comes from, and what was not used."""

    columns: Mapping[str, str]  # contract column or place or part -> header of the file
    weak: frozenset[str] = frozenset()  # contract columns found by a weak alias only
    factors: Mapping[str, float] = field(default_factory=dict)  # unit of the header to the contract's
    unused: tuple[str, ...] = ()
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # columns that more headers would fit


@cache
def _aliases(table: str) -> dict[str, tuple[tuple[str, bool], ...]]:
    contract = schema.table(table)
    named = {contract.key: "", **{c.name: c.zh for c in contract.columns}}
    result: dict[str, tuple[tuple[str, bool], ...]] = {}
    for column, zh in named.items():
        words = [column, _BRACKET.sub("", zh), *_COLUMNS.get(table, {}).get(column, "").split()]
        pairs = [(fold(w), w.startswith("?")) for w in words]
        result[column] = tuple(dict.fromkeys((w, weak) for w, weak in pairs if w))
    for column, words_ in {**_PLACE, **_PARTS.get(table, {})}.items():
        result[column] = tuple((fold(w), w.startswith("?")) for w in [column, *words_.split()] if fold(w))
    if not contract.geometry and table != "people":
        for column in PLACE:
            result.pop(column, None)
    return result


@cache
def _every_name() -> frozenset[str]:
    return frozenset(name for t in schema.TABLES for words in _aliases(t).values() for name, _ in words)


def known(header: str) -> bool:
    """Whether a header is in the dictionary of any table."""
    return fold(_BRACKET.sub("", header)) in _every_name()


def match(
    table: str,
    headers: Sequence[str],
    given: Mapping[str, str] | None = None,
    *,
    cut: Collection[str] = (),
) -> Mapped:
    """Pair a file's headers with the columns of a table.

    Parameters
    ----------
    table
        Table of the contract.
    headers
        The file's column names.
    given
        header → column that the user named; they win and are checked.
    cut
        Headers whose end the format may have cut off (DBF: ten bytes): they also fit what begins like them.

    Returns
    -------
    Mapped
        Every header at most once, every column at most once: the best alias of each column wins, and of two
        headers for one alias the first.

    Raises
    ------
    UnknownNameError
        A named header is not in the file, or a named column not in the table; with what there is.
    """
    aliases = _aliases(table)
    given = given or {}
    for header, column in given.items():
        if header not in headers:
            raise UnknownNameError("header", header, headers)
        if column not in aliases:
            raise UnknownNameError(f"column of {table}", column, aliases)
    found = {column: header for header, column in given.items()}
    ranked = _one_place(_ranked(aliases, [h for h in headers if h not in given], found, cut), found)
    weak_columns = set()
    taken = set(given)
    for weak, _, _, column, header in ranked:
        if column in found or (header in taken and column not in PARTS):
            continue
        found[column] = header
        if column not in PARTS:
            taken.add(header)
        if weak:
            weak_columns.add(column)
    _settle_parts(found, given)
    factors = _units(table, found)
    if table == "roads" and "speed_m_s" not in found:
        limits = [h for h in headers if fold(_BRACKET.sub("", h)) in _KMH and h not in found.values()]
        if limits:
            found["speed_m_s"], factors["speed_m_s"] = limits[0], 1 / 3.6
    unused = tuple(h for h in headers if h not in found.values())
    return Mapped(found, frozenset(weak_columns), factors, unused, _others(ranked, found, given))


def _others(
    ranked: Sequence[tuple[bool, int, int, str, str]], found: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Headers that nothing uses and that would fit a column which has one already."""
    result: dict[str, tuple[str, ...]] = {}
    used = set(found.values())
    for weak, _, _, column, header in ranked:
        if header not in used and column in found and not weak and column not in given.values():
            result[column] = (*result.get(column, ()), header)
    return result


def _ranked(
    aliases: Mapping[str, Sequence[tuple[str, bool]]],
    headers: Sequence[str],
    found: Mapping[str, str],
    cut: Collection[str],
) -> list[tuple[bool, int, int, str, str]]:
    """Pairs of column and header that fit, best first: strong aliases before weak, early before late."""
    plain = {h: fold(_BRACKET.sub("", h)) or fold(h) for h in headers}
    begins = {name for header, name in plain.items() if header in cut and len(name) >= _CUT_MIN}
    return sorted(
        (weak, rank if name == word else rank + _CUT_RANK, order, column, header)
        for column, words in aliases.items()
        if column not in found
        for rank, (word, weak) in enumerate(words)
        for order, (header, name) in enumerate(plain.items())
        if name == word
        or (rank == 0 and fold(header) == word)
        or (name in begins and word.startswith(name) and not weak)
    )


def _one_place(
    ranked: list[tuple[bool, int, int, str, str]], found: Mapping[str, str]
) -> list[tuple[bool, int, int, str, str]]:
    """Keep one way to say where: degrees, else x and y, else both in one column, else WKT or GeoJSON."""
    have = {r[3] for r in ranked} | set(found)
    ways = [("lon", "lat"), ("x", "y"), ("lonlat",), ("wkt",), ("geojson",)]
    named = [w for w in ways if set(w) & set(found)]
    whole = [w for w in ways if set(w) <= have]
    kept = set((named or whole or [()])[0])
    return [r for r in ranked if r[3] not in PLACE or r[3] in kept]


def _settle_parts(found: dict[str, str], given: Mapping[str, str]) -> None:
    """Keep the two parts of a time only where both are there and no third column holds it whole."""
    date, time, whole = found.get("date_part"), found.get("time_part"), found.get("occurred_at")
    named = "occurred_at" in given.values()
    if date and time and date != time and not named and whole in (None, date, time):
        found.pop("occurred_at", None)
        return
    for part in ("date_part", "time_part"):
        if part not in given.values():
            found.pop(part, None)


def _units(table: str, found: Mapping[str, str]) -> dict[str, float]:
    """Factors for headers that name a unit in brackets: 高度(cm), 限速（km/h）."""
    units = {c.name: c.unit for c in schema.table(table).columns}
    result = {}
    for column, header in found.items():
        bracket = _BRACKET.search(header)
        if bracket and units.get(column):
            factor = _FACTORS.get((units[column], bracket.group(1).strip().lower()))
            if factor is not None:
                result[column] = factor
    return result


def near(word: str, choices: Iterable[str]) -> str:
    """The choice most like `word`, or an empty text (for “did you mean”)."""
    pool = {fold(c): c for c in choices}
    hit = process.extractOne(fold(word), list(pool), score_cutoff=60) if pool else None
    return pool[hit[0]] if hit else ""
