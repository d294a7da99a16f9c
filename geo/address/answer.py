"""What the engine answers: candidates with faults, precision, radius and confidence (应答)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import shapely

Status = Literal["unique", "ambiguous", "low", "none"]

PRECISIONS = {
    "room": "户室",
    "unit": "单元",
    "building": "楼栋",
    "door": "门牌",
    "door-interpolated": "门牌内插",
    "intersection": "路口",
    "offset": "偏移",
    "poi": "兴趣点",
    "compound": "小区",
    "lane": "巷弄",
    "segment": "路段",
    "street": "道路",
    "village": "村居",
    "town": "镇街",
    "district": "县区",
}

FAULTS = {
    "ROAD.homophone": "道路名同音",
    "ROAD.look_alike": "道路名形近",
    "ROAD.typo": "道路名错字",
    "ROAD.missing": "道路名漏字",
    "ROAD.extra": "道路名多字",
    "ROAD.swapped": "道路名颠倒",
    "ROAD.variant": "道路名方位或序号不同",
    "ROAD.section": "道路分段不在表中",
    "ROAD.fallback": "道路名兜底检索",
    "ROAD.short": "道路名简称",
    "ROAD.unknown": "道路不在表中",
    "NAME.homophone": "名称同音",
    "NAME.look_alike": "名称形近",
    "NAME.typo": "名称错字",
    "NAME.missing": "名称漏字",
    "NAME.extra": "名称多字",
    "NAME.swapped": "名称颠倒",
    "NAME.variant": "名称方位或序号不同",
    "NAME.fallback": "名称兜底检索",
    "NAME.short": "名称简称",
    "NAME.similar": "名称相近",
    "NAME.alias": "别名",
    "DISTRICT.missing": "缺县区",
    "DISTRICT.conflict": "县区不符",
    "TOWN.conflict": "镇街不符",
    "VILLAGE.conflict": "村居不符",
    "LANE.missing": "巷弄不在表中",
    "NUMBER.missing": "缺门牌号",
    "NUMBER.absent": "门牌号不在表中",
    "NUMBER.interpolated": "门牌号内插",
    "NUMBER.extrapolated": "门牌号外推",
    "NUMBER.sub": "附号不在表中",
    "BUILDING.absent": "楼栋不在表中",
    "ROOM.absent": "户室不在表中",
    "OFFSET.along": "沿路偏移",
    "OFFSET.compass": "方位偏移",
    "OFFSET.opposite": "对面",
    "OFFSET.nearby": "附近",
    "CROSSING.absent": "两路不相交",
    "CROSSING.several": "路口不止一处",
    "CROSSING.rebuilt": "路口由门牌推算",
    "TEXT.several": "含多个地址",
    "TEXT.cut": "文本过长已截断",
    "TEXT.unexplained": "有未识别文字",
    "GRID.disagrees": "表中网格与坐标不符",
}


@dataclass(slots=True)
class Candidate:
    """One place the text may mean; coordinates in metres of the city's CRS."""

    standard: str
    x: float
    y: float
    precision: str
    radius_m: float
    score: float
    span: tuple[int, int]
    faults: list[tuple[str, str]] = field(default_factory=list)
    confidence: float = 0.0
    address_id: str = ""
    grid_id: str = ""
    source: str = ""
    geometry: shapely.LineString | None = None
    features: tuple[float, ...] = ()
    also: list[tuple[str, float]] = field(default_factory=list)
    chain: list[dict[str, object]] = field(default_factory=list)


@dataclass(slots=True)
class Answer:
    """Answer to one text: status, candidates best first, spans that were read, and further addresses."""

    status: Status
    candidates: list[Candidate]
    text: str = ""
    spans: list[tuple[int, int, str, int]] = field(
        default_factory=list
    )  # start, end, name, GA/T 2000.32 level
    others: list[Answer] = field(default_factory=list)
