"""The console where something is missing: an empty city, a scope, a layer that fails, a small or a very large screen."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from api.app import create_app
from api.settings import Settings
from api.state import ServerState
from geo.city import City
from tests import browser as browser_tools
from tests.console import DESK, WALL, open_console, ready, shows

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console")]


def test_a_city_of_grids_alone_says_what_is_missing_and_shows_its_first_incident(
    page: Page, tiny_city: City
) -> None:
    state = ServerState(tiny_city)
    with browser_tools.serving(create_app(state)) as url:
        watch = browser_tools.Watch(page, (url, url.replace("http", "ws")))
        open_console(page, url, "p=video&lang=zh")
        expect(page.locator("#empty")).to_contain_text("santu import cameras")
        page.locator("body").press("4")
        expect(page.locator("#empty")).to_contain_text("santu import incidents")
        expect(page.locator("#newest")).to_contain_text("还没有警情")
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        state.live.put([{"incident_id": "FIRST", "lon": 118.005, "lat": 36.805, "category": "盗窃", "stage": "found",
                         "occurred_at": "2026-07-01T00:00:00Z"}])  # fmt: skip
        page.locator("[data-id=FIRST]").click()
        card = page.locator("#card-body")
        for words in ("发现", "网格3", "没有监控点看得见此处", "没有风险评分", "没有设施数据"):
            expect(card).to_contain_text(words.replace("没有风险评分", "此处没有风险评分"))
        watch.check()


def test_what_lies_outside_of_a_scope_is_refused_in_words(page: Page, demo_tiny: City) -> None:
    grids = demo_tiny.degrees("grids")
    mine, other = grids.query("level == 1").index[:2]
    inside = grids.geometry[other].representative_point()
    with browser_tools.serving(create_app(ServerState(demo_tiny, settings=Settings(roots=(mine,))))) as url:
        open_console(page, url, f"p=people&lang=zh&at={inside.x},{inside.y}")
        expect(page.locator("#card-body [role=alert]")).to_contain_text("超出您的可见范围")
        box = page.locator("#search")
        box.fill(other)
        expect(page.locator("#found")).to_contain_text("没有找到")


def test_a_layer_that_fails_says_so_and_can_be_tried_again(desk: Page, address: str) -> None:
    desk.route("**/tiles/hazards/**", lambda route: route.fulfill(status=500, body="{}"))
    open_console(desk, address, "p=hazards")
    again = desk.locator(".layer.on button.badge.bad")
    expect(again).to_contain_text("载入失败")
    desk.unroute("**/tiles/hazards/**")
    again.click()
    ready(desk)
    expect(again).to_have_count(0)
    shows(desk, "hazards", 50)
    desk.watch.errors.clear()  # the refused tiles


def test_an_empty_city_says_what_to_do(page: Page) -> None:
    city = City("空城", crs="EPSG:4548", tables={}, versions={})
    with browser_tools.serving(create_app(ServerState(city))) as url:
        watch = browser_tools.Watch(page, (url,))
        open_console(page, url)
        expect(page.locator("#empty")).to_contain_text("santu import grids")
        watch.check()


@pytest.mark.parametrize("size", [DESK, WALL], ids=["desk", "wall"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_fits_the_screen_and_has_no_serious_accessibility_fault(
    desk: Page, address: str, size: dict[str, int], theme: str
) -> None:
    desk.set_viewport_size(size)
    open_console(desk, address, f"p=incidents&theme={theme}&at=117.9950,36.7900")
    expect(desk.locator("#card-body .chain")).to_be_visible()
    assert desk.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for control in ("#search", "#live", "#theme", "#time", "#preset-video", "#card", "#newest"):
        box = desk.locator(control).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"] + 1
        assert box["y"] + box["height"] <= size["height"] + 1
    found = Axe().run(desk)
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert not serious, json.dumps([(v["id"], [n["target"] for n in v["nodes"]][:5]) for v in serious])
