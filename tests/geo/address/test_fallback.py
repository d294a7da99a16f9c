"""The fallback over names: garbled names that the parser cannot read, nonsense, injection, bounds, scopes."""

import sqlite3
import time

import numpy as np
import pytest

from geo.address import fallback as module
from geo.address import visible
from geo.address.aliases import Aliases
from geo.address.fallback import INDEXES, Fallback
from geo.address.gazetteer import DEVICES
from geo.address.normalize import fold_text
from geo.address.resolve import Resolver
from geo.errors import BadInputError, StoreError
from geo.store.addresses import engine_of, gazetteer_of, locate_address

NAMES = ["银座商城西城店", "柳泉路", "共青团西路", "柳泉路社区卫生服务站", "齐盛湖公园", "世纪花园小区", "东方星城二期",
         "火炬大厦", "市第一人民医院北院", "李家村农贸市场"]  # fmt: skip
GARBLED = [
    ("银座西城店商城", "银座商城西城店"),
    ("柳泉路社区服务站卫生", "柳泉路社区卫生服务站"),
    ("我在市第人民一医院的北院这里", "市第一人民医院北院"),
    ("李家农贸村市场门口", "李家村农贸市场"),
    ("东星城二期方", "东方星城二期"),
]
NONSENSE = [
    "阿布达比海滨酒店",
    "呜呜呜呜呜",
    "社区卫生服务中心",
    "hello world",
    "123456789",
    "",
    "。，！",
    "店",
    "农贸市场",
]
INJECTION = ['"', "*", "NEAR(", "'", '银座" OR "a', "a AND NOT b", "name:x", "^银座*", "); DROP TABLE names; --", "\x00\x00\x00",
             "\ud800\ud800\ud800", "(((" * 9, "+pairs:银座", "[银座 TO 火炬]"]  # fmt: skip


@pytest.fixture(params=list(INDEXES))
def fallback(request):
    if request.param == "tantivy":
        pytest.importorskip("tantivy")
    return Fallback(NAMES, request.param)


def named(found):
    return [NAMES[m.name] for m in found]


@pytest.mark.parametrize(("text", "name"), GARBLED)
def test_the_right_name_comes_first(fallback, text, name):
    found = fallback.candidates(text)
    assert named(found)[:1] == [name]
    assert 0 <= found[0].start < found[0].end <= len(text)
    assert module.LEAST_SHARE <= found[0].share <= 1


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_finds_nothing(fallback, text):
    assert fallback.candidates(text) == []


@pytest.mark.parametrize("text", INJECTION)
def test_query_characters_are_data(fallback, text):
    assert fallback.candidates(text) == []
    assert named(fallback.candidates(f"银座西城店商城{text}"))[:1] == ["银座商城西城店"]
    assert named(fallback.candidates("银座西城店商城")) == ["银座商城西城店"]  # nothing was changed


def test_names_may_hold_query_characters():
    pytest.importorskip("tantivy")
    names = ['老"王"饭店*总店', "NEAR(一家)面馆"]
    for kind in INDEXES:
        found = Fallback(names, kind).candidates('老"王"总店饭店')
        assert [m.name for m in found] == [0]


def test_results_are_bounded_and_the_same_each_time(fallback):
    text = "柳泉路社区服务站卫生" * 1000
    fallback.candidates("柳泉路")
    begin = time.perf_counter()
    found = fallback.candidates(text, 2)
    assert time.perf_counter() - begin < 0.5
    assert 0 < len(found) <= 2
    assert found == fallback.candidates(text, 2)
    assert fallback.candidates(text, 0) == []


def test_both_indexes_agree_on_long_names():
    pytest.importorskip("tantivy")
    one, other = (Fallback(NAMES, k) for k in ("fts5", "tantivy"))
    for text, _ in GARBLED:
        assert one.candidates(text, 1) == other.candidates(text, 1)


def test_no_names_find_nothing(fallback):
    assert Fallback([], fallback.kind).candidates("银座商城西城店") == []


def test_an_unknown_index_is_refused():
    with pytest.raises(BadInputError, match="fts5, tantivy"):
        Fallback(NAMES, "lucene")


def test_a_sqlite_without_trigrams_is_named(monkeypatch):
    class Old:
        def execute(self, *_):
            raise sqlite3.OperationalError("no such tokenizer: trigram")

    monkeypatch.setattr(module.sqlite3, "connect", lambda *_, **__: Old())
    with pytest.raises(StoreError, match=r"3\.34.*tantivy"):
        Fallback(NAMES, "fts5")


# ------------------------------------------------------------------ in the engine
def garbled(name, rng):
    """Two neighbouring pairs of characters changed places, one character left out: more than one slip."""
    chars = list(name)
    for at in rng.choice(len(chars) - 1, 2, replace=False):
        chars[at], chars[at + 1] = chars[at + 1], chars[at]
    del chars[int(rng.integers(1, len(chars)))]
    return "".join(chars)


@pytest.fixture(scope="module")
def asked(demo_small):
    """(text, name, x, y) of garbled facilities that the parser alone gives nothing for."""
    places = demo_small.facilities
    places = places[places["name"].str.len().ge(7).fillna(False) & ~places["name"].duplicated(keep=False)]
    rng, alone = np.random.default_rng(4), engine_of(demo_small, fallback=None)
    out = []
    for row in places.itertuples():
        text = garbled(row.name, rng)
        if alone.locate(text).status == "none":
            out.append((text, row.name, row.geometry.x, row.geometry.y))
    assert len(out) >= 10
    return out


@pytest.mark.parametrize("kind", list(INDEXES))
def test_names_the_parser_cannot_read_are_proposed(demo_small, asked, kind):
    if kind == "tantivy":
        pytest.importorskip("tantivy")
    engine = engine_of(demo_small, fallback=kind)
    among = 0
    for text, _, x, y in asked:
        answer = engine.locate(text)
        assert answer.status in ("none", "low")
        proposed = [c for c in answer.candidates if any(code.endswith(".fallback") for code, _ in c.faults)]
        assert all(c.confidence < engine.resolver.calibration.unique_at / 2 for c in proposed)
        assert bool(proposed) == (answer.status == "low")
        among += any(np.hypot(c.x - x, c.y - y) <= 50 for c in answer.candidates)
    assert among >= 0.5 * len(asked)


def test_a_garbled_alias_leads_to_its_place(demo_small):
    gazetteer = gazetteer_of(demo_small)
    places = demo_small.facilities.dropna(subset=["name"]).drop_duplicates("name", keep=False)
    place = places[~places["kind"].isin(DEVICES)].iloc[0]
    aliases = Aliases(("璀璨琉璃宫老剧场",), (fold_text(place["name"]),))
    resolver = Resolver(gazetteer, aliases=aliases, fallback="fts5")
    answer = resolver.resolve("璀璨琉璃老场宫剧")
    assert Resolver(gazetteer, aliases=aliases).resolve("璀璨琉璃老场宫剧").status == "none"
    assert answer.status == "low"
    first = answer.candidates[0]
    assert np.hypot(first.x - place.geometry.x, first.y - place.geometry.y) < 1
    assert first.faults[0][0] == "NAME.fallback"
    assert first.span == (0, 8)


def test_a_sure_answer_is_left_alone(demo_small):
    table = demo_small.addresses.dropna(subset=["road", "number"])
    alone, engine = engine_of(demo_small, fallback=None), engine_of(demo_small)
    for text in table["standard"].sample(60, random_state=1):
        one, other = alone.locate(text), engine.locate(text)
        assert one.status == other.status == "unique"
        assert [c.standard for c in one.candidates] == [c.standard for c in other.candidates]


def test_proposals_keep_to_the_scope(demo_small, asked):
    text = next(t for t, *_ in asked if locate_address(demo_small, t)["status"] == "low")
    answer = locate_address(demo_small, text)
    own = answer["candidates"][0]["grid_id"]
    inside, outside = visible.cut(answer, {own}), visible.cut(answer, {"elsewhere"})
    assert {c["grid_id"] for c in inside["candidates"]} == {own}
    assert outside["status"] == "none"
    assert outside["candidates"] == []
    assert outside["spans"] == []


def test_a_doubled_direction_is_not_taken_for_certain(demo_small):
    table = demo_small.addresses
    doors = table[table["road"].str.contains("[东南西北中]路$", na=False) & table["number"].notna()]
    for row in doors.drop_duplicates("road").itertuples():
        doubled = f"{row.road[:-1]}{row.road[-2:]}"  # 解放东东路
        answer = locate_address(demo_small, f"{doubled}{row.number}")
        assert answer["status"] != "unique"
        assert answer["candidates"][0]["confidence"] <= 0.6
        assert any(row.road in c["standard"] for c in answer["candidates"])


@pytest.mark.parametrize("style", ["{a}({b}到{c})", "{a}（{b}至{c}段）", "{a}（{b}-{c}）"])
def test_a_segment_in_parentheses_is_a_segment(demo_small, style):
    lines = engine_of(demo_small).gazetteer.lines
    meets: dict[int, set[int]] = {}
    for key in lines.arrays["crossing_key"].tolist():
        meets.setdefault(key >> 32, set()).add(key & 0xFFFFFFFF)
        meets.setdefault(key & 0xFFFFFFFF, set()).add(key >> 32)
    asked = 0
    for road, others in sorted(meets.items()):
        name = lines.text[road]
        ends = [lines.text[o] for o in sorted(others) if "巷" not in lines.text[o]]
        if "巷" in name or len(ends) < 2:
            continue
        first = locate_address(demo_small, style.format(a=name, b=ends[0], c=ends[-1]))["candidates"][0]
        assert first["precision"] == "segment"
        assert first["standard"] == f"{name}（{ends[0]}至{ends[-1]}）"
        assert first["geometry"]["type"] == "LineString"
        asked += 1
    assert asked >= 5
