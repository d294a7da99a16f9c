"""The target ledger (目标覆盖台账): every listed place, what it asks for, who reaches it, and why nobody does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from geo.camera import free_of_buildings
from geo.coverage import level
from geo.coverage.fraction import COVERED_SHARE, cells
from geo.coverage.road import stretches
from geo.coverage.watch import STEPS
from geo.target import CLASSES, GOALS, list_versions, required_level

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.coverage.watch import Viewers, Watch

    Ints = NDArray[np.intp]

INSIDE_M = 30.0  # a target drawn this deep in a building is looked for at the nearest wall
FRONT_M = 0.5
HEADLINE = "quality"
ACTIONS = {
    "": "已覆盖",
    "nominal": "登记半径内无监控，需新建点位",
    "geometric": "附近有监控但朝向不对或被遮挡，建议调整朝向或补点",
    "resolution": "可见，但可视监控未登记分辨率，无法判定图像等级，请补登记",
    "quality": "可见，但像素密度达不到要求等级，建议换装镜头或就近补点",
    "available": "覆盖监控均离线或故障，请抢修",
    "inside": "目标落在建筑内部深处，请核对坐标",
}

# Words for what `basis` counts.
BASIS_ZH = {
    "no_place": "无坐标",
    "removed": "已拆除",
    "mobile": "移动设备",
    "indoor": "室内",
    "no_bearing": "方位缺失",
    "inside_building": "落在建筑内",
    "fov_deg": "视场角取缺省",
    "range_m": "可视距离取缺省",
    "range_from_pixels": "可视距离由像素密度推算",
    "bearing_from_code": "方位取八方位代码",
    "height_unknown": "高度缺失（未计近端盲区）",
    "resolution_unknown": "分辨率缺失",
    "absurd_values": "参数荒谬未采信",
    "wall_cameras_moved": "墙装点位移至墙外",
}


def ledger(targets: gpd.GeoDataFrame, watch: Watch) -> gpd.GeoDataFrame:
    """Judge every listed target (编制目标覆盖台账).

    A point is covered if a field of view holds it; an area or a line if 80 % of it (of its ground free of
    buildings) is. A point drawn inside a building is looked for in front of the nearest wall, an area that is
    all building along a strip around it.

    Parameters
    ----------
    targets
        Target table in the CRS of the watch.
    watch
        `coverage.watch` of the register.

    Returns
    -------
    GeoDataFrame
        Index of `targets`: name, target_class, kind, required_level, px_m, list_version; one boolean per claim
        (`watch.STEPS`); `covered` (claim quality) and `effective` (claim available); `times` devices that reach
        the level; `cameras`: their ids joined by ``;``, nearest first; `moved`: the place that was judged is in
        front of a wall; `action`: what to do, in Chinese.
    """
    frame = targets.reindex(columns=["name", "target_class", "kind", "list_version", "geometry"]).copy()
    frame["required_level"] = required_level(targets)
    frame["px_m"] = frame["required_level"].map(
        {n: level.density(n) for n in frame["required_level"].unique()}
    )
    places, moved, lost = _judged(targets, watch)
    claims = pd.DataFrame(False, index=range(len(frame)), columns=list(STEPS))
    times = np.zeros(len(frame), dtype=np.intp)
    pairs: list[NDArray[np.intp]] = [np.empty((0, 2), dtype=np.intp)]
    px = frame["px_m"].to_numpy(dtype=np.float64)
    for asked in np.unique(px[~np.isnan(px)]):
        viewers = watch.viewers(float(asked))
        for rows, judge in _by_geometry(places, np.flatnonzero(px == asked)):
            if len(rows) == 0:
                continue
            unit, viewer, held = judge(places[rows], viewers)
            claims.loc[rows] = held.to_numpy()
            times[rows] = viewers.times(unit, viewer, len(rows), HEADLINE)
            sharp = viewers.claim(HEADLINE)[viewer]
            pairs.append(np.stack([rows[unit[sharp]], viewer[sharp] % len(watch)], axis=1))
    claims[lost] = False
    for name in STEPS:
        frame[name] = claims[name].to_numpy(dtype=bool)
    frame["covered"], frame["effective"] = frame[HEADLINE], frame["available"]
    frame["times"] = np.where(frame["covered"], times, 0)
    frame["cameras"] = _evidence(np.unique(np.concatenate(pairs), axis=0), places, watch, frame["covered"])
    frame["moved"] = moved
    frame["action"] = _actions(claims, lost, _unknown_resolution(places, claims, watch))
    return frame


def class_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Rates per class and claim with what they rest on (分类覆盖率阶梯).

    Parameters
    ----------
    table
        `ledger`.

    Returns
    -------
    DataFrame
        One row per class (1, 2, 3) and claim: `target_class`, `step`, `zh`, `numerator`, `denominator`,
        `rate` (NaN for an empty class), `goal`, `list_version`.
    """
    rows = []
    for number in CLASSES:
        part = table[table["target_class"] == number]
        version = list_versions(part)
        for step, zh in STEPS.items():
            hit, n = int(part[step].sum()), len(part)
            rows.append((number, step, zh, hit, n, hit / n if n else np.nan, GOALS[number], version))
    names = ["target_class", "step", "zh", "numerator", "denominator", "rate", "goal", "list_version"]
    return pd.DataFrame(rows, columns=names)


def basis(watch: Watch) -> dict[str, Any]:
    """Count what a published rate rests on (口径说明): cameras used, left out and why, defaults taken."""
    optics = watch.fields.optics
    used = optics[optics["why_not"] == ""]
    out = optics.loc[optics["why_not"] != "", "why_not"].value_counts().sort_index()
    return {
        "cameras": len(optics),
        "used": len(used),
        "excluded": {str(k): int(v) for k, v in out.items()},
        "devices": int(np.unique(watch.device).size),
        "defaults": {
            "fov_deg": int((used["fov_source"] == "default").sum()),
            "range_m": int((used["range_source"] == "default").sum()),
            "range_from_pixels": int((used["range_source"] == "pixels").sum()),
            "bearing_from_code": int((used["bearing_source"] == "code").sum()),
            "height_unknown": int(used["eye_m"].isna().sum()),
            "resolution_unknown": int(used["resolution_px"].isna().sum()),
            "absurd_values": int((used["absurd"] != "").sum()),
            "wall_cameras_moved": int((used["place"] == "snapped").sum()),
        },
        "steerable_at_home": int(used["steerable"].sum()),
        "on": int(watch.on[(optics["why_not"] == "").to_numpy()].sum()),
    }


def compare(now: pd.DataFrame, then: pd.DataFrame) -> pd.DataFrame:
    """What changed between two ledgers (台账对比): targets gained, lost, added to and taken off the list.

    Returns
    -------
    DataFrame
        Index `target_id`; `change`: gained 新增覆盖, lost 失去覆盖, listed 新列入, delisted 移出清单. Targets
        without a change are left out.
    """
    ids = now.index.union(then.index)
    one, two = (t["covered"].astype("boolean").reindex(ids) for t in (now, then))
    change = np.select(
        [
            two.isna(),
            one.isna(),
            one.fillna(False) & ~two.fillna(True),
            two.fillna(False) & ~one.fillna(True),
        ],
        ["listed", "delisted", "gained", "lost"],
        default="",
    )
    result = pd.DataFrame({"change": change}, index=ids.rename("target_id"))
    return result[result["change"] != ""]


def _judged(
    targets: gpd.GeoDataFrame, watch: Watch
) -> tuple[NDArray[np.object_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Places to judge, whether they are not where the list put them, and whether there is none."""
    places = targets.geometry.to_numpy().copy()
    blocks, tree = watch.fields.scene.flat.shapes, watch.fields.scene.flat.shape_tree
    kind = shapely.get_type_id(places)
    moved, lost = np.zeros(len(places), dtype=bool), shapely.is_missing(places) | shapely.is_empty(places)
    points = np.flatnonzero((kind == 0) & ~lost)
    xy = shapely.get_coordinates(places[points])
    free, where = free_of_buildings(xy, np.full(len(xy), np.nan), blocks, within_m=INSIDE_M, tree=tree)
    places[points] = shapely.points(free)
    moved[points], lost[points] = where == "snapped", where == "inside"
    areas = np.flatnonzero(np.isin(kind, (3, 6)) & ~lost)
    row, block = tree.query(places[areas], predicate="intersects")
    for at in np.unique(row):
        whole = places[areas[at]]
        built = shapely.union_all(blocks[block[row == at]])
        ground = whole.difference(built)
        if ground.area < 0.05 * whole.area:
            ground = whole.buffer(FRONT_M * 2).difference(built)
            moved[areas[at]] = True
        places[areas[at]] = ground
    return places, moved, lost


def _by_geometry(places: NDArray[np.object_], rows: Ints) -> list[tuple[Ints, Any]]:
    kind = shapely.get_type_id(places[rows])
    return [
        (rows[kind == 0], _points_held),
        (rows[np.isin(kind, (1, 5))], _lines_held),
        (rows[np.isin(kind, (3, 6))], _areas_held),
    ]


def _points_held(places: NDArray[np.object_], viewers: Viewers) -> tuple[Ints, Ints, pd.DataFrame]:
    unit, viewer = viewers.tree.query(places, predicate="intersects")
    return unit, viewer, viewers.holds(unit, viewer, len(places))


def _areas_held(places: NDArray[np.object_], viewers: Viewers) -> tuple[Ints, Ints, pd.DataFrame]:
    cut = cells(pd.Series(places), viewers.shapes)
    table = viewers.holds(cut.cell, cut.viewer, len(cut.zone))
    whole = shapely.area(places)
    held = {
        s: np.bincount(cut.zone, cut.area_m2 * table[s], minlength=len(places)) >= COVERED_SHARE * whole
        for s in STEPS
    }
    return cut.zone[cut.cell], cut.viewer, pd.DataFrame(held)


def _lines_held(places: NDArray[np.object_], viewers: Viewers) -> tuple[Ints, Ints, pd.DataFrame]:
    cut = stretches(pd.Series(places), viewers.shapes)
    table = viewers.holds(cut.stretch, cut.viewer, len(cut.road))
    metres = cut.end_m - cut.start_m
    held = {
        s: np.bincount(cut.road, metres * table[s], minlength=len(places)) >= COVERED_SHARE * cut.length_m
        for s in STEPS
    }
    return cut.road[cut.stretch], cut.viewer, pd.DataFrame(held)


def _evidence(
    pairs: NDArray[np.intp], places: NDArray[np.object_], watch: Watch, covered: pd.Series
) -> NDArray[np.object_]:
    """Ids of the cameras that reach each covered target, nearest first."""
    pairs = pairs[covered.to_numpy()[pairs[:, 0]]]
    eyes = shapely.points(watch.fields.xy[pairs[:, 1]])
    order = np.lexsort((shapely.distance(places[pairs[:, 0]], eyes), pairs[:, 0]))
    pairs = pairs[order]
    result = np.full(len(places), "", dtype=object)
    rows, first = np.unique(pairs[:, 0], return_index=True)
    names = np.split(watch.ids[pairs[:, 1]], first[1:]) if len(rows) else []
    result[rows] = [";".join(n) for n in names]
    return result


def _unknown_resolution(places: NDArray[np.object_], claims: pd.DataFrame, watch: Watch) -> NDArray[np.bool_]:
    """Targets seen but not sharp, by a camera whose resolution nobody wrote down."""
    result = np.zeros(len(places), dtype=bool)
    rows = np.flatnonzero(claims["geometric"] & ~claims["quality"])
    dim = np.flatnonzero(watch.fields.optics["resolution_px"].isna())
    hit = shapely.STRtree(watch.fields.shapes[dim]).query(places[rows], predicate="intersects")[0]
    result[rows[hit]] = True
    return result


def _actions(
    claims: pd.DataFrame, lost: NDArray[np.bool_], unknown: NDArray[np.bool_]
) -> NDArray[np.object_]:
    failed = [~claims[s].to_numpy(dtype=bool) for s in ("nominal", "geometric", "quality", "available")]
    why = [lost, failed[0], failed[1], failed[2] & unknown, failed[2], failed[3]]
    names = ["inside", "nominal", "geometric", "resolution", "quality", "available"]
    return np.select(why, [ACTIONS[n] for n in names], default=ACTIONS[""]).astype(object)
