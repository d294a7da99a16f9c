"""The stream hears of a grid that becomes hot, once, and of its end; and nothing when nothing changes."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from api.cli import app as cli
from api.hotwatch import HotWatch
from api.hub import Hub, Want
from api.settings import Settings
from api.state import ServerState
from geo import watch
from geo.city import City
from geo.hotspot.ring import HotList
from geo.live import Change
from geo.scope import Scope
from geo.store import open_store


def listing(*rows: tuple[str, float, float]) -> HotList:
    grid, z, q = zip(*rows, strict=True) if rows else ((), (), ())
    n = len(rows)
    return HotList(n, tuple(grid), np.array(z), np.array(q), np.zeros(n, dtype=int), np.zeros(n))


def test_only_changes_are_told(demo_tiny: City, monkeypatch: pytest.MonkeyPatch) -> None:
    state = ServerState(demo_tiny)
    a, b, c = demo_tiny.degrees("grids").query("kind == 'base'").index[:3]
    shown = [listing((a, 5.0, 0.001), (b, 2.0, 0.3))]
    monkeypatch.setattr(ServerState, "hot_list", lambda *_, **__: shown[-1])
    watcher = HotWatch(state)
    assert watcher.step() == []  # learns
    state.live.note("camera", "x", {"state": "off"})
    assert watcher.step() == []  # looked again, nothing new
    shown.append(listing((b, 6.0, 0.001), (c, -6.0, 0.001)))  # cold is not hot
    assert watcher.step() == []  # nothing arrived: did not look
    state.live.note("camera", "x", {"state": "on"})
    told = watcher.step()
    assert [(t.kind, t.id, t.body["hot"]) for t in told] == [("hotspot", b, True), ("hotspot", a, False)]
    inside = demo_tiny.locate([told[0].body["lon"]], [told[0].body["lat"]])
    assert inside["base"].iloc[0] == b
    assert watcher.step() == []


def test_the_real_list_can_be_watched(demo_small: City) -> None:
    watcher = HotWatch(ServerState(demo_small))
    assert watcher.step() == []
    assert isinstance(watcher.known, set)


def test_a_grid_at_the_limit_does_not_flicker(demo_tiny: City, monkeypatch: pytest.MonkeyPatch) -> None:
    state = ServerState(demo_tiny)
    a = demo_tiny.degrees("grids").query("kind == 'base'").index[0]
    shown = [listing((a, 4.0, 0.04))]
    monkeypatch.setattr(ServerState, "hot_list", lambda *_, **__: shown[-1])
    watcher = HotWatch(state)
    watcher.step()
    for q, told in ((0.07, []), (0.04, []), (0.12, [False]), (0.07, []), (0.05, [True])):
        shown.append(listing((a, 4.0, q)))
        state.live.note("camera", "x", {"state": "off"})
        assert [c.body["hot"] for c in watcher.step()] == told


@pytest.fixture
def served(tmp_path):
    """A server of the tiny demo city with a store."""
    path = tmp_path / "city"
    made = CliRunner().invoke(cli, ["demo", "--scale", "tiny", "--city", str(path), "--no-serve"])
    assert made.exit_code == 0, made.output
    store = open_store(path)
    return ServerState(store.city(), store=store)


def heard(state: ServerState, changes: list[Change], want: Want) -> list[str]:
    """Kinds of these changes that a subscriber receives."""

    async def scene() -> list[str]:
        hub = Hub(state.live, lambda: state.city, batch_s=0.01, poll_s=0.005)
        before = hub.id_of(changes[0].number - 1)
        with hub.subscribe(want, before) as client:
            client.close()
            texts = [json.loads(text) async for text, _ in client]
        return [c["kind"] for text in texts for c in text.get("changes", [])]

    with ThreadPoolExecutor(1) as pool:  # a browser test may have left a loop running in this thread
        return pool.submit(asyncio.run, scene()).result()


def test_a_warning_goes_to_the_stream_once_with_all_that_it_must_carry(served: ServerState) -> None:
    client, watcher = TestClient(create_app(served)), HotWatch(served)
    assert watcher.step() == []
    city = served.city
    grids = watch.watched_grids(city)
    grid, other = grids.index[3], grids.index[-1]
    point = city.degrees("grids").geometry[grid].representative_point()
    for k in range(12):
        body = {
            "incident_id": f"YJ{k:04d}", "lon": point.x, "lat": point.y, "category": "盗窃", "source": "reported",
            "occurred_at": f"{watch.last_day(city)}T0{k % 8}:00:00+08:00",
        }  # fmt: skip
        assert client.post("/v1/incidents", json=body).status_code in (200, 201)
    told = [c for c in watcher.step() if c.kind == "warning"]
    assert [c.id for c in told] == [f"{grid}|盗窃"]
    body = told[0].body
    assert (body["grid_id"], body["category"]) == (grid, "盗窃")
    assert body["observed"] >= 12 > body["expected"] > 0
    assert {f"YJ{k:04d}" for k in range(12)} <= set(body["incident_ids"])
    assert body["since"] == watch.last_day(city)
    assert body["name"] in body["text"]
    # an incident more is no new warning, and a new watch after a restart repeats nothing
    late = {"incident_id": "YJ9999", "lon": point.x, "lat": point.y, "category": "盗窃", "source": "reported",
            "occurred_at": f"{watch.last_day(city)}T09:00:00+08:00"}  # fmt: skip
    client.post("/v1/incidents", json=late)
    assert [c for c in watcher.step() if c.kind == "warning"] == []
    assert HotWatch(served).step() == []
    # who hears it
    assert heard(served, told, Want(Scope(), frozenset({"warning"}))) == ["warning"]
    assert heard(served, told, Want(Scope(), frozenset({"warning"}), grid)) == ["warning"]
    assert heard(served, told, Want(Scope(), frozenset({"warning"}), other)) == []
    assert "warning" not in heard(served, told, Want(Scope(role="public")))
    # and who reads it
    listed = client.get("/v1/hotspots/warnings/live").json()
    assert (grid, "盗窃") in {(w["grid_id"], w["category"]) for w in listed["warnings"]}
    public = TestClient(create_app(ServerState(city, Settings(role="public"))))
    assert public.get("/v1/hotspots/warnings/live").status_code == 403
