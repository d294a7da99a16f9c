"""Hotspots, forecast and risk over HTTP and on the command line."""

import json

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from api.cli import app as cli
from api.settings import Settings
from api.state import ServerState
from geo import watch
from geo.demo import demo_city
from geo.store import open_store


@pytest.fixture(scope="module")
def city():
    return demo_city(0, "tiny")


@pytest.fixture
def client(city):
    return TestClient(create_app(ServerState(city)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("city") / "demo"
    result = CliRunner().invoke(cli, ["demo", "--scale", "tiny", "--city", str(path), "--no-serve"])
    assert result.exit_code == 0, result.output
    return path


def run(*words, code=0):
    result = CliRunner().invoke(cli, [*words, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_hotspots_by_category_with_the_split(client, city):
    body = client.get("/v1/hotspots").json()
    cube = watch.cube_of(city)
    assert body["tests"] == len(watch.watched_grids(city)) * (len(cube.categories) + 1)
    assert body["account"]["used"] == len(cube.row)
    assert body["adjusted"] == "bh"
    for row in body["hot"]:
        assert row["q"] <= 0.05
        assert row["reported"] + row["discovered"] + row["sensor"] + row["unknown"] == row["observed"]
    every = client.get("/v1/hotspots/grids").json()
    assert len(every["grids"]) == len(watch.watched_grids(city))
    few = client.get("/v1/hotspots/grids", params={"fields": "gi_bin"}).json()["grids"]
    assert few == [{k: row[k] for k in ("grid_id", "gi_bin")} for row in every["grids"]]
    raw = client.get("/v1/hotspots", params={"fdr": "none"}).json()
    assert raw["total"] >= body["total"]


@pytest.mark.parametrize(
    ("params", "status", "words"),
    [
        ({"recent_days": 10}, 422, "multiple of 7"),
        ({"baseline_days": 7, "recent_days": 14}, 422, "shorter than the window"),
        ({"category": "flood"}, 404, "unknown category"),
        ({"source": "web"}, 422, "source"),
        ({"until": "2019-01-01"}, 422, "days of incidents"),
        ({"fdr": "holm"}, 422, "fdr"),
    ],
)
def test_bad_questions_get_problems(client, params, status, words):
    answer = client.get("/v1/hotspots", params=params)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert words in answer.text


def test_warnings_carry_the_incidents_behind_them(client, city):
    body = client.get("/v1/hotspots/warnings").json()
    for row in body["warnings"]:
        behind = city.incidents.loc[row["incident_ids"]]
        assert len(behind) == row["observed"]
        assert set(behind["category"]) == {row["category"]}
        assert row["since"] <= body["until"]
    scan = client.get("/v1/hotspots/scan", params={"replicates": 19}).json()
    assert scan["replicates"] == 19
    for cluster in scan["clusters"]:
        assert cluster["observed"] > cluster["expected"]
        assert cluster["centre"] in cluster["grid_ids"]


def test_risk_explains_itself_to_the_last_bit(client):
    body = client.get("/v1/risk").json()
    assert sum(body["levels"].values()) == len(body["grids"])
    top = body["grids"][0]["grid_id"]
    few = client.get("/v1/risk", params={"fields": "level"}).json()["grids"]
    assert few == [{k: row[k] for k in ("grid_id", "level")} for row in body["grids"]]
    wrong = client.get("/v1/risk", params={"fields": "levle"})
    assert wrong.status_code == 404
    assert "allowed: " in wrong.json()["detail"]
    why = client.get(f"/v1/risk/{top}").json()
    assert sum(line["contribution"] for line in why["why"]) == why["risk_score"]
    assert why["outcome"]
    assert client.get("/v1/risk/nowhere").status_code == 404
    town = client.get("/v1/risk/" + top[:3] + "none").status_code
    assert town == 404


def test_forecast_without_a_store(client, city):
    body = client.get("/v1/forecast").json()
    assert body["grids"][0]["rank"] == 1
    assert {g["grid_id"] for g in body["grids"]} <= set(watch.watched_grids(city).index)
    assert client.get("/v1/hotspots/ledger").json()["weeks"] == 0


def test_the_public_sees_no_small_counts_and_no_single_incidents(city):
    public = TestClient(create_app(ServerState(city, Settings(role="public"))))
    for row in public.get("/v1/hotspots/grids").json()["grids"]:
        for name in ("observed", "reported", "discovered", "sensor"):
            assert row[name] is None or row[name] == 0 or row[name] >= 5
        if row["observed"] is None:
            assert row["expected"] is None
            assert row["ratio"] is None
    for row in public.get("/v1/risk").json()["grids"]:
        assert row["events"] is None or row["events"] == 0 or row["events"] >= 5
    assert public.get("/v1/hotspots/warnings").status_code == 403
    top = public.get("/v1/risk").json()["grids"][0]["grid_id"]
    assert public.get(f"/v1/risk/{top}").status_code == 403


def test_a_scope_cuts_the_answer_and_not_the_analysis(city, client):
    town = city.grids.index[city.grids["level"] == 1][0]
    part = TestClient(create_app(ServerState(city, Settings(roots=[town]))))
    whole = {r["grid_id"]: r for r in client.get("/v1/hotspots/grids").json()["grids"]}
    cut = part.get("/v1/hotspots/grids").json()["grids"]
    assert 0 < len(cut) < len(whole)
    for row in cut:
        assert row == whole[row["grid_id"]]
    outside = next(g for g in whole if g not in {r["grid_id"] for r in cut})
    assert part.get(f"/v1/risk/{outside}").status_code == 403


def test_an_arriving_incident_is_in_the_live_list(folder):
    store = open_store(folder)
    state = ServerState(store.city(), store=store)
    client = TestClient(create_app(state))
    before = client.get("/v1/hotspots/live", params={"top": 500}).json()
    counts = {g["grid_id"]: g["observed"] for g in before["grids"]}
    city = state.city
    grid = watch.watched_grids(city).index[0]
    point = city.degrees("grids").geometry[grid].representative_point()
    body = {
        "incident_id": "JQ0001", "lon": point.x, "lat": point.y, "category": "盗窃", "source": "reported",
        "occurred_at": f"{watch.last_day(city)}T08:00:00+08:00",
    }  # fmt: skip
    for _ in range(2):  # a repetition counts once
        assert client.post("/v1/incidents", json=body).status_code in (200, 201)
    after = {
        g["grid_id"]: g["observed"]
        for g in client.get("/v1/hotspots/live", params={"top": 500}).json()["grids"]
    }
    assert after[grid] == counts[grid] + 1
    assert sum(after.values()) == sum(counts.values()) + 1
    corrected = body | {"occurred_at": "2020-01-01T08:00:00+08:00"}
    client.post("/v1/incidents", json=corrected)
    again = {
        g["grid_id"]: g["observed"]
        for g in client.get("/v1/hotspots/live", params={"top": 500}).json()["grids"]
    }
    assert again[grid] == counts[grid]


def test_forecast_is_stored_once_and_scored_when_its_week_is_over(folder):
    city = ["--city", str(folder)]
    first = run("hotspots", *city, "--forecast")
    assert not first["replayed"]
    assert run("hotspots", *city, "--forecast") == first  # what is stored never changes
    answer = run("hotspots", *city, "--ledger", "--replay", "3")
    assert answer["weeks"] == 3
    assert any(first["week"] in key for key in answer["waiting"])
    assert all(row["replayed"] for row in answer["scores"])
    methods = {row["method"] for row in answer["summary"]}
    assert methods == {"santu", "count_7d", "count_28d", "count_all", "kde"}
    assert run("hotspots", *city, "--ledger")["scores"] == answer["scores"]
    http = TestClient(create_app(ServerState(open_store(folder).city(), store=open_store(folder))))
    assert http.get("/v1/hotspots/ledger").json()["scores"] == answer["scores"]
    assert http.get("/v1/forecast").json()["digest"] == first["digest"]


@pytest.mark.parametrize(
    "option", [[], ["--stable"], ["--warnings"], ["--scan", "--replicates", "9"], ["--near-repeat"]]
)
def test_every_view_answers(folder, option):
    answer = run("hotspots", "--city", str(folder), *option)
    assert "until" in answer
    plain = CliRunner().invoke(cli, ["hotspots", "--city", str(folder), *option])
    assert plain.exit_code == 0, plain.output


def test_risk_on_the_command_line(folder, tmp_path):
    city = ["--city", str(folder)]
    answer = run("risk", *city, "--save")
    assert answer["saved"]
    top = answer["grids"][0]["grid_id"]
    why = run("risk", *city, "--explain", top)
    assert sum(line["contribution"] for line in why["why"]) == why["risk_score"]
    weights = tmp_path / "weights.json"
    weights.write_text(json.dumps({"version": "2026-a", "weights": {"rate": 1, "hazards": 1}}))
    assert run("risk", *city, "--config", str(weights))["config"] == "2026-a"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"version": "1", "weights": {"rate": 1, "petition_count": 1}}, "petition"),
        ({"version": "1", "weights": {"民族": 1}}, "民族"),
        ({"weights": {"rate": 1}}, "version is required"),
        ({"version": "1", "colour": 3}, "allowed keys"),
    ],
)
def test_weights_about_persons_or_without_version_are_refused(folder, tmp_path, content, words):
    weights = tmp_path / "weights.json"
    weights.write_text(json.dumps(content))
    result = CliRunner().invoke(cli, ["risk", "--city", str(folder), "--config", str(weights)])
    assert result.exit_code == 1
    assert words in str(result.exception)


def test_bad_words_are_refused(folder):
    for words, text in (
        (["--fdr", "holm"], "bh, by, none"),
        (["--until", "soon"], "YYYY-MM-DD"),
        (["--recent-days", "9"], "multiple of 7"),
    ):
        result = CliRunner().invoke(cli, ["hotspots", "--city", str(folder), *words])
        assert result.exit_code == 1
        assert text in str(result.exception)


def test_hotspot_map_shows_the_ledger_and_loads_nothing_from_outside(folder, city):
    run("hotspots", "--city", str(folder), "--ledger", "--replay", "2")
    store = open_store(folder)
    page = TestClient(create_app(ServerState(store.city(), store=store))).get("/maps/hotspots")
    assert page.status_code == 200
    assert 'id="santu-ledger"' in page.text
    assert "衰减计数" in page.text
    assert "热点研判图" in page.text
    assert "https://" not in page.text.split("<body")[1].split("santu-ledger")[1]
    empty = TestClient(create_app(ServerState(city))).get("/maps/hotspots", params={"lang": "en"})
    assert "No forecast has been scored yet" in empty.text


def test_layers_hold_marked_grids_only(city):
    from layers import catalog

    hot = catalog.entry_rows(city, catalog.layer("hotspots"))
    assert set(hot["gi_bin"]) <= {-3, -2, 2, 3}
    assert hot.crs == city.degrees("grids").crs
    risk = catalog.entry_rows(city, catalog.layer("risk"))
    assert len(risk) == len(watch.watched_grids(city))
    assert set(risk["level"]) <= {1, 2, 3, 4}
    assert risk.geometry.notna().all()


def test_planted_hot_spot_is_on_the_map():
    from layers import catalog

    small = demo_city(0, "small")
    hot = catalog.entry_rows(small, catalog.layer("hotspots"))
    assert "交通事故" in set(hot["category"])
    assert hot.index.is_unique
    tile = TestClient(create_app(ServerState(small))).get("/tiles/hotspots.json")
    assert tile.status_code == 200


@pytest.mark.parametrize("path", ["/v1/hotspots", "/v1/hotspots/grids", "/v1/hotspots/scan", "/v1/hotspots/warnings",
                                  "/v1/risk"])  # fmt: skip
@pytest.mark.parametrize("day", ["2199-01-01", "1999-01-01"])
def test_a_day_outside_of_the_data_is_refused_with_the_days_that_are_there(client, city, path, day):
    answer = client.get(path, params={"until": day})
    assert answer.status_code == 422
    assert f"to {watch.last_day(city)}" in answer.json()["detail"]
