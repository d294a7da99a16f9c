"""How well points fit at trial positions, and whether one position is the peak (吻合度与峰值检验)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geo.quality.evidence import Evidence
    from geo.quality.frames import Frame

    Floats = NDArray[np.float64]

PLACE_M = 200.0
MOST_SIGMA = 40.0
NAMED_SIGMA = 3.0  # the best trial against every other trial
SHIFT_SIGMA = 2.33  # the best trial against every shift as long as the way to the next trial
_DIRECTIONS = 16
# Parts of that way, and the sigma that the best trial must have over a shift as long: near by, where the
# truth itself hardly differs, a shift must only not be clearly better.
_STEPS = ((0.25, -1.5), (0.5, 0.0), (0.75, 0.0), (1.0, SHIFT_SIGMA), (2.0, SHIFT_SIGMA))
_LONE_STEPS = ((0.5, -NAMED_SIGMA), (1.0, -NAMED_SIGMA), (2.0, -NAMED_SIGMA))


@dataclass(frozen=True, slots=True)
class Trial:
    """One explanation of the numbers: a reading and who is offset; `xy` are metres of the sampled points."""

    frame: Frame
    content: str
    reference: str
    xy: Floats

    @property
    def name(self) -> str:
        """Name of the system, with what else the trial supposes."""
        content = self.content if self.frame.geographic else self.frame.source
        name = f"swapped {content}" if self.frame.swapped else content
        if not self.frame.geographic and self.content != "wgs84":
            name += f" holding {self.content}"
        return name if self.reference == "wgs84" else f"{name}, city in {self.reference}"


def places_of(xy: Floats) -> NDArray[np.intp]:
    """Number of the 200 m cell of each point."""
    cells = np.floor(xy / PLACE_M).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].ravel()


class Surface:
    """How well the sampled points fit at any trial position."""

    def __init__(self, evidence: list[Evidence], places: NDArray[np.intp]) -> None:
        self.evidence = evidence
        self.places = places
        self.count = int(places.max()) + 1 if len(places) else 0
        self._cache: dict[bytes, list[Floats]] = {}
        self._scale = np.ones(len(evidence))

    def parts(self, xy: Floats) -> list[Floats]:
        """Score of every point for every kind of evidence."""
        key = xy[:8].tobytes()
        if key not in self._cache:
            self._cache[key] = [e.score(e.metres(xy)) for e in self.evidence]
        return self._cache[key]

    def fits(self, trials: Sequence[Trial]) -> list[Floats]:
        """Sum over the evidence, each in units of its own spread over all trials, one array a trial."""
        every = [self.parts(t.xy) for t in trials]
        for k in range(len(self.evidence)):
            spread = float(np.std(np.concatenate([p[k] for p in every])))
            self._scale[k] = 1.0 / spread if spread > 0 else 0.0
        return [self.total(t.xy) for t in trials]

    def total(self, xy: Floats) -> Floats:
        """Sum over the evidence at one position."""
        return sum((w * p for w, p in zip(self._scale, self.parts(xy), strict=True)), np.zeros(len(xy)))

    def sigma(self, better: Floats, worse: Floats) -> float:
        """By how many standard deviations one position fits better than another, points of a place as one.

        A paired t test over places (degrees of freedom: places - 1), expressed as a normal deviate.
        """
        per_place = np.bincount(self.places, weights=better - worse, minlength=self.count)
        spread = per_place.std(ddof=1) * np.sqrt(self.count) if self.count > 1 else 0.0
        total = per_place.sum()
        if spread == 0:
            return 0.0
        tail = float(stats.t.logsf(abs(total) / spread, self.count - 1))
        deviate = float(-stats.norm.ppf(np.exp(tail))) if tail > -700 else MOST_SIGMA
        return float(np.copysign(min(deviate, MOST_SIGMA), total))

    def figures(self, trials: Sequence[Trial]) -> tuple[dict[str, Any], ...]:
        """What people can read: share inside, median distance."""
        return tuple(
            {
                "system": t.name,
                "evidence": e.name,
                "figure": e.figure,
                "value": round(e.value(e.metres(t.xy)), 4),
            }
            for t in trials
            for e in self.evidence
        )


def conflict(surface: Surface, best: Trial, rivals: list[Trial]) -> tuple[str, str] | None:
    """Find a kind of evidence that by itself would name another trial, if there is one."""
    here = surface.parts(best.xy)
    for k, evidence in enumerate(surface.evidence):
        for rival in rivals:
            if surface.sigma(surface.parts(rival.xy)[k], here[k]) >= NAMED_SIGMA:
                return evidence.name, rival.name
    return None


def best_shift(surface: Surface, best: Trial, fit: Floats, rivals: list[Trial]) -> tuple[str, float]:
    """Compare with shifts in all directions: the least convincing one, and how it compares.

    Below 0: the shift fits better. Below 1: not clearly worse. See `_STEPS`; without rivals only a clearly
    better shift counts.
    """
    near = [float(np.median(np.hypot(*(t.xy - best.xy).T))) for t in rivals]
    step = min((d for d in near if d > 50.0), default=500.0)
    turns = np.arange(_DIRECTIONS) * 2.0 * np.pi / _DIRECTIONS
    worst = ("", np.inf)
    for part, needed in _STEPS if rivals else _LONE_STEPS:
        for turn in turns:
            moved = best.xy + part * step * np.array([np.sin(turn), np.cos(turn)])
            sigma = surface.sigma(fit, surface.total(moved))
            lead = sigma / needed if needed > 0 else -1.0 if sigma < needed else np.inf
            if lead < worst[1]:
                worst = (f"{part * step:.0f} m towards {np.degrees(turn):.0f}°", lead)
    return worst
