"""Vector tiles against their peers, answers checked; full size under `-m scale`."""

import contextlib
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import mapbox_vector_tile
import numpy as np
import psutil
import pytest
import shapely
from shapely.geometry import shape

from geo.demo import demo_city
from geo.scope import Scope
from layers import catalog, tiles
from layers.tiles import mvt
from layers.tiles.source import source

SCOPE = Scope()
WINDOW = shapely.box(-64, -64, 4160, 4160)


@pytest.fixture(scope="module")
def zibo():
    return demo_city(0, "zibo")


def densest(city, name, z, n=8):
    """The tiles of a zoom with the most features of a layer."""
    made = source(city, catalog.layer(name))
    if hasattr(made, "index"):
        x, y = made.index.xy.T
    else:
        b = made.full.bounds
        x, y = (b[:, 0] + b[:, 2]) / 2, (b[:, 1] + b[:, 3]) / 2
    scale = (1 << z) / (2 * mvt.HALF_WORLD_M)
    keys = zip(
        ((x + mvt.HALF_WORLD_M) * scale).astype(int).tolist(),
        ((mvt.HALF_WORLD_M - y) * scale).astype(int).tolist(),
        strict=True,
    )
    return [(z, *k) for k, _ in Counter(keys).most_common(n)]


def cpu_ms(call, repeat=3):
    """Least CPU milliseconds of a few calls in this thread, and the last answer."""
    best, answer = float("inf"), None
    for _ in range(repeat):
        begin = time.thread_time()
        answer = call()
        best = min(best, 1000 * (time.thread_time() - begin))
    return best, answer


def with_mapbox(city, place):
    """The same tile by clipping with shapely and encoding with mapbox-vector-tile."""
    made = source(city, catalog.layer("grids"))
    shapes, features = made.geometry(place[0])
    west, south, east, north = mvt.tile_bounds(*place)
    scale = mvt.EXTENT / (east - west)
    rim = mvt.BUFFER / scale
    b = features.bounds
    hit = (
        (b[:, 0] <= east + rim)
        & (b[:, 2] >= west - rim)
        & (b[:, 1] <= north + rim)
        & (b[:, 3] >= south - rim)
    )
    rows = np.flatnonzero(hit)
    frame = catalog.entry_rows(city, catalog.layer("grids"))
    clipped = shapely.clip_by_rect(shapes[rows], west - rim, south - rim, east + rim, north + rim)
    fields = ["grid_id", "name", "level", "kind", "parent_id", "parent"]
    records = frame[fields].iloc[rows].astype(str).to_dict("records")
    layer = [
        {"geometry": g, "properties": p, "id": int(i)}
        for g, p, i in zip(clipped, records, rows, strict=True)
        if not g.is_empty
    ]
    options = {"quantize_bounds": (west, south, east, north), "extents": 4096}
    return lambda: mapbox_vector_tile.encode({"name": "grids", "features": layer}, default_options=options)


def check_areas(ours, theirs):
    """The same features with the same areas, but for what is smaller than a few tile units."""
    a, b = (
        {
            int(f["id"]): shapely.make_valid(shape(f["geometry"]), method="structure").area
            for f in t["grids"]["features"]
        }
        for t in (mapbox_vector_tile.decode(ours), mapbox_vector_tile.decode(theirs))
    )
    large = {i for i, area in b.items() if area > 500}
    assert large <= set(a)
    assert max(abs(a[i] - b[i]) / b[i] for i in large) < 0.1
    return len(large)


def test_polygons_against_mapbox_vector_tile(demo_small, benchmark):
    [place] = densest(demo_small, "grids", 12, 1)
    entry = catalog.layer("grids")
    tiles.tile(demo_small, entry, place, scope=SCOPE)  # compiled
    ours, data = cpu_ms(lambda: tiles.tile(demo_small, entry, place, scope=SCOPE))
    theirs, other = cpu_ms(with_mapbox(demo_small, place), 1)
    assert check_areas(data, other) > 50
    assert theirs / ours > 5, f"{ours:.2f} ms against {theirs:.2f} ms"
    benchmark(lambda: tiles.tile(demo_small, entry, place, scope=SCOPE))


def test_density_with_a_filter(demo_small, benchmark):
    [place] = densest(demo_small, "incidents", 11, 1)
    entry = catalog.layer("incidents")
    incidents = demo_small.degrees("incidents")
    category = incidents["category"].value_counts().index[0]
    selection = tiles.parse(entry, {"category": category}, timezone="UTC")
    data = benchmark(lambda: tiles.tile(demo_small, entry, place, scope=SCOPE, selection=selection))
    found = mapbox_vector_tile.decode(data)["incidents"]["features"]
    made = source(demo_small, entry)
    rows = made.index.order[made.index.slice(place)]
    assert (
        sum(f["properties"]["count"] for f in found) == (incidents["category"].iloc[rows] == category).sum()
    )


@contextlib.contextmanager
def postgis(tmp_path):
    """A database of our own with PostGIS; the test is skipped where that is not installed."""
    psycopg = pytest.importorskip("psycopg")
    initdb = shutil.which("initdb") or "/usr/lib/postgresql/15/bin/initdb"
    control = os.path.join(os.path.dirname(os.path.realpath(initdb)), "pg_ctl")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    data = tmp_path / "pg"
    data.mkdir()
    if as_user:
        for folder in data.parents:
            if str(folder).startswith("/tmp/"):
                os.chmod(folder, 0o755)
        shutil.chown(data, "postgres")
    made = subprocess.run(
        [*as_user, initdb, "-D", data, "-A", "trust", "-U", "postgres"], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no PostgreSQL here: {made.stderr.decode()[-200:]}")
    options = f"-p 54329 -c listen_addresses='' -k {data} -c shared_buffers=512MB -c work_mem=256MB"
    subprocess.run(
        [*as_user, control, "-D", data, "-o", options, "-w", "-l", data / "log", "start"],
        check=True,
        capture_output=True,
    )
    try:
        with psycopg.connect(f"host={data} port=54329 user=postgres dbname=postgres", autocommit=True) as db:
            try:
                db.execute("create extension postgis")
            except psycopg.Error as error:
                pytest.skip(f"no PostGIS here: {error}")
            db.execute("set max_parallel_workers_per_gather = 0; set jit = off")
            yield db
    finally:
        subprocess.run(
            [*as_user, control, "-D", data, "-m", "immediate", "stop"], check=False, capture_output=True
        )


def load_postgis(db, city):
    made = source(city, catalog.layer("grids"))
    frame = catalog.entry_rows(city, catalog.layer("grids"))
    db.execute("create table g (id int, grid_id text, name text, level int, kind text, parent_id text, parent text, "
               "geom geometry(Geometry, 3857))")  # fmt: skip
    with db.cursor().copy("copy g from stdin") as copy:
        fields = frame[["grid_id", "name", "level", "kind", "parent_id", "parent"]].itertuples(index=False)
        for i, (row, wkb) in enumerate(
            zip(
                fields,
                shapely.to_wkb(shapely.set_srid(made.shapes, 3857), hex=True, include_srid=True),
                strict=True,
            )
        ):
            copy.write_row((i, *row, wkb))
    db.execute(
        "create index on g using gist (geom); create table i (category text, geom geometry(Point, 3857))"
    )
    crowd = source(city, catalog.layer("incidents"))
    categories = crowd.frame["category"].to_numpy()[crowd.index.order]
    with db.cursor().copy("copy i (category, geom) from stdin") as copy:
        wkb = shapely.to_wkb(
            shapely.set_srid(shapely.points(crowd.index.xy), 3857), hex=True, include_srid=True
        )
        for row in zip(categories, wkb, strict=True):
            copy.write_row(row)
    for statement in ("create index on i using gist (geom)", "vacuum analyze g", "vacuum analyze i"):
        db.execute(statement)


GRID_SQL = """select ST_AsMVT(t, 'grids', 4096, 'geom', 'id') from (
  select id, grid_id, name, level, kind, parent_id, parent,
         ST_AsMVTGeom(geom, ST_TileEnvelope(%s, %s, %s), 4096, 64, true) as geom
  from g where geom && ST_TileEnvelope(%s, %s, %s, margin => 64.0 / 4096)) t where geom is not null"""
CELL_SQL = """select ST_AsMVT(t, 'i', 4096, 'geom') from (
  select count(*) as n, ST_AsMVTGeom(ST_SnapToGrid(geom, %s), ST_TileEnvelope(%s, %s, %s)) as geom
  from i where geom && ST_TileEnvelope(%s, %s, %s) and category = any(%s) group by 2) t"""


def wall_ms(call, repeat=3):
    best, answer = float("inf"), None
    for _ in range(repeat):
        begin = time.perf_counter()
        answer = call()
        best = min(best, 1000 * (time.perf_counter() - begin))
    return best, answer


@pytest.mark.scale
def test_polygons_at_city_scale(zibo, tmp_path):
    """15,000 grids: worst of the densest tiles, CPU; mapbox-vector-tile on one of them; PostGIS wall."""
    entry = catalog.layer("grids")
    with postgis(tmp_path) as db:
        load_postgis(db, zibo)
        for z, goal in ((10, 30), (12, 10), (14, 1.5)):
            found = densest(zibo, "grids", z)
            tiles.tile(zibo, entry, found[0], scope=SCOPE)  # simplified once a zoom band
            ours = [cpu_ms(lambda p=p: tiles.tile(zibo, entry, p, scope=SCOPE)) for p in found]
            peer = [wall_ms(lambda p=p: db.execute(GRID_SQL, (*p, *p)).fetchone()[0]) for p in found]
            worst = int(np.argmax([o[0] for o in ours]))
            mapbox, other = cpu_ms(with_mapbox(zibo, found[worst]), 1)
            same = check_areas(ours[worst][1], other)
            mine, theirs = ours[worst][0], peer[worst][0]
            number = len(mapbox_vector_tile.decode(ours[worst][1])["grids"]["features"])
            print(f"\nz{z}: {number} grids ({same} compared), worst {mine:.2f} ms, median "
                  f"{np.median([o[0] for o in ours]):.2f} ms; mapbox-vector-tile {mapbox:.0f} ms = {mapbox / mine:.0f} x; "
                  f"PostGIS {theirs:.1f} ms = {theirs / mine:.1f} x")  # fmt: skip
            assert mine <= goal
            assert mapbox / mine >= 20
            assert theirs / mine >= 1.5
        entry = catalog.layer("incidents")
        kinds = zibo.degrees("incidents")["category"].value_counts().index[:1].tolist()
        for z, goal in ((10, 13), (12, 6)):
            [place] = densest(zibo, "incidents", z, 1)
            everything = zibo.degrees("incidents")["category"].unique().tolist()
            for asked in (everything, kinds):
                selection = tiles.parse(entry, {"category": ",".join(asked)}, timezone="UTC")
                mine, data = cpu_ms(
                    lambda s=selection, p=place: tiles.tile(zibo, entry, p, scope=SCOPE, selection=s), 5
                )
                side = (mvt.tile_bounds(*place)[2] - mvt.tile_bounds(*place)[0]) / 32
                theirs, other = wall_ms(
                    lambda q=(side, *place, *place, asked): db.execute(CELL_SQL, q).fetchone()[0], 2
                )
                count = sum(
                    f["properties"]["count"] for f in mapbox_vector_tile.decode(data)["incidents"]["features"]
                )
                print(f"density z{z}, {len(asked)} categories, {count:,} incidents: {mine:.2f} ms; PostGIS {theirs:.0f} ms "
                      f"= {theirs / mine:.0f} x")  # fmt: skip
                assert len(other) > 0
                assert mine <= goal
                assert theirs / mine >= 20


@pytest.mark.scale
def test_page_against_folium_geojson(zibo):
    """Document and render time of our page against folium's GeoJson of the same grids."""
    import folium

    from layers import folium_map

    folium_map.page(zibo, folium_map.theme("people"), scope=SCOPE)
    begin = time.process_time()
    document, _ = folium_map.page(zibo, folium_map.theme("people"), scope=SCOPE)
    ours = time.process_time() - begin
    frame = catalog.entry_rows(zibo, catalog.layer("grids"))[["grid_id", "name", "geometry"]]
    begin = time.process_time()
    m = folium.Map(tiles=None)
    folium.GeoJson(frame).add_to(m)
    page = m.get_root().render()
    theirs = time.process_time() - begin
    print(f"\npage: {len(document) / 1000:.1f} KB in {1000 * ours:.0f} ms; folium GeoJson {len(page) / 1e6:.1f} MB in "
          f"{theirs:.1f} s: {len(page.encode()) / len(document.encode()):.0f} x smaller, {theirs / ours:.0f} x faster")  # fmt: skip
    assert len(document.encode()) <= 20_000
    assert len(page.encode()) / len(document.encode()) >= 26


@pytest.mark.scale
def test_pictures(zibo):
    """A4 at 1600 x 1130: seconds after the first."""
    from layers import picture

    for name in ("people", "hazards", "facilities"):
        for form in ("png", "pdf"):
            view = picture.view_of(zibo, name)
            spent, data = cpu_ms(lambda v=view, f=form: picture.picture(zibo, v, scope=SCOPE, form=f))
            spent /= 1000
            print(f"\n{name}.{form}: {spent:.2f} CPU s, {len(data) / 1e6:.1f} MB")
            assert spent <= (0.5 if form == "png" else 1.9)


TILE_SERVER = """
import sys, uvicorn
from api.app import asgi
from api.state import ServerState
from geo.demo import demo_city
uvicorn.run(asgi(ServerState(demo_city(0, "small"))), port=int(sys.argv[1]), log_level="error", access_log=False)
"""
TILE_CLIENT = """
import json, socket, sys, time
port, requests, seconds, links = json.load(sys.stdin)
opened = [socket.create_connection(("127.0.0.1", port)) for _ in range(links)]
wanted = [r.encode() for r in requests]
count, size, until, i = 0, 0, time.time() + seconds, 0
while time.time() < until:
    for link in opened:
        link.sendall(wanted[i % len(wanted)])
        i += 1
    for link in opened:
        data = link.recv(1 << 18)
        while b"\\r\\n\\r\\n" not in data:
            data += link.recv(1 << 18)
        head, _, body = data.partition(b"\\r\\n\\r\\n")
        assert head[9:12] in (b"200", b"304"), head
        left = int(head.lower().partition(b"content-length: ")[2].split(b"\\r")[0] or 0) if head[9:12] == b"200" else 0
        size += left
        left -= len(body)
        while left > 0:
            left -= len(link.recv(1 << 18))
        count += 1
print(json.dumps([count, size]))
"""


def answers_per_second(port, requests, seconds=6.0, processes=1, links=6):
    """Answers and bytes a second that clients of their own processes get over connections that stay open."""
    asked = json.dumps([port, requests, seconds, links])
    clients = [
        subprocess.Popen([sys.executable, "-c", TILE_CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]  # fmt: skip
    for client in clients:
        client.stdin.write(asked)
        client.stdin.close()
    got = [json.loads(client.stdout.read()) for client in clients]
    return sum(g[0] for g in got) / seconds, sum(g[1] for g in got) / seconds


@pytest.mark.scale
def test_tiles_per_second_over_http(demo_small):
    """One server process, the densest tiles of zooms 10 to 14 that it has in its cache; asked again: 304."""
    import http.client

    places = [p for z in range(10, 15) for p in densest(demo_small, "grids", z, 20)]
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    root = Path(__file__).parents[2]
    server = subprocess.Popen(
        [sys.executable, "-c", TILE_SERVER, str(port)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        until = time.time() + 60
        while time.time() < until:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        link, tags = http.client.HTTPConnection("127.0.0.1", port), {}
        for place in places:
            link.request(
                "GET", "/tiles/grids/{}/{}/{}.mvt".format(*place), headers={"Accept-Encoding": "gzip"}
            )
            answer = link.getresponse()
            assert mapbox_vector_tile.decode(gzip.decompress(answer.read()))["grids"]["features"]
            tags[place] = answer.headers["ETag"]
        line = "GET /tiles/grids/{}/{}/{}.mvt HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n"
        full = [line.format(*p) + "\r\n" for p in places]
        same = [line.format(*p) + f"If-None-Match: {tags[p]}\r\n\r\n" for p in places]
        process = psutil.Process(server.pid)
        for name, requests in (("cached tiles", full), ("not changed", same)):
            begin = sum(process.cpu_times()[:2])
            rate, size = answers_per_second(port, requests)
            spent = sum(process.cpu_times()[:2]) - begin
            print(
                f"\n{name}: {rate:,.0f} a second, {size / 1e6:.1f} MB/s, {1e6 * spent / 6 / rate:.0f} us CPU each"
            )
            assert rate >= 6_000
    finally:
        server.terminate()
        server.wait(10)
