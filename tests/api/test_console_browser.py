"""The console as an operator uses it: each interaction once, in Debian's Chromium, with nothing from outside."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from api.app import create_app
from api.settings import Settings
from api.state import ServerState
from geo.city import City
from tests import browser as browser_tools

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console")]

WALL, DESK = {"width": 3840, "height": 2160}, {"width": 1366, "height": 768}


@pytest.fixture(scope="module")
def state(demo_small: City) -> ServerState:
    return ServerState(demo_small)


@pytest.fixture(scope="module")
def address(state: ServerState) -> Iterator[str]:
    with browser_tools.serving(create_app(state)) as url:
        yield url


@pytest.fixture
def desk(page: Page, address: str) -> Iterator[Page]:
    """A desk screen that may talk to our server alone."""
    page.set_viewport_size(DESK)
    page.watch = browser_tools.Watch(page, (address, address.replace("http", "ws")))
    yield page
    page.watch.check()


def open_console(page: Page, address: str, link: str = "", *, path: str = "/") -> None:
    page.goto(f"{address}{path}#{link}" if link else f"{address}{path}")
    ready(page)


def ready(page: Page) -> None:
    page.wait_for_function("document.documentElement.dataset.ready === 'true'", timeout=60_000)


def painted(page: Page, layer: str) -> int:
    """How many pixels of a layer's canvases are not transparent."""
    return page.evaluate(
        """name => [...document.querySelectorAll(`.tiles-${name} canvas`)].reduce((sum, c) => {
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            for (let i = 3; i < d.length; i += 4 * 7) sum += d[i] > 0;
            return sum;
        }, 0)""",
        layer,
    )


def test_opens_with_layers_drawn_and_a_small_document(desk: Page, address: str) -> None:
    open_console(desk, address)
    expect(desk.locator("#city")).to_have_text("云川市")
    for layer in ("basemap", "borders", "shade", "incidents"):
        assert painted(desk, layer) > 200, layer
    expect(desk.locator("#live")).to_have_attribute("data-state", "live")
    assert desk.locator("#newest .incident").count() > 10
    assert len(desk.request.get(address).body()) < 20_000
    assert not [u for u in desk.watch.requests if not u.startswith(address)]


@pytest.mark.parametrize(
    ("key", "name", "layer"),
    [("2", "hazards", "hazards"), ("3", "facilities", "facilities"), ("5", "video", "cameras")],
)
def test_presets_by_key_show_their_layers(desk: Page, address: str, key: str, name: str, layer: str) -> None:
    open_console(desk, address, "p=people")
    desk.locator("body").press(key)
    expect(desk.locator(f"#preset-{name}")).to_have_attribute("aria-pressed", "true")
    desk.wait_for_function("n => document.querySelector(`.tiles-${n}`) !== null", arg=layer)
    ready(desk)
    assert painted(desk, layer) > 50
    assert f"p={name}" in desk.url


def test_a_link_shows_the_same(desk: Page, address: str) -> None:
    open_console(
        desk,
        address,
        "p=video&theme=dark&lang=en&m=14/36.79000/117.99000&days=7&category=盗窃&op=cameras:0.5",
    )
    desk.locator("#layer-facilities").check()
    ready(desk)
    link = desk.url
    desk.goto("about:blank")
    desk.goto(link)
    ready(desk)
    expect(desk.locator("html")).to_have_attribute("data-theme", "dark")
    expect(desk.locator("#layer-facilities")).to_be_checked()
    expect(desk.locator("#opacity-cameras")).to_have_value("0.5")
    expect(desk.locator("#days")).to_have_value("7")
    assert desk.evaluate("santu.map.getZoom()") == 14
    assert desk.locator("#tree h2").first.inner_text().startswith("Grid shading")


def test_a_comma_in_a_category_stays_in_the_link(desk: Page, address: str) -> None:
    open_console(desk, address, "p=people")
    odd = ["殴打, 他人", "a\\b", "盗窃"]
    link = desk.evaluate(
        "async odd => encodeURIComponent((await import('/static/console/state.js')).join(odd))", odd
    )
    with desk.expect_request(lambda r: "/v1/incidents" in r.url) as asked:
        open_console(desk, address, f"p=incidents&category={link}", path="/?again")
    assert parse_qs(urlsplit(asked.value.url).query)["category"] == odd
    desk.locator("#category-0").click()
    ready(desk)
    again = desk.url
    desk.goto("about:blank")
    with desk.expect_request(lambda r: "/v1/incidents" in r.url) as asked:
        desk.goto(again)
    assert parse_qs(urlsplit(asked.value.url).query)["category"][:2] == odd[:2]
    ready(desk)


def test_click_gives_the_situation_card(desk: Page, address: str, demo_small: City) -> None:
    camera = demo_small.degrees("cameras").query("state == 'on' and ptz_type == 3").iloc[0]
    link = f"p=people&m=17/{camera.geometry.y}/{camera.geometry.x}"
    open_console(desk, address, link)
    box = desk.locator("#map").bounding_box()
    desk.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    card = desk.locator("#card-body")
    expect(card.locator("h3").first).to_contain_text("所在网格", timeout=30_000)
    assert card.locator(".chain li").count() >= 3
    for title in ("风险", "看得见此处的监控点", "未办结警情", "未整改隐患", "最近设施"):
        expect(card.locator("h3", has_text=title)).to_have_count(1)
    assert re.search(r"at=\d+\.\d+,\d+\.\d+", desk.url)
    desk.keyboard.press("Escape")
    expect(desk.locator("#card")).to_be_hidden()


def test_a_camera_under_the_pointer_is_the_one_asked_for(desk: Page, address: str, demo_small: City) -> None:
    camera = demo_small.degrees("cameras").query("secrecy == 0").iloc[5]
    open_console(desk, address, f"p=video&m=18/{camera.geometry.y}/{camera.geometry.x}")
    with desk.expect_request(re.compile("/v1/situation")) as asked:
        box = desk.locator("#map").bounding_box()
        desk.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert "camera=379" in asked.value.url


def test_search_finds_grids_cameras_and_coordinates_in_any_datum(
    desk: Page, address: str, demo_small: City
) -> None:
    open_console(desk, address, "p=people")
    grid = demo_small.degrees("grids").query("kind == 'base'").index[10]
    box = desk.locator("#search")
    desk.locator("body").press("/")
    expect(box).to_be_focused()
    box.type(grid)
    expect(desk.locator("#found li").first).to_contain_text(grid)
    box.press("ArrowDown")
    box.press("Enter")
    expect(desk.locator("#card-body .chain")).to_contain_text(grid, timeout=30_000)
    camera = demo_small.degrees("cameras").query("secrecy == 0").index[3]
    box.fill(camera)
    box.press("Enter")
    expect(desk.locator("#card-body .where")).to_contain_text(str(demo_small.cameras.at[camera, "name"]))
    box.fill("117.9950, 36.7900 gcj02")
    box.press("Enter")
    expect(desk.locator("#card-body .where .mono")).to_contain_text("117.98")
    expect(desk.locator("#card-body .where strong")).not_to_contain_text("号杆")
    pole = str(demo_small.cameras.at[camera, "name"])
    box.fill(pole[:-1])
    expect(desk.locator("#found .kind", has_text="监控点").first).to_be_visible()
    expect(desk.locator("#found")).to_contain_text(pole[:-1])
    box.press("Escape")
    expect(desk.locator("#found")).to_be_hidden()
    address = demo_small.addresses.query("level == 50 and compound.isna() and road.notna()")["standard"].iloc[
        7
    ]
    box.fill(str(address)[3:])
    expect(desk.locator("#found")).to_contain_text("地址")
    box.press("Enter")
    expect(desk.locator("#card-body .where strong")).to_contain_text("号")
    box.fill("zzzz")
    expect(desk.locator("#found li")).to_have_text("没有找到")


def test_filters_reach_tiles_and_lists(desk: Page, address: str, demo_small: City) -> None:
    open_console(desk, address, "p=incidents&days=90")
    with desk.expect_request(lambda r: "/tiles/incidents/" in r.url and "category=" in r.url):
        desk.locator("#category-0").click()
    ready(desk)
    name = desk.locator("#category-0").inner_text()
    assert set(desk.locator("#newest .what").all_inner_texts()) == {name}
    town = demo_small.degrees("grids").query("level == 1").index[0]
    open_console(desk, address, f"p=incidents&grid={town}&days=90", path="/?again")
    rows = desk.locator("#newest .incident").evaluate_all("list => list.map(b => b.dataset.id)")
    places = demo_small.degrees("incidents").loc[rows].geometry
    assert set(demo_small.locate(places.x, places.y)["town"]) == {town}
    desk.locator("#clear-grid").click()
    expect(desk.locator("#filters")).to_contain_text("全市")
    desk.locator("body").press("5")
    with desk.expect_request(lambda r: "/tiles/cameras/" in r.url and "state=on" in r.url):
        desk.locator("#camera-0").click()
    ready(desk)


def test_time_moves_by_hand_and_by_itself(desk: Page, address: str) -> None:
    open_console(desk, address, "p=incidents")
    desk.locator("#step").select_option("week")
    desk.locator("body").press("[")
    expect(desk.locator("#time-text")).to_contain_text("2026-06-23 – 2026-06-29")
    desk.locator("#step-back").click()
    expect(desk.locator("#time-text")).to_contain_text("2026-06-16 – 2026-06-22")
    ready(desk)
    assert any(
        "since=2026-06-16&until=2026-06-23" in u for u in desk.watch.requests if "/tiles/incidents/" in u
    )
    days = desk.locator("#newest .when").all_inner_texts()
    assert days
    assert all("06/16" <= d[:5] <= "06/22" for d in days)
    assert any("/v1/hotspots/grids?until=2026-06-22" in u for u in desk.watch.requests)
    desk.locator("#shade").select_option("classes")
    ready(desk)
    expect(desk.locator("#tree .legend").first).to_contain_text("新增热点")
    desk.locator("#play").click()
    expect(desk.locator("#time-text")).to_contain_text("2026-06-23 – 2026-06-29", timeout=15_000)
    expect(desk.locator("#play")).to_have_attribute("aria-pressed", "false", timeout=15_000)
    desk.locator("#time-off").click()
    expect(desk.locator("#time-text")).to_have_text("近 28 天")


def test_grids_of_another_date(desk: Page, address: str) -> None:
    open_console(desk, address, "p=people")
    with desk.expect_request(lambda r: "/tiles/grids/" in r.url and "as_of=2025-12-31" in r.url):
        desk.locator("#as-of").fill("2025-12-31")
    ready(desk)
    assert painted(desk, "shade") > 200


def test_theme_language_panel_and_help_by_key(desk: Page, address: str) -> None:
    open_console(desk, address, "p=hazards&theme=light&lang=zh")
    body = desk.locator("body")
    body.press("t")
    expect(desk.locator("html")).to_have_attribute("data-theme", "dark")
    expect(desk.locator("#tree")).to_contain_text("粗白圈")
    body.press("e")
    expect(desk.locator("html")).to_have_attribute("lang", "en")
    expect(desk.locator("#preset-hazards")).to_contain_text("Hazards")
    assert not re.search(r"[\u4e00-\u9fff]", desk.locator("#filters h2").inner_text())
    body.press("l")
    expect(desk.locator("#panel")).to_be_hidden()
    body.press("?")
    expect(desk.locator("#help")).to_be_visible()
    body.press("Escape")
    expect(desk.locator("#help")).to_be_hidden()
    desk.locator("#layer-cameras").evaluate("node => node.click()")
    ready(desk)
    assert painted(desk, "cameras") > 50


def test_incidents_arrive_change_and_leave(desk: Page, address: str, state: ServerState) -> None:
    open_console(desk, address, "p=incidents")
    expect(desk.locator("#live")).to_have_attribute("data-state", "live")
    centre = desk.evaluate("(c => [c.lng, c.lat])(santu.map.getCenter())")
    row = {
        "incident_id": "LIVE1", "lon": centre[0], "lat": centre[1], "category": "燃气泄漏<b>", "stage": "found",
        "occurred_at": "2026-07-01T00:00:00Z", "severity": 2, "source": "sensor", "address": "<img src=x onerror=alert(1)>",
    }  # fmt: skip
    state.live.put([row])
    first = desk.locator("#newest .incident").first
    expect(first).to_contain_text("燃气泄漏<b>")
    expect(first).to_contain_text("<img src=x onerror=alert(1)>")
    assert desk.evaluate("santu.open.markers.has('LIVE1')")
    first.click()
    expect(desk.locator("#card-body")).to_contain_text("发现")
    state.live.put([{**row, "stage": "handling"}], kind="stage")
    expect(first.locator(".stage")).to_have_text("处置")
    state.live.put([{**row, "stage": "closed"}], kind="stage")
    expect(desk.locator("[data-id=LIVE1]")).to_have_count(0)
    assert not desk.evaluate("santu.open.markers.has('LIVE1')")
    state.live.fold([{**row, "stage": "closed"}])


def test_coverage_and_blind_spots_are_on_the_video_map(desk: Page, address: str) -> None:
    open_console(desk, address, "p=video")
    expect(desk.locator("#shade")).to_have_value("ground_covered")
    assert painted(desk, "shade") > 200
    expect(desk.locator("#tree")).to_contain_text("可视域")
    desk.locator("#map .rank", has_text=re.compile("^1$")).first.evaluate("node => node.click()")
    expect(desk.locator("#card-body .where")).to_contain_text("无覆盖")


def test_a_camera_that_fails_is_redrawn_in_place(
    desk: Page, address: str, state: ServerState, demo_small: City
) -> None:
    camera = demo_small.degrees("cameras").query("state == 'on' and secrecy == 0").iloc[9]
    open_console(desk, address, f"p=video&m=18/{camera.geometry.y}/{camera.geometry.x}")
    state.live.note("camera", camera.name, {"state": "defect"})
    shown = """id => Object.values(santu.layers.shown.get('cameras').layer._vectorTiles)
        .map(t => t._features[id]).filter(Boolean).map(f => f.feature.options.shape).pop()"""
    desk.wait_for_function(f"id => ({shown})(id) === 'triangle'", arg=camera.name)


def test_a_grid_that_becomes_hot_is_told(
    desk: Page, address: str, state: ServerState, demo_small: City
) -> None:
    open_console(desk, address, "p=incidents")
    expect(desk.locator("#live")).to_have_attribute("data-state", "live")
    with desk.expect_response(lambda r: "/v1/hotspots/grids" in r.url, timeout=60_000):
        state.live.note(
            "hotspot", "G1", {"grid_id": "G1", "name": "某网格", "hot": True, "lon": 118.0, "lat": 36.79}
        )
    expect(desk.locator("#notice")).to_contain_text("新热点: 某网格")
    expect(desk.locator("#alert-list")).to_contain_text("进入热点榜")


def test_warnings_are_listed_as_they_come_and_lead_to_their_grid(
    desk: Page, address: str, state: ServerState, demo_small: City
) -> None:
    open_console(desk, address, "p=incidents&lang=zh")
    expect(desk.locator("#live")).to_have_attribute("data-state", "live")
    expect(desk.locator("#alerts")).to_be_hidden()
    grid = demo_small.degrees("grids").query("kind == 'base'").iloc[40]
    inside = grid.geometry.representative_point()
    body = {
        "grid_id": grid.name, "name": grid["name"], "category": "盗窃", "observed": 9, "expected": 2.31, "lon": inside.x,
        "lat": inside.y, "text": "预警：九起", "text_en": "Warning: nine",
    }  # fmt: skip
    state.live.note("warning", f"{grid.name}|盗窃", body)
    line = desk.locator("#alert-list button")
    expect(line).to_contain_text("盗窃：9 起，常态 2.3")
    expect(desk.locator("#notice")).to_have_text("预警：九起")
    desk.locator("body").press("e")
    expect(line).to_contain_text("usually 2.3")
    line.click()
    expect(desk.locator("#card-body .chain")).to_contain_text(grid.name)
    assert desk.evaluate("santu.map.getZoom()") >= 15
    desk.locator("#alerts-clear").click()
    expect(desk.locator("#alerts")).to_be_hidden()


def test_events_come_without_web_sockets_too(desk: Page, address: str, state: ServerState) -> None:
    desk.add_init_script("delete window.WebSocket")
    open_console(desk, address, "p=incidents")
    expect(desk.locator("#live")).to_have_attribute("data-state", "live")
    assert desk.evaluate("santu.live.transport") == "sse"
    row = {
        "incident_id": "SSE1", "lon": 118.0, "lat": 36.79, "category": "盗窃", "stage": "found",
        "occurred_at": "2026-07-01T00:00:00Z",
    }  # fmt: skip
    state.live.put([row])
    expect(desk.locator("[data-id=SSE1]")).to_have_count(1)
    state.live.put([{**row, "stage": "closed"}], kind="stage")
    state.live.fold([{**row, "stage": "closed"}])


def test_the_view_is_printed_by_the_server(desk: Page, address: str) -> None:
    open_console(desk, address, "p=hazards&m=14/36.79000/117.99000")
    with desk.expect_download() as download, desk.expect_request(re.compile("/v1/print.png")) as asked:
        desk.locator("#print-png").click()
    assert "indicator=open_hazards" in asked.value.url
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_link_put_into_the_address_line_is_followed(desk: Page, address: str) -> None:
    open_console(desk, address, "p=people")
    desk.evaluate("location.hash = 'p=video&lang=en'")
    expect(desk.locator("#preset-video")).to_have_attribute("aria-pressed", "true")
    expect(desk.locator("#pages a").first).to_have_attribute("href", re.compile("/planner#lang=en"))
    ready(desk)


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


def test_says_how_far_behind_it_is_and_recovers(page: Page, demo_tiny: City) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    state = ServerState(demo_tiny)

    def begin() -> tuple[uvicorn.Server, threading.Thread]:
        server = uvicorn.Server(
            uvicorn.Config(create_app(state), port=port, log_level="critical", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        until = time.monotonic() + 30
        while not server.started and time.monotonic() < until:
            time.sleep(0.02)
        return server, thread

    server, thread = begin()
    open_console(page, f"http://127.0.0.1:{port}")
    live = page.locator("#live")
    expect(live).to_have_attribute("data-state", "live")
    server.should_exit = True
    thread.join(15)
    expect(live).to_have_attribute("data-state", "behind", timeout=15_000)
    expect(live).to_contain_text("落后 1 分钟")
    expect(page.locator("#notice")).to_contain_text("与服务器的连接中断")
    state.live.put([{"incident_id": "MISSED", "lon": 118.0, "lat": 36.8, "category": "盗窃", "stage": "found",
                     "occurred_at": "2026-07-01T00:00:00Z"}])  # fmt: skip
    server, thread = begin()
    expect(live).to_have_attribute("data-state", "live", timeout=30_000)
    expect(page.locator("[data-id=MISSED]")).to_have_count(1, timeout=10_000)
    expect(page.locator("#notice")).to_be_hidden()
    server.should_exit = True
    thread.join(15)


def test_a_layer_that_fails_says_so_and_can_be_tried_again(desk: Page, address: str) -> None:
    desk.route("**/tiles/hazards/**", lambda route: route.fulfill(status=500, body="{}"))
    open_console(desk, address, "p=hazards")
    again = desk.locator(".layer.on button.badge.bad")
    expect(again).to_contain_text("载入失败")
    desk.unroute("**/tiles/hazards/**")
    again.click()
    ready(desk)
    expect(again).to_have_count(0)
    assert painted(desk, "hazards") > 50
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
