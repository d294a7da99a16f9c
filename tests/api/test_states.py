"""A state that is acknowledged is on disk, in the log and soon in the snapshot."""

import geopandas as gpd
import pytest
import shapely
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.state import open_state
from geo import schema
from geo.store import create_store, open_city


@pytest.fixture
def folder(tmp_path, tiny_city):
    store = create_store(tmp_path / "c", name="小城")
    store.write("grids", tiny_city.degrees("grids"))
    places = shapely.points([118.005, 118.025], [36.805, 36.805])
    cameras = gpd.GeoDataFrame(
        {"camera_id": ["open", "secret"], "state": "on", "secrecy": [0, 1]}, geometry=places, crs="EPSG:4490"
    )
    alarms = gpd.GeoDataFrame(
        {"facility_id": ["a", "b"], "kind": "smoke_alarm", "state": "ok"}, geometry=places, crs="EPSG:4490"
    )
    store.write("cameras", schema.checked("cameras", cameras))
    store.write("facilities", schema.checked("facilities", alarms))
    return tmp_path / "c"


def test_states_are_kept_logged_and_reach_the_snapshot(folder):
    state = open_state(Settings(city=folder))
    with TestClient(create_app(state)) as client:
        before = client.get("/v1/indicators/faulty_facilities").json()["values"]["370303001000000"]
        answer = client.post(
            "/v1/facilities/a/state", json={"state": "alarm", "at": "2026-06-30T08:00:00+08:00"}
        )
        assert answer.status_code == 200, answer.text
        assert client.post("/v1/cameras/open/state", json={"state": "vlost"}).status_code == 200
        kept = open_city(folder)
        assert kept.facilities.loc["a", "state"] == "alarm"
        assert kept.facilities.loc["a", "last_seen_at"].isoformat() == "2026-06-30T00:00:00+00:00"
        assert kept.cameras["state"].tolist() == ["vlost", "on"]
        assert [(c.kind, c.id, c.body) for c in state.live.since(0)] == [
            ("facility", "a", {"state": "alarm"}),
            ("camera", "open", {"state": "vlost"}),
        ]
        assert set(state.store.audit_log()["action"]) >= {"facility.state", "camera.state"}
        state.reload()
        after = client.get("/v1/indicators/faulty_facilities").json()["values"]["370303001000000"]
        assert (before, after) == (0, 1)


@pytest.mark.parametrize(
    ("url", "body", "status"),
    [
        ("/v1/facilities/a/state", {"state": "爆炸"}, 422),
        ("/v1/facilities/a/state", {"state": "ok", "at": "昨天"}, 422),
        ("/v1/facilities/a/state", {}, 422),
        ("/v1/facilities/none/state", {"state": "ok"}, 404),
        ("/v1/cameras/secret/state", {"state": "off"}, 404),
    ],
)
def test_bad_states_change_nothing(folder, url, body, status):
    before = open_city(folder).version()
    with TestClient(create_app(open_state(Settings(city=folder)))) as client:
        answer = client.post(url, json=body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
    assert open_city(folder).version() == before


def test_scope_and_role_decide(folder):
    with TestClient(create_app(open_state(Settings(city=folder, roots=("370303001002000",))))) as client:
        assert client.post("/v1/facilities/a/state", json={"state": "ok"}).status_code == 403
        assert client.post("/v1/facilities/b/state", json={"state": "fault"}).status_code == 200
    with TestClient(create_app(open_state(Settings(city=folder, role="admin")))) as client:
        assert client.post("/v1/cameras/secret/state", json={"state": "off"}).status_code == 200
