"""Coverage over HTTP and on the command line."""

import json

import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from api.cli import app as cli
from api.routers.coverage import geojson
from api.settings import Settings
from api.state import ServerState
from geo import covered
from geo.coverage.level import NAMES_ZH
from geo.coverage.watch import STEPS
from geo.demo import demo_city
from geo.scope import Scope
from geo.store import open_store
from layers import catalog
from layers.tiles.source import visible


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
    assert book.sheetnames == ["分类覆盖率", "面积与道路", "目标覆盖台账", "台账历史", "禁拍冲突", "口径说明"]
    for sheet in book:
        assert all("\u4e00" <= cell.value[0] <= "\u9fff" for cell in sheet[1])
    assert len(list(book["台账历史"].values)) % 3 == 1
    notes = dict(book["口径说明"].values)
    assert notes["图像等级标准"] == "en62676-4:2014"
    assert notes["涉密点位"] == "未计入"
    assert int(notes["参与计算的监控点"]) < int(notes["监控点"])
    rows = list(book["目标覆盖台账"].values)
    assert rows[0][:2] == ("目标编号", "名称")
    assert len(rows) == 61
    column = rows[0].index("要求图像等级")
    assert {r[column] for r in rows[1:]} <= {f"{zh} {code}" for code, zh in NAMES_ZH.items()}
    steps = [cell.value for cell in book["分类覆盖率"]["B"]][1:7]
    assert [s.split()[1] for s in steps] == list(STEPS)
    assert all("\u4e00" <= s[0] <= "\u9fff" for s in steps)
    assert book["分类覆盖率"]["F2"].number_format == "0.0%"
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
    spots = covered.blind_spots_of(city)
    place = spots[spots["kind"] == "junction"].geometry.to_crs(city.lonlat_crs).iloc[0].centroid
    new = {
        "lon": place.x,
        "lat": place.y,
        "bearing_deg": 0,
        "fov_deg": 90,
        "range_m": 60,
        "resolution_px": 3840,
    }
    added = client.post("/v1/coverage/what-if", json={"add": [new]}).json()
    assert added["lost_m2"] == added["working"]["lost_m2"] == 0
    assert added["lost"] is None
    assert added["working"]["gained_m2"] >= added["gained_m2"] > 0
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


ANSWERS = (
    "/v1/coverage", "/v1/coverage/grids", "/v1/coverage/losses?by=switch", "/v1/coverage/losses?by=camera", "/v1/blind-spots",
    "/v1/targets", "/v1/coverage/levels", "/v1/coverage/reachable", "/v1/coverage/forbidden", "/v1/coverage/interval?runs=2",
    "/v1/coverage/period?until=2026-06-30T00:00:00Z", "/v1/cameras?limit=10000",
)  # fmt: skip


@pytest.mark.parametrize("path", ANSWERS)
def test_a_secret_camera_leaves_no_difference_below_its_role(hiding, without, path):
    below = [ask(c, "operator").get(path).json() for c in (hiding, without)]
    for body in below:
        body.pop("version", None)
    assert below[0] == below[1]
    above = ask(hiding, "admin").get(path).json()
    if path.startswith(("/v1/cameras", "/v1/coverage/losses?by=camera", "/v1/coverage/period")):
        assert above != below[0]


def test_secret_cameras_are_on_the_map_of_their_role_alone(hiding):
    secret = hiding.cameras.index[hiding.cameras["secrecy"] == 1]
    for name in ("cameras", "fields_of_view", "image_levels", "image_levels_2025", "camera_health"):
        entry = catalog.layer(name)
        rows = catalog.entry_rows(hiding, entry)
        ids = pd.Index(rows["camera_id"])
        assert ids.isin(secret).any()
        assert not ids[visible(hiding, entry, Scope(who="o", role="operator"))].isin(secret).any()
        assert ids[visible(hiding, entry, Scope(who="a", role="admin"))].isin(secret).any()
    for name in ("coverage_times", "blind_roads", "blind_places"):
        assert "camera_id" not in catalog.layer(name).fields


def test_reading_secret_cameras_is_noted(tmp_path):
    path = tmp_path / "city"
    assert (
        CliRunner().invoke(cli, ["demo", "--city", str(path), "--scale", "tiny", "--no-serve"]).exit_code == 0
    )
    store = open_store(path)
    some = store.city().degrees("cameras").iloc[:2].assign(secrecy=1)
    store.write("cameras", some)
    for role, lines in (("operator", 0), ("admin", 1)):
        state = ServerState(store.city(), Settings(role=role), store=store)
        TestClient(create_app(state)).get("/v1/blind-spots")
        log = store.audit_log()
        assert log["subject"].str.startswith("secret cameras").sum() == lines
    store.close()


@pytest.fixture(scope="module")
def hiding(city):
    """A city of which the best and four more cameras are secret."""
    table = covered.ledger_of(city)
    best = table["cameras"].str.split(";").explode().value_counts()
    names = [n for n in best.index if n][:5]
    return city.with_table(
        "cameras", city.cameras.assign(secrecy=lambda t: t.index.isin(names).astype(int)), replace=True
    )


@pytest.fixture(scope="module")
def without(hiding):
    return hiding.with_table("cameras", hiding.cameras[hiding.cameras["secrecy"] == 0], replace=True)


def ask(city, role):
    return TestClient(create_app(ServerState(city, Settings(role=role))))


def test_image_levels_of_both_profiles(client):
    for profile, weakest in (("en62676-4:2014", "monitor"), ("iec62676-4:2025", "overview")):
        body = client.get("/v1/coverage/levels", params={"profile": profile}).json()
        assert body["default"] == "en62676-4:2014"
        assert body["levels"][0]["level"] == weakest
        for c in (1, 2, 3):
            falling = [r["numerator"] for r in body["levels"] if r["target_class"] == c]
            assert falling == sorted(falling, reverse=True)
            assert falling[0] > 0
    assert client.get("/v1/coverage/levels", params={"profile": "dori"}).status_code == 404


def test_reachable_is_apart_and_never_less(client):
    body = client.get("/v1/coverage/reachable").json()
    assert body["reachable_m2"] > body["home_m2"] > 0
    rates = client.get("/v1/coverage").json()["targets"]
    for row in body["targets"]:
        assert row["listed"] >= row["reachable"] >= row["home"]
        headline = next(
            r for r in rates if (r["target_class"], r["step"]) == (row["target_class"], "quality")
        )
        assert headline["numerator"] == row["home"]


def test_a_camera_reported_off_counts_its_hours(tmp_path):
    path = tmp_path / "city"
    assert (
        CliRunner()
        .invoke(cli, ["demo", "--city", str(path), "--scale", "tiny", "--no-serve", "--today", "2026-06-30"])
        .exit_code
        == 0
    )
    store = open_store(path)
    state = ServerState(store.city(), Settings(role="admin"), store=store)
    name = state.city.cameras.query("state == 'on'").index[0]
    caller = TestClient(create_app(state))
    body = {"state": "off", "at": "2026-07-10T00:00:00Z"}
    assert caller.post(f"/v1/cameras/{name}/state", json=body).status_code == 200
    city = store.city()
    entry = city.degrees("camera_states").query("camera_id == @name").sort_values("at").iloc[-1]
    assert entry["state"] == "off"
    found = covered.period_of(city, end=pd.Timestamp("2026-07-11", tz="UTC"), days=2, secret=True)
    assert found.cameras.loc[name, ["numerator", "denominator"]].tolist() == [24, 48]
    assert not covered.watch_of(city, secret=True).on[city.cameras.index.get_loc(name)]
    store.close()


def test_state_history_by_import(folder, tmp_path):
    run = CliRunner().invoke
    cameras = open_store(folder).city().degrees("cameras")
    name = cameras.index[cameras["state"] == "on"][0]
    file = tmp_path / "states.csv"
    file.write_text(
        f"设备编码,设备状态,变更时间\n{name},离线,2026-12-01 08:00:00\n{name},在线,2026-12-01 20:00:00\n,在线,2026-12-02\n"
    )
    done = run(cli, ["import", "camera_states", str(file), "--city", str(folder), "--json", "--max-bad", "1"])
    got = json.loads(done.stdout)
    assert (got["imported"], got["quarantined"]) == (2, 1)
    shown = run(cli, ["coverage", "--city", str(folder), "--days", "1", "--until", "2026-12-02", "--with-secret",
                      "--reachable", "--profile", "iec62676-4:2025"])  # fmt: skip
    assert f"{name}  在线率 50.0%  中断 1 次" in shown.stdout
    assert "可转达" in shown.stdout
    assert "轮廓 outline（40 px/m）" in shown.stdout


def test_a_shape_whose_slivers_cross_in_degrees_is_given_all_the_same():
    shell = [(118, 36), (118.1, 36), (118.1, 36.1), (118, 36.1)]
    beside = [(118.2, 36), (118.3, 36), (118.3, 36.1)]
    crossed = shapely.Polygon(shell, [beside])
    assert not crossed.is_valid
    found = geojson(crossed)
    assert found["type"] == "Polygon"
    assert len(found["coordinates"]) == 2
    assert geojson(shapely.Point(118.00000012345, 36))["coordinates"] == [118.0000001, 36.0]
