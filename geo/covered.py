"""What a city's cameras cover (全市覆盖): the analyses of `geo.coverage` on a City, each once per table version.

Secret cameras (涉密) are left out before anything is computed unless `secret` is asked for: no figure, map or
list below the role that may see them can give them away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.camera import completeness, devices, poles
from geo.camera.health import rates
from geo.camera.history import current_states, on_at, online_rates, state_log
from geo.camera.pixels import pixels_per_m
from geo.count import roll_up
from geo.coverage import blind_spot, outage, staircase
from geo.coverage import ledger as book
from geo.coverage.cordon import cordon, watched_edges
from geo.coverage.forbidden import forbidden_views
from geo.coverage.fraction import COVERED_SHARE
from geo.coverage.interval import interval
from geo.coverage.network import network
from geo.coverage.view import scene
from geo.coverage.watch import STEPS, part, watch
from geo.coverage.what_if import what_if
from geo.errors import NotFoundError, UnknownNameError
from geo.target import CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from geo.city import City
    from geo.coverage.fraction import Cells
    from geo.coverage.interval import Interval
    from geo.coverage.network import Network
    from geo.coverage.staircase import Survey
    from geo.coverage.view import Scene
    from geo.coverage.watch import Watch
    from geo.coverage.what_if import Change

WATCHED = ("cameras", "camera_states", "buildings", "occluders")
MOMENTS = 60  # of a period, at which the effective rate is looked up
GROUND = (*WATCHED, "grids", "water")
RECENT = pd.Timedelta(days=90)
GROUPS = {"camera": "监控点", "pole": "杆件", "switch": "交换机 / 供电回路", "unit": "管理单位"}


def scene_of(city: City) -> Scene:
    """Buildings and extra occluders, prepared (遮挡场景)."""
    return city.derive("scene", ("buildings", "occluders"), lambda: scene(city.buildings, city.occluders))


def cameras_of(city: City, *, secret: bool = False) -> gpd.GeoDataFrame:
    """Cameras in their newest state that may leave a trace: without `secret`, only those that are not secret."""

    def compute() -> gpd.GeoDataFrame:
        cameras, states = city.cameras, city.degrees("camera_states")
        if len(states):
            cameras = cameras.assign(state=current_states(cameras, states).astype(cameras["state"].dtype))
        return cameras if secret else cameras[(cameras["secrecy"] != 1).fillna(value=True).to_numpy(dtype=bool)]

    return city.derive(f"cameras:{secret}", ("cameras", "camera_states"), compute)


def watch_of(city: City, *, secret: bool = False, home: bool = True) -> Watch:
    """Fields of view of the city; after a change only what the change touches is swept again (监控能力)."""
    key = f"watch:{secret}:{home}"
    last: dict[str, tuple[gpd.GeoDataFrame, Watch]] = city.derive(f"{key}:last", (), dict)

    def compute() -> Watch:
        cameras, before = cameras_of(city, secret=secret), last.get("watch")
        known = (
            None
            if before is None or before[1].fields.scene is not scene_of(city)
            else _kept(cameras, *before)
        )
        if known is not None:
            found = replace(known, on=(cameras["state"] == "on").fillna(value=False).to_numpy(dtype=bool))
        else:
            previous = None if before is None else before[1]
            found = watch(cameras, scene_of(city), home=home, previous=previous)
        last["watch"] = cameras, found
        return found

    return city.derive(key, WATCHED, compute)


def _kept(now: gpd.GeoDataFrame, then: gpd.GeoDataFrame, known: Watch) -> Watch | None:
    """What was known, in the order of a register that differs at most in who is in order; None if more changed.

    Cameras go on and off all day, and none turns for it.
    """
    order = then.index.get_indexer(now.index)
    if len(now) != len(then) or (order < 0).any():
        return None
    then = then.iloc[order]
    removed = [(t["state"] == "removed").fillna(value=False).to_numpy(dtype=bool) for t in (now, then)]
    if (removed[0] != removed[1]).any() or not now.drop(columns="state").equals(then.drop(columns="state")):
        return None
    return known if (order == np.arange(len(order))).all() else part(known, order)


def ledger_of(city: City, *, secret: bool = False) -> gpd.GeoDataFrame:
    """Target ledger with the base grid of each target (目标覆盖台账); see `coverage.ledger.ledger`."""

    def compute() -> gpd.GeoDataFrame:
        table = book.ledger(city.targets, watch_of(city, secret=secret))
        return table.assign(grid_id=grid_of(city, city.targets.geometry))

    return city.derive(f"ledger:{secret}", (*WATCHED, "targets", "grids"), compute)


def grid_of(city: City, shapes: gpd.GeoSeries) -> NDArray[np.object_]:
    """Lowest grid that holds each shape's middle (所在基础网格); empty text outside."""
    middle = shapes.representative_point()
    lon, lat = city.to_degrees(middle.x.to_numpy(), middle.y.to_numpy())
    found = city.locate(lon, lat)
    best = np.full(len(shapes), "", dtype=object)
    for level in ("town", "village", "base"):
        if level in found:
            ids = found[level].to_numpy(dtype=object)
            best = np.where(pd.isna(ids), best, ids)
    return best


def tiles_of(city: City, *, secret: bool = False) -> Cells:
    """Ground of the lowest grids cut into cells of constant visibility, one viewer a device (等重单元)."""

    def compute() -> Cells:
        cut = survey_of(city, secret=secret).by_device
        grids = city.grids
        tile = lowest(grids)[grids.index.get_indexer(cut.zones)]
        return cut.pairs(tile[cut.zone[cut.cell]])

    return city.derive(f"tiles:{secret}", GROUND, compute)


def survey_of(city: City, *, secret: bool = False) -> Survey:
    """Ground of every lowest grid, dedicated and micro-grid, cut by the fields of view (地面普查)."""

    def compute() -> Survey:
        grids = city.grids
        kinds = grids["kind"].isin(["dedicated", "micro"]).to_numpy(dtype=bool)
        zones = lowest(grids) | kinds
        return staircase.survey(
            grids.geometry[zones], watch_of(city, secret=secret), water=city.water.geometry.to_numpy()
        )

    return city.derive(f"survey:{secret}", GROUND, compute)


def grid_ground(city: City, *, secret: bool = False) -> pd.DataFrame:
    """Free ground and ground covered claim by claim, m², on every grid of every level (网格面积覆盖).

    Grids above the lowest have the sum of the lowest below them; dedicated and micro-grids their own.
    """

    def compute() -> pd.DataFrame:
        table, grids = survey_of(city, secret=secret).table, city.grids
        tiles = table[lowest(grids)[grids.index.get_indexer(table.index)]]
        result = pd.DataFrame({name: roll_up(tiles[name], grids) for name in table.columns})
        own = table.drop(index=tiles.index)
        result.loc[own.index] = own
        return result

    return city.derive(f"grid-ground:{secret}", GROUND, compute)


def road_lengths(city: City, *, secret: bool = False) -> pd.DataFrame:
    """Metres of every road covered, claim by claim (道路覆盖); see `coverage.staircase.roads`."""
    return city.derive(
        f"road-lengths:{secret}",
        (*WATCHED, "roads"),
        lambda: staircase.roads(city.roads.geometry, watch_of(city, secret=secret)),
    )


def losses_of(city: City, by: str, *, secret: bool = False) -> pd.DataFrame:
    """Ground that goes dark with each camera, pole, switch or unit (失效影响); `by` is a key of `GROUPS`."""

    def compute() -> pd.DataFrame:
        seen, cut = watch_of(city, secret=secret), tiles_of(city, secret=secret)
        return outage.losses(cut, seen, _group(cameras_of(city, secret=secret), by))

    return city.derive(f"losses:{by}:{secret}", GROUND, compute)


def useless_of(city: City, *, secret: bool = False) -> pd.DataFrame:
    """Cameras that add nothing new (冗余监控点)."""
    return city.derive(
        f"useless:{secret}",
        GROUND,
        lambda: outage.useless(tiles_of(city, secret=secret), watch_of(city, secret=secret)),
    )


@dataclass(frozen=True)
class Summary:
    """All rates of a city side by side (口径一览).

    Attributes
    ----------
    classes
        Targets by class and claim: `ledger.class_rates`.
    ground, roads
        Area and road length by claim: `staircase.summary`.
    register
        Networking, intact, placed and aimed rates of the register: `camera.health.rates`.
    completeness
        Record completeness per unit.
    basis
        Cameras used, left out and why, defaults taken: `ledger.basis`.
    """

    classes: pd.DataFrame
    ground: pd.DataFrame
    roads: pd.DataFrame
    register: pd.DataFrame
    completeness: pd.DataFrame
    basis: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return plain data: every rate with numerator, denominator and what it rests on."""
        return {
            "targets": _records(self.classes),
            "ground": _records(self.ground),
            "roads": _records(self.roads),
            "register": _records(self.register.reset_index()),
            "completeness": _records(self.completeness.reset_index()),
            "basis": self.basis,
        }


def summary_of(city: City, *, secret: bool = False, within: frozenset[str] | None = None) -> Summary:
    """Sum up a city, or what lies in some grids of it (口径汇总).

    Parameters
    ----------
    city
        Snapshot.
    secret
        With secret cameras.
    within
        Lowest grids to count: targets, cameras and roads that lie there; None: the whole city. The analysis is
        always of the whole city, so that a camera beyond the border still counts.
    """
    seen = watch_of(city, secret=secret)
    table, cameras = ledger_of(city, secret=secret), cameras_of(city, secret=secret)
    ground, lines = survey_of(city, secret=secret).table, road_lengths(city, secret=secret)
    ground = ground[lowest(city.grids)[city.grids.index.get_indexer(ground.index)]]
    basis = book.basis(seen)
    if within is not None:
        table = table[table["grid_id"].isin(within)]
        ground = ground[ground.index.isin(within)]
        cameras = cameras[pd.Series(grid_of(city, cameras.geometry), index=cameras.index).isin(within)]
        lines = lines[pd.Series(grid_of(city, city.roads.geometry), index=lines.index).isin(within)]
    basis["water_and_buildings"] = "公共可用空间 = 网格面积 - 建筑 - 水域"
    basis["covered_share"] = COVERED_SHARE
    basis["secret_cameras"] = "included" if secret else "left out"
    return Summary(
        book.class_rates(table),
        staircase.summary(ground, "free_m2", "m²"),
        staircase.summary(lines, "length_m", "m"),
        rates(cameras),
        completeness(cameras),
        basis,
    )


@dataclass(frozen=True)
class Period:
    """How the cameras did over a period (时段运行): online hours, and coverage by what was in order.

    Attributes
    ----------
    start, end
        [start, end).
    units, cameras
        `camera.history.online_rates`.
    effective
        By `target_class`: `numerator` target-moments at which a camera that reaches the required level was in
        order, `denominator` all target-moments (listed targets × moments), `rate`.
    entries
        Entries of the log that were known; 0: nothing can be said of the period.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    units: pd.DataFrame
    cameras: pd.DataFrame
    effective: pd.DataFrame
    entries: int

    def as_json(self, top: int) -> dict[str, Any]:
        """Return plain data, of the cameras the `top` worst."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "entries": self.entries,
            "units": _records(self.units.round(6).reset_index()),
            "worst": _records(self.cameras.head(top).round(6).reset_index()),
            "effective": _records(self.effective),
        }


def period_of(
    city: City,
    *,
    end: pd.Timestamp,
    days: int = 30,
    secret: bool = False,
    within: frozenset[str] | None = None,
) -> Period:
    """Online and effective rates over the `days` before `end` (时段在线率与有效覆盖率).

    The effective rate looks at `MOMENTS` moments, evenly spread. `within`: only cameras and targets in these
    lowest grids; a camera beyond the border still counts for a target.
    """
    start = end - pd.Timedelta(days=days)
    cameras, states = cameras_of(city, secret=secret), city.degrees("camera_states")
    log, table = state_log(cameras, states), ledger_of(city, secret=secret)
    moments = pd.DatetimeIndex(start + (end - start) * ((np.arange(MOMENTS) + 0.5) / MOMENTS))
    on = on_at(cameras.index, log, moments)
    mine = cameras
    if within is not None:
        table = table[table["grid_id"].isin(within)]
        mine = cameras[pd.Series(grid_of(city, cameras.geometry), index=cameras.index).isin(within)]
    pairs = table["cameras"].str.split(";").explode()
    row = cameras.index.get_indexer(pd.Index(pairs))
    watched = pd.DataFrame(on[row] & (row >= 0)[:, None], index=pairs.index).groupby(level=0).any()
    hits = watched.sum(axis=1).groupby(table["target_class"]).sum().reindex(CLASSES, fill_value=0)
    listed = table["target_class"].value_counts().reindex(CLASSES, fill_value=0) * MOMENTS
    effective = pd.DataFrame(
        {
            "target_class": CLASSES,
            "numerator": hits.to_numpy(dtype=int),
            "denominator": listed.to_numpy(dtype=int),
            "rate": hits.to_numpy(dtype=float) / listed.where(listed > 0).to_numpy(dtype=float),
        }
    )
    units, rows = online_rates(mine, states, start=start, end=end)
    return Period(start, end, units, rows, effective, len(log))


def reachable_of(city: City, *, secret: bool = False) -> dict[str, Any]:
    """What steerable cameras could turn to (可转达范围), apart from every rate: field areas, m², and targets.

    Returns
    -------
    dict
        `steerable` cameras; sum of their fields of view `home_m2` (preset) and `reachable_m2` (all they can
        turn to); per class `targets`: listed, covered at home, and covered if every one of them happened to
        look there at once, which they cannot.
    """

    def compute() -> dict[str, Any]:
        home, wide = watch_of(city, secret=secret), watch_of(city, secret=secret, home=False)
        rows = wide.fields.optics["steerable"].to_numpy(dtype=bool) & (wide.fields.optics["why_not"] == "").to_numpy()
        far = book.ledger(city.targets, wide)
        near = ledger_of(city, secret=secret)
        return {
            "steerable": int(rows.sum()),
            "home_m2": round(float(home.fields.area_m2[rows].sum()), 1),
            "reachable_m2": round(float(wide.fields.area_m2[rows].sum()), 1),
            "targets": [
                {
                    "target_class": c,
                    "listed": int((near["target_class"] == c).sum()),
                    "home": int(near.loc[near["target_class"] == c, "covered"].sum()),
                    "reachable": int(far.loc[far["target_class"] == c, "covered"].sum()),
                }
                for c in CLASSES
            ],
        }

    return city.derive(f"reachable:{secret}", (*WATCHED, "targets", "grids"), compute)


def streets_of(city: City) -> Network:
    """Streets between junctions (路网)."""
    return city.derive("streets", ("roads",), lambda: network(city.roads))


def blind_spots_of(
    city: City, *, secret: bool = False, working: bool = False, rings: bool = True
) -> gpd.GeoDataFrame:
    """Blind spots of the city in order of their score (盲区清单); see `coverage.blind_spot`.

    Parameters
    ----------
    city
        Snapshot; incidents of the last 90 days of the data weigh.
    secret
        With secret cameras.
    working
        Only cameras in order count (available instead of geometric; of targets effective instead of covered).
    rings
        With what would close the ring around each town and village.

    Returns
    -------
    GeoDataFrame
        `rank`, `kind`, `name`, `near`, the factors of the score, `what` and `text` (with grid and incidents, for
        the planner), `grid_id`; in metres.
    """
    tables = (*WATCHED, "targets", "grids", "roads", "incidents")
    return city.derive(
        f"blind-spots:{secret}:{working}:{rings}", tables, lambda: _blind_spots(city, secret, working, rings)
    )


def ring_of(city: City, grid_id: str, *, secret: bool = False, working: bool = False) -> gpd.GeoDataFrame:
    """What closes the ring around one grid (围合方案): streets to watch, and those that are watched already.

    Returns
    -------
    GeoDataFrame
        Streets in metres with `role` (watch: 需补点, watched: 已看住), `name` and `near`.
    """
    streets, seen = streets_of(city), watch_of(city, secret=secret)
    watched = watched_edges(_edges_seen(city, secret), by=seen.on if working else None)
    if grid_id not in city.grids.index:
        raise NotFoundError(f"there is no grid {grid_id!r}")
    ring = cordon(streets, city.grids.geometry[grid_id], watched)
    edge = np.concatenate([ring.cut, ring.watched])
    node = np.where(streets.degree[streets.u[edge]] >= 3, streets.u[edge], streets.v[edge])
    return gpd.GeoDataFrame(
        {
            "role": np.repeat(["watch", "watched"], [len(ring.cut), len(ring.watched)]),
            "name": city.roads["name"].fillna("").to_numpy(dtype=object)[streets.road[edge]],
            "near": streets.name[node],
        },
        geometry=streets.line[edge],
        crs=city.crs,
    )


def _edges_seen(city: City, secret: bool) -> Any:  # noqa: ANN401, FBT001 - Stretches
    return city.derive(
        f"edges-seen:{secret}",
        (*WATCHED, "roads"),
        lambda: blind_spot.edges_seen(streets_of(city), watch_of(city, secret=secret)),
    )


def _blind_spots(city: City, secret: bool, working: bool, rings: bool) -> gpd.GeoDataFrame:  # noqa: FBT001
    streets, seen, edges = streets_of(city), watch_of(city, secret=secret), _edges_seen(city, secret)
    by = seen.on if working else None
    at = city.incidents["occurred_at"]
    recent = city.incidents.geometry[(at > at.max() - RECENT).to_numpy(dtype=bool)].to_numpy()
    incidents = np.column_stack([shapely.get_x(recent), shapely.get_y(recent)])
    ledger = ledger_of(city, secret=secret)
    found = [
        blind_spot.road_gaps(streets, city.roads, edges, incidents, by=by),
        blind_spot.junction_gaps(streets, seen, incidents, by=by),
        blind_spot.target_gaps(ledger, incidents, claim="effective" if working else "covered"),
    ]
    if rings:
        areas = city.grids[city.grids["level"].isin([1, 2]) & (city.grids["kind"] == "admin")]
        found.append(blind_spot.cordon_gaps(streets, city.roads, edges, areas, incidents, by=by)[0])
    table = blind_spot.ranked(found, city.crs)
    table["grid_id"] = grid_of(city, table.geometry)
    name = city.grids["name"].reindex(table["grid_id"]).fillna("").to_numpy(dtype=object)
    table["text"] = [
        f"{what}，网格 {n}（{g}）；近 {RECENT.days} 日周边警情 {i} 起"
        if g
        else f"{what}；近 {RECENT.days} 日周边警情 {i} 起"
        for what, n, g, i in zip(table["what"], name, table["grid_id"], table["incidents"], strict=True)
    ]
    return table


def what_if_of(
    city: City,
    *,
    put: gpd.GeoDataFrame | None = None,
    lose: Iterable[str] = (),
    group: tuple[str, str] | None = None,
    secret: bool = False,
) -> Change:
    """What adding, turning or losing cameras changes (假设分析); see `coverage.what_if`.

    Parameters
    ----------
    city
        Snapshot; it stays as it is. `City.with_table` gives the changed City itself.
    put
        Cameras in `city.crs`, as the contract says; an id that exists is replaced.
    lose
        Ids that go dark.
    group
        A whole group goes dark: a key of `GROUPS` and its name, as `losses_of` lists them.
    secret
        With secret cameras.

    Raises
    ------
    NotFoundError
        For an id or a group that does not exist.
    """
    cameras, seen = cameras_of(city, secret=secret), watch_of(city, secret=secret)
    dark = list(lose)
    unknown = [i for i in dark if i not in cameras.index]
    if unknown:
        raise NotFoundError(f"there is no camera {unknown[0]!r}")
    if group is not None:
        names = _group(cameras, group[0])
        dark += list(cameras.index[(names == group[1]).to_numpy(dtype=bool)])
        if not (names == group[1]).any():
            raise NotFoundError(f"there is no {group[0]} {group[1]!r}")
    zones = city.derive("lowest-grids", ("grids",), lambda: city.grids.geometry[lowest(city.grids)])
    return what_if(cameras, seen, put=put, lose=dark, zones=zones, targets=city.targets)


def forbidden_of(city: City, *, secret: bool = False) -> pd.DataFrame:
    """Cameras that see a place where filming is forbidden, with masks (禁拍冲突清单)."""
    return city.derive(
        f"forbidden-views:{secret}",
        (*WATCHED, "forbidden"),
        lambda: forbidden_views(city.forbidden, watch_of(city, secret=secret)),
    )


def interval_of(
    city: City, *, runs: int = 30, seed: int = 0, samples: int = 20_000, secret: bool = False
) -> Interval:
    """Spread of the coverage rates from azimuth and position errors (覆盖率区间), and what to survey first.

    Places are all targets (by class), `samples` random points of free ground and points every 25 m of road.
    """
    key = f"interval:{runs}:{seed}:{samples}:{secret}"
    return city.derive(
        key,
        (*GROUND, "targets", "roads"),
        lambda: interval(
            cameras_of(city, secret=secret),
            scene_of(city),
            _places(city, samples, seed),
            runs=runs,
            seed=seed,
        ),
    )


def _places(city: City, samples: int, seed: int) -> pd.DataFrame:
    """Points that stand for targets, free ground (each for its share of it) and roads (each for 25 m)."""
    middle = city.targets.geometry.representative_point()
    number = city.targets["target_class"].astype("float64").fillna(0).astype(int).to_numpy()
    parts = [
        pd.DataFrame({"x": middle.x.to_numpy(), "y": middle.y.to_numpy(), "weight": 1.0}).assign(
            group=[f"target_{c}" for c in number]
        )
    ]
    tiles = city.grids.geometry[lowest(city.grids)]
    if len(tiles):
        rng = np.random.default_rng(seed)
        share = tiles.area.to_numpy() / tiles.area.sum()
        box = shapely.bounds(tiles.to_numpy())[rng.choice(len(tiles), samples, p=share)]
        xy = rng.uniform(box[:, :2], box[:, 2:])
        free = shapely.STRtree(tiles.to_numpy()).query(shapely.points(xy), predicate="intersects")[0]
        inside = np.zeros(samples, dtype=bool)
        inside[free] = True
        inside &= ~scene_of(city).flat.inside(xy)
        ground = pd.DataFrame(xy[inside], columns=["x", "y"])
        parts.append(ground.assign(weight=1.0, group="ground"))
    length = city.roads.length.to_numpy()
    count = np.maximum((length // 25).astype(int), 1)
    road = np.repeat(np.arange(len(length)), count)
    step = (np.arange(len(road)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[road]
    if len(road):
        at = shapely.line_interpolate_point(city.roads.geometry.to_numpy()[road], step, normalized=True)
        along = pd.DataFrame(shapely.get_coordinates(at), columns=["x", "y"])
        parts.append(along.assign(weight=1.0, group="road"))
    return pd.concat(parts, ignore_index=True)


def ground_share(city: City, claim: str = "geometric") -> pd.Series:
    """Share of each grid's free ground that holds a claim of `STEPS` (面积覆盖率), 0 to 1; NaN without any."""
    table = grid_ground(city)
    return table[claim] / table["free_m2"].where(table["free_m2"] > 0)


def target_share(city: City) -> pd.Series:
    """Share of the targets in each grid, at every level, that are covered (目标覆盖率); NaN without targets."""
    table, grids = ledger_of(city), city.grids
    hit = table.groupby("grid_id")["covered"].agg(["sum", "size"])
    above = [roll_up(hit[c], grids) for c in ("sum", "size")]
    return above[0] / above[1].where(above[1] > 0)


def warm(city: City) -> None:
    """Compute what maps and cards ask for, ahead of the first question (预计算)."""
    ground_share(city)
    blind_spots_of(city)


def ledger_record(summary: Summary, table: pd.DataFrame, *, secret: bool) -> dict[str, Any]:
    """What the history of ledgers keeps of one (台账存档): rates, what they rest on, covered or not per target."""
    headline = summary.classes[summary.classes["step"] == book.HEADLINE]
    return {
        "list_version": ",".join(v for v in headline["list_version"].unique() if v),
        "rates": {str(r.target_class): None if pd.isna(r.rate) else r.rate for r in headline.itertuples()},
        "numerators": {str(r.target_class): r.numerator for r in headline.itertuples()},
        "denominators": {str(r.target_class): r.denominator for r in headline.itertuples()},
        "basis": summary.basis,
        "secret": secret,
        "covered": {str(k): bool(v) for k, v in table["covered"].items()},
    }


def seeing(city: City, lon: float, lat: float, *, secret: bool = False) -> pd.DataFrame:
    """Cameras that see a place (可见该处的监控点), nearest first.

    Returns
    -------
    DataFrame
        Index `camera_id`: name, state, unit, `distance_m`, `px_m` (pixel density there; NaN where the
        resolution is unknown). Nobody sees it: no rows.
    """
    x, y = city.to_metres(lon, lat)
    seen = watch_of(city, secret=secret)
    rows = seen.fields.tree.query(shapely.Point(float(x), float(y)), predicate="intersects")
    eyes = seen.fields.xy[rows]
    distance = np.hypot(eyes[:, 0] - float(x), eyes[:, 1] - float(y))
    optics = seen.fields.optics.iloc[rows]
    slant = np.hypot(distance, np.nan_to_num(optics["eye_m"].to_numpy()))
    table = cameras_of(city, secret=secret).iloc[rows][["name", "state", "unit"]].copy()
    table["distance_m"] = distance
    table["px_m"] = pixels_per_m(slant, resolution_px=optics["resolution_px"], fov_deg=optics["fov_deg"])
    return table.sort_values("distance_m", kind="stable")


def lowest(grids: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each grid is one of those that tile the city: of an ordinary kind, none below it (最低级网格)."""
    ordinary = ~grids["kind"].isin(["dedicated", "micro"]).to_numpy(dtype=bool)
    parents = set(grids.loc[ordinary, "parent_id"].dropna())
    return ordinary & ~grids.index.isin(parents)


def _group(cameras: gpd.GeoDataFrame, by: str) -> pd.Series:
    if by == "camera":
        return devices(cameras)
    if by == "pole":
        return poles(cameras)
    if by not in GROUPS:
        raise UnknownNameError("group of cameras", by, GROUPS)
    return cameras["switch_id" if by == "switch" else "unit"]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    return [
        {str(k): v.item() if hasattr(v, "item") else v for k, v in row.items()}
        for row in plain.to_dict("records")
    ]


__all__ = [
    "GROUPS",
    "STEPS",
    "WATCHED",
    "Summary",
    "blind_spots_of",
    "cameras_of",
    "forbidden_of",
    "grid_ground",
    "grid_of",
    "ground_share",
    "interval_of",
    "ledger_of",
    "ledger_record",
    "losses_of",
    "lowest",
    "ring_of",
    "road_lengths",
    "scene_of",
    "seeing",
    "streets_of",
    "summary_of",
    "survey_of",
    "target_share",
    "tiles_of",
    "useless_of",
    "warm",
    "watch_of",
    "what_if_of",
]
