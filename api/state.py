"""What a running server holds: the snapshot, the store, the live overlay. One assignment replaces the snapshot."""

import threading
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from api.settings import Settings
from geo import schema
from geo.city import City
from geo.live import Change, LiveState
from geo.scope import Scope
from geo.store import Store, open_store


@dataclass
class ServerState:
    """The server's state.

    `store` is None for a City that lives in memory only (tests, what-if): then nothing is durable, and writes
    are refused.
    """

    city: City
    settings: Settings = field(default_factory=Settings)
    store: Store | None = None
    live: LiveState = field(default_factory=LiveState)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def scope(self) -> Scope:
        """What callers may see."""
        s = self.settings
        return Scope(who="http", role=s.role, roots=frozenset(s.roots), k=s.k)

    def reload(self) -> None:
        """Take a new snapshot from the store; the live incidents that it holds leave the overlay."""
        if self.store is None:
            return
        with self.lock:
            folded = [row["incident_id"] for row in self.live.rows()]
            self.city = self.store.city(as_of=date.today() if has_dates(self.store) else None)  # noqa: DTZ011  # local date of the city's server
            self.live.fold(folded)

    def accept_incidents(self, frame: gpd.GeoDataFrame) -> list[Change]:
        """Keep incidents durably, then show them: returns once they are on disk."""
        assert self.store is not None  # noqa: S101  # the route has checked
        with self.lock:
            self.store.write("incidents", frame)
            changes = self.live.put(rows_of(frame))
            full = len(self.live) >= self.settings.fold_after
        if full:
            self.reload()
        return changes


def has_dates(store: Store) -> bool:
    """Whether any grid has a validity date, so that "now" must be chosen by today's date."""
    grids = store.city().degrees("grids")
    return bool(grids["valid_from"].notna().any() or grids["valid_to"].notna().any())


def rows_of(frame: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Turn conforming incidents in degrees into plain rows: id, lon, lat and columns; missing is None, times ISO."""
    plain = pd.DataFrame(frame.drop(columns="geometry"))
    for column in schema.table("incidents").columns:
        if column.kind == "time":
            plain[column.name] = plain[column.name].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    plain = plain.astype(object).where(plain.notna(), None)
    shapes = frame.geometry.to_numpy()
    plain.insert(0, "lat", shapely.get_y(shapes).tolist())
    plain.insert(0, "lon", shapely.get_x(shapes).tolist())
    records: list[dict[str, Any]] = plain.reset_index().to_dict("records")
    return records


def open_state(settings: Settings) -> ServerState:
    """Open the city named in the settings."""
    store = open_store(settings.city)
    today = date.today() if has_dates(store) else None  # noqa: DTZ011  # local date of the city's server
    return ServerState(store.city(as_of=today), settings, store)
