"""Ground, roads and targets per grid, and what is lost when something fails (面积、道路、失效影响)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from geo.count import roll_up
from geo.coverage import outage, staircase
from geo.covered.base import GROUND, WATCHED, cameras_of, group_of, ledger_of, lowest, watch_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from geo.city import City
    from geo.coverage.fraction import Cells
    from geo.coverage.staircase import Survey


def tiles_of(city: City, *, secret: bool = False) -> Cells:
    """Ground of the lowest grids cut into cells of constant visibility, one viewer a device (等重单元).

    A large city has half a million cells: they lie on disk and are read when somebody asks.
    """
    return _tiles(city, lambda: survey_of(city, secret=secret), secret=secret)


def _tiles(city: City, survey: Callable[[], Survey], *, secret: bool) -> Cells:
    def compute() -> Cells:
        cut = survey().by_device
        grids = city.grids
        tile = lowest(grids)[grids.index.get_indexer(cut.zones)]
        return cut.pairs(tile[cut.zone[cut.cell]])

    return city.keep(f"tiles:{secret}", GROUND, compute, held=False)


def survey_of(city: City, *, secret: bool = False) -> Survey:
    """Ground of every lowest grid, dedicated and micro-grid, cut by the fields of view (地面普查), made anew."""
    grids = city.grids
    kinds = grids["kind"].isin(["dedicated", "micro"]).to_numpy(dtype=bool)
    zones = lowest(grids) | kinds
    return staircase.survey(
        grids.geometry[zones], watch_of(city, secret=secret), water=city.water.geometry.to_numpy()
    )


def ground_of(city: City, *, secret: bool = False) -> pd.DataFrame:
    """Free ground and ground covered claim by claim, m², of the zones of `survey_of` (普查成果表)."""

    def compute() -> pd.DataFrame:
        survey = survey_of(city, secret=secret)
        _tiles(city, lambda: survey, secret=secret)  # one survey for both
        return survey.table

    return city.keep(f"ground:{secret}", GROUND, compute)


def grid_ground(city: City, *, secret: bool = False) -> pd.DataFrame:
    """Free ground and ground covered claim by claim, m², on every grid of every level (网格面积覆盖).

    Grids above the lowest have the sum of the lowest below them; dedicated and micro-grids their own.
    """

    def compute() -> pd.DataFrame:
        table, grids = ground_of(city, secret=secret), city.grids
        tiles = table[lowest(grids)[grids.index.get_indexer(table.index)]]
        result = pd.DataFrame({name: roll_up(tiles[name], grids) for name in table.columns})
        own = table.drop(index=tiles.index)
        result.loc[own.index] = own
        return result

    return city.derive(f"grid-ground:{secret}", GROUND, compute)


def road_lengths(city: City, *, secret: bool = False) -> pd.DataFrame:
    """Metres of every road covered, claim by claim (道路覆盖); see `coverage.staircase.roads`."""
    return city.keep(
        f"road-lengths:{secret}",
        (*WATCHED, "roads"),
        lambda: staircase.roads(city.roads.geometry, watch_of(city, secret=secret)),
    )


def losses_of(city: City, by: str, *, secret: bool = False) -> pd.DataFrame:
    """Ground that goes dark with each camera, pole, switch or unit (失效影响); `by` is a key of `GROUPS`."""

    def compute() -> pd.DataFrame:
        seen, cut = watch_of(city, secret=secret), tiles_of(city, secret=secret)
        return outage.losses(cut, seen, group_of(cameras_of(city, secret=secret), by))

    return city.keep(f"losses:{by}:{secret}", GROUND, compute)


def useless_of(city: City, *, secret: bool = False) -> pd.DataFrame:
    """Cameras that add nothing new (冗余监控点)."""
    return city.keep(
        f"useless:{secret}",
        GROUND,
        lambda: outage.useless(tiles_of(city, secret=secret), watch_of(city, secret=secret)),
    )


def ground_share(city: City, claim: str = "geometric") -> pd.Series:
    """Share of each grid's free ground that holds a claim of `STEPS` (面积覆盖率), 0 to 1; NaN without any."""
    table = grid_ground(city)
    return table[claim] / table["free_m2"].where(table["free_m2"] > 0)


def target_share(city: City) -> pd.Series:
    """Share of the targets in each grid, at every level, that are covered (目标覆盖率); NaN without targets."""
    table, grids = ledger_of(city), city.grids
    hit = table.groupby("grid_id")["covered"].agg(["sum", "size"])
    above = [roll_up(hit[c], grids) for c in ("sum", "size")]
    return above[0] / above[1].where(above[1] > 0)
