"""Pushing live changes: 1,000 incidents a minute to 200 clients; latency as seen by the clients, CPU of the server."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import websockets

SERVER = """
import sys, threading, time, uvicorn
from api.app import create_app
from api.state import ServerState
from geo.demo import demo_city
city = demo_city(0, "tiny")
state = ServerState(city)
per_second, seconds = float(sys.argv[2]), float(sys.argv[3])
west, south, east, north = city.degrees("grids").total_bounds
def feed():
    sys.stdin.readline()
    begun, i = time.time(), 0
    while time.time() - begun < seconds:
        state.live.put([{"incident_id": f"J{i}", "lon": (west + east) / 2, "lat": (south + north) / 2,
                         "category": "盗窃", "stage": "found", "source": "reported", "severity": 4,
                         "occurred_at": "2026-07-01T00:00:00Z", "address": "某路1号", "sent": time.time()}])
        i += 1
        time.sleep(max(begun + i / per_second - time.time(), 0))
    print("fed", i, flush=True)
threading.Thread(target=feed, daemon=True).start()
uvicorn.run(create_app(state), port=int(sys.argv[1]), log_level="error", ws_per_message_deflate=False)
"""


async def listen(
    port: int, clients: int, begin, seconds: float
) -> tuple[list[float], list[float], list[int]]:
    """Latencies (newest change of each batch, every change) in seconds, and changes per client."""
    newest: list[float] = []
    every: list[float] = []
    counts: list[int] = []

    async def one(i: int) -> None:
        got = 0
        async with websockets.connect(
            f"ws://127.0.0.1:{port}/v1/stream", compression=None, max_queue=64
        ) as ws:
            ready.append(i)
            if len(ready) == clients:
                joined.set()
            until = None
            while True:
                try:
                    text = await asyncio.wait_for(
                        ws.recv(), 3 if until is None else max(until - time.time(), 0.1)
                    )
                except TimeoutError:
                    if until is not None and time.time() >= until:
                        break
                    if begun.is_set():
                        until = time.time() + 0.5
                    continue
                now = time.time()
                message = json.loads(text)
                if message["type"] != "changes":
                    continue
                got += len(message["changes"])
                if i % 8 == 0:  # parsing on the same cores would be measured too
                    newest.append(now - message["changes"][-1]["body"]["sent"])
                    every.extend(now - c["body"]["sent"] for c in message["changes"])
                if time.time() > end[0]:
                    until = time.time() + 1.0
        counts.append(got)

    ready: list[int] = []
    end = [float("inf")]
    begun, joined = asyncio.Event(), asyncio.Event()
    tasks = [asyncio.ensure_future(one(i)) for i in range(clients)]
    await asyncio.wait_for(joined.wait(), 60)
    begin()
    end[0] = time.time() + seconds
    await asyncio.sleep(seconds)
    begun.set()
    await asyncio.gather(*tasks)
    return newest, every, counts


def push(clients: int, per_minute: int, seconds: float) -> dict[str, float]:
    port = 18_000 + os.getpid() % 2_000
    root = Path(__file__).parents[2]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port), str(per_minute / 60), str(seconds)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    process = psutil.Process(server.pid)
    try:
        until = time.time() + 90
        while time.time() < until:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        cpu = [0.0]

        def begin() -> None:
            cpu[0] = sum(process.cpu_times()[:2])
            server.stdin.write("\n")
            server.stdin.flush()

        begun = time.time()
        with ThreadPoolExecutor(1) as pool:  # a browser test may have left a loop running in this thread
            newest, every, counts = pool.submit(asyncio.run, listen(port, clients, begin, seconds)).result()
        used = sum(process.cpu_times()[:2]) - cpu[0]
        fed = int(server.stdout.readline().split()[1])
        assert counts == [fed] * clients, (fed, sorted(set(counts)))
        return {
            "clients": clients, "changes": fed, "newest_p50_ms": 1e3 * np.percentile(newest, 50),
            "newest_p99_ms": 1e3 * np.percentile(newest, 99), "every_p50_ms": 1e3 * np.percentile(every, 50),
            "every_p99_ms": 1e3 * np.percentile(every, 99), "cpu_percent": 100 * used / (time.time() - begun),
        }  # fmt: skip
    finally:
        server.terminate()
        server.wait(10)


def test_every_client_gets_every_change_in_time() -> None:
    result = push(clients=20, per_minute=1_000, seconds=3)
    assert result["newest_p50_ms"] < 250


@pytest.mark.scale
def test_two_hundred_clients() -> None:
    result = push(clients=200, per_minute=1_000, seconds=30)
    print({k: round(v, 1) for k, v in result.items()})
    assert result["newest_p99_ms"] <= 100
    assert result["cpu_percent"] <= 5
