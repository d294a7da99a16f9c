"""Values of an indicator as a scope may see them, and their ranks (指标值与分级)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.indicators import suppressed_workload
from geo.people import TOTAL
from layers import style

if TYPE_CHECKING:
    from geo.city import City
    from geo.indicators import Indicator
    from geo.scope import Scope
    from layers.style import Classes, Style

HIDDEN_RANK = -2
NO_RANK = -1
_RAMP = {
    "service_workload": "purple",
    "open_hazards": "orange",
    "overdue_hazards": "red",
    "facilities": "green",
    "hotspot": "orange",  # cold grids are blue
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """One indicator on every grid.

    Attributes
    ----------
    value
        Index of the grids; missing where it is not defined or suppressed.
    rank
        Index of the grids; from 0, `NO_RANK` for none, `HIDDEN_RANK` where a small count is suppressed.
    classes
        The ranks of each grid level, cut at what occurs among the grids of that level.
    parts
        For counts of persons: the categories, suppressed alike; else no columns.
    """

    value: pd.Series
    rank: pd.Series
    classes: dict[int, Classes]
    parts: pd.DataFrame


def ranked(city: City, indicator: Indicator, *, scope: Scope) -> Ranked:
    """Return values and ranks of an indicator; counts of persons below the scope's k are hidden.

    Ranks are cut over the whole city, so that a colour means the same to everyone; classes are made from
    the values that the scope may see, never from suppressed ones.
    """
    key = f"ranked:{indicator.name}:{scope.k if indicator.persons else ''}"
    return city.derive(key, ("grids", *indicator.tables), lambda: _ranked(city, indicator, scope.k))


def _ranked(city: City, indicator: Indicator, k: int) -> Ranked:
    grids = city.degrees("grids")
    parts = pd.DataFrame(index=grids.index)
    if indicator.persons:
        table = suppressed_workload(city, k=k)
        value, parts = table[TOTAL], table.drop(columns=TOTAL)
    else:
        value = indicator.of(city)
    level = grids["level"].to_numpy(dtype=np.int64, na_value=0)
    rank = np.full(len(grids), NO_RANK, dtype=np.int64)
    classes: dict[int, Classes] = {}
    for depth in sorted(set(level.tolist())):
        rows = level == depth
        classes[depth] = style.classify(value[rows], unit=indicator.unit)
        rank[rows] = classes[depth].rank(value[rows])
    if indicator.persons:
        rank[value.isna().to_numpy(dtype=bool)] = HIDDEN_RANK
    return Ranked(value, pd.Series(rank, index=grids.index), classes, parts)


def indicator_style(city: City, indicator: Indicator, level: int, *, scope: Scope) -> Style:
    """Return the legend of an indicator for the grids of one level."""
    classes = ranked(city, indicator, scope=scope).classes.get(level, style.Classes(unit=indicator.unit))
    return style.graduated(classes, _RAMP.get(indicator.name, "blue"), hidden=indicator.persons)
