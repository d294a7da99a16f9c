"""The stream gives every client every change it may see, once, in order; and says when it cannot."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import uvicorn
from websockets.sync.client import connect

from api.app import create_app
from api.hub import Hub, TooSlowError, Want
from api.state import ServerState
from geo.city import City
from geo.live import LiveState
from geo.scope import Scope

OPERATOR = Scope()


def row(i: int, lon: float = 118.005) -> dict:
    return {"incident_id": f"J{i}", "lon": lon, "lat": 36.805, "category": "盗窃"}


def run(coroutine):
    """Run in a thread of its own: a browser test before this one may have left a loop running in the main one."""

    async def bounded():
        return await asyncio.wait_for(coroutine, 20)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, bounded()).result()


async def read(client, count: int) -> list[dict]:
    """The next `count` messages that carry changes."""
    out = []
    async for text, _ in client:
        message = json.loads(text)
        if message["type"] == "changes":
            out.append(message)
        if len(out) == count:
            return out
    return out


def test_changes_arrive_in_order_in_batches(tiny_city: City) -> None:
    async def scene() -> None:
        live = LiveState()
        hub = Hub(live, lambda: tiny_city, batch_s=0.1, poll_s=0.005)
        with hub.subscribe(Want(OPERATOR)) as client:
            live.put([row(1)])
            first = (await read(client, 1))[0]
            live.put([row(2)])
            live.put([row(3)])
            live.note("camera", "C1", {"state": "off"})
            second = (await read(client, 1))[0]
        assert [c["id"] for c in first["changes"]] == ["J1"]
        assert [(c["kind"], c["id"]) for c in second["changes"]] == [
            ("incident", "J2"), ("incident", "J3"), ("camera", "C1"),
        ]  # fmt: skip
        assert [c["n"] for c in second["changes"]] == [2, 3, 4]
        assert len(hub) == 0

    run(scene())


def test_a_client_that_returns_gets_what_it_missed_once(tiny_city: City) -> None:
    async def scene() -> None:
        live = LiveState()
        hub = Hub(live, lambda: tiny_city, batch_s=0.01, poll_s=0.005)
        with hub.subscribe(Want(OPERATOR)) as client:
            live.put([row(1)])
            seen = (await read(client, 1))[0]["id"]
            live.put([row(2), row(3)])
            await read(client, 1)
        live.put([row(4)])
        with hub.subscribe(Want(OPERATOR), seen) as client:
            live.put([row(5)])
            messages = await read(client, 2)
        ids = [c["id"] for m in messages for c in m["changes"]]
        assert ids == ["J2", "J3", "J4", "J5"]

    run(scene())


@pytest.mark.parametrize("stale", ["deadbeef-3", "nonsense", "-", "0"])
def test_an_id_of_another_run_or_too_old_says_reset(tiny_city: City, stale: str) -> None:
    async def scene(last_id: str) -> dict:
        live = LiveState(keep=2)
        hub = Hub(live, lambda: tiny_city)
        live.put([row(i) for i in range(9)])
        with hub.subscribe(Want(OPERATOR), last_id or hub.id_of(1)) as client:
            async for text, _ in client:
                return json.loads(text)
        raise AssertionError

    assert run(scene(stale))["reset"] is True
    assert run(scene(""))["reset"] is True  # change 2 is no longer remembered


def test_a_slow_client_is_let_go_and_others_are_not(tiny_city: City) -> None:
    async def scene() -> None:
        live = LiveState()
        hub = Hub(live, lambda: tiny_city, batch_s=0.0, poll_s=0.001, depth=4)
        with hub.subscribe(Want(OPERATOR)) as slow, hub.subscribe(Want(OPERATOR)) as quick:
            got = 0
            reader = asyncio.ensure_future(read(quick, 12))
            for i in range(12):
                live.put([row(i)])
                await asyncio.sleep(0.01)
                assert len(slow) <= 4
            got = len(await reader)
            assert got == 12
            with pytest.raises(TooSlowError):
                await read(slow, 100)
            assert hub.dropped == 1

    run(scene())


def test_scope_grid_and_kind_cut_the_stream(tiny_city: City) -> None:
    west = Scope(roots=frozenset({"370303001001000"}))

    async def scene() -> dict[str, list[str]]:
        live = LiveState()
        hub = Hub(live, lambda: tiny_city, batch_s=0.01, poll_s=0.005)
        wants = {
            "all": Want(OPERATOR),
            "west": Want(west),
            "grid": Want(OPERATOR, grid="370303001002001"),
            "both": Want(west, grid="370303001002001"),
            "stages": Want(OPERATOR, frozenset({"stage"})),
        }
        with contextlib.ExitStack() as stack:
            clients = {k: stack.enter_context(hub.subscribe(w)) for k, w in wants.items()}
            live.put([row(1, 118.005), row(2, 118.025), row(3, 118.035), row(4, 117.0)])
            live.put([row(1, 118.015)], kind="stage")
            live.note("warning", "W1", {"text": "x"})
            await asyncio.sleep(0.2)
            for client in clients.values():
                client.close()
            return {
                k: [f"{c['kind']} {c['id']}" for m in await read(client, 99) for c in m["changes"]]
                for k, client in clients.items()
            }

    got = run(scene())
    assert got["all"] == [
        "incident J1",
        "incident J2",
        "incident J3",
        "incident J4",
        "stage J1",
        "warning W1",
    ]
    assert got["west"] == ["incident J1", "stage J1"]
    assert got["grid"] == ["incident J2"]
    assert got["both"] == []
    assert got["stages"] == ["stage J1"]


def test_secret_cameras_never_pass_below_their_role(demo_tiny: City) -> None:
    cameras = demo_tiny.degrees("cameras").head(2).copy()
    cameras["secrecy"] = [1, 0]
    city = demo_tiny.with_table("cameras", cameras)
    secret, plain = cameras.index

    async def scene(scope: Scope) -> list[str]:
        live = LiveState()
        hub = Hub(live, lambda: city, batch_s=0.01, poll_s=0.005)
        with hub.subscribe(Want(scope)) as client:
            live.note("camera", secret, {"state": "off"})
            live.note("camera", plain, {"state": "off"})
            return [c["id"] for m in await read(client, 1) for c in m["changes"]]

    assert run(scene(Scope(role="operator"))) == [plain]
    assert run(scene(Scope(role="admin"))) == [secret, plain]


def test_heartbeats_come_when_nothing_happens(tiny_city: City) -> None:
    async def scene() -> list[str]:
        hub = Hub(LiveState(), lambda: tiny_city, poll_s=0.005, heartbeat_s=0.02)
        types = []
        with hub.subscribe(Want(OPERATOR)) as client:
            async for text, _ in client:
                types.append(json.loads(text)["type"])
                if len(types) == 3:
                    return types
        return types

    assert run(scene()) == ["hello", "heartbeat", "heartbeat"]


@pytest.fixture
def server(tiny_city: City) -> Iterator[tuple[str, ServerState]]:
    """The application on a free port of this machine, in a thread."""
    state = ServerState(tiny_city)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config = uvicorn.Config(create_app(state), port=port, log_level="error", timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not running.started and time.monotonic() < until:
        time.sleep(0.01)
    yield f"127.0.0.1:{port}", state
    running.should_exit = True
    thread.join(10)


def test_web_socket_and_events_carry_the_same_and_resume(server: tuple[str, ServerState]) -> None:
    address, state = server
    with connect(f"ws://{address}/v1/stream?kinds=incident") as ws:
        hello = json.loads(ws.recv(5))
        assert hello["type"] == "hello"
        assert hello["reset"] is False
        state.live.put([row(1)])
        over_socket = json.loads(ws.recv(5))
    state.live.put([row(2)])
    with connect(f"ws://{address}/v1/stream?since={hello['id']}") as ws:
        ws.recv(5)
        resumed = json.loads(ws.recv(5))
        assert resumed["changes"][0]["id"] == "J1"
    with httpx.stream(
        "GET", f"http://{address}/v1/stream", headers={"Last-Event-ID": hello["id"]}, timeout=5
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        events = [
            json.loads(line[6:])
            for _, line in zip(range(8), lines, strict=False)
            if line.startswith("data: ")
        ]
    assert events[0]["type"] == "hello"
    assert events[1]["changes"][0] == over_socket["changes"][0]
    assert [c["id"] for c in events[1]["changes"]] == ["J1", "J2"]


def test_a_wrong_question_is_refused_with_words(server: tuple[str, ServerState]) -> None:
    address, _ = server
    answer = httpx.get(f"http://{address}/v1/stream?kinds=nothing")
    assert answer.status_code == 404
    assert "incident" in answer.json()["detail"]
    assert httpx.get(f"http://{address}/v1/stream?grid=nowhere").status_code == 404
    from websockets.exceptions import ConnectionClosed

    with connect(f"ws://{address}/v1/stream?grid=nowhere") as ws:
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(5)
        assert closed.value.rcvd.code == 1008
        assert "nowhere" in closed.value.rcvd.reason
