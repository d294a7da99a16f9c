"""Fixtures that every test may use."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from api.app import create_app
from api.state import ServerState
from geo import schema
from geo.city import City
from geo.demo import demo_city

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package
import browser as browser_tools

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Path of a real data set; the test is skipped where the folder of real data is absent."""

    def path(name: str) -> Path:
        found = SHARED / name
        if not found.exists():
            pytest.skip(f"real data {name} is not beside this checkout (../shared/data)")
        return found

    return path


def square_grids() -> gpd.GeoDataFrame:
    """One town of two villages of two base grids each, 0.01 degree squares in a row from 118.00, 36.80."""
    boxes = {
        "370303001000000": (118.00, 118.04, 1, None),
        "370303001001000": (118.00, 118.02, 2, "370303001000000"),
        "370303001002000": (118.02, 118.04, 2, "370303001000000"),
        "370303001001001": (118.00, 118.01, 3, "370303001001000"),
        "370303001001002": (118.01, 118.02, 3, "370303001001000"),
        "370303001002001": (118.02, 118.03, 3, "370303001002000"),
        "370303001002002": (118.03, 118.04, 3, "370303001002000"),
    }
    frame = gpd.GeoDataFrame(
        {
            "level": [b[2] for b in boxes.values()],
            "kind": ["admin" if b[2] < 3 else "base" for b in boxes.values()],
            "name": [f"网格{i}" for i in range(len(boxes))],
            "parent_id": [b[3] for b in boxes.values()],
        },
        geometry=[shapely.box(b[0], 36.80, b[1], 36.81) for b in boxes.values()],
        index=pd.Index(list(boxes), name="grid_id"),
        crs="EPSG:4490",
    )
    return schema.checked("grids", frame)


@pytest.fixture
def tiny_city() -> City:
    """A City of four base grids in a row whose answers can be counted by hand."""
    grids = square_grids()
    return City("小城", crs="EPSG:4548", tables={"grids": grids}, versions={"grids": "1"})


@pytest.fixture(scope="session")
def demo_tiny() -> City:
    """The demo city of 24 base grids, made once a session. Never change it."""
    return demo_city(0, "tiny")


@pytest.fixture(scope="session")
def demo_small() -> City:
    """The demo city of 400 base grids, made once a session. Never change it."""
    return demo_city(0, "small")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Debian's Chromium instead of a downloaded one."""
    return {"executable_path": browser_tools.chromium(), "args": browser_tools.CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, object]) -> dict[str, object]:
    """Playwright's `wait_for_function` is an `eval`, which our pages' policy forbids; `test_pages` keeps the policy."""
    return {**browser_context_args, "bypass_csp": True}


@pytest.fixture(scope="session")
def live_server(demo_small: City) -> Iterator[str]:
    """Address of a server of the small demo city, on a free port of this machine."""
    with browser_tools.serving(create_app(ServerState(demo_small))) as url:
        yield url


@pytest.fixture
def offline_page(page, live_server: str) -> Iterator[object]:
    """A browser page that may talk to `live_server` alone.

    Anything else it asks for is refused and fails the test at its end, as does an error on the console or in
    the page. `page.watch` holds what was asked; `page.watch.errors.clear()` after an error that is meant.
    """
    page.watch = browser_tools.Watch(page, (live_server,))
    yield page
    page.watch.check()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests run last: Playwright keeps an event loop running in its process, where others start their own."""
    items.sort(key=lambda item: "page" in getattr(item, "fixturenames", ()) or "browser" in item.keywords)
