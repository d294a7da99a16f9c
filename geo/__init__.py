"""The domain (领域): tables in, tables out; knows no web, no map library, no clock, no environment."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geo.city import City
    from geo.store import open_city

__all__ = ["City", "open_city"]

_HOMES = {"City": "geo.city", "open_city": "geo.store"}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load `geo.open_city`, `geo.crs`, `geo.hotspot` … when first asked for: a part of `geo` alone loads little."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if not name.startswith("_") and find_spec(f"geo.{name}"):
        return import_module(f"geo.{name}")
    raise AttributeError(f"module 'geo' has no attribute {name!r}")
