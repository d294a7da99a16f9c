"""Ground plan of the demo city: outline, seats, and grids that tile three levels exactly (网格规划).

Voronoi cells of clustered seeds; every ridge becomes one noisy line inside the quadrilateral of its two seeds
and two vertices, so that lines cannot cross, rounded to 1e-7 degree; both neighbours take the same vertices.
Upper levels grow over the adjacency graph and are dissolved as a coverage: borders stay bit-identical.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyproj
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import Voronoi, cKDTree

from geo.demo.text import hamlets, joined, numbers, roots

CRS = "EPSG:4548"
ORIGIN = (118.0, 36.8)
_COUNTY0 = 379802  # no such county is in GB/T 2260
_DECIMALS = 7


@dataclass(frozen=True, slots=True)
class Size:
    """How big a demo city is: counts, and area in km²."""

    grids: int
    area_km2: float
    centres: int
    town_grids: int
    village_grids: int
    cameras: int
    incidents: int
    targets: int
    hot_spots: int
    household_share: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Cells of the plan: base grids with their chain, seats, and the outline; metres of `CRS`."""

    cells: np.ndarray  # polygons
    seeds: np.ndarray  # (n, 2)
    district: np.ndarray  # per cell: number of the district, town, village
    town: np.ndarray
    village: np.ndarray
    base_id: np.ndarray  # 15 digits
    urban: np.ndarray
    centres: np.ndarray  # (c, 2)
    radius_m: np.ndarray  # (c,) built-up radius of each centre
    district_code: np.ndarray
    town_code: np.ndarray
    village_code: np.ndarray
    district_name: np.ndarray
    town_name: np.ndarray
    village_name: np.ndarray
    outline: shapely.Polygon

    def locate(self, xy: np.ndarray) -> np.ndarray:
        """Return the row of the cell of each point (lowest code on a border), -1 outside.

        Asked in the rounded degrees that the tables hold, so that a declared grid is right to the last digit.
        """
        cells = degrees(self.cells)
        shapely.prepare(cells)
        point, cell = shapely.STRtree(cells).query(degrees(shapely.points(xy)), predicate="intersects")
        found = np.full(len(xy), len(cells))
        np.minimum.at(found, point, cell)
        return np.where(found == len(cells), -1, found)


def degrees(shapes: np.ndarray) -> np.ndarray:
    """Shapes in degrees, longitude first, rounded to 1e-7 (about 1 cm)."""
    transformer = pyproj.Transformer.from_crs(CRS, 4490, always_xy=True)

    def rounded(xy: np.ndarray) -> np.ndarray:
        return np.round(np.stack(transformer.transform(xy[:, 0], xy[:, 1]), axis=1), _DECIMALS)

    return shapely.transform(shapes, rounded)


def make(size: Size, rng: np.random.Generator) -> Plan:
    """Make the plan of a city of this size."""
    base_m = np.sqrt(size.area_km2 * 1e6 / np.pi)
    centres, radius_m = _centres(size, base_m, rng)
    seeds, inside, voronoi = _seeds(size, base_m, centres, radius_m, rng)
    cells = _cells(voronoi, seeds, inside, rng)
    rows = np.flatnonzero(inside)
    xy = seeds[rows]
    district, town, village = _chain(voronoi, seeds, inside, centres, size, rng)
    away = np.min(np.hypot(*(xy[:, None] - centres[None]).transpose(2, 0, 1)) / radius_m[None] * 0.85, axis=1)
    urban = _majority(town, away < 1.0)
    return _named(cells, xy, district, town, village, urban, centres, radius_m, rng)


def _centres(size: Size, base_m: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Urban centres on a sunflower spiral, and the radius that their share of small grids fills."""
    k = np.arange(size.centres)
    angle = k * 2.39996 + rng.uniform(0, 2 * np.pi)
    away = 0.62 * base_m * np.sqrt((k + 0.6) / size.centres)
    centres = np.stack([away * np.cos(angle), away * np.sin(angle)], axis=1)
    weight = rng.dirichlet(np.full(size.centres, 12.0))
    radius_m = 1.45 * np.sqrt(0.035e6 * 0.5 * size.grids * weight / np.pi)
    return centres + _origin(), np.maximum(radius_m, 380.0)


def _origin() -> np.ndarray:
    return np.array(pyproj.Transformer.from_crs(4490, CRS, always_xy=True).transform(*ORIGIN))


def _seeds(
    size: Size, base_m: float, centres: np.ndarray, radius_m: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Voronoi]:
    """Clustered seeds after three rounds of relaxation; the `size.grids` innermost are inside."""
    n = int(size.grids * 1.5) + 60
    urban, towns = int(n * 0.45), int(n * 0.15)
    pick = rng.choice(len(centres), urban, p=radius_m**2 / np.sum(radius_m**2))
    middle = centres.mean(axis=0)
    box = 1.25 * base_m
    seats = middle + rng.uniform(-box, box, (max(size.grids // size.town_grids, 2), 2))
    seeds = np.concatenate(
        [
            centres[pick] + rng.normal(0, 0.5, (urban, 2)) * radius_m[pick, None],
            seats[rng.integers(0, len(seats), towns)] + rng.normal(0, 0.04 * base_m, (towns, 2)),
            middle + rng.uniform(-box, box, (n - urban - towns, 2)),
        ]
    )
    side = np.linspace(-1.6, 1.6, 48) * base_m
    far = np.full(48, 1.6 * base_m)
    frame = np.concatenate(
        [np.stack(p, axis=1) for p in ((side, -far), (side, far), (-far, side), (far, side))]
    )
    seeds = seeds[(np.abs(seeds - middle) < 1.3 * base_m).all(axis=1)]
    frame = frame[~pd.DataFrame(frame).duplicated()] + middle
    for _ in range(3):
        voronoi = Voronoi(np.concatenate([seeds, frame]))
        pairs, ends = voronoi.ridge_points, np.asarray(voronoi.ridge_vertices)
        mids = voronoi.vertices[ends].sum(axis=1) / 2
        finite = (ends >= 0).all(axis=1)
        count = np.bincount(pairs[finite].ravel(), minlength=len(voronoi.points))[: len(seeds), None]
        total = np.stack(
            [
                np.bincount(
                    pairs[finite].ravel(),
                    weights=np.repeat(mids[finite, d], 2),
                    minlength=len(voronoi.points),
                )
                for d in (0, 1)
            ],
            axis=1,
        )[: len(seeds)]
        seeds = 0.3 * seeds + 0.7 * total / np.maximum(count, 1)
    voronoi = Voronoi(np.concatenate([seeds, frame]))
    away = _outline_rank(voronoi.points - middle, base_m, rng)
    away[len(seeds) :] = np.inf
    inside = np.zeros(len(away), dtype=bool)
    inside[np.argsort(away, kind="stable")[: size.grids]] = True
    return voronoi.points, inside, voronoi


def _outline_rank(xy: np.ndarray, base_m: float, rng: np.random.Generator) -> np.ndarray:
    """Distance from the middle in units of an irregular star-shaped outline."""
    wave = np.arange(1, 14)
    amplitude = rng.normal(0, 0.14, (2, len(wave))) / wave**1.1
    angle = np.arctan2(xy[:, 1], xy[:, 0])[:, None] * wave
    outline = 1 + np.cos(angle) @ amplitude[0] + np.sin(angle) @ amplitude[1]
    return np.hypot(xy[:, 0], xy[:, 1]) / (base_m * np.clip(outline, 0.6, 1.5))


def _cells(voronoi: Voronoi, points: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Polygons of the inside cells with noisy shared borders."""
    pairs, ends = voronoi.ridge_points, np.asarray(voronoi.ridge_vertices)
    used = inside[pairs].any(axis=1)
    pairs, ends = pairs[used], ends[used]
    a, c = voronoi.vertices[ends[:, 0]], voronoi.vertices[ends[:, 1]]
    length = np.hypot(*(a - c).T)
    perimeter = np.bincount(pairs.ravel(), weights=np.repeat(length, 2), minlength=len(points))
    wanted = np.clip(rng.lognormal(np.log(70), 0.42, len(points)), 34, 180)
    share = np.min((wanted / np.maximum(perimeter, 1e-9))[pairs], axis=1)
    depth = np.clip(np.round(np.log2(np.maximum(length * share * 1.15, 1))), 0, 6).astype(int)
    depth[length < 4.0] = 0
    lines = _lines(a, c, points[pairs], depth, rng)
    for _ in range(6):
        cells, ridge = _rings(points, pairs, inside, a, c, lines)
        bad = ~shapely.is_valid(cells)
        if not bad.any():
            bad = ~shapely.is_empty(shapely.coverage_invalid_edges(cells))
        if not bad.any():
            return cells
        for r in np.unique(np.concatenate([ridge[i] for i in np.flatnonzero(bad)])):
            lines[r] = lines[r][[0, -1]]
    return cells


def _lines(
    a: np.ndarray, c: np.ndarray, seeds: np.ndarray, depth: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """One noisy line per ridge, 2**depth pieces, metres snapped to whole 1e-7 degrees."""
    middle = (a + c) / 2
    rough = rng.uniform(0.25, 0.85, len(a))[:, None]
    b, d = (middle + (seeds[:, side] - middle) * rough for side in (0, 1))
    out: list[np.ndarray] = [np.empty(0)] * len(a)
    for level in np.unique(depth):
        rows = np.flatnonzero(depth == level)
        shape = _noisy(a[rows], b[rows], c[rows], d[rows], int(level), rng)
        snapped = _snap(shape.reshape(-1, 2)).reshape(shape.shape)
        for row, line in zip(rows, snapped, strict=True):
            out[row] = line
    return out


def _noisy(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, depth: int, rng: np.random.Generator
) -> np.ndarray:
    """Lines from a to c inside the quadrilateral a b c d, by recursive subdivision."""
    if depth == 0:
        return np.stack([a, c], axis=1)
    u, w = rng.uniform(0.35, 0.65, (len(a), 1)), rng.uniform(0.25, 0.75, (len(a), 1))
    e, f = a + (d - a) * u, b + (c - b) * u
    g, k = a + (b - a) * w, d + (c - d) * w
    h = e + (f - e) * w
    s, t = rng.uniform(0.7, 1.0, (len(a), 1)), rng.uniform(0.7, 1.0, (len(a), 1))
    left = _noisy(a, a + (g - a) * s, h, a + (e - a) * t, depth - 1, rng)
    right = _noisy(h, c + (f - c) * s, c, c + (k - c) * t, depth - 1, rng)
    return np.concatenate([left[:, :-1], right], axis=1)


def _snap(xy: np.ndarray) -> np.ndarray:
    """Metres of the nearest point with 7 decimals of a degree."""
    to_degrees = pyproj.Transformer.from_crs(CRS, 4490, always_xy=True)
    lon, lat = to_degrees.transform(xy[:, 0], xy[:, 1])
    east, north = to_degrees.transform(
        np.round(lon, _DECIMALS), np.round(lat, _DECIMALS), direction="INVERSE"
    )
    return np.stack([east, north], axis=1)


def _rings(
    points: np.ndarray,
    pairs: np.ndarray,
    inside: np.ndarray,
    a: np.ndarray,
    c: np.ndarray,
    lines: list[np.ndarray],
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Polygons of the inside cells, in the order of `points`, and the ridges of each."""
    ridge = np.tile(np.arange(len(pairs)), 2)
    cell = pairs.T.ravel()
    keep = inside[cell]
    ridge, cell = ridge[keep], cell[keep]
    mid = (a[ridge] + c[ridge]) / 2 - points[cell]
    order = np.lexsort([np.arctan2(mid[:, 1], mid[:, 0]), cell])
    ridge, cell = ridge[order], cell[order]
    e, f = a[ridge] - points[cell], c[ridge] - points[cell]
    ahead = e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0] > 0
    chains = [lines[r][:-1] if forward else lines[r][:0:-1] for r, forward in zip(ridge, ahead, strict=True)]
    coords = np.concatenate(chains)
    rows = np.unique(cell, return_inverse=True)[1]
    owner = np.repeat(rows, [len(x) for x in chains])
    first = np.r_[True, owner[1:] != owner[:-1]]
    fresh = first | np.r_[True, (coords[1:] != coords[:-1]).any(axis=1)]
    last = np.flatnonzero(np.r_[first[1:], True])
    fresh[last] &= (coords[last] != coords[np.flatnonzero(first)]).any(axis=1)
    rings = shapely.linearrings(coords[fresh], indices=owner[fresh])
    return shapely.polygons(rings), np.split(ridge, np.flatnonzero(np.diff(rows)) + 1)


def _chain(
    voronoi: Voronoi,
    points: np.ndarray,
    inside: np.ndarray,
    centres: np.ndarray,
    size: Size,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """District, town and village of each inside cell: regions grown over the adjacency graph."""
    row = np.full(len(points), -1)
    row[inside] = np.arange(inside.sum())
    pairs = voronoi.ridge_points[inside[voronoi.ridge_points].all(axis=1)]
    n = int(inside.sum())
    weight = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T) ** 0.5
    weight = weight * rng.uniform(0.5, 1.5, len(pairs))
    edges = row[pairs]

    def grow(sources: np.ndarray, within: np.ndarray) -> np.ndarray:
        same = within[edges[:, 0]] == within[edges[:, 1]]
        graph = coo_matrix((weight[same], (edges[same, 0], edges[same, 1])), (n, n)).tocsr()
        found = dijkstra(graph, directed=False, indices=sources, min_only=True, return_predecessors=True)[2]
        found = np.where(found < 0, np.arange(n), found)
        return np.unique(found, return_inverse=True)[1]

    everywhere = np.zeros(n, dtype=int)
    at = cKDTree(points[inside]).query(centres)[1]
    district = grow(np.unique(at), everywhere)
    town = grow(_sources(district, size.town_grids, rng), district)
    village = grow(_sources(town, size.village_grids, rng), town)
    return district, town, village


def _sources(parent: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """About one random cell per `size` cells of each parent, at least one."""
    order = rng.permutation(len(parent))
    rank = pd.Series(np.zeros(len(parent))).groupby(parent[order]).cumcount().to_numpy()
    count = np.bincount(parent)[parent[order]]
    wanted = np.maximum(np.round(count / size), 1)
    return order[rank < wanted]


def _majority(group: np.ndarray, flag: np.ndarray) -> np.ndarray:
    share = np.bincount(group, weights=flag) / np.bincount(group)
    return share[group] > 0.5


def _ranked(parent: np.ndarray, child: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Serial of each child in its parent from 1, ordered by mean key; and the parent of each child."""
    table = (
        pd.DataFrame({"parent": parent, "key": key}).groupby(child).agg({"parent": "first", "key": "mean"})
    )
    serial = table.sort_values("key", kind="stable").groupby("parent").cumcount().add(1)
    return serial.sort_index().to_numpy(), table["parent"].to_numpy()


def _named(
    cells: np.ndarray,
    xy: np.ndarray,
    district: np.ndarray,
    town: np.ndarray,
    village: np.ndarray,
    urban: np.ndarray,
    centres: np.ndarray,
    radius_m: np.ndarray,
    rng: np.random.Generator,
) -> Plan:
    """Give codes (west to east, north to south) and names; rows in the order of the codes."""
    key = 0.3 * xy[:, 0] - xy[:, 1]
    town_serial, town_parent = _ranked(district, town, key)
    village_serial, village_parent = _ranked(town, village, key)
    base_serial, _ = _ranked(village, np.arange(len(xy)), key)
    town_urban = np.bincount(town, weights=urban) > 0
    district_code = (_COUNTY0 + np.arange(district.max() + 1)).astype(str)
    town_code = joined(
        district_code[town_parent], numbers(town_serial + np.where(town_urban, 0, 99), 3)
    ).to_numpy(dtype=str)
    village_urban = town_urban[village_parent]
    village_code = joined(
        town_code[village_parent], numbers(village_serial + np.where(village_urban, 0, 199), 3)
    ).to_numpy(dtype=str)
    base_id = joined(village_code[village], numbers(base_serial, 3)).to_numpy(dtype=str)
    seats = np.array(roots(rng, len(district_code) + len(town_code)), dtype=object)
    communities = np.array(roots(rng, len(village_code)), dtype=object)
    rural = np.array(hamlets(rng, len(village_code)), dtype=object)
    order = np.argsort(base_id)
    return Plan(
        cells=cells[order],
        seeds=xy[order],
        district=district[order],
        town=town[order],
        village=village[order],
        base_id=base_id[order],
        urban=urban[order],
        centres=centres,
        radius_m=radius_m,
        district_code=district_code,
        town_code=town_code,
        village_code=village_code,
        district_name=seats[: len(district_code)] + "区",
        town_name=seats[len(district_code) :] + np.where(town_urban, "街道", "镇").astype(object),
        village_name=np.where(village_urban, communities + "社区", rural).astype(object),
        outline=shapely.coverage_union_all(cells),
    )
