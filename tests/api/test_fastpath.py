"""The short way for one point, over sockets: the same bytes as the application's, and never in its way."""

import json
import re
import socket
import time
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import urlopen

import browser
import numpy as np
import pytest
import shapely
from uvicorn.config import Config
from uvicorn.server import ServerState as Uvicorn

from api.app import asgi
from api.fastpath import connection
from api.settings import Settings
from api.state import ServerState

PLACE = "lon=118.05&lat=36.81"


class Spy:
    """Notes what reaches the application."""

    def __init__(self, app):
        self.app, self.seen = app, []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            self.seen.append((scope["method"], scope["query_string"].decode()))
        await self.app(scope, receive, send)


@contextmanager
def both(state, **options):
    """Ports of two servers of one city, with and without the short way, and what reaches the first one's application."""
    spy = Spy(asgi(state))
    options = {
        "access_log": False,
        "timeout_keep_alive": 60,
        **options,
    }  # the first answer compiles what it needs
    with (
        browser.serving(spy, http=connection(state), **options) as short,
        browser.serving(asgi(state), http="httptools", **options) as long,
    ):
        yield urlsplit(short).port, urlsplit(long).port, spy.seen


@pytest.fixture(scope="module")
def servers(demo_tiny):
    with both(ServerState(demo_tiny, Settings(hosts=("GIS.city.example",)))) as made:
        made[2].clear()
        yield made


@pytest.fixture
def reached(servers):
    servers[2].clear()
    return servers[2]


def request(query=PLACE, *, method="GET", version="1.1", path="/v1/locate", host="t", more=()):
    lines = [
        f"{method} {path}?{query} HTTP/{version}",
        *([f"Host: {host}"] if host is not None else []),
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Talk:
    """A connection, and the answers on it as they come."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def answer(self, *, body=True):
        """Head without its date, and body, of the next answer."""
        while b"\r\n\r\n" not in self.left:
            self._more()
        head, self.left = self.left.split(b"\r\n\r\n", 1)
        length = re.search(rb"content-length: (\d+)", head)
        size = int(length[1]) if length and body else 0
        while len(self.left) < size:
            self._more()
        given, self.left = self.left[:size], self.left[size:]
        return re.sub(rb"date: [^\r]*\r\n", b"", head), given

    def ask(self, data):
        self.socket.sendall(data)
        return self.answer()

    def _more(self):
        got = self.socket.recv(1 << 16)
        assert got, "the connection was closed"
        self.left += got

    def closed(self):
        return self.left == b"" and self.socket.recv(1) == b""


def ask(port, data, *, body=True):
    with Talk(port) as talk:
        talk.socket.sendall(data)
        return talk.answer(body=body)


def test_the_same_bytes_as_the_application(servers, reached, demo_tiny):
    shapes = demo_tiny.degrees("grids").geometry
    corner = shapely.get_coordinates(shapes.to_numpy())[::29]
    west, south, east, north = shapes.total_bounds
    free = np.random.default_rng(0).uniform((west - 0.01, south - 0.01), (east + 0.01, north + 0.01), (60, 2))
    points = np.vstack(
        [free, corner, (corner + np.roll(corner, 1, axis=0)) / 2, [[0, 0], [180, 90], [-180, -90]]]
    )
    with Talk(servers[0]) as short, Talk(servers[1]) as long:
        for x, y in points.tolist():
            data = request(f"lon={x!r}&lat={y!r}", more=("User-Agent: a", "Connection: keep-alive"))
            answer = short.ask(data)
            assert answer == long.ask(data)
            assert answer[0].startswith(b"HTTP/1.1 200 OK")
    assert len(points) > 90
    assert reached == []


@pytest.mark.parametrize("host", ["t", "127.0.0.1:8321", "[::1]", "gis.city.example", "wall.local:80"])
def test_plain_headers_take_the_short_way(servers, reached, host):
    lines = ("accept: */*", "Accept-Encoding: gzip", "sec-fetch-mode: cors", "X-Forwarded-For: 10.0.0.1", "User-Agent:",
             "Referer: http://t/", "CONNECTION: Keep-Alive")  # fmt: skip
    data = request(host=host, more=lines)
    assert ask(servers[0], data) == ask(servers[1], data)
    assert reached == []


@pytest.mark.parametrize(
    "query",
    ["lat=36.8&lon=118", "lon=118&lat=36.8&crs=gcj02", "lon=1.18e2&lat=36.8", "lon=+118&lat=36.8", "lon=118&lat=",
     "lon=181&lat=36.8", "lon=36.8&lat=118", "lon=nan&lat=36.8", "lon=118&lat=36.8&as_of=2026-01-01", "lon=118",
     "lon=118&lat=36.8&radius_m=20", "lon=%31%31%38&lat=36.8", "", "lon=118&lat=36.8&x=1", "lon=118&lon=119&lat=36.8",
     "lon=118&lat=36.8#there"],
)  # fmt: skip
def test_odd_spellings_go_to_the_application(servers, reached, query):
    data = request(query)
    assert ask(servers[0], data) == ask(servers[1], data)
    assert reached == [("GET", query.split("#")[0])]


@pytest.mark.parametrize(
    "line",
    ["Authorization: Bearer x", "Cookie: a=b", "If-None-Match: x", "Content-Length: 0", "Connection: close",
     "Connection: keep-alive, x", "Proxy-Connection: close", "Host: t", "X-Other: a", "Content-Length: 3\r\n\r\nabc",
     "Transfer-Encoding: chunked\r\n\r\n0"],
)  # fmt: skip
def test_other_headers_go_to_the_application(servers, reached, line):
    data = request(more=(line,))
    assert ask(servers[0], data) == ask(servers[1], data)
    assert reached == [("GET", PLACE)]


@pytest.mark.parametrize("data", [request(method="HEAD"), request(version="1.0"), request(method="OPTIONS")])
def test_other_methods_and_versions_go_to_the_application(servers, reached, data):
    body = not data.startswith(b"HEAD")
    assert ask(servers[0], data, body=body) == ask(servers[1], data, body=body)
    assert len(reached) == 1


@pytest.mark.parametrize("host", ["rebound.attacker.example", "", "x@127.0.0.1", None])
def test_other_names_are_refused(servers, reached, host):
    data = request(host=host)
    answer = ask(servers[0], data)
    assert answer == ask(servers[1], data)
    assert b" 421 " in answer[0]
    assert len(reached) == 1


@pytest.mark.parametrize("line", ["A b: c", " folded", "User-Agent: a\0b", "Accept : x", "no colon"])
def test_broken_requests_are_refused_as_ever(servers, reached, line):
    data = request(more=(line,))
    answer = ask(servers[0], data)
    assert answer == ask(servers[1], data)
    assert reached == [] or reached == [("GET", PLACE)]
    assert b" 400 " in answer[0] or reached


@pytest.mark.parametrize("close", [request(version="1.0"), request(more=("Connection: close",))])
def test_a_connection_that_is_to_be_closed_is_closed(servers, close):
    with Talk(servers[0]) as talk:
        talk.ask(request())
        head, _ = talk.ask(close)
        assert b"connection: close" in head
        assert talk.closed()


def test_requests_behind_one_another_keep_their_order(servers, reached):
    """In one packet, in pieces of any size, and behind one that takes its time."""
    asked = [f"lon=118.{i:02d}&lat=36.81" for i in range(5)]
    with Talk(servers[0]) as talk:
        talk.ask(request())
        talk.socket.sendall(b"".join(map(request, asked)))
        found = [json.loads(talk.answer()[1])["lon"] for _ in asked]
        assert found == [118 + i / 100 for i in range(5)]
        for cut in (1, 5, 30, len(request()) - 1):
            talk.socket.sendall(request()[:cut])
            time.sleep(0.02)
            assert json.loads(talk.ask(request()[cut:])[1])["lon"] == 118.05
        assert len(reached) == 5 + 4
        talk.socket.sendall(request("", path="/v1/indicators"))
        for query in asked:
            talk.socket.sendall(request(query))
        first = json.loads(talk.answer()[1])
        assert "lon" not in first
        assert [json.loads(talk.answer()[1])["lon"] for _ in asked] == found


def test_both_ways_are_counted(servers):
    def count():
        text = urlopen(f"http://127.0.0.1:{servers[0]}/metrics", timeout=20).read().decode()
        wanted = 'santu_requests_total{method="GET",route="/v1/locate",status="200"} '
        times = 'santu_request_seconds_count{route="/v1/locate"} '
        return [float(next((line.split()[-1] for line in text.splitlines() if line.startswith(w)), "0"))
                for w in (wanted, times)]  # fmt: skip

    before = count()
    with Talk(servers[0]) as talk:
        for data in (request(), request(), request(more=("X-Other: a",))):
            talk.ask(data)
    assert [b - a for a, b in zip(before, count(), strict=True)] == [3, 3]


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(demo_tiny):
    with both(ServerState(demo_tiny), timeout_keep_alive=0.5) as (port, _, _), Talk(port) as talk:
        begin = time.monotonic()
        while time.monotonic() - begin < 1.2:
            talk.ask(request())
            time.sleep(0.2)
        begin = time.monotonic()
        assert talk.closed()
        assert 0.1 < time.monotonic() - begin < 5


def test_the_server_ends_at_once_with_open_connections(demo_tiny):
    with both(ServerState(demo_tiny)) as (port, _, _), Talk(port) as talk:
        talk.ask(request())
        begin = time.monotonic()
    assert time.monotonic() - begin < 5


def test_a_new_snapshot_answers_at_once(tiny_city):
    state = ServerState(tiny_city)
    data = request("lon=118.005&lat=36.805")
    with both(state) as (port, _, reached), Talk(port) as talk:
        before = json.loads(talk.ask(data)[1])
        frame = tiny_city.degrees("grids").copy()
        frame["name"] = "新名"
        state.city = tiny_city.with_table("grids", frame, replace=True)
        after = json.loads(talk.ask(data)[1])
        assert reached == []
    assert {g["name"] for g in after["grids"]} == {"新名"}
    assert before["grids"][0]["name"] != "新名"


def test_a_scope_goes_to_the_application(tiny_city):
    with both(ServerState(tiny_city, Settings(roots=("370303001001000",)))) as (port, _, reached):
        answer = json.loads(ask(port, request("lon=118.012&lat=36.805"))[1])
        assert [g["grid_id"] for g in answer["grids"]] == ["370303001001000", "370303001001002"]
        assert len(reached) == 1


class Transport:
    """Takes what a connection writes."""

    def __init__(self):
        self.written = []

    def write(self, data):
        self.written.append(data)

    def get_extra_info(self, *_):
        return None

    def pause_reading(self):
        pass

    def is_closing(self):
        return False


@pytest.fixture
def connected(tiny_city):
    """A connection without a socket, whose tasks are only counted."""

    def make(**options):
        async def application(scope, receive, send):
            pass

        config = Config(application, log_level="warning", lifespan="off", interface="asgi3", **options)
        config.load()
        made = connection(ServerState(tiny_city))(
            config=config, server_state=Uvicorn(), app_state={}, _loop=Loop()
        )
        made.connection_made(Transport())
        return made

    return make


class Loop:
    def __init__(self):
        self.tasks = 0

    def time(self):
        return 0.0

    def call_later(self, *_):
        return None

    def create_task(self, task):
        task.close()
        self.tasks += 1
        return self

    def add_done_callback(self, _):
        pass


def test_who_does_not_read_is_left_to_the_application(connected):
    """There an answer waits until the transport takes more."""
    made = connected(access_log=False)
    made.data_received(request())
    assert (len(made.transport.written), made.loop.tasks) == (1, 0)
    made.pause_writing()
    made.data_received(request())
    assert (len(made.transport.written), made.loop.tasks) == (1, 1)


@pytest.mark.parametrize(
    "options", [{}, {"limit_concurrency": 5, "access_log": False}, {"root_path": "/x", "access_log": False}]
)
def test_what_uvicorn_is_told_to_watch_is_left_to_it(connected, options):
    made = connected(**options)
    made.data_received(request())
    assert (made.transport.written, made.loop.tasks) == ([], 1)


def test_many_kinds_of_header_lines_are_not_all_remembered(connected):
    made = connected(access_log=False)
    for i in range(2500):
        made.data_received(request(more=(f"User-Agent: {i}",)))
    assert (len(made.transport.written), made.loop.tasks) == (2500, 0)
    assert len(made.short._plain) <= 1000


def test_very_long_headers_are_the_applications(servers, reached):
    with Talk(servers[0]) as short:
        head, _ = short.ask(request(more=("User-Agent: " + "a" * 5000,)))
    assert head.startswith(b"HTTP/1.1 200")
    assert len(reached) == 1
