"""The risk score: exact addition, refused factors, floors, hysteresis both ways, uncertainty."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import BadInputError, PrivacyError, UnknownNameError
from geo.risk import (
    FACTORS,
    LEVELS,
    Factor,
    RiskConfig,
    contributions,
    explain,
    levels,
    percentile,
    probability_above,
    rank_interval,
    risk_score,
)  # fmt: skip


def values(n=400, seed=0):
    rng = np.random.default_rng(seed)
    index = pd.Index([f"g{i}" for i in range(n)], name="grid_id")
    return pd.DataFrame(
        {
            "rate": rng.gamma(2, 1, n), "change": rng.normal(size=n), "neighbours": rng.normal(size=n),
            "overdue": rng.poisson(0.5, n), "hazards": rng.poisson(1, n),
        },
        index=index,
    )  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10_000), st.lists(st.floats(0.001, 100), min_size=5, max_size=5))
def test_contributions_sum_to_the_score_to_the_last_bit(n, seed, weights):
    config = RiskConfig(weights=dict(zip(FACTORS, weights, strict=True)))
    parts = contributions(values(n, seed), config=config)
    score = risk_score(parts)
    for order in (list(parts.columns), list(parts.columns)[::-1]):
        total = np.zeros(n)
        for name in order:
            total = total + parts[name].to_numpy()
        assert (total == score.to_numpy()).all()
    assert ((score >= 0) & (score <= 100 + 1e-4)).all()
    why = explain("g0", values(n, seed), parts, config=config)
    assert sum(why["contribution"]) == score["g0"]


def test_explanation_says_what_and_against_whom():
    table = values()
    parts = contributions(table)
    why = explain("g7", table, parts)
    assert list(why["contribution"]) == sorted(why["contribution"], reverse=True)
    assert why.loc["rate", "value"] == table.loc["g7", "rate"]
    assert why.loc["rate", "peer_median"] == pytest.approx(table["rate"].median())
    assert why.loc["rate", "percentile"] == pytest.approx(percentile(table["rate"])[7])
    assert why["weight"].sum() == pytest.approx(1)
    np.testing.assert_allclose(why["contribution"], 100 * why["weight"] * why["percentile"], atol=1e-5)
    with pytest.raises(UnknownNameError, match="grid 'g9999'"):
        explain("g9999", table, parts)


def test_peers_are_compared_with_peers():
    table = values()
    group = np.where(np.arange(400) < 100, "rural", "urban")
    table.loc[group == "rural", "rate"] *= 100
    p = percentile(table["rate"], group)
    assert p[group == "rural"].mean() == pytest.approx(0.5)
    assert p[group == "urban"].mean() == pytest.approx(0.5)
    why = explain("g0", table, contributions(table, group=group), group=group)
    assert why.loc["rate", "peer_median"] > 50


def test_equal_values_get_equal_percentiles():
    assert percentile([3, 3, 3, 3]).tolist() == [0.5] * 4
    assert percentile([1, 2, 2, 5]).tolist() == [0.125, 0.5, 0.5, 0.875]
    assert percentile([]).shape == (0,)
    with pytest.raises(BadInputError, match="first at row 1"):
        percentile([1, np.nan])


@pytest.mark.parametrize(
    "name",
    ["ethnic_share", "民族比例", "宗教场所信众", "religion", "户籍人口", "hukou", "流动人口", "信访量", "petition_count",
     "上访次数", "涉稳人员", "前科人员", "criminal_record", "精神障碍患者", "人脸抓拍", "license_plate", "key_person_count",
     "重点人员", "people", "resident_age_group", "身份证", "migrant_share", "Uyghur", "暂住", "流口数", "重点人", "刑释", "社矫对象",
     "易肇事肇祸", "进京访", "群访", "缠访", "回族", "朝鲜族", "清真", "穆斯林", "教堂信徒", "邪教", "独居老人", "留守儿童", "学生数",
     "租房户", "农民工", "外地人", "务工", "户主", "性别", "平均年龄", "收入", "贫困户", "失业", "学历", "IMEI", "人像", "步态", "车主",
     "嫌疑人", "在逃", "失信", "艾滋", "HIV", "残障", "患者", "健康码", "国籍", "境外", "population", "family_size", "mean_age", "sex",
     "elderly", "homeless", "imei", "felons", "mosque_distance", "falun", "id_no", "mac_address"],
)  # fmt: skip
def test_factors_about_persons_are_refused(name):
    with pytest.raises(PrivacyError, match="places and events"):
        Factor(name, "某因子", "", "place")
    with pytest.raises(PrivacyError):
        RiskConfig(weights={**RiskConfig().weights, name: 0.1})
    with pytest.raises(PrivacyError):
        contributions(values().assign(**{name: 1.0}))


@pytest.mark.parametrize(
    "name", ["road_surface", "crowded_venues", "terrace", "template_age", "人员密集场所", "加油站", "充电桩",
     "出租屋消防隐患", "居民楼火灾", "老旧小区", "老旧管网", "学校", "幼儿园", "儿童医院", "宾馆", "打架斗殴", "噪声扰民", "道路事故",
     "车流量", "危化品", "易涝点", "民警到场", "distance_to_school", "building_age", "image_count", "racecourse", "storage_tank",
     "parking", "percentage", "open_hazards", "equipment", "documents", "mention", "average_delay"]
)  # fmt: skip
def test_factors_about_places_are_not_refused_for_their_letters(name):
    assert Factor(name, "场所", "", "place").name == name


def test_chinese_names_are_checked_too_and_subjects_are_limited():
    with pytest.raises(PrivacyError):
        Factor("f1", "少数民族聚居", "", "place")
    with pytest.raises(PrivacyError, match="'place', 'event'"):
        Factor("f1", "某因子", "", "person")
    smuggled = Factor("f1", "某因子", "", "place")
    object.__setattr__(smuggled, "zh", "信访次数")
    with pytest.raises(PrivacyError):
        RiskConfig(factors={**FACTORS, "f1": smuggled})


def test_default_factors_are_about_places_and_events_only():
    assert {f.about for f in FACTORS.values()} <= {"place", "event"}
    assert set(RiskConfig().weights) <= set(FACTORS)


def test_a_factor_about_a_place_may_be_added():
    config = RiskConfig().with_factor(Factor("gas_stations", "加油站距离", "m", "place"), weight=0.2)
    parts = contributions(values().assign(gas_stations=1.0), config=config)
    assert "gas_stations" in parts
    assert config.version == "1+gas_stations"
    with pytest.raises(UnknownNameError, match="risk factor 'noise'"):
        contributions(values().assign(noise=1.0))
    with pytest.raises(BadInputError, match="hazards are missing"):
        contributions(values().drop(columns="hazards"))


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"weights": {"rate": -1}}, "0 and more"),
        ({"weights": {"rate": 0}}, "none is over 0"),
        ({"weights": {}}, "none is over 0"),
        ({"capacity": (0.5, 0.5, 0.5)}, "together at most 1"),
        ({"band": 1.5}, "under 1"),
    ],
)
def test_configurations_that_cannot_be_are_refused(kwargs, words):
    with pytest.raises(BadInputError, match=words):
        RiskConfig(**kwargs)


def graded(n=1000):
    return pd.Series(np.linspace(100, 0, n), index=[f"g{i}" for i in range(n)])


def test_levels_by_capacity():
    table = levels(graded(), events=np.full(1000, 9), significant=np.ones(1000, bool))
    assert table["level"].value_counts().to_dict() == {1: 10, 2: 30, 3: 60, 4: 900}
    assert set(table["level"]) <= set(LEVELS)
    assert (table["level"].diff().dropna() >= 0).all()


def test_ties_never_exceed_the_capacity():
    same = pd.Series(np.full(1000, 50.0))
    assert (levels(same, events=np.full(1000, 9), significant=np.ones(1000, bool))["level"] == 4).all()
    half = pd.Series(np.r_[np.full(20, 90.0), np.linspace(50, 0, 980)])
    table = levels(half, events=np.full(1000, 9), significant=np.ones(1000, bool))
    assert (table["level"] == 1).sum() == 0
    assert (table["level"][:20] == 2).all()
    assert len(levels(pd.Series([], dtype=float), events=[], significant=[])) == 0


def test_never_red_below_the_floors():
    few = levels(graded(), events=np.full(1000, 2), significant=np.ones(1000, bool))
    unsure = levels(graded(), events=np.full(1000, 9), significant=np.zeros(1000, bool))
    for table in (few, unsure):
        assert (table["level"] == 1).sum() == 0
        assert (table["level"][:10] == 2).all()
    assert not unsure["significant"].any()  # a quiet week: oranges by capacity, none significant


def step(score, previous=None, days=1, **kwargs):
    sure = np.ones(len(score), bool)
    return levels(
        score, events=np.full(len(score), 9), significant=sure, previous=previous, days=days, **kwargs
    )


def test_up_at_the_cut_down_below_the_band():
    score = graded()
    first = step(score)
    cut = score.iloc[9]
    near, far = score.copy(), score.copy()
    near["g0"], far["g0"] = cut * 0.90, cut * 0.80
    assert step(near, first).loc["g0", "level"] == 1
    assert step(near, first).loc["g0", "raw_level"] > 1
    assert step(far, first).loc["g0", "level"] > 1
    up = score.copy()
    up["g500"] = 101.0
    assert step(up, first).loc["g500", "level"] == 1  # at once


def test_a_red_that_is_not_earned_again_drops():
    score = graded()
    table = step(score)
    score["g0"] = score.iloc[9] * 0.9
    for day in range(1, 15):
        table = step(score, table)
        assert (table.loc["g0", "level"], table.loc["g0", "unearned_days"]) == (1, day)
    table = step(score, table)
    assert table.loc["g0", "level"] == table.loc["g0", "raw_level"] > 1
    assert table.loc["g0", "unearned_days"] == 0
    again = step(graded(), step(score, step(graded())))
    assert again.loc["g0", "unearned_days"] == 0  # earned again: the count begins anew


def test_hysteresis_calms_the_map():
    rng = np.random.default_rng(1)
    truth = rng.normal(60, 12, 2000)
    plain, calm, changes = None, None, {"plain": 0, "calm": 0}
    for _ in range(30):
        score = pd.Series(np.clip(truth + rng.normal(0, 3, 2000), 0, 100))
        new_plain, new_calm = step(score), step(score, calm)
        if plain is not None:
            changes["plain"] += (new_plain["level"] != plain["level"]).sum()
            changes["calm"] += (new_calm["level"] != calm["level"]).sum()
        plain, calm = new_plain, new_calm
    assert changes["calm"] < 0.5 * changes["plain"]


def test_floors_hold_against_hysteresis_and_new_grids_start_fresh():
    first = step(graded())
    later = levels(graded(), events=np.zeros(1000), significant=np.ones(1000, bool), previous=first)
    assert (later["level"] == 1).sum() == 0
    renamed = graded().rename({"g0": "new"})
    assert step(renamed, first).loc["new", "unearned_days"] == 0


def test_probability_above_the_city():
    p = probability_above([0, 5, 50, 500], [100, 100, 100, 10_000])
    assert p[2] > 0.99
    assert p[0] < 0.05
    assert (np.diff(p[:3]) > 0).all()
    assert probability_above([0, 0], [10, 10]).tolist() == [0, 0]
    assert probability_above([1, 0], [10, 0])[1] == 0
    rng = np.random.default_rng(0)
    quiet = probability_above(rng.poisson(3, 5000), np.ones(5000))
    assert (quiet > 0.95).mean() < 0.05


def test_rank_interval_narrows_with_counts():
    table = values(500, seed=3)
    parts = contributions(table)
    little = rank_interval(parts, np.full(500, 2), np.ones(500), seed=1)
    exposure = np.full(500, 1000.0)
    much = rank_interval(parts, np.round(table["rate"].to_numpy() * 1000), exposure, seed=1)
    width = (little["rank_high"] - little["rank_low"]).mean(), (much["rank_high"] - much["rank_low"]).mean()
    assert width[0] > 3 * width[1]
    assert much["uncertain"].mean() < little["uncertain"].mean()
    inside = (much["rank"] >= much["rank_low"]) & (much["rank"] <= much["rank_high"])
    assert inside.mean() > 0.7
    pd.testing.assert_frame_equal(little, rank_interval(parts, np.full(500, 2), np.ones(500), seed=1))
    assert len(rank_interval(parts.iloc[:0], [], [], seed=1)) == 0
