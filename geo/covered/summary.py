"""All rates of a city side by side, and what a ledger's history keeps (口径一览、台账存档)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from geo.camera import completeness
from geo.camera.health import rates
from geo.coverage import ledger as book
from geo.coverage import level, staircase
from geo.coverage.fraction import COVERED_SHARE
from geo.covered.base import WATCHED, cameras_of, grid_of, ledger_of, lowest, records, watch_of
from geo.covered.ground import ground_of, road_lengths

if TYPE_CHECKING:
    from typing import Any

    from geo.city import City


@dataclass(frozen=True)
class Summary:
    """All rates of a city side by side (口径一览).

    Attributes
    ----------
    classes
        Targets by class and claim: `ledger.class_rates`.
    ground, roads
        Area and road length by claim: `staircase.summary`.
    register
        Networking, intact, placed and aimed rates of the register: `camera.health.rates`.
    completeness
        Record completeness per unit.
    basis
        Cameras used, left out and why, defaults taken: `ledger.basis`.
    """

    classes: pd.DataFrame
    ground: pd.DataFrame
    roads: pd.DataFrame
    register: pd.DataFrame
    completeness: pd.DataFrame
    basis: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return plain data: every rate with numerator, denominator and what it rests on."""
        return {
            "targets": records(self.classes),
            "ground": records(self.ground),
            "roads": records(self.roads),
            "register": records(self.register.reset_index()),
            "completeness": records(self.completeness.reset_index()),
            "basis": self.basis,
        }


def summary_of(city: City, *, secret: bool = False, within: frozenset[str] | None = None) -> Summary:
    """Sum up a city, or what lies in some grids of it (口径汇总).

    Parameters
    ----------
    city
        Snapshot.
    secret
        With secret cameras.
    within
        Lowest grids to count: targets, cameras and roads that lie there; None: the whole city. The analysis is
        always of the whole city, so that a camera beyond the border still counts.
    """
    table, cameras = ledger_of(city, secret=secret), cameras_of(city, secret=secret)
    ground, lines = ground_of(city, secret=secret), road_lengths(city, secret=secret)
    ground = ground[lowest(city.grids)[city.grids.index.get_indexer(ground.index)]]
    basis = city.keep(f"basis:{secret}", WATCHED, lambda: book.basis(watch_of(city, secret=secret))).copy()
    if within is not None:
        table = table[table["grid_id"].isin(within)]
        ground = ground[ground.index.isin(within)]
        cameras = cameras[pd.Series(grid_of(city, cameras.geometry), index=cameras.index).isin(within)]
        lines = lines[pd.Series(grid_of(city, city.roads.geometry), index=lines.index).isin(within)]
    basis["water_and_buildings"] = "公共可用空间 = 网格面积 - 建筑 - 水域"
    basis["covered_share"] = COVERED_SHARE
    basis["image_level_profile"] = level.DEFAULT_PROFILE
    basis["ground_and_roads_px_m"] = staircase.AREA_PX_M
    basis["secret_cameras"] = "included" if secret else "left out"
    return Summary(
        book.class_rates(table),
        staircase.summary(ground, "free_m2", "m²"),
        staircase.summary(lines, "length_m", "m"),
        rates(cameras),
        completeness(cameras),
        basis,
    )


def ledger_record(summary: Summary, table: pd.DataFrame, *, secret: bool) -> dict[str, Any]:
    """What the history of ledgers keeps of one (台账存档): rates, what they rest on, covered or not per target."""
    headline = summary.classes[summary.classes["step"] == book.HEADLINE]
    return {
        "list_version": ",".join(v for v in headline["list_version"].unique() if v),
        "rates": {str(r.target_class): None if pd.isna(r.rate) else r.rate for r in headline.itertuples()},
        "numerators": {str(r.target_class): r.numerator for r in headline.itertuples()},
        "denominators": {str(r.target_class): r.denominator for r in headline.itertuples()},
        "basis": summary.basis,
        "secret": secret,
        "covered": {str(k): bool(v) for k, v in table["covered"].items()},
    }
