"""Watch over a City (研判): hotspots, warnings, forecasts and risk of its grids, each made once per version.

The functions of `geo.hotspot` and `geo.risk` know arrays; here their arguments are cut from the tables of one
city. Grids are the base grids (基础网格), or the finest level that the city has.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from geo import hotspot, risk
from geo.errors import BadInputError, NotFoundError
from geo.hotspot import INDEPENDENT, ledger
from geo.hotspot.report import RECENT_DAYS
from geo.hotspot.sensitivity import sensitivity

if TYPE_CHECKING:
    from collections.abc import Collection

    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.city import City
    from geo.hotspot import Cube, Graph, RingCounts, Scan

MOST_DAYS = 364
LEAST_DAYS = 28  # below it there is no baseline to compare with
RISK_DAYS = 28
RISK_HALF_LIFE_DAYS = 28.0
STRAY_DAYS = 7
LEVEL_COLUMNS = {1: "town", 2: "village", 3: "base", 4: "micro"}
RISK_LEVELS = "risk-level"  # kind of record in the store: levels of yesterday, for hysteresis


def watched_level(city: City) -> int:
    """Level of the grids that are watched: 3, or the finest above it that the city has."""
    have = set(_plain_grids(city)["level"].dropna().astype(int))
    return 3 if 3 in have or not have else max((level for level in have if level < 3), default=min(have))


def watched_grids(city: City) -> gpd.GeoDataFrame:
    """Watched grids in metres, without dedicated ones (专属网格), which lie over the others."""
    level = watched_level(city)

    def compute() -> gpd.GeoDataFrame:
        grids = _plain_grids(city)
        return grids[(grids["level"] == level).to_numpy(dtype=bool)]

    return city.derive("watched", ("grids",), compute)


def graph_of(city: City) -> Graph:
    """Neighbours of the watched grids."""
    return city.derive("watched-graph", ("grids",), lambda: hotspot.contiguity(watched_grids(city)))


def centres_of(city: City) -> NDArray[np.float64]:
    """A point inside each watched grid, metres."""
    points = shapely.point_on_surface(watched_grids(city).geometry.to_numpy())
    return shapely.get_coordinates(points)


def last_day(city: City, today: date | None = None) -> date | None:
    """Last complete local day of the data; None without incidents.

    `today` is never complete, and what is dated later is left out. Without it, the newest day of the data, of
    which a few stray dates far ahead of all others are no part.
    """

    def compute() -> date | None:
        occurred = city.degrees("incidents")["occurred_at"].dropna()
        if today is not None:
            occurred = occurred[occurred < pd.Timestamp(today, tz=city.timezone)]
        if occurred.empty:
            return None
        usual = occurred.quantile(0.999, interpolation="lower") + pd.Timedelta(days=STRAY_DAYS)
        newest = occurred[occurred <= usual].max()
        return newest.tz_convert(city.timezone).date()

    return city.derive(f"last-day:{today}", ("incidents",), compute)


def asked_day(city: City, until: date | None, today: date) -> date | None:
    """Last day to look at: the one asked for, if the data hold it, else the last complete day of the data.

    Raises
    ------
    BadInputError
        For a day that is not over, or before the first incident: an answer would be about nothing.
    """
    end = last_day(city, today)
    if until is None or end is None:
        return until or end
    limit = max(end, today - timedelta(days=1))
    first = city.degrees("incidents")["occurred_at"].min().tz_convert(city.timezone).date()
    if not first <= until <= limit:
        raise BadInputError(
            f"until {until}: no days of incidents there; the data run from {first} to {end}; allowed: {first} to {limit}"
        )
    return until


def cube_of(city: City, *, until: date | None = None, known_at: pd.Timestamp | None = None) -> Cube:
    """Counts of the watched grids up to a day (default: the last of the data), at most 52 weeks.

    A city without incidents has a cube of zeros.
    """

    def compute() -> Cube:
        incidents = city.degrees("incidents")
        end = until or last_day(city) or date(2000, 1, 1)
        start = incidents["occurred_at"].min()
        days = LEAST_DAYS * 3
        if pd.notna(start):
            days = (end - start.tz_convert(city.timezone).date()).days + 1
        column = LEVEL_COLUMNS[watched_level(city)]
        return hotspot.incident_cube(
            incidents, city.located("incidents")[column], grids=watched_grids(city).index, until=end,
            days=int(np.clip(days, 1, MOST_DAYS)), timezone=city.timezone, known_at=known_at,
        )  # fmt: skip

    return city.derive(f"cube:{until}:{known_at}", ("grids", "incidents"), compute)


def default_source(cube: Cube) -> str | None:
    """Sources that do not follow the patrols, if the data tell sources apart; else all.

    What patrols find goes where they were sent; a forecast or a score made of it would send them there again.
    """
    told = set(cube.totals().columns[(cube.totals() > 0).any()]) - {"unknown"}
    return INDEPENDENT if told - {"discovered"} else None


def hotspots_of(
    city: City,
    *,
    category: str | None = None,
    source: str | None = None,
    recent_days: int = RECENT_DAYS,
    baseline_days: int | None = None,
    fdr: hotspot.Fdr | None = "bh",
    until: date | None = None,
) -> pd.DataFrame:
    """Hotspot table of the watched grids (`hotspot.hotspots`)."""
    key = f"hotspots:{category}:{source}:{recent_days}:{baseline_days}:{fdr}:{until}"
    return city.derive(
        key,
        ("grids", "incidents"),
        lambda: hotspot.hotspots(
            cube_of(city, until=until), graph_of(city), category=category, source=source, recent_days=recent_days,
            baseline_days=baseline_days, fdr=fdr,
        ),
    )  # fmt: skip


def sensitivity_of(
    city: City,
    *,
    category: str | None = None,
    source: str | None = None,
    until: date | None = None,
    draws: int = 20,
) -> pd.DataFrame:
    """Which marks of the hotspot table are stable (`hotspot.sensitivity`)."""

    def compute() -> pd.DataFrame:
        incidents, grids = city.table("incidents"), watched_grids(city)
        tree = shapely.STRtree(grids.geometry.to_numpy())
        xy = np.c_[incidents.geometry.x.to_numpy(), incidents.geometry.y.to_numpy()]
        return sensitivity(
            cube_of(city, until=until), graph_of(city), xy, _straying_of(city, until),
            lambda x, y: _rows_of(tree, x, y), grids["parent_id"], category=category, source=source, draws=draws,
            seed=0,
        )  # fmt: skip

    return city.derive(f"sensitivity:{category}:{source}:{until}:{draws}", ("grids", "incidents"), compute)


def _straying_of(city: City, until: date | None) -> NDArray[np.float64]:
    """How far each incident may be off, metres, by row of the table; 0 where that cannot take it out of its grid.

    Most incidents lie farther from the border of their grid than they may be off: nobody need look for them again.
    """

    def compute() -> NDArray[np.float64]:
        incidents, cube = city.table("incidents"), cube_of(city, until=until)
        radius = np.nan_to_num(incidents["radius_m"].to_numpy(dtype=np.float64))
        borders = shapely.boundary(watched_grids(city).geometry.to_numpy())
        recent = np.flatnonzero((cube.day >= cube.days - RECENT_DAYS) & (radius[cube.row] > 0))
        row = cube.row[recent]
        room = shapely.distance(incidents.geometry.to_numpy()[row], borders[cube.grid[recent]])
        far = np.zeros(len(radius))
        far[row] = np.where(room < radius[row], radius[row], 0.0)
        return far

    return city.derive(f"straying:{until}", ("grids", "incidents"), compute)


def scan_of(
    city: City,
    *,
    radius_m: float = 1500.0,
    days: int = 14,
    replicates: int = 99,
    category: str | None = None,
    source: str | None = None,
    until: date | None = None,
    seed: int = 0,
) -> Scan:
    """Outbreaks that go on now (`hotspot.scan`), over the last 180 days at most."""

    def compute() -> Scan:
        plane = cube_of(city, until=until).plane(category=category, source=source)[-180:]
        return hotspot.scan(
            plane, centres_of(city), radius_m=radius_m, days=days, replicates=replicates, seed=seed
        )

    key = f"scan:{radius_m}:{days}:{replicates}:{category}:{source}:{until}:{seed}"
    return city.derive(key, ("grids", "incidents"), compute)


def warnings_of(
    city: City, *, category: str | None = None, source: str | None = None, until: date | None = None
) -> pd.DataFrame:
    """Grids above their own normal (`hotspot.warnings`)."""
    return city.derive(
        f"warnings:{category}:{source}:{until}",
        ("grids", "incidents"),
        lambda: hotspot.warnings(cube_of(city, until=until), category=category, source=source),
    )


def incidents_behind(
    city: City, grid_id: str, *, days: int = 7, category: str | None = None, source: str | None = None,
    until: date | None = None,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Incidents that one watched grid had in the last days, newest first, in degrees."""
    cube = cube_of(city, until=until)
    return city.degrees("incidents").iloc[
        cube.rows_behind(grid_id, days=days, category=category, source=source)
    ]


def forecast_of(
    city: City,
    *,
    issued_at: str,
    week: date | None = None,
    category: str | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Forecast of a week (`hotspot.ledger.issue`), default the first after the data; of independent sources."""
    known_at = None
    if week is not None and ledger.timing(week, issued_at) != "before":
        known_at = pd.Timestamp(week, tz=city.timezone)  # late: only what was known before the week
    cube = cube_of(city, known_at=known_at)
    chosen = week or ledger.next_week(cube.last_day)
    source = default_source(cube) if source is None else source
    return city.derive(
        f"forecast:{chosen}:{category}:{source}:{issued_at}",
        ("grids", "incidents"),
        lambda: ledger.issue(
            cube, graph_of(city), areas_of(city), centres_of(city), week=chosen, issued_at=issued_at,
            category=category, source=source,
        ),
    )  # fmt: skip


def expected_next_week(city: City, *, category: str | None = None) -> pd.Series:
    """Incidents that each watched grid is to expect in the next seven days."""

    def compute() -> pd.Series:
        cube, graph = cube_of(city), graph_of(city)
        plane = cube.plane(category=category, source=default_source(cube))
        expected, _ = hotspot.blend(plane, graph, areas_of(city))
        return pd.Series(expected, index=cube.grids)

    return city.derive(f"expected:{category}", ("grids", "incidents"), compute)


def settle(city: City, forecast: dict[str, Any], today: date | None = None) -> dict[str, Any] | None:
    """Score a stored forecast if its week is over; None if it is not."""
    end = last_day(city, today)
    if end is None or not ledger.due(forecast, end):
        return None
    return ledger.settle(forecast, cube_of(city, until=end), areas_of(city))


def areas_of(city: City) -> NDArray[np.float64]:
    """Areas of the watched grids, m²."""
    return watched_grids(city).geometry.area.to_numpy()


@dataclass(frozen=True, eq=False)
class Risk:
    """Risk of the watched grids (风险研判).

    `table` on their index: `risk_score`, `level` (1 红 … 4 蓝), `raw_level`, `significant`, `unearned_days`,
    `events`, `discovered_share`, `rank`, `rank_low`, `rank_high`, `uncertain`. `values` and `parts` are what
    `risk.explain` needs; `group` the peers.
    """

    config: risk.RiskConfig
    until: date
    values: pd.DataFrame
    parts: pd.DataFrame
    group: NDArray[np.object_] | None
    table: pd.DataFrame

    def explain(self, grid_id: str) -> pd.DataFrame:
        """Why a grid has its score (`risk.explain`)."""
        return risk.explain(grid_id, self.values, self.parts, config=self.config, group=self.group)


def risk_of(
    city: City,
    *,
    config: risk.RiskConfig | None = None,
    until: date | None = None,
    previous: pd.DataFrame | None = None,
    days: int = 1,
) -> Risk:
    """Score, level and rank of every watched grid (风险研判).

    Parameters
    ----------
    city
        Needs four weeks of incidents.
    config, until
        Weights; last day, default the last of the data.
    previous, days
        Levels of an earlier day and how many days ago, for hysteresis.

    Raises
    ------
    NotFoundError
        With fewer than four weeks of incidents there is no baseline.
    """
    config = config or risk.RiskConfig()
    if _households(watched_grids(city)) is None:
        config = config.in_units({"rate": "起/km²·日"})
    end = until or last_day(city)
    cube = cube_of(city, until=end)
    if cube.days < LEAST_DAYS or not len(cube.row):
        raise NotFoundError(
            f"{cube.days if len(cube.row) else 0} days of incidents; risk needs {LEAST_DAYS}: import more"
        )
    values, events, exposure, group = city.derive(
        f"risk-values:{end}:{config.severity}", ("grids", "incidents", "hazards"),
        lambda: _risk_values(city, cube, config),
    )  # fmt: skip
    parts = risk.contributions(values, config=config, group=group)
    score = risk.risk_score(parts)
    sure = risk.probability_above(events, exposure) >= config.least_probability
    table = risk.levels(score, events=events, significant=sure, config=config, previous=previous, days=days)
    table.insert(0, "risk_score", score)
    table["events"] = events
    recent = {s: cube.plane(source=s)[-RISK_DAYS:].sum(axis=0) for s in (None, "discovered")}
    table["discovered_share"] = np.divide(
        recent["discovered"], recent[None], out=np.zeros(len(table)), where=recent[None] > 0
    )
    ranks = risk.rank_interval(parts, events, exposure, group=group, config=config, seed=0)
    return Risk(config, cube.last_day, values, parts, group, table.join(ranks))


def levels_record(found: Risk) -> dict[str, Any]:
    """What tomorrow's hysteresis needs, for the store: all levels above blue."""
    raised = found.table[(found.table["level"] < 4) | (found.table["unearned_days"] > 0)]
    return {
        "until": found.until.isoformat(),
        "version": found.config.version,
        "level": raised["level"].to_dict(),
        "unearned_days": raised["unearned_days"].to_dict(),
    }


def levels_before(record: dict[str, Any] | None, until: date) -> tuple[pd.DataFrame | None, int]:
    """Levels of a stored record and how many days ago they were; None if there is none from before `until`."""
    if record is None:
        return None, 1
    days = (until - date.fromisoformat(record["until"])).days
    if days <= 0:
        return None, 1
    frame = pd.DataFrame({k: pd.Series(record[k], dtype="int64") for k in ("level", "unearned_days")})
    return frame, days


def ring_of(city: City, *, today: date | None = None, recent_days: int = RECENT_DAYS) -> RingCounts:
    """Live counts (`hotspot.RingCounts`) loaded with the city's incidents; windows end today (or with the data)."""
    end = last_day(city, None if today is None else today + timedelta(days=1))
    day = today or end or date(2000, 1, 1)
    cube = cube_of(city, until=day)
    baseline = max(min((cube.days - recent_days) // 7 * 7, 56), recent_days)
    plane = cube.plane()
    phi = 0.0
    if cube.days >= recent_days + baseline:
        cut = hotspot.windows(plane, recent_days=recent_days, baseline_days=baseline)
        phi = hotspot.overdispersion(hotspot.past_windows(plane, cut), graph_of(city))
    ring = hotspot.RingCounts(
        graph_of(city), today=day, recent_days=recent_days, baseline_days=baseline, overdispersion=phi
    )
    ring.load(cube, city.degrees("incidents").index)
    return ring


def alarms_of(city: City, ring: RingCounts, *, told: Collection[tuple[str, str]] = ()) -> pd.DataFrame:
    """Early warnings of the live counts (`hotspot.alarms`); what chance does is measured on the city's history."""
    span, day = ring.alarm_span, last_day(city)

    def compute() -> dict[str, float]:
        cube = cube_of(city, until=day)
        if cube.days < span.recent + span.gap + span.baseline:
            return {}
        phi = {}
        for name in cube.categories:
            plane = cube.plane(category=name)
            cut = hotspot.windows(
                plane, recent_days=span.recent, baseline_days=span.baseline, gap_days=span.gap
            )
            phi[name] = hotspot.alarm_overdispersion(hotspot.past_windows(plane, cut, span.gap))
        return phi

    phi = city.derive(f"alarm-phi:{span}:{day}", ("grids", "incidents"), compute)
    return hotspot.alarms(ring, phi, told=told)


def _plain_grids(city: City) -> gpd.GeoDataFrame:
    grids = city.table("grids")
    return grids[(grids["kind"] != "dedicated").to_numpy(dtype=bool)]


def _rows_of(tree: shapely.STRtree, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    found = np.full(len(x), -1, dtype=np.int64)
    point, grid = tree.query(shapely.points(x, y), predicate="intersects")
    found[point] = grid
    return found


def _risk_values(
    city: City, cube: Cube, config: risk.RiskConfig
) -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.float64], NDArray[np.object_] | None]:
    grids, graph = watched_grids(city), graph_of(city)
    source = default_source(cube)
    chosen = cube.where(source=source)
    age = cube.days - 1 - cube.day[chosen]
    severity = city.degrees("incidents")["severity"].iloc[cube.row[chosen]]
    weight = severity.map(config.severity).astype("float64").fillna(config.severity.get(4, 1.0)).to_numpy()
    decayed = np.bincount(
        cube.grid[chosen], weight * np.exp2(-age / RISK_HALF_LIFE_DAYS), minlength=len(grids)
    )
    memory = hotspot.memory_days(cube.days, half_life_days=RISK_HALF_LIFE_DAYS)
    exposure = _exposure(grids)
    events = np.bincount(cube.grid[chosen][age < RISK_DAYS], minlength=len(grids))
    table = hotspot.hotspots(cube, graph, source=source, recent_days=_recent(cube))
    own = hotspot.windows(
        cube.plane(source=source),
        recent_days=table.attrs["recent_days"],
        baseline_days=table.attrs["baseline_days"],
    )
    values = pd.DataFrame(
        {
            "rate": hotspot.eb_rate(decayed, exposure * memory).rate,
            "change": hotspot.residual(own.recent, own.baseline),
            "neighbours": table["z"].to_numpy(),
            "overdue": _overdue(city, grids),
            "hazards": _hazards(city, grids),
        },
        index=grids.index,
    )
    kinds = grids["area_type"]
    group = kinds.fillna("").to_numpy(dtype=object) if kinds.notna().any() else None
    return values, events, exposure * RISK_DAYS, group


def _recent(cube: Cube) -> int:
    return RECENT_DAYS if cube.days >= 2 * RECENT_DAYS else 7


def _exposure(grids: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Households where every grid has them, else km²."""
    households = _households(grids)
    return grids.geometry.area.to_numpy() / 1e6 if households is None else households


def _households(grids: gpd.GeoDataFrame) -> NDArray[np.float64] | None:
    households = grids["households"].to_numpy(dtype=np.float64, na_value=np.nan)
    return households if len(households) and np.isfinite(households).all() and households.min() > 0 else None


def _counted(
    city: City, table: str, where: NDArray[np.bool_], grids: gpd.GeoDataFrame
) -> NDArray[np.float64]:
    column = city.located(table)[LEVEL_COLUMNS[watched_level(city)]]
    row = grids.index.get_indexer(pd.Index(column[where]))
    return np.bincount(row[row >= 0], minlength=len(grids)).astype(np.float64)


def _now(city: City) -> pd.Timestamp:
    end = last_day(city)
    if end is None:
        raise BadInputError("no incidents")
    return pd.Timestamp(end, tz=city.timezone) + pd.Timedelta(days=1)


def _overdue(city: City, grids: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Incidents past their limit (办理时限) and not closed."""
    incidents = city.degrees("incidents")
    late = (incidents["stage"] != "closed").fillna(value=True) & (incidents["due_at"] < _now(city))
    return _counted(city, "incidents", late.to_numpy(dtype=bool), grids)


def _hazards(city: City, grids: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Hazards not put right; those past their limit count twice."""
    hazards = city.degrees("hazards")
    open_ = hazards["fixed_at"].isna().to_numpy(dtype=bool)
    late = open_ & (hazards["due_at"] < _now(city)).to_numpy(dtype=bool)
    return _counted(city, "hazards", open_, grids) + _counted(city, "hazards", late, grids)
