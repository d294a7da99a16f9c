"""Values as registers write them, into the types of the contract."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo import schema
from geo.io import cleaning, values
from geo.io import times as times_

SHANGHAI = "Asia/Shanghai"


def times(*words):
    return (
        times_.times(pd.Series(words, dtype="str"), SHANGHAI)
        .dt.tz_convert(SHANGHAI)
        .dt.strftime("%F %T")
        .tolist()
    )


@pytest.mark.parametrize(
    ("word", "means"),
    [
        ("2024-03-05 08:09:10", "2024-03-05 08:09:10"), ("2024/3/5 8:09", "2024-03-05 08:09:00"), ("2024.3.5", "2024-03-05 00:00:00"),
        ("2024年3月5日 8时9分10秒", "2024-03-05 08:09:10"), ("2024年3月5日", "2024-03-05 00:00:00"), ("2024年3月", "2024-03-01 00:00:00"),
        ("2024-03", "2024-03-01 00:00:00"), ("20240305", "2024-03-05 00:00:00"), ("20240305080910", "2024-03-05 08:09:10"),
        ("202403050809", "2024-03-05 08:09:00"), ("1070823", "2018-08-23 00:00:00"), ("990105", "2010-01-05 00:00:00"),
        ("107/08/23", "2018-08-23 00:00:00"), ("民國107年8月23日", "2018-08-23 00:00:00"), ("45356", "2024-03-05 00:00:00"),
        ("45356.34", "2024-03-05 08:09:36"), ("2024-03-05T00:09:10Z", "2024-03-05 08:09:10"), ("2024-03-05T08:09:10+08:00", "2024-03-05 08:09:10"),
        ("2024-03-05 下午3:05", "2024-03-05 15:05:00"), ("1709597350", "2024-03-05 08:09:10"), ("1709597350000", "2024-03-05 08:09:10"),
        ("２０２４年３月５日", "2024-03-05 00:00:00"), ("2024-03-05 08:09:10.5", "2024-03-05 08:09:10"),
    ],
)  # fmt: skip
def test_times(word, means):
    assert times(word) == [means]


@pytest.mark.parametrize(
    "word", ["2024-13-01", "2024-02-30", "昨天", "110420", "12", "3月5日", "99999999", "2024-03-05 25:00"]
)
def test_what_is_no_time_is_missing(word):
    assert times_.times(pd.Series([word], dtype="str"), SHANGHAI).isna().all()


@given(st.datetimes(min_value=pd.Timestamp("1975-01-01"), max_value=pd.Timestamp("2070-01-01")))
def test_every_way_to_write_a_second_is_the_same_second(moment):
    moment = moment.replace(microsecond=0)
    forms = [
        "%Y-%m-%d %H:%M:%S",
        "%Y/%m/%d %H:%M:%S",
        "%Y%m%d%H%M%S",
        "%Y年%m月%d日 %H时%M分%S秒",
        "%Y-%m-%dT%H:%M:%S",
    ]
    read = times_.times(pd.Series([moment.strftime(f) for f in forms], dtype="str"), "UTC")
    assert (read == pd.Timestamp(moment, tz="UTC")).all()


@given(st.dates(min_value=pd.Timestamp("1975-01-01").date(), max_value=pd.Timestamp("2070-01-01").date()))
def test_a_day_of_the_republic_is_eleven_and_nineteen_hundred_years_on(day):
    word = f"{day.year - 1911:03d}{day:%m%d}"
    assert times_.dates(pd.Series([word], dtype="str"), SHANGHAI)[0] == pd.Timestamp(day)


def test_day_and_hour_of_two_columns():
    day = pd.Series(["20251201", "1040101", "2024-01-01", "2024-01-01"], dtype="str")
    hour = pd.Series(["002800", "16~18", "7:05", "no"], dtype="str")
    joined, spans = times_.joined(day, hour)
    assert joined.tolist()[:3] == ["2025-12-01 00:28:00", "2015-01-01 16:00:00", "2024-01-01 07:05:00"]
    assert (pd.isna(joined[3]), spans) == (True, 1)


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("12", 12),
        ("1,234.5", 1234.5),
        ("12米", 12),
        ("3层", 3),
        ("１２", 12),
        ("-0.5", -0.5),
        ("1e3", 1000),
        ("12 m", 12),
    ],
)
def test_numbers(word, number):
    assert values.numbers(pd.Series([word], dtype="str"))[0] == number


@pytest.mark.parametrize("word", ["70;240", "30-100", "abc", "12个", "1,23", "", "--"])
def test_what_is_no_number_is_missing(word):
    assert np.isnan(values.numbers(pd.Series([word], dtype="str"))[0])


@pytest.mark.parametrize(
    ("word", "degree"),
    [
        ("东", 90),
        ("朝东北", 45),
        ("西北向", 315),
        ("北北西", 337.5),
        ("NNE", 22.5),
        ("南", 180),
        ("135", 135),
        ("360", 0),
        ("東北", 45),
        ("朝南方向", 180),
    ],
)
def test_bearings(word, degree):
    assert values.bearings(pd.Series([word], dtype="str"))[0][0] == degree


@pytest.mark.parametrize(
    ("word", "degree"),
    [
        ("116.5", 116.5),
        ("116°30′00″", 116.5),
        ("116°30'0\"E", 116.5),
        ("东经116.5", 116.5),
        ("36°30′S", -36.5),
        ("116.5°", 116.5),
    ],
)
def test_degrees(word, degree):
    assert values.degrees(pd.Series([word], dtype="str"))[0] == pytest.approx(degree)


WORDS = [
    ("cameras", "state", "在线", "on"), ("cameras", "state", "離線", "off"), ("cameras", "state", "ONLINE", "on"), ("cameras", "state", "维修中", "repair"),
    ("incidents", "source", "上报", "reported"), ("incidents", "source", "网格巡查", "discovered"), ("incidents", "stage", "已办结", "closed"),
    ("facilities", "kind", "烟感", "smoke_alarm"), ("facilities", "kind", "消防栓", "hydrant"), ("facilities", "kind", "電動自行車充電樁", "ebike_charger"),
    ("facilities", "kind", "液化气瓶", "lpg_cylinder"), ("facilities", "state", "告警", "alarm"), ("hazards", "kind", "用电", "electric"), ("grids", "kind", "专属", "dedicated"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "column", "word", "value"), WORDS)
def test_words(table, column, word, value):
    contract = schema.table(table).column(column)
    assert values.words(table, contract, pd.Series([word], dtype="str"))[0] == value


@pytest.mark.parametrize("table", schema.TABLES)
def test_every_allowed_value_is_read_in_chinese_and_by_its_name(table):
    for column in schema.TABLES[table].columns:
        for value, chinese in column.allowed.items():
            read = values.words(table, column, pd.Series([value, chinese, value.upper()], dtype="str"))
            assert read.tolist() == [value] * 3


@pytest.mark.parametrize(("table", "column", "word", "number"), [("cameras", "ptz_type", "球机", 1), ("cameras", "point_class", "一类点", 1), ("cameras", "resolution_px", "1080P", 1920), ("cameras", "resolution_px", "2560×1440", 2560), ("cameras", "secrecy", "否", 0), ("grids", "level", "社区", 2), ("hazards", "level", "重大隐患", 1), ("incidents", "severity", "一般", 4)])  # fmt: skip
def test_codes_in_words(table, column, word, number):
    assert (
        values.read(
            table, schema.table(table).column(column), pd.Series([word], dtype="str"), timezone=SHANGHAI
        )[0]
        == number
    )


class TestClean:
    def test_what_nobody_meant_goes_and_is_counted(self):
        text, counts = cleaning.clean(
            pd.Series(["　中心路１２号 ", "a\u200bb", "（完）", "NULL", None, "中心路１２号"])
        )
        assert text.tolist()[:3] == ["中心路12号", "ab", "（完）"]
        assert text.isna().tolist() == [False, False, False, True, True, False]
        assert counts == {"text.invisible": 1, "text.full_width": 2, "text.trimmed": 1}

    @given(st.lists(st.text(max_size=8), max_size=5))
    def test_cleaning_twice_is_cleaning_once(self, words):
        once, _ = cleaning.clean(pd.Series(words, dtype="object"))
        twice, counts = cleaning.clean(once)
        pd.testing.assert_series_equal(once, twice)
        assert counts == {}


@pytest.mark.parametrize(("word", "degrees"), [("北偏东30°", 30), ("北偏西30", 330), ("南偏东 45度", 135), ("南偏西10.5°", 190.5),
                                               ("北偏東９0", 90)])  # fmt: skip
def test_bearings_from_a_quadrant(word, degrees):
    found, error = values.bearings(pd.Series([word, "北偏东95°"], dtype="str"))
    assert found[0] == degrees
    assert found.isna().tolist() == [False, True]
    assert error.isna().all()


def test_a_kind_may_say_more_than_its_word():
    column = schema.table("facilities").column("kind")
    words = ["独立式烟感报警器", "室外地上消火栓", "烟感与消火栓", "自来水表"]
    read = values.words("facilities", column, pd.Series(words, dtype="str"))
    assert read.fillna("").tolist() == ["smoke_alarm", "hydrant", "", ""]
