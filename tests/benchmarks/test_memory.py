"""What `santu serve` needs when a city is prepared, and how long the console's first visit waits then.

A server as a user starts it, on a store; memory as the system counts it (`/proc/PID/status`), addresses asked over a
socket, every one twice. The default run takes a small city, `-m scale` one of zibo's size, first as imported and again
after a restart, when the slow figures lie beside the store.
"""

import math
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from geo.demo import demo_city
from geo.store import create_store, open_city
from tests.benchmarks import lookup_tools as tools
from tests.benchmarks.test_demo import made

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
MB = 1024
A_THOUSAND_A_MINUTE = 60  # ms for one incident
DAYS = 28  # what the console shows when it opens


def memory_mb(pid: int) -> dict[str, float]:
    """Resident memory of a process now (`VmRSS`), its share that is no file (`RssAnon`), and its peak (`VmHWM`)."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name[:-1]: int(rest[0]) / MB for name, *rest in lines if name in ("VmRSS:", "RssAnon:", "VmHWM:")}


def tile_of(lon: float, lat: float, z: int) -> tuple[int, int]:
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return int((lon + 180) / 360 * 2**z), int(y * 2**z)


def asked(config: dict) -> dict[str, list[str]]:
    """Addresses that the console asks for when it opens on a fitted city, by what they are."""
    west, south, east, north = config["bounds"]
    z = max(6, min(14, int(math.log2(360 / max(east - west, north - south)) + 1.5)))
    newest = datetime.fromisoformat(config["latest"])
    since = f"{newest - timedelta(days=DAYS):%Y-%m-%dT%H:%M:%SZ}"
    found = {}
    layers = (("basemap", "", z), ("borders", "fields=", z - 1), (config["finest"], "fields=grid_id", z - 1),
              ("incidents", f"since={since}", z), ("cameras", "", z))  # fmt: skip
    for name, query, zoom in layers:
        (left, bottom), (right, top) = tile_of(west, south, zoom), tile_of(east, north, zoom)
        found[f"tiles of {name}"] = [
            f"/tiles/{name}/{zoom}/{x}/{y}.mvt?{query}&v={config['versions'][name]}"
            for x in range(left, right + 1)
            for y in range(top, bottom + 1)
        ]
    found["hotspots of the map"] = ["/v1/hotspots/grids"]
    found["open incidents"] = [f"/v1/incidents?only_open=true&limit=2000&since={since}"]
    found["all open incidents"] = ["/v1/incidents?only_open=true&limit=2000"]
    found["hotspots"] = ["/v1/hotspots"]
    return found


def visit(client: httpx.Client) -> tuple[dict[str, float], dict[str, bytes]]:
    """Ask for all that the console shows first: seconds and bytes by what it is."""
    seconds, bodies = {}, {}

    def get(name: str, paths: list[str]) -> None:
        begin = time.perf_counter()
        answers = [client.get(path) for path in paths]
        seconds[name] = time.perf_counter() - begin
        assert {a.status_code for a in answers} <= {200, 204}, name
        bodies[name] = b"".join(a.content for a in answers)

    get("page", ["/"])
    get("config", ["/console/config.json"])
    for name, paths in asked(httpx.Response(200, content=bodies["config"]).json()).items():
        get(name, paths)
    return seconds, bodies


def posts(client: httpx.Client, number: int, name: str) -> list[float]:
    """Milliseconds until each of some incidents, posted one after the other, is on disk and told to all; sorted."""
    west, south, east, north = client.get("/console/config.json").json()["bounds"]
    took = []
    for i in range(number):
        body = {
            "incident_id": f"{name}-{i}", "lon": west + (east - west) * (i + 1) / (number + 1), "lat": (south + north) / 2,
            "occurred_at": "2026-06-30T08:00:00+08:00", "category": "盗窃", "source": "reported",
        }  # fmt: skip
        begin = time.perf_counter()
        answer = client.post("/v1/incidents", json=body)
        took.append(1e3 * (time.perf_counter() - begin))
        assert answer.status_code == 201, answer.text
    assert client.get("/v1/incidents", params={"limit": 1}).json()["live"] >= number
    return sorted(took)


def served(folder: Path) -> dict:
    """Serve a store until it is prepared: seconds to that, memory, and the first and second visit."""
    port = tools.free_port()
    arguments = ("-m", "api.cli", "serve", "--city", str(folder), "--port", str(port))
    begin = time.perf_counter()
    with (
        tools.server(*arguments, port=port, path="/readyz", SANTU_ROLE="admin") as pid,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client,
    ):
        while not client.get("/readyz").json()["prepared"]:
            assert time.perf_counter() - begin < 600, "not prepared in ten minutes"
            time.sleep(0.2)
        prepared = {"seconds": time.perf_counter() - begin, **memory_mb(pid)}
        first, one = visit(client)
        second, two = visit(client)
        posted_ms = posts(client, 60, name := f"NEW{time.time_ns()}")
        corrected_ms = posts(client, 60, name)
        after = memory_mb(pid)
    assert one == two
    assert all(len(one[k]) > 100 for k in one), {k: len(v) for k, v in one.items()}
    return {
        "prepared": prepared,
        "first": first,
        "second": second,
        "after": after,
        "posted_ms": posted_ms,
        "corrected_ms": corrected_ms,
    }


def told(title: str, found: dict) -> str:
    """Lines for the eye."""
    lines = [f"\n{title}: prepared {found['prepared']}, after two visits {found['after']}"]
    lines += [
        f"  {k:22s} {1e3 * found['first'][k]:7.0f} {1e3 * found['second'][k]:7.0f} ms" for k in found["first"]
    ]
    took = found["posted_ms"]
    return "\n".join(
        [
            *lines,
            f"  one incident posted: median {took[30]:.1f} ms, slowest {took[-1]:.1f} ms; corrected: {found['corrected_ms'][30]:.1f} ms",
            f"  {'sum':22s} {1e3 * sum(found['first'].values()):7.0f} {1e3 * sum(found['second'].values()):7.0f} ms",
        ]
    )


def late_s(found: dict) -> float:
    """Seconds that the first visit takes longer than the second."""
    return sum(found["first"].values()) - sum(found["second"].values())


def test_a_small_city(tmp_path, capsys) -> None:
    """A small city: at most 800 MB resident (the program itself takes 400), first visit within 0.5 s of the second."""
    city = demo_city(0, "small")
    store = create_store(tmp_path / "city", name=city.name)
    for table in ("grids", "cameras", "incidents", "roads", "facilities", "hazards"):
        store.write(table, city.degrees(table))
    store.close()
    found = served(tmp_path / "city")
    with capsys.disabled():
        print(told("small", found))
    assert found["prepared"]["VmRSS"] < 800
    assert found["posted_ms"][30] <= A_THOUSAND_A_MINUTE
    assert late_s(found) < 0.5


@pytest.mark.scale
@pytest.mark.timeout(1800)
def test_a_city_of_zibo_size(tmp_path, capsys) -> None:
    """2.5 million incidents, 77,000 cameras, as imported (nothing kept yet) and after a restart; incidents arrive.

    Goals: 3 GB resident, a peak below 5 GB, the first visit as fast as the second within 0.5 s. The visit is held to its
    goal, and after a restart the peak too. Resident memory is short of its goal: after a restart the process itself holds
    3 GB (`RssAnon`), 0.3 of them the table of all incidents' ids, and `VmRSS` counts 0.9 GB of mapped files too. The very
    first start after an import is short by more, peak included: its tables are read from the database, with an object a
    row, and only the next start finds the packed copies. Limits there keep what was measured from growing. An incident
    that is posted, or corrected, takes no longer than a thousand a minute leave.
    """
    made(tmp_path / "city", "zibo")
    assert len(open_city(tmp_path / "city").degrees("incidents")) == 2_500_000
    cold, again = served(tmp_path / "city"), served(tmp_path / "city")
    with capsys.disabled():
        print(told("zibo, as imported", cold), told("zibo, restarted", again))
    assert again["prepared"]["VmHWM"] < 5 * 1024
    assert again["prepared"]["RssAnon"] < 3.3 * 1024
    assert again["prepared"]["VmRSS"] < 4 * 1024
    assert cold["prepared"]["VmHWM"] < 6 * 1024
    assert cold["prepared"]["VmRSS"] < 5 * 1024
    assert again["posted_ms"][30] <= A_THOUSAND_A_MINUTE
    assert again["corrected_ms"][30] <= A_THOUSAND_A_MINUTE
    assert late_s(cold) < 0.5
    assert late_s(again) < 0.5
