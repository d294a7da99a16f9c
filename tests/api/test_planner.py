import io

import geopandas as gpd
import pyogrio
import pytest
from fastapi.testclient import TestClient
from openpyxl import load_workbook

from api.app import create_app
from api.settings import Settings
from api.state import ServerState
from geo import covered
from geo.scope import Scope
from layers.worklist import work_list, work_list_file


@pytest.fixture(scope="module")
def client(demo_tiny):
    with TestClient(create_app(ServerState(demo_tiny))) as made:
        yield made


def post(client, **plan):
    return client.post("/planner/what-if", json=plan)


def watching(city):
    """A camera in order that alone sees some ground."""
    losses = covered.losses_of(city, "camera")
    cameras = city.degrees("cameras")
    return next(i for i in losses.index if cameras.loc[i, "state"] == "on")


def test_an_empty_plan_changes_nothing(client):
    found = post(client).json()
    assert (found["gained_m2"], found["lost_m2"]) == (0, 0)
    assert found["grids"] == []
    assert found["targets"] == []
    assert found["gained"] is None
    assert all(c["covered_before"] == c["covered_after"] <= c["listed"] for c in found["classes"])


def test_losing_a_camera_loses_what_it_alone_sees(client, demo_tiny):
    camera = watching(demo_tiny)
    found = post(client, lose=[camera]).json()
    losses = covered.losses_of(demo_tiny, "camera")
    assert found["lost_m2"] == pytest.approx(losses.loc[camera, "lost_m2"], rel=0.02)
    assert found["gained_m2"] == 0
    assert all(g["after_m2"] <= g["before_m2"] for g in found["grids"])
    assert sum(g["before_m2"] - g["after_m2"] for g in found["grids"]) == pytest.approx(
        found["lost_m2"], rel=0.05
    )
    assert all(c["covered_after"] <= c["covered_before"] for c in found["classes"])


def test_adding_cameras_never_covers_less(client, demo_tiny):
    west, south, east, north = demo_tiny.degrees("grids").total_bounds
    place = {"lon": (west + east) / 2 + 0.002, "lat": (south + north) / 2 + 0.001}
    one = post(client, add=[{**place, "fov_deg": 360, "range_m": 150, "height_m": 30}]).json()
    assert one["lost_m2"] == 0
    assert one["gained_m2"] > 0
    assert one["gained"]["type"] in ("Polygon", "MultiPolygon")
    assert len(one["views"]) == 1
    two = post(client, add=[{**place, "fov_deg": 360, "range_m": 150, "height_m": 30}] * 2).json()
    assert two["gained_m2"] == pytest.approx(one["gained_m2"], rel=1e-3)
    assert all(c["covered_after"] >= c["covered_before"] for c in one["classes"])


def test_turning_there_and_back_is_nothing(client, demo_tiny):
    cameras = demo_tiny.degrees("cameras")
    fixed = cameras[cameras["bearing_deg"].notna() & (cameras["fov_deg"] < 90)].index[0]
    bearing = float(cameras.loc[fixed, "bearing_deg"])
    same = post(client, turn={fixed: bearing}).json()
    assert same["gained_m2"] + same["lost_m2"] < 1
    other = post(client, turn={fixed: (bearing + 180) % 360}).json()
    assert other["gained_m2"] + other["lost_m2"] > 1


def test_restoring_never_makes_a_target_less_effective(client, demo_tiny):
    cameras = demo_tiny.degrees("cameras")
    broken = cameras.index[cameras["state"].isin(["off", "vlost", "defect"])].tolist()
    assert broken
    found = post(client, restore=broken).json()
    assert all(c["effective_after"] >= c["effective_before"] for c in found["classes"])
    assert found["lost_m2"] == found["working"]["lost_m2"] == 0
    assert found["gained_m2"] == 0  # the register had them already


def test_a_camera_that_works_again_gains_its_ground_among_those_that_work(demo_tiny):
    cameras = demo_tiny.cameras
    best = covered.losses_of(demo_tiny, "camera").index[:1]
    broken = cameras.assign(state=cameras["state"].mask(cameras.index.isin(best), "off"))
    client = TestClient(create_app(ServerState(demo_tiny.with_table("cameras", broken, replace=True))))
    found = post(client, restore=best.tolist()).json()
    assert found["gained_m2"] == 0
    assert found["working"]["gained_m2"] > 0
    assert found["working"]["gained"]["type"] in ("Polygon", "MultiPolygon")


@pytest.mark.parametrize(
    ("plan", "status"),
    [
        ({"lose": ["nothing"]}, 404),
        ({"turn": {"nothing": 5}}, 404),
        ({"turn": {"x": 500}}, 422),
        ({"add": [{"lon": 500, "lat": 0}]}, 422),
        ({"add": [{"lat": 0}]}, 422),
    ],
)
def test_bad_plans_are_refused(client, plan, status):
    assert post(client, **plan).status_code == status


def test_a_camera_cannot_be_lost_and_turned(client, demo_tiny):
    camera = demo_tiny.degrees("cameras").index[0]
    answer = post(client, lose=[camera], turn={camera: 10})
    assert answer.status_code == 422
    assert "choose one" in answer.json()["detail"]


def test_a_part_of_the_city_cannot_ask_what_if(demo_tiny):
    town = demo_tiny.degrees("grids").query("level == 1").index[0]
    with TestClient(create_app(ServerState(demo_tiny, settings=Settings(roots=(town,))))) as narrow:
        assert post(narrow).status_code == 403
        assert narrow.get("/planner/config.json").json()["whole_city"] is False


def test_the_work_list_as_excel(client, demo_tiny):
    camera = watching(demo_tiny)
    answer = client.post("/planner/worklist.xlsx", json={"lose": [camera]})
    book = load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["盲区", "未覆盖目标", "待修监控点", "假设方案"]
    spots = covered.blind_spots_of(demo_tiny)
    sheet = book["盲区"]
    assert sheet.max_row == len(spots) + 1
    assert [c.value for c in sheet[1]][:4] == ["序号", "类型", "名称", "说明"]
    assert [sheet.cell(r, 1).value for r in range(2, 5)] == [1, 2, 3]
    plan = [[c.value for c in row] for row in book["假设方案"].iter_rows(min_row=2)]
    assert plan[0][0] == camera
    assert "停用" in plan[0]


def test_the_work_list_as_geopackage(client, tmp_path, demo_tiny):
    file = tmp_path / "w.gpkg"
    file.write_bytes(client.post("/planner/worklist.gpkg", json={}).content)
    assert {n for n, _ in pyogrio.list_layers(file)} == {"blind_spots", "targets", "cameras"}
    targets = gpd.read_file(file, layer="targets")
    ledger = covered.ledger_of(demo_tiny)
    assert set(targets["target_id"]) == set(ledger.index[~ledger["covered"]])


def test_the_work_list_of_a_scope_holds_nothing_else(demo_tiny):
    town = demo_tiny.degrees("grids").query("level == 1").index[0]
    every = work_list(demo_tiny, scope=Scope())
    part = work_list(demo_tiny, scope=Scope(roots=frozenset([town])))
    asked = work_list(demo_tiny, scope=Scope(), grid=town)
    for name in ("blind_spots", "targets", "cameras"):
        assert len(part[name]) == len(asked[name])
        assert len(part[name]) < len(every[name])
    assert all(g.startswith(town) for g in part["blind_spots"]["grid_id"])


def test_formulas_are_defused(demo_tiny):
    targets = demo_tiny.targets.assign(name="=cmd|' /C calc'!A0")
    city = demo_tiny.with_table("targets", targets)
    tables = work_list(city, scope=Scope())
    assert len(tables["targets"]) > 0
    sheet = load_workbook(io.BytesIO(work_list_file(tables, "xlsx")))["未覆盖目标"]
    column = [c.value for c in sheet[1]].index("名称") + 1
    assert sheet.cell(2, column).value.startswith("'=")
