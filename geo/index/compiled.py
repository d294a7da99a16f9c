# ruff: noqa: ANN001, ANN201, ANN202, C901, PLR0912, PLR0913, PLR0915, PLR0917  # numba finds the types
"""Search the index in compiled loops (编译查询).

Bulk search goes through the points in blocks and does one thing to all points of a block before the next:
cell indices, gather, compaction, and so on. Gathers that do not wait for each other overlap in memory; that,
not arithmetic, is what the time goes into.
"""

from __future__ import annotations

import numpy as np

from geo.index._jit import jit
from geo.index.arrays import HEADER, NEAR, RECORD, SHIFT
from geo.index.exact import FILTER, side
from geo.index.metric import metres_per_degree

BLOCK = 1024
NOBODY = np.int32(2**31 - 1)
NEAR32 = np.float32(NEAR)
ONE32 = np.float32(1)


@jit(inline=True)
def _leaf(pool, numbers, n, px, py):  # type: ignore[no-untyped-def]
    """Face of a point in the leaf at `n`, or -1 where it must be decided exactly."""
    face = pool[n]
    count = pool[n + 1]
    unsure = face < 0
    n += HEADER
    for _ in range(count):
        low = numbers[n]
        high = numbers[n + 1]
        slope = numbers[n + 2]
        t = px - (slope * py + numbers[n + 3])
        between = (py > low) & (py < high)
        unsure |= between & (abs(t) <= NEAR32 * (ONE32 + abs(slope)))
        unsure |= (abs(py - low) <= NEAR32) | (abs(py - high) <= NEAR32)
        face ^= pool[n + 4] if (between & (t > 0)) else 0
        n += RECORD
    return -1 if unsure else face


@jit()
def find(x, y, out, frame, shape, top, sub, pool, numbers, unsure):  # type: ignore[no-untyped-def]
    """Put the polygon of every point into `out`; return how many, listed in `unsure`, are still to be decided."""
    x0, y0, per_x, per_y = frame[0], frame[1], frame[2], frame[3]
    columns, rows = shape[0], shape[1]
    u_ = np.empty(BLOCK, np.float64)
    v_ = np.empty(BLOCK, np.float64)
    cell = np.empty(BLOCK, np.int32)
    got = np.empty(BLOCK, np.int32)
    who = np.empty(BLOCK + 1, np.int32)
    what = np.empty(BLOCK + 1, np.int32)
    place = np.empty(BLOCK + 1, np.int32)
    fx = np.empty(BLOCK + 1, np.float32)
    fy = np.empty(BLOCK + 1, np.float32)
    who2 = np.empty(BLOCK + 1, np.int32)
    leaf = np.empty(BLOCK + 1, np.int32)
    lx = np.empty(BLOCK + 1, np.float32)
    ly = np.empty(BLOCK + 1, np.float32)
    n_unsure = 0
    n = len(x)
    for s in range(0, n, BLOCK):
        m = min(BLOCK, n - s)
        for t in range(m):
            u = (x[s + t] - x0) * per_x
            v = (y[s + t] - y0) * per_y
            on = (u >= 0) & (v >= 0) & (u < columns) & (v < rows)
            u = u if on else 0.0
            v = v if on else 0.0
            i = np.int32(u)
            j = np.int32(v)
            u_[t] = u - i
            v_[t] = v - j
            cell[t] = j * columns + i
        for t in range(m):
            got[t] = top[cell[t]]
        n1 = 0
        for t in range(m):
            face = got[t]
            out[s + t] = face - 1
            who[n1] = t
            what[n1] = -face - 1
            n1 += 1 if face < 0 else 0
        for a in range(n1):
            t = who[a]
            b = what[a]
            bits = b & 7
            k = np.float64(1 << bits)
            u = u_[t] * k
            v = v_[t] * k
            i = np.int32(u)
            j = np.int32(v)
            place[a] = (b >> 3) + (j << bits) + i
            fx[a] = u - i
            fy[a] = v - j
        for a in range(n1):
            got[a] = sub[place[a]]
        n2 = 0
        for a in range(n1):
            fine = got[a]
            t = who[a]
            out[s + t] = fine - 1
            who2[n2] = t
            leaf[n2] = -fine - 1
            lx[n2] = fx[a]
            ly[n2] = fy[a]
            n2 += 1 if fine < 0 else 0
        for a in range(n2):  # touch the leaves: their cache lines come in together
            got[a] = pool[leaf[a] + 1]
        touched = np.int32(0)
        for a in range(n2):
            touched += pool[leaf[a] + HEADER - 1 + RECORD * got[a]]
        if touched == -123456789:  # never mind the value: the loop must not be optimised away
            out[s] = -1
        for a in range(n2):
            deep = _leaf(pool, numbers, leaf[a], lx[a], ly[a])
            t = s + who2[a]
            out[t] = deep - 1
            unsure[n_unsure] = t
            n_unsure += 1 if deep < 0 else 0
    return n_unsure


@jit()
def _exact_border(ax, ay, bx, by, cx, cy, px, py):  # type: ignore[no-untyped-def]
    """Whether a border is crossed between corner c, bend and p (1), not (0), or p is on it (2)."""
    beside = ay <= py < by
    side_p = side(ax, ay, bx, by, px, py) if beside else 1
    if (beside and side_p == 0) or (py == by and (px == bx or (ay == by and ax <= px <= bx))):
        return 2
    left_of_bend = side(ax, ay, bx, by, cx, py) >= 0
    crossed = (ax < cx) != (bx < cx) and (side(ax, ay, bx, by, cx, cy) >= 0) != left_of_bend
    return 1 if crossed != (beside and left_of_bend != (side_p >= 0)) else 0


@jit()
def decide(  # type: ignore[no-untyped-def]
    x, y, which, out, frame, shape, top, near_start, near_edge, corner, candidate_start, candidate,
    row_first, row_base, row_start, row_edge, xy, owner,
):  # fmt: skip
    """Put the polygons of some points into `out`, by exact arithmetic alone; see `plain.find_exactly`.

    One function, not several: numba counts references of arrays at every call, and that is most of the time.
    """
    x0, y0, per_x, per_y = frame[0], frame[1], frame[2], frame[3]
    columns, rows = shape[0], shape[1]
    for t in which:
        px = x[t]
        py = y[t]
        u = (px - x0) * per_x
        v = (py - y0) * per_y
        if not (u >= 0 and v >= 0 and u < columns and v < rows):
            out[t] = -1
            continue
        i = int(u)
        j = int(v)
        cell = j * columns + i
        first = candidate_start[cell]
        last = candidate_start[cell + 1]
        if first == last and top[cell] >= 0:
            out[t] = top[cell] - 1
            continue
        found = -1
        if first == last:  # proper cell: `plain.trace`
            cx = x0 + (i - SHIFT) / per_x
            cy = y0 + (j - SHIFT) / per_y
            face = corner[cell]
            lowest = NOBODY
            for at in range(near_start[cell], near_start[cell + 1]):
                e = near_edge[at]
                ax, ay, bx, by = xy[e, 0], xy[e, 1], xy[e, 2], xy[e, 3]
                beside = (ay <= py) & (py < by)
                straddles = (ax < cx) != (bx < cx)
                dx = bx - ax
                dy = by - ay
                left_p = dx * (py - ay)
                right_p = dy * (px - ax)
                left_c = dx * (cy - ay)
                right_c = dy * (cx - ax)
                bend = left_p - right_c
                side_p = left_p - right_p
                side_c = left_c - right_c
                slack = FILTER * (abs(left_p) + abs(right_p) + abs(left_c) + abs(right_c))
                doubt = (beside & (abs(side_p) <= slack)) | (abs(bend) <= slack) | (abs(side_c) <= slack)
                crossed = (straddles & ((side_c > 0) != (bend > 0))) != (
                    beside & ((bend > 0) != (side_p > 0))
                )
                if (doubt & (beside | straddles)) | (py == by):
                    exactly = _exact_border(ax, ay, bx, by, cx, cy, px, py)
                    crossed = exactly == 1
                    if exactly == 2:
                        lowest = min(lowest, owner[e, 0] & NOBODY, owner[e, 1] & NOBODY)
                face ^= (owner[e, 0] + 1) ^ (owner[e, 1] + 1) if crossed else 0
            out[t] = lowest if lowest != NOBODY else face - 1
            continue
        for at in range(first, last):  # `plain._covers` for one candidate after the other
            polygon = candidate[at]
            base = row_base[polygon]
            line = j - row_first[polygon]
            if line < 0 or line >= row_base[polygon + 1] - base:
                continue
            inside = False
            for place in range(row_start[base + line], row_start[base + line + 1]):
                e = row_edge[place]
                ax, ay, bx, by = xy[e, 0], xy[e, 1], xy[e, 2], xy[e, 3]
                if py < ay or py > by:
                    continue
                if py == by:
                    if px == bx or (ay == by and ax <= px <= bx):
                        found = polygon
                        break
                elif px > ax and px > bx:
                    inside = not inside
                elif px >= ax or px >= bx:
                    where = side(ax, ay, bx, by, px, py)
                    if where == 0:
                        found = polygon
                        break
                    inside = inside != (where < 0)
            if inside:
                found = polygon
            if found >= 0:
                break
        out[t] = found


@jit(inline=True)
def _square(ax, ay, bx, by, px, py, kx, ky):  # type: ignore[no-untyped-def]
    """Square of the metres from p to an edge; see `plain.squares`."""
    x = (ax - px) * kx
    y = (ay - py) * ky
    dx = (bx - ax) * kx
    dy = (by - ay) * ky
    t = min(max(-(x * dx + y * dy) / (dx * dx + dy * dy), 0.0), 1.0)
    x += t * dx
    y += t * dy
    return x * x + y * y


@jit()
def nearest_edge(  # type: ignore[no-untyped-def]
    px, py, polygon, frame, shape, near_start, near_edge, xy, owner
):
    """Metres to the nearest border of `polygon` (-1: of any), and that edge; see `plain.nearest_edge`."""
    best = np.inf
    found = -1
    columns, rows = shape[0], shape[1]
    if not (abs(px) < np.inf and abs(py) < np.inf) or len(xy) == 0:
        return best, found
    kx, ky = metres_per_degree(py)
    u = (px - frame[0]) * frame[2]
    v = (py - frame[1]) * frame[3]
    i = int(min(max(np.floor(u), 0.0), columns - 1.0))
    j = int(min(max(np.floor(v), 0.0), rows - 1.0))
    width = kx / frame[2]
    height = ky / frame[3]
    out_x = max(-u, u - columns, 0.0) * width
    out_y = max(-v, v - rows, 0.0) * height
    ring = 0
    while True:
        for b in range(max(j - ring, 0), min(j + ring, rows - 1) + 1):
            step = 1 if (b == j - ring or b == j + ring) else max(2 * ring, 1)
            for a in range(i - ring, i + ring + 1, step):
                if a < 0 or a >= columns:
                    continue
                cell = b * columns + a
                for at in range(near_start[cell], near_start[cell + 1]):
                    e = near_edge[at]
                    if polygon >= 0 and owner[e, 0] != polygon and owner[e, 1] != polygon:
                        continue
                    d = _square(xy[e, 0], xy[e, 1], xy[e, 2], xy[e, 3], px, py, kx, ky)
                    if d < best or (d == best and e < found):
                        best = d
                        found = e
        west = (u - (i - ring)) * width if i - ring > 0 else np.inf
        east = (i + ring + 1 - u) * width if i + ring < columns - 1 else np.inf
        south = (v - (j - ring)) * height if j - ring > 0 else np.inf
        north = (j + ring + 1 - v) * height if j + ring < rows - 1 else np.inf
        side = min(west, east)
        end = min(south, north)
        if min(side * side + out_y * out_y, end * end + out_x * out_x) >= best:
            return np.sqrt(best), found
        if side == np.inf and end == np.inf:
            return np.sqrt(best), found
        ring += 1
        if 4 * ring * ring > len(xy):  # as many cells as there are edges: look at the edges
            break
    for e in range(len(xy)):
        if polygon >= 0 and owner[e, 0] != polygon and owner[e, 1] != polygon:
            continue
        d = _square(xy[e, 0], xy[e, 1], xy[e, 2], xy[e, 3], px, py, kx, ky)
        if d < best or (d == best and e < found):
            best = d
            found = e
    return np.sqrt(best), found


@jit()
def nearest_edges(  # type: ignore[no-untyped-def]
    x, y, polygon, metres, edge, frame, shape, near_start, near_edge, xy, owner
):
    """`nearest_edge` of many points, into `metres` and `edge`."""
    for t in range(len(x)):
        metres[t], edge[t] = nearest_edge(
            x[t], y[t], polygon[t], frame, shape, near_start, near_edge, xy, owner
        )
