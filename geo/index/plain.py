"""Search the index with numpy alone (纯 numpy 查询): the same answers as `geo.index.compiled`, where numba is not."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from geo.index._ragged import ranges
from geo.index.arrays import HEADER, NEAR, OPEN, PAD, RECORD, SHIFT
from geo.index.exact import sides
from geo.index.metric import metres_per_degree

if TYPE_CHECKING:
    from geo.index.arrays import Arrays
    from geo.index.types import Bools, Floats, Ints, Longs

CHUNK = 1 << 16
PLACE = 4096  # edges that are looked at in the time that one place of a ring takes
WORK = 1 << 21  # pairs of a point and an edge that are looked at together: bounds memory


def find(arrays: Arrays, x: Floats, y: Floats) -> Ints:
    """Lowest polygon that covers each point, -1 where none does; not finite: -1."""
    result = np.empty(len(x), np.int32)
    for s in range(0, len(x), CHUNK):
        part = slice(s, s + CHUNK)
        result[part] = _find(arrays, x[part], y[part])
    return result


def _find(arrays: Arrays, x: Floats, y: Floats) -> Ints:
    u, v, cell = _cells(arrays, x, y)
    face = arrays.top[cell]
    k = np.flatnonzero(face < 0)
    if len(k) == 0:
        return face - 1
    block = -face[k] - 1
    size = 1 << (block & 7)
    u, v = (u[k] - np.floor(u[k])) * size, (v[k] - np.floor(v[k])) * size
    i, j = u.astype(np.int32), v.astype(np.int32)
    fine = arrays.sub[(block >> 3) + j * size + i]
    face[k] = fine
    deep = np.flatnonzero(fine < 0)
    if len(deep) == 0:
        return face - 1
    k = k[deep]
    leaf, sure = _leaf(
        arrays.pool, -fine[deep] - 1, (u - i)[deep].astype(np.float32), (v - j)[deep].astype(np.float32)
    )
    face[k] = leaf
    rest = k[~sure]
    if len(rest):
        face[rest] = find_exactly(arrays, x[rest], y[rest]) + 1
    return face - 1


def _cells(arrays: Arrays, x: Floats, y: Floats) -> tuple[Floats, Floats, Longs]:
    """Coordinates in cells, and the cell; outside the raster and not finite: the empty cell 0."""
    columns, rows, _ = arrays.shape
    x0, y0, per_x, per_y = arrays.frame
    with np.errstate(invalid="ignore"):
        u, v = (x - x0) * per_x, (y - y0) * per_y
        on = (u >= 0) & (v >= 0) & (u < columns) & (v < rows)
    u, v = np.where(on, u, 0.0), np.where(on, v, 0.0)
    return u, v, v.astype(np.int64) * columns + u.astype(np.int64)


def _leaf(pool: Ints, place: Ints, x: np.ndarray, y: np.ndarray) -> tuple[Ints, Bools]:
    """Faces of points in leaves, and which of them are sure."""
    numbers = pool.view(np.float32)
    face, count = pool[place], pool[place + 1]
    sure = face != OPEN
    near = np.float32(NEAR)
    k = np.flatnonzero(sure & (count > 0))
    r = 0
    while len(k):
        at = place[k] + (HEADER + RECORD * r)
        low, high, slope = numbers[at], numbers[at + 1], numbers[at + 2]
        t = x[k] - (slope * y[k] + numbers[at + 3])
        between = (y[k] > low) & (y[k] < high)
        unsure = (between & (np.abs(t) <= near * (1 + np.abs(slope)))) | (np.abs(y[k] - low) <= near)
        unsure |= np.abs(y[k] - high) <= near
        sure[k[unsure]] = False
        face[k] ^= np.where(between & (t > 0), pool[at + 4], 0)
        r += 1
        k = k[count[k] > r]
    return face, sure


def find_exactly(arrays: Arrays, x: Floats, y: Floats) -> Ints:
    """As `find`, by exact arithmetic alone."""
    none = np.iinfo(np.int32).max
    result = np.full(len(x), none, np.int32)
    point, polygon = covering(arrays, x, y)
    np.minimum.at(result, point, polygon.astype(np.int32))
    result[result == none] = -1
    return result


def covering(arrays: Arrays, x: Floats, y: Floats) -> tuple[Longs, Longs]:
    """Every pair of a point and a polygon that covers it, by exact arithmetic; by point, then by polygon."""
    points, polygons = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for part in _pieces(arrays, x, y):
        point, polygon = _covering(arrays, x[part], y[part])
        points.append(point + part.start)
        polygons.append(polygon)
    point, polygon = np.concatenate(points), np.concatenate(polygons)
    order = np.lexsort((polygon, point))
    return point[order], polygon[order]


def _pieces(arrays: Arrays, x: Floats, y: Floats) -> list[slice]:
    """Parts of the points whose cells hold few enough edges to be looked at together."""
    cell = _cells(arrays, x, y)[2]
    work = np.cumsum(arrays.near_start[cell + 1].astype(np.int64) - arrays.near_start[cell] + 32)
    cut = np.flatnonzero(np.diff(work // WORK)) + 1
    ends = [0, *cut.tolist(), len(x)]
    return [slice(a, b) for a, b in pairwise(ends)]


def _covering(arrays: Arrays, x: Floats, y: Floats) -> tuple[Longs, Longs]:
    u, v, cell = _cells(arrays, x, y)
    first = arrays.candidate_start[cell].astype(np.int64)
    count = arrays.candidate_start[cell + 1] - first
    top = arrays.top[cell]
    alone = np.flatnonzero((count == 0) & (top > 0))
    point, at = ranges(first, count)
    polygon = arrays.candidate[at].astype(np.int64)
    inside = _covers(arrays, polygon, np.floor(v[point]).astype(np.int64), x[point], y[point])
    rest = np.flatnonzero((count == 0) & (top < 0))
    traced, bordering = trace(arrays, np.floor(u[rest]), np.floor(v[rest]), x[rest], y[rest])
    return (
        np.r_[point[inside], alone, rest[traced]],
        np.r_[polygon[inside], top[alone].astype(np.int64) - 1, bordering],
    )


def trace(arrays: Arrays, i: Floats, j: Floats, x: Floats, y: Floats) -> tuple[Longs, Longs]:
    """Points of proper cells (i, j) and the polygons that cover them, each pair once.

    From the cell's corner c north to the bend q at the height of the point p, then east to p, the face changes
    at every border crossed. Whether a border is crossed follows from the exact sides of c, q and p; a point
    that is on a line counts as left of it, an end as below and as east, so that every end is crossed with one
    of its borders. The polygons of all borders that p is on cover it; if there are none, it is the face.
    """
    x0, y0, per_x, per_y = arrays.frame
    cell = j.astype(np.int64) * int(arrays.shape[0]) + i.astype(np.int64)
    begin = arrays.near_start[cell].astype(np.int64)
    k, at = ranges(begin, arrays.near_start[cell + 1] - begin)
    edge = arrays.near_edge[at]
    cx, cy = (x0 + (i - SHIFT) / per_x)[k], (y0 + (j - SHIFT) / per_y)[k]
    ax, ay, bx, by = arrays.xy[edge].T
    px, py = x[k], y[k]
    left_of_bend = sides(ax, ay, bx, by, cx, py) >= 0
    side = sides(ax, ay, bx, by, px, py)
    beside = (ay <= py) & (py < by)
    crossed = ((ax < cx) != (bx < cx)) & ((sides(ax, ay, bx, by, cx, cy) >= 0) != left_of_bend)
    crossed ^= beside & ((ax >= cx) | (bx >= cx)) & (left_of_bend != (side >= 0))
    owner = arrays.owner[edge]
    face = arrays.corner[cell]
    np.bitwise_xor.at(face, k[crossed], ((owner[:, 0] + 1) ^ (owner[:, 1] + 1))[crossed])
    on = (beside & (side == 0)) | ((py == by) & ((px == bx) | ((ay == by) & (ax <= px) & (px <= bx))))
    point = np.r_[k[on], k[on]]
    polygon = owner[on].T.ravel().astype(np.int64)
    clear = np.ones(len(x), bool)
    clear[point] = False
    inner = np.flatnonzero(clear & (face > 0))
    point, polygon = np.r_[point[polygon >= 0], inner], np.r_[polygon[polygon >= 0], face[inner] - 1]
    key = np.unique(point * (int(arrays.shape[2]) + 1) + polygon)
    return key // (int(arrays.shape[2]) + 1), key % (int(arrays.shape[2]) + 1)


def _covers(arrays: Arrays, polygon: Longs, row: Longs, x: Floats, y: Floats) -> Bools:
    """Whether each polygon covers its point: on a border, or an odd number of borders west of it in its row."""
    base = arrays.row_base[polygon].astype(np.int64)
    at = row - arrays.row_first[polygon]
    here = np.flatnonzero((at >= 0) & (at < arrays.row_base[polygon + 1] - base))
    line = base[here] + at[here]
    begin = arrays.row_start[line].astype(np.int64)
    pair, k = ranges(begin, arrays.row_start[line + 1] - begin)
    pair, edge = here[pair], arrays.row_edge[k]
    met = (arrays.xy[edge, 1] <= y[pair]) & (y[pair] <= arrays.xy[edge, 3])
    pair, edge = pair[met], edge[met]
    ax, ay, bx, by = arrays.xy[edge].T
    px, py = x[pair], y[pair]
    level = ay == by
    touch = (level & (ax <= px) & (px <= bx)) | ((px == bx) & (py == by))
    open_ = ~level & (py < by)
    which = np.flatnonzero(open_)
    side = sides(ax[which], ay[which], bx[which], by[which], px[which], py[which])
    touch[which[side == 0]] = True
    west = np.bincount(pair[which[side < 0]], minlength=len(x))
    result = west % 2 == 1
    result[pair[touch]] = True
    return result


def nearest_edge(arrays: Arrays, x: Floats, y: Floats, polygon: Ints) -> tuple[Floats, Ints]:
    """Distance in metres from each point to the nearest border of its polygon (-1: of any), and that edge.

    Infinite and -1 where the polygon has no border or the point is not finite. Cells are looked through in
    rings around the point until none that is left can be nearer.
    """
    best, edge = np.empty(len(x)), np.empty(len(x), np.int32)
    for part in _pieces(arrays, x, y):
        best[part], edge[part] = _nearest_edge(arrays, x[part], y[part], polygon[part])
    return best, edge


def _nearest_edge(arrays: Arrays, x: Floats, y: Floats, polygon: Ints) -> tuple[Floats, Ints]:
    best, edge = np.full(len(x), np.inf), np.full(len(x), -1, np.int32)
    columns, rows, _ = (int(n) for n in arrays.shape)
    x0, y0, per_x, per_y = arrays.frame
    todo = np.flatnonzero(np.isfinite(x) & np.isfinite(y)) if len(arrays.xy) else np.empty(0, np.int64)
    kx, ky = metres_per_degree(y)
    u, v = (x - x0) * per_x, (y - y0) * per_y
    ring = 0
    while len(todo):
        i = np.clip(np.floor(u[todo]), 0, columns - 1).astype(np.int64)
        j = np.clip(np.floor(v[todo]), 0, rows - 1).astype(np.int64)
        for k, cell in _ring(i, j, ring, columns, rows):
            begin = arrays.near_start[cell].astype(np.int64)
            pair, at = ranges(begin, arrays.near_start[cell + 1] - begin)
            pair, e = todo[k[pair]], arrays.near_edge[at]
            wanted = (polygon[pair] < 0) | (arrays.owner[e] == polygon[pair, None]).any(axis=1)
            pair, e = pair[wanted], e[wanted]
            d = squares(arrays.xy[e], x[pair], y[pair], kx[pair], ky[pair])
            order = np.lexsort((e, d, pair))
            pair, e, d = pair[order], e[order], d[order]
            first = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]]) if len(pair) else order
            pair, e, d = pair[first], e[first], d[first]
            nearer = (d < best[pair]) | ((d == best[pair]) & (e < edge[pair]))
            best[pair[nearer]], edge[pair[nearer]] = d[nearer], e[nearer]
        beyond = _unseen(u[todo], v[todo], i, j, ring, columns, rows, kx[todo] / per_x, ky[todo] / per_y)
        todo = todo[beyond < best[todo]]
        ring += 1
        if ring * ring * PLACE > len(todo) * len(arrays.xy):
            break
    for far in todo.tolist():  # far from every border: look at all
        d = squares(arrays.xy, x[far], y[far], kx[far], ky[far])
        if polygon[far] >= 0:
            d[(arrays.owner != polygon[far]).all(axis=1)] = np.inf
        nearest = int(np.argmin(d))
        best[far], edge[far] = d[nearest], nearest if d[nearest] < np.inf else -1
    return np.sqrt(best), edge


def _ring(i: Longs, j: Longs, ring: int, columns: int, rows: int) -> list[tuple[Longs, Longs]]:
    """Point and cell for every cell of the square ring around cells (i, j), one place of the ring at a time."""
    n = ring
    steps = [(a, b) for a in range(-n, n + 1) for b in ((-n, n) if abs(a) < n else range(-n, n + 1))]
    found = []
    for a, b in dict.fromkeys(steps):
        on = np.flatnonzero((i + a >= 0) & (i + a < columns) & (j + b >= 0) & (j + b < rows))
        if len(on):
            found.append((on, (j[on] + b) * columns + i[on] + a))
    return found


def _unseen(  # noqa: PLR0917
    u: Floats,
    v: Floats,
    i: Longs,
    j: Longs,
    ring: int,
    columns: int,
    rows: int,
    width: Floats,
    height: Floats,
) -> Floats:
    """Lower bound of the square of the distance to the cells beyond a ring; infinite if there are none."""
    inf = np.inf
    out_x = np.maximum(np.maximum(-u, u - columns), 0) * width
    out_y = np.maximum(np.maximum(-v, v - rows), 0) * height
    west = np.where(i - ring > 0, (u - (i - ring)) * width, inf)
    east = np.where(i + ring < columns - 1, (i + ring + 1 - u) * width, inf)
    south = np.where(j - ring > 0, (v - (j - ring)) * height, inf)
    north = np.where(j + ring < rows - 1, (j + ring + 1 - v) * height, inf)
    side, end = np.minimum(west, east), np.minimum(south, north)
    return np.minimum(side * side + out_y * out_y, end * end + out_x * out_x)


def squares(xy: Floats, x: Floats, y: Floats, kx: Floats, ky: Floats) -> Floats:
    """Square metres from points to their edges, in the scale `kx`, `ky` metres per degree."""
    ax, ay = (xy[:, 0] - x) * kx, (xy[:, 1] - y) * ky
    dx, dy = (xy[:, 2] - xy[:, 0]) * kx, (xy[:, 3] - xy[:, 1]) * ky
    t = np.clip(-(ax * dx + ay * dy) / (dx * dx + dy * dy), 0.0, 1.0)
    ax, ay = ax + t * dx, ay + t * dy
    return ax * ax + ay * ay


def nearest_polygon(arrays: Arrays, lon: float, lat: float, metres: float) -> int:
    """Lowest polygon of those with a border within some metres of one point; -1 if there is none."""
    x, y = np.array([lon]), np.array([lat])
    kx, ky = metres_per_degree(y)
    _, _, per_x, per_y = arrays.frame
    box = 4 * (metres / kx[0] * per_x + 1) * (metres / ky[0] * per_y + 1)
    edges = np.arange(len(arrays.xy)) if box > len(arrays.xy) else _boxes(arrays, x, y, np.array([metres]))[1]
    close = squares(arrays.xy[edges], x, y, kx, ky) <= metres * metres
    owner = arrays.owner[edges[close]]
    owner = owner[owner >= 0]
    return int(owner.min()) if len(owner) else -1


def _boxes(arrays: Arrays, x: Floats, y: Floats, radius_m: Floats) -> tuple[Longs, Longs]:
    """Pairs of a point and an edge in the cells that the box of a radius around it meets; some more than once."""
    columns, rows, _ = (int(n) for n in arrays.shape)
    x0, y0, per_x, per_y = arrays.frame
    kx, ky = metres_per_degree(y)
    du, dv = radius_m / kx * per_x + PAD, radius_m / ky * per_y + PAD
    u, v = (x - x0) * per_x, (y - y0) * per_y
    west, east = np.maximum(np.floor(u - du), 0), np.minimum(np.floor(u + du), columns - 1)
    south, north = np.maximum(np.floor(v - dv), 0), np.minimum(np.floor(v + dv), rows - 1)
    which, row = ranges(south.astype(np.int64), (north - south).astype(np.int64) + 1)
    first = row * columns + west[which].astype(np.int64)
    wide = (east - west)[which].astype(np.int64) + 1
    which, first, wide = which[wide > 0], first[wide > 0], wide[wide > 0]
    begin = arrays.near_start[first].astype(np.int64)
    pair, at = ranges(begin, arrays.near_start[first + wide] - begin)
    return which[pair], arrays.near_edge[at].astype(np.int64)


def within(arrays: Arrays, x: Floats, y: Floats, radius_m: Floats) -> tuple[Longs, Longs]:
    """Every pair of a point and a polygon that covers it or has a border within the radius; sorted."""
    points, polygons = [], []
    for part in _pieces(arrays, x, y):
        point, polygon = _within(arrays, x[part], y[part], radius_m[part])
        points.append(point + part.start)
        polygons.append(polygon)
    none = np.empty(0, np.int64)
    return np.concatenate([*points, none]), np.concatenate([*polygons, none])


def _within(arrays: Arrays, x: Floats, y: Floats, radius_m: Floats) -> tuple[Longs, Longs]:
    count = int(arrays.shape[2])
    point, polygon = covering(arrays, x, y)
    k = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & (radius_m >= 0))
    pair, edge = _boxes(arrays, x[k], y[k], radius_m[k])
    pair = k[pair]
    kx, ky = metres_per_degree(y[pair])
    near = squares(arrays.xy[edge], x[pair], y[pair], kx, ky) <= radius_m[pair] * radius_m[pair]
    owner = arrays.owner[edge[near]].T.ravel()
    home = np.r_[pair[near], pair[near]]
    key = np.unique(np.r_[point * count + polygon, (home * count + owner)[owner >= 0]])
    key = key[radius_m[key // count] >= 0] if count else key
    return (key // count, key % count) if count else (key, key)
