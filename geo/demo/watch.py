"""Cameras on poles along the streets, and the places they should watch (监控点与监控目标)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from geo.demo import plots as pt
from geo.demo import streets as st
from geo.demo.text import joined, numbers

if TYPE_CHECKING:
    from geo.demo.plan import Plan, Size
    from geo.demo.plots import Plots
    from geo.demo.streets import Streets

POLE_STEP_M = 20.0
TARGET_RATES = {1: 0.964, 2: 0.895, 3: 0.786}
"""Share of targets of each class that are planted in front of a working camera (published figures)."""
REQUIRED = {1: "recognise", 2: "observe", 3: "detect"}
_PPM = {1: 125.0, 2: 62.5, 3: 25.0}  # EN 62676-4:2014, px/m
_TARGET_KINDS = {
    1: ("政府机关", "金融网点", "广场", "交通枢纽", "重点路口"),
    2: ("学校", "医院", "商场", "公园", "水电气热单位"),
    3: ("小商店", "小餐饮", "小旅馆", "小学校", "农村路口"),
}
_DIRECTION = np.array([4, 6, 1, 5, 3, 7, 2, 8])  # GB/T 28181 DirectionType of N, NE, E … NW


def cameras(
    plan: Plan, streets: Streets, size: Size, today: pd.Timestamp, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Register of cameras (监控点), and the optics as they truly are, before fields went missing."""
    poles = _poles(plan, streets, size.cameras, rng)
    rank = poles.groupby("pole").cumcount().to_numpy()
    n = len(poles)
    road = np.degrees(np.arctan2(poles["ax"], poles["ay"])).to_numpy() + np.array([0, 180, 90, 270])[rank]
    heading = road + rng.normal(0, 6, n)
    ptz = rng.choice([1, 2, 3, 4, 6], n, p=[0.16, 0.06, 0.60, 0.14, 0.04])
    fov = np.select(
        [ptz == 6, ptz == 3], [rng.uniform(150, 180, n), rng.uniform(35, 95, n)], rng.uniform(45, 70, n)
    )
    true = pd.DataFrame(
        {
            "x": poles["x"].to_numpy(),
            "y": poles["y"].to_numpy(),
            "bearing_deg": np.mod(heading, 360),
            "fov_deg": fov,
            "range_m": rng.choice([40.0, 50.0, 60.0, 80.0, 100.0], n),
            "height_m": rng.choice([3.5, 4.0, 5.0, 6.0, 6.5], n),
            "resolution_px": rng.choice([1920, 2560, 3840], n, p=[0.55, 0.3, 0.15]),
            "road_deg": road,
            "along": rank < 2,
            "ptz_type": ptz,
        }
    )
    true["state"] = rng.choice(
        ["on", "off", "vlost", "defect", "repair", "unknown"], n, p=[0.925, 0.03, 0.012, 0.013, 0.012, 0.008]
    )
    return _register(plan, poles, true, today, rng), true


def _poles(plan: Plan, streets: Streets, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """One row per camera: its pole, where it stands beside the street, and the street's direction."""
    length = shapely.length(streets.line)
    slots = np.maximum((length / POLE_STEP_M).astype(int), 1)
    street = np.repeat(np.arange(len(slots)), slots)
    k = np.arange(len(street)) - np.repeat(np.cumsum(slots) - slots, slots)
    weight = np.array([0.5, 4.0, 3.0, 1.6, 0.8, 0.5])[streets.cls[street]]
    per_pole = rng.choice([1, 2, 3, 4], count, p=[0.34, 0.44, 0.12, 0.10])
    poles = int(np.searchsorted(np.cumsum(per_pole), count)) + 1
    per_pole = per_pole[:poles]
    per_pole[-1] -= per_pole.sum() - count
    order = np.argsort(-np.log(rng.random(len(street))) / weight, kind="stable")
    chosen = order[np.arange(poles) % len(order)]
    street, at = street[chosen], POLE_STEP_M * (k[chosen] + rng.uniform(0.1, 0.9, poles))
    line = streets.line[street]
    at = np.minimum(at, length[street] - 1.0)
    here = shapely.get_coordinates(shapely.line_interpolate_point(line, at))
    along = shapely.get_coordinates(shapely.line_interpolate_point(line, at + 1.0)) - here
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    half = streets.width_m[street] / 2
    side = rng.choice([-1.0, 1.0], poles)
    out = np.stack([-along[:, 1], along[:, 0]], axis=1) * (side * (half + 0.8))[:, None]
    frame = pd.DataFrame(
        {
            "pole": np.arange(poles),
            "street": street,
            "x": np.round(here[:, 0] + out[:, 0], 2),
            "y": np.round(here[:, 1] + out[:, 1], 2),
            "ax": along[:, 0],
            "ay": along[:, 1],
            "half_width_m": half,
        }
    )
    frame["name"] = pd.Series(streets.name[street], dtype=object).replace("", None)
    frame["cls"] = streets.cls[street]
    frame["cell"] = plan.locate(frame[["x", "y"]].to_numpy())
    nearest = cKDTree(plan.seeds)
    lost = frame["cell"].to_numpy() < 0
    frame.loc[lost, "cell"] = nearest.query(frame.loc[lost, ["x", "y"]].to_numpy())[1]
    turn = np.repeat(rng.integers(0, 2, poles) * 180, per_pole)
    frame = frame.loc[np.repeat(np.arange(poles), per_pole)].reset_index(drop=True)
    flip = np.where(turn == 180, -1.0, 1.0)
    return frame.assign(ax=frame["ax"] * flip, ay=frame["ay"] * flip)


def _register(
    plan: Plan, poles: pd.DataFrame, true: pd.DataFrame, today: pd.Timestamp, rng: np.random.Generator
) -> pd.DataFrame:
    """What the register says: 20-digit codes, and fields missing as often as in real registers."""
    n = len(poles)
    cell = poles["cell"].to_numpy()
    county = plan.district_code[plan.district[cell]]
    main = np.isin(poles["cls"], (st.TRUNK, st.PRIMARY))
    industry = np.where(main, rng.choice(["00", "04"], n), rng.choice(["00", "01", "08"], n))
    serial = pd.Series(county).groupby(county).cumcount().to_numpy() + 1
    code = joined(
        county, "00", industry, np.where(true["ptz_type"] == 6, "122", "132"), "0", numbers(serial, 6)
    )

    def lost(share: float) -> np.ndarray:
        return rng.random(n) < share

    def gaps(column: str, share: float, decimals: int = 0) -> pd.Series:
        return np.round(true[column].astype(float), decimals).mask(lost(share))

    bearing = gaps("bearing_deg", 0.28) % 360
    direction = _DIRECTION[np.round(true["bearing_deg"].to_numpy() / 45).astype(int) % 8]
    since = today - pd.to_timedelta(rng.integers(1, 60 * 24 * 40, n), unit="min")
    road = poles["name"].fillna("村道")
    return pd.DataFrame(
        {
            "camera_id": code,
            "name": joined(
                road.to_numpy(dtype=object),
                numbers(poles["pole"].to_numpy() + 1),
                "号杆",
                poles.groupby("pole").cumcount().add(1).astype(str).to_numpy(dtype=object),
                "号",
            ),
            "point_class": np.where(main, 1, rng.choice([1, 2, 3], n, p=[0.15, 0.45, 0.40])),
            "ptz_type": true["ptz_type"],
            "bearing_deg": bearing,
            "bearing_error_deg": np.where(bearing.isna(), np.nan, 8.0),
            "direction_type": pd.Series(direction).mask(lost(0.45)),
            "fov_deg": gaps("fov_deg", 0.22, 1),
            "range_m": gaps("range_m", 0.20),
            "height_m": gaps("height_m", 0.25, 1),
            "resolution_px": true["resolution_px"].astype(float).mask(lost(0.08)),
            "room_type": "outdoor",
            "light_type": pd.Series(rng.choice([1, 2, 3], n, p=[0.2, 0.6, 0.2])).mask(lost(0.3)),
            "state": true["state"],
            "state_since": since.tz_convert("UTC") if since.tz else since,
            "secrecy": (rng.random(n) < 0.004).astype(int),
            "unit": joined(
                plan.district_name[plan.district[cell]],
                rng.choice(["公安分局", "综合执法局", "交通运输局"], n, p=[0.7, 0.15, 0.15]),
            ),
            "pole_id": joined("G", numbers(poles["pole"].to_numpy() + 1, 6)),
            "switch_id": joined("S", numbers(poles["pole"].to_numpy() // 12 + 1, 5)),
            "civil_code": county,
            "address": joined(
                plan.district_name[plan.district[cell]],
                plan.town_name[plan.town[cell]],
                road.to_numpy(dtype=object),
            ),
            "install_time": today.tz_localize(None).normalize()
            - pd.to_timedelta(rng.integers(60, 3200, n), unit="D"),
            "record_days": pd.Series(
                rng.choice([15, 30, 60, 90], n, p=[0.03, 0.72, 0.15, 0.10]).astype(float)
            ).mask(lost(0.1)),
            "has_contact": rng.random(n) > 0.12,
            "networked": rng.random(n) > 0.02,
            "position_error_m": rng.choice([2.0, 5.0, 10.0], n),
            "geometry": shapely.points(true["x"], true["y"]),
        }
    )


def targets(
    register: pd.DataFrame, true: pd.DataFrame, plots: Plots, size: Size, rng: np.random.Generator
) -> pd.DataFrame:
    """Listed places (监控目标): the published share stands in front of a working, fully described camera.

    The others stand where no working camera is within its range. `list_version` is one list.
    """
    n = size.targets
    cls = rng.choice([1, 2, 3], n, p=[0.12, 0.28, 0.60])
    seen = rng.random(n) < np.array([0.0, *TARGET_RATES.values()])[cls]
    good = (
        (register["state"] == "on")
        & register[["bearing_deg", "fov_deg", "range_m", "height_m", "resolution_px"]].notna().all(axis=1)
        & (register["ptz_type"] == 3)
        & (register["secrecy"] == 0)
        & true["along"]
    ).to_numpy()
    four = rng.choice(np.flatnonzero(good), (n, 4))
    ppm = np.array([np.nan, *_PPM.values()])[cls]
    slant = np.minimum(
        true["resolution_px"].to_numpy()[four]
        / (2 * ppm[:, None] * np.tan(np.radians(true["fov_deg"].to_numpy()[four] / 2))),
        true["range_m"].to_numpy()[four],
    )
    ground = np.sqrt(np.maximum(slant**2 - true["height_m"].to_numpy()[four] ** 2, 1.0))
    best = np.argmax(ground, axis=1)  # a sharp level needs a camera that can give it
    camera, reach = four[np.arange(n), best], ground[np.arange(n), best]
    t = true.iloc[camera]
    away = np.clip(reach * rng.uniform(0.55, 0.85, n), 3.0, 40.0)
    turn = t["road_deg"].to_numpy() + rng.uniform(-2, 2, n) - t["bearing_deg"].to_numpy()
    turn = (turn + 180.0) % 360.0 - 180.0  # the place lies on the road; the camera looks about along it
    room = 0.4 * t["fov_deg"].to_numpy()
    angle = np.radians(t["bearing_deg"].to_numpy() + np.clip(turn, -room, room))
    spot = t[["x", "y"]].to_numpy() + away[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    spot[~seen] = _unwatched(true, plots, int((~seen).sum()), rng)
    pick = rng.integers(0, 5, n)
    kinds = np.array([_TARGET_KINDS[c] for c in (1, 2, 3)], dtype=object)[cls - 1, pick]
    return pd.DataFrame(
        {
            "target_id": joined("T", numbers(np.arange(n) + 1, 6)),
            "name": joined(kinds, numbers(np.arange(n) + 1)),
            "target_class": cls,
            "kind": kinds,
            "required_level": np.array(["", *REQUIRED.values()], dtype=object)[cls],
            "list_version": "2026-1",
            "geometry": shapely.points(np.round(spot, 2)),
        }
    )


def _unwatched(true: pd.DataFrame, plots: Plots, count: int, rng: np.random.Generator) -> np.ndarray:
    """Door fronts out of reach of every camera that works; the farthest ones where there are too few."""
    tree = cKDTree(true.loc[true["state"] == "on", ["x", "y"]].to_numpy())
    away = tree.query(plots.door)[0]
    free = np.flatnonzero(away > true["range_m"].max() + 10.0)
    if len(free) < max(count // 3, 1):
        free = np.argsort(-away)[: max(count // 3, 1)]
    row = rng.choice(free, count)
    return plots.door[row] + plots.along[row] * rng.uniform(-4, 4, (count, 1))


def forbidden(plots: Plots, rng: np.random.Generator) -> pd.DataFrame:
    """Places where filming is forbidden (禁拍场所, State Council Decree 799): some buildings."""
    row = np.sort(rng.choice(len(plots), max(len(plots) // 250, 2), replace=False))
    kind = rng.choice(["宿舍", "公共浴室", "旅馆客房", "更衣室", "母婴室"], len(row))
    return pd.DataFrame(
        {
            "forbidden_id": joined("F", numbers(np.arange(len(row)) + 1, 5)),
            "name": joined(kind, numbers(np.arange(len(row)) + 1)),
            "kind": kind,
            "geometry": plots.shape[row],
        }
    )


def occluders(plots: Plots, streets: Streets, rng: np.random.Generator) -> pd.DataFrame:
    """Walls along some compounds' street fronts and hedges of trees (围墙、树列)."""
    front = np.flatnonzero(plots.kind == pt.COMPOUND)
    front = np.sort(rng.choice(front, len(front) // 12, replace=False)) if len(front) else front
    half = plots.along[front] * 12.0
    line = shapely.linestrings(np.stack([plots.door[front] - half, plots.door[front] + half], axis=1))
    free = np.ones(len(front), dtype=bool)
    if len(front):
        hit, _ = shapely.STRtree(streets.line).query(line, predicate="dwithin", distance=2.0)
        free[hit] = False
    front, line = front[free], line[free]
    tree = rng.random(len(front)) < 0.4
    return pd.DataFrame(
        {
            "occluder_id": joined("O", numbers(np.arange(len(front)) + 1, 6)),
            "kind": np.where(tree, "trees", "wall"),
            "height_m": np.where(tree, 6.0, 2.5),
            "geometry": line,
        }
    )
