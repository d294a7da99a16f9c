"""The compiled passes of the tile encoder: plain loops over flat arrays, no interpreter lock.

`encode` writes the features of one layer of one tile; `count` and `total` add up points by cell, `among` filters them.
Callers are `mvt`, `points` and `source`, which say what the arguments mean. Buffers grow by doubling; `pos` is the end of what is written.
"""
# ruff: noqa: ANN001, ANN201, ANN202, PLR0913, PLR0917
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _put(out, pos, value):
    while value > 0x7F:
        out[pos] = (value & 0x7F) | 0x80
        value >>= 7
        pos += 1
    out[pos] = value
    return pos + 1


@njit(cache=True, nogil=True)
def _size(value):
    n = 1
    while value > 0x7F:
        value >>= 7
        n += 1
    return n


@njit(cache=True, nogil=True)
def _clip_edge(src, n, dst, axis, limit, sign):
    """Sutherland-Hodgman against one side: keep where sign * (coordinate - limit) <= 0."""
    m = 0
    other = 1 - axis
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        a, b = src[i, axis], src[j, axis]
        a_in, b_in = sign * (a - limit) <= 0, sign * (b - limit) <= 0
        if a_in:
            dst[m, 0], dst[m, 1] = src[i, 0], src[i, 1]
            m += 1
        if a_in != b_in:
            t = (limit - a) / (b - a)
            dst[m, axis] = limit
            dst[m, other] = src[i, other] + t * (src[j, other] - src[i, other])
            m += 1
    return m


@njit(cache=True, nogil=True)
def _clip_ring(points, n, spare, low, high):
    """Clip a ring in place against the square low..high in both axes; return its new length."""
    n = _clip_edge(points, n, spare, 0, low, -1.0)
    n = _clip_edge(spare, n, points, 0, high, 1.0)
    n = _clip_edge(points, n, spare, 1, low, -1.0)
    return _clip_edge(spare, n, points, 1, high, 1.0)


@njit(cache=True, nogil=True)
def _quantise(points, n, whole, closed):
    """Round to tile units and drop repeated points; return how many are left."""
    m = 0
    for i in range(n):
        x, y = np.int64(np.rint(points[i, 0])), np.int64(np.rint(points[i, 1]))
        if m and whole[m - 1, 0] == x and whole[m - 1, 1] == y:
            continue
        whole[m, 0], whole[m, 1] = x, y
        m += 1
    while closed and m > 1 and whole[0, 0] == whole[m - 1, 0] and whole[0, 1] == whole[m - 1, 1]:
        m -= 1
    return m


@njit(cache=True, nogil=True)
def _area(whole, n):
    """Twice the signed area in tile axes (y down): positive means clockwise on screen."""
    total = 0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        total += whole[i, 0] * whole[j, 1] - whole[j, 0] * whole[i, 1]
    return total


@njit(cache=True, nogil=True)
def _write_path(out, pos, whole, n, cursor, reverse, closed):
    """Write MoveTo, LineTo and (closed) ClosePath of one path, as deltas from the cursor."""
    for k in range(n):
        i = n - 1 - k if reverse else k
        if k == 0:
            pos = _put(out, pos, 9)
        elif k == 1:
            pos = _put(out, pos, ((n - 1) << 3) | 2)
        dx, dy = whole[i, 0] - cursor[0], whole[i, 1] - cursor[1]
        pos = _put(out, pos, (dx << 1) ^ (dx >> 63))
        pos = _put(out, pos, (dy << 1) ^ (dy >> 63))
        cursor[0], cursor[1] = whole[i, 0], whole[i, 1]
    return _put(out, pos, 15) if closed else pos


@njit(cache=True, nogil=True)
def _write_ring(out, pos, points, n, spare, whole, cursor, outer, low, high, inside):
    """Clip, round, orient and write one ring; return the new position (unchanged: nothing is left)."""
    if not inside:
        n = _clip_ring(points, n, spare, low, high)
    n = _quantise(points, n, whole, True)
    if n < 3:
        return pos
    area = _area(whole, n)
    if area == 0:
        return pos
    return _write_path(out, pos, whole, n, cursor, (area > 0) != outer, True)


@njit(cache=True, nogil=True)
def _write_line(out, pos, points, n, spare, whole, cursor, low, high):
    """Clip a line into the pieces inside the square (Liang-Barsky) and write them."""
    m = 0
    for i in range(n - 1):
        ax, ay, bx, by = points[i, 0], points[i, 1], points[i + 1, 0], points[i + 1, 1]
        t0, t1, inside = 0.0, 1.0, True
        for side in range(4):
            p = (ax - bx, bx - ax, ay - by, by - ay)[side]
            q = (ax - low, high - ax, ay - low, high - ay)[side]
            if p == 0.0:
                inside = inside and q >= 0.0
            elif p < 0.0:
                t0 = max(t0, q / p)
            else:
                t1 = min(t1, q / p)
        if not inside or t0 > t1:
            continue
        if m and t0 > 0.0:
            pos = _flush_line(out, pos, spare, m, whole, cursor)
            m = 0
        if m == 0:
            spare[0, 0], spare[0, 1] = ax + t0 * (bx - ax), ay + t0 * (by - ay)
            m = 1
        spare[m, 0], spare[m, 1] = ax + t1 * (bx - ax), ay + t1 * (by - ay)
        m += 1
        if t1 < 1.0:
            pos = _flush_line(out, pos, spare, m, whole, cursor)
            m = 0
    return _flush_line(out, pos, spare, m, whole, cursor)


@njit(cache=True, nogil=True)
def _flush_line(out, pos, spare, m, whole, cursor):
    n = _quantise(spare, m, whole, False)
    return pos if n < 2 else _write_path(out, pos, whole, n, cursor, False, False)


@njit(cache=True, nogil=True)
def _write_points(out, pos, xy, start, end, cursor, west, north, scale, low, high):
    n = 0
    for v in range(start, end):
        x, y = (xy[v, 0] - west) * scale, (north - xy[v, 1]) * scale
        n += low <= x <= high and low <= y <= high
    if n:
        pos = _put(out, pos, (n << 3) | 1)
    for v in range(start, end):
        x, y = (xy[v, 0] - west) * scale, (north - xy[v, 1]) * scale
        if low <= x <= high and low <= y <= high:
            dx, dy = np.int64(np.rint(x)) - cursor[0], np.int64(np.rint(y)) - cursor[1]
            pos = _put(out, pos, (dx << 1) ^ (dx >> 63))
            pos = _put(out, pos, (dy << 1) ^ (dy >> 63))
            cursor[0] += dx
            cursor[1] += dy
    return pos


@njit(cache=True, nogil=True)
def _write_geometry(
    out, kind, xy, parts, outer, first, last, work, spare, whole, cursor, west, north, scale, low, high
):
    """Write the commands of one feature from position 0; return their length in bytes."""
    cursor[0], cursor[1] = 0, 0
    if kind == 1:
        return _write_points(out, 0, xy, parts[first], parts[last], cursor, west, north, scale, low, high)
    pos = 0
    drawn = False
    for part in range(first, last):
        start, end = parts[part], parts[part + 1]
        if kind == 3 and not outer[part] and not drawn:
            continue  # a hole of an area that is not drawn
        n = end - start
        inside = True
        for i in range(n):
            x, y = (xy[start + i, 0] - west) * scale, (north - xy[start + i, 1]) * scale
            work[i, 0], work[i, 1] = x, y
            inside = inside and low <= x <= high and low <= y <= high
        before = pos
        if kind == 2:
            pos = _write_line(out, pos, work, n, spare, whole, cursor, low, high)
        else:
            pos = _write_ring(out, pos, work, n, spare, whole, cursor, outer[part], low, high, inside)
            if outer[part]:
                drawn = pos > before
    return pos


@njit(cache=True, nogil=True)
def encode(kind, xy, parts, outer, rows, ids, chosen, tags, west, north, scale, buffer):
    """Write every chosen feature; return the bytes of the layer's features."""
    low, high = -buffer, 4096.0 + buffer
    longest, most = 0, 0
    for f in chosen:
        most = max(most, parts[rows[f + 1]] - parts[rows[f]] + 4 * (rows[f + 1] - rows[f]))
        for part in range(rows[f], rows[f + 1]):
            longest = max(longest, parts[part + 1] - parts[part])
    room = 6 * longest + 16  # each side of the square can add half as many vertices again
    work, spare, whole = np.empty((room, 2)), np.empty((room, 2)), np.empty((room, 2), np.int64)
    geometry = np.empty(6 * 18 * (most + 4), np.uint8)
    cursor = np.zeros(2, np.int64)
    width = tags.shape[1]
    out = np.empty(1 << 16, np.uint8)
    pos = 0
    for k in range(len(chosen)):
        f = chosen[k]
        length = _write_geometry(
            geometry, kind, xy, parts, outer, rows[f], rows[f + 1], work, spare, whole, cursor,
            west, north, scale, low, high,
        )  # fmt: skip
        if length == 0:
            continue
        tag_length = 0
        for c in range(width):
            if tags[k, c] >= 0:
                tag_length += _size(c) + _size(tags[k, c])
        body = 1 + _size(ids[f]) + 1 + _size(tag_length) + tag_length + 3 + _size(length) + length
        while pos + body + 12 > len(out):
            grown = np.empty(2 * len(out), np.uint8)
            grown[:pos] = out[:pos]
            out = grown
        pos = _put(out, pos, 0x12)
        pos = _put(out, pos, body)
        pos = _put(out, pos, 0x08)
        pos = _put(out, pos, ids[f])
        pos = _put(out, pos, 0x12)
        pos = _put(out, pos, tag_length)
        for c in range(width):
            if tags[k, c] >= 0:
                pos = _put(out, pos, c)
                pos = _put(out, pos, tags[k, c])
        pos = _put(out, pos, 0x18)
        pos = _put(out, pos, kind)
        pos = _put(out, pos, 0x22)
        pos = _put(out, pos, length)
        out[pos : pos + length] = geometry[:length]
        pos += length
    return out[:pos]


@njit(cache=True, nogil=True)
def among(codes, wanted):
    """Say of each code whether it is wanted."""
    found = np.empty(len(codes), np.bool_)
    for i in range(len(codes)):
        found[i] = wanted[codes[i]]
    return found


@njit(cache=True, nogil=True)
def count(edges, keep):
    """Count what is kept between one edge and the next."""
    counts = np.zeros(len(edges) - 1, np.int64)
    for c in range(len(counts)):
        n = 0
        for i in range(edges[c], edges[c + 1]):
            n += keep[i]
        counts[c] = n
    return counts


@njit(cache=True, nogil=True)
def total(edges, values, keep):
    """Sum what is kept between one edge and the next; an empty `keep` keeps all."""
    sums = np.zeros(len(edges) - 1)
    for c in range(len(sums)):
        for i in range(edges[c], edges[c + 1]):
            if len(keep) == 0 or keep[i]:
                sums[c] += values[i]
    return sums
