import asyncio

import pytest
from fastapi.testclient import TestClient

from api import tilepath
from api.app import asgi
from api.state import ServerState

TILE = "/tiles/grids/12/3390/1592.mvt"


@pytest.fixture
def state(demo_small):
    return ServerState(demo_small)


@pytest.fixture
def app(state):
    return asgi(state)


@pytest.fixture
def counted(app, monkeypatch):
    """How often the application behind was asked for a tile."""
    asked = []
    inner = app.app

    async def spy(scope, receive, send):
        asked.append(scope["path"])
        await inner(scope, receive, send)

    monkeypatch.setattr(app, "app", spy)
    return asked


def a_tile(client):
    document = client.get("/tiles/towns.json").json()
    west, south, east, north = document["bounds"]
    import numpy as np

    from layers.tiles.mvt import tile_of
    from layers.tiles.source import mercator

    [[x, y]] = mercator(np.array([[(west + east) / 2, (south + north) / 2]]))
    return "/tiles/grids/12/{}/{}.mvt".format(*tile_of(x, y, 12))


def test_the_second_answer_is_the_first_without_the_application(app, counted):
    client = TestClient(app)
    url = a_tile(client)
    first = client.get(url)
    counted.clear()
    second = client.get(url)
    assert counted == []
    assert second.content == first.content
    kept = ("etag", "cache-control", "vary", "content-type", "content-encoding", "x-content-type-options")
    assert {k: second.headers[k] for k in kept} == {k: first.headers[k] for k in kept}
    same = client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content, counted) == (304, b"", [])


def test_other_words_other_credentials_and_no_gzip_go_to_the_application(app, counted):
    client = TestClient(app)
    url = a_tile(client)
    client.get(url)
    counted.clear()
    client.get(url + "?indicator=cameras")
    client.get(url, headers={"Authorization": "Bearer x"})
    client.get(url, headers={"Cookie": "a=b"})
    plain = client.get(url, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(counted) == 4


def test_a_new_snapshot_is_seen_at_once(app, state, demo_small):
    client = TestClient(app)
    url = a_tile(client)
    before = client.get(url)
    client.get(url)
    state.city = demo_small.with_table("grids", demo_small.grids.assign(name="新名"))
    after = client.get(url)
    assert after.headers["etag"] != before.headers["etag"]
    assert after.content != before.content


def test_errors_and_nothing_there(app, counted):
    client = TestClient(app)
    for _ in range(2):
        assert client.get("/tiles/nowhere/1/0/0.mvt").status_code == 404
    assert len(counted) == 2
    for _ in range(2):
        empty = client.get("/tiles/grids/13/0/0.mvt")
        assert (empty.status_code, empty.content) == (204, b"")
    assert len(counted) == 3


def test_what_is_remembered_is_forgotten_after_a_while(app, counted, monkeypatch):
    monkeypatch.setattr(tilepath, "REMEMBER_S", -1.0)
    client = TestClient(app)
    url = a_tile(client)
    counted.clear()
    client.get(url)
    client.get(url)
    assert len(counted) == 2


def test_other_protocols_pass(app, monkeypatch):
    seen = []

    async def inner(scope, receive, send):
        seen.append(scope["type"])

    monkeypatch.setattr(app, "app", inner)
    asyncio.run(app({"type": "lifespan"}, None, None))
    asyncio.run(app({"type": "http", "method": "POST", "path": TILE}, None, None))
    assert seen == ["lifespan", "http"]
