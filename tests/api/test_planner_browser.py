"""The planner as one who defends a budget uses it: every popup clicked, both languages, the files opened."""

import json
from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from openpyxl import load_workbook
from playwright.sync_api import Download, Page, expect

from api.app import create_app
from api.settings import Settings
from api.state import ServerState
from geo import covered
from geo.city import City
from tests import browser as browser_tools

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("planner")]

DESK, WALL = {"width": 1366, "height": 768}, {"width": 3840, "height": 2160}


@pytest.fixture(scope="module")
def address(demo_tiny: City) -> Iterator[str]:
    with browser_tools.serving(create_app(ServerState(demo_tiny))) as url:
        yield url


@pytest.fixture
def desk(page: Page, address: str) -> Iterator[Page]:
    page.set_viewport_size(DESK)
    page.watch = browser_tools.Watch(page, (address,))
    yield page
    page.watch.check()


def open_planner(page: Page, url: str, link: str = "lang=zh&theme=light") -> None:
    page.goto(f"{url}/planner#{link}")
    page.wait_for_selector("html[data-ready=true]", timeout=90_000)


def alone(city: City, states: tuple[str, ...], *, watching: bool = False) -> str:
    """A camera in one of some states with no other near it, so that a click meets it; one that alone sees ground."""
    cameras = city.cameras[(city.cameras["secrecy"] != 1).fillna(value=True)]
    xy = np.column_stack([cameras.geometry.x, cameras.geometry.y])
    away = np.sort(np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)), axis=1)[:, 1]
    keep = cameras["state"].isin(states).to_numpy()
    if watching:
        fixed = (cameras["bearing_deg"].notna() & (cameras["fov_deg"] < 120)).to_numpy(dtype=bool)
        keep = (
            keep & cameras.index.isin(covered.losses_of(city, "camera").query("lost_m2 > 200").index) & fixed
        )
    return str(cameras.index[int(np.argmax(np.where(keep, away, -1)))])


def click_camera(page: Page, city: City, camera: str) -> None:
    """Go to a camera, wait until cameras are drawn, click it."""
    place = city.degrees("cameras").loc[camera].geometry
    page.evaluate("p => planner.goPoint(p)", {"lat": place.y, "lon": place.x})
    page.wait_for_function("planner.maps.now.cameras.getLayers().length > 0")
    box = page.locator("#now").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    popup = page.locator(".leaflet-popup-content")
    expect(popup).to_be_visible()
    several = popup.locator(f"[data-camera='{camera}']")
    if several.count():  # a pole carries more than one
        several.click()
    expect(popup).to_contain_text(camera)


def compute(page: Page) -> dict:
    page.locator("#run").click()
    expect(page.locator("#delta")).to_be_visible(timeout=60_000)
    return page.evaluate("planner.result")


def file_of(page: Page, button: str) -> Download:
    with page.expect_download() as download:
        page.locator(button).click()
    return download.value


def test_panels_rank_name_and_lead_to_their_places(desk: Page, address: str, demo_tiny: City) -> None:
    open_planner(desk, address)
    expect(desk.locator("#rates")).to_contain_text("一类")
    assert desk.locator("#rates tr").count() > 12
    desk.get_by_role("tab", name="盲区").press("ArrowRight")
    expect(desk.get_by_role("tab", name="台账")).to_be_focused()
    desk.locator("#ledger-class").select_option("3")
    expect(desk.locator("#ledger")).not_to_contain_text("二类目标")
    desk.get_by_role("tab", name="盲区").click()
    desk.locator("#blind li button").first.click()
    desk.wait_for_function("planner.maps.now.map.getZoom() >= 15")
    desk.get_by_role("tab", name="网格").click()
    name = demo_tiny.degrees("grids").query("level == 3")["name"].iloc[0]
    expect(desk.locator("#grids")).to_contain_text(name)
    whole = desk.locator("#rates tr").nth(6).inner_text()
    box = desk.locator("#search")
    village = demo_tiny.degrees("grids").query("level == 2").index[0]
    box.fill(village)
    box.press("Enter")
    expect(desk.locator("#where")).to_contain_text("✕")
    desk.get_by_role("tab", name="覆盖率").click()
    expect(desk.locator("#rates tr").nth(6)).not_to_have_text(whole)
    assert f"grid={village}" in desk.url
    with desk.expect_request(lambda r: "/v1/locate" in r.url and "gcj02" in r.url):
        box.fill("117.9950,36.7900 gcj02")
        box.press("Enter")
    desk.locator("#whole-city").click()
    expect(desk.locator("#where")).to_contain_text("全市")


def test_a_camera_is_turned_stopped_restored_and_added(
    desk: Page, address: str, demo_tiny: City, tmp_path
) -> None:
    open_planner(desk, address)
    turned, broken = alone(demo_tiny, ("on",), watching=True), alone(demo_tiny, ("off", "vlost", "defect"))
    plan = desk.locator("#plan")

    click_camera(desk, demo_tiny, turned)
    bearing = float(desk.locator("#turn-to").input_value())
    desk.locator("#turn-to").fill(str((bearing + 180) % 360))
    desk.locator("#camera-turnTo").click()
    expect(plan).to_contain_text(f"转向：{turned}")
    expect(desk.get_by_role("tab", name="假设方案")).to_have_attribute("aria-selected", "true")
    found = compute(desk)
    assert found["lost_m2"] > 0
    expect(desk.locator("#then-box")).to_be_visible()
    assert desk.evaluate("planner.maps.then.change.getLayers().length") > 0
    centres = desk.evaluate(
        "planner.maps.sides.map(s => [s.map.getCenter().lat, s.map.getCenter().lng, s.map.getZoom()])"
    )
    assert centres[0] == pytest.approx(centres[1], abs=2e-5)
    desk.evaluate("planner.maps.then.map.panBy([120, 0], {animate: false})")
    centres = desk.evaluate("planner.maps.sides.map(s => [s.map.getCenter().lat, s.map.getCenter().lng])")
    assert centres[0] == pytest.approx(centres[1], abs=2e-5)

    click_camera(desk, demo_tiny, turned)
    desk.locator("#camera-undoIt").click()
    expect(plan).to_contain_text("方案为空")
    expect(desk.locator("#then-box")).to_be_hidden()

    click_camera(desk, demo_tiny, turned)
    desk.locator("#camera-stopIt").click()
    expect(plan).to_contain_text(f"停用：{turned}")
    assert compute(desk)["lost_m2"] > 0
    click_camera(desk, demo_tiny, broken)
    desk.locator("#camera-restoreIt").click()
    expect(plan).to_contain_text(f"恢复：{broken}")
    desk.locator("#add").click()
    box = desk.locator("#now").bounding_box()
    desk.mouse.click(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2 + 40)
    desk.locator("#new-fov_deg").fill("360")
    desk.locator("#new-height_m").fill("30")
    desk.locator("#camera-add").click()
    expect(plan.locator("ol li")).to_have_count(3)
    found = compute(desk)
    assert found["lost_m2"] > 0
    assert {g["grid_id"] for g in found["grids"]}
    expect(plan.locator("table").last).to_be_visible()

    sheet = tmp_path / "list.xlsx"
    file_of(desk, "#xlsx").save_as(sheet)
    book = load_workbook(sheet)
    rows = [[c.value for c in row] for row in book["假设方案"].iter_rows(min_row=2)]
    assert {r[0]: next(w for w in ("停用", "恢复", "新增") if w in r) for r in rows} == {
        turned: "停用", broken: "恢复", "plan-001": "新增"}  # fmt: skip
    assert book["盲区"].max_row > 5
    file = tmp_path / "list.gpkg"
    file_of(desk, "#gpkg").save_as(file)
    layer = gpd.read_file(file, layer="plan").set_index("camera_id")
    assert set(layer.index) == {turned, broken, "plan-001"}
    assert layer.crs is not None
    assert layer.geometry.loc[turned].distance(demo_tiny.degrees("cameras").geometry[turned]) < 1e-6
    assert len(gpd.read_file(file, layer="blind_spots")) == len(covered.blind_spots_of(demo_tiny))
    desk.locator("#clear").click()
    expect(plan).to_contain_text("方案为空")


def test_beside_a_plan_the_present_is_shown_by_the_same_claim(desk: Page, address: str) -> None:
    open_planner(desk, address, "lang=zh&theme=light&tab=plan")
    desk.locator("#claim").select_option("nominal")
    expect(desk.locator("#legend")).to_contain_text("名义覆盖")
    nominal = desk.evaluate("[...planner.maps.share]")
    desk.locator("#add").click()
    box = desk.locator("#now").bounding_box()
    desk.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    desk.locator("#camera-add").click()
    result = compute(desk)
    assert result["grids"]
    for grid in result["grids"]:
        before, after = desk.evaluate(
            "id => [planner.maps.share.get(id), planner.maps.then.shares(id)]", grid["grid_id"]
        )
        assert before == pytest.approx(grid["before_m2"] / grid["free_m2"], abs=1e-3)
        assert after >= before - 1e-3, "a camera more never shows a paler grid"
    expect(desk.locator("#legend")).to_contain_text("几何可视")
    desk.evaluate("planner.maps.now.map.setZoom(13, {animate: false}); 1")
    assert desk.evaluate("planner.maps.then.cameras.getLayers().length") > 0, "a planned camera at every zoom"
    desk.locator("#clear").click()
    expect(desk.locator("#legend")).to_contain_text("名义覆盖")
    assert desk.evaluate("[...planner.maps.share]") == nominal


def test_both_languages_and_themes_without_asking_again(desk: Page, address: str) -> None:
    open_planner(desk, address, "lang=zh&theme=light&tab=rates")
    before = len([u for u in desk.watch.requests if "/v1/" in u])
    desk.locator("#language").click()
    expect(desk.locator("html")).to_have_attribute("lang", "en")
    expect(desk.locator("#rates")).to_contain_text("class 1")
    words = desk.locator("header, #tabs, #rates, footer, #legend, figcaption:visible").all_inner_texts()
    chinese = [w for w in "".join(words).replace("中", "") if "\u4e00" <= w <= "\u9fff"]
    assert set(chinese) <= set(desk.evaluate("planner.config.city"))
    desk.locator("#theme").click()
    expect(desk.locator("html")).to_have_attribute("data-theme", "dark")
    assert len([u for u in desk.watch.requests if "/v1/" in u]) == before
    assert "lang=en" in desk.url
    assert "theme=dark" in desk.url


@pytest.mark.parametrize(("size", "link"), [(DESK, "theme=light&lang=zh"), (WALL, "theme=dark&lang=en")])
def test_fits_the_screen_and_has_no_serious_accessibility_fault(
    desk: Page, address: str, size: dict[str, int], link: str
) -> None:
    desk.set_viewport_size(size)
    open_planner(desk, address, f"{link}&tab=plan")
    for tab in ("plan", "ledger"):
        desk.locator(f"#tab-{tab}").click()
        found = Axe().run(desk)
        serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
        assert not serious, json.dumps([(v["id"], [n["target"] for n in v["nodes"]][:5]) for v in serious])
    assert desk.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for control in ("#search", "#language", "#theme", "#xlsx", "#gpkg", "#legend"):
        box = desk.locator(control).bounding_box()
        assert box["x"] + box["width"] <= size["width"] + 1
        assert box["y"] + box["height"] <= size["height"] + 1


def test_a_server_that_fails_is_said_and_tried_again(desk: Page, address: str) -> None:
    desk.route("**/v1/blind-spots*", lambda route: route.fulfill(status=500, body="{}"))
    desk.route("**/planner/what-if", lambda route: route.abort())
    open_planner(desk, address, "lang=zh&tab=blind")
    expect(desk.locator("#blind [role=alert]")).to_contain_text("服务器出错")
    desk.unroute("**/v1/blind-spots*")
    desk.locator("#blind .again").click()
    expect(desk.locator("#blind li").first).to_be_visible()
    desk.evaluate("planner.plan.lose.push(Object.keys(planner.names)[0]); planner.planChanged()")
    desk.locator("#run").click()
    expect(desk.locator("#notice")).to_contain_text("连不上服务器")
    expect(desk.locator("#run")).to_be_enabled()
    desk.unroute("**/planner/what-if")
    desk.locator("#run").click()
    expect(desk.locator("#notice")).to_contain_text("没有找到")
    desk.watch.errors.clear()  # the refused requests


def test_an_empty_city_and_a_narrow_scope_say_what_to_do(page: Page, demo_tiny: City) -> None:
    empty = City("空城", crs="EPSG:4548", tables={}, versions={})
    with browser_tools.serving(create_app(ServerState(empty))) as url:
        watch = browser_tools.Watch(page, (url,))
        open_planner(page, url)
        expect(page.locator("#empty")).to_contain_text("santu import grids")
        watch.check()
    page.unroute("**/*")
    town = demo_tiny.degrees("grids").query("level == 1").index[0]
    with browser_tools.serving(create_app(ServerState(demo_tiny, settings=Settings(roots=(town,))))) as url:
        page.goto("about:blank")
        open_planner(page, url, "lang=zh&tab=plan")
        expect(page.locator("#plan")).to_contain_text("全市范围的权限")
        expect(page.locator("#where")).to_contain_text(town)
        expect(page.locator("#where")).not_to_contain_text("全市")
        expect(page.locator("#add")).to_be_disabled()
