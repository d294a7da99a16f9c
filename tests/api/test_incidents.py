"""Incidents are on disk before they are acknowledged, and found by time, grid, box and distance."""

import threading

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.state import ServerState, open_state
from geo import watch
from geo.store import create_store, open_city


@pytest.fixture
def folder(tmp_path, tiny_city):
    store = create_store(tmp_path / "c", name="小城")
    store.write("grids", tiny_city.degrees("grids"))
    return tmp_path / "c"


@pytest.fixture
def state(folder):
    return open_state(Settings(city=folder))


@pytest.fixture
def client(state):
    with TestClient(create_app(state)) as client:
        yield client


def row(number=1, lon=118.005, **more):
    return {
        "incident_id": f"J{number}",
        "lon": lon,
        "lat": 36.805,
        "occurred_at": f"2026-01-{number:02d}T08:00:00+08:00",
        "category": "盗窃",
        **more,
    }


def ids(response):
    assert response.status_code == 200, response.text
    return [r["incident_id"] for r in response.json()["incidents"]]


def test_what_is_acknowledged_is_on_disk_and_in_its_grid(client, folder):
    answer = client.post("/v1/incidents", json=row())
    assert answer.status_code == 201
    assert answer.json()["incidents"][0]["grids"]["base"] == "370303001001001"
    assert open_city(folder).incidents.index.tolist() == ["J1"]


def test_queries_find_the_same_before_and_after_folding(client, state):
    client.post(
        "/v1/incidents", json=[row(i, 118.005 + 0.01 * (i - 1), source="reported") for i in (1, 2, 3, 4)]
    )
    questions = {
        "/v1/incidents": ["J4", "J3", "J2", "J1"],
        "/v1/incidents?grid=370303001001000": ["J2", "J1"],
        "/v1/incidents?grid=370303001002001": ["J3"],
        "/v1/incidents?bbox=118.01,36.8,118.03,36.81": ["J3", "J2"],
        "/v1/incidents?lon=118.005&lat=36.805&distance_m=900": ["J2", "J1"],
        "/v1/incidents?since=2026-01-02T00:00:00Z&until=2026-01-03T00:00:00Z": ["J2"],
        "/v1/incidents?since=2026-01-02T08:00:00": ["J4", "J3", "J2"],
        "/v1/incidents?category=盗窃&source=reported&limit=2": ["J4", "J3"],
        "/v1/incidents?category=火灾": [],
    }
    for url, wanted in questions.items():
        assert ids(client.get(url)) == wanted, url
    assert len(state.live) == 4
    state.reload()
    assert len(state.live) == 0
    for url, wanted in questions.items():
        assert ids(client.get(url)) == wanted, url


def test_a_fold_makes_live_counts_without_holding_up_what_arrives(client, state, monkeypatch):
    client.post("/v1/incidents", json=[row(i) for i in range(1, 5)])
    state.hot_list(category=None, source=None, top=5)
    make = watch.ring_of

    def slow(city, **given):
        """Another thread writes and asks while the counts are made: with the lock held it would wait for ever."""
        asked = threading.Thread(
            target=lambda: (client.post("/v1/incidents", json=row(5)), state.alarms()), daemon=True
        )
        monkeypatch.setattr(watch, "ring_of", make)
        asked.start()
        asked.join(20)
        waited.append(asked.is_alive())
        return make(city, **given)

    waited = []
    monkeypatch.setattr(watch, "ring_of", slow)
    state.reload()
    assert waited == [False]
    assert len(state.live) == 1
    now = state.hot_list(category=None, source=None, top=9)
    again = ServerState(open_city(state.settings.city)).hot_list(category=None, source=None, top=9)
    assert (now.grid_id, now.observed.tolist()) == (again.grid_id, again.observed.tolist())
    assert now.observed.sum() == 5


def test_pages_follow_one_another(client):
    client.post("/v1/incidents", json=[row(i) for i in range(1, 8)])
    seen, until = [], None
    while True:
        page = client.get("/v1/incidents", params={"limit": 3} | ({"until": until} if until else {})).json()
        seen += [r["incident_id"] for r in page["incidents"]]
        until = page["next_until"]
        if until is None:
            break
    assert seen == [f"J{i}" for i in range(7, 0, -1)]


def test_a_repetition_changes_nothing_and_a_correction_keeps_what_it_does_not_say(client, state):
    client.post("/v1/incidents", json=row(severity=2))
    assert client.post("/v1/incidents/J1/stage", json={"stage": "closed"}).json()["stage"] == "closed"
    assert client.post("/v1/incidents", json=row(severity=2)).json()["changed"] == 0
    assert client.get("/v1/incidents").json()["incidents"][0]["stage"] == "closed"
    state.reload()
    client.post("/v1/incidents", json=row(address="柳泉路113号"))
    found = client.get("/v1/incidents").json()["incidents"]
    assert [(r["severity"], r["stage"], r["address"]) for r in found] == [(2, "closed", "柳泉路113号")]
    assert state.store.audit_log()["action"].tolist() == ["incident.stage"]


def test_gcj_is_shifted_once(client):
    client.post("/v1/incidents?crs=gcj02", json=row())
    found = client.get("/v1/incidents").json()["incidents"][0]
    assert 400 < abs(found["lon"] - 118.005) * 89_000 < 700


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"incident_id": "x"}, ["occurred_at", "category"]),
        (row(lon=0) | {"lat": 0}, ["lon,lat", "not 0,0"]),
        (row(lon=36.8) | {"lat": 118.0}, ["degrees, longitude first"]),
        (row(severity=9), ["severity", "1 ≤ severity ≤ 4", "9"]),
        (row(source="电话"), ["source", "reported"]),
        (row(phone="13800000000"), ["phone", "column.unknown"]),
        (row() | {"occurred_at": "昨天"}, ["occurred_at", "昨天"]),
        ([row(), row()], ["key.duplicate", "J1"]),
        (row() | {"incident_id": None}, ["incident_id"]),
        (row(lon="abc"), ["abc"]),
    ],
)
def test_bad_rows_are_refused_with_reasons_and_nothing_is_kept(client, folder, body, words):
    answer = client.post("/v1/incidents", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "schema"
    for word in words:
        assert word in answer.text, word
    assert open_city(folder).incidents.empty


@pytest.mark.parametrize(
    "url",
    [
        "/v1/incidents?bbox=1,2,3",
        "/v1/incidents?bbox=119,36,118,37",
        "/v1/incidents?lon=118",
        "/v1/incidents?lon=118&lat=36&distance_m=-1",
        "/v1/incidents?limit=0",
        "/v1/incidents?limit=100001",
        "/v1/incidents?since=2026-01-02&until=2026-01-01",
        "/v1/incidents?since=yesterday",
    ],
)
def test_bad_questions_are_422_problems(client, url):
    answer = client.get(url)
    assert answer.status_code == 422
    assert answer.json()["code"] == "bad-input"
    assert answer.json()["detail"]


def test_unknown_things_are_404_and_foreign_grids_403(folder):
    state = open_state(Settings(city=folder, roots=("370303001002000",)))
    with TestClient(create_app(state)) as client:
        client.post("/v1/incidents", json=[row(1), row(3, 118.025)])
        assert ids(client.get("/v1/incidents")) == ["J3"]
        assert client.get("/v1/incidents?grid=370303001001001").status_code == 403
        assert client.get("/v1/incidents?grid=nowhere").status_code == 404
        assert client.get("/v1/grids/370303001001001").status_code == 403
        assert client.post("/v1/incidents/none/stage", json={"stage": "closed"}).status_code == 404
        assert client.post("/v1/incidents/J3/stage", json={"stage": "done"}).status_code == 422
        state.reload()
        assert ids(client.get("/v1/incidents")) == ["J3"]


def test_a_large_body_is_refused_before_it_is_read(folder):
    with TestClient(create_app(open_state(Settings(city=folder, max_body_mb=1)))) as client:
        answer = client.post("/v1/incidents", content=b"[" + b" " * 1_100_000 + b"]")
        assert answer.status_code == 413
        assert answer.json()["code"] == "too-large"
        unsaid = client.post("/v1/incidents", content=iter([b"[" + b" " * 600_000] * 2))
        assert unsaid.status_code == 413
        assert unsaid.json()["code"] == "too-large"


def test_live_incidents_fold_by_themselves(folder):
    state = open_state(Settings(city=folder, fold_after=3))
    with TestClient(create_app(state)) as client:
        for i in range(1, 6):
            client.post("/v1/incidents", json=row(i))
            if state.folding:
                state.folding.join()
        assert len(state.live) == 2
        assert ids(client.get("/v1/incidents")) == ["J5", "J4", "J3", "J2", "J1"]


def test_open_pages_hear_of_a_new_snapshot_and_its_tiles_have_another_version(client, state):
    from api.hub import Hub, Want
    from geo.scope import Scope

    before = client.get("/tiles/incidents.json").json()["tiles"]
    assert client.post("/v1/incidents", json=[row(1), row(2)]).status_code == 201
    assert client.get("/tiles/incidents.json").json()["tiles"] == before
    state.reload()
    assert client.get("/tiles/incidents.json").json()["tiles"] != before
    [told] = [c for c in state.live.since(0) if c.kind == "tables"]
    assert "incidents" in told.body["tables"]
    narrow = Want(Scope(roots=frozenset({"370303001001000"})))
    assert '"tables"' in Hub(state.live, lambda: state.city)._text(narrow, [told])
    state.reload()  # nothing has changed
    assert len([c for c in state.live.since(0) if c.kind == "tables"]) == 1


def test_a_time_without_a_zone_is_in_the_zone_of_the_city(client):
    rows = [row(1, occurred_at="2026-01-05T08:00:00"), row(2, occurred_at="2026-01-05T08:00:00+08:00"),
            row(3, occurred_at="2026-01-05 08:00", reported_at="2026-01-05T00:30:00Z")]  # fmt: skip
    assert client.post("/v1/incidents", json=rows).status_code == 201
    got = client.get("/v1/incidents").json()["incidents"]
    assert {r["occurred_at"] for r in got} == {"2026-01-05T00:00:00Z"}
    bad = client.post("/v1/incidents", json=row(4, occurred_at="2026-13-41"))
    assert bad.status_code == 422
    assert "2026-13-41" in bad.text


def test_long_answers_travel_packed_to_those_who_take_it(client):
    client.post("/v1/incidents", json=[row() | {"incident_id": f"J{i}"} for i in range(200)])
    plain = client.get("/v1/incidents", headers={"accept-encoding": "identity"})
    packed = client.get("/v1/incidents", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert int(packed.headers["content-length"]) < 0.2 * int(plain.headers["content-length"])
    assert packed.json() == plain.json()
    short = client.get("/v1/incidents", params={"limit": 1}, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in short.headers
