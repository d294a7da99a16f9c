"""Indicators (指标): the only place that ties a name to a function.

The map layer, the legend, the endpoint, the command line, the report column and their tests are made from
`INDICATORS`. A new indicator is one function of a City and one line in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from geo import covered, watch
from geo.count import per_grid
from geo.covered import GROUND
from geo.errors import UnknownNameError
from geo.people import TOTAL, suppress, workload

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from geo.city import City
    from geo.scope import Scope

WINDOW = pd.Timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Indicator:
    """One number per grid.

    `of(city)` is a Series on the index of `city.grids`; NaN where the number is not defined. `tables` are what
    it depends on. `persons`: a count of persons, suppressed below k in every output.
    """

    name: str
    zh: str
    unit: str
    tables: tuple[str, ...]
    compute: Callable[[City], pd.Series]
    persons: bool = False

    def of(self, city: City) -> pd.Series:
        """Value per grid, computed once per version of its tables."""
        return city.derive(f"indicator:{self.name}", ("grids", *self.tables), lambda: self.compute(city))


def located(city: City, table: str, rows: NDArray[np.integer] | None = None) -> pd.DataFrame:
    """Grid ids per level of the rows of a point table (所在网格): `City.located`."""
    return city.located(table, rows)


def _count(city: City, table: str, where: NDArray[np.bool_] | None = None) -> pd.Series:
    return per_grid(located(city, table), city.degrees("grids"), where=where)


def latest(city: City) -> pd.Timestamp:
    """The data's own now: the newest moment at which an incident happened or a hazard was found; NaT if none."""
    moments = [city.degrees("incidents")["occurred_at"].max(), city.degrees("hazards")["found_at"].max()]
    return max((m for m in moments if pd.notna(m)), default=pd.NaT)


def _incidents_28d(city: City) -> pd.Series:
    occurred = city.degrees("incidents")["occurred_at"]
    return _count(city, "incidents", (occurred > occurred.max() - WINDOW).to_numpy(dtype=bool))


def _open_incidents(city: City) -> pd.Series:
    stage = city.degrees("incidents")["stage"]
    return _count(city, "incidents", (stage.notna() & (stage != "closed")).to_numpy(dtype=bool))


def _open_hazards(city: City) -> pd.Series:
    return _count(city, "hazards", city.degrees("hazards")["fixed_at"].isna().to_numpy(dtype=bool))


def _overdue_hazards(city: City) -> pd.Series:
    hazards = city.degrees("hazards")
    late = hazards["fixed_at"].isna() & (hazards["due_at"] < latest(city))
    return _count(city, "hazards", late.to_numpy(dtype=bool))


def _faulty_facilities(city: City) -> pd.Series:
    state = city.degrees("facilities")["state"]
    return _count(city, "facilities", state.isin(["fault", "offline", "alarm"]).to_numpy(dtype=bool))


def _cameras(city: City) -> pd.Series:
    public = (city.degrees("cameras")["secrecy"] != 1).fillna(value=True).to_numpy(dtype=bool)
    return _count(city, "cameras", public)


def _cameras_online(city: City) -> pd.Series:
    cameras = city.degrees("cameras")
    public = (cameras["secrecy"] != 1).fillna(value=True).to_numpy(dtype=bool)
    known = (
        public & cameras["state"].notna().to_numpy() & (cameras["state"] != "removed").to_numpy(dtype=bool)
    )
    on = known & (cameras["state"] == "on").to_numpy(dtype=bool)
    number = _count(city, "cameras", known)
    return _count(city, "cameras", on) / number.where(number > 0)


def _workload(city: City) -> pd.Series:
    return workload(city.degrees("people"), city.degrees("grids"))[TOTAL]


def _on_all(city: City, values: pd.Series) -> pd.Series:
    return values.reindex(city.degrees("grids").index).astype("float64")


def _undefined(city: City) -> pd.Series:
    return pd.Series(float("nan"), index=city.degrees("grids").index)


def _hotspot(city: City) -> pd.Series:
    enough = watch.cube_of(city).days >= watch.LEAST_DAYS
    return _on_all(city, watch.hotspots_of(city)["z"]) if enough else _undefined(city)


def _expected_incidents(city: City) -> pd.Series:
    return _on_all(city, watch.expected_next_week(city))


def _risk_score(city: City) -> pd.Series:
    cube = watch.cube_of(city)
    enough = cube.days >= watch.LEAST_DAYS and len(cube.row)
    return _on_all(city, watch.risk_of(city).table["risk_score"]) if enough else _undefined(city)


INDICATORS = {
    i.name: i
    for i in (
        Indicator("service_workload", "服务工作量", "人", ("people",), _workload, persons=True),
        Indicator("open_hazards", "未整改隐患", "处", ("hazards",), _open_hazards),
        Indicator("overdue_hazards", "逾期未整改隐患", "处", ("hazards", "incidents"), _overdue_hazards),
        Indicator("facilities", "物防设施", "个", ("facilities",), lambda city: _count(city, "facilities")),
        Indicator("faulty_facilities", "异常物防设施", "个", ("facilities",), _faulty_facilities),
        Indicator("incidents_28d", "近28日警情", "起", ("incidents",), _incidents_28d),
        Indicator("open_incidents", "未办结警情", "起", ("incidents",), _open_incidents),
        Indicator("cameras", "监控点", "个", ("cameras",), _cameras),
        Indicator("ground_covered", "面积覆盖率", "", GROUND, covered.ground_share),
        Indicator(
            "ground_covered_twice",
            "夜间双重覆盖率",
            "",
            GROUND,
            lambda city: covered.ground_share(city, "twice"),
        ),
        Indicator("targets_covered", "目标覆盖率", "", (*GROUND, "targets"), covered.target_share),
        Indicator("cameras_online", "监控点在线率", "", ("cameras",), _cameras_online),
        Indicator("hotspot", "热点强度（较自身基线）", "σ", ("incidents",), _hotspot),
        Indicator("expected_incidents", "未来7日预计警情", "起", ("incidents",), _expected_incidents),
        Indicator("risk_score", "风险评分", "分", ("incidents", "hazards"), _risk_score),
    )
}


def indicator(name: str) -> Indicator:
    """Return an indicator; `UnknownNameError` names those that exist."""
    try:
        return INDICATORS[name]
    except KeyError:
        raise UnknownNameError("indicator", name, INDICATORS) from None


def suppressed_workload(city: City, *, k: int) -> pd.DataFrame:
    """Service workload per grid and category with small counts hidden (小数隐藏), once per version and k."""
    grids = city.degrees("grids")
    return city.derive(
        f"workload:{k}",
        ("grids", "people"),
        lambda: suppress(workload(city.degrees("people"), grids), grids, k=k),
    )


def seen_values(city: City, indicator: Indicator, *, scope: Scope) -> pd.Series:
    """Values of an indicator as a scope may see them: small counts of persons are missing."""
    return suppressed_workload(city, k=scope.k)[TOTAL] if indicator.persons else indicator.of(city)
