"""The side of a point is the sign of an exact number."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.index.exact import expansion_sign, side, sides

near_118 = st.floats(117.9, 118.1).map(lambda v: round(v, 4))
wide = st.floats(-180, 180).filter(lambda v: v == 0 or abs(v) > 1e-60)
numbers = st.one_of(near_118, wide, st.sampled_from([0.0, 118.0, 118.5, 1e-20, -1e-20, 1 / 3]))


def exact(ax, ay, bx, by, px, py):
    a = [Fraction(v) for v in (ax, ay, bx, by, px, py)]
    d = (a[2] - a[0]) * (a[5] - a[1]) - (a[3] - a[1]) * (a[4] - a[0])
    return (d > 0) - (d < 0)


def beside(point, steps):
    for _ in range(abs(steps)):
        point = np.nextafter(point, np.inf if steps > 0 else -np.inf)
    return float(point)


@settings(max_examples=250, deadline=None)
@given(st.tuples(*[numbers] * 6), st.integers(-2, 2), st.floats(0, 1))
def test_side_is_exact(n, steps, share):
    ax, ay, bx, by, px, py = n
    for x, y in ((px, py), (beside(ax + share * (bx - ax), steps), ay + share * (by - ay)), (bx, by)):
        if 0 < abs(x) < 1e-60 or 0 < abs(y) < 1e-60:  # products would underflow: no coordinate is so small
            continue
        wanted = exact(ax, ay, bx, by, x, y)
        assert side(ax, ay, bx, by, x, y) == wanted
        assert expansion_sign(ax, ay, bx, by, x, y) == wanted
        arrays = [np.array([v, v]) for v in (ax, ay, bx, by, x, y)]
        assert sides(*arrays).tolist() == [wanted, wanted]
