"""Monitoring points (监控点): the register as a city has it, made fit for analysis."""

from geo.camera.optics import DEFAULTS, Defaults, Kind, views

__all__ = ["DEFAULTS", "Defaults", "Kind", "views"]
