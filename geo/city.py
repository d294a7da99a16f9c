"""City (城市快照): every table of one city at one moment, in one metric CRS.

A `City` never changes. A newer one replaces it whole; a what-if is `with_table`; a date is `as_of`. Tables are
kept in degrees exactly as the store holds them and handed out in metres; both forms, and whatever else is
computed from tables, are cached by table *version* in `derive`, so that an edit to one table keeps what the
others derived.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from geo import grid, schema
from geo.errors import CrsMismatchError
from geo.index import GridIndex
from geo.points import lonlat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")
Keeper = Callable[[str, str, tuple[str, ...], Callable[[], Any]], Any]
"""Gives the value of a name, from what it is made of and the tables it depends on: kept, or computed now."""


class Memo:
    """Results by name and table versions, shared by all cities that descend from one another.

    The least used go when there are more than `size`, and of one name the oldest versions beyond `versions`: a
    server that folds new incidents into new snapshots all day must not keep every morning's results.
    """

    def __init__(self, size: int = 512, versions: int = 4) -> None:
        self._size = size
        self._keep = versions
        self._values: OrderedDict[tuple[object, str], Any] = OrderedDict()
        self._of: dict[object, list[tuple[object, str]]] = {}
        self._locks: dict[object, threading.RLock] = {}
        self._guard = threading.Lock()

    def get(self, name: object, version: str, compute: Callable[[], T]) -> T:
        """Return the value of `name` at `version`; compute it once, however many threads ask."""
        key = (name, version)
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
                found: T = self._values[key]
                return found
            lock = self._locks.setdefault(key, threading.RLock())
        with lock:
            with self._guard:
                if key in self._values:
                    return self._values[key]
            value = compute()
            with self._guard:
                self._values[key] = value
                self._locks.pop(key, None)
                self._forget(name, key)
            return value

    def _forget(self, name: object, key: tuple[object, str]) -> None:
        versions = self._of.setdefault(name, [])
        versions.append(key)
        while len(versions) > self._keep:
            self._values.pop(versions.pop(0), None)
        while len(self._values) > self._size:
            gone, _ = self._values.popitem(last=False)
            self._of[gone[0]].remove(gone)


class City:
    """One frozen snapshot of a city (城市快照).

    Parameters
    ----------
    name
        Name of the city.
    crs
        Metric CRS in which tables are handed out.
    tables
        Table name -> frame in degrees (`lonlat_crs`), conforming to `geo.schema`; may load lazily. Missing
        tables are empty.
    versions
        Table name -> version; equal versions mean equal content.
    scheme
        Name of the grid code scheme (网格编码方案), empty: codes are opaque.
    timezone
        IANA zone in which a day begins and ends.
    meta
        Free facts about the snapshot (for the demo city: what was planted).
    indexer
        Makes the index over polygons in degrees; a store gives one that keeps indexes between runs.
    keeper
        Keeps results between runs (`keep`); a store gives one.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        *,
        crs: object,
        tables: Mapping[str, pd.DataFrame],
        versions: Mapping[str, str],
        lonlat_crs: object = "EPSG:4490",
        scheme: str = "",
        timezone: str = "Asia/Shanghai",
        meta: Mapping[str, Any] | None = None,
        memo: Memo | None = None,
        indexer: grid.Indexer = GridIndex.build,
        keeper: Keeper | None = None,
    ) -> None:
        self.name = name
        self.crs = pyproj.CRS.from_user_input(crs)
        self.lonlat_crs = pyproj.CRS.from_user_input(lonlat_crs)
        self._crs_name = self.crs.to_string()
        self.scheme = scheme
        self.timezone = timezone
        self.meta: Mapping[str, Any] = dict(meta or {})
        self._tables = tables
        self._versions = dict(versions)
        self._memo = memo if memo is not None else Memo()
        self._indexer = indexer
        self._keeper = keeper

    # -- tables ---------------------------------------------------------------------------------------------

    def degrees(self, name: str) -> gpd.GeoDataFrame:
        """Return a table in degrees, longitude first, exactly as stored. Never change it."""
        schema.table(name)
        if name not in self._tables:
            return self.derive(f"empty:{name}", (), lambda: schema.empty(name, self.lonlat_crs))
        return self._tables[name]

    def table(self, name: str) -> gpd.GeoDataFrame:
        """Return a table in metres (`city.crs`); the same rows and order as `degrees`. Never change it."""
        if not schema.table(name).geometry:
            return self.degrees(name)
        return self.derive(f"metres:{name}", (name,), lambda: self._metres(self.degrees(name)))

    def _metres(self, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        """Return the same table in metres; all columns but the geometry are shared."""
        return frame.set_geometry(frame.geometry.to_crs(self.crs))

    def __getattr__(self, name: str) -> gpd.GeoDataFrame:
        """Give each table by its name: `city.grids`, `city.cameras` … in metres."""
        if name in schema.TABLES:
            return self.table(name)
        raise AttributeError(name)

    def __repr__(self) -> str:
        """Name, CRS and table versions."""
        return f"City({self.name!r}, {self.crs.to_string()}, {self._versions})"

    def version(self, *names: str) -> str:
        """Version of the named tables together (all tables if none is named); a change in one changes it."""
        chosen = names or tuple(sorted(schema.TABLES))
        return ",".join(f"{n}={self._versions.get(n, '0')}" for n in chosen)

    def derive(self, key: str, tables: Iterable[str], compute: Callable[[], T]) -> T:
        """Return what `compute` gives, computed once per version of the tables it depends on.

        `key` names the result and its parameters; it must tell apart everything but the content of `tables`.
        """
        name = (key, self._crs_name, tuple(tables))
        return self._memo.get(name, self.version(*name[2]) if name[2] else "", compute)

    def keep(self, key: str, tables: Iterable[str], compute: Callable[[], T], *, held: bool = True) -> T:
        """`derive` for what is slow to compute: a city of a store keeps it between runs (跨重启保留).

        The value is numbers, text, arrays and tables of these. A what-if is not kept: it has `derive` only.
        What is not `held` is large and seldom asked for: it is read again each time, and only a city that cannot
        keep it holds it in memory.
        """
        names, keeper = tuple(tables), self._keeper
        if keeper is None:
            return self.derive(key, names, compute)
        given = "|".join((self._crs_name, self.lonlat_crs.to_string(), self.timezone, self.version(*names)))
        if not held:
            found: T = keeper(key, given, names, compute)
            return found
        return self.derive(key, names, lambda: keeper(key, given, names, compute))

    # -- another way to get a City --------------------------------------------------------------------------

    def with_table(self, name: str, frame: pd.DataFrame, *, replace: bool = False) -> City:
        """Return a City in which `frame` is added to (or, with `replace`, stands for) a table (假设分析).

        `frame` is in `city.crs` or in degrees; rows whose key exists take the place of the old ones. The
        version of the table becomes a digest of the change, so the same what-if twice is the same City.

        Raises
        ------
        SchemaError
            If the result would break the table's contract.
        CrsMismatchError
            If `frame` has another CRS, or none.
        """
        frame = schema.checked(name, frame)
        metres = frame
        if schema.table(name).geometry:
            frame, metres = self._both(name, frame)
        if not replace:
            frame = _merged(self.degrees(name), frame)
            metres = _merged(self.table(name), metres) if schema.table(name).geometry else frame
        version = f"{self._versions.get(name, '0')}+{digest(frame)}"
        changed = self._replaced({name: frame}, {name: version}, keeper=None)
        changed.derive(f"metres:{name}", (name,), lambda: metres)
        return changed

    def as_of(self, when: date) -> City:
        """Return the City with the grids that were valid on a date (按日期取网格).

        A grid is valid from `valid_from` (inclusive; missing: always was) to `valid_to` (exclusive; missing:
        still is). Retired versions come from the table `grids_history`.
        """
        stamp = self._grid_date(pd.Timestamp(when))
        grids, history = self.degrees("grids"), self.degrees("grids_history")
        now, then = grids[_valid(grids, stamp)], history[_valid(history, stamp)]
        version = f"{self._versions.get('grids', '0')}~{self._versions.get('grids_history', '0')}@{stamp:%F}"
        if len(now) == len(grids) and then.empty:
            return self
        chosen = self.derive(f"as-of:{stamp:%F}", ("grids", "grids_history"), lambda: _grids_of(now, then))
        return self._replaced({"grids": chosen}, {"grids": version}, keeper=self._keeper)

    def _grid_date(self, when: pd.Timestamp) -> pd.Timestamp:
        """Last day up to `when` on which any grid changed: all days until the next have the same grids."""
        tables = ("grids", "grids_history")
        dates = self.derive(
            "grid-dates",
            tables,
            lambda: pd.DatetimeIndex(
                pd.concat([self.degrees(t)[c] for t in tables for c in ("valid_from", "valid_to")])
                .dropna()
                .unique()
            ).sort_values(),
        )
        k = int(dates.searchsorted(when, side="right"))
        if len(dates) == 0:
            return when
        return dates[k - 1] if k else dates[0] - pd.Timedelta(days=1)

    def _replaced(
        self, tables: Mapping[str, pd.DataFrame], versions: Mapping[str, str], *, keeper: Keeper | None
    ) -> City:
        return City(
            self.name,
            crs=self.crs,
            tables=_Over(self._tables, tables),
            versions={**self._versions, **versions},
            lonlat_crs=self.lonlat_crs,
            scheme=self.scheme,
            timezone=self.timezone,
            meta=self.meta,
            memo=self._memo,
            indexer=self._indexer,
            keeper=keeper,
        )

    def _both(self, name: str, frame: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
        if frame.crs is None:
            raise CrsMismatchError(f"{name}: the new rows have no CRS; allowed: {self.crs.to_string()}")
        if frame.crs == self.crs:
            return frame.to_crs(self.lonlat_crs), frame
        if frame.crs.is_geographic:
            degrees = frame.set_crs(self.lonlat_crs, allow_override=True)
            return degrees, degrees.to_crs(self.crs)
        raise CrsMismatchError(
            f"{name}: {frame.crs.to_string()} is neither {self.crs.to_string()} nor degrees"
        )

    # -- questions ------------------------------------------------------------------------------------------

    def to_metres(self, lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project degrees (CGCS2000 / WGS-84, longitude first) to `city.crs`."""
        x, y = self._transformer(self.lonlat_crs, self.crs).transform(np.asarray(lon), np.asarray(lat))
        return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)

    def to_degrees(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unproject metres in `city.crs` to degrees, longitude first."""
        lon, lat = self._transformer(self.crs, self.lonlat_crs).transform(np.asarray(x), np.asarray(y))
        return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)

    def _transformer(self, source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
        # Transformers are not safe to share between threads.
        key = f"transformer:{source.to_string()}>{target.to_string()}:{threading.get_ident()}"
        return self.derive(key, (), lambda: pyproj.Transformer.from_crs(source, target, always_xy=True))

    def locate(self, lon: ArrayLike, lat: ArrayLike, as_of: date | None = None) -> pd.DataFrame:
        """Which grid is each point in (所在网格).

        Parameters
        ----------
        lon, lat
            Degrees, CGCS2000 / WGS-84; scalars or arrays of one length.
        as_of
            Answer with the grids of this date.

        Returns
        -------
        DataFrame
            One row a point, one column of `grid_id` per level (`town`, `village`, `base`, `dedicated`,
            `micro`); missing outside.
        """
        city = self if as_of is None else self.as_of(as_of)
        return grid.locate(city.lookup, lon, lat)

    def located(self, name: str, rows: NDArray[np.integer] | None = None) -> pd.DataFrame:
        """Grid ids per level of the rows of a point table, on the table's index (所在网格), found once per version.

        What is kept are positions: the ids of millions of rows, level by level, would take ten times the room.

        Parameters
        ----------
        name
            Point table.
        rows
            Positions of the rows asked for; None: all of them.

        Returns
        -------
        DataFrame
            As of `locate`.
        """
        frame = self.degrees(name)
        found = self.derive(f"located:{name}", ("grids", name), lambda: self.lookup.positions(*lonlat(frame)))
        if rows is None:
            return grid.codes(self.lookup, found).set_axis(frame.index)
        return grid.codes(self.lookup, {k: v[rows] for k, v in found.items()}).set_axis(frame.index[rows])

    @property
    def lookup(self) -> grid.GridLookup:
        """The index over this snapshot's grids, built once per version."""
        return self.derive(
            "lookup", ("grids",), lambda: grid.GridLookup.build(self.degrees("grids"), indexer=self._indexer)
        )


class _Over(dict[str, pd.DataFrame]):
    """Some tables laid over others that may be lazy."""

    def __init__(self, below: Mapping[str, pd.DataFrame], above: Mapping[str, pd.DataFrame]) -> None:
        super().__init__(above)
        self._below = below

    def __missing__(self, name: str) -> pd.DataFrame:
        return self._below[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._below


def digest(frame: pd.DataFrame) -> str:
    """Content digest of a table: equal rows in equal order give equal text."""
    state = hashlib.blake2b(digest_size=8)
    plain = pd.DataFrame(frame.drop(columns="geometry", errors="ignore"))
    state.update(pd.util.hash_pandas_object(plain, index=True).to_numpy().tobytes())
    if isinstance(frame, gpd.GeoDataFrame):
        state.update(b"".join(w or b"" for w in shapely.to_wkb(frame.geometry.to_numpy())))
    return state.hexdigest()


def lineage(city: City) -> pd.DataFrame:
    """How grids came from one another when they were re-drawn (网格沿革).

    Parameters
    ----------
    city
        With `grids_history`.

    Returns
    -------
    DataFrame
        One row per retired grid and successor: `from_id`, `to_id`, `date`, `share` (area of the retired grid
        that lies in the successor, 0 to 1), `kind`: `split` 拆分 (several successors), `merge` 合并 (the
        successor had several sources), `redraw` 调整 (both), `change` 变更 (one to one). Overlaps under 1 % of
        the retired grid are drawing noise and left out.
    """
    columns = ["from_id", "to_id", "date", "share", "kind"]
    old = city.table("grids_history")
    every = pd.concat([city.table("grids").reset_index(), old])
    rows: list[pd.DataFrame] = []
    for when, gone in old.groupby("valid_to"):
        for level, part in gone.groupby("level"):
            came = every[(every["valid_from"] == when) & (every["level"] == level)]
            if len(came):
                rows.append(_shares(part, came, when))
    if not rows:
        return pd.DataFrame({c: pd.Series(dtype="object") for c in columns})
    links = pd.concat(rows, ignore_index=True)
    after = links.groupby(["from_id", "date"])["to_id"].transform("size") > 1
    before = links.groupby(["to_id", "date"])["from_id"].transform("size") > 1
    links["kind"] = np.select([after & before, after, before], ["redraw", "split", "merge"], "change")
    return links[columns]


def _shares(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame, when: object) -> pd.DataFrame:
    a, b = old.geometry.to_numpy(), new.geometry.to_numpy()
    i, j = shapely.STRtree(b).query(a, predicate="intersects")
    share = shapely.area(shapely.intersection(a[i], b[j])) / shapely.area(a[i])
    keep = share >= 0.01
    return pd.DataFrame(
        {
            "from_id": old["grid_id"].to_numpy()[i[keep]],
            "to_id": new["grid_id"].to_numpy()[j[keep]],
            "date": when,
            "share": share[keep],
        }
    )


def _valid(grids: pd.DataFrame, when: pd.Timestamp) -> NDArray[np.bool_]:
    begun = grids["valid_from"].isna() | (grids["valid_from"] <= when)
    over = grids["valid_to"].notna() & (grids["valid_to"] <= when)
    return (begun & ~over).to_numpy(dtype=bool)


def _grids_of(now: gpd.GeoDataFrame, then: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    old = then.set_index("grid_id")
    old = old[~old.index.isin(now.index) & ~old.index.duplicated(keep="last")]
    return pd.concat([now, old[now.columns]]).sort_index().rename_axis(index="grid_id")


def _merged(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    kept = old[~old.index.isin(new.index)]
    if kept.empty:
        return new
    return pd.concat([kept, new]).rename_axis(index=old.index.name)
