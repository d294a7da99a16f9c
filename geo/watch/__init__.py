"""Watch over a City (研判): hotspots, warnings, forecasts and risk of its grids, each made once per version.

The functions of `geo.hotspot` and `geo.risk` know arrays; here their arguments are cut from the tables of one
city. Grids are the base grids (基础网格), or the finest level that the city has.
"""

from geo.watch.ahead import expected_next_week, forecast_of, settle
from geo.watch.base import (
    LEAST_DAYS,
    LEVEL_COLUMNS,
    MOST_DAYS,
    areas_of,
    asked_day,
    centres_of,
    cube_of,
    days_of,
    default_source,
    graph_of,
    last_day,
    watched_grids,
    watched_level,
)
from geo.watch.grades import RISK_LEVELS, Risk, levels_before, levels_record, risk_of
from geo.watch.hot import hotspots_of, incidents_behind, scan_of, sensitivity_of, warnings_of
from geo.watch.now import alarms_of, ring_of

__all__ = [
    "LEAST_DAYS",
    "LEVEL_COLUMNS",
    "MOST_DAYS",
    "RISK_LEVELS",
    "Risk",
    "alarms_of",
    "areas_of",
    "asked_day",
    "centres_of",
    "cube_of",
    "days_of",
    "default_source",
    "expected_next_week",
    "forecast_of",
    "graph_of",
    "hotspots_of",
    "incidents_behind",
    "last_day",
    "levels_before",
    "levels_record",
    "ring_of",
    "risk_of",
    "scan_of",
    "sensitivity_of",
    "settle",
    "warnings_of",
    "watched_grids",
    "watched_level",
]
