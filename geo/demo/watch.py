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
from geo.errors import BadInputError

if TYPE_CHECKING:
    from geo.demo.plan import Plan, Size
    from geo.demo.plots import Plots
    from geo.demo.streets import Streets

POLE_STEP_M = 20.0
TARGET_RATES = {1: 0.964, 2: 0.895, 3: 0.786}
"""Share of targets of each class that are planted in front of a working camera (published figures of Zibo)."""
CLASS_SHARES = {1: 0.12, 2: 0.28, 3: 0.60}
ROUNDS = 200
HIGH_FLOORS = 4  # higher than every camera
WALL_M = 0.5  # a camera nearer to a wall than this may be taken to hang on it
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


def published_line(size: Size) -> dict[int, tuple[int, int]]:
    """Targets planted in front of a camera, and listed, per class (埋设的覆盖口径): the published rates, whole places.

    A ledger of the demo city must find exactly these numerators and denominators.
    """
    listed = {c: round(size.targets * share) for c, share in CLASS_SHARES.items()}
    listed[3] = size.targets - listed[1] - listed[2]
    return {c: (round(TARGET_RATES[c] * n), n) for c, n in listed.items()}


def targets(
    register: pd.DataFrame,
    true: pd.DataFrame,
    plots: Plots,
    walls: np.ndarray,
    size: Size,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Listed places (监控目标): as many as `published_line` says stand in plain sight of a described camera.

    In plain sight: within four fifths of its opening and its pixel range, and no building or wall crosses the line
    to it. The others stand outside every opening and range, or behind a high building.
    """
    line = published_line(size)
    cls = rng.permutation(np.repeat(list(line), [n for _, n in line.values()]))
    seen = np.zeros(len(cls), dtype=bool)
    for number, (hits, _) in line.items():
        seen[rng.choice(np.flatnonzero(cls == number), hits, replace=False)] = True
    solid = shapely.STRtree(np.concatenate([plots.shape, walls]))
    spot = np.empty((len(cls), 2))
    spot[seen] = _in_sight(register, true, cls[seen], solid, rng)
    spot[~seen] = _unwatched(register, true, plots, solid, int((~seen).sum()), rng)
    pick = rng.integers(0, 5, len(cls))
    kinds = np.array([_TARGET_KINDS[c] for c in (1, 2, 3)], dtype=object)[cls - 1, pick]
    return pd.DataFrame(
        {
            "target_id": joined("T", numbers(np.arange(len(cls)) + 1, 6)),
            "name": joined(kinds, numbers(np.arange(len(cls)) + 1)),
            "target_class": cls,
            "kind": kinds,
            "required_level": np.array(["", *REQUIRED.values()], dtype=object)[cls],
            "list_version": "2026-1",
            "geometry": shapely.points(np.round(spot, 2)),
        }
    )


def _in_sight(
    register: pd.DataFrame,
    true: pd.DataFrame,
    cls: np.ndarray,
    solid: shapely.STRtree,
    rng: np.random.Generator,
) -> np.ndarray:
    """Places along the street that a camera sees sharply enough for the class, drawn until nothing is in between."""
    good = np.flatnonzero(
        (register["state"] == "on")
        & register[["bearing_deg", "fov_deg", "range_m", "height_m", "resolution_px"]].notna().all(axis=1)
        & (register["ptz_type"] == 3)
        & (register["secrecy"] == 0)
        & true["along"]
    )
    good = good[~_near(solid, true[["x", "y"]].to_numpy()[good], WALL_M)]
    spot = np.full((len(cls), 2), np.nan)
    for _ in range(ROUNDS):
        todo = np.flatnonzero(np.isnan(spot[:, 0]))
        if len(todo) == 0:
            return spot
        eye, place = _in_front(true, rng.choice(good, (len(todo), 4)), cls[todo], rng)
        free = ~_near(solid, place, 1.0)
        sight = shapely.linestrings(np.stack([eye, place], axis=1))
        free[np.unique(solid.query(sight, predicate="intersects")[0])] = False
        spot[todo[free]] = place[free]
    raise BadInputError(
        f"demo city: {len(todo)} targets found no camera with a free view; give it more cameras"
    )


def _in_front(
    true: pd.DataFrame, four: np.ndarray, cls: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The camera of four that sees a class farthest, and a place on the road before it: eye and place."""
    n = len(cls)
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
    away = np.minimum(reach * rng.uniform(0.55, 0.85, n), 40.0)
    turn = t["road_deg"].to_numpy() + rng.uniform(-2, 2, n) - t["bearing_deg"].to_numpy()
    turn = (turn + 180.0) % 360.0 - 180.0  # the place lies on the road; the camera looks about along it
    room = 0.4 * t["fov_deg"].to_numpy()
    angle = np.radians(t["bearing_deg"].to_numpy() + np.clip(turn, -room, room))
    eye = t[["x", "y"]].to_numpy()
    return eye, eye + away[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _unwatched(
    register: pd.DataFrame,
    true: pd.DataFrame,
    plots: Plots,
    solid: shapely.STRtree,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Door fronts that no camera can have in view, whatever its record lacks."""
    spot = np.empty((0, 2))
    for _ in range(ROUNDS):
        row = rng.choice(len(plots), 4 * count + 100)
        out = plots.door[row] - plots.centre[row]
        out /= np.maximum(np.hypot(*out.T), 1e-9)[:, None]
        place = plots.door[row] + out + plots.along[row] * rng.uniform(-4, 4, (len(row), 1))
        free = ~_in_reach(register, true, place, plots.shape[plots.floors >= HIGH_FLOORS]) & ~_near(
            solid, place, 0.2
        )
        spot = np.concatenate([spot, place[free]])
        if len(spot) >= count:
            return spot[:count]
    raise BadInputError(f"demo city: {count} unwatched places do not exist; give it fewer cameras")


def _in_reach(register: pd.DataFrame, true: pd.DataFrame, place: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether some camera may have the places in view: what its record lacks is taken at its widest."""
    stated, fov = (register[c].to_numpy(dtype=float) for c in ("range_m", "fov_deg"))
    code = register["direction_type"].map(dict(zip(_DIRECTION, np.arange(8) * 45.0, strict=True)))
    bearing = register["bearing_deg"].fillna(code).to_numpy(dtype=float)
    narrow = np.radians(np.minimum(np.where(np.isnan(fov), 35.0, fov), 150.0))
    pixels = true["resolution_px"].to_numpy() / (2 * _PPM[3] * np.tan(narrow / 2))
    reach = np.where(np.isnan(stated), np.maximum(pixels, 100.0), stated) + 3.0
    widest = np.where(true["ptz_type"] == 6, 360.0, 90.0)
    half = np.where(np.isnan(fov), widest, fov) / 2 + 2.0
    eyes = true[["x", "y"]].to_numpy()
    near, camera = shapely.STRtree(shapely.points(eyes)).query(
        shapely.points(place), predicate="dwithin", distance=float(reach.max())
    )
    step = place[near] - eyes[camera]
    turn = np.degrees(np.arctan2(step[:, 0], step[:, 1])) - bearing[camera]
    looks = np.abs((turn + 180.0) % 360.0 - 180.0) <= half[camera]  # without any bearing it looks nowhere
    hit = np.flatnonzero((np.hypot(*step.T) <= reach[camera]) & looks)
    hit = hit[~_hidden(eyes[camera[hit]], place[near[hit]], high)]
    result = np.zeros(len(place), dtype=bool)
    result[near[hit]] = True
    return result


def _hidden(eye: np.ndarray, place: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether a metre or more of a building higher than any camera lies on the way."""
    sight = shapely.linestrings(np.stack([eye, place], axis=1))
    line, block = shapely.STRtree(high).query(sight, predicate="intersects")
    inside = shapely.length(shapely.intersection(sight[line], high[block]))
    result = np.zeros(len(eye), dtype=bool)
    result[line[inside > 1.0]] = True
    return result


def _near(solid: shapely.STRtree, place: np.ndarray, within_m: float) -> np.ndarray:
    result = np.zeros(len(place), dtype=bool)
    result[np.unique(solid.query(shapely.points(place), predicate="dwithin", distance=within_m)[0])] = True
    return result


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
