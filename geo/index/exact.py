# ruff: noqa: ANN001, ANN201, PLR0917  # numba finds the types
"""Which side of an edge a point is on, without rounding (精确方位判定).

A floating-point filter decides nearly always (Shewchuk 1997, "Adaptive Precision Floating-Point Arithmetic and
Fast Robust Geometric Predicates", error bound A). What it cannot decide is computed from error-free sums and
products: two-term numbers where the coordinate differences are exact (always, for two longitudes of one city
away from 0°), full expansions otherwise. No overflow or underflow is assumed: coordinates are degrees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geo.index._jit import jit

if TYPE_CHECKING:
    from geo.index.types import Floats, Signs

FILTER = 3.3306690738754716e-16  # (3 + 16 ε) ε, ε = 2⁻⁵³
SPLIT = 134217729.0  # 2²⁷ + 1


@jit(inline=True)
def two_product(a, b):  # type: ignore[no-untyped-def]
    """`a * b` as an unevaluated sum of two doubles (Dekker, Veltkamp); scalars or arrays."""
    high = a * b
    c = SPLIT * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = SPLIT * b
    b_high = c - (c - b)
    b_low = b - b_high
    return high, a_low * b_low - (((high - a_high * b_high) - a_low * b_high) - a_high * b_low)


@jit(inline=True)
def two_sum(a, b):  # type: ignore[no-untyped-def]
    """`a + b` as an unevaluated sum of two doubles (Knuth); scalars or arrays."""
    high = a + b
    b_part = high - a
    return high, (a - (high - b_part)) + (b - b_part)


@jit(inline=True)
def difference_of_products(a, b, c, d):  # type: ignore[no-untyped-def]
    """Four doubles, smallest first, that add up to `a * b - c * d` and do not overlap."""
    h1, l1 = two_product(a, b)
    h2, l2 = two_product(c, d)
    i, x0 = two_sum(l1, -l2)
    j, rest = two_sum(h1, i)
    i, x1 = two_sum(rest, -h2)
    x3, x2 = two_sum(j, i)
    return x0, x1, x2, x3


@jit()
def expansion_sign(ax, ay, bx, by, px, py):  # type: ignore[no-untyped-def]
    """Sign of (b - a) × (p - a) for any doubles: sixteen exact terms, added without error."""
    e, e_low = two_sum(bx, -ax)
    f, f_low = two_sum(py, -ay)
    g, g_low = two_sum(by, -ay)
    h, h_low = two_sum(px, -ax)
    total = np.zeros(16)
    n = 0
    for s, t in ((e, f), (e, f_low), (e_low, f), (e_low, f_low),
                 (-g, h), (-g, h_low), (-g_low, h), (-g_low, h_low)):  # fmt: skip
        high, low = two_product(s, t)
        for term in (low, high):
            q = term
            for i in range(n):
                q, total[i] = two_sum(q, total[i])
            total[n] = q
            n += 1
    for i in range(n - 1, -1, -1):
        if total[i] > 0:
            return 1
        if total[i] < 0:
            return -1
    return 0


@jit()
def exact_side(ax, ay, bx, by, px, py):  # type: ignore[no-untyped-def]
    """Sign of (b - a) × (p - a), exactly."""
    e = bx - ax
    f = py - ay
    g = by - ay
    h = px - ax
    _, e_low = two_sum(bx, -ax)
    _, f_low = two_sum(py, -ay)
    _, g_low = two_sum(by, -ay)
    _, h_low = two_sum(px, -ax)
    if e_low != 0 or f_low != 0 or g_low != 0 or h_low != 0:
        return expansion_sign(ax, ay, bx, by, px, py)
    x0, x1, x2, x3 = difference_of_products(e, f, g, h)
    for x in (x3, x2, x1, x0):
        if x > 0:
            return 1
        if x < 0:
            return -1
    return 0


@jit(inline=True)
def side(ax, ay, bx, by, px, py):  # type: ignore[no-untyped-def]
    """1 if p is left of a → b, -1 right, 0 exactly on the line."""
    left = (bx - ax) * (py - ay)
    right = (by - ay) * (px - ax)
    d = left - right
    if abs(d) > FILTER * (abs(left) + abs(right)):
        return 1 if d > 0 else -1
    if left == 0 and right == 0:
        return 0
    return exact_side(ax, ay, bx, by, px, py)


def sides(ax: Floats, ay: Floats, bx: Floats, by: Floats, px: Floats, py: Floats) -> Signs:
    """`side` of many points, each with its own edge, in numpy."""
    left = (bx - ax) * (py - ay)
    right = (by - ay) * (px - ax)
    d = left - right
    result = np.sign(d).astype(np.int8)
    k = np.flatnonzero(np.abs(d) <= FILTER * (np.abs(left) + np.abs(right)))
    if len(k) == 0:
        return result
    ax, ay, bx, by, px, py = ax[k], ay[k], bx[k], by[k], px[k], py[k]
    e, e_low = two_sum(bx, -ax)
    f, f_low = two_sum(py, -ay)
    g, g_low = two_sum(by, -ay)
    h, h_low = two_sum(px, -ax)
    x0, x1, x2, x3 = difference_of_products(e, f, g, h)
    leading = np.where(x3 != 0, x3, np.where(x2 != 0, x2, np.where(x1 != 0, x1, x0)))
    result[k] = np.sign(leading)
    for i in np.flatnonzero((e_low != 0) | (f_low != 0) | (g_low != 0) | (h_low != 0)):
        result[k[i]] = expansion_sign(ax[i], ay[i], bx[i], by[i], px[i], py[i])
    return result
