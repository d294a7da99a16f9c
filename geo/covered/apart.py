"""Figures beside the rates, never among them (单列口径): image levels, what can be reached, a period of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.camera.history import on_at, online_rates, state_log
from geo.coverage import ledger as book
from geo.coverage import level
from geo.covered.base import WATCHED, cameras_of, grid_of, ledger_of, records, watch_of
from geo.target import CLASSES

if TYPE_CHECKING:
    from typing import Any

    from geo.city import City

MOMENTS = 60  # of a period, at which the effective rate is looked up


def levels_of(city: City, *, profile: str = level.DEFAULT_PROFILE, secret: bool = False) -> pd.DataFrame:
    """Targets that reach each image level of a profile, whatever they ask for (各图像等级达到数).

    Parameters
    ----------
    city
        Snapshot.
    profile
        A key of `level.PROFILES`.
    secret
        With secret cameras.

    Returns
    -------
    DataFrame
        One row per level, lowest first, and class: `profile`, `level`, `zh`, `px_m`, `target_class`,
        `numerator` (targets in the field of some camera at this pixel density), `denominator` (listed), `rate`.

    Raises
    ------
    UnknownNameError
        For a profile that does not exist.
    """
    asked = level.levels(profile)

    def compute() -> pd.DataFrame:
        seen, number, rows = watch_of(city, secret=secret), city.targets["target_class"], []
        for name, px_m in asked.items():
            table = book.ledger(city.targets.assign(required_level=name), seen)
            for c in CLASSES:
                mine = (number == c).to_numpy(dtype=bool)
                hit, n = int(table["covered"].to_numpy()[mine].sum()), int(mine.sum())
                rate = hit / n if n else np.nan
                rows.append((profile, name, level.NAMES_ZH[name], px_m, c, hit, n, rate))
        columns = ["profile", "level", "zh", "px_m", "target_class", "numerator", "denominator", "rate"]
        return pd.DataFrame(rows, columns=columns)

    return city.keep(f"levels:{profile}:{secret}", (*WATCHED, "targets"), compute)


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
        rows = (
            wide.fields.optics["steerable"].to_numpy(dtype=bool)
            & (wide.fields.optics["why_not"] == "").to_numpy()
        )
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

    return city.keep(f"reachable:{secret}", (*WATCHED, "targets", "grids"), compute)


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
            "units": records(self.units.round(6).reset_index()),
            "worst": records(self.cameras.head(top).round(6).reset_index()),
            "effective": records(self.effective),
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
    hits = watched.sum(axis=1).groupby(table["target_class"]).sum().reindex(list(CLASSES), fill_value=0)
    listed = table["target_class"].value_counts().reindex(list(CLASSES), fill_value=0) * MOMENTS
    effective = pd.DataFrame(
        {
            "target_class": list(CLASSES),
            "numerator": hits.to_numpy(dtype=int),
            "denominator": listed.to_numpy(dtype=int),
            "rate": hits.to_numpy(dtype=float) / listed.where(listed > 0).to_numpy(dtype=float),
        }
    )
    units, rows = online_rates(mine, states, start=start, end=end)
    return Period(start, end, units, rows, effective, len(log))
