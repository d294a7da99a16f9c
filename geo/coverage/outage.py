"""What is lost when something goes dark (失效影响): a camera, a pole, a switch, a unit; and what adds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from geo.coverage.fraction import Cells
    from geo.coverage.watch import Watch

USELESS_M2 = 1.0


def losses(cut: Cells, watch: Watch, groups: pd.Series) -> pd.DataFrame:
    """Ground that goes dark if all cameras of a group fail together (群组失效损失).

    Parameters
    ----------
    cut
        `staircase.Survey.by_device`.
    watch
        The watch it was cut with.
    groups
        Name of the group of each camera (itself, its pole, switch or unit); missing or empty: none. In the
        order of the cameras.

    Returns
    -------
    DataFrame
        Index: groups; `cameras`, `seen_m2` (sum of their fields of view), `lost_m2` (seen by nobody else),
        most lost first.
    """
    names = groups.where(groups.notna() & (groups.astype("str") != ""))
    code, name = pd.factorize(names, sort=True)
    lead = np.full(int(watch.device.max(initial=-1)) + 1, -1)
    first = np.unique(watch.device, return_index=True)
    lead[first[0]] = first[1]
    group = np.where(np.arange(len(watch)) == lead[watch.device], code, -1)
    known = code >= 0
    table = pd.DataFrame(
        {
            "cameras": np.bincount(code[known], minlength=len(name)),
            "seen_m2": np.bincount(code[known], watch.fields.area_m2[known], minlength=len(name)),
            "lost_m2": cut.lost(group, len(name)),
        },
        index=pd.Index(name, name="group"),
    )
    return table.sort_values("lost_m2", ascending=False, kind="stable")


def alone(cut: Cells, watch: Watch) -> pd.Series:
    """Ground that each device sees and nobody else does (独有覆盖), m² on the first row of the device."""
    return pd.Series(cut.alone(len(watch)), index=pd.Index(watch.ids, name="camera_id"), name="alone_m2")


def useless(cut: Cells, watch: Watch, *, below_m2: float = USELESS_M2) -> pd.DataFrame:
    """Cameras that take part but add nothing new (冗余监控点): candidates to be moved.

    Returns
    -------
    DataFrame
        Index `camera_id`: `seen_m2` and `alone_m2` < `below_m2`, largest field of view first. A camera that
        doubles another is listed with it: taking away one of the two loses nothing, taking both does.
    """
    own = alone(cut, watch)
    first = np.zeros(len(watch), dtype=bool)
    first[np.unique(watch.device, return_index=True)[1]] = True
    part = first & (watch.fields.area_m2 > 0) & (own.to_numpy() < below_m2)
    table = pd.DataFrame({"seen_m2": watch.fields.area_m2, "alone_m2": own.to_numpy()}, index=own.index)[part]
    return table.sort_values("seen_m2", ascending=False, kind="stable")
