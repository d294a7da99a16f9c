"""Blind spots of a city with names, and the rings around its grids (盲区、围合)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.coverage import blind_spot
from geo.coverage.cordon import cordon, watched_edges
from geo.coverage.network import network
from geo.covered.base import WATCHED, grid_of, ledger_of, watch_of
from geo.errors import NotFoundError
from geo.points import lonlat

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from geo.city import City
    from geo.coverage.network import Network

RECENT = pd.Timedelta(days=90)
NOWHERE = np.empty((0, 2))


def streets_of(city: City) -> Network:
    """Streets between junctions (路网)."""
    return city.derive("streets", ("roads",), lambda: network(city.roads))


def blind_spots_of(
    city: City, *, secret: bool = False, working: bool = False, rings: bool = True
) -> gpd.GeoDataFrame:
    """Blind spots of the city in order of their score (盲区清单); see `coverage.blind_spot`.

    Parameters
    ----------
    city
        Snapshot; incidents of the last 90 days of the data weigh.
    secret
        With secret cameras.
    working
        Only cameras in order count (available instead of geometric; of targets effective instead of covered).
    rings
        With what would close the ring around each town and village.

    Returns
    -------
    GeoDataFrame
        `rank`, `kind`, `name`, `near`, the factors of the score, `what` and `text` (with grid and incidents, for
        the planner), `grid_id`; in metres.
    """
    tables = (*WATCHED, "targets", "grids", "roads", "incidents")
    return city.keep(
        f"blind-spots:{secret}:{working}:{rings}", tables, lambda: _blind_spots(city, secret, working, rings)
    )


def ring_of(city: City, grid_id: str, *, secret: bool = False, working: bool = False) -> gpd.GeoDataFrame:
    """What closes the ring around one grid (围合方案): streets to watch, and those that are watched already.

    Returns
    -------
    GeoDataFrame
        Streets in metres with `role` (watch: 需补点, watched: 已看住), `name` and `near`.
    """
    streets, seen = streets_of(city), watch_of(city, secret=secret)
    watched = watched_edges(_edges_seen(city, secret), by=seen.on if working else None)
    if grid_id not in city.grids.index:
        raise NotFoundError(f"there is no grid {grid_id!r}")
    ring = cordon(streets, city.grids.geometry[grid_id], watched)
    edge = np.concatenate([ring.cut, ring.watched])
    node = np.where(streets.degree[streets.u[edge]] >= 3, streets.u[edge], streets.v[edge])
    return gpd.GeoDataFrame(
        {
            "role": np.repeat(["watch", "watched"], [len(ring.cut), len(ring.watched)]),
            "name": city.roads["name"].fillna("").to_numpy(dtype=object)[streets.road[edge]],
            "near": streets.name[node],
        },
        geometry=streets.line[edge],
        crs=city.crs,
    )


def _edges_seen(city: City, secret: bool) -> Any:  # noqa: ANN401, FBT001 - Stretches
    return city.derive(
        f"edges-seen:{secret}",
        (*WATCHED, "roads"),
        lambda: blind_spot.edges_seen(streets_of(city), watch_of(city, secret=secret)),
    )


def _blind_spots(city: City, secret: bool, working: bool, rings: bool) -> gpd.GeoDataFrame:  # noqa: FBT001
    found = [_gaps(city, secret, working), *([_leaks(city, secret, working)] if rings else [])]
    every = gpd.GeoDataFrame(pd.concat([t for t in found if len(t)] or found[:1], ignore_index=True))
    table = blind_spot.ranked([blind_spot.weighed(every, _recent(city))], city.crs)
    table["grid_id"] = grid_of(city, table.geometry)
    name = city.degrees("grids")["name"].reindex(table["grid_id"]).fillna("").to_numpy(dtype=object)
    table["text"] = [
        f"{what}，网格 {n}（{g}）；近 {RECENT.days} 日周边警情 {i} 起"
        if g
        else f"{what}；近 {RECENT.days} 日周边警情 {i} 起"
        for what, n, g, i in zip(table["what"], name, table["grid_id"], table["incidents"], strict=True)
    ]
    return table


def _recent(city: City) -> NDArray[np.float64]:
    """Places of the incidents of the last 90 days of the data, metres."""

    def compute() -> NDArray[np.float64]:
        incidents = city.degrees("incidents")
        at = incidents["occurred_at"]
        recent = (at > at.max() - RECENT).to_numpy(dtype=bool)
        lon, lat = lonlat(incidents)
        return np.column_stack(city.to_metres(lon[recent], lat[recent]))

    return city.derive("recent-incidents", ("incidents",), compute)


def _gaps(city: City, secret: bool, working: bool) -> gpd.GeoDataFrame:  # noqa: FBT001
    """Roads, junctions and targets that nobody sees, not weighed yet: what does not change with every incident."""

    def compute() -> gpd.GeoDataFrame:
        streets, seen, edges = streets_of(city), watch_of(city, secret=secret), _edges_seen(city, secret)
        by = seen.on if working else None
        found = [
            blind_spot.road_gaps(streets, city.roads, edges, NOWHERE, by=by),
            blind_spot.junction_gaps(streets, seen, NOWHERE, by=by),
            blind_spot.target_gaps(
                ledger_of(city, secret=secret), NOWHERE, claim="effective" if working else "covered"
            ),
        ]
        table = pd.concat([t for t in found if len(t)] or found[:1], ignore_index=True)
        return gpd.GeoDataFrame(table, geometry="geometry", crs=city.crs)

    return city.keep(f"gaps:{secret}:{working}", (*WATCHED, "targets", "grids", "roads"), compute)


def _leaks(city: City, secret: bool, working: bool) -> gpd.GeoDataFrame:  # noqa: FBT001
    """Streets that would close the rings around towns and villages, not weighed yet."""

    def compute() -> gpd.GeoDataFrame:
        by = watch_of(city, secret=secret).on if working else None
        areas = city.grids[city.grids["level"].isin([1, 2]) & (city.grids["kind"] == "admin")]
        found = blind_spot.cordon_gaps(
            streets_of(city), city.roads, _edges_seen(city, secret), areas, NOWHERE, by=by
        )[0]
        return found.set_crs(city.crs)

    return city.keep(f"leaks:{secret}:{working}", (*WATCHED, "grids", "roads"), compute)
