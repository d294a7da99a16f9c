"""A store that holds the four base grids of `square_grids`."""

import pytest

from geo.store import create_store


@pytest.fixture
def store(tmp_path, tiny_city):
    """The store of `tiny_city`, of this test alone."""
    made = create_store(tmp_path / "city")
    made.write("grids", tiny_city.degrees("grids"))
    yield made
    made.close()
