"""What the console asks the server to print: filters, analyses, open incidents, what the sheet says of them."""

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.facts import facts_of
from api.routers import prints
from api.settings import Settings
from api.state import ServerState, open_state
from geo.scope import Scope
from geo.store import create_store
from layers import catalog, picture


@pytest.fixture
def client(demo_tiny):
    return TestClient(create_app(ServerState(demo_tiny)))


@pytest.fixture
def drawn(monkeypatch):
    """Views that were drawn, instead of pictures of them."""
    views = []
    monkeypatch.setattr(picture, "picture", lambda _city, view, **_: views.append(view) or b"x")
    return views


def test_the_sheet_says_what_was_filtered(client, drawn, demo_tiny):
    town = demo_tiny.degrees("grids").query("level == 1").index[0]
    asked = {
        "layers": "basemap,grids,cameras,incidents,open", "category": "盗窃", "source": "discovered", "grid": town,
        "since": "2026-06-15", "until": "2026-06-22", "camera": "off,vlost", "as_of": "2026-06-01", "shade": "hotspots",
    }  # fmt: skip
    assert client.get("/v1/print.png", params=asked).status_code == 200
    view = drawn[0]
    for word in (
        "2026-06-15 00:00 – 2026-06-22 00:00",
        "盗窃",
        "巡查",
        "离线、视频丢失",
        town,
        "网格日期：2026-06-01",
    ):
        assert word in view.note
    assert view.shade.zh.startswith("热点")
    assert "open" not in view.layers
    client.get("/v1/print.png", params={"map": "hazards"})
    assert drawn[1].note == ""


def test_open_incidents_are_those_of_the_list_with_what_just_arrived(demo_tiny, drawn):
    state = ServerState(demo_tiny)
    client = TestClient(create_app(state))
    place = demo_tiny.degrees("grids").geometry.iloc[0].representative_point()
    state.live.put([{"incident_id": "NEW", "lon": place.x, "lat": place.y, "category": "盗窃", "stage": "found",
                     "occurred_at": "2026-07-01T00:00:00Z"}])  # fmt: skip
    listed = client.get("/v1/incidents", params={"only_open": True, "category": "盗窃", "limit": 2000}).json()
    client.get("/v1/print.png", params={"layers": "borders,open", "category": "盗窃"})
    assert set(drawn[0].open.index) == {r["incident_id"] for r in listed["incidents"]}
    assert "NEW" in drawn[0].open.index
    client.get("/v1/print.png", params={"layers": "borders"})
    assert drawn[1].open is None


def test_a_picture_with_open_incidents_is_drawn(client):
    answer = client.get(
        "/v1/print.png", params={"layers": "borders,open", "width": 500, "height": 400, "lang": "en"}
    )
    assert answer.content.startswith(b"\x89PNG")


def test_what_does_not_exist_or_is_not_ones_own_is_refused(client, demo_tiny):
    assert client.get("/v1/print.png", params={"shade": "nothing"}).status_code == 404
    assert client.get("/v1/print.png", params={"grid": "nothing"}).status_code == 404
    one, other = demo_tiny.degrees("grids").query("level == 1").index[:2]
    cut = TestClient(create_app(ServerState(demo_tiny, Settings(roots=(one,)))))
    assert cut.get("/v1/print.png", params={"grid": other, "layers": "open,incidents"}).status_code == 403


def test_a_print_of_secret_cameras_is_in_the_audit_log(demo_tiny, tmp_path, monkeypatch):
    store = create_store(tmp_path / "c", name="城")
    for table in ("grids", "cameras"):
        store.write(table, demo_tiny.degrees(table))
    state = open_state(Settings(city=tmp_path / "c", role="admin"))
    read = []
    monkeypatch.setattr(ServerState, "audit_read", lambda _self, _scope, what: read.append(what))
    client = TestClient(create_app(state))
    client.get("/v1/print.png", params={"layers": "grids", "width": 300, "height": 300})
    assert read == []
    client.get("/v1/print.png", params={"layers": "grids,cameras", "width": 300, "height": 300})
    assert len(read) == 1
    assert "print" in read[0]


def test_every_analysis_that_the_console_offers_can_be_printed(demo_tiny):
    state = ServerState(demo_tiny)
    for name in ("hotspots", "classes", "risk"):
        found = prints._shade(state, demo_tiny, name, {})
        assert found.ranks.isin([e.value for e in found.style.entries]).all()
        assert set(found.ranks.index) <= set(catalog.entry_rows(demo_tiny, catalog.layer("grids")).index)


def test_cameras_of_unknown_state_are_counted_as_unknown(demo_tiny):
    cameras = demo_tiny.degrees("cameras").copy()
    cameras["state"] = cameras["state"].where(cameras.index != cameras.index[0])
    city = demo_tiny.with_table("cameras", cameras, replace=True)
    counts = facts_of(city, Scope(role="admin"))["layers"]["cameras"]["counts"]
    assert sum(counts.values()) == len(cameras)
    assert counts["unknown"] >= 1
