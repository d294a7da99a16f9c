"""Grid and camera codes: what is parsed is written back, what breaks the rule is named."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo import codes
from geo.errors import CodeError, UnknownNameError


@pytest.mark.parametrize(("name", "length"), [("15", 15), ("14", 14), ("20", 20), ("region", 12)])
def test_presets_have_their_length(name, length):
    assert codes.scheme(name).length == length
    assert codes.scheme(name).lengths(1) == tuple(sorted({9, 12, length}))
    assert codes.scheme(name).lengths(2) == tuple(sorted({12, length}))


@given(st.sampled_from(["15", "14", "20", "county:6 street:3 community:3 serial:4 micro:2"]), st.data())
def test_segments_put_together_are_the_code(name, data):
    scheme = codes.scheme(name)
    text = data.draw(st.text("0123456789", min_size=scheme.length, max_size=scheme.length))
    code = codes.GridCode.parse(text, scheme)
    assert "".join(code.parts.values()) == text
    parent = codes.GridCode.parse(scheme.region(pd.Series([text]), 3).iloc[0], scheme, level=2)
    assert all(code.parts[name] == value for name, value in parent.parts.items())
    assert set(parent.parts) == {"county", "street", "community"}


def test_the_20_digit_scheme_has_its_region_behind_the_object():
    code = codes.GridCode.parse("010203370402001002" + "07", codes.scheme("20"))
    assert (code.parts["object"], code.parts["county"], code.parts["serial"]) == ("010203", "370402", "07")
    assert code.street_kind == "街道"


def test_full_width_digits_and_blanks_are_read():
    assert (
        codes.GridCode.parse(" ３７０４０２００１００１００５ ", codes.scheme("15")).text == "370402001001005"
    )


@pytest.mark.parametrize(
    ("digits", "kind"), [("001", "街道"), ("100", "镇"), ("399", "乡"), ("400", ""), ("x", "")]
)
def test_kind_of_street(digits, kind):
    assert codes.street_kind(digits) == kind


def test_codes_of_a_wrong_shape_are_refused_with_what_is_allowed():
    with pytest.raises(CodeError, match=r"14 digits; allowed: 15 digits"):
        codes.GridCode.parse("37040200100100", codes.scheme("15"))
    with pytest.raises(CodeError, match="not digits"):
        codes.GridCode.parse("37040200100100X", codes.scheme("15"))
    with pytest.raises(UnknownNameError, match=r"region"):
        codes.scheme("16")
    with pytest.raises(UnknownNameError, match="village"):
        codes.scheme("county:6 village:3")
    for text in ["street:3 county:6", "county:6 county:6", "street:3", "county:six", "county:0"]:
        with pytest.raises(CodeError):
            codes.scheme(text)


def test_faults_of_a_column_are_those_of_parse():
    scheme = codes.scheme("15")
    text = pd.Series(["370402001001005", "37040200100100", "", None, "37040200100100x", "370402001",
                      "370402001001", "370402001000"], index=list("abcdefgh"), dtype="str")  # fmt: skip
    level = pd.Series([3, 3, 3, 3, 3, 1, 2, 1], index=text.index)
    found = codes.faults(text, level, scheme)
    assert found.to_dict() == {
        "a": "", "b": "14 digits", "c": "empty", "d": "empty", "e": "not digits", "f": "", "g": "", "h": "",
    }  # fmt: skip
    assert codes.faults(text[:0], level[:0], scheme).empty


@given(st.text("0123456789", min_size=20, max_size=20))
def test_a_camera_code_is_written_as_it_was_read(text):
    code = codes.CameraCode.parse(text)
    assert str(code) == text
    assert code.civil_code == text[:6]


def test_sixteen_digits_are_read_and_never_written():
    code = codes.CameraCode.parse("3402000000010001")
    assert (code.centre, code.industry, code.is_current) == ("34020000", "00", False)
    with pytest.raises(CodeError, match="never written"):
        str(code)


@pytest.mark.parametrize("text", ["", "3402", "3402000000132000000a", "340200000013200000011"])
def test_other_camera_codes_are_refused(text):
    with pytest.raises(CodeError, match="20 digits"):
        codes.CameraCode.parse(text)


def test_camera_faults_of_a_column():
    text = pd.Series(
        ["34020000001320000001", "3402000000010001", "34020000002150000001", "CAM-1", None, "123"]
    )
    assert codes.camera_faults(text).tolist() == [
        "", "16 digits (old rule)", "type 215 is not a camera", "not digits", "empty", "3 digits",
    ]  # fmt: skip
