"""Buildings with heights along the streets, and their standard addresses (建筑与标准地址)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo.demo import streets as st
from geo.demo.text import CITY, joined, numbers, roots

if TYPE_CHECKING:
    from geo.demo.plan import Plan, Size
    from geo.demo.streets import Streets

STEP_M = 30.0
SETBACK_M = 7.0
RUN = 5  # slots of one compound or point of interest
PLAIN, COMPOUND, POI, LANE = range(4)
POI_KINDS = (
    ("mall", "购物广场"), ("school", "实验学校"), ("hospital", "医院"), ("market", "农贸市场"),
    ("hotel", "大酒店"), ("park", "科技园"), ("office", "政务大厅"), ("bank", "农商银行支行"),
)  # fmt: skip
COMPOUND_TAILS = ("花园", "小区", "家园", "新村", "公寓", "苑小区")


@dataclass(frozen=True, slots=True)
class Plots:
    """One row per building: where it stands and what its address says."""

    shape: np.ndarray
    door: np.ndarray  # (n, 2) front edge towards the street, metres
    centre: np.ndarray  # (n, 2)
    along: np.ndarray  # (n, 2) unit vector of the street
    floors: np.ndarray
    kind: np.ndarray  # PLAIN, COMPOUND, POI
    street: np.ndarray  # row in streets
    number: np.ndarray  # door number, odd on the left of the street's direction
    side: np.ndarray  # +1 left, -1 right
    group: np.ndarray  # compound or point of interest; -1 for plain
    block: np.ndarray  # number of the building in its compound, from 1; 0 elsewhere
    cell: np.ndarray  # row of the base grid
    group_name: np.ndarray
    group_poi: np.ndarray  # index in POI_KINDS, -1 for a compound

    def __len__(self) -> int:
        """Count of buildings."""
        return len(self.shape)


def make(plan: Plan, streets: Streets, water: np.ndarray, rng: np.random.Generator) -> tuple[Plots, Streets]:
    """Line every street with buildings; also returns the streets with the lanes that were opened."""
    slots = _slots(streets, rng)
    opened = slots[(slots["use"] == LANE) & slots["leads"]]
    serial = opened.groupby("street").cumcount().to_numpy() + 1
    extra = st.lanes(
        streets,
        opened[["x", "y"]].to_numpy(),
        opened[["nx", "ny"]].to_numpy(),
        opened["street"].to_numpy(),
        serial,
    )
    inside = shapely.contains_properly(plan.outline.buffer(-20.0), extra.line) if len(opened) else []
    extra = st.Streets(*(getattr(extra, f)[inside] for f in ("line", "name", "cls", "road")))
    everything = streets.plus(extra)
    more = _slots(extra, rng, quiet=True)
    more["street"] += len(streets.line)
    slots = pd.concat([slots[slots["use"] != LANE], more], ignore_index=True)
    slots["group"] = slots.groupby(["street", "side", "run"], sort=False).ngroup()
    slots.loc[slots["use"] == PLAIN, "group"] = -1
    built = _footprints(slots, everything, rng)
    shape = shapely.polygons(built.pop("corners"))
    keep = _free(shape, everything, plan, water, slots.take(built["slot"])["use"].to_numpy() == POI)
    return _finished(plan, slots, shape, built, keep, rng), everything


def _slots(streets: Streets, rng: np.random.Generator, *, quiet: bool = False) -> pd.DataFrame:
    """Every place for a front door: a step along a street on one side, and what the run it is in holds."""
    length = shapely.length(streets.line)
    count = np.maximum(((length - 24.0) / STEP_M).astype(int), 0)
    street = np.repeat(np.arange(len(count)), count)
    k = np.arange(len(street)) - np.repeat(np.cumsum(count) - count, count)
    at = 18.0 + STEP_M * k
    line = streets.line[street]
    x, y = shapely.get_coordinates(shapely.line_interpolate_point(line, at)).T
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(line, at + 2.0))
    behind = shapely.get_coordinates(shapely.line_interpolate_point(line, at - 2.0))
    along = ahead - behind
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    frame = pd.DataFrame({"street": street, "k": k, "x": x, "y": y, "ax": along[:, 0], "ay": along[:, 1]})
    frame = pd.concat([frame.assign(side=1), frame.assign(side=-1)], ignore_index=True)
    frame["nx"] = -frame["ay"] * frame["side"]
    frame["ny"] = frame["ax"] * frame["side"]
    frame["number"] = 2 * frame["k"] + np.where(frame["side"] == 1, 1, 2)
    frame["run"] = frame["k"] // RUN
    cls = streets.cls[frame["street"]]
    run = frame.groupby(["street", "side", "run"], sort=False).ngroup().to_numpy()
    luck = rng.random(run.max() + 1 if len(run) else 0)[run]
    use = np.full(len(frame), PLAIN)
    if not quiet:
        town = np.isin(cls, (st.PRIMARY, st.SECONDARY, st.RESIDENTIAL))
        big = min(0.93, float(np.sort(np.unique(luck[town]))[-6:].min(initial=1.0)))
        use[town & (luck < 0.34)] = COMPOUND
        use[town & (luck >= big)] = POI
        use[town & (luck > 0.85) & (luck < big)] = LANE
    frame["use"] = use
    frame["leads"] = frame["k"] % RUN == 2
    sparse = np.array([0.10, 0.82, 0.85, 0.85, 0.8, 0.9])[cls]
    single = np.isin(use, (POI, LANE))
    here = np.where(single, frame["leads"], rng.random(len(frame)) < np.where(use == COMPOUND, 0.97, sparse))
    return frame[here].reset_index(drop=True)


def _footprints(slots: pd.DataFrame, streets: Streets, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Rectangles parallel to the street: one per slot, up to four rows deep in a compound."""
    use = slots["use"].to_numpy()
    cls = streets.cls[slots["street"]]
    depth_rows = rng.integers(2, 5, int(slots["group"].max()) + 2)[slots["group"]]
    rows = np.where(use == COMPOUND, np.where(cls == st.RESIDENTIAL, 2, depth_rows), 1)
    slot = np.repeat(np.arange(len(slots)), rows)
    row = np.arange(len(slot)) - np.repeat(np.cumsum(rows) - rows, rows)
    poi = use[slot] == POI
    n = len(slot)
    width = np.where(poi, rng.uniform(60, 110, n), rng.uniform(13, 24, n))
    deep = np.where(poi, rng.uniform(40, 70, n), rng.uniform(9, 13, n))
    village = np.isin(cls[slot], (st.VILLAGE, st.LANE, st.TRUNK))
    width, deep = (
        np.where(village, rng.uniform(9, 15, n), width),
        np.where(village, rng.uniform(7, 10, n), deep),
    )
    front = (
        streets.width_m[slots["street"].to_numpy()[slot]] / 2 + np.where(village, 3.0, SETBACK_M) + 25.0 * row
    )
    point, along, normal = (slots[c].to_numpy()[slot] for c in (["x", "y"], ["ax", "ay"], ["nx", "ny"]))
    door = point + normal * front[:, None]
    a, d = along * (width / 2)[:, None], normal * deep[:, None]
    corners = np.stack([door - a, door + a, door + a + d, door - a + d], axis=1)
    high = rng.choice([6, 6, 6, 11, 18, 26], int(slots["group"].max()) + 2)[slots["group"]][slot]
    low = rng.choice([1, 2, 2, 3, 4, 5, 6], n)
    floors = np.where(use[slot] == COMPOUND, high, np.where(village, 1 + (low > 3), low))
    gate = point + normal * (streets.width_m[slots["street"].to_numpy()[slot]] / 2 + 2.0)[:, None]
    return {"corners": corners, "slot": slot, "row": row, "door": door, "gate": gate, "floors": floors,
            "deep": deep}  # fmt: skip


def _free(
    shape: np.ndarray, streets: Streets, plan: Plan, water: np.ndarray, first: np.ndarray
) -> np.ndarray:
    """Which buildings stand free: in the city, off the streets and the water, not on an earlier building."""
    rank = np.lexsort([np.arange(len(shape)), ~first]).argsort()
    inner = plan.outline.buffer(-2.0)
    shapely.prepare(inner)
    keep = shapely.contains_properly(inner, shape)
    building, street = shapely.STRtree(streets.line).query(
        shape, predicate="dwithin", distance=float(streets.width_m.max()) / 2 + 1.0
    )
    close = shapely.distance(shape[building], streets.line[street]) < streets.width_m[street] / 2 + 0.5
    keep[building[close]] = False
    if len(water):
        keep[shapely.STRtree(water).query(shape, predicate="intersects")[0]] = False
    rows = np.flatnonzero(keep)
    a, b = shapely.STRtree(shape[rows]).query(shape[rows], predicate="intersects")
    later = rank[rows[a]] > rank[rows[b]]
    keep[rows[a[later]]] = False
    return keep


def _finished(
    plan: Plan,
    slots: pd.DataFrame,
    shape: np.ndarray,
    built: dict[str, np.ndarray],
    keep: np.ndarray,
    rng: np.random.Generator,
) -> Plots:
    """Number the kept buildings, name their groups and find their grids."""
    rows = np.flatnonzero(keep)
    slot = built["slot"][rows]
    centre = shapely.get_coordinates(shapely.centroid(shape[rows]))
    cell = plan.locate(built["door"][rows])
    good = cell >= 0
    rows, slot, centre, cell = rows[good], slot[good], centre[good], cell[good]
    frame = slots.take(slot).reset_index(drop=True)
    frame["row"] = built["row"][rows]
    group = pd.factorize(frame["group"].where(frame["group"] >= 0))[0]
    number = frame["number"].to_numpy().copy()
    grouped = group >= 0
    lowest = frame.loc[grouped, "number"].groupby(group[grouped]).transform("min")
    number[grouped] = lowest
    use = frame["use"].to_numpy()
    block = np.zeros(len(frame), dtype=int)
    compound = use == COMPOUND
    order = frame[compound].assign(group=group[compound]).sort_values(["group", "row", "k"])
    block[order.index] = order.groupby("group").cumcount() + 1
    groups = int(group.max()) + 1
    poi = np.full(groups, -1)
    poi[group[use == POI]] = rng.permutation(np.count_nonzero(use == POI)) % len(POI_KINDS)
    tail = np.array([t for _, t in POI_KINDS], dtype=object)
    name = np.array(roots(rng, groups), dtype=object) + np.where(
        poi >= 0, tail[poi], rng.choice(np.array(COMPOUND_TAILS, dtype=object), groups)
    )
    return Plots(
        shape=shape[rows],
        door=built["door"][rows],
        centre=centre,
        along=frame[["ax", "ay"]].to_numpy(),
        floors=built["floors"][rows],
        kind=use,
        street=frame["street"].to_numpy(),
        number=number,
        side=frame["side"].to_numpy(),
        group=group,
        block=block,
        cell=cell,
        group_name=name,
        group_poi=poi,
    )


def buildings(plots: Plots, rng: np.random.Generator) -> pd.DataFrame:
    """Buildings (建筑): 3 m a floor and a parapet; a few heights and names are missing, as in real layers."""
    height = 3.0 * plots.floors + rng.uniform(0.3, 1.2, len(plots))
    height[rng.random(len(plots)) < 0.03] = np.nan
    name = np.full(len(plots), None, dtype=object)
    poi = plots.kind == POI
    name[poi] = plots.group_name[plots.group[poi]]
    return pd.DataFrame(
        {
            "building_id": joined("B", numbers(np.arange(len(plots)), 7)),
            "name": name,
            "height_m": np.round(height, 1),
            "floors": plots.floors,
            "geometry": plots.shape,
        }
    )


def addresses(
    plan: Plan, streets: Streets, plots: Plots, size: Size, rng: np.random.Generator
) -> pd.DataFrame:
    """Standard addresses (标准地址): doors, compounds, buildings, households and points of interest.

    `level` is the element code of GA/T 2000.32: 42 compound, 43 unit or point of interest, 50 building or
    door, 62 room. Levels follow each other: every room's building and compound are rows too.
    """
    n = len(plots)
    compound = plots.kind == COMPOUND
    poi = plots.kind == POI
    level = np.where(poi, 43, 50)
    first = np.flatnonzero(compound & ~pd.Series(plots.group).duplicated().to_numpy())
    room = _rooms(plots, size, rng)
    row = np.concatenate([np.arange(n), first, room["plot"]])
    levels = np.concatenate([level, np.full(len(first), 42), np.full(len(room), 62)])
    unit = np.concatenate([np.zeros(n + len(first), dtype=int), room["unit"]])
    door = np.concatenate([np.zeros(n + len(first), dtype=int), room["room"]])
    point = plots.door[row]
    block = np.where(levels == 42, 0, plots.block[row])
    return _address_rows(plan, streets, plots, row, levels, block, unit, door, point)


def _rooms(plots: Plots, size: Size, rng: np.random.Generator) -> pd.DataFrame:
    """Households: every unit, floor and room of the buildings of some compounds."""
    listed = rng.random(len(plots.group_name)) < size.household_share
    plot = np.flatnonzero((plots.kind == COMPOUND) & listed[plots.group])
    units = np.where(plots.floors[plot] > 11, 1, 2)
    count = units * plots.floors[plot] * 2
    which = np.repeat(np.arange(len(plot)), count)
    k = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    floor = k // 2 % plots.floors[plot][which] + 1
    unit = k // 2 // plots.floors[plot][which] + 1
    return pd.DataFrame({"plot": plot[which], "unit": unit, "room": floor * 100 + k % 2 + 1})


def _address_rows(
    plan: Plan,
    streets: Streets,
    plots: Plots,
    row: np.ndarray,
    level: np.ndarray,
    block: np.ndarray,
    unit: np.ndarray,
    room: np.ndarray,
    point: np.ndarray,
) -> pd.DataFrame:
    """Spell the addresses; an element that does not apply is missing."""
    cell = plots.cell[row]
    street = plots.street[row]
    lane = streets.cls[street] == st.LANE
    road = streets.road[street].astype(object)
    named = road != ""
    tail = _suffix(streets.name[street], road, lane)
    group = plots.group[row]
    grouped = group >= 0
    group_name = (
        np.where(grouped, plots.group_name[group], "") if len(plots.group_name) else np.full(len(row), "")
    )
    style = np.array(["号楼", "栋", "幢"], dtype=object)[group % 3]
    block_text = np.where(block > 0, joined(numbers(block), style).to_numpy(dtype=object), "")
    unit_text = np.where(unit > 0, joined(numbers(unit), "单元").to_numpy(dtype=object), "")
    room_text = np.where(room > 0, joined(numbers(room), "室").to_numpy(dtype=object), "")
    number = joined(numbers(plots.number[row]), "号").to_numpy(dtype=object)
    district = plan.district_name[plan.district[cell]]
    town = plan.town_name[plan.town[cell]]
    village = plan.village_name[plan.village[cell]]
    body = [CITY, district, town, np.where(named, "", village), road, tail, number, group_name, block_text,
            unit_text, room_text]  # fmt: skip
    parts = {"road": road, "lane": tail, "compound": group_name, "building": block_text,
             "unit": unit_text, "room": room_text}  # fmt: skip
    blank = {k: pd.Series(v, dtype=object).replace("", None) for k, v in parts.items()}
    return pd.DataFrame(
        {
            "address_id": joined("A", numbers(np.arange(len(row)), 8)),
            "standard": joined(*body),
            "district": district,
            "town": town,
            "village": village,
            "number": number,
            **blank,
            "level": level,
            "grid_id": plan.base_id[cell],
            "geometry": shapely.points(point),
        }
    )


def _suffix(name: np.ndarray, road: np.ndarray, lane: np.ndarray) -> np.ndarray:
    """What a lane's name adds to its road's ("3巷"); empty for a road."""
    out = np.full(len(name), "", dtype=object)
    rows = np.flatnonzero(lane)
    out[rows] = [a[len(b) :] for a, b in zip(name[rows], road[rows], strict=True)]
    return out
