"""The domain (领域): tables in, tables out; knows no web, no map library, no clock, no environment."""

from geo.store import open_city

__all__ = ["open_city"]
