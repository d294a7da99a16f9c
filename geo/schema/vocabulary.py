"""Allowed values and their Chinese words (取值词表)."""

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
