"""Laws of the folding of texts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.address.garble import cardinal
from geo.address.normalize import LIMIT, canonical, fold, fold_text, number_of

ANY = st.text(max_size=60)


@given(ANY)
@settings(max_examples=200, deadline=None)
def test_folding_twice_changes_nothing(text):
    assert fold_text(fold_text(text)) == fold_text(text)


@given(ANY)
@settings(max_examples=200, deadline=None)
def test_canonical_twice_changes_nothing(text):
    assert canonical(canonical(text)) == canonical(text)


@given(ANY)
@settings(max_examples=200, deadline=None)
def test_every_character_knows_where_it_came_from(text):
    folded = fold(text)
    assert len(folded.source) == len(folded.text)
    assert list(folded.source) == sorted(folded.source)
    assert all(0 <= i < len(text) for i in folded.source)


@given(st.integers(1, 9999))
def test_a_chinese_cardinal_is_its_number(n):
    assert number_of(cardinal(n)) == str(n)
    assert fold_text(f"柳泉路{cardinal(n)}号") == f"柳泉路{n}号"


@pytest.mark.parametrize(
    ("given_text", "folded"),
    [
        ("柳泉路１１３號", "柳泉路113号"),
        ("柳泉路一一三号", "柳泉路113号"),
        ("柳泉路幺幺三号", "柳泉路113号"),
        ("⻄安路5号", "西安路5号"),
        ("柳\u200b泉路\x005号", "柳泉路5号"),
        ("北中一81巷22", "北中1|81巷22"),
        ("113 3号楼", "113|3号楼"),
        ("百合路千山街", "百合路千山街"),
        ("两湾城", "两湾城"),
        ("十字路口", "十字路口"),
        ("3—2–501", "3-2-501"),
        ("一百三号", "130号"),
        ("廿五号", "25号"),
        ("臺灣街", "台湾街"),
    ],
)
def test_spellings(given_text, folded):
    assert fold_text(given_text) == folded


def test_all_styles_of_a_building_are_one():
    styles = [
        "柳泉路113号3号楼2单元501室",
        "柳泉路113号3栋2单元501",
        "柳泉路一百一十三号三幢二门五零一室",
        "您好我在柳泉路113号3座2单元501",
    ]
    assert {canonical(s) for s in styles} == {"柳泉路113号3号楼2单元501室"}


def test_a_long_text_is_cut():
    folded = fold("路" * 10_000)
    assert folded.cut
    assert len(folded.text) == LIMIT
    assert not fold("路").cut


def test_nothing_gives_nothing():
    assert fold("").text == fold(" \t\x00，。").text == ""
