"""The three maps in a real browser: what an operator does, with no request outside the server."""

import re

import pytest

from geo.city import City
from geo.scope import Scope
from layers import folium_map, hot_page, style, summary

pytestmark = pytest.mark.browser
MAPS = list(folium_map.MAPS)


def open_map(page, url):
    page.goto(url)
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    return page


@pytest.mark.parametrize("name", MAPS)
def test_a_map_opens_with_legend_layers_and_nothing_from_outside(offline_page, live_server, name):
    page = open_map(offline_page, f"{live_server}/maps/{name}")
    assert folium_map.MAPS[name].zh in page.title()
    legend = page.locator(".santu-legend").inner_text()
    assert "基础网格" in legend
    assert any(word in legend for word, _ in style.RANKS)
    boxes = page.locator(".leaflet-control-layers-overlays label").all_inner_texts()
    assert [b.strip() for b in boxes][:3] == ["底图", "基础网格", "网格界线"]
    assert boxes[-1].strip() == "网格名称", "names lie above the points"
    assert page.evaluate("document.querySelectorAll('.santu-grids canvas').length") > 0
    assert page.evaluate("getComputedStyle(document.querySelector('.leaflet-container')).height") != "0px"
    assert page.locator(".santu-note").is_hidden()


def test_what_is_not_stable_is_hatched_and_said_so(offline_page, live_server):
    page = open_map(offline_page, f"{live_server}/maps/hotspots")
    legend = page.locator(".santu-legend").inner_text()
    assert "斜线：不稳定" in legend
    look = """unstable => {
        const conf = santu.confs.find(c => c.name === 'hotspots');
        return santu.styleOf(conf)({gi_bin: 3, unstable}, 14).hatch || '';
    }"""
    assert page.evaluate(look, 1) == style.DARK
    assert page.evaluate(look, 0) == ""
    # the hatch is drawn over the fill: of a square of one colour, some is dark and some is not
    dark = page.evaluate(
        """() => {
            const tile = new L.Canvas.Tile({x: 0, y: 0, z: 0}, L.point(64, 64), {}), ctx = tile._ctx;
            ctx.beginPath();
            ctx.rect(0, 0, 64, 64);
            const options = {fill: true, fillColor: '#ff0000', fillOpacity: 1, hatch: '#222222'};
            tile._fillStroke(ctx, {options});
            const data = ctx.getImageData(0, 0, 64, 64).data;
            let n = 0;
            for (let i = 0; i < data.length; i += 4) n += data[i] < 128;
            return n / (64 * 64);
        }"""
    )
    assert 0.1 < dark < 0.6


def test_search_by_code_opens_the_card_of_that_grid(offline_page, live_server, demo_small):
    grid = demo_small.degrees("grids").query("kind == 'base'").index[17]
    page = open_map(offline_page, f"{live_server}/maps/hazards")
    page.get_by_role("combobox").fill(grid[:-1])
    option = page.get_by_role("option").filter(has_text=grid)
    option.wait_for()
    page.get_by_role("combobox").press("ArrowDown")
    option.dispatch_event("mousedown")
    card = page.locator(".santu-card")
    card.get_by_text(grid, exact=True).wait_for()
    assert demo_small.degrees("grids").loc[grid, "name"] in card.inner_text()
    card.get_by_text("近28日警情").wait_for()


def test_search_by_name_with_the_keyboard_alone(offline_page, live_server, demo_small):
    name = demo_small.degrees("grids").query("level == 2")["name"].iloc[3]
    page = open_map(offline_page, f"{live_server}/maps/people")
    box = page.get_by_role("combobox")
    box.fill(name)
    page.get_by_role("option").first.wait_for()
    box.press("Enter")
    page.locator(".santu-card").wait_for()
    assert page.evaluate("santu.map.getZoom()") >= 13
    assert re.search(r"#\d+/3\d\.\d+/11\d\.\d+", page.url)


def test_search_for_nothing_says_so(offline_page, live_server):
    page = open_map(offline_page, f"{live_server}/maps/people")
    page.get_by_role("combobox").fill("没有这样的网格")
    page.get_by_text("没有找到").wait_for()


def test_a_click_shows_hazard_and_grid(offline_page, live_server, demo_small):
    hazards = demo_small.degrees("hazards")
    place = hazards[hazards["fixed_at"].isna()].geometry.iloc[0]
    page = open_map(offline_page, f"{live_server}/maps/hazards#16/{place.y:.5f}/{place.x:.5f}")
    size = page.evaluate("[santu.map.getSize().x, santu.map.getSize().y]")
    box = page.locator(".folium-map").bounding_box()
    at = page.evaluate(f"santu.map.latLngToContainerPoint([{place.y}, {place.x}])")
    assert 0 < at["x"] < size[0]
    page.mouse.click(box["x"] + at["x"], box["y"] + at["y"])
    text = page.locator(".santu-card").inner_text()
    assert hazards[hazards["fixed_at"].isna()].index[0] in text
    assert "整改时限" in text
    assert "网格编码" in text


def test_an_english_page_speaks_english(offline_page, live_server, demo_small):
    """All but what comes from the data: names of places and the city."""
    hazards = demo_small.degrees("hazards")
    place = hazards[hazards["fixed_at"].isna()].geometry.iloc[0]
    page = open_map(offline_page, f"{live_server}/maps/hazards?lang=en#16/{place.y:.5f}/{place.x:.5f}")
    box = page.locator(".folium-map").bounding_box()
    at = page.evaluate(f"santu.map.latLngToContainerPoint([{place.y}, {place.x}])")
    page.mouse.click(box["x"] + at["x"], box["y"] + at["y"])
    page.locator(".santu-card").get_by_text("incidents 28d", exact=True).wait_for()
    heads = page.locator(".santu-card th").all_inner_texts()
    assert "due at" in heads
    bar = page.locator(".santu-bar nav, .santu-facts").all_inner_texts()
    words = " ".join([*heads, *bar, *page.locator(".santu-legend").all_inner_texts()])
    assert not re.search(r"[一-鿿]", words), words
    assert "undefined" not in page.inner_text("body")
    assert page.get_attribute("html", "lang") == "en"


def test_a_tick_hides_a_kind(offline_page, live_server):
    page = open_map(offline_page, f"{live_server}/maps/facilities#16/36.79/117.99")
    shown = """Object.values(santu.confs.find(c => c.name === 'facilities').layer._vectorTiles)
        .flatMap(t => Object.values(t._layers)).length"""
    before = page.evaluate(shown)
    page.locator(".santu-legend label", has_text="烟感报警器").locator("input").uncheck()
    page.wait_for_function("santu.confs.every(c => !c.layer.isLoading())")
    after = page.evaluate(shown)
    assert 0 < after < before


def test_layers_can_be_taken_away(offline_page, live_server):
    page = open_map(offline_page, f"{live_server}/maps/people")
    page.locator(".leaflet-control-layers-overlays label", has_text="基础网格").locator("input").uncheck()
    assert page.evaluate("document.querySelectorAll('.santu-grids').length") == 0


def test_names_from_data_are_text_never_markup(page, demo_tiny):
    from browser import Watch, serving

    from api.app import create_app
    from api.state import ServerState

    nasty = "<img src=x onerror=alert(1)></script><b>"
    grids = demo_tiny.grids.assign(name=nasty)
    city = demo_tiny.with_table("grids", grids)
    with serving(create_app(ServerState(city))) as url:
        watch = Watch(page, (url,))
        open_map(page, f"{url}/maps/people")
        west, south, east, north = city.degrees("grids").total_bounds
        page.evaluate(f"santu.cardAt(L.latLng({(south + north) / 2}, {(west + east) / 2}))")
        page.locator(".santu-card").wait_for()
        assert nasty in page.locator(".santu-card").inner_text()
        assert page.locator(".santu-card img").count() == 0
        watch.check()


def test_a_failing_tile_is_a_note_and_no_error(offline_page, live_server):
    offline_page.route("**/tiles/borders/**", lambda route: route.fulfill(status=500))
    page = open_map(offline_page, f"{live_server}/maps/people")
    page.get_by_text("部分图层未能载入").wait_for()
    page.watch.errors[:] = [e for e in page.watch.errors if "500" not in e]


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (3840, 2160)])
def test_nothing_overlaps_or_leaves_the_screen(offline_page, live_server, width, height):
    offline_page.set_viewport_size({"width": width, "height": height})
    page = open_map(offline_page, f"{live_server}/maps/facilities")
    boxes = {
        part: page.locator(part).first.bounding_box()
        for part in (".santu-bar", ".santu-legend", ".leaflet-control-layers", ".leaflet-control-zoom")
    }
    for part, b in boxes.items():
        assert b["x"] >= 0, part
        assert b["x"] + b["width"] <= width, part
        assert b["y"] + b["height"] <= height, part
    legend, zoom = boxes[".santu-legend"], boxes[".leaflet-control-zoom"]
    assert legend["y"] >= zoom["y"] + zoom["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_document_is_small_however_many_rows(live_server):
    import urllib.request

    for name in MAPS:
        with urllib.request.urlopen(f"{live_server}/maps/{name}") as answer:
            assert len(answer.read()) < 20_000


@pytest.mark.parametrize(
    "path", ["/", "/planner", "/docs", "/maps/hotspots", *(f"/maps/{name}" for name in MAPS)]
)
def test_a_page_needs_nothing_that_its_policy_forbids(browser, live_server, path):
    context = browser.new_context(bypass_csp=False)
    page = context.new_page()
    errors, foreign = [], []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on(
        "request",
        lambda r: None if r.url.startswith((live_server, "data:", "blob:")) else foreign.append(r.url),
    )
    answer = page.goto(f"{live_server}{path}", wait_until="networkidle")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    page.locator("body", has_text=re.compile(r"[\s\S]{100}")).wait_for()  # scripts have drawn something
    context.close()
    assert (errors, foreign) == ([], [])


@pytest.mark.parametrize("name", [*MAPS, "hotspots"])
def test_a_map_without_its_data_says_which_command_brings_it(demo_tiny, name):
    chosen = hot_page.MAP if name == "hotspots" else folium_map.theme(name)
    table = {"hotspots": "incidents"}.get(name, name)
    tables = {t: demo_tiny.degrees(t) for t in ("grids", "people", "hazards", "facilities", "incidents")}
    bare = City("城", crs=demo_tiny.crs, tables={t: f for t, f in tables.items() if t != table}, versions={})
    assert folium_map.missing(demo_tiny, chosen, "zh") == ""
    assert f"santu import {table} " in folium_map.missing(bare, chosen, "en")
    assert f"santu import {table} " in folium_map.page(bare, chosen, scope=Scope())[0]


def test_an_english_page_is_english_but_for_the_names_of_the_city(demo_tiny):
    document, _ = folium_map.page(demo_tiny, folium_map.theme("people"), scope=Scope(), lang="en")
    bar = document[document.index('<header class="santu-bar"') : document.index("</header>")]
    assert not re.search("[\u4e00-\u9fff]", bar.replace(demo_tiny.name, ""))
    assert "whole city" in bar
    assert "no persons" in bar


def test_the_whole_city_is_in_view_whatever_the_window(offline_page, live_server):
    for width, height in ((1366, 768), (1240, 700), (1500, 860), (1000, 640)):
        offline_page.set_viewport_size({"width": width, "height": height})
        offline_page.goto("about:blank")
        page = open_map(offline_page, f"{live_server}/maps/people")
        assert page.evaluate("santu.map.getBounds().contains(L.latLngBounds(santu.config.bounds))"), width


def test_a_message_is_not_hidden_by_the_bar(offline_page, live_server):
    page = open_map(offline_page, f"{live_server}/maps/people")
    top = """() => {
        const note = document.querySelector('.santu-note');
        note.textContent = 'message';
        note.hidden = false;
        const r = note.getBoundingClientRect();
        return document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2) === note;
    }"""
    assert page.evaluate(top)


def test_a_city_without_grids_opens_where_its_data_lie(demo_tiny):
    tables = {"roads": demo_tiny.degrees("roads"), "facilities": demo_tiny.degrees("facilities")}
    bare = City("城", crs=demo_tiny.crs, tables=tables, versions={})
    west, south, east, north = summary.bounds_of(bare, scope=Scope())
    for frame in tables.values():
        box = frame.total_bounds
        assert west <= box[0] + 1e-6
        assert south <= box[1] + 1e-6
        assert east >= box[2] - 1e-6
        assert north >= box[3] - 1e-6
    assert east - west < 1
    assert summary.bounds_of(bare, scope=Scope(roots=frozenset(["G"]))) == list(summary.CHINA)
    nothing = City("空城", crs=demo_tiny.crs, tables={}, versions={})
    assert summary.bounds_of(nothing, scope=Scope()) == list(summary.CHINA)
