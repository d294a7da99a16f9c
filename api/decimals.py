# ruff: noqa: ANN001, ANN201, C901, PLR0911, PLR0912, PLR0915  # numba finds the types
"""Read two long JSON lists of decimals without a Python object per number (坐标列表解析).

`orjson.loads` makes a float object of every number and a second pass copies it into an array: five times the
search that follows. Here the ordinary spelling is read straight into arrays, each number rounded as IEEE 754 wants.
What is spelt in any other way, or cannot be rounded for sure, is left to the caller: this is no JSON parser.
"""

import re

import numpy as np
from numpy.typing import NDArray

from geo.index._jit import COMPILED, jit
from geo.index.exact import two_product, two_sum

Floats = NDArray[np.float64]

BEGIN = re.compile(rb'[ \n\r\t]*\{[ \n\r\t]*"(lon|lat)"[ \n\r\t]*:[ \n\r\t]*\[').match
BETWEEN = re.compile(rb'[ \n\r\t]*,[ \n\r\t]*"(lon|lat)"[ \n\r\t]*:[ \n\r\t]*\[').match
END = re.compile(rb"[ \n\r\t]*\}[ \n\r\t]*").fullmatch
POWERS = 10.0 ** np.arange(23)  # exact doubles
WHOLE = np.int64(2**53)  # integers up to here are exact doubles
SURE = 1 + 2.0**-30


def lon_lat(body: bytes, most: int) -> tuple[Floats, Floats] | None:
    """Numbers of `{"lon": […], "lat": […]}` in either order; `null` is NaN. None: ask a JSON parser.

    None also for lists of more than `most` numbers, for exponents, for more than 18 figures, for other members,
    for what is no JSON, and without numba.
    """
    first = BEGIN(body)
    if first is None or not COMPILED or not body.rstrip().endswith(b"}"):
        return None
    text = np.frombuffer(body, np.uint8)
    room = min(len(body) // 2, most)
    one, after = _numbers(text, first.end(), room)
    second = BETWEEN(body, after)
    if second is None or second[1] == first[1]:
        return None
    other, after = _numbers(text, second.end(), room)
    if not after or END(body, after) is None:
        return None
    return (one, other) if first[1] == b"lon" else (other, one)


def _numbers(text: NDArray[np.uint8], at: int, room: int) -> tuple[Floats, int]:
    """Numbers of a list whose first byte is at `at`, and the place behind its bracket; 0 if it is not ordinary."""
    found = np.empty(room)
    count, after = read_list(text, at, found, POWERS)
    return found[:count], after


@jit(inline=True)
def quotient(value, power):  # type: ignore[no-untyped-def]
    """`value / power` for an integer under 2⁶³ and an exact power of ten: a double, and what is left.

    Off by less than 2⁻¹⁰⁰ of the whole: where a little more than what is left rounds to the same double, that is
    the one nearest to the quotient.
    """
    high = np.float64(value)
    low = np.float64(value - np.int64(high))
    first = high / power
    product, error = two_product(first, power)
    return two_sum(first, (((high - product) - error) + low) / power)


@jit()
def read_list(text, at, found, powers):  # type: ignore[no-untyped-def]
    """Read decimals up to `]`: how many, and the place behind it, or (0, 0).

    The last byte of `text` must be `}`, so that every loop over digits or spaces ends inside. The loop over digits
    stands here twice: as a function, even inlined, it makes the whole two and a half times slower.
    """
    count = 0
    end = len(text)
    room = len(found)
    while count < room:
        while text[at] == 32 or text[at] == 10 or text[at] == 13 or text[at] == 9:
            at += 1
        if count == 0 and text[at] == 93:
            return 0, at + 1
        if text[at] == 110:
            if at + 4 > end or text[at + 1] != 117 or text[at + 2] != 108 or text[at + 3] != 108:
                return 0, 0
            at += 4
            found[count] = np.nan
        else:
            negative = text[at] == 45
            if negative:
                at += 1
            begin = at
            value = np.int64(0)
            digit = np.int64(text[at]) - 48
            if digit == 0 and 48 <= text[at + 1] <= 57:
                return 0, 0  # 01 is no JSON
            while 0 <= digit <= 9:
                value = value * 10 + digit
                at += 1
                digit = np.int64(text[at]) - 48
            digits = at - begin
            if digits == 0:
                return 0, 0
            decimals = 0
            zeros = 1 if value == 0 else 0
            if text[at] == 46:
                at += 1
                begin = at
                if zeros:
                    while text[at] == 48:
                        at += 1
                    zeros += at - begin
                digit = np.int64(text[at]) - 48
                while 0 <= digit <= 9:
                    value = value * 10 + digit
                    at += 1
                    digit = np.int64(text[at]) - 48
                decimals = at - begin
                if decimals == 0:
                    return 0, 0
            if digits + decimals - zeros > 18 or decimals > 22:
                return 0, 0
            number = np.float64(value)
            if decimals > 0 and value <= WHOLE:
                number /= powers[decimals]
            elif value > WHOLE:
                number, rest = quotient(value, powers[decimals])
                if number + rest * SURE != number:
                    return 0, 0  # as good as between two doubles
            found[count] = -number if negative else number
        count += 1
        while text[at] == 32 or text[at] == 10 or text[at] == 13 or text[at] == 9:
            at += 1
        if text[at] == 93:
            return count, at + 1
        if text[at] != 44:
            return 0, 0
        at += 1
    return 0, 0
