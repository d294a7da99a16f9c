"""A caller of one town gets nothing of another through any door: tiles of every layer, search, cards, prints, stream."""

import gzip
import json
import random
from collections import Counter

import mapbox_vector_tile
import numpy as np
import pandas as pd
import pytest
import shapely
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.state import ServerState
from geo.city import City
from geo.scope import Scope
from layers import catalog, map_files, picture, tiles
from layers.tiles import mvt
from layers.tiles.source import mercator

MARK = "绝密枪机"


@pytest.fixture(scope="module")
def city(demo_small: City) -> City:
    """Every fifth camera is secret, and bears a name that must not be seen."""
    cameras = demo_small.degrees("cameras").copy()
    secret = np.arange(len(cameras)) % 5 == 0
    cameras["secrecy"] = pd.array(np.where(secret, 1, 0), dtype=cameras["secrecy"].dtype)
    cameras["name"] = cameras["name"].mask(secret, MARK)
    return demo_small.with_table("cameras", cameras, replace=True)


@pytest.fixture(scope="module")
def town(city: City) -> str:
    return city.degrees("grids").query("level == 1").index[1]


@pytest.fixture(scope="module")
def client(city: City, town: str) -> TestClient:
    return TestClient(create_app(ServerState(city, Settings(roots=(town,)))))


def allowed_rows(city: City, entry: catalog.Layer, town: str) -> np.ndarray:
    """Which rows of a layer lie in a town, by code or by brute force over its polygon; all of an open layer."""
    rows = catalog.entry_rows(city, entry)
    if entry.cut == "open":
        return np.ones(len(rows), dtype=bool)
    if entry.cut == "grid":
        ids = rows["grid_id"] if "grid_id" in rows else rows.index.to_series()
        return ids.astype(str).str.startswith(town).to_numpy(dtype=bool)
    area = city.degrees("grids").geometry[town].buffer(1e-6)
    frame = rows if rows.crs.is_geographic else rows.to_crs(city.lonlat_crs)
    shown = shapely.intersects(area, frame.geometry.representative_point().to_numpy())
    if entry.cut == "camera":
        ids = pd.Index(rows["camera_id"] if "camera_id" in rows else rows.index)
        secret = city.degrees("cameras").query("secrecy == 1").index
        shown &= ~ids.isin(secret)
    return shown


def covering(city: City, z: int, most: int = 60) -> list[tuple[int, int, int]]:
    """Tiles of a zoom over the whole city; a random choice of them where they are many."""
    places = map_files.places(tiles.tilejson_bounds(city, catalog.layer("grids")), z)
    return places if len(places) <= most else random.Random(z).sample(places, most)


@pytest.mark.parametrize("name", [e.name for e in catalog.LAYERS.values() if e.cut != "open"])
def test_no_tile_holds_anything_of_another_town(city: City, client: TestClient, town: str, name: str) -> None:
    entry = catalog.layer(name)
    if not len(catalog.entry_rows(city, entry)):
        pytest.skip("the demo city has none")
    allowed = allowed_rows(city, entry, town)
    counted: Counter[int] = Counter()
    seen = 0
    for z in (10, 13, 16):
        for place in covering(city, z, 20):
            answer = client.get("/tiles/{}/{}/{}/{}.mvt".format(name, *place))
            if answer.status_code == 204:
                continue
            assert MARK.encode() not in answer.content
            for feature in mapbox_vector_tile.decode(answer.content)[name]["features"]:
                if "count" in feature["properties"]:
                    counted[z] += feature["properties"]["count"]
                else:
                    assert allowed[feature["id"]], (place, feature["properties"])
                seen += 1
    assert seen > 0 or not allowed.any()
    assert counted[10] in (0, int(allowed.sum()))  # every tile of this zoom was asked for
    assert client.get(f"/tiles/{name}.json").json()["santu"]["rows"] == allowed.sum()


def test_an_archive_of_tiles_is_cut_too(city: City, town: str, tmp_path) -> None:
    from pmtiles.reader import MmapSource, Reader, all_tiles

    file = tmp_path / "t.pmtiles"
    scope = Scope(roots=frozenset({town}))
    with file.open("wb") as f:
        map_files.write_pmtiles(city, catalog.layer("cameras"), f, scope=scope, max_zoom=15)
    allowed = allowed_rows(city, catalog.layer("cameras"), town)
    with file.open("rb") as f:
        source = MmapSource(f)
        assert Reader(source).header()["max_zoom"] == 15
        assert Reader(source).metadata()["santu"]["rows"] == allowed.sum()
        shown = [
            feature
            for _, data in all_tiles(source)
            for feature in mapbox_vector_tile.decode(gzip.decompress(data))["cameras"]["features"]
            if "count" not in feature["properties"]
        ]
    assert shown
    assert all(allowed[feature["id"]] for feature in shown)


def test_search_cards_and_lists_keep_to_the_town(city: City, client: TestClient, town: str) -> None:
    grids = city.degrees("grids")
    others = grids[~grids.index.str.startswith(town)]
    for grid in others.sample(12, random_state=3).index:
        assert client.get("/v1/situation", params={"grid": grid}).status_code == 403
        assert client.get("/maps/search", params={"q": grid}).json() == []
        tile = "/tiles/grids/12/0/0.mvt"
        assert client.get(tile, params={"grid": grid}).status_code == 403
    own = grids[grids.index.str.startswith(town) & (grids["level"] == 3)]
    for grid in own.sample(6, random_state=3).index:
        text = client.get("/v1/situation", params={"grid": grid, "near_m": 2000}).text
        card = json.loads(text)
        assert MARK not in text
        for row in [*card["incidents"]["rows"], *card["hazards"]["rows"]]:
            assert city.locate([row["lon"]], [row["lat"]])["town"].iloc[0] == town
    listed = client.get("/v1/incidents", params={"limit": 500}).json()["incidents"]
    found = city.locate([r["lon"] for r in listed], [r["lat"] for r in listed])
    assert set(found["town"]) == {town}
    config = client.get("/console/config.json").text
    assert MARK not in config
    assert not [g for g in others.index if g in config]


def test_a_secret_camera_is_in_no_answer(city: City) -> None:
    client = TestClient(create_app(ServerState(city)))
    table = city.degrees("cameras")
    for camera in table.query("secrecy == 1").sample(8, random_state=1).itertuples():
        assert client.get("/v1/situation", params={"camera": camera.Index}).status_code == 404
        near = client.get("/v1/situation", params={"lon": camera.geometry.x, "lat": camera.geometry.y}).text
        assert MARK not in near
        assert camera.Index not in near
        [[x, y]] = mercator(np.array([[camera.geometry.x, camera.geometry.y]]))
        for name in ("cameras", "fields_of_view", "camera_health", "image_levels"):
            data = client.get("/tiles/{}/17/{}/{}.mvt".format(name, *mvt.tile_of(x, y, 17))).content
            assert camera.Index.encode() not in data
            assert MARK.encode() not in data
    assert MARK not in client.get("/v1/cameras").text


def test_a_print_of_a_town_shows_no_other(city: City, town: str) -> None:
    """Drawn with and without what lies outside of the scope: not one pixel differs."""
    scope = Scope(roots=frozenset({town}))
    view = picture.View(("grids", "grid_labels", "cameras"), width=500, height=400, title="x")
    whole = picture.picture(city, view, scope=scope)
    allowed = allowed_rows(city, catalog.layer("cameras"), town)
    fewer = city.with_table("cameras", city.degrees("cameras")[allowed], replace=True)
    assert whole == picture.picture(fewer, view, scope=scope)
    assert whole != picture.picture(city, view, scope=Scope())


def test_the_extent_of_the_map_tells_nothing_of_a_secret_camera(city: City, client: TestClient) -> None:
    far = city.degrees("cameras").iloc[[0]].copy()
    far["geometry"] = shapely.Point(118.9, 36.9)
    moved = city.with_table("cameras", far)

    def east(**given: str) -> float:
        answer = TestClient(create_app(ServerState(moved, Settings(**given)))).get("/console/config.json")
        return float(answer.json()["extent"][2])

    assert east(role="operator") < 118.5
    assert east(role="admin") > 118.9
    assert client.get("/console/config.json").json()["extent"] is None  # of one town
