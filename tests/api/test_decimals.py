"""Lists of decimals read straight into arrays: what `orjson` reads, bit for bit, or nothing."""

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.decimals import lon_lat
from geo.index import COMPILED

pytestmark = pytest.mark.skipif(not COMPILED, reason="numba is off")
digits = st.text("0123456789", min_size=1, max_size=19)
decimals = st.builds(
    "{}{}.{}".format, st.sampled_from(["", "-"]), st.integers(0, 10**9), digits
) | st.integers().map(str)
spaces = st.sampled_from(["", " ", "\n\t"])


def body(one, other, space=""):
    return f'{{"lon"{space}: [{",".join(one)}],"lat":[{",".join(other)}{space}]}}'.encode()


@given(st.lists(decimals | st.just("null"), max_size=20), spaces)
def test_numbers_are_those_of_a_json_parser(texts, space):
    given = body(texts, texts[:1], space=space)
    found = lon_lat(given, 1000)
    if found is not None:
        wanted = orjson.loads(given)
        for name, values in zip(("lon", "lat"), found, strict=True):
            expected = np.array(wanted[name], np.float64)
            assert np.array_equal(values, expected, equal_nan=True)
            assert (np.signbit(values) == np.signbit(expected))[~np.isnan(expected)].all()


def test_degrees_as_programs_write_them_are_read():
    rng = np.random.default_rng(0)
    free = rng.uniform(-180, 180, 20_000)
    free = free[np.abs(free) > 0.2]  # smaller ones a thousandth of which has an exponent
    for values in (free, np.round(free, 6), np.round(free, 2), np.round(free), free / 1000):
        given = orjson.dumps({"lat": values[::-1].tolist(), "lon": values.tolist()})
        found = lon_lat(given, 20_000)
        assert found is not None
        assert (found[0] == values).all()
        assert (found[1] == values[::-1]).all()


def test_halfway_between_two_doubles_is_left_to_others():
    low = 2**53 + 2**10
    text = [str(low + 1)]  # as near to the double below as to the one above
    assert lon_lat(body(text, text), 10) is None


@pytest.mark.parametrize(
    "given",
    [b"", b"}", b"{}", b"[1]", b'{"lon":[1],"lon":[1]}', b'{"lon":[1],"lat":[1],"x":1}', b'{"lon":[1]}', b'{"lon":[1,],"lat":[1]}',
     b'{"lon":[,],"lat":[1]}', b'{"lon":[1 2],"lat":[1]}', b'{"lon":[01],"lat":[1]}', b'{"lon":[1.],"lat":[1]}', b'{"lon":[.5],"lat":[1]}',
     b'{"lon":[-],"lat":[1]}', b'{"lon":[+1],"lat":[1]}', b'{"lon":[nul],"lat":[1]}', b'{"lon":[n}', b'{"lon":["1"],"lat":[1]}',
     b'{"lon":[1e2],"lat":[1]}', b'{"lon":[true],"lat":[1]}', b'{"lon":[[1]],"lat":[1]}', b'{"lon":[1],"lat":[1]}}', b'{"lon":[1],"lat":[1',
     b'{"lon":[1,2,3],"lat":[1]}', b'{"lon":[1],"lat":[1\x0b]}', b'{"lon":1,"lat":[1]}', b'{"lon":[1234567890123456789],"lat":[1]}',
     b'{"lon":[0.12345678901234567890123],"lat":[1]}'],
)  # fmt: skip
def test_anything_else_is_left_to_a_json_parser(given):
    assert lon_lat(given, 2) is None


def test_no_numbers_and_nulls():
    assert [len(v) for v in lon_lat(b'{"lon":[ ],"lat":[]}', 5)] == [0, 0]
    lon, lat = lon_lat(b'{"lon":[null],"lat":[-0]}\n', 5)
    assert np.isnan(lon[0])
    assert lat[0] == 0
    assert np.signbit(lat[0])
