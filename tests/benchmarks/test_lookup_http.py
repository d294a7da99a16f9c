"""`/v1/locate` as it is served, against what a user would write; requests and points per CPU second of the server."""

import asyncio
import re

import numpy as np
import orjson
import pyarrow as pa
import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState as Uvicorn

from api.app import asgi
from api.fastpath import connection
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


def rates(servers, rounds=5):
    """Requests per CPU second of several servers, asked in turn: (servers × rounds) and the last bodies of each.

    `servers`: port, requests and what says how many CPU seconds were used so far.
    """
    found, bodies = [[] for _ in servers], [[] for _ in servers]
    for port, requests, _ in servers:
        tools.ask(port, requests[:500])
    for _ in range(rounds):
        for i, (port, requests, used) in enumerate(servers):
            begin = used()
            bodies[i] = tools.ask(port, requests)
            found[i].append(len(requests) / max(used() - begin, 0.01))
    return np.array(found), bodies


def codes_of(bodies):
    grids = [orjson.loads(b)["grids"] for b in bodies]
    return [g[-1]["grid_id"] if g else None for g in grids]


class Wire:
    """A transport that keeps what is written, so that a connection costs no system calls."""

    def __init__(self):
        self.left = b""

    def write(self, data):
        self.left += data

    def take(self):
        """Body of an answer that is whole; None before."""
        head, _, body = self.left.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if length is None or len(body) < int(length[1]):
            return None
        self.left = b""
        return body

    def get_extra_info(self, *_):
        return None

    def is_closing(self):
        return False

    def resume_reading(self):
        pass


async def talk(app, http, requests):
    """Bodies that a connection of uvicorn answers, all of it but the socket."""
    config = Config(app, http=http, log_level="warning", access_log=False, lifespan="off", interface="asgi3")
    config.load()
    made, wire, bodies = config.http_protocol_class(config, Uvicorn(), {}), Wire(), []
    made.connection_made(wire)
    for request in requests:
        made.data_received(request)
        while (body := wire.take()) is None:  # noqa: ASYNC110  # the loop has nothing else to do
            await asyncio.sleep(0)
        bodies.append(body)
    return bodies


def test_the_short_way_beats_an_idiomatic_route():
    made = tools.coverage(200, 1500)
    city = tools.city_of(made)
    state = ServerState(city)
    ways = {"/v1/locate": (asgi(state), connection(state)), "/locate": (idiomatic_app(city), "httptools")}
    bodies, spent = {}, {}
    for path, way in ways.items():
        requests = gets(path, made, len(made.lon))
        asyncio.run(talk(*way, requests[:50]))
        spent[path] = tools.cpu_s(
            lambda path=path, way=way, requests=requests: bodies.update(
                {path: asyncio.run(talk(*way, requests))}
            ),
            3,
        )
    wanted = [b if isinstance(b, str) else None for b in city.locate(made.lon, made.lat)["base"]]
    assert codes_of(bodies["/v1/locate"]) == wanted
    assert [orjson.loads(a) for a in bodies["/v1/locate"]] == [orjson.loads(b) for b in bodies["/locate"]]
    assert spent["/locate"] > 5 * spent["/v1/locate"]


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
            master = tools.postmaster(address)
            asked = [
                (ports[0], gets("/v1/locate", made, n), lambda: cpu(pid)),
                (ports[1], gets("/locate", made, n), lambda: cpu(idiomatic_pid)),
                (
                    ports[2],
                    gets("/locate", made, n // 4),
                    lambda: cpu(asking_pid) + tools.family_cpu_s(master),
                ),
            ]
            alone = cpu(asking_pid)
            found, bodies = rates(asked)
            alone = cpu(asking_pid) - alone
            assert [codes_of(b) for b in bodies[:2]] == [codes, codes]
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
    ours, idiomatic, database = np.median(found, axis=1)
    per_idiomatic, per_database = (np.median(found[0] / found[i]) for i in (1, 2))
    asking = (5 * (n // 4) + 500) / alone
    with capsys.disabled():
        print(f"\nGET by coordinates, requests per CPU second, median of {found.shape[1]} rounds in turn: santu {ours:,.0f}, "
              f"idiomatic FastAPI {idiomatic:,.0f} ({per_idiomatic:.1f} x), FastAPI + PostGIS {database:,.0f} "
              f"({per_database:.1f} x; {asking:,.0f} without the CPU of the database)\n{np.round(found)}")  # fmt: skip
        for (name, size), speed in points.items():
            print(f"POST {name:<5} {size:>7,} points: {speed / 1e6:6.2f} M points per CPU second")
    assert per_idiomatic > 4
    assert per_database > 10
    assert points["Arrow", 10_000] > 10e6
    assert points["JSON", 10_000] > 5e6


def rate_of_posts(port, requests, pid):
    found, answers = [], tools.ask(port, requests[:8], connections=4)
    for _ in range(9):  # a clock of 10 ms counts what the server prepares beside it, too
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
