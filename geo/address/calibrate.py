"""Fit the confidence of a city from its own table (按城市标定), and say how far it can be trusted.

Texts are made from the table (`garble`), among them numbers and roads that are looked away from, so that the
model meets what is not in the table; other texts of the same city measure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geo.address.confidence import DEFAULT, NAMES, Calibration, fit
from geo.address.garble import CLASSES, Garbler, Sample
from geo.address.resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geo.address.gazetteer import Gazetteer

WANTED_PRECISION = 0.995
MOST_UNKNOWN = 0.003
THRESHOLDS = tuple(round(0.7 + 0.01 * i, 2) for i in range(30))
LEAST_PRECISION, MOST_ACCEPTED = 0.99, 0.01
RIDGE = 3.0
FEWEST = 200  # plates that can say something about a city
UNKNOWN_WEIGHT = 4  # texts of roads that do not exist, for one text of any other class


@dataclass(frozen=True, slots=True)
class Trial:
    """Features of first candidates, whether their grid is right, and which texts had no true place."""

    numbers: NDArray[np.float64]
    right: NDArray[np.bool_]
    kind: NDArray[np.object_]

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Texts of roads that are not in the table."""
        return np.asarray(self.kind == "unknown_road")

    def take(self, at: NDArray[np.bool_]) -> Trial:
        """Some of the texts."""
        return Trial(self.numbers[at], self.right[at], self.kind[at])

    def __add__(self, other: Trial) -> Trial:
        """Texts of two cities."""
        return Trial(
            *(np.concatenate([getattr(self, n), getattr(other, n)]) for n in ("numbers", "right", "kind"))
        )


@dataclass(frozen=True, slots=True)
class Trust:
    """Measured on texts the fit did not see: shares of in-table texts and of unknown roads."""

    texts: int
    auto: float
    auto_precision: float
    unknown: int
    unknown_accepted: float

    @property
    def holds(self) -> bool:
        """Whether 99 % of what is assigned is right, and at most 1 % of unknown roads are assigned."""
        return self.auto_precision >= LEAST_PRECISION and not self.unknown_accepted > MOST_ACCEPTED


def trial(gazetteer: Gazetteer, *, per_class: int, seed: int) -> Trial:
    """Ask garbled texts of every class and keep what the confidence is made of."""
    garbler = Garbler(gazetteer, seed=seed)
    samples = garbler.samples(per_class)
    samples += garbler.samples((UNKNOWN_WEIGHT - 1) * per_class, ("unknown_road",))
    resolver = Resolver(gazetteer)
    rows = [_ask(resolver, s) for s in samples]
    return Trial(
        np.array([r[0] for r in rows], float).reshape(-1, len(NAMES)),
        np.array([r[1] for r in rows], bool),
        np.array([s.kind for s in samples], object),
    )


def _ask(resolver: Resolver, sample: Sample) -> tuple[Sequence[float], bool]:
    search = resolver.search
    search.hidden, search.numbers.without = sample.hidden, sample.without
    try:
        answer = resolver.resolve(sample.text)
    finally:
        search.hidden, search.numbers.without = frozenset(), -1
    if not answer.candidates:
        return (0.0,) * len(NAMES), False
    first = answer.candidates[0]
    said = resolver.gazetteer.grid_text[sample.grid] if sample.grid >= 0 else None
    near = np.hypot(first.x - sample.x, first.y - sample.y) <= 50
    right = first.grid_id == said if said else bool(near)
    return first.features, sample.kind != "unknown_road" and right


def measure(calibration: Calibration, seen: Trial) -> Trust:
    """Share that would be assigned without a person, and how often that is right."""
    p = np.array([calibration.probability(n) if any(n) else 0.0 for n in seen.numbers.tolist()])
    auto, unknown = p >= calibration.unique_at, seen.unknown
    known = ~unknown
    return Trust(
        int(known.sum()),
        float(auto[known].mean()) if known.any() else np.nan,
        float(seen.right[auto & known].mean()) if (auto & known).any() else np.nan,
        int(unknown.sum()),
        float(auto[unknown].mean()) if unknown.any() else np.nan,
    )


def lowest_threshold(fresh: Sequence[tuple[Calibration, Trial]]) -> float | None:
    """The lowest threshold at which, over all trials, 99.5 % of what is assigned is right and at most 0.3 % of unknown roads are assigned.

    Each trial comes with a calibration that was not fitted on it. None where no threshold keeps that.
    """
    for at in THRESHOLDS:
        trusts = [measure(replace(c, unique_at=at), t) for c, t in fresh]
        assigned = np.array([t.texts * t.auto for t in trusts])
        right = np.array([0.0 if np.isnan(t.auto_precision) else t.auto_precision for t in trusts])
        unknown = float(np.mean([t.unknown_accepted for t in trusts]))
        if (
            assigned.sum()
            and (assigned * right).sum() >= WANTED_PRECISION * assigned.sum()
            and unknown <= MOST_UNKNOWN
        ):
            return at
    return None


def fit_city(gazetteer: Gazetteer, *, seed: int, per_class: int = 150) -> tuple[Calibration, Trust]:
    """Calibration of a city, and what it is worth on texts that neither the fit nor its threshold saw.

    By the rule of the default: the threshold is chosen on texts that the weights were not fitted to (each half
    with the weights of the other), the weights are then fitted to both. The default stays where it holds and
    assigns as much, for a table of fewer than 200 plates, and where no threshold keeps the rule.
    """
    fresh = trial(gazetteer, per_class=max(per_class // 2, 1), seed=seed + 1)
    if len(gazetteer.plate_num) < FEWEST:
        return DEFAULT, measure(DEFAULT, fresh)
    seen = trial(gazetteer, per_class=per_class, seed=seed)
    half = np.arange(len(seen.right)) % 2 == 0
    parts = seen.take(half), seen.take(~half)
    crossed = [(fit(o.numbers, o.right, ridge=RIDGE), t) for o, t in (parts, parts[::-1])]
    at = lowest_threshold(crossed)
    if at is None:
        return DEFAULT, measure(DEFAULT, fresh)
    fitted = replace(fit(seen.numbers, seen.right, ridge=RIDGE), unique_at=at)
    own, default = measure(fitted, fresh), measure(DEFAULT, fresh)
    better = own.holds and (own.auto > default.auto or not default.holds)
    return (fitted, own) if better else (DEFAULT, default)


__all__ = ["CLASSES", "RIDGE", "Trial", "Trust", "fit_city", "lowest_threshold", "measure", "trial"]
