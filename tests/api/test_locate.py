"""One point, many points, the short way and the long way: the same answer."""

import asyncio
import datetime as dt

import geopandas as gpd
import httpx
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pytest
import shapely
from fastapi.testclient import TestClient

from api.app import asgi, create_app
from api.settings import Settings
from api.state import ServerState
from geo import schema
from geo.crs import convert
from geo.grid import COLUMNS

ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture
def client(demo_tiny):
    with TestClient(create_app(ServerState(demo_tiny))) as client:
        yield client


@pytest.fixture
def points(demo_tiny):
    """Points inside, outside, on vertices and at the middle of borders."""
    shapes = demo_tiny.degrees("grids").geometry
    corner = shapely.get_coordinates(shapes.to_numpy())[::7]
    west, south, east, north = shapes.total_bounds
    rng = np.random.default_rng(0)
    free = rng.uniform((west - 0.01, south - 0.01), (east + 0.01, north + 0.01), (300, 2))
    return np.vstack([free, corner, (corner + np.roll(corner, 1, axis=0)) / 2])


def get(app, *urls):
    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
            return [await http.get(url) for url in urls]

    return asyncio.run(ask())


class Spy:
    def __init__(self, app):
        self.app, self.seen = app, []

    async def __call__(self, scope, receive, send):
        self.seen.append(scope.get("query_string"))
        await self.app(scope, receive, send)


def post(app, *bodies, **headers):
    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
            return [await http.post("/v1/locate", content=b, headers=headers) for b in bodies]

    return asyncio.run(ask())


@pytest.mark.parametrize("kind", ["application/json", ARROW])
def test_many_points_the_short_way_are_answered_as_the_long_way(demo_tiny, points, kind):
    state = ServerState(demo_tiny)
    x, y = points.T
    good = orjson.dumps({"lon": x.tolist(), "lat": y.tolist()}) if kind != ARROW else arrow(x, y)
    app = asgi(state)
    short_way = app.app
    spy = short_way.app = Spy(short_way.app)
    headers = {
        "content-type": kind,
        "accept-encoding": "identity",
    }  # the short way packs nothing: that costs more
    short = post(app, good, good[:50], **headers)
    long = post(create_app(state), good, good[:50], **headers)
    assert [r.status_code for r in short] == [200, 422]
    assert len(spy.seen) == 1  # the broken body only
    for a, b in zip(short, long, strict=True):
        assert a.content == b.content
        assert dict(a.headers) == {k: v for k, v in b.headers.items() if k != "vary"}


def test_long_bodies_and_other_forms_go_to_the_application(demo_tiny):
    app = asgi(ServerState(demo_tiny))
    short_way = app.app
    spy = short_way.app = Spy(short_way.app)
    long = orjson.dumps({"lon": [118.0] * 90_000, "lat": [36.8] * 90_000})
    plain = b'{"lon":[0],"lat":[0]}'
    answers = post(app, long, plain, **{"content-type": "application/json; charset=utf-8"})
    assert [a.status_code for a in answers] == [200, 200]
    (answer,) = post(app, long, **{"content-type": "application/json"})
    assert answer.json()["count"] == 90_000
    assert len(spy.seen) == 3


def test_the_answer_has_its_shape(client, demo_tiny):
    west, south, *_ = demo_tiny.degrees("grids").total_bounds
    answer = client.get("/v1/locate", params={"lon": west - 0.01, "lat": south}).json()
    assert list(answer) == ["lon", "lat", "grids", "edge_m", "also", "nearest"]
    assert answer["grids"] == []
    assert set(answer["nearest"]) == {"grid_id", "distance_m"}


@pytest.mark.parametrize("radius", ["", "&radius_m=5000"])
def test_far_from_the_city_no_grid_is_near(client, radius):
    """0,0 is what a device without a fix sends; a grid at 12,000 km would look like an answer."""
    answer = client.get(f"/v1/locate?lon=0&lat=0{radius}").json()
    assert (answer["grids"], answer["edge_m"], answer["also"], answer["nearest"]) == ([], None, [], None)
    assert "50 km" in answer["note"]


def test_chain_edge_border_and_outside(tiny_city):
    with TestClient(create_app(ServerState(tiny_city))) as http:
        inside = http.get("/v1/locate?lon=118.012&lat=36.805").json()
        border = http.get("/v1/locate?lon=118.02&lat=36.805").json()
        near = http.get("/v1/locate?lon=118.019&lat=36.805&radius_m=100").json()
        far = http.get("/v1/locate?lon=118.05&lat=36.805").json()
    assert [(g["grid_id"], g["level"], g["kind"]) for g in inside["grids"]] == [
        ("370303001000000", 1, "admin"), ("370303001001000", 2, "admin"), ("370303001001002", 3, "base"),
    ]  # fmt: skip
    assert inside["edge_m"] == pytest.approx(0.002 * 89265, rel=1e-3)
    assert (inside["also"], inside["nearest"]) == ([], None)
    assert border["grids"][-1]["grid_id"] == "370303001001002"
    assert (border["also"], border["edge_m"]) == (["370303001002001"], 0.0)
    assert near["also"] == ["370303001002001"]
    assert far["grids"] == []
    assert far["edge_m"] is None
    assert far["nearest"]["grid_id"] == "370303001002002"
    assert far["nearest"]["distance_m"] == pytest.approx(0.01 * 89265, rel=1e-3)


@pytest.mark.parametrize("crs", ["gcj02", "bd09"])
def test_coordinates_of_maps_are_converted(tiny_city, crs):
    with TestClient(create_app(ServerState(tiny_city))) as http:
        lon, lat = (float(v[0]) for v in convert([118.012], [36.805], source="cgcs2000", target=crs))
        answer = http.get("/v1/locate", params={"lon": lon, "lat": lat, "crs": crs}).json()
        many = http.post("/v1/locate", params={"crs": crs}, json={"lon": [lon], "lat": [lat]}).json()
    assert answer["lon"] == pytest.approx(118.012, abs=1e-9)
    assert answer["grids"][-1]["grid_id"] == many["base"][0] == "370303001001002"


@pytest.mark.parametrize(
    ("query", "named"),
    [("lon=118.05", "lat"), ("lon=x&lat=36", "lon"), ("lon=36.8&lat=118", "lat"), ("lon=nan&lat=1", "lon"),
     ("lon=1&lat=inf", "lat"), ("lon=1&lat=1&as_of=yesterday", "as_of"), ("lon=1&lat=1&crs=EPSG:1", "crs"),
     ("lon=1&lat=1&radius_m=-1", "radius_m")],
)  # fmt: skip
def test_wrong_parameters_are_problems_that_name_them(client, query, named):
    answer = client.get(f"/v1/locate?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "bad-input"
    assert named in answer.json()["detail"]


def arrow(lon, lat):
    batch = pa.record_batch({"lon": lon, "lat": lat})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def test_many_points_answer_as_locate(client, demo_tiny, points):
    x, y = points.T
    wanted = demo_tiny.locate(x, y)
    wanted = wanted.astype(object).where(wanted.notna(), None)
    from_json = client.post("/v1/locate", json={"lon": x.tolist(), "lat": y.tolist()}).json()
    answer = client.post("/v1/locate", content=arrow(x, y), headers={"content-type": ARROW})
    assert answer.headers["content-type"] == ARROW
    from_arrow = pa.ipc.open_stream(answer.content).read_all()
    assert from_json["count"] == len(points)
    for name in COLUMNS:
        assert from_json[name] == wanted[name].tolist()
        assert from_arrow.column(name).to_pylist() == wanted[name].tolist()
    assert wanted["base"].notna().sum() > 100


def test_one_point_is_many_points(client, points):
    x, y = points[::20].T
    many = client.post("/v1/locate", json={"lon": x.tolist(), "lat": y.tolist()}).json()
    for i in range(len(x)):
        one = client.get("/v1/locate", params={"lon": float(x[i]), "lat": float(y[i])}).json()
        base = [g["grid_id"] for g in one["grids"] if g["kind"] == "base"]
        assert base == ([many["base"][i]] if many["base"][i] else [])


def test_nulls_and_no_points_are_answered(client):
    empty = client.post("/v1/locate", json={"lon": [], "lat": []}).json()
    assert empty == {"count": 0, **{name: [] for name in COLUMNS}}
    nulls = client.post("/v1/locate", json={"lon": [None, 0], "lat": [1.5, None]}).json()
    assert nulls == {"count": 2, **{name: [None, None] for name in COLUMNS}}
    nothing = client.post(
        "/v1/locate", content=arrow(pa.array([None], pa.float64()), [1.0]), headers={"content-type": ARROW}
    )
    assert pa.ipc.open_stream(nothing.content).read_all().column("base").to_pylist() == [None]


@pytest.mark.parametrize(
    ("body", "named"),
    [(b"{", "JSON"), (b"[]", "lon"), (b'{"lon": [1]}', "lon"), (b'{"lon": [1], "lat": [1, 2]}', "lon has 1"),
     (b'{"lon": ["118"], "lat": [36]}', "lon[0]: '118'"), (b'{"lon": [[1]], "lat": [36]}', "lon[0]"),
     (b'{"lon": 1, "lat": 2}', "list"), (b'{"lon": [0, 36.8], "lat": [0, 118.0]}', "lat[1]: 118.0"),
     (orjson.dumps({"lon": [0] * 100_001, "lat": [0] * 100_001}), "100000")],
)  # fmt: skip
def test_wrong_bodies_are_problems_that_say_where(client, body, named):
    answer = client.post("/v1/locate", content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-input")
    assert named in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "named"),
    [(b"no arrow", "Arrow"), (arrow(["a"], [1.0]), "'lon'"), (arrow([1.0], [100.0]), "lat[0]"),
     (arrow([0.0] * 100_001, [0.0] * 100_001), "100000")],
)  # fmt: skip
def test_wrong_arrow_is_a_problem_that_says_where(client, body, named):
    answer = client.post("/v1/locate", content=body, headers={"content-type": ARROW})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-input")
    assert named in answer.json()["detail"]


def test_a_scope_sees_its_subtree_only(tiny_city):
    state = ServerState(tiny_city, Settings(roots=("370303001001000",)))
    (inside, outside, near) = get(
        asgi(state),
        "/v1/locate?lon=118.012&lat=36.805",
        "/v1/locate?lon=118.032&lat=36.805",
        "/v1/locate?lon=118.019&lat=36.805&radius_m=200",
    )
    assert [g["grid_id"] for g in inside.json()["grids"]] == ["370303001001000", "370303001001002"]
    assert (outside.json()["grids"], outside.json()["edge_m"]) == ([], None)
    assert near.json()["also"] == []
    with TestClient(create_app(state)) as http:
        many = http.post("/v1/locate", json={"lon": [118.012, 118.032], "lat": [36.805, 36.805]}).json()
    assert many["base"] == ["370303001001002", None]
    assert many["town"] == [None, None]


def test_a_date_answers_with_its_grids(tiny_city):
    grids = tiny_city.degrees("grids").copy()
    old = grids.loc[["370303001001001"]].reset_index()
    grids.loc["370303001001001", "valid_from"] = pd.Timestamp("2026-03-01")
    old["grid_id"], old["valid_to"] = "370303001001009", pd.Timestamp("2026-03-01")
    old["history_id"] = "h1"
    history = schema.checked("grids_history", gpd.GeoDataFrame(old, geometry="geometry", crs=grids.crs))
    city = tiny_city.with_table("grids", grids, replace=True).with_table("grids_history", history)
    point = "lon=118.005&lat=36.805"
    with TestClient(create_app(ServerState(city))) as http:
        for day, wanted in (("2026-02-28", "370303001001009"), ("2026-03-01", "370303001001001")):
            one = http.get(f"/v1/locate?{point}&as_of={day}").json()
            many = http.post(f"/v1/locate?as_of={day}", json={"lon": [118.005], "lat": [36.805]}).json()
            assert one["grids"][-1]["grid_id"] == many["base"][0] == wanted
    assert city.locate(118.005, 36.805, as_of=dt.date(2025, 1, 1))["base"].tolist() == ["370303001001009"]


def test_the_documentation_has_examples(client):
    paths = client.get("/openapi.json").json()["paths"]["/v1/locate"]
    assert "example" in paths["get"]["responses"]["200"]["content"]["application/json"]
    assert {"application/json", ARROW} <= set(paths["post"]["requestBody"]["content"])
    assert {"lon", "lat", "as_of", "crs"} <= {p["name"] for p in paths["get"]["parameters"]}


def test_an_address_is_answered_by_the_same_route(client, demo_tiny):
    row = demo_tiny.degrees("addresses").iloc[5]
    answer = client.get("/v1/locate", params={"address": row["standard"]})
    assert answer.status_code == 200, answer.text
    first = answer.json()["candidates"][0]
    assert (first["lon"], first["lat"]) == pytest.approx((row.geometry.x, row.geometry.y), abs=1e-4)
    assert first["grid_id"] == demo_tiny.locate(first["lon"], first["lat"])["base"].iloc[0]
