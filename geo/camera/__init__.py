"""Monitoring points (监控点): the register as a city has it, made fit for analysis."""

from geo.camera.optics import DEFAULTS, DIRECTION_DEG, Defaults, Kind, views
from geo.camera.place import free_of_buildings
from geo.camera.register import completeness, devices, duplicates, missing_fields, poles

__all__ = [
    "DEFAULTS",
    "DIRECTION_DEG",
    "Defaults",
    "Kind",
    "completeness",
    "devices",
    "duplicates",
    "free_of_buildings",
    "missing_fields",
    "poles",
    "views",
]
