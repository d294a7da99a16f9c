"""Where a city is kept between runs (存储): one GeoPackage by default."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geo.store.base import Store, WriteResult
from geo.store.geopackage import GeoPackageStore

if TYPE_CHECKING:
    from datetime import date

    from geo.city import City

__all__ = ["GeoPackageStore", "Store", "WriteResult", "create_store", "open_city", "open_store"]


def create_store(folder: str | Path, *, name: str = "", scheme: str = "") -> Store:
    """Make an empty city in a folder (新建城市). `StoreError` if there is one already."""
    path = Path(folder)
    return GeoPackageStore.create(path, name=name or path.resolve().name, scheme=scheme)


def open_store(folder: str | Path) -> Store:
    """Open the store of a city; `StoreError` says what is missing and how to make it."""
    return GeoPackageStore.open(Path(folder))


def open_city(folder: str | Path, as_of: date | None = None) -> City:
    """Return the City kept in a folder, as of today's tables or of a date (打开城市快照)."""
    return open_store(folder).city(as_of=as_of)
