"""Rates of the register itself (联网率、完好率、在线率): states now, and hours over a period."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_INSTALLED = ("removed",)
RATES: Mapping[str, str] = {
    "networked": "联网率",
    "intact": "完好率",
    "placed": "上图率",
    "aimed": "方位建档率",
}
INTACT_GOAL: Mapping[str, float] = {"networked": 1.0, "intact": 0.98}


def rates(cameras: pd.DataFrame) -> pd.DataFrame:
    """Rates of all installed cameras, each with numerator and denominator (设备率值).

    Returns
    -------
    DataFrame
        Index: networked (联网 ÷ 在册), intact (state on ÷ cameras whose state is known), placed (has a place),
        aimed (bearing or direction code); columns `zh`, `numerator`, `denominator`, `rate`, `unknown` (rows
        left out because nothing is known). Removed cameras count nowhere.
    """
    state = _column(cameras, "state")
    there = cameras[~state.isin(NOT_INSTALLED).to_numpy()]
    state = _column(there, "state")
    known = state.notna() & ~state.isin(["", "unknown"])
    network = _column(there, "networked")
    aimed = _column(there, "bearing_deg").notna() | _column(there, "direction_type").notna()
    shapes = getattr(there, "geometry", None)
    placed = pd.Series(False, index=there.index) if shapes is None else ~(shapes.isna() | shapes.is_empty)
    counts = {
        "networked": (int(network.fillna(False).astype(bool).sum()), int(network.notna().sum())),
        "intact": (int((state == "on").sum()), int(known.sum())),
        "placed": (int(placed.sum()), len(there)),
        "aimed": (int(aimed.sum()), len(there)),
    }
    rows = [
        (RATES[name], hit, n, hit / n if n else np.nan, len(there) - n) for name, (hit, n) in counts.items()
    ]
    columns = ["zh", "numerator", "denominator", "rate", "unknown"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(counts, name="name"))


def online_hours(log: pd.DataFrame, *, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Hours in order of each camera over a period (在线时长), from a log of state changes.

    Parameters
    ----------
    log
        Rows `camera_id`, `state`, `at` (with time zone), in any order: from `at` on the camera is in `state`.
    start, end
        Period, [start, end).

    Returns
    -------
    DataFrame
        Index `camera_id`: `on_h`, `known_h` (hours with a known state: the theoretical hours), `rate`. Time
        before the first entry of a camera is not known; removed and unknown time is no theoretical hour. The
        rate of a city is Σ `on_h` ÷ Σ `known_h`.

    Raises
    ------
    BadInputError
        If `start` is not before `end`.
    """
    if not start < end:
        raise BadInputError(f"period {start} … {end}: the start must lie before the end")
    rows = log.sort_values(["camera_id", "at"], kind="stable")
    camera = rows["camera_id"].to_numpy()
    begin = rows["at"].clip(lower=start, upper=end)
    until = (
        rows["at"]
        .shift(-1)
        .where(np.append(camera[1:] == camera[:-1], False), end)
        .clip(lower=start, upper=end)
    )
    hours = (until - begin).dt.total_seconds().to_numpy() / 3600
    state = rows["state"].to_numpy()
    table = pd.DataFrame(
        {
            "on_h": np.where(state == "on", hours, 0.0),
            "known_h": np.where(np.isin(state, ["removed", "unknown", ""]) | pd.isna(state), 0.0, hours),
        }
    )
    result = table.groupby(camera).sum().rename_axis(index="camera_id")
    result["rate"] = result["on_h"] / result["known_h"].where(result["known_h"] > 0)
    return result


def _column(cameras: pd.DataFrame, name: str) -> pd.Series:
    return cameras[name] if name in cameras.columns else pd.Series(None, index=cameras.index, dtype=object)
