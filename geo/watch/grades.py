"""Risk of the watched grids (风险研判): its factors cut from the tables of a city, levels kept from day to day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from geo import hotspot, risk
from geo.errors import BadInputError, NotFoundError
from geo.hotspot.report import RECENT_DAYS
from geo.watch.base import (
    LEAST_DAYS,
    LEVEL_COLUMNS,
    cube_of,
    default_source,
    graph_of,
    last_day,
    watched_grids,
    watched_level,
)

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.city import City
    from geo.hotspot import Cube

RISK_DAYS = 28
RISK_HALF_LIFE_DAYS = 28.0
RISK_LEVELS = "risk-level"  # kind of record in the store: levels of yesterday, for hysteresis


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
    values, events, exposure, group = city.keep(
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
