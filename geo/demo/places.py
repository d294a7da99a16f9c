"""The grid table with its dedicated and micro grids, the boundary, water and old names (网格、边界、水系、别名)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo.demo import plots as pt
from geo.demo.text import CITY, joined, numbers

if TYPE_CHECKING:
    from geo.demo.plan import Plan
    from geo.demo.plots import Plots

_DEDICATED = ("mall", "school", "market")
_SINCE = pd.Timestamp("2024-01-01")
_REDRAWN_DAYS = 100


def water(plan: Plan, rng: np.random.Generator) -> pd.DataFrame:
    """One river across the city and a few lakes (水系), cut at the outline."""
    west, south, east, north = plan.outline.bounds
    t = np.linspace(-0.05, 1.05, 60)
    height = north - south
    bend = sum(rng.normal(0, 0.05 / k) * np.sin(k * np.pi * t + rng.uniform(0, 6)) for k in (1, 2, 3, 5, 8))
    path = np.stack([west + t * (east - west), south + height * (0.30 + 0.12 * t + np.asarray(bend))], axis=1)
    half_m = min(max(0.004 * (east - west), 12.0), 120.0)
    river = shapely.buffer(shapely.linestrings(path), half_m, quad_segs=4)
    lakes = plan.seeds[rng.choice(len(plan.seeds), max(len(plan.seeds) // 600, 1), replace=False)]
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    shape = 1 + 0.2 * np.cos(2 * angle + 1) + 0.1 * np.sin(3 * angle)
    size = rng.uniform(0.5, 1.0, len(lakes)) * min(2.5 * half_m, 220.0)
    ring = lakes[:, None] + (size[:, None] * shape)[..., None] * np.stack(
        [np.cos(angle), np.sin(angle)], axis=1
    )
    shapes = shapely.intersection(np.concatenate([[river], shapely.polygons(ring)]), plan.outline)
    keep = ~shapely.is_empty(shapes)
    names = np.array(["云溪河", *joined("镜湖", numbers(np.arange(len(lakes)) + 1)).tolist()], dtype=object)
    return pd.DataFrame(
        {
            "water_id": joined("WA", numbers(np.arange(keep.sum()) + 1, 4)),
            "name": names[keep],
            "kind": np.where(names[keep] == "云溪河", "river", "lake"),
            "geometry": shapes[keep],
        }
    )


def boundary(plan: Plan) -> pd.DataFrame:
    """Outline of the city (边界): the union of its grids."""
    return pd.DataFrame({"boundary_id": ["city"], "name": [CITY], "geometry": [plan.outline]})


def grids(
    plan: Plan, plots: Plots, today: pd.Timestamp, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Towns, villages and base grids that tile; dedicated grids over them, micro grids inside; and the history.

    Codes have 15 digits: 6 county, 3 street or town, 3 village, 3 serial; a town has the first 9 of them, a
    village the first 12. A dedicated grid's serial starts at 901, a retired one's at 801; a micro grid has two
    digits more. 100 days before `today` some base grids were split and some merged (网格调整).
    """
    homes = np.bincount(
        plots.cell[plots.kind != pt.POI],
        weights=plots.floors[plots.kind != pt.POI] * 2,
        minlength=len(plan.cells),
    ).astype(int)
    area = np.where(plan.urban, "urban", "rural")
    base = pd.DataFrame(
        {
            "grid_id": plan.base_id,
            "level": 3,
            "kind": "base",
            "name": joined(plan.village_name[plan.village], "第", numbers(_serial(plan.base_id)), "网格"),
            "parent_id": plan.village_code[plan.village],
            "households": homes,
            "staff_post": joined("网格员岗", plan.base_id),
            "area_type": area,
            "geometry": plan.cells,
        }
    )
    village = _level(plan, plan.village, plan.village_code, plan.village_name, 2, homes)
    village["parent_id"] = village["grid_id"].str[:9]
    town = _level(plan, plan.town, plan.town_code, plan.town_name, 1, homes)
    town["parent_id"] = None
    redrawn = today.tz_localize(None).normalize() - pd.Timedelta(days=_REDRAWN_DAYS)
    history, fresh = _history(plan, base, redrawn, rng)
    micro = _micro(plan, base, np.setdiff1d(np.flatnonzero(plan.urban), fresh), rng)
    base["valid_from"] = _SINCE
    base.loc[fresh, "valid_from"] = redrawn
    others = pd.concat([town, village, _dedicated(plan, plots), micro]).assign(valid_from=_SINCE)
    return pd.concat([others, base], ignore_index=True).sort_values("grid_id"), history


def _history(
    plan: Plan, base: pd.DataFrame, redrawn: pd.Timestamp, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Grids retired on the day of re-drawing, and the rows of today's grids that came of them."""
    villages = np.flatnonzero(np.bincount(plan.village) >= 3)
    villages = rng.permutation(villages)[: max(len(villages) // 25, 2)]
    retired: list[tuple[int, shapely.Polygon]] = []  # a row of the village, the old shape
    fresh: list[int] = []
    for i, village in enumerate(villages):
        rows = np.flatnonzero(plan.village == village)
        if i % 2:  # two old grids were merged into this one
            halves = next(((r, h) for r in rows if (h := _cut(plan.cells[r])) is not None), None)
            if halves is not None:
                fresh.append(int(halves[0]))
                retired += [(int(halves[0]), shape) for shape in halves[1]]
        else:  # an old grid was split into these two
            touching = shapely.relate_pattern(plan.cells[rows[0]], plan.cells[rows[1:]], "F***1****")
            if touching.any():
                pair = [int(rows[0]), int(rows[1:][np.argmax(touching)])]
                fresh += pair
                retired.append((pair[0], shapely.coverage_union_all(plan.cells[pair])))
    row = np.array([r for r, _ in retired], dtype=int)
    parent = plan.village_code[plan.village[row]]
    serial = 801 + pd.Series(parent).groupby(parent).cumcount().to_numpy()
    code = joined(parent, numbers(serial, 3))
    history = pd.DataFrame(
        {
            "history_id": joined(code, "@", redrawn.strftime("%Y%m%d")),
            "grid_id": code,
            "level": 3,
            "kind": "base",
            "name": joined(plan.village_name[plan.village[row]], "原第", numbers(serial - 800), "网格"),
            "parent_id": parent,
            "valid_from": _SINCE,
            "valid_to": redrawn,
            "area_type": base["area_type"].to_numpy()[row],
            "geometry": [shape for _, shape in retired],
        }
    )
    return history, np.array(fresh, dtype=int)


def _serial(code: np.ndarray) -> np.ndarray:
    return pd.Series(code).str[-3:].astype(int).to_numpy()


def _level(
    plan: Plan, group: np.ndarray, code: np.ndarray, name: np.ndarray, level: int, homes: np.ndarray
) -> pd.DataFrame:
    """Dissolve the cells of each group as a coverage."""
    order = np.argsort(group, kind="stable")
    parts = np.split(plan.cells[order], np.flatnonzero(np.diff(group[order])) + 1)
    urban = np.bincount(group, weights=plan.urban) * 2 > np.bincount(group)
    return pd.DataFrame(
        {
            "grid_id": code,
            "level": level,
            "kind": "admin",
            "name": name,
            "households": np.bincount(group, weights=homes).astype(int),
            "staff_post": joined("网格长岗", code),
            "area_type": np.where(urban, "urban", "rural"),
            "geometry": [shapely.coverage_union_all(p) for p in parts],
        }
    ).sort_values("grid_id")


def _dedicated(plan: Plan, plots: Plots) -> pd.DataFrame:
    """Malls, campuses and markets with their own grid (专属网格): the building and its yard."""
    kinds = [k for k, _ in pt.POI_KINDS]
    wanted = [kinds.index(k) for k in _DEDICATED]
    row = np.flatnonzero(plots.kind == pt.POI)
    row = row[np.isin(plots.group_poi[plots.group[row]], wanted)]
    shape = shapely.buffer(plots.shape[row], 6.0, join_style="mitre")
    keep = shapely.contains_properly(plan.outline, shape)
    if len(row):
        a, b = shapely.STRtree(shape).query(shape, predicate="intersects")
        keep[a[a > b]] = False
    row, shape = row[keep], shape[keep]
    parent = plan.village_code[plan.village[plots.cell[row]]]
    serial = (
        pd.Series(parent).groupby(parent).cumcount().to_numpy() + 901 if len(row) else np.zeros(0, dtype=int)
    )
    return pd.DataFrame(
        {
            "grid_id": joined(parent, numbers(serial, 3)),
            "level": 3,
            "kind": "dedicated",
            "name": joined(plots.group_name[plots.group[row]], "专属网格"),
            "parent_id": parent,
            "households": 0,
            "staff_post": joined("专属网格岗", parent, numbers(serial, 3)),
            "area_type": "urban",
            "geometry": shape,
        }
    )


def _micro(plan: Plan, base: pd.DataFrame, rows: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Micro grids (微网格): some base grids cut in two by a chord between two of their own vertices."""
    rows = np.sort(rng.choice(rows, max(len(rows) // 20, 2), replace=False))
    parent: list[int] = []
    halves: list[shapely.Polygon] = []
    for row in rows:  # one grid in twenty
        pair = _cut(plan.cells[row])
        if pair is not None:
            parent += [row, row]
            halves += pair
    serial = np.tile([1, 2], len(parent) // 2)
    code = base["grid_id"].to_numpy()[parent]
    return pd.DataFrame(
        {
            "grid_id": joined(code, numbers(serial, 2)),
            "level": 4,
            "kind": "micro",
            "name": joined(base["name"].to_numpy()[parent], numbers(serial), "号微网格"),
            "parent_id": code,
            "households": base["households"].to_numpy()[parent] // 2,
            "staff_post": joined("微网格员岗", code, numbers(serial, 2)),
            "area_type": "urban",
            "geometry": halves,
        }
    )


def _cut(cell: shapely.Polygon) -> list[shapely.Polygon] | None:
    """Two halves that share a chord between vertices, or None where no chord of those tried stays inside."""
    ring = shapely.get_coordinates(cell)[:-1]
    n = len(ring)
    if n < 4:
        return None
    for shift in range(0, n // 2, max(n // 16, 1)):
        a, b = shift, (shift + n // 2) % n
        lo, hi = min(a, b), max(a, b)
        halves = [
            shapely.Polygon(ring[lo : hi + 1]),
            shapely.Polygon(np.concatenate([ring[hi:], ring[: lo + 1]])),
        ]
        chord = shapely.linestrings(ring[[lo, hi]])
        if cell.covers(chord) and all(h.is_valid and h.area > 0.25 * cell.area for h in halves):
            return halves
    return None


def aliases(
    plots: Plots, standard: np.ndarray, today: pd.Timestamp, rng: np.random.Generator
) -> pd.DataFrame:
    """Old and popular names of some points of interest and compounds (别名)."""
    group = np.unique(plots.group[plots.group >= 0])
    group = np.sort(rng.choice(group, max(len(group) // 15, 1), replace=False)) if len(group) else group
    row = np.searchsorted(plots.group, group, sorter=(order := np.argsort(plots.group, kind="stable")))
    row = order[row]
    root = pd.Series(plots.group_name[group], dtype=object).str[:2].to_numpy()
    poi = plots.group_poi[group] >= 0
    door = plots.kind[row] == pt.POI
    target = np.where(door, standard[row], _without_block(standard[row]))
    return pd.DataFrame(
        {
            "alias_id": joined("AL", numbers(np.arange(len(group)) + 1, 5)),
            "text": joined(np.where(poi, "老", ""), root, np.where(poi, "大楼", "大院")),
            "standard": target,
            "kind": np.where(poi, "旧名", "俗称"),
            "valid_from": _SINCE,
            "state": np.where(rng.random(len(group)) < 0.9, "accepted", "proposed"),
            "taught_by": "指挥中心值班岗",
            "taught_at": today.tz_convert("UTC")
            - pd.to_timedelta(rng.integers(1, 400, len(group)), unit="D"),
            "geometry": shapely.points(plots.door[row]),
        }
    )


def _without_block(standard: np.ndarray) -> np.ndarray:
    return pd.Series(standard, dtype=object).str.replace(r"\d+(?:号楼|栋|幢)$", "", regex=True).to_numpy()
