"""What a screen shows first is made before it is asked for, at the start and before a new snapshot is shown."""

import importlib

import pandas as pd
import pytest
from fastapi.testclient import TestClient

import api.facts
from api import first_view
from api.app import create_app
from api.settings import Settings
from api.state import open_state
from geo.demo import demo_city
from geo.store import create_store

source = importlib.import_module("layers.tiles.source")  # the package has a function of that name
NEEDED = ("grids", "incidents", "roads")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    city = demo_city(3, "small")
    store = create_store(tmp_path_factory.mktemp("first") / "c", name=city.name)
    for table in NEEDED:
        store.write(table, city.degrees(table))
    store.close()
    return store.folder


def refused(*_: object, **__: object) -> None:
    raise AssertionError("made while somebody waits for it")


def visit(client: TestClient) -> dict[str, int]:
    """Ask for what the console shows first: bytes of each answer."""
    config = client.get("/console/config.json")
    west, south, east, north = config.json()["bounds"]
    found = {"config": len(config.content)}
    tiles = [client.get(f"/tiles/{name}.json") for name in ("grids", "incidents", "roads")]
    for answer in (*tiles, client.get("/v1/hotspots"), client.get("/v1/incidents?only_open=true&limit=2000")):
        assert answer.status_code == 200, answer.text
        found[answer.url.path] = len(answer.content)
    assert west < east
    assert south < north
    return found


def test_nothing_of_the_first_view_is_left_to_the_first_visitor(folder, monkeypatch) -> None:
    state = open_state(Settings(city=folder))
    first_view.prepare(state.city, scope=state.scope)
    monkeypatch.setattr(api.facts, "_facts", refused)
    monkeypatch.setattr(source, "_prepare", refused)
    monkeypatch.setattr("geo.hotspot.hotspots", refused)
    found = visit(TestClient(create_app(state)))
    assert all(size > 50 for size in found.values()), found


def test_a_new_snapshot_is_warm_before_it_is_shown(folder, monkeypatch) -> None:
    state = open_state(Settings(city=folder))
    client = TestClient(create_app(state))
    before = visit(client)
    row = state.city.degrees("incidents").iloc[[0]].rename(index=lambda _: "new")
    state.accept_incidents(row.assign(occurred_at=row["occurred_at"] + pd.Timedelta(hours=1)))
    old = state.city
    state.reload()
    assert state.city is not old
    monkeypatch.setattr(api.facts, "_facts", refused)
    monkeypatch.setattr(source, "_prepare", refused)
    monkeypatch.setattr("geo.hotspot.hotspots", refused)
    assert visit(client).keys() == before.keys()
    assert "new" in state.city.degrees("incidents").index


def test_a_city_without_grids_has_nothing_to_prepare(tmp_path) -> None:
    create_store(tmp_path / "c", name="空城").close()
    state = open_state(Settings(city=tmp_path / "c"))
    first_view.prepare(state.city, scope=state.scope)
    assert TestClient(create_app(state)).get("/console/config.json").status_code == 200


def test_readiness_says_whether_the_city_is_prepared(folder) -> None:
    state = open_state(Settings(city=folder))
    with TestClient(create_app(state)) as client:
        assert client.get("/readyz").json()["prepared"] is False
        state.prepared.set()
        assert client.get("/readyz").json()["prepared"] is True
