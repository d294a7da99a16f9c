"""What a risk score may be made of (风险因子): the allow-list, and the refusal of everything about persons."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from geo.errors import BadInputError, PrivacyError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

About = Literal["place", "event"]

# what a factor may not be about: in Chinese anywhere in the name, in English at the start of a word (! is the end of one)
FORBIDDEN_ZH = (
    # who somebody is
    "身份", "姓名", "人员", "人口", "个人", "居民", "户主", "住户", "业主", "性别", "男性", "女性", "妇女", "年龄", "老年", "老人", "儿童",
    "未成年", "青少年", "学生", "学历", "文化程度", "职业", "婚姻", "离婚", "孕", "生育", "计生", "家庭", "肖像", "人像", "人脸",
    "面部", "步态", "指纹", "虹膜", "声纹", "车牌", "车主", "司机", "驾驶人", "驾驶员", "手机", "电话", "住址", "微信", "mac地址",
    # ethnicity, belief, politics
    "民族", "族", "回民", "宗教", "信仰", "信众", "教徒", "信徒", "教会", "教堂", "清真", "穆斯林", "伊斯兰", "佛教", "道教", "基督",
    "天主", "邪教", "法轮", "政治", "党员", "党派", "维权", "异见",
    # where somebody comes from
    "户籍", "户口", "籍贯", "外来", "外地", "流动", "流口", "暂住", "常住", "居住证", "务工", "打工", "农民工", "租户", "租客", "租房户",
    "国籍", "外国人", "外籍", "境外", "港澳", "台胞", "难民", "移民",
    # petitioning is a right
    "信访", "上访", "进京访", "越级访", "缠访", "闹访", "非访", "群访", "访民", "涉访", "涉稳", "维稳", "投诉人", "举报人",
    # what somebody did or has
    "前科", "刑满", "刑释", "矫正", "社矫", "吸毒", "涉毒", "戒毒", "嫌疑", "在逃", "逃犯", "惯犯", "罪犯", "肇祸", "失信", "被执行",
    "重点人", "精神障碍", "精神病", "精神残", "残疾", "残障", "病史", "病患", "患者", "病人", "艾滋", "hiv", "健康码", "低保", "贫困",
    "低收入", "收入", "失业", "负债", "征信",
)  # fmt: skip
PLACES_ZH = (  # kinds of places and things whose names hold such a word
    "人员密集", "居民楼", "居民区", "居民小区", "居民住宅", "老年公寓", "老年活动", "老年大学", "儿童医院", "儿童公园", "儿童乐园",
    "妇幼", "妇女儿童医院", "学生公寓", "学生宿舍", "水族馆", "建筑年龄", "管网年龄", "房屋年龄", "公用电话", "电话亭", "流动摊",
    "流动商贩", "车流动", "家庭农场", "民族路", "职业学校", "职业技术学院",
)  # fmt: skip
FORBIDDEN_EN = (
    "person", "people", "population", "human", "resident", "citizen", "individual", "household", "famil", "ethnic",
    "races?!", "racial", "tribe", "tribal", "caste", "nationalit", "religio", "belief", "faith", "worship", "church",
    "mosque", "temple", "muslim", "islam", "christian", "catholic", "protestant", "buddhis", "hindu", "jew", "falun",
    "cults?!", "uyghur", "uygur", "uighur", "tibet", "kurd", "minorit", "hukou", "huji", "migra", "immigra", "foreigner",
    "refugee", "floating", "petition", "xinfang", "shangfang", "complainant", "criminal", "convict", "felon", "offender",
    "parole", "suspect", "addict", "drug us", "mental", "disab", "illness", "patient", "hiv", "health record", "health code",
    "pregnan", "politic", "dissent", "protest", "lgbt", "sex", "gender", "males?!", "females?!", "wom[ae]n", "men!", "elder",
    "child", "student", "ages?!", "aged", "age group", "age band", "marital", "divorc", "income", "poverty", "poor", "unemploy",
    "homeless", "tenant", "credit score", "faces?!", "facial", "gait", "fingerprint", "iris!", "plates?!", "id card", "id n[ou]",
    "phone", "mac addr", "imei", "imsi", "first name", "last name", "full name", "surname", "key person",
)  # fmt: skip
PLACES_EN = (
    "building age",
    "pipe age",
    "template age",
    "children s hospital",
    "children s park",
    "student housing",
)
_ENGLISH = re.compile("|".join(r"\b" + word.replace("!", r"\b") for word in FORBIDDEN_EN))


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of the score (风险因子): name, Chinese name, unit, and whether it is about places or events."""

    name: str
    zh: str
    unit: str
    about: About

    def __post_init__(self) -> None:
        """Refuse what is about persons."""
        refuse_persons(self.name, self.zh)
        if self.about not in ("place", "event"):
            raise PrivacyError(
                f"risk factor {self.name!r} is about {self.about!r}; allowed: 'place', 'event'"
            )


def refuse_persons(*texts: str) -> None:
    """Raise `PrivacyError` if a name speaks of persons, belief, ethnicity, registration or petitioning."""
    for text in texts:
        plain = text.lower()
        for place in PLACES_ZH:
            plain = plain.replace(place, "")
        words = re.sub(r"[^a-z]+", " ", plain).strip()
        for place in PLACES_EN:
            words = words.replace(place, "")
        english = _ENGLISH.search(words)
        word = english.group() if english else next((w for w in FORBIDDEN_ZH if w in plain), None)
        if word:
            raise PrivacyError(
                f"risk factor {text!r} is refused ({word!r}): the score is about places and events, never about "
                "persons, belief, ethnicity, household registration or petitioning"
            )


FACTORS: Mapping[str, Factor] = {
    f.name: f
    for f in (
        Factor("rate", "事件发生率（平滑、按严重度加权）", "起/户·日", "event"),
        Factor("change", "较自身基线变化", "σ", "event"),
        Factor("neighbours", "周边变化", "σ", "event"),
        Factor("overdue", "逾期未办结事件", "起", "event"),
        Factor("hazards", "未整改隐患", "处", "place"),
    )
}


@dataclass(frozen=True)
class RiskConfig:
    """Weights and limits of the score (评分配置): the city's policy, with a version that travels with every score.

    Attributes
    ----------
    weights
        Factor -> weight, not negative; they are divided by their sum. Only factors of `factors`.
    severity
        Severity 1 特别重大 … 4 一般 -> weight of an incident.
    capacity
        Shares of the grids that can be red, orange and yellow.
    least_events, least_probability
        A grid is red only with so many incidents in the window and so sure to be above the city's rate.
    band
        A level is kept until the score falls this share below its cut.
    keep_days
        … but not longer than so many days without reaching the cut again.
    factors
        The allow-list; more factors about places and events may be added, others raise.
    """

    version: str = "1"
    weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "rate": 0.35,
            "change": 0.25,
            "neighbours": 0.15,
            "overdue": 0.15,
            "hazards": 0.10,
        }
    )
    severity: Mapping[int, float] = field(default_factory=lambda: {1: 8.0, 2: 4.0, 3: 2.0, 4: 1.0})
    capacity: tuple[float, float, float] = (0.01, 0.03, 0.06)
    least_events: int = 3
    least_probability: float = 0.95
    band: float = 0.15
    keep_days: int = 14
    factors: Mapping[str, Factor] = field(default_factory=lambda: FACTORS)

    def __post_init__(self) -> None:
        """Refuse weights that are not about places and events, or that cannot be weights."""
        for name, factor in self.factors.items():
            refuse_persons(name, factor.zh)
        for name, weight in self.weights.items():
            refuse_persons(name)
            if name not in self.factors:
                raise UnknownNameError("risk factor", name, self.factors)
            if not 0 <= weight < np.inf:
                raise BadInputError(f"weight of {name}: {weight}; allowed: 0 and more")
        if not self.weights or sum(self.weights.values()) <= 0:
            raise BadInputError("weights: none is over 0")
        if not (
            all(0 <= c <= 1 for c in self.capacity) and sum(self.capacity) <= 1 and len(self.capacity) == 3
        ):
            raise BadInputError(
                f"capacity {self.capacity}; allowed: shares of red, orange, yellow, together at most 1"
            )
        if not (0 <= self.band < 1 and self.keep_days >= 0):
            raise BadInputError("band: 0 to under 1; keep_days: 0 and more")

    def with_factor(self, factor: Factor, *, weight: float) -> RiskConfig:
        """Return a configuration with one factor more; its version says so."""
        return replace(
            self,
            version=f"{self.version}+{factor.name}",
            weights={**self.weights, factor.name: weight},
            factors={**self.factors, factor.name: factor},
        )

    def in_units(self, units: Mapping[str, str]) -> RiskConfig:
        """Return the same configuration with these factors told in other units (name -> unit)."""
        told = {name: replace(self.factors[name], unit=unit) for name, unit in units.items()}
        return replace(self, factors={**self.factors, **told})
