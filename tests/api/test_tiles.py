import gzip
import re

import mapbox_vector_tile
import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.state import ServerState
from layers import assets, catalog
from layers.tiles.mvt import tile_of
from layers.tiles.source import mercator


@pytest.fixture(scope="module")
def client(demo_small):
    with TestClient(create_app(ServerState(demo_small))) as made:
        yield made


@pytest.fixture(scope="module")
def middle(demo_small):
    west, south, east, north = demo_small.degrees("grids").total_bounds
    [[x, y]] = mercator(np.array([[(west + east) / 2, (south + north) / 2]]))
    return lambda z: (z, *tile_of(x, y, z))


def url(name, place, query=""):
    return "/tiles/{}/{}/{}/{}.mvt".format(name, *place) + (f"?{query}" if query else "")


def test_a_tile_is_gzip_with_an_etag_and_a_second_ask_costs_nothing(client, middle):
    answer = client.get(url("grids", middle(13)))
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert mapbox_vector_tile.decode(answer.content)["grids"]["features"]
    again = client.get(url("grids", middle(13)), headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_files_of_the_pages_are_kept_under_the_version_of_today(client):
    document = client.get("/").text
    found = set(re.findall(r'"(/static/[^"]+)"', document))
    assert len(found) > 15
    for address in found:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]
    plain = re.sub("/static/[0-9a-f]{12}/", "/static/", address)
    old = re.sub("/static/[0-9a-f]{12}/", f"/static/{'0' * 12}/", address)
    for other in (plain, old):
        assert client.get(other).headers["cache-control"] == "no-cache"
        assert client.get(other).content == answer.content
    assert client.get("/").headers["cache-control"] == "no-cache"


def test_only_the_properties_asked_for_travel(client, middle):
    def fields(query):
        answer = client.get(url("grids", middle(13), query))
        assert answer.status_code == 200
        return [set(f["properties"]) for f in mapbox_vector_tile.decode(answer.content)["grids"]["features"]]

    assert {"grid_id", "name"} <= fields("")[0]
    assert set().union(*fields("fields=")) == set()
    assert all(f == {"grid_id"} for f in fields("fields=grid_id"))
    assert all(f == {"rank"} for f in fields("indicator=open_hazards&fields=rank"))
    assert len(fields("fields=")) == len(fields(""))
    version = client.get("/tiles/grids.json?indicator=open_hazards").json()["tiles"][0].rpartition("v=")[2]
    kept = client.get(url("grids", middle(13), f"indicator=open_hazards&fields=rank&v={version}"))
    assert "immutable" in kept.headers["cache-control"]
    assert client.get(url("grids", middle(13), "fields=colour")).status_code == 404
    names = client.get(url("cameras", middle(17), "fields=name"))
    if names.status_code == 200:
        found = mapbox_vector_tile.decode(names.content)["cameras"]["features"]
        assert all(set(f["properties"]) <= {"name", "count", "bad"} for f in found)


def test_a_client_without_gzip_gets_plain_bytes(client, middle):
    packed = client.get(url("roads", middle(13)))
    plain = client.get(url("roads", middle(13)), headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content


def test_the_address_of_the_tilejson_may_be_kept_for_ever(client, middle):
    doc = client.get("/tiles/incidents.json?category=盗窃").json()
    address = doc["tiles"][0]
    for name, value in zip("zxy", middle(12), strict=True):
        address = address.replace(f"{{{name}}}", str(value))
    answer = client.get(address)
    assert "immutable" in answer.headers["cache-control"]
    assert client.get(address + "old").headers["cache-control"] == "private, no-cache"
    assert mapbox_vector_tile.decode(answer.content)["incidents"]["features"]
    plain = client.get("/tiles/incidents.json").json()["tiles"][0].rpartition("v=")[2]
    filtered = client.get(url("incidents", middle(12), f"category=盗窃&v={plain}"))
    assert "immutable" in filtered.headers["cache-control"]
    assert filtered.content == answer.content
    shaded = client.get(url("grids", middle(12), f"indicator=cameras&v={plain}"))
    assert "immutable" not in shaded.headers["cache-control"]


def test_a_group_is_one_tile_of_several_layers(client, middle):
    decoded = mapbox_vector_tile.decode(client.get(url("basemap", middle(14))).content)
    assert {"boundary", "buildings", "roads"} <= set(decoded) <= set(catalog.GROUPS["basemap"])


def test_nothing_there_is_204(client):
    assert client.get("/tiles/grids/13/0/0.mvt").status_code == 204


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/tiles/nowhere/1/0/0.mvt", 404, "unknown-name"),
        ("/tiles/grids/1/5/0.mvt", 422, "bad-input"),
        ("/tiles/grids/99/0/0.mvt", 422, "bad-input"),
        ("/tiles/grids/10/0/0.mvt?indicator=nothing", 404, "unknown-name"),
        ("/tiles/grids/10/0/0.mvt?colour=red", 404, "unknown-name"),
        ("/tiles/grids/x/0/0.mvt", 422, "bad-input"),
        ("/tiles/incidents/10/0/0.mvt?since=never", 422, "bad-input"),
        ("/tiles/incidents/10/0/0.mvt?grid=none", 404, "not-found"),
        ("/tiles/nowhere.json", 404, "unknown-name"),
        ("/maps/nowhere", 404, "unknown-name"),
        ("/assets/nothing.js", 404, "not-found"),
        ("/static/../settings.py", 404, None),
        ("/static/%2e%2e/settings.py", 404, "not-found"),
    ],
)
def test_what_is_wrong_is_said(client, address, status, code):
    answer = client.get(address)
    assert answer.status_code == status
    assert code is None or answer.json()["code"] == code


def test_the_list_names_layers_with_data(client):
    listed = {e["name"] for e in client.get("/tiles").json()}
    assert {"grids", "cameras", "incidents", "hazards", "facilities", "roads"} <= listed
    assert "waterways" not in listed


def test_as_of_asks_for_other_grids(client, middle, demo_small):
    now = client.get(url("grids", middle(12)))
    before = client.get(url("grids", middle(12), "as_of=2000-01-01"))
    assert before.status_code in (200, 204)
    changed = len(demo_small.degrees("grids_history")) > 0
    assert (now.headers["etag"] != before.headers["etag"]) == changed


def test_a_scope_of_one_town_cannot_see_another(demo_small, middle):
    towns = demo_small.degrees("grids").query("level == 1").index
    state = ServerState(demo_small, settings=Settings(roots=(towns[0],)))
    with TestClient(create_app(state)) as narrow:
        found = mapbox_vector_tile.decode(narrow.get(url("towns", middle(10))).content)
        assert [f["properties"]["grid_id"] for f in found["towns"]["features"]] == [towns[0]]
        assert narrow.get(url("grids", middle(12), f"grid={towns[1]}")).status_code == 403
        assert narrow.get("/maps/search", params={"q": towns[1]}).json() == []
        page = narrow.get("/maps/people").text
        name = demo_small.degrees("grids").at[towns[0], "name"]
        assert f"{name}（{towns[0]}）" in page
        assert "全市" not in page


def test_search_finds_codes_and_names_towns_first(client, demo_small):
    grids = demo_small.degrees("grids")
    town = grids.query("level == 1").index[2]
    found = client.get("/maps/search", params={"q": town}).json()
    assert found[0]["grid_id"] == town
    assert len(found) == 12
    west, south, east, north = found[0]["bbox"]
    lon, lat = found[0]["at"]
    assert west < lon < east
    assert south < lat < north
    name = grids.loc[town, "name"]
    assert client.get("/maps/search", params={"q": f" {name} "}).json()[0]["grid_id"] == town
    assert client.get("/maps/search", params={"q": "%"}).json() == []
    assert client.get("/maps/search").status_code == 422


def test_assets_are_packed_and_kept_for_ever(client):
    name = assets.own()["map.js"].name
    answer = client.get(f"/assets/{name}")
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.content == assets.own()["map.js"].body
    plain = client.get(f"/assets/{name}", headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content


def test_a_basemap_comes_only_by_setting(demo_small):
    address = "http://10.0.0.5/t/{z}/{x}/{y}.png"
    with TestClient(create_app(ServerState(demo_small, settings=Settings(basemap=address)))) as client:
        text = client.get("/maps/people").text
        assert address in text
        assert "/tiles/basemap/" not in text
    with TestClient(create_app(ServerState(demo_small, settings=Settings(basemap="")))) as client:
        assert "L.tileLayer" not in client.get("/maps/people").text


def test_the_page_in_english(client):
    assert "service workload" in client.get("/maps/people?lang=en").text
    assert client.get("/maps/people?lang=xx").status_code == 422


def test_gzip_bytes_are_what_the_encoder_makes(client, middle, demo_small):
    from geo.scope import Scope
    from layers import tiles

    raw = tiles.tile(demo_small, catalog.layer("hazards"), middle(12), scope=Scope())
    with client.stream("GET", url("hazards", middle(12))) as answer:
        packed = b"".join(answer.iter_raw())
    assert gzip.decompress(packed) == raw


def test_print_gives_a_picture_or_a_pdf(client):
    asked = "map=hazards&width=600&height=450"
    png = client.get(f"/v1/print.png?{asked}")
    assert png.headers["content-type"] == "image/png"
    assert png.content[:4] == b"\x89PNG"
    pdf = client.get(f"/v1/print.pdf?layers=basemap,grids,cameras&indicator=cameras&{asked}&title=监控点")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content[:5] == b"%PDF-"
    for wrong in ("map=x", "width=5", "bbox=1,2", "layers=x", "layers=grids&indicator=x"):
        assert client.get(f"/v1/print.png?{wrong}").status_code in (404, 422), wrong
