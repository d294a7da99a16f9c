"""Image levels by pixel density (按像素密度划分的图像等级).

Sources: EN 62676-4:2014 (monitor … identify) and IEC 62676-4:2025 (overview … scrutinise). Pixel density is
counted on a plane square to the optical axis; distance is along the line of sight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geo.camera.pixels import ground_reach_m, pixels_per_m, reach_m
from geo.errors import UnknownNameError
from geo.schema import IMAGE_LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CLASS_LEVELS",
    "DEFAULT_PROFILE",
    "NAMES_ZH",
    "PROFILES",
    "density",
    "ground_reach_m",
    "levels",
    "pixels_per_m",
    "reach_m",
]

PROFILES: Mapping[str, Mapping[str, float]] = {
    "en62676-4:2014": {
        "monitor": 12.5,
        "detect": 25.0,
        "observe": 62.5,
        "recognise": 125.0,
        "identify": 250.0,
    },
    "iec62676-4:2025": {
        "overview": 20.0,
        "outline": 40.0,
        "discern": 80.0,
        "perceive": 125.0,
        "characterise": 250.0,
        "validate": 500.0,
        "scrutinise": 1500.0,
    },
}
NAMES_ZH: Mapping[str, str] = IMAGE_LEVELS
DEFAULT_PROFILE = "en62676-4:2014"
# Suggested level of each target class; a city may set its own per target (required_level).
CLASS_LEVELS: Mapping[int, str] = {1: "recognise", 2: "observe", 3: "detect"}


def density(level: str) -> float:
    """Pixels per metre that a level of either profile asks for; `UnknownNameError` names all levels."""
    for levels in PROFILES.values():
        if level in levels:
            return levels[level]
    raise UnknownNameError("image level", level, [n for levels in PROFILES.values() for n in levels])


def levels(profile: str = DEFAULT_PROFILE) -> Mapping[str, float]:
    """Levels of a profile with their px/m, lowest first; `UnknownNameError` names the profiles."""
    try:
        return PROFILES[profile]
    except KeyError:
        raise UnknownNameError("image level profile", profile, PROFILES) from None
