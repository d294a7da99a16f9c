"""Blind spots with names (盲区清单): road intervals, junctions, targets and cordon leaks nobody watches.

Uncovered ground is one connected blob and cannot be ranked; a planner acts on things with names. Every row
shows the factors of its score: uncovered measure, incidents around it, weight of the class.

score = weight × (base × measure + incidents), where base makes 100 m of road, a junction of 20 m radius, or a
target without incidents worth about one incident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.coverage import level
from geo.coverage.cordon import Cordon, cordon, watched_edges
from geo.coverage.fraction import cells, free_area
from geo.coverage.network import between, side
from geo.coverage.road import stretches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geo.coverage.network import Network
    from geo.coverage.road import Stretches
    from geo.coverage.watch import Watch

KINDS: Mapping[str, str] = {"road": "路段", "junction": "路口", "target": "目标", "cordon": "围合缺口"}
COLUMNS = (
    "kind", "name", "near", "measure", "unit", "share", "base", "incidents", "weight", "score", "geometry", "what",
)  # fmt: skip
LEAST_M = 20.0
FORMULA = "weight × (base × measure + incidents)  得分 = 等级权重 ×（基准 × 未覆盖量 + 周边警情）"
JUNCTION_M = 20.0
JUNCTION_SHARE = 0.5  # a junction of which less is seen is a blind spot
AROUND_M = {"road": 20.0, "junction": 30.0, "target": 50.0, "cordon": 20.0}
BASE = {"road": 0.01, "junction": 0.0008, "target": 1.0, "cordon": 1.0}
ROAD_WEIGHT: Mapping[str, float] = {
    "motorway": 3.0, "trunk": 3.0, "primary": 3.0, "secondary": 2.0, "tertiary": 1.5,
    "快速路": 3.0, "主干路": 3.0, "主干道": 3.0, "次干路": 2.0, "次干道": 2.0, "支路": 1.5,
}  # fmt: skip
TARGET_WEIGHT: Mapping[int, float] = {1: 3.0, 2: 2.0, 3: 1.0}


def road_gaps(
    streets: Network,
    roads: gpd.GeoDataFrame,
    seen: Stretches,
    incidents: NDArray[np.float64],
    *,
    by: NDArray[np.bool_] | None = None,
    least_m: float = LEAST_M,
) -> gpd.GeoDataFrame:
    """Unseen intervals of streets between junctions (无覆盖路段).

    Parameters
    ----------
    streets, roads, seen
        Network, the road table it came from, and `stretches` of its edges.
    incidents
        (M, 2) places of incidents, metres.
    by
        Which viewers count (those in order, say); None: all.
    least_m
        Shorter gaps are left out.
    """
    gaps = seen.gaps(by=by, least_m=least_m)
    edge = gaps["road"].to_numpy()
    start, end = gaps["start_m"].to_numpy(), gaps["end_m"].to_numpy()
    line = between(streets.line, edge, start, end)
    whole = seen.length_m[edge]
    from_u = (start + end) / 2 <= whole / 2
    junction = streets.degree >= 3
    u, v = streets.u[edge], streets.v[edge]
    node = np.where((from_u & junction[u]) | ~junction[v], u, v)
    middle = shapely.get_coordinates(shapely.line_interpolate_point(line, 0.5, normalized=True))
    name = _column(roads, "name", "")[streets.road[edge]]
    name = np.where(name == "", "无名道路", name)
    near = np.where(junction[node], streets.name[node], "")
    sides = side(middle, streets.xy[node])
    metres = end - start
    place = np.where(near == "", name, near + sides)
    what = [
        f"{p}{'' if n == '' else f'（{r}）'} {m:.0f} m 无覆盖" + ("，全段" if share > 0.999 else "")
        for p, n, r, m, share in zip(place, near, name, metres, metres / whole, strict=True)
    ]
    weight = (
        pd.Series(_column(roads, "class", "")[streets.road[edge]])
        .map(dict(ROAD_WEIGHT))
        .fillna(1.0)
        .to_numpy()
    )
    return _table("road", line, incidents, name=name, near=near, measure=metres, unit="m",
                  share=metres / whole, weight=weight, what=what)  # fmt: skip


def junction_gaps(
    streets: Network,
    watch: Watch,
    incidents: NDArray[np.float64],
    *,
    by: NDArray[np.bool_] | None = None,
    radius_m: float = JUNCTION_M,
) -> gpd.GeoDataFrame:
    """Junctions of which less than half is seen (无覆盖路口): a disc of 20 m minus buildings."""
    nodes = streets.junctions
    discs = shapely.buffer(shapely.points(streets.xy[nodes]), radius_m)
    zones = pd.Series(discs)
    free = free_area(zones, watch.fields.scene.flat.blocks).to_numpy()
    covered = np.minimum(cells(zones, watch.fields.shapes).covered(by=by).to_numpy(), free)
    share = 1 - covered / np.maximum(free, 1e-9)
    rows = np.flatnonzero((free > 0.1 * shapely.area(discs)) & (share > JUNCTION_SHARE))
    name = streets.name[nodes[rows]]
    what = [
        f"{n} {s:.0%} 无覆盖" if s < 0.999 else f"{n}全部无覆盖"
        for n, s in zip(name, share[rows], strict=True)
    ]
    weight = np.minimum(streets.degree[nodes[rows]] / 2.0, 3.0)
    return _table("junction", discs[rows], incidents, name=name, near=name, measure=(free - covered)[rows],
                  unit="m²", share=share[rows], weight=weight, what=what)  # fmt: skip


def target_gaps(
    table: gpd.GeoDataFrame, incidents: NDArray[np.float64], *, claim: str = "covered"
) -> gpd.GeoDataFrame:
    """Listed targets that nobody reaches at the level they ask for (未覆盖目标), from the ledger."""
    dark = table[~table[claim]]
    name = dark["name"].fillna("").where(lambda s: s != "", dark.index.astype("str")).to_numpy(dtype=object)
    number = dark["target_class"].astype("float64").to_numpy()
    words = [
        f"{n}（{'一二三'[int(c) - 1]}类目标，要求{level.NAMES_ZH[r]}）：{a}"
        for n, c, r, a in zip(name, number, dark["required_level"], dark["action"], strict=True)
    ]
    weight = dark["target_class"].map(dict(TARGET_WEIGHT)).astype("float64").to_numpy()
    return _table("target", dark.geometry.to_numpy(), incidents, name=name, near="", measure=np.ones(len(dark)),
                  unit="处", share=1.0, weight=weight, what=words)  # fmt: skip


def cordon_gaps(
    streets: Network,
    roads: gpd.GeoDataFrame,
    seen: Stretches,
    areas: gpd.GeoDataFrame,
    incidents: NDArray[np.float64],
    *,
    by: NDArray[np.bool_] | None = None,
) -> tuple[gpd.GeoDataFrame, dict[Any, Cordon]]:
    """Streets that would close the ring around each named area (围合缺口), and the rings themselves."""
    watched = watched_edges(seen, by=by)
    rings = {key: cordon(streets, area, watched) for key, area in areas.geometry.items()}
    cut = [(key, int(edge)) for key, ring in rings.items() for edge in ring.cut]
    edge = np.array([e for _, e in cut], dtype=np.intp)
    total = np.array([rings[k].leaks for k, _ in cut], dtype=np.float64)
    names = areas["name"].fillna("").where(lambda n: n != "", areas.index.astype("str"))
    area_name = np.array([str(names[k]) for k, _ in cut], dtype=object)
    road = _column(roads, "name", "")[streets.road[edge]]
    road = np.where(road == "", "无名道路", road)
    node = np.where(streets.degree[streets.u[edge]] >= 3, streets.u[edge], streets.v[edge])
    line = streets.line[edge]
    middle = shapely.get_coordinates(shapely.line_interpolate_point(line, 0.5, normalized=True))
    near = streets.name[node]
    sides = side(middle, streets.xy[node])
    what = [
        f"{a}围合缺口（共 {t:.0f} 处）：在{n}{s}（{r}）补点"
        for a, t, n, s, r in zip(area_name, total, near, sides, road, strict=True)
    ]
    weight = 1.0 + 2.0 / np.maximum(total, 1.0)  # a ring that few places close is worth closing first
    table = _table("cordon", line, incidents, name=area_name, near=near, measure=np.ones(len(edge)), unit="处",
                   share=1.0, weight=weight, what=what)  # fmt: skip
    return table, rings


def ranked(tables: list[gpd.GeoDataFrame], crs: object) -> gpd.GeoDataFrame:
    """Put blind spots of all kinds in one order, highest score first (盲区排序); `rank` from 1."""
    every = pd.concat([t for t in tables if len(t)] or [tables[0]], ignore_index=True)
    every = every.sort_values(
        ["score", "kind", "name"], ascending=[False, True, True], kind="stable", ignore_index=True
    )
    every.insert(0, "rank", np.arange(1, len(every) + 1))
    return gpd.GeoDataFrame(every, geometry="geometry", crs=crs)


def weighed(table: gpd.GeoDataFrame, incidents: NDArray[np.float64]) -> gpd.GeoDataFrame:
    """Return blind spots with the incidents around each of them, and the score that follows (按警情加权).

    Parameters
    ----------
    table
        Rows of any kinds.
    incidents
        (M, 2) places of incidents, metres; none: all count 0.
    """
    shapes, kind = table.geometry.to_numpy(), table["kind"].to_numpy()
    near = np.zeros(len(table), dtype=np.int64)
    if len(incidents):
        tree = shapely.STRtree(shapely.points(incidents))
        for name in set(kind):
            rows = np.flatnonzero(kind == name)
            found = tree.query(shapes[rows], predicate="dwithin", distance=AROUND_M[name])[0]
            near[rows] = np.bincount(found, minlength=len(rows))
    score = table["weight"] * (table["base"] * table["measure"] + near)
    return table.assign(incidents=near, score=score)


def edges_seen(streets: Network, watch: Watch) -> Stretches:
    """Cut the edges of a network along the fields of view."""
    return stretches(pd.Series(streets.line), watch.fields.shapes)


def _table(
    kind: str,
    shapes: NDArray[np.object_],
    incidents: NDArray[np.float64],
    **columns: Any,  # noqa: ANN401
) -> gpd.GeoDataFrame:
    table = pd.DataFrame(
        {"kind": kind, **columns, "base": BASE[kind], "incidents": 0, "score": 0.0}, index=range(len(shapes))
    )
    return weighed(gpd.GeoDataFrame(table, geometry=shapes)[list(COLUMNS)], incidents)


def _column(table: pd.DataFrame, name: str, empty: str) -> NDArray[np.object_]:
    if name not in table:
        return np.full(len(table), empty, dtype=object)
    return table[name].fillna(empty).astype("str").to_numpy(dtype=object)
