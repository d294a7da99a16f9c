"""One request answers the whole card, for a place named in any way, within the caller's scope."""

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.state import ServerState
from geo.city import City
from geo.crs import convert


@pytest.fixture(scope="module")
def client(demo_small: City) -> TestClient:
    return TestClient(create_app(ServerState(demo_small)))


def ask(client: TestClient, **params: object) -> httpx.Response:
    return client.get("/v1/situation", params=params)


def test_the_card_of_a_point_has_every_part(client: TestClient, demo_small: City) -> None:
    target = demo_small.degrees("targets").geometry.iloc[3]
    card = ask(client, lon=target.x, lat=target.y).json()
    assert [g["role"] for g in card["grids"]][:3] == ["town", "village", "base"]
    assert all(g["staff_post"] for g in card["grids"])
    assert card["cameras"]["total"] == len(card["cameras"]["seen_by"]) or card["cameras"]["total"] > 20
    assert {f["kind"] for f in card["facilities"]} == set(demo_small.facilities["kind"])
    for part in ("incidents", "hazards"):
        assert all(r["distance_m"] <= card["near_m"] for r in card[part]["rows"])
    assert "response" not in card
    risk = card["risk"]
    assert risk["level"] in (1, 2, 3, 4)
    assert sum(w["contribution"] for w in risk["why"]) == pytest.approx(risk["score"], abs=0.2)
    assert [w["contribution"] for w in risk["why"]] == sorted(
        (w["contribution"] for w in risk["why"]), reverse=True
    )


def test_a_place_may_be_named_by_incident_camera_grid_and_datum(client: TestClient, demo_small: City) -> None:
    incident = demo_small.degrees("incidents").iloc[-1]
    by_incident = ask(client, incident=incident.name).json()
    assert by_incident["place"]["incident"]["category"] == incident["category"]
    camera = demo_small.degrees("cameras").index[0]
    assert ask(client, camera=camera).json()["place"]["id"] == camera
    grid = demo_small.degrees("grids").query("kind == 'base'").index[7]
    assert grid in {g["grid_id"] for g in ask(client, grid=grid).json()["grids"]}
    lon, lat = incident.geometry.x, incident.geometry.y
    shifted = convert(np.array([lon]), np.array([lat]), source="cgcs2000", target="gcj02")
    again = ask(client, lon=float(shifted[0][0]), lat=float(shifted[1][0]), crs="gcj02").json()
    assert again["grids"] == by_incident["grids"]
    assert again["place"]["lon"] == pytest.approx(lon, abs=2e-7)


def test_an_address_comes_with_its_certainty(client: TestClient, demo_small: City) -> None:
    row = demo_small.degrees("addresses").query("level == 50 and lane.isna() and road.notna()").iloc[20]
    card = ask(client, address=row["standard"]).json()
    assert card["place"]["address"]["status"] == "unique"
    assert card["place"]["lon"] == pytest.approx(row.geometry.x, abs=1e-4)
    assert row["grid_id"] in {g["grid_id"] for g in card["grids"]}
    assert ask(client, address="没有这样的地方 zz").status_code == 404


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 422), ({"lon": 118}, 422), ({"lon": 118, "lat": 36.8, "grid": "x"}, 422), ({"grid": "nowhere"}, 404),
        ({"camera": "nothing"}, 404), ({"incident": "nothing"}, 404), ({"lon": 999, "lat": 0}, 422),
        ({"lon": 118, "lat": 36.8, "crs": "mars"}, 422), ({"lon": 118, "lat": 36.8, "near_m": 0}, 422),
    ],
)  # fmt: skip
def test_a_wrong_question_is_answered_with_a_problem(client: TestClient, params: dict, status: int) -> None:
    answer = ask(client, **params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"]


def test_outside_the_city_the_card_is_empty_and_says_so(client: TestClient) -> None:
    card = ask(client, lon=100, lat=30).json()
    assert card["grids"] == []
    assert card["cameras"]["total"] == 0


def test_a_scope_cuts_the_card(demo_small: City) -> None:
    grids = demo_small.degrees("grids")
    town, other = grids.query("level == 1").index[:2]
    state = ServerState(demo_small, Settings(roots=(town,)))
    client = TestClient(create_app(state))
    base = grids[(grids["level"] == 3) & grids.index.str.startswith(town)].index
    for grid in base[:10]:
        card = ask(client, grid=grid, near_m=2000).json()
        for row in card["incidents"]["rows"]:
            found = demo_small.locate([row["lon"]], [row["lat"]])
            assert found["town"].iloc[0] == town
    assert ask(client, grid=grids[grids.index.str.startswith(other)].index[-1]).status_code == 403


def test_live_incidents_stand_before_the_snapshot(demo_small: City) -> None:
    state = ServerState(demo_small)
    client = TestClient(create_app(state))
    row = demo_small.degrees("incidents").query("stage != 'closed'").iloc[0]
    lon, lat = row.geometry.x, row.geometry.y
    before = ask(client, lon=lon, lat=lat).json()["incidents"]
    assert row.name in {r["incident_id"] for r in before["rows"]}
    body = {
        "lon": lon,
        "lat": lat,
        "occurred_at": "2026-06-30T08:00:00Z",
        "category": "盗窃",
        "stage": "found",
    }
    state.live.put([{"incident_id": "NEW", **body}, {"incident_id": row.name, **body, "stage": "closed"}])
    after = ask(client, lon=lon, lat=lat).json()["incidents"]
    ids = {r["incident_id"] for r in after["rows"]}
    assert "NEW" in ids
    assert row.name not in ids
    assert after["total"] == before["total"]
