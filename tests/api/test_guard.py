"""Other sites' pages get nothing, our own pages load from here alone."""

import math

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from api.app import asgi, create_app
from api.guard import sources_of
from api.settings import Settings
from api.state import ServerState


@pytest.fixture(scope="module")
def client(demo_tiny):
    with TestClient(create_app(ServerState(demo_tiny, Settings(hosts=("gis.city.example",))))) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8321", "[::1]:8321", "localhost", "wall-3:80", "santu.local", "GIS.city.example:443"]
)
def test_answers_to_its_own_names(client, host):
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["rebound.attacker.example", "127.0.0.1.attacker.example", "", "a b.c", "x@127.0.0.1"]
)
def test_refuses_names_that_others_could_own(client, host):
    answer = client.get("/v1/indicators", headers={"host": host})
    assert answer.status_code == 421
    assert answer.json()["code"] == "unknown-host"
    assert "SANTU_HOSTS" in answer.json()["detail"]


def test_a_cached_tile_is_not_given_to_another_name(demo_tiny):
    point = demo_tiny.degrees("grids").geometry.iloc[0].representative_point()
    x, y, z = (int(v) for v in tile_of(point.x, point.y, 12))
    with TestClient(asgi(ServerState(demo_tiny))) as client:
        url = f"/tiles/grids/{z}/{x}/{y}.mvt"
        assert [client.get(url).status_code for _ in range(3)] == [200] * 3
        assert client.get(url, headers={"host": "rebound.attacker.example"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"host": "rebound.attacker.example"}, 421), ({"origin": "http://attacker.example"}, 403)],
)
def test_many_points_are_not_answered_to_another_site(demo_tiny, headers, status):
    with TestClient(asgi(ServerState(demo_tiny))) as client:
        given = {"lon": [118.05], "lat": [36.81]}
        assert client.post("/v1/locate", json=given).status_code == 200
        assert client.post("/v1/locate", json=given, headers=headers).status_code == status


def tile_of(lon, lat, zoom):
    size = 2**zoom
    return (lon + 180) / 360 * size, (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * size, zoom


@pytest.mark.parametrize(
    "origin", ["http://attacker.example", "null", "http://testserver.attacker.example", "file://"]
)
def test_pages_of_other_sites_do_not_write(client, origin):
    answer = client.post("/v1/incidents", json=[], headers={"origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign-origin")


@pytest.mark.parametrize("origin", ["http://testserver", "https://gis.city.example", None])
def test_our_own_pages_write(client, origin):
    answer = client.post("/v1/incidents", json=[], headers={"origin": origin} if origin else {})
    assert answer.json().get("code") != "foreign-origin"


def test_other_sites_do_not_listen(client):
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/v1/stream", headers={"origin": "http://attacker.example"}),
    ):
        pass
    assert refused.value.code == 1008
    with client.websocket_connect("/v1/stream", headers={"origin": "http://testserver"}) as socket:
        assert socket.receive_json()["type"] == "hello"


def test_pages_carry_the_policy_and_data_does_not(client):
    page = client.get("/docs").headers
    policy = page["content-security-policy"]
    assert (page["x-frame-options"], page["referrer-policy"]) == ("SAMEORIGIN", "no-referrer")
    assert "default-src 'self'" in policy
    assert "http:" not in policy
    assert "https:" not in policy
    data = client.get("/v1/indicators").headers
    assert "content-security-policy" not in data
    assert data["x-content-type-options"] == page["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("basemap", "sources"),
    [
        ("", ""),
        ("/basemap/{z}/{x}/{y}.png", ""),
        ("http://tiles/{z}/{x}/{y}.png", " http://tiles"),
        ("https://t{s}.tiles.example/{z}/{x}/{y}.png", " https://*.tiles.example"),
        ("http://10.0.0.7:8080/{z}/{x}/{y}.png", " http://10.0.0.7:8080"),
        ("http://10.0.0.7/city.json", " http:"),
    ],
)
def test_the_policy_names_the_basemap(basemap, sources):
    assert sources_of(basemap) == sources


def test_the_documentation_loads_from_here_alone(client):
    html = client.get("/docs").text
    assert "//cdn" not in html
    assert "http" not in html.replace("http://testserver", "")
    links = [part.split('"')[0] for part in html.split('"/assets/')[1:]]
    assert len(links) == 2
    assert all(client.get(f"/assets/{name}").status_code == 200 for name in links)
    assert client.get("/redoc").status_code == 404
