"""Values as files write them, into the contract's types (取值规范): numbers, times, directions, words.

Every function takes a column of text (or of a type that the format itself had) and gives one on the same index,
missing where nothing could be read; `geo.schema.conform` and the importer then say which rows that hits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.io.cleaning import WIDE, by_word
from geo.io.hanzi import fold
from geo.io.times import dates, times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geo import schema

_NUMBER = re.compile(
    r"^([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:e[-+]?\d+)?)\s*([^\d\s].*)?$", re.IGNORECASE
)
_UNITS = frozenset(
    ("m", "米", "公尺", "度", "°", "deg", "层", "層", "px", "像素", "mm", "毫米", "天", "日", "d", "人", "户", "戶", "km/h", "m/s", "分", "%")
)  # fmt: skip

# 16-point compass (方位词) → degrees clockwise from north.
_POINTS = {
    "北": 0.0, "北北东": 22.5, "东北": 45.0, "东东北": 67.5, "东北东": 67.5, "东": 90.0, "东东南": 112.5, "东南东": 112.5,
    "东南": 135.0, "南东": 135.0, "南南东": 157.5, "南": 180.0, "南南西": 202.5, "西南": 225.0, "南西": 225.0, "西西南": 247.5,
    "西南西": 247.5, "西": 270.0, "西西北": 292.5, "西北西": 292.5, "西北": 315.0, "北西": 315.0, "北东": 45.0, "北北西": 337.5,
    "n": 0.0, "nne": 22.5, "ne": 45.0, "ene": 67.5, "e": 90.0, "ese": 112.5, "se": 135.0, "sse": 157.5, "s": 180.0,
    "ssw": 202.5, "sw": 225.0, "wsw": 247.5, "w": 270.0, "wnw": 292.5, "nw": 315.0, "nnw": 337.5, "north": 0.0, "northeast": 45.0,
    "east": 90.0, "southeast": 135.0, "south": 180.0, "southwest": 225.0, "west": 270.0, "northwest": 315.0,
}  # fmt: skip

# Words beside the contract's own Chinese names, folded. Column name, then value.
_WORDS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("grids", "kind"): {
        "admin": "行政 行政区 镇 街道 社区 村 镇街 村居 行政村 乡镇", "base": "基础 普通网格 综合网格 一般网格 城市网格 农村网格 社区网格",
        "dedicated": "专属 专门网格 专业网格 特殊网格", "micro": "微 微格 楼栋网格",
    },
    ("grids", "area_type"): {"urban": "城市 城镇 城 urban", "rural": "乡村 农 村 rural"},
    ("cameras", "state"): {
        "on": "on online 正常 在用 良好 运行 工作 上线 启用 1 ok normal 完好 在线正常", "off": "off offline 不在线 掉线 断线 停用 0 下线 停机",
        "vlost": "vlost 无视频 无图像 黑屏 信号丢失", "defect": "defect 异常 损坏 坏 fault 有故障 模糊 遮挡 abnormal", "repair": "repair 维修中 报修 检修",
        "removed": "removed 已拆除 报废 撤销 注销", "unknown": "unknown 不明 其他",
    },
    ("camera_states", "state"): {
        "on": "on online 正常 在用 良好 运行 工作 上线 启用 1 ok normal 完好 在线正常", "off": "off offline 不在线 掉线 断线 停用 0 下线 停机",
        "vlost": "vlost 无视频 无图像 黑屏 信号丢失", "defect": "defect 异常 损坏 坏 fault 有故障 模糊 遮挡 abnormal", "repair": "repair 维修中 报修 检修",
        "removed": "removed 已拆除 报废 撤销 注销", "unknown": "unknown 不明 其他",
    },
    ("cameras", "room_type"): {"outdoor": "室外 户外 outdoor 1 外", "indoor": "室内 indoor 2 内"},
    ("targets", "required_level"): {},
    ("incidents", "source"): {
        "reported": "上报 群众上报 群众举报 报警 110 12345 电话 市民热线 热线 群众报警 公众上报 网格员上报 reported 小程序 app微信 来电",
        "discovered": "巡查 主动发现 网格巡查 网格员巡查 巡逻 discovered 自查 巡查发现 日常巡查", "sensor": "感知 物联感知 设备报警 自动报警 传感器 视频ai 视频智能 sensor 物联网 智能感知 视频巡查",
    },
    ("incidents", "stage"): {
        "found": "发现 新增 found new 采集 待处理", "screened": "甄别 核实 筛查 screened 待甄别 受理", "filed": "上报 立案 filed 已上报 登记",
        "assigned": "交办 派遣 派单 分派 assigned 已派单 待接单 转办", "handling": "处置 处理中 办理中 处置中 handling 处理", "feedback": "反馈 已处置 已处理 待核查 feedback 已反馈",
        "closed": "办结 结案 已办结 已结案 完成 closed 已完成 关闭 归档",
    },
    ("hazards", "kind"): {
        "fire": "消防 火灾 fire 消防安全", "gas": "燃气 液化气 煤气 gas 燃气安全", "electric": "用电 电气 电器 electric 用电安全 飞线充电", "building": "房屋 建筑 危房 自建房 building 房屋安全",
        "production": "生产 安全生产 production 企业", "traffic": "交通 道路 traffic 交通安全", "water": "涉水 水域 溺水 防汛 water", "other": "其他 其它 other",
    },
    ("facilities", "kind"): {
        "smoke_alarm": "烟感 烟雾报警器 烟雾探测器 感烟探测器 烟感探测器 独立式烟感 烟感报警 smokealarm smokedetector 智能烟感 烟雾感应器",
        "lpg_cylinder": "液化气 液化石油气瓶 煤气罐 气瓶 液化气罐 lpgcylinder lpg 液化石油气", "ebike_charger": "充电桩 电动车充电桩 电动自行车充电 充电站 充电设施 ebikecharger 电动车充电 电瓶车充电桩 充电点 chargingstation",
        "hydrant": "消火栓 消防栓 室外消火栓 市政消火栓 hydrant firehydrant", "police_post": "警务室 警务站 警亭 岗亭 policepost 社区警务室 警务工作站",
        "police_station": "派出所 公安局 分局 policestation police 公安派出所", "fire_station": "消防站 消防队 消防救援站 微型消防站 firestation 消防中队",
        "aed": "自动体外除颤器 除颤仪 除颤器 aed defibrillator", "clinic": "医院 诊所 卫生院 卫生室 社区卫生服务中心 clinic hospital 医疗 doctors 医疗卫生机构 卫生服务站",
        "shelter": "避难场所 应急避难所 避难所 shelter 应急避险场所", "poi": "poi 商铺 店铺 单位 企业", "other": "其他 其它 other",
    },
    ("facilities", "state"): {
        "ok": "正常 在线 on online ok 良好 完好 在用 normal 1 已安装 可用", "alarm": "报警 告警 alarm 火警 报警中", "fault": "故障 异常 fault 损坏 欠压 低电 待维修",
        "offline": "离线 off offline 掉线 不在线 失联 0", "unknown": "未知 unknown 不明",
    },
    ("aliases", "state"): {"proposed": "待审 待审核 proposed", "accepted": "已审 通过 已通过 accepted 有效", "withdrawn": "撤销 withdrawn 无效"},
}  # fmt: skip

# Columns whose values may say more than the kind (独立式烟感报警器): one known word inside is enough, two are not.
_PART_COUNTS = {("facilities", "kind"), ("hazards", "kind")}
_PART_MIN = 2

# Chinese words for the numbered codes of GB/T 28181 and for levels and classes.
_CODES: Mapping[tuple[str, str], Mapping[str, int]] = {
    ("cameras", "ptz_type"): {"球机": 1, "快球": 1, "半球": 2, "半球机": 2, "枪机": 3, "固定枪机": 3, "固定": 3, "遥控枪机": 4, "云台枪机": 4,
                              "遥控半球": 5, "多目拼接": 6, "全景": 6, "多目": 7, "dome": 1, "fixed": 3, "panning": 1, "ptz": 4},
    ("cameras", "direction_type"): {"东": 1, "西": 2, "南": 3, "北": 4, "东南": 5, "东北": 6, "西南": 7, "西北": 8},
    ("cameras", "light_type"): {"无": 1, "无补光": 1, "红外": 2, "红外补光": 2, "白光": 3, "白光补光": 3, "激光": 4, "激光补光": 4, "其他": 9},
    ("cameras", "secrecy"): {"不涉密": 0, "非涉密": 0, "公开": 0, "否": 0, "无": 0, "false": 0, "涉密": 1, "是": 1, "秘密": 1, "true": 1},
    ("cameras", "point_class"): {"一类": 1, "二类": 2, "三类": 3, "一类点": 1, "二类点": 2, "三类点": 3, "一类监控点": 1, "二类监控点": 2, "三类监控点": 3, "四类": 4,
                                 "一类视频监控点": 1, "二类视频监控点": 2, "三类视频监控点": 3, "公安内部": 4, "其他": 9, "其他点位": 9, "ⅰ类": 1, "ⅱ类": 2, "ⅲ类": 3},
    ("targets", "target_class"): {"一类": 1, "二类": 2, "三类": 3, "一类目标": 1, "二类目标": 2, "三类目标": 3, "一级": 1, "二级": 2, "三级": 3},
    ("grids", "level"): {"镇街": 1, "街道": 1, "镇": 1, "乡镇": 1, "一级网格": 1, "一级": 1, "村居": 2, "社区": 2, "村": 2, "二级网格": 2, "二级": 2,
                         "基础网格": 3, "网格": 3, "三级网格": 3, "三级": 3, "微网格": 4, "四级": 4, "town": 1, "village": 2, "base": 3, "micro": 4},
    ("incidents", "severity"): {"特别重大": 1, "重大": 2, "较大": 3, "一般": 4, "红": 1, "橙": 2, "黄": 3, "蓝": 4, "一级": 1, "二级": 2, "三级": 3, "四级": 4,
                                "特急": 1, "紧急": 2, "较急": 3, "普通": 4},
    ("hazards", "level"): {"红": 1, "橙": 2, "黄": 3, "蓝": 4, "红色": 1, "橙色": 2, "黄色": 3, "蓝色": 4, "重大": 1, "较大": 2, "一般": 3, "低": 4, "重大隐患": 1,
                           "一般隐患": 3, "一级": 1, "二级": 2, "三级": 3, "四级": 4, "重大风险": 1, "较大风险": 2, "一般风险": 3, "低风险": 4, "高": 1, "中": 2},
    ("cameras", "resolution_px"): {"720p": 1280, "1080p": 1920, "高清": 1920, "标清": 704, "4k": 3840, "2k": 2560, "d1": 704, "cif": 352, "130万": 1280, "200万": 1920,
                                   "300万": 2048, "400万": 2560, "500万": 2592, "600万": 3072, "800万": 3840},
}  # fmt: skip
_PIXELS = re.compile(r"^(\d{3,5})[x*×](\d{3,5})$")


def read(
    table: str, column: schema.Column, values: pd.Series, *, timezone: str, factor: float = 1.0
) -> pd.Series:
    """One cleaned column in the type of its contract; missing where it cannot be read.

    Parameters
    ----------
    table, column
        Where the values go.
    values
        Text, or the type that the file's format had.
    timezone
        Of times without one, e.g. ``Asia/Shanghai``.
    factor
        From the file's unit to the contract's.
    """
    if column.kind in ("time", "date"):
        return times(values, timezone) if column.kind == "time" else dates(values, timezone)
    if column.kind == "bool":
        return values if str(values.dtype) in ("bool", "boolean") else _booleans(values)
    if column.kind in ("int", "float"):
        if column.name == "bearing_deg":
            return bearings(values)[0]
        result = _coded(table, column.name, values)
        return result * factor if factor != 1.0 else result
    return words(table, column, values) if column.allowed else values


def _booleans(values: pd.Series) -> pd.Series:
    yes = {"1", "true", "t", "yes", "y", "是", "有", "已", "1.0", "已联网", "单行", "联网", "在线", "-1"}
    no = {"0", "false", "f", "no", "n", "否", "无", "未", "0.0", "未联网", "双行", "不联网", "不是", "没有"}
    return by_word(values, lambda w: True if w in yes else False if w in no else None, "boolean")


def words(table: str, column: schema.Column, values: pd.Series) -> pd.Series:
    """Words of a column with a fixed set of values: Chinese in either script, English, or the value itself."""
    known = {fold(zh): value for value, zh in column.allowed.items()}
    known |= {fold(value): value for value in column.allowed}
    for value, synonyms in _WORDS.get((table, column.name), {}).items():
        for word in synonyms.split():
            known.setdefault(fold(word), value)
    if (table, column.name) not in _PART_COUNTS:
        return by_word(values, lambda w: known.get(fold(w)), "str")

    def kind(word: str) -> str | None:
        whole = fold(word)
        inside = {
            v
            for k, v in known.items()
            if v != "other" and len(k) >= _PART_MIN and not k.isascii() and k in whole
        }
        return known.get(whole) or (inside.pop() if len(inside) == 1 else None)

    return by_word(values, kind, "str")


def numbers(values: pd.Series) -> pd.Series:
    """Numbers with thousands commas, full-width digits or their unit behind them (“12米”, “3层”)."""
    if pd.api.types.is_numeric_dtype(values.dtype) and str(values.dtype) != "boolean":
        return values.astype("float64")
    plain = pd.to_numeric(values, errors="coerce").astype("float64")
    rest = plain.isna() & values.notna()
    if rest.any():
        plain = plain.copy()
        plain[rest] = by_word(values[rest], _number, "float64")
    return plain


def _number(word: str) -> float | None:
    found = _NUMBER.match(word.translate(WIDE))
    if not found or not found.group(1) or (found.group(2) or "m").strip() not in _UNITS:
        return None
    try:
        return float(found.group(1).replace(",", ""))
    except ValueError:
        return None


def _coded(table: str, name: str, values: pd.Series) -> pd.Series:
    result = numbers(values)
    known = _CODES.get((table, name))
    rest = result.isna() & values.notna()
    if known is None or not rest.any():
        return result
    folded = {fold(k): v for k, v in known.items()}

    def code(word: str) -> float | None:
        pixels = _PIXELS.match(word.replace(" ", "")) if name == "resolution_px" else None
        return float(pixels.group(1)) if pixels else folded.get(fold(word))

    result = result.copy()
    result[rest] = by_word(values[rest], code, "float64")
    return result


def bearings(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Bearings in degrees and their error: a plain number, 北偏东30°, or a compass word (朝东北, 西北向, NNE).

    Returns
    -------
    bearing_deg, bearing_error_deg
        0 ≤ bearing < 360 (360 is north, 0). The error is missing for a number; a compass word of 4 or 8
        points stands for ±22.5°, one of 16 for ±11.25°. Several headings (“70;240”) and ranges (`io.headings`), and junk: missing.
    """
    degrees = numbers(values)
    degrees = degrees.where((degrees >= 0) & (degrees <= 360)) % 360
    rest = degrees.isna() & values.notna()
    error = pd.Series(np.nan, index=values.index)
    if rest.any():
        named = by_word(values[rest], _compass, "float64")
        exact = by_word(values[rest], _quadrant, "float64")
        degrees = degrees.copy()
        degrees[rest] = exact.fillna(named)
        error[rest] = np.where(named.isna(), np.nan, np.where(named % 45 == 0, 22.5, 11.25))
    return degrees, error


_QUADRANT = re.compile(r"^(北|南)偏(东|西)(\d{1,2}(?:\.\d+)?)[°度]?$")


def _quadrant(word: str) -> float | None:
    """Bearing of 北偏东30° (N 30° E)."""
    found = _QUADRANT.match(word.translate(WIDE).replace("東", "东").replace(" ", ""))
    if not found or float(found.group(3)) > 90:
        return None
    start, side = (0.0 if found.group(1) == "北" else 180.0), (1 if found.group(2) == "东" else -1)
    return (start + (side if start == 0 else -side) * float(found.group(3))) % 360


def _compass(word: str) -> float | None:
    name = fold(word)
    for strip in ("朝", "向", "往", "面", "正", "方位", "方向", "侧", "方"):
        name = name.replace(strip, "")
    return _POINTS.get(name)


_DMS = re.compile(
    r"^([-+]?)(\d{1,3})[°度]\s*(?:(\d{1,2}(?:\.\d+)?)[′'分]\s*)?(?:(\d{1,2}(?:\.\d+)?)[″\"秒]?\s*)?([NSEWnsew北南东东西東]?)$"
)


def degrees(values: pd.Series) -> pd.Series:
    """Degrees from a number or from degrees, minutes and seconds (116°25′15″E); south and west are negative."""
    plain = pd.to_numeric(values, errors="coerce").astype("float64")
    rest = plain.isna() & values.notna()
    if rest.any():
        plain = plain.copy()
        plain[rest] = by_word(values[rest], _dms, "float64")
    return plain


def _dms(word: str) -> float | None:
    found = _DMS.match(word.translate(WIDE))
    if not found:
        text = re.sub(r"[°度nesw东北東]+$|^[nesw东北東]+(?:经|纬|經|緯)?", "", word.translate(WIDE)).strip()
        try:
            return float(text) if text else None
        except ValueError:
            return None
    sign, d, m, s, side = found.groups()
    value = int(d) + float(m or 0) / 60 + float(s or 0) / 3600
    return -value if sign == "-" or side in ("s", "w", "南", "西") else value
