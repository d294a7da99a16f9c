"""Rows of two systems in one file (坐标系混用), told apart row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geo.quality.surface import moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geo.quality.surface import Surface, Trial

    Floats = NDArray[np.float64]

_DIRECTIONS = 16
_ASIDE = np.radians(60.0)  # directions this near to the way to the other trial are no control
MIN_ROWS = 3
MIN_SHARE = 0.05
NAMED_NATS = 4.0
"""Least lead in log likelihood of two systems over one system and any shift: odds of 55 to 1."""


def two_systems(surface: Surface, trials: Sequence[Trial]) -> dict[str, int] | None:
    """Rows of each of two trials, where only both together explain the file (混合判定).

    Every row stands at one of two positions, the share of each is estimated (EM, with the distances to roads and
    buildings learnt from both). Two trials of one reading are named where they are likelier than the better one
    together with any shift as long in another direction: rows that are merely wrong fit such a shift as well. At
    least three rows, in three places, and 5 % of the rows must belong to each.

    Returns
    -------
    dict or None
        Trial's name → rows; None where one system explains the file.
    """
    alone = [surface.mixed(t.xy, t.xy)[0] for t in trials]
    first = int(np.argmax(alone))
    here = trials[first]
    best: tuple[float, Trial, NDArray[np.bool_]] | None = None
    for there in trials:
        if there is here or there.reference != here.reference or there.frame is not here.frame:
            continue
        total, share = surface.mixed(here.xy, there.xy)
        other = share < 0.5
        if not (_enough(surface, other) and _enough(surface, ~other)):
            continue
        lead = total - max(alone[first], _by_chance(surface, here, there))
        if lead >= NAMED_NATS and (best is None or lead > best[0]):
            best = (lead, there, other)
    if best is None:
        return None
    return {here.name: int((~best[2]).sum()), best[1].name: int(best[2].sum())}


def _enough(surface: Surface, rows: NDArray[np.bool_]) -> bool:
    count = int(rows.sum())
    return count >= max(MIN_ROWS, MIN_SHARE * len(rows)) and len(np.unique(surface.places[rows])) >= MIN_ROWS


def _by_chance(surface: Surface, here: Trial, there: Trial) -> float:
    """Likelihood of the first trial with the best shift as long as the way to the other, in another direction."""
    way = np.median(there.xy - here.xy, axis=0)
    length, azimuth = float(np.hypot(*way)), float(np.arctan2(way[0], way[1]))
    turns = np.arange(_DIRECTIONS) * 2.0 * np.pi / _DIRECTIONS
    aside = turns[np.abs((turns - azimuth + np.pi) % (2 * np.pi) - np.pi) > _ASIDE]
    return max(surface.mixed(here.xy, moved(here.xy, length, turn))[0] for turn in aside)
