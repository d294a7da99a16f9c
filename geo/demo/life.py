"""What happens in the demo city: incidents with planted hot spots, hazards, facilities, counts (警情等)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from scipy.spatial import cKDTree

from geo.demo import plots as pt
from geo.demo.text import joined, numbers

if TYPE_CHECKING:
    from geo.demo.plan import Plan, Size
    from geo.demo.plots import Plots
    from geo.demo.streets import Streets

DAYS = 180
_DAY, _PEAKS, _EVENING, _NIGHT = range(4)
_HOURS = np.array(
    [
        [1, 1, 1, 1, 1, 1, 2, 4, 7, 9, 9, 8, 6, 6, 8, 9, 9, 8, 6, 5, 4, 3, 2, 1],
        [1, 1, 1, 1, 1, 2, 5, 12, 11, 6, 5, 6, 6, 5, 5, 6, 9, 13, 10, 6, 4, 3, 2, 1],
        [3, 2, 2, 1, 1, 1, 1, 2, 3, 4, 4, 5, 5, 4, 4, 5, 6, 8, 10, 11, 11, 9, 7, 5],
        [9, 8, 5, 3, 2, 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 2, 2, 3, 4, 6, 9, 12, 13, 12],
    ],
    dtype=float,
)
_WEEK = np.array(
    [
        [1.1, 1.1, 1.05, 1.05, 1.1, 0.8, 0.8],
        [1.1, 1.05, 1.05, 1.05, 1.2, 0.85, 0.7],
        [0.9, 0.9, 0.9, 0.95, 1.15, 1.15, 1.05],
        [0.8, 0.8, 0.85, 0.9, 1.3, 1.4, 0.95],
    ]
)
CATEGORIES = {  # share, rhythm, on the street rather than at a door, severity 3 or worse
    "矛盾纠纷": (0.17, _DAY, 0.05, 0.15),
    "盗窃": (0.13, _EVENING, 0.35, 0.45),
    "交通事故": (0.14, _PEAKS, 0.98, 0.35),
    "噪声扰民": (0.12, _NIGHT, 0.10, 0.02),
    "环境卫生": (0.14, _DAY, 0.70, 0.02),
    "设施损坏": (0.09, _DAY, 0.80, 0.08),
    "消防隐患": (0.07, _DAY, 0.15, 0.50),
    "电信诈骗": (0.05, _DAY, 0.00, 0.60),
    "打架斗殴": (0.04, _NIGHT, 0.45, 0.70),
    "燃气泄漏": (0.02, _EVENING, 0.05, 0.85),
    "走失求助": (0.03, _DAY, 0.55, 0.40),
}
_HOT = ("盗窃", "噪声扰民", "打架斗殴", "环境卫生", "交通事故")
_PATTERNS = ("persistent", "new", "intensifying", "diminishing")
SERVICES = ("独居老人", "残疾人", "困境儿童", "低保家庭", "慢病随访")
_FACILITIES = {  # per 1,000 buildings, name, share that is not ok
    "smoke_alarm": (220, "烟感", 0.05),
    "lpg_cylinder": (90, "液化气瓶", 0.08),
    "ebike_charger": (110, "充电桩", 0.06),
    "hydrant": (70, "消火栓", 0.04),
    "aed": (9, "AED", 0.03),
    "clinic": (7, "卫生服务站", 0.0),
    "shelter": (2, "应急避难场所", 0.0),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """Where things happen: doors with a weight, and points on the streets."""

    door: np.ndarray
    weight: np.ndarray
    street_point: np.ndarray
    address: np.ndarray  # standard text of each door


def ground(
    plan: Plan, streets: Streets, plots: Plots, standard: np.ndarray, rng: np.random.Generator
) -> Ground:
    """Weights by village, urban over rural, and points every 25 m of street."""
    by_village = rng.lognormal(0, 0.7, plan.village.max() + 1)
    weight = by_village[plan.village[plots.cell]] * np.where(plots.kind == pt.POI, 12.0, 1.0)
    busy = np.array([0.2, 3.0, 2.0, 1.0, 0.25, 0.3])[streets.cls]
    count = np.maximum(rng.poisson(shapely.length(streets.line) / 25.0 * busy), 1)
    line = np.repeat(streets.line, count)
    at = rng.random(len(line)) * 0.96 + 0.02
    point = shapely.get_coordinates(shapely.line_interpolate_point(line, at, normalized=True))
    return Ground(plots.door, weight, point, standard)


def hot_spots(
    plan: Plan, here: Ground, size: Size, today: pd.Timestamp, rng: np.random.Generator
) -> pd.DataFrame:
    """Choose places, categories and times of the planted hot spots (埋设热点): the truth for tests.

    Returns
    -------
    DataFrame
        `hotspot_id` index; `x`, `y` (metres), `radius_m`, `category`, `pattern` (persistent, new,
        intensifying, diminishing), `starts`, `ends` (dates, end excluded).
    """
    n = size.hot_spots
    depth_m = shapely.distance(shapely.points(here.door), plan.outline.exterior)
    weight = here.weight * (depth_m > min(230.0, np.quantile(depth_m, 0.8)))
    count = min(60 * n, int(np.count_nonzero(weight)))
    order = rng.choice(len(here.door), count, replace=False, p=weight / weight.sum())
    chosen: list[int] = []
    gap = min(0.12 * np.ptp(here.door, axis=0).min(), 1_500.0)
    for row in order:  # far apart: a few dozen at most
        if len(chosen) < n and all(np.hypot(*(here.door[row] - here.door[c])) > gap for c in chosen):
            chosen.append(int(row))
    k = np.arange(len(chosen))
    pattern = np.array(_PATTERNS)[k % len(_PATTERNS)]
    length = np.where(pattern == "new", 21, DAYS)
    end = today.tz_localize(None).normalize()
    return pd.DataFrame(
        {
            "x": np.round(here.door[chosen, 0], 1),
            "y": np.round(here.door[chosen, 1], 1),
            "radius_m": np.minimum(rng.choice([120.0, 160.0, 200.0], len(k)), np.floor(depth_m[chosen] - 20)),
            "category": np.array(_HOT, dtype=object)[(k + rng.integers(0, 5)) % len(_HOT)],
            "pattern": pattern,
            "starts": end - pd.to_timedelta(length, unit="D"),
            "ends": end,
        },
        index=pd.Index([f"H{i + 1:02d}" for i in k], name="hotspot_id"),
    )


def incidents(
    plan: Plan, here: Ground, hot: pd.DataFrame, size: Size, today: pd.Timestamp, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Incidents of 180 days (警情), and the hot spots with how many incidents each was given."""
    n = size.incidents
    share = np.array([c[0] for c in CATEGORIES.values()])
    category = rng.choice(len(share), n, p=share / share.sum()).astype(np.int8)
    xy, door = _places(category, here, rng)
    day, second = _times(category, today, rng)
    hot = _plant(hot, category, xy, door, day, second, today, here, rng)
    outside = ~_inside(plan, xy)
    xy[outside] = here.door[rng.choice(len(here.door), int(outside.sum()))]
    order = np.lexsort([second, day])
    return _records(category[order], xy[order], door[order], day[order], second[order], here, today, rng), hot


def _inside(plan: Plan, xy: np.ndarray) -> np.ndarray:
    inner = plan.outline.buffer(-15.0)
    shapely.prepare(inner)
    return shapely.contains_xy(inner, xy[:, 0], xy[:, 1])


def _places(category: np.ndarray, here: Ground, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Point of each incident and the door it was reported at (-1 on the street)."""
    n = len(category)
    street = rng.random(n) < np.array([c[2] for c in CATEGORIES.values()])[category]
    total = np.cumsum(here.weight)
    door = np.minimum(np.searchsorted(total, rng.random(n) * total[-1]), len(total) - 1)
    door[street] = -1
    xy = here.door[door] + rng.normal(0, 6.0, (n, 2))
    at = rng.integers(0, len(here.street_point), int(street.sum()))
    xy[street] = here.street_point[at] + rng.normal(0, 3.0, (len(at), 2))
    return np.round(xy, 2), door


def _times(
    category: np.ndarray, today: pd.Timestamp, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Day (0 to 179) and second of the day, local time, by each category's rhythm."""
    n = len(category)
    weekday = (today.weekday() - DAYS + np.arange(DAYS)) % 7
    season = 1 + 0.08 * np.sin(2 * np.pi * np.arange(DAYS) / DAYS)
    noise = rng.lognormal(0, 0.05, DAYS)
    day, second = np.empty(n, dtype=np.int16), np.empty(n, dtype=np.int32)
    for c, (_, rhythm, _, _) in enumerate(CATEGORIES.values()):
        rows = np.flatnonzero(category == c)
        by_day = season * noise * _WEEK[rhythm][weekday]
        day[rows] = _drawn(by_day, len(rows), rng)
        second[rows] = _drawn(_HOURS[rhythm], len(rows), rng) * 3600 + rng.integers(0, 3600, len(rows))
    return day, second


def _drawn(weight: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    total = np.cumsum(weight)
    return np.minimum(np.searchsorted(total, rng.random(count) * total[-1], side="right"), len(weight) - 1)


def _plant(
    hot: pd.DataFrame,
    category: np.ndarray,
    xy: np.ndarray,
    door: np.ndarray,
    day: np.ndarray,
    second: np.ndarray,
    today: pd.Timestamp,
    here: Ground,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Move random incidents into the hot spots: several times what happens there anyway."""
    names = list(CATEGORIES)
    tree = cKDTree(here.door)
    background = np.zeros(len(hot), dtype=int)
    planted = np.zeros(len(hot), dtype=int)
    cap = len(category) // (8 * max(len(hot), 1))
    free = rng.permutation(len(category))
    end = today.tz_localize(None).normalize()
    for i, spot in enumerate(hot.itertuples()):  # a few dozen
        c = names.index(spot.category)
        first = DAYS - (end - spot.starts).days
        near = (category == c) & (day >= first) & (np.hypot(*(xy - [spot.x, spot.y]).T) <= spot.radius_m)
        background[i] = int(near.sum())
        planted[i] = min(max(40, 4 * background[i]), cap)
        rows, free = free[: planted[i]], free[planted[i] :]
        u = rng.random(len(rows))
        u = {"intensifying": np.sqrt(u), "diminishing": 1 - np.sqrt(u)}.get(spot.pattern, u)
        day[rows] = first + np.minimum(u * (DAYS - first), DAYS - first - 1).astype(int)
        second[rows] = (
            _drawn(_HOURS[CATEGORIES[spot.category][1]], len(rows), rng) * 3600 + second[rows] % 3600
        )
        angle, away = rng.uniform(0, 2 * np.pi, len(rows)), spot.radius_m * np.sqrt(rng.random(len(rows)))
        xy[rows] = np.round(
            np.array([spot.x, spot.y]) + away[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), 2
        )
        category[rows] = c
        door[rows] = tree.query(xy[rows])[1]
    return hot.assign(background=background, planted=planted)


def _records(
    category: np.ndarray,
    xy: np.ndarray,
    door: np.ndarray,
    day: np.ndarray,
    second: np.ndarray,
    here: Ground,
    today: pd.Timestamp,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Fill the columns; times in UTC. What would close after `today` is still open."""
    n = len(category)
    source = rng.choice(3, n, p=[0.62, 0.28, 0.10])
    severity = np.where(rng.random(n) < np.array([c[3] for c in CATEGORIES.values()])[category], 3, 4)
    severity = np.where((severity == 3) & (rng.random(n) < 0.08), 2, severity)
    start = today.normalize() - pd.Timedelta(days=DAYS)
    zero = np.datetime64(start.tz_convert("UTC").tz_localize(None), "s")
    end = np.datetime64(today.normalize().tz_convert("UTC").tz_localize(None), "s")
    occurred = zero + day.astype("timedelta64[D]") + second.astype("timedelta64[s]")
    delay = rng.exponential(np.array([600.0, 2400.0, 8.0])[source]).astype("timedelta64[s]")
    reported = np.minimum(occurred + delay, end)
    taken = np.minimum(rng.lognormal(np.log(6 * 3600), 1.1, n), 40 * 86400).astype("timedelta64[s]")
    closed = reported + taken
    open_ = (closed >= end) | (rng.random(n) < 0.008)
    progress = rng.integers(0, 6, n)
    stages = np.array(["found", "screened", "filed", "assigned", "handling", "feedback", "closed"])
    serial = np.arange(n) - np.searchsorted(day, day) + 1
    days = pd.date_range(start.tz_localize(None), periods=DAYS).strftime("%Y%m%d").to_numpy()
    address = pa.array(here.address).take(pa.array(np.where(door < 0, 0, door)))
    address = pd.Series(pd.array(address, dtype="str")).mask(door < 0)
    due = np.array([0, 12, 24, 48, 72])[severity].astype("timedelta64[h]")
    return pd.DataFrame(
        {
            "incident_id": joined("J", _picked(days, day), numbers(serial, 6)),
            "occurred_at": pd.DatetimeIndex(occurred).tz_localize("UTC"),
            "reported_at": pd.DatetimeIndex(reported).tz_localize("UTC"),
            "category": pd.array(_picked(np.array(list(CATEGORIES)), category), dtype="str"),
            "severity": severity,
            "source": pd.array(_picked(np.array(["reported", "discovered", "sensor"]), source), dtype="str"),
            "stage": pd.array(_picked(stages, np.where(open_, progress, 6)), dtype="str"),
            "closed_at": pd.DatetimeIndex(np.where(open_, np.datetime64("NaT"), closed)).tz_localize("UTC"),
            "due_at": pd.DatetimeIndex(reported + due).tz_localize("UTC"),
            "radius_m": np.array([15.0, 5.0, 2.0])[source],
            "address": address,
            "geometry": shapely.points(xy),
        }
    )


def _picked(values: np.ndarray, index: np.ndarray) -> pa.Array:
    return pa.array(values.astype(object)).take(pa.array(index))


def people(plan: Plan, plots: Plots, today: pd.Timestamp, rng: np.random.Generator) -> pd.DataFrame:
    """Counts per base grid and service category (服务对象计数): no person is a row."""
    built = np.bincount(plots.cell, weights=plots.floors, minlength=len(plan.cells))
    rate = np.array([0.06, 0.035, 0.006, 0.02, 0.09])
    count = rng.poisson(built[:, None] * rate)
    grid, category = np.nonzero(count >= 0)
    return pd.DataFrame(
        {
            "people_id": joined(plan.base_id[grid], "-", numbers(category)),
            "grid_id": plan.base_id[grid],
            "category": np.array(SERVICES, dtype=object)[category],
            "count": count.ravel(),
            "as_of": today.tz_localize(None).normalize(),
        }
    )


def facilities(
    plan: Plan,
    plots: Plots,
    standard: np.ndarray,
    today: pd.Timestamp,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Facilities (物防设施): alarms and chargers at buildings, hydrants by the street, posts and stations."""
    parts: list[tuple[str, np.ndarray, np.ndarray, float]] = []
    for what, (per_thousand, _, share) in _FACILITIES.items():
        row = rng.integers(0, len(plots), max(int(len(plots) * per_thousand / 1000), 2))
        at = plots.door[row] if what in {"hydrant", "ebike_charger"} else plots.centre[row]
        parts.append((what, row, at, share))
    first_of = {"police_station": plan.town, "fire_station": plan.district, "police_post": plan.village // 4}
    for what, group in first_of.items():
        row = _one_per(group[plots.cell], rng)
        parts.append((what, row, plots.door[row], 0.0))
    row = np.flatnonzero(plots.kind == pt.POI)
    parts.append(("poi", row, plots.centre[row], 0.0))
    kind = np.concatenate([np.full(len(p[1]), p[0], dtype=object) for p in parts])
    row = np.concatenate([p[1] for p in parts])
    bad = np.concatenate([np.full(len(p[1]), p[3]) for p in parts])
    n = len(row)
    luck = rng.random(n)
    state = np.where(
        luck < bad * 0.2, "alarm", np.where(luck < bad * 0.6, "fault", np.where(luck < bad, "offline", "ok"))
    )
    seen = today.tz_convert("UTC") - pd.to_timedelta(rng.integers(60, 3600, n), unit="s")
    seen = seen.where(state != "offline", seen - pd.Timedelta(days=3))
    linked = np.isin(kind, ("smoke_alarm", "lpg_cylinder", "ebike_charger", "hydrant", "aed"))
    poi = kind == "poi"
    town, village = (
        plan.town_name[plan.town[plots.cell[row]]],
        plan.village_name[plan.village[plots.cell[row]]],
    )
    label = {k: v[1] for k, v in _FACILITIES.items()} | {
        "police_station": "派出所", "fire_station": "消防救援站", "police_post": "警务室", "poi": "",
    }  # fmt: skip
    name = np.where(np.isin(kind, ("police_station", "fire_station")), town, village) + pd.Series(kind).map(
        label
    ).to_numpy(dtype=object)
    name[poi] = plots.group_name[plots.group[row[poi]]]
    return pd.DataFrame(
        {
            "facility_id": joined("W", numbers(np.arange(n) + 1, 7)),
            "kind": kind,
            "name": name,
            "state": np.where(linked, state, "ok"),
            "last_seen_at": seen.where(linked),
            "address": standard[row],
            "geometry": shapely.points(np.round(np.concatenate([p[2] for p in parts]), 2)),
        }
    )


def _one_per(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    order = rng.permutation(len(group))
    return np.sort(order[np.unique(group[order], return_index=True)[1]])


def hazards(plots: Plots, size: Size, today: pd.Timestamp, rng: np.random.Generator) -> pd.DataFrame:
    """Hazards (隐患) at buildings: some open, some of those overdue."""
    n = max(size.incidents // 60, 30)
    row = rng.integers(0, len(plots), n)
    kinds = {"fire": "消防通道堵塞", "gas": "燃气软管老化", "electric": "私拉电线", "building": "外墙脱落风险",
             "production": "作业不规范", "traffic": "占道经营", "water": "临水无护栏"}  # fmt: skip
    kind = rng.choice(list(kinds), n, p=[0.34, 0.14, 0.18, 0.08, 0.10, 0.12, 0.04])
    level = rng.choice([1, 2, 3, 4], n, p=[0.06, 0.18, 0.40, 0.36])
    now = today.tz_convert("UTC")
    found = now - pd.to_timedelta(rng.integers(3600, DAYS * 86400, n), unit="s")
    due = found + pd.to_timedelta(np.array([0, 3, 7, 15, 30])[level], unit="D")
    fixed = found + pd.to_timedelta((rng.lognormal(np.log(6), 0.9, n) * 86400).astype(int), unit="s")
    return pd.DataFrame(
        {
            "hazard_id": joined("Y", numbers(np.arange(n) + 1, 6)),
            "kind": kind,
            "level": level,
            "name": pd.Series(kind).map(kinds),
            "found_at": found,
            "due_at": due,
            "fixed_at": fixed.where((fixed < now) & (rng.random(n) < 0.93)),
            "geometry": shapely.points(np.round(plots.centre[row] + rng.normal(0, 2.0, (n, 2)), 2)),
        }
    )
