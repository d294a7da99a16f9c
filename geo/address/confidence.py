"""How sure an answer is (置信度): the calibrated probability that its base grid is right, and the status.

A logistic model on what the search found. Fitted with roads that are *not* in the table among the queries:
without them a look-alike that happens to own the number would be believed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from geo.address import gazetteer as gz
from geo.address.defaults import UNIQUE_AT, WEIGHTS
from geo.address.found import EXACT, EXTRAPOLATED, INTERPOLATED, LANE_MOUTH, NO_NUMBER, NO_PLATES, SUB
from geo.address.names import HOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geo.address.answer import Candidate, Status
    from geo.address.found import Found

NAMES = (
    "score", "margin", "close", "exact_name", "length", "short_name", "homophone", "look_alike", "typo", "missing",
    "extra", "cost", "crowd", "exact_number", "sub", "interpolated", "extrapolated", "lane_mouth", "no_number",
    "no_plates", "quality", "sure", "agreed", "conflict", "unexplained", "radius", "compound", "poi", "place",
    "misspelt_rarity", "misspelt_agreed", "misspelt_conflict", "misspelt_unexplained", "misspelt_unseen",
    "guess", "guess_rarity", "guess_agreed", "guess_crowd", "misspelt_told", "guess_told", "other_name", "one",
)  # fmt: skip
MARGIN, OTHER = NAMES.index("margin"), NAMES.index("other_name")
OTHER_NAME_AT = 0.6  # 解放东路 for 解放西路 is another road, not a slip: never sure, whatever else fits
RIVALRY = 6.0  # an equal rival elsewhere halves the probability, one 0.5 below takes 5 %
NONE_AT = 0.08
EQUAL = 0.05  # candidates this near in score share what is believed
WEAKEST = 0.4  # score under which a candidate is no answer
GUESSED = ("typo", "swapped", "missing", "extra")  # neither sound nor shape speaks for the name
MISSPELT = ("homophone", "look_alike", "typo", "missing", "extra", "swapped", "variant")


def features(found: Sequence[Found]) -> list[tuple[float, ...]]:
    """Numbers that the confidence is made of, one tuple (in the order of `NAMES`) a candidate.

    The margin is to the best candidate that is another place: for the first the runner-up, for the others the
    first.
    """
    out: list[tuple[float, ...]] = []
    for i, f in enumerate(found):
        rivals = [g.score for j, g in enumerate(found) if j != i and not _same_place(f, g)]
        margin = f.score - max(rivals) if rivals else 4.0
        how, kind, number = HOW[f.hit.how], f.kind, f.number
        agreed, unexplained = min(f.agreed, 2.0), min(f.unexplained, 5) / 3
        crowd, rarity = math.log1p(f.hit.crowd) if f.hit.cost else 0.0, f.rarity / 4
        wrong, typo = float(f.hit.cost > 0), float(how in ("typo", "swapped"))
        guess, told = float(how in GUESSED), max(-2.0, min(f.hit.told, 8.0)) / 4
        beside = number in (SUB, INTERPOLATED, EXTRAPOLATED)
        out.append((
            f.score / 5, max(-1.0, min(margin, 4.0)) / 2, float(margin < 0.3), 1.0 - wrong,
            min(f.hit.end - f.hit.start, 8) / 4, float(f.penalty > 0.2),
            float(how == "homophone"), float(how == "look_alike"), typo,
            float(how == "missing"), float(how == "extra"), min(f.hit.cost, 3.0), crowd,
            float(number == EXACT), float(number == SUB), float(number == INTERPOLATED),
            float(number == EXTRAPOLATED), float(number == LANE_MOUTH),
            float(number == NO_NUMBER and kind == gz.STREET), float(number == NO_PLATES),
            f.quality, f.sure if beside else 0.0, agreed, f.conflict, unexplained, min(f.radius_m, 500.0) / 100,
            float(kind == gz.COMPOUND), float(kind == gz.POI), float(kind == gz.ROAD_LINE),
            wrong * rarity, wrong * agreed, wrong * f.conflict, wrong * unexplained, wrong * float(number != EXACT),
            guess, guess * rarity, guess * agreed, guess * crowd, wrong * told, guess * told, float(f.other_name), 1.0,
        ))  # fmt: skip
    return out


def _same_place(one: Found, other: Found) -> bool:
    """Whether two candidates are one place to a dispatcher.

    The same grid by the table, within 25 m, or a compound and the facility of the same name in it.
    """
    if one.grid >= 0 and one.grid == other.grid:
        return True
    away = math.hypot(one.x - other.x, one.y - other.y)
    if one.hit.name == other.hit.name and {one.kind, other.kind} == {gz.COMPOUND, gz.POI}:
        return away < max(one.radius_m, other.radius_m) + 50
    return away < 25


@dataclass(frozen=True)
class Calibration:
    """Weights of the logistic model, and where the statuses begin."""

    weights: tuple[float, ...]
    unique_at: float = UNIQUE_AT
    none_at: float = NONE_AT
    fitted_on: str = "default"

    def probability(self, numbers: Sequence[float]) -> float:
        """P(base grid is right) of one candidate's features."""
        z = sum(w * x for w, x in zip(self.weights, numbers, strict=True))
        margin = 2.0 * numbers[MARGIN]
        p = 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, z)))) / (1.0 + math.exp(-RIVALRY * margin))
        return min(p, OTHER_NAME_AT) if numbers[OTHER] else p

    def status(self, candidates: Sequence[Candidate]) -> Status:
        """Status of candidates, best first (状态).

        `unique` above the threshold; `ambiguous` for two near equals; `none` where nothing is believable;
        `low` for the rest, among them what is only a street, a village or a town.
        """
        if not candidates:
            return "none"
        first = candidates[0]
        if first.confidence >= self.unique_at:
            return "unique"
        misspelt = any(
            code.startswith(("ROAD.", "NAME.")) and code[5:] in MISSPELT for code, _ in first.faults
        )
        equal = sum(c.confidence for c in candidates if c.score >= first.score - EQUAL)
        if equal < self.none_at and (misspelt or first.score < WEAKEST):
            return "none"
        rival = next((c for c in candidates[1:] if c.score > first.score - 0.6), None)
        return "ambiguous" if rival is not None and first.score > 2.0 else "low"

    def dumps(self) -> str:
        """Text form, for the store."""
        return json.dumps({"weights": dict(zip(NAMES, self.weights, strict=True)), "unique_at": self.unique_at,
                           "none_at": self.none_at, "fitted_on": self.fitted_on})  # fmt: skip

    @classmethod
    def loads(cls, text: str) -> Calibration:
        """Read `dumps`."""
        raw = json.loads(text)
        return cls(
            tuple(float(raw["weights"][n]) for n in NAMES), raw["unique_at"], raw["none_at"], raw["fitted_on"]
        )


def fit(
    numbers: NDArray[np.float64], right: NDArray[np.bool_], *, ridge: float = 0.5, fitted_on: str = "city"
) -> Calibration:
    """Logistic regression with a ridge, by maximum likelihood (置信度标定).

    Parameters
    ----------
    numbers
        Features of first candidates, (n, len(NAMES)); a row of zeros for a query without candidates.
    right
        Whether the base grid of that candidate is the true one; False for roads that are not in the table.
        Rows of another name (`other_name`) are left out: their probability has a lid of its own.
    ridge
        Penalty on the squared weights but the last (the constant).

    Returns
    -------
    Calibration
        With the default thresholds.
    """
    plain = numbers[:, OTHER] == 0
    numbers, y = numbers[plain], right[plain].astype(float)
    penalty = np.full(numbers.shape[1], ridge)
    penalty[-1] = 0.0

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = np.clip(numbers @ w, -30, 30)
        value = float(np.sum(np.logaddexp(0, z) - y * z) + 0.5 * np.sum(penalty * w * w))
        p = 1 / (1 + np.exp(-z))
        return value, numbers.T @ (p - y) + penalty * w

    best = minimize(loss, np.zeros(numbers.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return Calibration(tuple(float(w) for w in best.x), fitted_on=fitted_on)


DEFAULT = Calibration(tuple(WEIGHTS[n] for n in NAMES))
