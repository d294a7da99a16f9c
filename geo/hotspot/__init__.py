"""Hotspots (热点): where it is hot, what is new, and how sure that is.

One expectation model, one residual, and everything else reads that residual: Gi*, local Moran, emerging
classes, warnings. The space-time scan and the forecast use counts. All functions are pure, in metres and days.
"""

from __future__ import annotations

from geo.hotspot import ledger
from geo.hotspot.cube import INDEPENDENT, SOURCES, Account, Cube, incident_cube, local_day
from geo.hotspot.emerging import CLASSES, CLASSES_ZH, classify, gi_cube, mann_kendall, residual_cube, weekly
from geo.hotspot.expect import (
    choynowski,
    city_factor,
    eb_rate,
    expected,
    residual,
    upper_limit,
    upper_tail,
    windows,
)
from geo.hotspot.forecast import (
    METHODS,
    SHARES,
    Model,
    Score,
    blend,
    choose,
    decayed_count,
    memory_days,
    naive,
    predict,
    ranked,
    score,
)
from geo.hotspot.graph import Graph, contiguity, distance_band
from geo.hotspot.heat import Surface, contours, kde, kde_at
from geo.hotspot.knox import Knox, knox
from geo.hotspot.local import Fdr, Moran, adjusted, gi, gi_bin, gi_star, hot_cold, local_moran, moran, p_value
from geo.hotspot.permutation import permutation_p
from geo.hotspot.pooled import dispersion, overdispersion, pooled_cube, pooled_residual
from geo.hotspot.report import hot_list, hotspots, past_windows
from geo.hotspot.ring import HotList, RingCounts
from geo.hotspot.scan import Scan, gumbel_p, llr, scan
from geo.hotspot.warning import alarm_overdispersion, alarms, ears_limit, warnings

__all__ = [
    "CLASSES",
    "CLASSES_ZH",
    "INDEPENDENT",
    "METHODS",
    "SHARES",
    "SOURCES",
    "Account",
    "Cube",
    "Fdr",
    "Graph",
    "HotList",
    "Knox",
    "Model",
    "Moran",
    "RingCounts",
    "Scan",
    "Score",
    "Surface",
    "adjusted",
    "alarm_overdispersion",
    "alarms",
    "blend",
    "choose",
    "choynowski",
    "city_factor",
    "classify",
    "contiguity",
    "contours",
    "decayed_count",
    "dispersion",
    "distance_band",
    "ears_limit",
    "eb_rate",
    "expected",
    "gi",
    "gi_bin",
    "gi_cube",
    "gi_star",
    "gumbel_p",
    "hot_cold",
    "hot_list",
    "hotspots",
    "incident_cube",
    "kde",
    "kde_at",
    "knox",
    "ledger",
    "llr",
    "local_day",
    "local_moran",
    "mann_kendall",
    "memory_days",
    "moran",
    "naive",
    "overdispersion",
    "p_value",
    "past_windows",
    "permutation_p",
    "pooled_cube",
    "pooled_residual",
    "predict",
    "ranked",
    "residual",
    "residual_cube",
    "scan",
    "score",
    "upper_limit",
    "upper_tail",
    "warnings",
    "weekly",
    "windows",
]
