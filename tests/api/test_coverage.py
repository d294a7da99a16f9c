"""Coverage over HTTP and on the command line."""

import json

import openpyxl
import pyogrio
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from api.cli import app as cli
from api.settings import Settings
from api.state import ServerState
from geo import covered
from geo.demo import demo_city


@pytest.fixture(scope="module")
def city():
    return demo_city(0, "tiny")


@pytest.fixture
def client(city):
    return TestClient(create_app(ServerState(city)))


def test_rates_carry_what_they_rest_on(client):
    body = client.get("/v1/coverage").json()
    assert {r["step"] for r in body["targets"]} == set(covered.STEPS)
    for row in body["targets"] + body["ground"] + body["roads"]:
        assert row["numerator"] <= row["denominator"]
    assert all(r["list_version"] for r in body["targets"])
    assert body["basis"]["used"] + sum(body["basis"]["excluded"].values()) == body["basis"]["cameras"]


def test_a_grid_is_a_part_of_the_city(client, city):
    whole = client.get("/v1/coverage").json()
    towns = city.grids.index[city.grids["level"] == 1]
    parts = [client.get("/v1/coverage", params={"grid": t}).json() for t in towns]
    for i, row in enumerate(whole["targets"]):
        assert row["numerator"] >= sum(p["targets"][i]["numerator"] for p in parts)
    assert client.get("/v1/coverage", params={"grid": "nowhere"}).status_code == 404


def test_cameras_that_see_a_target(client, city):
    table = covered.ledger_of(city)
    name = table.index[table["covered"] & ~table["moved"]][0]
    point = city.degrees("targets").geometry[name]
    got = client.get("/v1/cameras", params={"lon": point.x, "lat": point.y}).json()["cameras"]
    assert set(table.loc[name, "cameras"].split(";")) <= {c["camera_id"] for c in got}
    away = [c["distance_m"] for c in got]
    assert away == sorted(away)
    one = client.get(f"/v1/cameras/{got[0]['camera_id']}").json()
    assert one["field_of_view"]["type"] in ("Polygon", "MultiPolygon")
    assert one["optics"]["fov_source"] in ("stated", "lens", "default")
    assert client.get("/v1/cameras", params={"lon": 1}).status_code == 422
    assert client.get("/v1/cameras/none").status_code == 404


def test_targets_can_be_asked_for(client, city):
    table = covered.ledger_of(city)
    got = client.get("/v1/targets", params={"class": 3, "covered": "false"}).json()
    assert got["total"] == int(((table["target_class"] == 3) & ~table["covered"]).sum())
    assert all(t["action"] != "已覆盖" for t in got["targets"])


def test_grids_and_losses(client):
    grids = client.get("/v1/coverage/grids", params={"level": 3}).json()["grids"]
    assert grids
    assert all(g["geometric"] <= g["nominal"] <= g["free_m2"] for g in grids.values())
    losses = client.get("/v1/coverage/losses", params={"by": "unit"}).json()["losses"]
    assert losses[0]["lost_m2"] >= losses[-1]["lost_m2"]
    assert client.get("/v1/coverage/losses", params={"by": "colour"}).status_code == 404


def test_scope_cuts_the_answer_not_the_analysis(city):
    root = city.grids.index[city.grids["level"] == 2][0]
    inside = TestClient(create_app(ServerState(city, Settings(roots=[root]))))
    got = inside.get("/v1/targets").json()
    table = covered.ledger_of(city)
    below = set(city.grids.index[(city.grids["parent_id"] == root)]) | {root}
    assert {t["target_id"] for t in got["targets"]} == set(table.index[table["grid_id"].isin(below)])
    for target in got["targets"]:
        assert target["covered"] == table.loc[target["target_id"], "covered"]
    assert inside.get("/v1/coverage/losses").status_code == 403


def test_secret_cameras_are_for_their_role_alone(city):
    cameras = city.cameras.copy()
    cameras["secrecy"] = 0
    name = cameras.index[5]
    cameras.loc[name, "secrecy"] = 1
    hiding = city.with_table("cameras", cameras, replace=True)
    for role, status in (("operator", 404), ("admin", 200)):
        caller = TestClient(create_app(ServerState(hiding, Settings(role=role))))
        assert caller.get(f"/v1/cameras/{name}").status_code == status
        listed = {
            c["camera_id"] for c in caller.get("/v1/cameras", params={"limit": 10000}).json()["cameras"]
        }
        assert (name in listed) == (status == 200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("city") / "demo"
    result = CliRunner().invoke(
        cli, ["demo", "--city", str(path), "--scale", "tiny", "--no-serve", "--today", "2026-06-30"]
    )
    assert result.exit_code == 0, result.output
    return path


def test_command_keeps_and_compares_ledgers(folder):
    run = CliRunner().invoke
    first = run(cli, ["coverage", "--city", str(folder), "--json", "--save", "--by", "switch"])
    assert first.exit_code == 0, first.output
    body = json.loads(first.stdout)
    assert body["saved"]
    assert body["losses"]
    again = json.loads(run(cli, ["coverage", "--city", str(folder), "--json", "--since", "last"]).stdout)
    assert again["changes"]["counts"] == {"gained": 0, "lost": 0, "listed": 0, "delisted": 0}
    kept = json.loads(run(cli, ["coverage", "--city", str(folder), "--json", "--history"]).stdout)["ledgers"]
    assert kept[0]["key"] == body["saved"]
    text = run(cli, ["coverage", "--city", str(folder)]).stdout
    assert "口径：监控点" in text
    assert run(cli, ["coverage", "--city", str(folder), "--since", "1999"]).exit_code == 1


def test_ledger_as_workbook_and_geopackage(folder, tmp_path):
    run = CliRunner().invoke
    for name in ("book.xlsx", "book.gpkg"):
        assert run(cli, ["coverage", "--city", str(folder), "--out", str(tmp_path / name)]).exit_code == 0
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert book.sheetnames == ["分类覆盖率", "面积与道路", "目标覆盖台账", "禁拍冲突", "口径说明"]
    rows = list(book["目标覆盖台账"].values)
    assert rows[0][:2] == ("目标编号", "名称")
    assert len(rows) == 61
    layers = dict(pyogrio.list_layers(tmp_path / "book.gpkg"))
    assert layers["目标覆盖台账"] == "Point"
    assert len(pyogrio.read_dataframe(tmp_path / "book.gpkg", layer="目标覆盖台账")) == 60
    assert run(cli, ["coverage", "--city", str(folder), "--out", str(tmp_path / "book.pdf")]).exit_code == 1


def test_blind_spots_in_order_and_in_words(client, city):
    body = client.get("/v1/blind-spots", params={"limit": 1000}).json()
    assert body["total"] == len(body["blind_spots"]) == sum(body["kinds"].values())
    scores = [b["score"] for b in body["blind_spots"]]
    assert scores == sorted(scores, reverse=True)
    assert all("周边警情" in b["text"] for b in body["blind_spots"])
    roads = client.get("/v1/blind-spots", params={"kind": "road"}).json()
    assert roads["total"] == body["kinds"]["road"]
    assert roads["blind_spots"][0]["geometry"]["type"] == "LineString"
    assert client.get("/v1/blind-spots", params={"kind": "sea"}).status_code == 404
    village = city.grids.index[city.grids["level"] == 2][0]
    ring = client.get(f"/v1/coverage/ring/{village}").json()
    assert ring["leaks"] == sum(s["role"] == "watch" for s in ring["streets"])


def test_blind_spots_on_the_command_line(folder, tmp_path, city):
    run = CliRunner().invoke
    body = json.loads(run(cli, ["blind-spots", "--city", str(folder), "--json", "--top", "3"]).stdout)
    assert len(body["blind_spots"]) == 3
    assert body["total"] == sum(body["kinds"].values())
    text = run(cli, ["blind-spots", "--city", str(folder), "--kind", "road", "--top", "1"]).stdout
    assert "m 无覆盖" in text
    out = tmp_path / "gaps.gpkg"
    assert (
        run(cli, ["blind-spots", "--city", str(folder), "--kind", "road", "--out", str(out)]).exit_code == 0
    )
    assert len(pyogrio.read_dataframe(out, layer="盲区清单")) == body["kinds"]["road"]
    village = city.grids.index[city.grids["level"] == 2][0]
    assert "围合" in run(cli, ["blind-spots", "--city", str(folder), "--ring", village]).stdout
    assert run(cli, ["blind-spots", "--city", str(folder), "--grid", "nowhere"]).exit_code == 1


def test_what_if_over_http(client, city):
    losses = client.get("/v1/coverage/losses", params={"by": "pole"}).json()["losses"]
    lost = client.post(
        "/v1/coverage/what-if", json={"lose_group": {"by": "pole", "name": losses[0]["group"]}}
    ).json()
    assert lost["lost_m2"] >= losses[0]["lost_m2"] - 1  # ground outside all grids counts too
    assert lost["gained_m2"] == 0
    place = city.degrees("targets").geometry.iloc[0]
    new = {
        "lon": place.x,
        "lat": place.y,
        "bearing_deg": 0,
        "fov_deg": 90,
        "range_m": 60,
        "resolution_px": 3840,
    }
    added = client.post("/v1/coverage/what-if", json={"add": [new]}).json()
    assert added["lost_m2"] == 0
    assert added["gained"]["type"] in ("Polygon", "MultiPolygon")
    name = city.cameras.index[0]
    assert client.post("/v1/coverage/what-if", json={"turn": {name: 90}}).status_code == 200
    assert client.post("/v1/coverage/what-if", json={"turn": {"none": 90}}).status_code == 404
    bad = client.post("/v1/coverage/what-if", json={"add": [{"lon": 500, "lat": 0, "colour": 1}]})
    assert bad.status_code == 422
    assert len(bad.json()["problems"]) == 2


def test_interval_and_forbidden_over_http(client):
    body = client.get("/v1/coverage/interval", params={"runs": 3, "seed": 1}).json()
    assert body["rates"]["ground"]["minimum"] <= body["rates"]["ground"]["maximum"]
    assert body == client.get("/v1/coverage/interval", params={"runs": 3, "seed": 1}).json()
    listed = client.get("/v1/coverage/forbidden").json()
    assert listed["total"] == len(listed["conflicts"])
