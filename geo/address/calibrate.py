"""Fit the confidence of a city from its own table (按城市标定), and say how far it can be trusted.

Texts are made from the table (`garble`), among them numbers and roads that are looked away from, so that the
model meets what is not in the table; half of the texts fit, the other half measures.
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
MOST_UNKNOWN = 0.002
THRESHOLDS = (0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995)
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


def with_threshold(calibration: Calibration, seen: Trial) -> Calibration:
    """The lowest threshold at which texts are assigned 99.5 % right and unknown roads accepted under 0.2 %."""
    for threshold in THRESHOLDS:
        chosen = replace(calibration, unique_at=threshold)
        trust = measure(chosen, seen)
        if trust.auto_precision >= WANTED_PRECISION and trust.unknown_accepted < MOST_UNKNOWN:
            return chosen
    return replace(calibration, unique_at=THRESHOLDS[-1])


def fit_city(gazetteer: Gazetteer, *, seed: int, per_class: int = 150) -> tuple[Calibration, Trust]:
    """Calibration of a city, and what it is worth on texts that the fit did not see.

    A table of fewer than 200 plates cannot say: the default calibration, measured on it.
    """
    seen = trial(gazetteer, per_class=per_class, seed=seed)
    half = np.arange(len(seen.right)) % 2 == 0
    if len(gazetteer.plate_num) < 200:
        return DEFAULT, measure(DEFAULT, seen)
    fitted = with_threshold(fit(seen.numbers[half], seen.right[half]), seen.take(half))
    return fitted, measure(fitted, seen.take(~half))


__all__ = ["CLASSES", "Trial", "Trust", "fit_city", "measure", "trial", "with_threshold"]
