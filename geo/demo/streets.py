"""Streets of the demo city: a warped lattice at every centre, radials between seats, lanes (街路巷).

A *street* is one named line as people say it, from its first door to its last; a *road* is a piece of a
street between two junctions, which is what the `roads` table holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import Delaunay, cKDTree

from geo.demo.text import COMMON_ROADS, roots

if TYPE_CHECKING:
    from geo.demo.plan import Plan

SPACING_M = 230.0
CLASSES = ("trunk", "primary", "secondary", "residential", "village", "lane")
WIDTH_M = np.array([24.0, 32.0, 22.0, 12.0, 6.0, 5.0])
SPEED_M_S = np.array([19.4, 16.7, 13.9, 8.3, 8.3, 4.2])
TRUNK, PRIMARY, SECONDARY, RESIDENTIAL, VILLAGE, LANE = range(6)


@dataclass(frozen=True, slots=True)
class Streets:
    """Named lines: geometry, name ("" for a village's own streets), class number, parent name of a lane."""

    line: np.ndarray
    name: np.ndarray
    cls: np.ndarray
    road: np.ndarray  # for a lane: the street it leaves; otherwise its own name

    @property
    def width_m(self) -> np.ndarray:
        """Width of the carriageway, metres."""
        return WIDTH_M[self.cls]

    def plus(self, other: Streets) -> Streets:
        """Both, these first."""
        return Streets(
            np.concatenate([self.line, other.line]),
            np.concatenate([self.name, other.name]),
            np.concatenate([self.cls, other.cls]),
            np.concatenate([self.road, other.road]),
        )


def make(plan: Plan, rng: np.random.Generator) -> Streets:
    """Draw every street except the lanes; no line leaves the outline."""
    inner = plan.outline.buffer(-25.0)
    shapely.prepare(inner)
    tilt = rng.uniform(-0.2, 0.2, len(plan.centres))
    parts = [
        _lattice(centre, radius, angle, inner, rng)
        for centre, radius, angle in zip(plan.centres, plan.radius_m, tilt, strict=True)
    ]
    seats = _town_seats(plan)
    town_angle = rng.uniform(-0.5, 0.5, len(seats))
    parts += [
        _lattice(seat, 420.0, angle, inner, rng, small=True)
        for seat, angle in zip(seats, town_angle, strict=True)
    ]
    built = _concatenated(parts)
    radials = _radials(np.concatenate([plan.centres, seats]), built, inner, rng)
    rural = _villages(plan, built.plus(radials), inner, rng)
    return built.plus(radials).plus(rural)


def lanes(
    streets: Streets, origin: np.ndarray, normal: np.ndarray, parent: np.ndarray, serial: np.ndarray
) -> Streets:
    """Lanes of about 100 m leaving `parent` streets from `origin` along `normal`, named 某路3巷."""
    line = shapely.linestrings(np.stack([origin, origin + 55.0 * normal, origin + 104.0 * normal], axis=1))
    road = streets.name[parent]
    name = (pd.Series(road, dtype=object) + pd.Series(serial).astype(str) + "巷").to_numpy(dtype=object)
    return Streets(line, name, np.full(len(line), LANE), road)


def table(streets: Streets, rng: np.random.Generator) -> pd.DataFrame:
    """Roads between junctions (道路): every crossing is a vertex of both; one row per piece."""
    noded = shapely.get_parts(shapely.unary_union(streets.line, grid_size=0.01))
    middle = shapely.line_interpolate_point(noded, 0.5, normalized=True)
    source = shapely.STRtree(streets.line).nearest(middle)
    order = np.lexsort([shapely.line_locate_point(streets.line[source], middle), source])
    noded, source = noded[order], source[order]
    cls = streets.cls[source]
    speed = SPEED_M_S[cls] * rng.choice([0.8, 0.9, 1.0], len(cls))
    return pd.DataFrame(
        {
            "road_id": [f"R{i:07d}" for i in range(len(noded))],
            "name": pd.Series(streets.name[source], dtype=object).replace("", None),
            "class": np.array(CLASSES)[cls],
            "speed_m_s": np.round(speed, 1),
            "oneway": rng.random(len(cls)) < np.where(cls == RESIDENTIAL, 0.04, 0.0),
            "width_m": WIDTH_M[cls],
            "geometry": noded,
        }
    )


def _concatenated(parts: list[Streets]) -> Streets:
    return Streets(
        *(np.concatenate([getattr(p, field) for p in parts]) for field in ("line", "name", "cls", "road"))
    )


def _streets(lines: list[np.ndarray], names: list[str], cls: list[int]) -> Streets:
    """Build from coordinate arrays; names may repeat."""
    line = np.array([shapely.linestrings(x) for x in lines], dtype=object)
    name = np.array(names, dtype=object)
    return Streets(line, name, np.array(cls, dtype=int), name)


def _lattice(
    centre: np.ndarray,
    radius_m: float,
    angle: float,
    inner: shapely.Polygon,
    rng: np.random.Generator,
    *,
    small: bool = False,
) -> Streets:
    """Crossing streets inside a circle: 路 run west-east, 街 and 大道 south-north, long ones cut into parts."""
    spacing = 165.0 if small else SPACING_M
    n = max(int(radius_m / spacing), 2)
    i, j = np.meshgrid(np.arange(-n, n + 1), np.arange(-n, n + 1), indexing="ij")
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    node = centre + np.stack([i, j], axis=-1) * spacing @ turn.T
    phase = rng.uniform(0, 2 * np.pi, 4)
    node[..., 0] += 26 * np.sin(node[..., 1] / 700 + phase[0]) + 9 * np.sin(node[..., 0] / 400 + phase[1])
    node[..., 1] += 26 * np.sin(node[..., 0] / 800 + phase[2]) + 9 * np.sin(node[..., 1] / 350 + phase[3])
    used = (np.hypot(i, j) <= n + 0.3) & shapely.contains_xy(inner, node[..., 0], node[..., 1])
    common = list(rng.permutation(COMMON_ROADS))
    own = roots(rng, 4 * n + 8)
    lines: list[np.ndarray] = []
    names: list[str] = []
    classes: list[int] = []
    for eastward in (True, False):
        for k in range(-n, n + 1):
            run = _longest(used[:, k + n] if eastward else used[k + n])
            if run.stop - run.start < 2:
                continue
            xy = (node[:, k + n] if eastward else node[k + n])[run]
            cls = _lattice_class(k, small=small)
            root = common.pop() if cls == PRIMARY and common else own.pop()
            for part, label in _parts(xy, eastward=eastward, cls=cls):
                lines.append(part)
                names.append(root + label)
                classes.append(cls)
    return _streets(lines, names, classes)


def _lattice_class(k: int, *, small: bool) -> int:
    if small:
        return SECONDARY if k == 0 else RESIDENTIAL
    if k % 4 == 0:
        return PRIMARY
    return SECONDARY if k % 2 == 0 else RESIDENTIAL


def _parts(xy: np.ndarray, *, eastward: bool, cls: int) -> list[tuple[np.ndarray, str]]:
    """Whole street, or its 西/中/东 (南/中/北) parts where it is a long primary street."""
    kind = "路" if eastward else ("大道" if cls == PRIMARY else "街")
    if cls == RESIDENTIAL:
        kind = "巷" if len(xy) < 4 else kind
    if cls != PRIMARY or len(xy) < 7:
        return [(xy, kind)]
    sides = ("西路", "中路", "东路") if eastward else ("南路", "中路", "北路")
    cut = (len(xy) - 1) // 3
    return [
        (xy[: cut + 1], sides[0]),
        (xy[cut : len(xy) - cut], sides[1]),
        (xy[len(xy) - cut - 1 :], sides[2]),
    ]


def _longest(used: np.ndarray) -> slice:
    """Return the longest run of true values."""
    edge = np.flatnonzero(np.diff(np.r_[False, used, False]))
    if not len(edge):
        return slice(0, 0)
    starts, stops = edge[::2], edge[1::2]
    best = int(np.argmax(stops - starts))
    return slice(int(starts[best]), int(stops[best]))


def _town_seats(plan: Plan) -> np.ndarray:
    """Middle of each town whose seat is outside every built-up circle."""
    count = np.bincount(plan.town)
    middle = np.stack([np.bincount(plan.town, weights=plan.seeds[:, d]) / count for d in (0, 1)], axis=1)
    seat = plan.seeds[cKDTree(plan.seeds).query(middle)[1]]
    away = np.hypot(*(seat[:, None] - plan.centres[None]).transpose(2, 0, 1)) - plan.radius_m
    return seat[(away > 600).all(axis=1)]


def _wavy(a: np.ndarray, b: np.ndarray, rng: np.random.Generator, step_m: float = 160.0) -> np.ndarray:
    """Line from a to b with gentle bends."""
    length = float(np.hypot(*(b - a)))
    t = np.linspace(0, 1, max(int(length / step_m), 2) + 1)
    normal = np.array([a[1] - b[1], b[0] - a[0]]) / max(length, 1.0)
    bend = sum(rng.normal(0, 0.03 / k) * length * np.sin(k * np.pi * t) for k in (1, 2, 3, 5))
    return a + t[:, None] * (b - a) + np.asarray(bend)[:, None] * normal


def _radials(seats: np.ndarray, built: Streets, inner: shapely.Polygon, rng: np.random.Generator) -> Streets:
    """Roads between neighbouring seats, each from the nearest point of the built streets to the next."""
    if len(seats) < 3:
        pairs = np.array([[0, 1]])
    else:
        simplex = Delaunay(seats).simplices
        pairs = np.unique(
            np.sort(np.concatenate([simplex[:, [0, 1]], simplex[:, [1, 2]], simplex[:, [0, 2]]])), axis=0
        )
    length = np.hypot(*(seats[pairs[:, 0]] - seats[pairs[:, 1]]).T)
    pairs = pairs[length < 2.2 * np.median(length)]
    names = roots(rng, len(pairs))
    nodes = np.unique(shapely.get_coordinates(built.line), axis=0)
    owner = cKDTree(seats).query(nodes)[1]
    lines, kept = [], []
    for (p, q), name in zip(pairs, names, strict=True):
        mine, other = nodes[owner == p], nodes[owner == q]
        if not len(mine) or not len(other):
            continue
        away, at = cKDTree(other).query(mine)
        first = int(np.argmin(away))
        shape = shapely.intersection(shapely.linestrings(_wavy(mine[first], other[at[first]], rng)), inner)
        pieces = shapely.get_parts(shape)
        if len(pieces):
            lines.append(shapely.get_coordinates(pieces[np.argmax(shapely.length(pieces))]))
            kept.append(name + "公路")
    return _streets(lines, kept, [TRUNK] * len(lines))


def _villages(plan: Plan, built: Streets, inner: shapely.Polygon, rng: np.random.Generator) -> Streets:
    """Village streets without names: a main street, two cross streets, and a way to the nearest road."""
    first = np.unique(plan.village, return_index=True)[1]
    first = first[~plan.urban[first]]
    seat = plan.seeds[first]
    network = np.unique(shapely.get_coordinates(built.line), axis=0)
    away, at = cKDTree(network).query(seat)
    far = away > 150.0
    seat, at = seat[far], at[far]
    angle = rng.uniform(0, np.pi, len(seat))
    along = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    half = rng.uniform(90, 190, (len(seat), 1))
    offset = half * 0.55
    main = np.stack(
        [seat - along * half, seat - along * offset, seat, seat + along * offset, seat + along * half], 1
    )
    lines = list(main)
    for side in (-1, 1):
        middle = seat + side * along * offset
        lines += list(np.stack([middle - across * half * 0.6, middle, middle + across * half * 0.6], axis=1))
    lines += [_wavy(a, network[b], rng) for a, b in zip(seat, at, strict=True)]
    streets = _streets(lines, [""] * len(lines), [VILLAGE] * len(lines))
    keep = shapely.contains_properly(inner, streets.line)
    return Streets(streets.line[keep], streets.name[keep], streets.cls[keep], streets.road[keep])
