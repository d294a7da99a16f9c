"""The demo city (演示城市): seeded, invented, coherent, of any size. Nothing in it is a real place or person.

The tables of one seed and scale are the same on every machine; only `today` moves the dates.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.demo import life, places, plan, plots, streets, watch
from geo.errors import BadInputError, UnknownNameError
from geo.schema import TABLES, checked

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALES: Mapping[str, plan.Size] = {
    "tiny": plan.Size(24, 1.8, 2, 6, 3, 80, 1_500, 60, 1, 0.2),
    "small": plan.Size(400, 60.0, 2, 50, 5, 2_000, 30_000, 900, 4, 0.2),
    "zaozhuang": plan.Size(6_143, 4_500.0, 6, 95, 6, 20_000, 1_000_000, 22_000, 12, 0.1),
    "zibo": plan.Size(15_000, 6_000.0, 8, 170, 5, 77_000, 2_500_000, 93_000, 24, 0.1),
}
TODAY = "2026-06-30"
CRS = plan.CRS
_PARTS = ("plan", "streets", "water", "plots", "roads", "buildings", "addresses", "cameras", "targets", "forbidden",
          "occluders", "ground", "hot", "incidents", "people", "facilities", "hazards", "grids", "aliases")  # fmt: skip


def demo_tables(
    seed: int = 0, scale: str = "small", *, today: str = TODAY
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Make every table of a demo city, and the hot spots that were planted in it.

    Parameters
    ----------
    seed
        Any whole number ≥ 0; the same seed gives the same city.
    scale
        `tiny` (24 base grids, for tests), `small` (400), `zaozhuang` (6,143), `zibo` (15,000 base grids,
        77,000 cameras, 2.5 million incidents).
    today
        Date (local, UTC+8) on which the 180 days of incidents end, that day excluded.

    Returns
    -------
    tables, hot_spots
        Tables by name, each as its contract in `geo.schema` says, in EPSG:4548 metres; and the truth about
        the hot spots (`geo.demo.life.hot_spots`, with `background` and `planted` counts).

    Raises
    ------
    UnknownNameError
        For a scale that does not exist.
    BadInputError
        For a negative seed or a date that cannot be read.
    """
    if scale not in SCALES:
        raise UnknownNameError("scale of the demo city", scale, SCALES)
    if seed < 0:
        raise BadInputError(f"seed {seed}: allowed are whole numbers from 0 on")
    try:
        day = pd.Timestamp(today).normalize().tz_localize("Asia/Shanghai")
    except (ValueError, TypeError) as error:
        raise BadInputError(f"today {today!r}: write it as 2026-06-30") from error
    raw, hot = _made(SCALES[scale], seed, day)
    return {name: checked(name, _typed(name, raw.pop(name))) for name in list(raw)}, hot


def _made(size: plan.Size, seed: int, today: pd.Timestamp) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Every part with its own stream of random numbers: changing one leaves the others as they are."""
    rng = {name: np.random.default_rng([seed, i]) for i, name in enumerate(_PARTS)}
    city = plan.make(size, rng["plan"])
    wet = places.water(city, rng["water"])
    named = streets.make(city, rng["streets"])
    built, named = plots.make(city, named, wet["geometry"].to_numpy(), rng["plots"])
    address = plots.addresses(city, named, built, size, rng["addresses"])
    standard = address["standard"].to_numpy()[: len(built)]
    cameras, optics = watch.cameras(city, named, size, today, rng["cameras"])
    here = life.ground(city, named, built, standard, rng["ground"])
    hot = life.hot_spots(city, here, size, today, rng["hot"])
    incidents, hot = life.incidents(city, here, hot, size, today, rng["incidents"])
    return {
        "boundary": places.boundary(city),
        "grids": places.grids(city, built, rng["grids"]),
        "roads": streets.table(named, rng["roads"]),
        "water": wet,
        "buildings": plots.buildings(built, rng["buildings"]),
        "addresses": address,
        "aliases": places.aliases(built, standard, today, rng["aliases"]),
        "cameras": cameras,
        "targets": watch.targets(cameras, optics, built, size, rng["targets"]),
        "occluders": watch.occluders(built, named, rng["occluders"]),
        "forbidden": watch.forbidden(built, rng["forbidden"]),
        "facilities": life.facilities(city, named, built, standard, today, rng["facilities"]),
        "hazards": life.hazards(built, size, today, rng["hazards"]),
        "people": life.people(city, built, today, rng["people"]),
        "incidents": incidents,
    }, hot


def _typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.set_index(TABLES[name].key)
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=CRS) if TABLES[name].geometry else frame
