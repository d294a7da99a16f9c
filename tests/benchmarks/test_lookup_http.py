"""`/v1/locate` as it is served, against what a user would write; requests and points per CPU second of the server."""

import asyncio
import re

import numpy as np
import orjson
import pyarrow as pa
import pytest

from api.app import asgi
from api.state import ServerState
from geo.index import COMPILED
from geo.store import create_store
from tests.benchmarks import lookup_tools as tools
from tests.benchmarks.lookup_servers import idiomatic_app
from tests.benchmarks.test_lookup import PostGis

pytestmark = pytest.mark.skipif(not COMPILED, reason="numba is off")
ARROW = "application/vnd.apache.arrow.stream"


def store_of(made, folder):
    city = tools.city_of(made)
    store = create_store(folder, name="比较")
    store.write("grids", city.degrees("grids"))
    store.close()
    return folder, city


def gets(path, made, n):
    return [
        f"GET {path}?lon={x!r}&lat={y!r} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
        for x, y in zip(made.lon[:n].tolist(), made.lat[:n].tolist(), strict=True)
    ]


def post(body, kind):
    head = (
        f"POST /v1/locate HTTP/1.1\r\nHost: t\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def arrow(lon, lat):
    batch = pa.record_batch({"lon": lon, "lat": lat})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def santu(folder, port):
    arguments = ("-m", "api.cli", "serve", "--city", str(folder), "--port", str(port))
    return tools.server(*arguments, port=port, path="/v1/locate?lon=0&lat=0")


def peer(name, port, **environment):
    arguments = ("-m", "uvicorn", "--factory", f"tests.benchmarks.lookup_servers:{name}", "--port", str(port))
    more = ("--no-access-log", "--log-level", "warning")
    return tools.server(*arguments, *more, port=port, path="/locate?lon=0&lat=0", **environment)


def rate(port, requests, used, rounds=3):
    """Requests per CPU second, of which `used()` says how many there were: the median round; and the last bodies."""
    tools.ask(port, requests[:500])
    found, bodies = [], []
    for _ in range(rounds):
        begin = used()
        bodies = tools.ask(port, requests)
        found.append(len(requests) / max(used() - begin, 0.01))
    return float(np.median(found)), bodies


def codes_of(bodies):
    grids = [orjson.loads(b)["grids"] for b in bodies]
    return [g[-1]["grid_id"] if g else None for g in grids]


async def call(app, path, points):
    """Bodies of GET requests made of an ASGI application directly."""
    bodies = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.body":
            bodies.append(message["body"])

    for x, y in points:
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
                 "raw_path": path.encode(), "root_path": "", "scheme": "http", "headers": [(b"host", b"t")],
                 "query_string": b"lon=%r&lat=%r" % (x, y), "client": ("t", 1), "server": ("t", 1)}  # fmt: skip
        await app(scope, receive, send)
    return bodies


def test_the_short_way_beats_an_idiomatic_route():
    made = tools.coverage(200, 1500)
    city = tools.city_of(made)
    points = list(zip(made.lon.tolist(), made.lat.tolist(), strict=True))
    apps = {"/v1/locate": asgi(ServerState(city)), "/locate": idiomatic_app(city)}
    bodies, spent = {}, {}
    for path, app in apps.items():
        asyncio.run(call(app, path, points[:50]))
        spent[path] = tools.cpu_s(
            lambda app=app, path=path: bodies.update({path: asyncio.run(call(app, path, points))}), 3
        )
    wanted = [b if isinstance(b, str) else None for b in city.locate(made.lon, made.lat)["base"]]
    assert codes_of(bodies["/v1/locate"]) == wanted
    assert [orjson.loads(a) for a in bodies["/v1/locate"]] == [orjson.loads(b) for b in bodies["/locate"]]
    assert spent["/locate"] > 3 * spent["/v1/locate"]


@pytest.mark.scale
@pytest.mark.timeout(1800)
def test_requests_at_city_scale(tmp_path, capsys):
    made = tools.coverage(15_000, 100_000)
    place, city = store_of(made, tmp_path / "city")
    n = 20_000
    wanted = city.locate(made.lon[:n], made.lat[:n])
    codes = [b if isinstance(b, str) else None for b in wanted["base"]]
    ports = [tools.free_port() for _ in range(3)]
    with tools.postgis() as address:
        base = PostGis(address, made.polygons)
        with (
            santu(place, ports[0]) as pid,
            peer("idiomatic", ports[1], SANTU_CITY=str(place)) as idiomatic_pid,
            peer("postgis", ports[2], DATABASE=address) as asking_pid,
        ):
            for server in (pid, idiomatic_pid, asking_pid):
                tools.until_idle(server)
            cpu = tools.process_cpu_s
            ours, bodies = rate(ports[0], gets("/v1/locate", made, n), lambda: cpu(pid))
            assert codes_of(bodies) == codes
            idiomatic, bodies = rate(ports[1], gets("/locate", made, n), lambda: cpu(idiomatic_pid))
            assert codes_of(bodies) == codes
            master = tools.postmaster(address)
            asking, _ = rate(ports[2], gets("/locate", made, n // 4), lambda: cpu(asking_pid))
            database, _ = rate(
                ports[2],
                gets("/locate", made, n // 4),
                lambda: cpu(asking_pid) + tools.family_cpu_s(master),
            )
            again, _ = rate(ports[0], gets("/v1/locate", made, n), lambda: cpu(pid))
            points = {}
            for size in (1_000, 10_000, 100_000):
                lon, lat = made.lon[:size], made.lat[:size]
                bodies_of = {
                    "JSON": (orjson.dumps({"lon": lon.tolist(), "lat": lat.tolist()}), "application/json"),
                    "Arrow": (arrow(lon, lat), ARROW),
                }
                for name, (body, kind) in bodies_of.items():
                    many = [post(body, kind)] * max(40, 2_000_000 // size)
                    speed, answers = rate_of_posts(ports[0], many, pid)
                    points[name, size] = speed * size
                    check_many(answers[-1], kind, city.locate(lon, lat))
        base.db.close()
    ours = (ours + again) / 2
    with capsys.disabled():
        print(f"\nGET by coordinates, requests per CPU second: santu {ours:,.0f}, idiomatic FastAPI {idiomatic:,.0f} "
              f"({ours / idiomatic:.1f} x), FastAPI + PostGIS {database:,.0f} ({ours / database:.1f} x; {asking:,.0f} without "
              "the CPU of the database)")  # fmt: skip
        for (name, size), speed in points.items():
            print(f"POST {name:<5} {size:>7,} points: {speed / 1e6:6.2f} M points per CPU second")
    assert ours > 2 * idiomatic
    assert ours > 10 * database
    assert points["Arrow", 10_000] > 10e6
    assert points["JSON", 10_000] > 5e6


def rate_of_posts(port, requests, pid):
    found, answers = [], tools.ask(port, requests[:8], connections=4)
    for _ in range(3):
        begin = tools.process_cpu_s(pid)
        answers = tools.ask(port, requests, connections=4)
        found.append(len(requests) / max(tools.process_cpu_s(pid) - begin, 0.01))
    return float(np.median(found)), answers


def check_many(body, kind, wanted):
    wanted = wanted.astype(object).where(wanted.notna(), None)
    if kind == ARROW:
        table = pa.ipc.open_stream(body).read_all()
        found = {name: table.column(name).to_pylist() for name in table.column_names}
    else:
        found = orjson.loads(body)
    assert re.fullmatch(r"\d{15,}", next(b for b in found["base"] if b))
    for name in wanted.columns:
        assert found[name] == wanted[name].tolist()
