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
AREA_STEP_M = 25.0
BINS_M = np.array([1e-9, 1.0, 3.0, 6.0, 10.0, 16.0, 25.0, 40.0, 64.0])
PRIOR_POINTS = 4.0
_ROUNDS = 12
_USUAL_M = (600.0, 1200.0)
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


def moved(xy: Floats, metres: float, turn: float) -> Floats:
    """Shift points by metres towards an azimuth in radians."""
    return xy + metres * np.array([np.sin(turn), np.cos(turn)])


def places_of(xy: Floats) -> NDArray[np.intp]:
    """Number of the 200 m cell of each point."""
    cells = np.floor(xy / PLACE_M).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].ravel()


class Surface:
    """How well the sampled points fit at any trial position, in nats per point (log likelihood ratio).

    Areas: minus log(1 + metres outside / 25). Roads and buildings: the distances at which rows of this file
    stand are learnt at one trial position, as frequencies in bins, and set against those of shifts in all
    directions; a trial is judged by what is learnt at itself without the points of the same place. So no table
    needs to say where its rows stand, and a position where distances are as anywhere scores about zero. Ground
    that is far from everything never counts in favour.
    """

    def __init__(self, evidence: list[Evidence], places: NDArray[np.intp], around: Floats) -> None:
        self.evidence = evidence
        self.places = places
        self.count = int(places.max()) + 1 if len(places) else 0
        self._around = around
        self._metres: dict[bytes, list[Floats]] = {}
        self._learnt = b""
        self._usual = [self._frequencies(k) for k in range(len(evidence))]
        self._scores: list[Floats] = []

    def metres(self, xy: Floats) -> list[Floats]:
        """Distances of every point for every kind of evidence, worked out once per position."""
        key = xy.tobytes()
        if key not in self._metres:
            self._metres[key] = [e.metres(xy) for e in self.evidence]
        return self._metres[key]

    def _frequencies(self, k: int) -> Floats:
        """Shares of the bins of distance over shifts in all directions; never zero."""
        if not self.evidence[k].learns:
            return np.empty(0)
        counts = np.ones(len(BINS_M) + 1)
        for radius in _USUAL_M:
            for turn in np.arange(_DIRECTIONS) * 2.0 * np.pi / _DIRECTIONS:
                counts += self._counts(self.metres(moved(self._around, radius, turn))[k])
        return counts / counts.sum()

    @staticmethod
    def _counts(metres: Floats) -> Floats:
        return np.bincount(np.searchsorted(BINS_M, metres, "right"), minlength=len(BINS_M) + 1).astype(float)

    def learn(self, xy: Floats) -> Floats:
        """Learn distances at a position, and return how well the points fit there by what the others say."""
        self._learnt = xy.tobytes()
        self._scores = [
            self._ratio(self._counts(m), usual) if e.learns else usual
            for e, m, usual in zip(self.evidence, self.metres(xy), self._usual, strict=True)
        ]
        return self.total(xy)

    @staticmethod
    def _ratio(counts: Floats, usual: Floats, total: Any = None) -> Floats:  # noqa: ANN401
        """Log of the learnt share over the usual one, drawn towards zero by a few usual points."""
        among = counts.sum() if total is None else total
        ratio = np.log((counts / usual + PRIOR_POINTS) / (among + PRIOR_POINTS))
        if total is None:
            ratio[-1] = min(ratio[-1], 0.0)
        return np.asarray(ratio)

    def parts(self, xy: Floats) -> list[Floats]:
        """Score of every point for every kind of evidence, by what was learnt."""
        left_out = xy.tobytes() == self._learnt
        found = []
        for e, metres, usual, score in zip(
            self.evidence, self.metres(xy), self._usual, self._scores, strict=True
        ):
            if not e.learns:
                found.append(-np.log1p(metres / AREA_STEP_M))
                continue
            bins = np.searchsorted(BINS_M, metres, "right")
            found.append(self._without_own_place(bins, usual) if left_out else score[bins])
        return found

    def _without_own_place(self, bins: NDArray[np.intp], usual: Floats) -> Floats:
        width = len(BINS_M) + 1
        own = np.bincount(self.places * width + bins, minlength=self.count * width)[
            self.places * width + bins
        ]
        others = np.bincount(bins, minlength=width)[bins] - own
        rest = len(bins) - np.bincount(self.places, minlength=self.count)[self.places]
        ratio = self._ratio(others, usual[bins], rest)
        return np.where(bins == width - 1, np.minimum(ratio, 0.0), ratio)

    def total(self, xy: Floats) -> Floats:
        """Sum over the evidence at one position, by what was learnt."""
        return sum(self.parts(xy), np.zeros(len(xy)))

    def mixed(self, one: Floats, other: Floats) -> tuple[float, Floats]:
        """Log likelihood of rows that stand at either of two positions, and how likely each is at the first.

        The share of the two, and the distances at which rows stand, are learnt from the rows themselves (EM).
        Grid borders are left out: they lie so dense and even that rows of one system seem to stand at two places.
        """
        every = zip(self.evidence, self.metres(one), self.metres(other), self._usual, strict=True)
        metres = [kind for kind in every if kind[0].name != "grid borders"]
        width = len(BINS_M) + 1
        likely, total = np.full(len(one), 0.5), 0.0
        for _ in range(_ROUNDS):
            here, there = np.zeros(len(one)), np.zeros(len(one))
            for evidence, near, far, usual in metres:
                if not evidence.learns:
                    here -= np.log1p(near / AREA_STEP_M)
                    there -= np.log1p(far / AREA_STEP_M)
                    continue
                a, b = np.searchsorted(BINS_M, near, "right"), np.searchsorted(BINS_M, far, "right")
                counts = np.bincount(a, likely, width) + np.bincount(b, 1.0 - likely, width)
                score = self._ratio(np.asarray(counts, np.float64), usual)
                here, there = here + score[a], there + score[b]
            share = np.clip(likely.mean(), 1e-6, 1.0 - 1e-6)
            here, there = here + np.log(share), there + np.log1p(-share)
            both = np.logaddexp(here, there)
            likely, total = np.exp(here - both), float(both.sum())
        return total, likely

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
                "value": round(e.value(self.metres(t.xy)[k]), 4),
            }
            for t in trials
            for k, e in enumerate(self.evidence)
        )


def conflict(surface: Surface, best: Trial, rivals: list[Trial]) -> tuple[str, str] | None:
    """Find a kind of evidence that by itself, each trial learning at itself, would name another, if any."""
    own = []
    for trial in (*rivals, best):  # the best last: what is learnt there stays
        surface.learn(trial.xy)
        own.append(surface.parts(trial.xy))
    for rival, parts in zip(rivals, own, strict=False):
        for evidence, there, here in zip(surface.evidence, parts, own[-1], strict=True):
            if surface.sigma(there, here) >= NAMED_SIGMA:
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
            sigma = surface.sigma(fit, surface.total(moved(best.xy, part * step, turn)))
            lead = sigma / needed if needed > 0 else -1.0 if sigma < needed else np.inf
            if lead < worst[1]:
                worst = (f"{part * step:.0f} m towards {np.degrees(turn):.0f}°", lead)
    return worst
