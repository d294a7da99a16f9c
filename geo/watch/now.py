"""What happens now (实时): live counts that follow every incident, and their early warnings."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from geo import hotspot
from geo.hotspot.report import RECENT_DAYS
from geo.watch.base import cube_of, graph_of, last_day

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from geo.city import City
    from geo.hotspot import RingCounts


def ring_of(city: City, *, today: date | None = None, recent_days: int = RECENT_DAYS) -> RingCounts:
    """Live counts (`hotspot.RingCounts`) loaded with the city's incidents; windows end today (or with the data)."""
    end = last_day(city, None if today is None else today + timedelta(days=1))
    day = today or end or date(2000, 1, 1)
    cube = cube_of(city, until=day)
    baseline = max(min((cube.days - recent_days) // 7 * 7, 56), recent_days)
    plane = cube.plane()
    phi = 0.0
    if cube.days >= recent_days + baseline:
        cut = hotspot.windows(plane, recent_days=recent_days, baseline_days=baseline)
        phi = hotspot.overdispersion(hotspot.past_windows(plane, cut), graph_of(city))
    ring = hotspot.RingCounts(
        graph_of(city), today=day, recent_days=recent_days, baseline_days=baseline, overdispersion=phi
    )
    ring.load(cube, city.degrees("incidents").index)
    return ring


def alarms_of(city: City, ring: RingCounts, *, told: Collection[tuple[str, str]] = ()) -> pd.DataFrame:
    """Early warnings of the live counts (`hotspot.alarms`); what chance does is measured on the city's history."""
    span, day = ring.alarm_span, last_day(city)

    def compute() -> dict[str, float]:
        cube = cube_of(city, until=day)
        if cube.days < span.recent + span.gap + span.baseline:
            return {}
        phi = {}
        for name in cube.categories:
            plane = cube.plane(category=name)
            cut = hotspot.windows(
                plane, recent_days=span.recent, baseline_days=span.baseline, gap_days=span.gap
            )
            phi[name] = hotspot.alarm_overdispersion(hotspot.past_windows(plane, cut, span.gap))
        return phi

    phi = city.keep(f"alarm-phi:{span}:{day}", ("grids", "incidents"), compute)
    return hotspot.alarms(ring, phi, told=told)
