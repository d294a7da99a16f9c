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
_LENGTHS = (0.75, 1.0, 1.3)  # of the way to the other trial
_ASIDE = np.radians(60.0)  # directions this near to the way to the other trial are no control
MIN_ROWS = 3
MIN_SHARE = 0.05
NAMED_NATS = 4.0
"""Least lead in log likelihood of two systems over one system and any shift: odds of 55 to 1."""
NAMED_SPREADS = 6.0
"""Least lead over the mean of those shifts, in their standard deviations: rows that stand anywhere, near to each other,
reach 5; a file of which 5 % of the rows are shifted reaches 13."""


def two_systems(surface: Surface, trials: Sequence[Trial]) -> dict[str, int] | None:
    """Rows of each of two trials, where only both together explain the file (混合判定).

    Every row stands at one of two positions, the share of each is estimated (EM, with the distances to roads and
    buildings learnt from both). Two trials of one reading are named where they are likelier than the better one
    together with any shift about as long in another direction, by `NAMED_NATS` and `NAMED_SPREADS`: rows that are
    merely wrong, or stand anywhere, fit such a shift as well. At least three rows, in three places, and 5 % of the
    rows must belong to each. Only where the city's own data appear to be as they should: two systems against a
    shifted city explain anything.

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
        if (
            there is here
            or there.frame is not here.frame
            or (here.reference, there.reference) != ("wgs84", "wgs84")
        ):
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
    """Likelihood that the first trial reaches with shifts about as long as the way to the other, in other directions."""
    way = np.median(there.xy - here.xy, axis=0)
    length, azimuth = float(np.hypot(*way)), float(np.arctan2(way[0], way[1]))
    turns = np.arange(_DIRECTIONS) * 2.0 * np.pi / _DIRECTIONS
    aside = turns[np.abs((turns - azimuth + np.pi) % (2 * np.pi) - np.pi) > _ASIDE]
    shifts = [
        surface.mixed(here.xy, moved(here.xy, length * times, turn))[0]
        for turn in aside
        for times in _LENGTHS
    ]
    return max(*shifts, float(np.mean(shifts) + NAMED_SPREADS * np.std(shifts, ddof=1)) - NAMED_NATS)
