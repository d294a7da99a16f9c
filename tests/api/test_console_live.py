"""What the stream changes on an open console: incidents, cameras, warnings, a server that goes and comes back."""

import socket
import threading
import time
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect

from api.app import create_app
from api.settings import Settings
from api.state import ServerState, open_state
from geo.city import City
from geo.store import create_store
from tests import browser as browser_tools
from tests.console import DESK, open_console

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console")]


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


def test_density_is_loaded_anew_when_live_incidents_are_folded(
    page: Page, demo_tiny: City, tmp_path: Path
) -> None:
    store = create_store(tmp_path / "c", name="云川市")
    for table in ("grids", "incidents"):
        store.write(table, demo_tiny.degrees(table))
    state = open_state(Settings(city=tmp_path / "c", fold_after=40))
    at = demo_tiny.degrees("grids").query("level == 3").geometry.iloc[0].representative_point()
    occurred = demo_tiny.degrees("incidents")["occurred_at"].max()
    rows = [
        {"incident_id": f"N{i}", "lon": at.x, "lat": at.y, "category": "盗窃", "source": "reported",
         "occurred_at": f"{occurred:%Y-%m-%dT%H:%M:%SZ}"}
        for i in range(40)
    ]  # fmt: skip
    with browser_tools.serving(create_app(state)) as url:
        page.set_viewport_size(DESK)
        open_console(page, url, "p=incidents&days=0&on=borders,incidents")
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        colour = """([lat, lng]) => {
            const map = santu.map.getContainer().getBoundingClientRect(), p = santu.map.latLngToContainerPoint([lat, lng]);
            for (const c of document.querySelectorAll('.tiles-incidents canvas')) {
                const r = c.getBoundingClientRect(), x = map.left + p.x - r.left, y = map.top + p.y - r.top;
                if (x < 0 || y < 0 || x >= r.width || y >= r.height) continue;
                const at = [x * c.width / r.width, y * c.height / r.height].map(Math.floor);
                return c.getContext('2d').getImageData(...at, 1, 1).data.join();
            }
            return '';
        }"""
        before = page.evaluate(colour, [at.y, at.x])
        assert before
        with page.expect_response(lambda r: "/tiles/incidents/" in r.url, timeout=30_000):
            assert page.request.post(f"{url}/v1/incidents", data=rows).status == 201
        page.wait_for_function(
            f"([at, was]) => ({colour})(at) !== was", arg=[[at.y, at.x], before], timeout=20_000
        )
    assert state.city.degrees("incidents").index.str.startswith("N").sum() == len(rows)
    assert len(state.live) == 0
