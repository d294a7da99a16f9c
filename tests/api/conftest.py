"""One server of the small demo city for all tests of the console: none of them leaves anything behind in it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from api.app import create_app
from api.state import ServerState
from geo.city import City
from tests import browser as browser_tools
from tests.console import DESK


@pytest.fixture(scope="session")
def state(demo_small: City) -> ServerState:
    """State of the server at `address`."""
    return ServerState(demo_small)


@pytest.fixture(scope="session")
def address(state: ServerState) -> Iterator[str]:
    """Address of the server of the small demo city."""
    with browser_tools.serving(create_app(state)) as url:
        yield url


@pytest.fixture
def desk(page: Page, address: str) -> Iterator[Page]:
    """A desk screen that may talk to our server alone."""
    page.set_viewport_size(DESK)
    page.watch = browser_tools.Watch(page, (address, address.replace("http", "ws")))
    yield page
    page.watch.check()
