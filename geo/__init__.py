"""The domain (领域): tables in, tables out; knows no web, no map library, no clock, no environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geo.store import open_city

__all__ = ["open_city"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Give `geo.open_city` when it is first asked for: a part of `geo` alone does not load the store."""
    if name == "open_city":
        from geo.store import open_city  # noqa: PLC0415

        return open_city
    raise AttributeError(name)
