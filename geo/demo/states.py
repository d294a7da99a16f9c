"""Cameras going off and on again (监控点状态记录)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from geo.demo.text import joined, numbers

DAYS = 60
SILENT = 0.03
"""Share of cameras that no platform reports on."""
FAILING = 0.12
"""Share of cameras that fail now and then; the others were in order all the time."""


def states(register: pd.DataFrame, today: pd.Timestamp, rng: np.random.Generator) -> pd.DataFrame:
    """Log of 60 days: every reporting camera was on at its begin; some failed up to three times for some hours."""
    n = len(register)
    begin = today - pd.Timedelta(days=DAYS)
    told = np.flatnonzero(rng.random(n) >= SILENT)
    failing = told[rng.random(len(told)) < FAILING / (1 - SILENT)]
    camera = np.repeat(failing, rng.integers(1, 4, len(failing)))
    off_h = rng.uniform(1, DAYS * 24 - 200, len(camera))
    on_h = off_h + np.minimum(rng.exponential(10.0, len(camera)) + 0.25, 190.0)
    kind = rng.choice(["off", "vlost", "defect"], len(camera), p=[0.7, 0.2, 0.1]).astype(object)
    rows = np.concatenate([told, camera, camera])
    hours = np.concatenate([np.zeros(len(told)), off_h, on_h])
    state = np.concatenate(
        [np.full(len(told), "on", dtype=object), kind, np.full(len(camera), "on", dtype=object)]
    )
    order = np.lexsort((hours, rows))
    at = begin + pd.to_timedelta(np.round(hours[order] * 60), unit="min")
    return pd.DataFrame(
        {
            "state_id": joined("CS", numbers(np.arange(len(rows)) + 1, 7)),
            "camera_id": register["camera_id"].to_numpy(dtype=object)[rows[order]],
            "state": state[order],
            "at": at.tz_convert("UTC"),
        }
    )
