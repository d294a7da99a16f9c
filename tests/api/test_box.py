import pytest

from api.box import parse_box
from geo.errors import BadInputError


def test_a_box_is_four_numbers_in_order():
    assert parse_box("118, 36.5,118.25,37") == (118.0, 36.5, 118.25, 37.0)
    assert parse_box("118,36,118,36") == (118.0, 36.0, 118.0, 36.0)
    assert parse_box("") is None
    assert parse_box(None) is None


@pytest.mark.parametrize(
    "text", ["1,2,3", "1,2,3,4,5", "a,b,c,d", "nan,0,1,1", "119,36,118,37", "118,37,119,36", "0,0,181,1", ","]
)
def test_anything_else_is_refused(text):
    with pytest.raises(BadInputError, match="west,south,east,north"):
        parse_box(text)
