"""What the lookup benchmarks need: a seamless coverage of any size, clustered points, PostGIS, an HTTP client."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.spatial import cKDTree

from geo import schema
from geo.city import City

SQUARE_KM_PER_GRID = 0.41
CENTRE = (118.0, 36.7)
KM = (89.37, 110.97)  # kilometres per degree there


@dataclass(frozen=True)
class Coverage:
    """Base grids in the order of their codes, the village and town of each, and incidents among them."""

    polygons: np.ndarray
    village: np.ndarray
    town: np.ndarray
    lon: np.ndarray
    lat: np.ndarray


def coverage(n: int, points: int, seed: int = 1) -> Coverage:
    """Make `n` grids that tile a city without gap or overlap, dense in its centres, with wiggling borders.

    Voronoi cells of clustered seeds; every border is cut every 25 m or so and bent by one smooth field, so that
    two neighbours stay vertex for vertex the same; rounded to 1e-7 degree. Points: 98 % by grid (so their
    density follows that of the grids), half of those on a seventh of the grids; 2 % anywhere; 6 decimals.
    """
    rng = np.random.default_rng(seed)
    side = np.sqrt(n * SQUARE_KM_PER_GRID)
    seeds = _seeds(rng, n, side)
    cells = shapely.voronoi_polygons(
        shapely.multipoints(seeds), extend_to=shapely.box(0, 0, side, side), ordered=True
    )
    cells = shapely.intersection(shapely.get_parts(cells), shapely.box(0, 0, side, side), grid_size=1e-6)
    cells = shapely.segmentize(np.asarray(cells), 0.028)
    order = np.lexsort((seeds[:, 0], np.floor(seeds[:, 1])))
    polygons = shapely.transform(cells[order], lambda c: _degrees(_bent(np.round(c, 9)), side))
    village = cKDTree(seeds[rng.choice(n, max(n // 5, 1), replace=False)]).query(seeds[order])[1]
    town = cKDTree(seeds[rng.choice(n, max(n // 170, 1), replace=False)]).query(seeds[order])[1]
    lon, lat = _incidents(rng, polygons, points)
    return Coverage(polygons, village, town, lon, lat)


def _seeds(rng: np.random.Generator, n: int, side: float) -> np.ndarray:
    """Forty percent around eight centres, a quarter around small towns, the rest anywhere; evened out three times."""
    centres, towns = rng.uniform(0.2, 0.8, (8, 2)) * side, rng.uniform(0, 1, (max(n // 170, 1), 2)) * side
    a, b = int(n * 0.4), int(n * 0.25)
    points = np.vstack([
        centres[rng.integers(0, 8, 2 * a)] + rng.normal(0, side / 18, (2 * a, 2)),
        towns[rng.integers(0, len(towns), 2 * b)] + rng.normal(0, side / 60, (2 * b, 2)),
        rng.uniform(0, side, (n, 2)),
    ])  # fmt: skip
    points = points[((points > 0) & (points < side)).all(axis=1)]
    points = points[rng.permutation(len(points))[:n]]
    for _ in range(2):
        box = shapely.box(0, 0, side, side)
        cells = shapely.voronoi_polygons(shapely.multipoints(points), extend_to=box, ordered=True)
        centroid = shapely.centroid(shapely.intersection(shapely.get_parts(cells), box))
        points = 0.3 * points + 0.7 * np.c_[shapely.get_x(centroid), shapely.get_y(centroid)]
    return points


def _bent(km: np.ndarray) -> np.ndarray:
    """Move places by up to 15 m; neighbouring places stay in order, so borders do not cross."""
    x, y = km.T
    return np.c_[
        x + 0.008 * np.sin(31 * y + 7 * x) + 0.004 * np.sin(83 * y + 5),
        y + 0.008 * np.sin(29 * x - 5 * y + 1) + 0.004 * np.sin(79 * x + 2),
    ]


def _degrees(km: np.ndarray, side: float) -> np.ndarray:
    return np.round(CENTRE + (km - side / 2) / KM, 7)


def _incidents(rng: np.random.Generator, polygons: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    bounds, n, k = shapely.bounds(polygons), len(polygons), int(m * 0.98)
    i = rng.integers(0, n, k)
    i = np.where(rng.random(k) < 0.5, i // 7 * 7 % n, i)
    west, south, east, north = shapely.total_bounds(polygons)
    x = np.r_[rng.uniform(bounds[i, 0], bounds[i, 2]), rng.uniform(west - 0.02, east + 0.02, m - k)]
    y = np.r_[rng.uniform(bounds[i, 1], bounds[i, 3]), rng.uniform(south - 0.02, north + 0.02, m - k)]
    order = rng.permutation(m)
    return np.round(x[order], 6), np.round(y[order], 6)


def adversarial(polygons: np.ndarray, m: int, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Points on vertices, at the middle of edges, one ulp beside both, and with an x of one and a y of another."""
    rng = np.random.default_rng(seed)
    xy = shapely.get_coordinates(polygons)
    middle = (xy + np.roll(xy, -1, axis=0)) / 2
    k = m // 6
    pick = [rng.choice(len(xy), k) for _ in range(6)]
    away = rng.choice([-1e3, 1e3], (2, k, 2))
    points = np.vstack([
        xy[pick[0]], middle[pick[1]], np.nextafter(xy[pick[2]], away[0]), np.nextafter(middle[pick[3]], away[1]),
        np.c_[xy[pick[4], 0], middle[pick[4], 1]], np.c_[middle[pick[5], 0], xy[pick[5], 1]],
    ])  # fmt: skip
    return tuple(np.ascontiguousarray(points[rng.permutation(len(points))].T))


def truth(polygons: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Lowest polygon that covers each point, by GEOS."""
    point, polygon = shapely.STRtree(polygons).query(shapely.points(x, y), predicate="covered_by")
    return lowest(point, polygon, len(x))


def lowest(point: np.ndarray, polygon: np.ndarray, n: int) -> np.ndarray:
    """Lowest polygon of each point, -1 for none."""
    result = np.full(n, np.iinfo(np.int32).max, np.int32)
    np.minimum.at(result, point, polygon.astype(np.int32))
    result[result == np.iinfo(np.int32).max] = -1
    return result


def city_of(made: Coverage) -> City:
    """Return a City of three levels over a coverage, codes of 15 digits."""
    town_id = np.array([f"3703{t:05d}000000" for t in made.town])
    village_id = np.array([f"3703{t:05d}{v + 1:06d}" for t, v in zip(made.town, made.village, strict=True)])
    base_id = np.array([f"{v}{i:06d}" for i, v in enumerate(village_id)])
    frames = [
        pd.DataFrame(
            {
                "grid_id": base_id,
                "level": 3,
                "kind": "base",
                "parent_id": village_id,
                "geometry": made.polygons,
            }
        )
    ]
    for ids, parents, level in ((village_id, town_id, 2), (town_id, None, 1)):
        groups = pd.Series(range(len(ids))).groupby(ids)
        shapes = [shapely.coverage_union_all(made.polygons[g.to_numpy()]) for _, g in groups]
        first = groups.first().to_numpy()
        parent = None if parents is None else parents[first]
        frames.append(
            pd.DataFrame(
                {
                    "grid_id": ids[first],
                    "level": level,
                    "kind": "admin",
                    "parent_id": parent,
                    "geometry": shapes,
                }
            )
        )
    table = pd.concat(frames, ignore_index=True)
    table["name"] = "网格" + table["grid_id"].str[-4:]
    grids = schema.checked("grids", gpd.GeoDataFrame(table, geometry="geometry", crs="EPSG:4490"))
    return City("比较", crs="EPSG:4548", tables={"grids": grids}, versions={"grids": "1"})


def cpu_s(function: Callable[[], object], repeat: int = 1) -> float:
    """CPU seconds of this process for one call: the median of some."""
    spent = []
    for _ in range(repeat):
        begin = time.process_time()
        function()
        spent.append(time.process_time() - begin)
    return float(np.median(spent))


def process_cpu_s(pid: int) -> float:
    """CPU seconds that a process has used so far, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family_cpu_s(pid: int) -> float:
    """CPU seconds of a process, of its children that live and of those that have ended and were waited for."""
    total = 0.0
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = place.read_text().rsplit(")", 1)[1].split()
            own = int(place.parent.name) == pid
            if own or int(fields[1]) == pid:
                total += sum(map(int, fields[11:15] if own else fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def until_idle(pid: int, quiet_s: float = 2.0) -> float:
    """Wait until a server has done what it prepares in the background; the CPU seconds it used so far."""
    used, since = process_cpu_s(pid), time.monotonic()
    while time.monotonic() - since < quiet_s:
        time.sleep(0.1)
        now = process_cpu_s(pid)
        if now - used > 0.02:
            used, since = now, time.monotonic()
    return used


def postmaster(address: str) -> int:
    """Process id of the database that `postgis` runs."""
    folder = Path(address.split(maxsplit=1)[0].removeprefix("host="))
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


@contextlib.contextmanager
def postgis() -> Iterator[str]:
    """Run a PostgreSQL of one's own with PostGIS, reached through a socket in a temporary folder; its address."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found or not list(Path("/usr/share/postgresql").glob("*/extension/postgis.control")):
        pytest.skip("PostgreSQL with PostGIS is not installed (apt-get install postgresql postgis)")
    programs = found[-1].parent
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    change = ["runuser", "-u", user, "--"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="santu-pg-"))
    if change:
        shutil.chown(folder, user)

    def run(*arguments: object) -> None:
        subprocess.run([*change, *map(str, arguments)], check=True, capture_output=True, cwd=folder)

    data = folder / "data"
    try:
        run(programs / "initdb", "-D", data, "-A", "trust", "-U", "santu", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c shared_buffers=512MB -c work_mem=256MB -c jit=off"
        run(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        yield f"host={folder} user=santu dbname=postgres"
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def server(*arguments: str, port: int, path: str, **environment: str) -> Iterator[int]:
    """Run `python …` that serves on a port until `path` answers; the process id."""
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root), **environment}
    process = subprocess.Popen([sys.executable, *arguments], cwd=root, env=env, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urlopen(f"http://127.0.0.1:{port}{path}", timeout=30).read()
                break
            if process.poll() is not None:
                raise RuntimeError(f"{arguments} ended with {process.returncode}")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def ask(port: int, requests: list[bytes], connections: int = 16) -> list[bytes]:
    """Send requests over some open connections, one at a time on each; the bodies in order."""
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    for s in sockets:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    bodies: list[bytes] = []
    for begin in range(0, len(requests), connections):
        part = requests[begin : begin + connections]
        for s, request in zip(sockets, part, strict=False):
            s.sendall(request)
        bodies += [_body(s) for s, _ in zip(sockets, part, strict=False)]
    for s in sockets:
        s.close()
    return bodies


def _body(s: socket.socket) -> bytes:
    got = s.recv(1 << 16)
    while b"\r\n\r\n" not in got:
        got += s.recv(1 << 16)
    head, body = got.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200"), got[:500]
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    parts, size = [body], len(body)
    while size < length:
        parts.append(s.recv(1 << 20))
        size += len(parts[-1])
    return b"".join(parts)
