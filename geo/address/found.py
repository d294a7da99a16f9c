"""What a search finds (检索结果): names in a text, areas that it mentions, entities with their evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geo.address.names import HOW

if TYPE_CHECKING:
    import shapely

EXACT, SUB, INTERPOLATED, EXTRAPOLATED, LANE_MOUTH, NO_NUMBER, NO_PLATES = range(7)
NUMBERED = (EXACT, SUB, INTERPOLATED, EXTRAPOLATED)
VARIANT, FALLBACK = HOW.index("variant"), HOW.index("fallback")


@dataclass(frozen=True, slots=True)
class Hit:
    """A name that occurs in the text: where, at what cost, and in what manner (index of `names.HOW`).

    `crowd` is how many near names of the text cost no more: many mean that anything would be near something;
    `told` how many nats of the name stand in the text: the rarer the characters that the two share among the
    city's names, the less likely another name has them too (0: one such name is expected by chance).
    """

    start: int
    end: int
    name: int
    cost: float
    how: int
    crowd: int = 0
    told: float = 0.0


@dataclass(slots=True)
class Found:
    """An entity with its evidence.

    `rarity` is how unlikely another street (compound) would own the same number, as minus the logarithm of that
    share; `sure` the share of the plates around a number that is not in the table which lie in its grid.
    """

    x: float
    y: float
    score: float
    precision: str
    radius_m: float
    start: int
    end: int
    hit: Hit
    kind: int
    at: int
    number: int = NO_NUMBER
    quality: float = 0.0
    plate: int = -1
    area: int = -1
    grid: int = -1
    penalty: float = 0.0
    agreed: float = 0.0
    conflict: float = 0.0
    unexplained: int = 0
    other_name: bool = False
    rarity: float = 0.0
    sure: float = 1.0
    detail: str = ""
    place: str = ""
    line: shapely.LineString | None = None
    faults: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mention:
    """An area named in the text, and its strength (0.5 for a short form)."""

    start: int
    end: int
    areas: frozenset[int]
    levels: frozenset[int]
    weight: float


def manner(hit: Hit) -> str:
    """How a name was found: exact, homophone, typo and so on."""
    return HOW[hit.how]
