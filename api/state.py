"""What a running server holds: the snapshot, the store, the live overlay. One assignment replaces the snapshot."""

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from api import first_view
from api.settings import Settings
from geo import schema, situation, watch
from geo.city import City
from geo.hotspot import HotList, RingCounts
from geo.indicators import located
from geo.live import Change, LiveState
from geo.scope import Scope
from geo.store import Store, open_store

KIND_OF = {"facilities": "facility", "cameras": "camera"}


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
    prepared: threading.Event = field(default_factory=threading.Event)
    folding: threading.Thread | None = None
    ring: RingCounts | None = None
    _ring_of: tuple[str, date] | None = None
    _pending: threading.Timer | None = None
    _reads: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        """What callers may see."""
        s = self.settings
        return Scope(who="http", role=s.role, roots=frozenset(s.roots), k=s.k)

    def reload(self) -> None:
        """Take a new snapshot from the store; the live incidents that it holds leave the overlay.

        Open pages are told which tables have changed, so that they load the layers of these anew.
        """
        if self.store is None:
            return
        with self.lock:
            held = self.live.rows()
            city = current_city(self.store)
        # what is slow for a large city comes before the swap, so that no request and no incident waits for it
        first_view.prepare(city, scope=self.scope)
        located(city, "incidents")
        _hash_ids(city)
        situation.warm(city, scope=self.scope)
        counts = None if self.ring is None else _ring_of(city)
        with self.lock:
            changed = [t for t in schema.TABLES if city.version(t) != self.city.version(t)]
            self.city = city
            self.live.fold(held)
            if counts is not None:
                self._take(*counts)
            if changed:
                self.live.note("tables", ",".join(changed), {"tables": changed})

    def accept_state(self, table: str, row: gpd.GeoDataFrame, scope: Scope) -> Change:
        """Keep the new state of one facility or camera durably, then tell everyone; the snapshot follows soon."""
        assert self.store is not None  # noqa: S101  # the route has checked
        key, value = str(row.index[0]), str(row["state"].iloc[0])
        with self.lock:
            with self.store.transaction() as change:
                change.upsert(table, row)
                if table == "cameras":
                    change.upsert("camera_states", _log_entry(row))
                change.audit(scope.who, f"{KIND_OF[table]}.state", key, value)
            noted = self.live.note(KIND_OF[table], key, {"state": value})
            if self._pending is None or not self._pending.is_alive():
                self._pending = threading.Timer(self.settings.snapshot_after_s, self.reload)
                self._pending.daemon = True
                self._pending.start()
        return noted

    def close(self) -> None:
        """Stop what runs in the background and let go of the store."""
        if self._pending is not None:
            self._pending.cancel()
        if self.store is not None:
            self.store.close()

    def warm(self) -> None:
        """Load and index what the first questions of the day will ask for (预热)."""
        city = self.city
        city.locate([0.0], [0.0])
        for table in ("incidents", "hazards", "facilities", "cameras"):
            located(city, table)
        _hash_ids(city)

    @property
    def holds_secret(self) -> bool:
        """Whether the city has secret cameras (涉密点位)."""
        return self.city.derive(
            "holds-secret", ("cameras",), lambda: bool((self.city.degrees("cameras")["secrecy"] == 1).any())
        )

    def audit_read(self, scope: Scope, layer: str) -> None:
        """Note that a restricted layer was read (限制图层读取审计): one line per caller, layer and minute."""
        minute = time.monotonic() // 60
        if self.store is None or self._reads.get((scope.who, layer)) == minute:
            return
        self._reads[scope.who, layer] = minute
        with self.store.transaction() as change:
            change.audit(scope.who, "read", layer, f"role {scope.role}, k {scope.k}")

    def accept_incidents(self, frame: gpd.GeoDataFrame) -> list[Change]:
        """Keep incidents durably, then show them: returns once they are on disk.

        An incident that is known already is corrected: what the new row leaves empty stays as it was.
        """
        assert self.store is not None  # noqa: S101  # the route has checked
        with self.lock:
            frame = self._completed(frame)
            self.store.write("incidents", frame)
            changes = self.live.put(rows_of(frame))
            if self.ring is not None:
                self._count(self.ring, frame)
            if len(self.live) >= self.settings.fold_after and not (self.folding and self.folding.is_alive()):
                self.folding = threading.Thread(target=self.reload, name="fold", daemon=True)
                self.folding.start()
        return changes

    def hot_list(self, *, category: str | None, source: str | None, top: int) -> HotList:
        """Return the hottest grids now; counts are loaded once per snapshot and day, then kept incident by incident."""
        with self.lock:
            return self._counts().hot(category=category, source=source, top=top)

    def alarms(self, *, told: Collection[tuple[str, str]] = ()) -> pd.DataFrame:
        """Return the early warnings of this moment (`watch.alarms_of`), those already `told` left out."""
        with self.lock:
            return watch.alarms_of(self.city, self._counts(), told=told)

    def today(self) -> date:
        """Return the last day of the live counts; the data's last day before anything is counted."""
        with self.lock:
            return self._counts().today

    def _counts(self) -> RingCounts:
        """Live counts of the snapshot and of what has arrived since."""
        if self.ring is None or self._ring_of != _counted(self.city):
            return self._take(*_ring_of(self.city))
        return self.ring

    def _take(self, ring: RingCounts, of: tuple[str, date]) -> RingCounts:
        """Take new live counts of the snapshot, and count in what the overlay holds."""
        self.ring, self._ring_of = ring, of
        arrived = self.live.rows()
        if arrived:
            self._count(ring, frame_of(arrived))
        return ring

    def _count(self, ring: RingCounts, frame: gpd.GeoDataFrame) -> None:
        found = self.city.locate(frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
        column = found[watch.LEVEL_COLUMNS[watch.watched_level(self.city)]].to_numpy(dtype=object)
        days = frame["occurred_at"].dt.tz_convert(self.city.timezone).dt.date
        copies = frame["duplicate_of"].notna()
        today = datetime.now(
            ZoneInfo(self.city.timezone)
        ).date()  # a date in the future does not move the windows
        for key, day, category, source, grid, copy in zip(
            frame.index, days, frame["category"], frame["source"], column, copies, strict=True
        ):
            if day > ring.today:
                ring.roll(max(min(day, today), ring.today))
            known = grid if isinstance(grid, str) and grid in ring.graph.index and not copy else ""
            named = source if isinstance(source, str) else None
            ring.put(str(key), day=day, category=str(category), source=named, grid_id=known)

    def _completed(self, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        kept = self.city.degrees("incidents")
        at = kept.index.get_indexer(
            frame.index
        )  # an intersection would hash millions of ids for each incident
        known = rows_at(kept, at[at >= 0])
        newer = [row for row in map(self.live.get, frame.index) if row is not None]
        if newer:
            live = frame_of(newer)
            known = pd.concat([known[~known.index.isin(live.index)], live])
        if known.empty:
            return frame
        names = schema.table("incidents").names
        filled = frame[list(names)].combine_first(known.loc[:, list(names)]).loc[frame.index]
        return schema.checked("incidents", gpd.GeoDataFrame(filled, geometry=frame.geometry, crs=frame.crs))


def _hash_ids(city: City) -> None:
    """Make the table in which an incident that arrives is looked up, about a second for millions, before it is needed."""
    city.degrees("incidents").index.get_indexer([])


def _counted(city: City) -> tuple[str, date]:
    """What live counts are made of: versions of the tables and the last day of the data."""
    return city.version("grids", "incidents"), watch.last_day(city) or date(2000, 1, 1)


def _ring_of(city: City) -> tuple[RingCounts, tuple[str, date]]:
    of = _counted(city)
    return watch.ring_of(city, today=of[1]), of


def _log_entry(row: gpd.GeoDataFrame) -> pd.DataFrame:
    """Entry of the state log for one camera: its new state, since when."""
    key, at = str(row.index[0]), row["state_since"].iloc[0]
    index = pd.Index([f"{key}@{at.isoformat()}"], name="state_id", dtype="str")
    frame = pd.DataFrame({"camera_id": [key], "state": [row["state"].iloc[0]], "at": [at]}, index=index)
    return schema.checked("camera_states", frame)


def current_city(store: Store) -> City:
    """Return the city as it is today: where grids have validity dates, those that hold on the server's date."""
    city = store.city()
    grids = city.degrees("grids")
    if grids["valid_from"].notna().any() or grids["valid_to"].notna().any():
        return city.as_of(date.today())  # noqa: DTZ011  # the local date of the city's server
    return city


def rows_at(frame: gpd.GeoDataFrame, at: NDArray[np.intp]) -> gpd.GeoDataFrame:
    """Rows at some positions; one of millions is cut out, for taking rows goes through the text of all of them."""
    return frame.iloc[at] if len(at) > 1 else frame.iloc[at[0] : at[0] + 1] if len(at) else frame.iloc[:0]


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


def frame_of(rows: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    """Turn `rows_of`'s rows back into conforming incidents in degrees."""
    table = pd.DataFrame(rows)
    shapes = shapely.points(table["lon"], table["lat"])
    frame = gpd.GeoDataFrame(table.drop(columns=["lon", "lat"]), geometry=shapes, crs="EPSG:4490")
    return schema.checked("incidents", frame)


def open_state(settings: Settings) -> ServerState:
    """Open the city named in the settings."""
    store = open_store(settings.city)
    return ServerState(current_city(store), settings, store)
