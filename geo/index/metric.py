# ruff: noqa: ANN001, ANN201  # numba finds the types
"""Metres per degree at a latitude (每度米数): the local scale in which the index measures distances."""

from __future__ import annotations

import numpy as np

from geo.index._jit import jit

SEMI_MAJOR_M = 6378137.0  # CGCS2000 (GRS 80); WGS-84 differs by less than 1e-9
ECCENTRICITY_2 = 0.006694380022903416


@jit(inline=True)
def metres_per_degree(lat):  # type: ignore[no-untyped-def]
    """Metres per degree of longitude and of latitude (prime vertical and meridian radius); scalar or array."""
    phi = lat * (np.pi / 180)
    sine = np.sin(phi)
    w = 1 - ECCENTRICITY_2 * sine * sine
    vertical = SEMI_MAJOR_M / np.sqrt(w)
    meridian = vertical * (1 - ECCENTRICITY_2) / w
    return vertical * np.cos(phi) * (np.pi / 180), meridian * (np.pi / 180)
