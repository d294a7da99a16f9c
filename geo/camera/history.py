"""History of camera states (监控点状态历史): the newest state, online hours, who was in order when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.camera.health import online_hours

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("camera_id", "state", "at")


def state_log(cameras: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """Every known state with its begin (状态序列): the log, and what the register itself says since when.

    Parameters
    ----------
    cameras
        Register; `state` with `state_since` counts as an entry, without it does not.
    states
        Table `camera_states`; entries of cameras that are not in `cameras` are left out.

    Returns
    -------
    DataFrame
        `camera_id`, `state`, `at`, by camera and time. Of two entries of one moment the register's is last.
    """
    known = states.loc[states["camera_id"].isin(cameras.index), list(COLUMNS)]
    since = cameras["state_since"] if "state_since" in cameras else pd.Series(pd.NaT, index=cameras.index)
    own = cameras[since.notna().to_numpy() & cameras["state"].notna().to_numpy()]
    stated = pd.DataFrame(
        {
            "camera_id": own.index.to_numpy(),
            "state": own["state"].to_numpy(),
            "at": own["state_since"].to_numpy(),
        }
        if len(own)
        else {c: [] for c in COLUMNS}
    )
    stated["at"] = pd.to_datetime(stated["at"], utc=True)
    both = pd.concat([known.assign(at=pd.to_datetime(known["at"], utc=True)), stated], ignore_index=True)
    return both.sort_values(["camera_id", "at"], kind="stable", ignore_index=True)


def current_states(cameras: pd.DataFrame, states: pd.DataFrame) -> pd.Series:
    """Newest state of each camera (当前状态), index of `cameras`: the log's where it is newer than the register's.

    A register that names a state without `state_since` gives way to any entry of the log.
    """
    if states.empty:
        return cameras["state"]
    log = state_log(cameras, states)
    newest = log.drop_duplicates("camera_id", keep="last").set_index("camera_id")["state"]
    return newest.reindex(cameras.index).astype("object").where(lambda s: s.notna(), cameras["state"])


def online_rates(
    cameras: pd.DataFrame, states: pd.DataFrame, *, start: pd.Timestamp, end: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Online rate over a period (在线率 = Σ 实际在线时长 ÷ Σ 应在线时长), per unit and per camera.

    Parameters
    ----------
    cameras, states
        Register and log, as for `state_log`.
    start, end
        Period [start, end), with time zone. A state holds until the next entry.

    Returns
    -------
    units, rows
        `units` by `unit` and, last, ``全市``: `numerator` and `denominator` in hours, `rate` (NaN without any
        hour), `cameras`, `silent` (cameras of which nothing is known in the period: in no denominator). `rows`
        by `camera_id`, worst first: `unit`, `numerator`, `denominator`, `rate`, `outages` (times it left order).

    Raises
    ------
    BadInputError
        If `start` is not before `end`.
    """
    log = state_log(cameras, states)
    hours = online_hours(log, start=start, end=end).reindex(cameras.index)
    broke = (
        (log["state"] != "on")
        & (log["state"].shift() == "on")
        & (log["camera_id"].shift() == log["camera_id"])
    )
    broke &= (log["at"] >= start) & (log["at"] < end)
    rows = pd.DataFrame(
        {
            "unit": cameras["unit"].fillna("") if "unit" in cameras else "",
            "numerator": hours["on_h"].fillna(0.0),
            "denominator": hours["known_h"].fillna(0.0),
            "rate": hours["rate"],
            "outages": log.loc[broke, "camera_id"]
            .value_counts()
            .reindex(cameras.index)
            .fillna(0)
            .astype(int),
        },
        index=cameras.index,
    )
    rows["silent"] = rows["denominator"] <= 0
    sums = rows.assign(cameras=1)[["unit", "numerator", "denominator", "cameras", "silent"]]
    units = sums.groupby(sums["unit"].astype("str")).sum(numeric_only=True)
    whole = sums.drop(columns="unit").sum().to_frame("全市").T
    units = pd.concat([units, whole]).rename_axis(index="unit")
    units[["cameras", "silent"]] = units[["cameras", "silent"]].astype(int)
    units.insert(2, "rate", units["numerator"] / units["denominator"].where(units["denominator"] > 0))
    return units, rows[~rows["silent"]].drop(columns="silent").sort_values("rate", kind="stable")


def on_at(cameras: pd.Index, log: pd.DataFrame, moments: pd.DatetimeIndex) -> NDArray[np.bool_]:
    """Whether each camera was in order at each moment (时刻在线矩阵), (cameras, moments); unknown counts as no.

    `log` is a `state_log`.
    """
    result = np.zeros((len(cameras), len(moments)), dtype=bool)
    row = cameras.get_indexer(pd.Index(log["camera_id"]))
    at = log["at"].to_numpy(dtype="datetime64[ns]")
    on = (log["state"] == "on").to_numpy(dtype=bool)
    for k, moment in enumerate(moments.to_numpy(dtype="datetime64[ns]")):
        before = np.flatnonzero((at <= moment) & (row >= 0))
        last = np.full(len(cameras), -1)
        last[row[before]] = before  # by time within each camera: the newest stays
        known = np.flatnonzero(last >= 0)
        result[known, k] = on[last[known]]
    return result
