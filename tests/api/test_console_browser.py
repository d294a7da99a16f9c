"""The console as an operator uses it: each interaction once, in Debian's Chromium, with nothing from outside."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from geo.city import City
from tests.console import open_console, ready, shows

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console")]


def test_opens_with_layers_drawn_and_a_small_document(desk: Page, address: str) -> None:
    open_console(desk, address)
    expect(desk.locator("#city")).to_have_text("云川市")
    for layer in ("basemap", "borders", "shade", "incidents"):
        shows(desk, layer, 200)
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
    shows(desk, layer, 50)
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
    assert any("/v1/hotspots/grids?" in u and "until=2026-06-22" in u for u in desk.watch.requests)
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
    shows(desk, "shade", 200)


def test_theme_language_panel_and_help_by_key(desk: Page, address: str) -> None:
    open_console(desk, address, "p=hazards&theme=light&lang=zh")
    body = desk.locator("body")
    body.press("t")
    expect(desk.locator("html")).to_have_attribute("data-theme", "dark")
    expect(desk.locator("#tree")).to_contain_text("粗白圈")
    body.press("e")
    expect(desk.locator("html")).to_have_attribute("lang", "en")
    expect(desk.locator("#preset-hazards")).to_contain_text("Hazards")
    expect(desk.locator("#filters h2")).to_have_text("Filters")
    body.press("l")
    expect(desk.locator("#panel")).to_be_hidden()
    body.press("?")
    expect(desk.locator("#help")).to_be_visible()
    body.press("Escape")
    expect(desk.locator("#help")).to_be_hidden()
    desk.evaluate("document.getElementById('layer-cameras').click()")
    ready(desk)
    shows(desk, "cameras", 50)


def test_areas_have_the_colour_of_their_value(desk: Page, address: str) -> None:
    """Ground seen once, the commonest, is drawn as such: every property of a feature is read."""
    open_console(desk, address, "p=video&m=16/36.7905/117.995&shade=&on=coverage_times")
    shows(desk, "coverage_times", 200)
    once = desk.evaluate(
        """[...document.querySelectorAll('.tiles-coverage_times canvas')].reduce((sum, c) => {
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 100) sum[d[i] > 140 ? 0 : 1] += 1;
            return sum;
        }, [0, 0])"""
    )
    assert once[0] > once[1] > 0, once


def test_coverage_and_blind_spots_are_on_the_video_map(desk: Page, address: str) -> None:
    open_console(desk, address, "p=video")
    expect(desk.locator("#shade")).to_have_value("ground_covered")
    shows(desk, "shade", 200)
    expect(desk.locator("#tree")).to_contain_text("可视域")
    desk.locator("#map .rank", has_text=re.compile("^1$")).first.evaluate("node => node.click()")
    expect(desk.locator("#card-body .where")).to_contain_text("无覆盖")


def test_the_view_is_printed_by_the_server(desk: Page, address: str) -> None:
    open_console(desk, address, "p=hazards&m=14/36.79000/117.99000")
    with desk.expect_download() as download, desk.expect_request(re.compile("/v1/print.png")) as asked:
        desk.locator("#print-png").click()
    assert "indicator=open_hazards" in asked.value.url
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_the_print_holds_what_the_screen_shows(desk: Page, address: str, demo_small: City) -> None:
    name = demo_small.degrees("incidents")["category"].value_counts().index[0]
    town = demo_small.degrees("grids").query("level == 1").index[0]
    link = f"p=incidents&shade=hotspots&category={name}&source=discovered&camera=off&grid={town}&days=7&asOf=2026-01-01"
    open_console(desk, address, f"{link}&on=borders,blind,open,cameras,basemap,incidents")
    with desk.expect_download(), desk.expect_request(re.compile("/v1/print.pdf")) as asked:
        desk.locator("#print-pdf").click()
    sent = {k: v[0] for k, v in parse_qs(urlsplit(asked.value.url).query).items()}
    assert sent["layers"] == "basemap,grids,borders,blind_roads,blind_places,open,incidents,cameras"
    assert (sent["shade"], sent["category"], sent["source"], sent["camera"]) == (
        "hotspots",
        name,
        "discovered",
        "off",
    )
    assert (sent["grid"], sent["as_of"]) == (town, "2026-01-01")
    assert sent["since"]


def test_legends_are_of_what_is_drawn(desk: Page, address: str, demo_small: City) -> None:
    open_console(desk, address, "p=hazards&lang=zh")
    late = desk.locator("#tree li", has_text="逾期（粗黑圈）")
    expect(late).to_have_count(1)
    expect(late.locator(".count")).to_have_count(0)  # the numbers of levels are not those of marks
    shown = desk.locator("#tree section").first.locator("li rect").last
    assert float(shown.get_attribute("fill-opacity")) == desk.evaluate("santu.layers.legend.style.opacity")
    desk.keyboard.press("4")
    ready(desk)
    legend = desk.locator(".layer", has=desk.locator("#layer-incidents")).locator(".legend")
    expect(legend).to_contain_text("起/格")
    at = demo_small.degrees("incidents").geometry.iloc[-1]
    desk.evaluate(f"santu.map.setView([{at.y}, {at.x}], 18, {{animate: false}}); 1")
    expect(legend).to_contain_text("办结")
    expect(legend).not_to_contain_text("起/格")


def test_the_list_of_open_incidents_says_of_which_time(desk: Page, address: str) -> None:
    open_console(desk, address, "p=incidents&days=7&lang=zh")
    expect(desk.locator("#newest-window")).to_have_text("近 7 天")
    desk.locator("#days").select_option("0")
    expect(desk.locator("#newest-window")).to_have_text("全部")


def test_a_link_put_into_the_address_line_is_followed(desk: Page, address: str) -> None:
    open_console(desk, address, "p=people")
    desk.evaluate("location.hash = 'p=video&lang=en'")
    expect(desk.locator("#preset-video")).to_have_attribute("aria-pressed", "true")
    expect(desk.locator("#pages a").first).to_have_attribute("href", re.compile("/planner#lang=en"))
    ready(desk)
