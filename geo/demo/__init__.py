"""The demo city (演示城市): seeded, invented, coherent, of any size. Nothing in it is a real place or person.

The tables of one seed and scale are the same on every machine; only `today` moves the dates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.city import City
from geo.demo import life, places, plan, plots, streets, watch
from geo.demo.states import states
from geo.demo.text import CITY
from geo.errors import BadInputError, UnknownNameError
from geo.schema import TABLES, checked

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALES: Mapping[str, plan.Size] = {
    "tiny": plan.Size(24, 1.8, 2, 6, 3, 80, 1_500, 60, 1, 0.2),
    "small": plan.Size(400, 60.0, 2, 50, 5, 2_000, 30_000, 900, 4, 0.2),
    "zaozhuang": plan.Size(6_143, 4_500.0, 6, 95, 6, 20_000, 1_000_000, 22_000, 12, 0.06),
    "zibo": plan.Size(15_000, 6_000.0, 8, 170, 5, 77_000, 2_500_000, 93_000, 24, 0.03),
}
TODAY = "2026-06-30"
CRS = plan.CRS
LONLAT = "EPSG:4490"
SCHEME = "15"
_HOT = ("hotspot_id", "x", "y", "radius_m", "category", "pattern", "starts", "ends", "background", "planted")
_PARTS = ("plan", "streets", "water", "plots", "roads", "buildings", "addresses", "cameras", "targets", "forbidden",
          "occluders", "ground", "hot", "incidents", "people", "facilities", "hazards", "grids", "aliases",
          "camera_states")  # fmt: skip


def demo_city(seed: int = 0, scale: str = "small", *, today: str = TODAY) -> City:
    """Make a demo city (演示城市); parameters and errors as `demo_tables`, the truth in `planted`.

    Examples
    --------
    >>> city = demo_city(scale="tiny")
    >>> len(city.grids.query("level == 3 and kind == 'base'"))
    24
    """
    tables, hot = demo_tables(seed, scale, today=today)
    tag = f"demo-{scale}-{seed}-{today}"
    return City(
        CITY,
        crs=CRS,
        tables=tables,
        versions=dict.fromkeys(tables, tag),
        lonlat_crs=LONLAT,
        scheme=SCHEME,
        meta=facts(seed, scale, today, hot),
    )


def facts(seed: int, scale: str, today: str, hot: pd.DataFrame) -> dict[str, Any]:
    """Facts about a demo city that its snapshot and its store carry (`City.meta`), ready for JSON."""
    spots = hot.reset_index().assign(starts=hot["starts"].dt.strftime("%F").to_numpy(),
                                     ends=hot["ends"].dt.strftime("%F").to_numpy())  # fmt: skip
    line = watch.published_line(SCALES[scale])
    return {"demo": {"seed": seed, "scale": scale, "today": today, "hot_spots": spots.to_dict("records"),
                     "covered": {str(c): {"covered": k, "listed": n} for c, (k, n) in line.items()}}}  # fmt: skip


def planted(city: City) -> pd.DataFrame:
    """Truth about the hot spots of a demo city (埋设热点), for tests of what finds them.

    Returns
    -------
    DataFrame
        `hotspot_id` index; `x`, `y` (metres of `city.crs`), `radius_m`, `category`, `pattern` (persistent,
        new, intensifying, diminishing), `starts`, `ends` (dates, end excluded), `background` (incidents of
        that category in the circle and the time that were there anyway), `planted` (added to them, uniform in
        the circle). Any other city: no rows.
    """
    spots = pd.DataFrame(city.meta.get("demo", {}).get("hot_spots", []), columns=_HOT)
    spots = spots.astype({"starts": "datetime64[us]", "ends": "datetime64[us]"})
    return spots.set_index("hotspot_id")


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
        Tables by name, each as its contract in `geo.schema` says, in degrees (CGCS2000, 7 decimals); and the
        truth about the hot spots, as `planted` gives it.

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
    grids, history = places.grids(city, built, today, rng["grids"])
    hot = life.hot_spots(city, here, size, today, rng["hot"])
    incidents, hot = life.incidents(city, here, hot, size, today, rng["incidents"])
    walls = watch.occluders(built, named, rng["occluders"])
    return {
        "boundary": places.boundary(city),
        "grids": grids,
        "grids_history": history,
        "roads": streets.table(named, rng["roads"]),
        "water": wet,
        "buildings": plots.buildings(built, rng["buildings"]),
        "addresses": address,
        "aliases": places.aliases(built, standard, today, rng["aliases"]),
        "cameras": cameras,
        "camera_states": states(cameras, today, rng["camera_states"]),
        "targets": watch.targets(cameras, optics, built, walls["geometry"].to_numpy(), size, rng["targets"]),
        "occluders": walls,
        "forbidden": watch.forbidden(built, rng["forbidden"]),
        "facilities": life.facilities(city, built, standard, today, rng["facilities"]),
        "hazards": life.hazards(built, size, today, rng["hazards"]),
        "people": life.people(city, built, today, rng["people"]),
        "incidents": incidents,
    }, hot


def _typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.set_index(TABLES[name].key)
    if not TABLES[name].geometry:
        return frame
    shapes = plan.degrees(frame.pop("geometry").to_numpy())
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=LONLAT)
