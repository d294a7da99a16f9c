"""What is to come (预测): the forecast of a week, its score, and what each grid is to expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from geo import hotspot
from geo.hotspot import ledger
from geo.watch.base import areas_of, centres_of, cube_of, default_source, graph_of, last_day

if TYPE_CHECKING:
    from datetime import date

    from geo.city import City


def forecast_of(
    city: City,
    *,
    issued_at: str,
    week: date | None = None,
    category: str | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Forecast of a week (`hotspot.ledger.issue`), default the first after the data; of independent sources."""
    known_at = None
    if week is not None and ledger.timing(week, issued_at) != "before":
        known_at = pd.Timestamp(week, tz=city.timezone)  # late: only what was known before the week
    cube = cube_of(city, known_at=known_at)
    chosen = week or ledger.next_week(cube.last_day)
    source = default_source(cube) if source is None else source
    return city.derive(
        f"forecast:{chosen}:{category}:{source}:{issued_at}",
        ("grids", "incidents"),
        lambda: ledger.issue(
            cube, graph_of(city), areas_of(city), centres_of(city), week=chosen, issued_at=issued_at,
            category=category, source=source,
        ),
    )  # fmt: skip


def expected_next_week(city: City, *, category: str | None = None) -> pd.Series:
    """Incidents that each watched grid is to expect in the next seven days."""

    def compute() -> pd.Series:
        cube, graph = cube_of(city), graph_of(city)
        plane = cube.plane(category=category, source=default_source(cube))
        expected, _ = hotspot.blend(plane, graph, areas_of(city))
        return pd.Series(expected, index=cube.grids)

    return city.keep(f"expected:{category}", ("grids", "incidents"), compute)


def settle(city: City, forecast: dict[str, Any], today: date | None = None) -> dict[str, Any] | None:
    """Score a stored forecast if its week is over; None if it is not."""
    end = last_day(city, today)
    if end is None or not ledger.due(forecast, end):
        return None
    return ledger.settle(forecast, cube_of(city, until=end), areas_of(city))
