"""Incidents (警情 / 事件): which ones happened there and then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geo.errors import BadInputError
from geo.points import lonlat_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """What is asked for; every part that is None asks for all.

    Parameters
    ----------
    since, until
        Time of occurrence, [since, until).
    box
        west, south, east, north in degrees, borders included.
    near
        lon, lat in degrees and a distance in metres.
    category, source, stage
        Allowed values.
    only_open
        Leave out what is closed (办结).
    """

    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    box: tuple[float, float, float, float] | None = None
    near: tuple[float, float, float] | None = None
    category: Sequence[str] | None = None
    source: Sequence[str] | None = None
    stage: Sequence[str] | None = None
    only_open: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.box and not (self.box[0] <= self.box[2] and self.box[1] <= self.box[3]):
            raise BadInputError(
                f"bbox {self.box}: allowed: west,south,east,north with west <= east, south <= north"
            )
        if self.near and not 0 < self.near[2] <= 100_000:
            raise BadInputError(f"distance {self.near[2]} m: allowed: over 0, up to 100000")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise BadInputError(f"since {self.since} is not before until {self.until}")

    def rows(self, incidents: gpd.GeoDataFrame) -> NDArray[np.int64]:
        """Positions of the incidents (in degrees) that are asked for, in table order."""
        chosen = np.ones(len(incidents), dtype=bool)
        occurred = incidents["occurred_at"]
        if self.since is not None:
            chosen &= (occurred >= self.since).to_numpy(dtype=bool)
        if self.until is not None:
            chosen &= (occurred < self.until).to_numpy(dtype=bool)
        for column in ("category", "source", "stage"):
            values = getattr(self, column)
            if values is not None:
                chosen &= incidents[column].isin(list(values)).to_numpy(dtype=bool)
        if self.only_open:
            chosen &= (incidents["stage"].isna() | (incidents["stage"] != "closed")).to_numpy(dtype=bool)
        rows = np.flatnonzero(chosen)
        if self.box is None and self.near is None:
            return rows
        lon, lat = lonlat_of(incidents.geometry.array[rows])
        inside = np.ones(len(rows), dtype=bool)
        if self.box is not None:
            west, south, east, north = self.box
            inside &= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        if self.near is not None:
            inside &= ground_distance_m(lon, lat, self.near[0], self.near[1]) <= self.near[2]
        return rows[inside]


def ground_distance_m(
    lon: NDArray[np.float64], lat: NDArray[np.float64], to_lon: float, to_lat: float
) -> NDArray[np.float64]:
    """Great-circle distance in metres from points to one place (haversine, sphere of 6,371,008.8 m).

    Within 0.6 % of the ellipsoid, and for a city's distances within the error of any position.
    """
    a, b = np.radians(lat), np.radians(to_lat)
    half_lat, half_lon = (a - b) / 2, np.radians(lon - to_lon) / 2
    h = np.sin(half_lat) ** 2 + np.cos(a) * np.cos(b) * np.sin(half_lon) ** 2
    return np.asarray(2 * 6_371_008.8 * np.arcsin(np.sqrt(h)))
