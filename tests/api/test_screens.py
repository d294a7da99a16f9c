"""The pages look as they did: screenshots against small pictures of them, loosely; and axe on every map page."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page

from api.app import create_app
from api.state import ServerState
from geo.city import City
from tests import browser as browser_tools

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console")]

GOLDEN = Path(__file__).parents[1] / "golden" / "screens"
TOLERANCE = (
    8.0  # mean difference of a pixel of 255: fonts and smoothing differ, a lost panel or layer is 10 and more
)


@pytest.fixture(scope="module")
def address(demo_small: City) -> Iterator[str]:
    with browser_tools.serving(create_app(ServerState(demo_small))) as url:
        yield url


@pytest.mark.parametrize("name", browser_tools.SCREENS)
def test_a_page_looks_as_it_did(page: Page, address: str, name: str) -> None:
    found = browser_tools.small(browser_tools.photograph(page, address, name))
    kept = GOLDEN / f"{name}.png"
    assert kept.exists(), f"no {kept}: make it with python tests/make_images.py, look at it, and commit it"
    before = np.asarray(Image.open(kept).convert("RGB"), dtype=float)
    now = np.asarray(Image.open(io.BytesIO(found)).convert("RGB"), dtype=float)
    assert np.abs(now - before).mean() < TOLERANCE
    blank = np.full_like(now, now.mean(axis=(0, 1)))
    assert np.abs(blank - before).mean() > TOLERANCE, "the kept picture is all of one colour"


@pytest.mark.parametrize("name", ["people", "hazards", "facilities", "hotspots"])
def test_a_map_page_has_no_serious_accessibility_fault(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}/maps/{name}")
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    found = Axe().run(page)
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert not serious, json.dumps([(v["id"], [n["target"] for n in v["nodes"]][:5]) for v in serious])
