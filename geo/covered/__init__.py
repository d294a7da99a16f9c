"""What a city's cameras cover (全市覆盖): the analyses of `geo.coverage` on a City, each once per table version.

Secret cameras (涉密) are left out before anything is computed unless `secret` is asked for: no figure, map or
list below the role that may see them can give them away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geo.coverage.watch import STEPS
from geo.covered.apart import Period, levels_of, period_of, reachable_of
from geo.covered.base import (
    GROUND,
    GROUPS,
    WATCHED,
    cameras_of,
    grid_of,
    ledger_of,
    lowest,
    scene_of,
    watch_of,
    watches_made,
)
from geo.covered.ground import (
    grid_ground,
    ground_share,
    losses_of,
    road_lengths,
    survey_of,
    target_share,
    tiles_of,
    useless_of,
)
from geo.covered.scenario import forbidden_of, interval_of, seeing, what_if_of
from geo.covered.spots import blind_spots_of, ring_of, streets_of
from geo.covered.summary import Summary, ledger_record, summary_of

if TYPE_CHECKING:
    from geo.city import City


def warm(city: City) -> None:
    """Compute what maps and cards ask for, ahead of the first question (预计算)."""
    ground_share(city)
    blind_spots_of(city)
    for watch in watches_made(city):
        watch.forget_levels()  # figures are made; maps of image levels are seldom looked at


__all__ = [
    "GROUND",
    "GROUPS",
    "STEPS",
    "WATCHED",
    "Period",
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
    "levels_of",
    "losses_of",
    "lowest",
    "period_of",
    "reachable_of",
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
