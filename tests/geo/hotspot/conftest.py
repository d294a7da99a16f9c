"""A city-size synthetic city, made once."""

import pytest

from tests.geo.hotspot.synthetic import Synthetic, synthetic_city


@pytest.fixture(scope="session")
def big_city() -> Synthetic:
    """15,000 grids, 180 days, 2.56 million incidents; 231 grids at +60 % in the last 14 days."""
    return synthetic_city(15_000, days=180, seed=0, planted=231)
