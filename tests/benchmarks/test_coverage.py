"""Speed of coverage, with its answers checked: peers in the same run, by ratio of CPU time.

The scale run lays the real old-town footprints of `suzhou/buildings.json` in 11 × 11 tiles: 372,196 buildings on
550 km², 80,000 cameras, 15,000 grids. It prints the table of `docs/benchmarks/coverage.md`.
"""

import shutil
import subprocess
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pysovist
import pytest
import shapely

from geo.coverage import blind_spot, outage, staircase
from geo.coverage.forbidden import forbidden_views
from geo.coverage.interval import interval
from geo.coverage.ledger import ledger
from geo.coverage.network import network
from geo.coverage.occlusion import occluders
from geo.coverage.road import stretches
from geo.coverage.sector import sectors
from geo.coverage.sweep import visible
from geo.coverage.view import scene
from geo.coverage.watch import watch
from geo.coverage.what_if import what_if

CRS = "EPSG:32651"


def tiled(path, tiles):
    """Footprints of a real old town, tiled; edge of the square in metres."""
    shapes = np.asarray(gpd.read_file(path).to_crs(CRS).geometry)
    west, south, east, north = shapely.total_bounds(shapes)
    step = np.array([east - west + 20, north - south + 20])
    parts = [
        shapely.transform(shapes, lambda xy, i=i, j=j: xy - [west, south] + step * [i, j])
        for i in range(tiles)
        for j in range(tiles)
    ]
    return np.concatenate(parts), step * tiles


def eyes(prepared, size, n, seed=0):
    """Cameras of the usual mix outside buildings: bullets, domes that turn, small domes, panoramas."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform([0, 0], size, (2 * n, 2))
    xy = xy[~prepared.inside(xy)][:n]
    kind = rng.choice(4, n, p=[0.65, 0.2, 0.1, 0.05])
    return pd.DataFrame(
        {
            "x": xy[:, 0],
            "y": xy[:, 1],
            "bearing": rng.uniform(0, 360, n),
            "fov": np.choose(kind, [60.0, 360.0, 80.0, 180.0]),
            "far": np.choose(
                kind, [rng.uniform(30, 80, n), np.full(n, 100.0), np.full(n, 25.0), np.full(n, 40.0)]
            ),
        }
    )


def views(table):
    return sectors(
        table[["x", "y"]].to_numpy(), bearing_deg=table["bearing"], fov_deg=table["fov"], range_m=table["far"]
    )


def cpu(action):
    begin = time.process_time()
    result = action()
    return result, time.process_time() - begin


def peer_isovists(table, prepared, rows):
    """pysovist on the walls around each eye (given to it ready, outside the clock)."""
    box = views(table).bounds
    near = [prepared.edges[prepared.near(box[[i]])[1]].reshape(-1, 2, 2) for i in rows]
    begin = time.process_time()
    areas = []
    for walls, i in zip(near, rows, strict=True):
        row = table.iloc[i]
        direction = np.remainder(np.radians(90 - row["bearing"]) + np.pi, 2 * np.pi) - np.pi
        areas.append(
            pysovist.isovist(
                walls,
                (row["x"], row["y"]),
                max_distance=row["far"],
                fov=np.radians(row["fov"]),
                direction=direction,
            ).area
        )
    return np.array(areas), (time.process_time() - begin) / len(rows)


def peer_shadows(table, prepared, rows):
    """Sector minus the union of the shadows of all edges around, by GEOS overlay."""
    view = views(table)
    box = view.bounds
    near = [prepared.edges[prepared.near(box[[i]])[1]] for i in rows]
    begin = time.process_time()
    areas = []
    for edges, i in zip(near, rows, strict=True):
        eye = np.array([view.x[i], view.y[i]])
        angle = view.start[i] + np.linspace(
            0, view.opening[i], max(int(np.degrees(view.opening[i]) / 2), 2) + 1
        )
        ring = eye + view.far[i] * np.column_stack([np.cos(angle), np.sin(angle)])
        sector = shapely.Polygon(ring if view.opening[i] > 6.28 else np.vstack([ring, eye]))
        a, b = edges[:, :2], edges[:, 2:]
        grow = (
            3
            * view.far[i]
            / np.maximum(np.hypot(*(edges.reshape(-1, 2) - eye).T).reshape(-1, 2).min(axis=1), 0.1)
        )
        far_a, far_b = eye + grow[:, None] * (a - eye), eye + grow[:, None] * (b - eye)
        shadow = shapely.convex_hull(shapely.multipoints(np.stack([a, b, far_b, far_a], axis=1).reshape(-1, 2),
                                                         indices=np.repeat(np.arange(len(a)), 4)))  # fmt: skip
        areas.append(sector.difference(shapely.union_all(shadow)).area)
    return np.array(areas), (time.process_time() - begin) / len(rows)


def python_with_gdal():
    """A Python that has GDAL's bindings: never ours, which does without them; None where there is none."""
    for name in ("/usr/bin/python3", shutil.which("python3")):
        if (
            name
            and subprocess.run(
                [name, "-c", "import osgeo.gdal, numpy"], check=False, capture_output=True
            ).returncode
            == 0
        ):
            return name
    return None


def peer_gdal(table, prepared, rows, folder, cell_m=1.0):
    """GDAL viewshed on a surface model drawn from the same blocks: areas, and CPU seconds a camera, bare and whole."""
    view = views(table.iloc[rows])
    reach = np.column_stack([view.x - view.far, view.y - view.far, view.x + view.far, view.y + view.far])
    eye, block = shapely.STRtree(prepared.blocks).query(shapely.box(*reach.T))
    with_blocks, number = np.unique(eye, return_inverse=True)
    solid = np.full(len(rows), shapely.MultiPolygon(), dtype=object)
    solid[with_blocks] = shapely.multipolygons(prepared.blocks[block], indices=number)
    wkb = shapely.to_wkb(solid, hex=True).astype(str)
    names = {n: getattr(view, n) for n in ("x", "y", "far", "start", "opening")}
    np.savez(folder / "in.npz", **names, wkb=wkb, cell_m=cell_m)
    script = Path(__file__).with_name("gdal_viewshed.py")
    subprocess.run([python_with_gdal(), script, folder / "in.npz", folder / "out.npz"], check=True, env={})
    found = np.load(folder / "out.npz")
    return found["area"], float(found["viewshed"]) / len(rows), float(found["polygon"]) / len(rows)


@pytest.mark.skipif(python_with_gdal() is None, reason="no Python with GDAL here (Debian: python3-gdal)")
def test_raster_viewshed_is_slower_and_low(shared_data, tmp_path):
    """The study's 90 x and 21 % low are not reached against the bare call; see docs/benchmarks/coverage.md."""
    shapes, size = tiled(shared_data("suzhou/buildings.json"), 1)
    prepared = occluders(shapes)
    table = eyes(prepared, size, 1500)
    visible(views(table.iloc[:50]), prepared)
    (_, area), seconds = cpu(lambda: visible(views(table), prepared))
    rows = np.arange(0, 1500, 15)
    raster, bare, whole = peer_gdal(table, prepared, rows, tmp_path)
    assert 0.6 < raster.sum() / area[rows].sum() < 1.0
    assert bare / seconds * len(table) > 2
    assert whole / seconds * len(table) > 10


def test_sweep_against_peers(benchmark, shared_data):
    shapes, size = tiled(shared_data("suzhou/buildings.json"), 2)
    prepared = occluders(shapes)
    table = eyes(prepared, size, 1500)
    visible(views(table.iloc[:50]), prepared)
    (polygons, area), seconds = cpu(lambda: visible(views(table), prepared))
    benchmark(lambda: visible(views(table), prepared))
    assert shapely.is_valid(polygons).all()
    rows = np.arange(0, 1500, 10)
    peer, per_peer = peer_isovists(table, prepared, rows)
    np.testing.assert_allclose(area[rows], peer, rtol=1e-9)
    rows = rows[area[rows] > 20][::3]  # an eye a hand from a wall has shadows too long for the overlay
    shadow, per_shadow = peer_shadows(table, prepared, rows)
    np.testing.assert_allclose(area[rows], shadow, rtol=5e-3, atol=0.5)
    per_camera = seconds / len(table)
    benchmark.extra_info.update(pysovist=per_peer / per_camera, shadows=per_shadow / per_camera)
    assert per_peer / per_camera > 10
    assert per_shadow / per_camera > 10


def city(shared_data, tiles, cameras, grids):
    shapes, size = tiled(shared_data("suzhou/buildings.json"), tiles)
    world, t_scene = cpu(lambda: scene(gpd.GeoSeries(shapes, crs=CRS)))
    table = eyes(world.flat, size, cameras)
    rng = np.random.default_rng(1)
    register = gpd.GeoDataFrame(
        {
            "bearing_deg": table["bearing"].to_numpy(),
            "fov_deg": table["fov"].to_numpy(),
            "range_m": table["far"].to_numpy(),
            "resolution_px": rng.choice([1920, 2560, 3840], cameras),
            "state": rng.choice(["on", "off"], cameras, p=[0.95, 0.05]),
            "light_type": rng.choice([1, 2], cameras),
            "switch_id": [f"s{i // 200}" for i in np.lexsort((table["y"], np.floor(table["x"] / 900)))],
        },
        geometry=shapely.points(table[["x", "y"]].to_numpy()),
        index=pd.Index([f"c{i:06d}" for i in range(cameras)], name="camera_id"),
        crs=CRS,
    )
    step = np.sqrt(size[0] * size[1] / grids)
    nx, ny = np.ceil(size / step).astype(int)
    x, y = (v.ravel() * step for v in np.meshgrid(np.arange(nx), np.arange(ny)))
    zones = gpd.GeoSeries(
        shapely.box(x, y, x + step, y + step), index=[f"g{i}" for i in range(len(x))], crs=CRS
    )
    lines = [[(x, 0), (x, size[1])] for x in np.arange(0, size[0], 2 * step)]
    lines += [[(0, y), (size[0], y)] for y in np.arange(0, size[1], 2 * step)]
    cut = shapely.get_parts(
        shapely.node(shapely.multilinestrings([shapely.linestrings(line) for line in lines]))
    )
    roads = gpd.GeoDataFrame(
        {"name": [f"路{i}" for i in range(len(cut))], "class": "primary"}, geometry=cut, crs=CRS
    )
    places = gpd.GeoDataFrame(
        {"target_class": rng.choice([1, 2, 3], cameras), "name": "", "kind": "", "list_version": "1"},
        geometry=shapely.points(rng.uniform([0, 0], size, (cameras, 2))),
        index=pd.Index([f"t{i}" for i in range(cameras)], name="target_id"),
        crs=CRS,
    )
    return register, world, zones, roads, places, t_scene


def measure(register, world, zones, roads, places):
    """Every measure once: seconds by name, and what is needed to check them."""
    seconds, got = {}, {}
    got["watch"], seconds["fields of view"] = cpu(lambda: watch(register, world))
    seen = got["watch"]
    got["survey"], seconds["ground per grid, six claims"] = cpu(lambda: staircase.survey(zones, seen))
    got["cut"], more = cpu(lambda: got["survey"].by_device)
    _, times = cpu(lambda: staircase.times(got["cut"]))
    seconds["views per place"] = more + times
    got["roads"], seconds["road length, six claims"] = cpu(lambda: staircase.roads(roads.geometry, seen))
    got["ledger"], seconds["targets, six claims"] = cpu(lambda: ledger(places, seen))
    _, one = cpu(lambda: outage.alone(got["cut"], seen))
    got["losses"], two = cpu(lambda: outage.losses(got["cut"], seen, register["switch_id"]))
    _, three = cpu(lambda: outage.useless(got["cut"], seen))
    seconds["losses per camera and feeder"] = one + two + three
    return got, seconds


def check(got, register, world, zones, roads):
    shapes = got["watch"].fields.shapes
    assert shapely.is_valid(shapes).all()
    assert (got["watch"].fields.area_m2 > 0).mean() > 0.9
    union = shapely.disjoint_subset_union_all(shapes)
    whole = shapely.box(*zones.total_bounds)
    assert abs(got["cut"].covered().sum() - shapely.intersection(union, whole).area) < 1
    rows = np.random.default_rng(0).choice(len(roads), min(200, len(roads)), replace=False)
    lines = roads.geometry.to_numpy()[rows]
    near = [
        shapely.union_all(shapes[got["watch"].fields.tree.query(r, predicate="intersects")]) for r in lines
    ]
    expected = shapely.length(shapely.intersection(lines, np.array(near)))
    np.testing.assert_allclose(stretches(pd.Series(lines), shapes).covered(), expected, atol=1e-6)


def quickest(action, times=5):
    best = np.inf
    for _ in range(times):
        begin = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - begin)
    return best


def changes(got, register, zones, places):
    seen, spot = got["watch"], got["watch"].fields.area_m2.argsort()[-1000]
    put = register.iloc[[spot]].assign(bearing_deg=lambda t: (t["bearing_deg"] + 90) % 360)
    feeder = register.index[register["switch_id"] == "s0"]
    zones.sindex, places.sindex, seen.fields.tree  # built once per city  # noqa: B018
    one = quickest(lambda: what_if(register, seen, put=put, zones=zones, targets=places))
    many = quickest(lambda: what_if(register, seen, lose=list(feeder), zones=zones, targets=places), 3)
    return {"one camera turned (wall)": one, f"a feeder of {len(feeder)} lost (wall)": many}


def blocks_of(zones, size):
    """Areas to close rings around: every block of 2 × 2 grids (a village) and of 12 × 12 (a town)."""
    west, south, east, north = zones.total_bounds
    step = np.sqrt(zones.area.iloc[0])
    found = []
    for cells in size:
        x, y = (
            v.ravel()
            for v in np.meshgrid(np.arange(west, east, cells * step), np.arange(south, north, cells * step))
        )
        found.append(shapely.box(x, y, x + cells * step, y + cells * step))
    boxes = np.concatenate(found)
    return gpd.GeoDataFrame({"name": [f"片{i}" for i in range(len(boxes))]}, geometry=boxes, crs=CRS)


def spots(got, roads, seen, areas):
    """Blind spots of every kind, with the rings around all areas: table and CPU seconds."""

    def all_of_them():
        streets = network(roads)
        edges = blind_spot.edges_seen(streets, seen)
        rng = np.random.default_rng(0)
        incidents = rng.uniform(roads.total_bounds[:2], roads.total_bounds[2:], (100_000, 2))
        return blind_spot.ranked(
            [
                blind_spot.road_gaps(streets, roads, edges, incidents),
                blind_spot.junction_gaps(streets, seen, incidents),
                blind_spot.target_gaps(got["ledger"], incidents),
                blind_spot.cordon_gaps(streets, roads, edges, areas, incidents)[0],
            ],
            CRS,
        )

    return cpu(all_of_them)


def errors(register, world, places, roads, runs):
    """Interval of the rates over all targets, a point every 100 m of road and 20,000 on the ground."""
    rng = np.random.default_rng(3)
    west, south, east, north = roads.total_bounds
    ground = rng.uniform([west, south], [east, north], (20_000, 2))
    along = shapely.get_coordinates(shapely.segmentize(roads.geometry.to_numpy(), 100))
    parts = [(places.get_coordinates().to_numpy(), "target"), (ground, "ground"), (along, "road")]
    table = pd.concat([pd.DataFrame(xy, columns=["x", "y"]).assign(weight=1.0, group=g) for xy, g in parts])
    return interval(register, world, table.reset_index(drop=True), runs=runs, seed=0)


def windows(world, n):
    """Private windows: small boxes on the outer walls of buildings."""
    rng = np.random.default_rng(4)
    blocks = world.flat.blocks[rng.choice(len(world.flat.blocks), n, replace=False)]
    at = shapely.line_interpolate_point(shapely.boundary(blocks), rng.random(n), normalized=True)
    index = pd.Index([f"f{i}" for i in range(n)], name="forbidden_id")
    boxes = shapely.buffer(at, 1.5, cap_style="square")
    return gpd.GeoDataFrame({"name": "", "kind": "window"}, geometry=boxes, index=index, crs=CRS)


def check_forbidden(table, rooms, seen):
    """For twenty places without an index: what is well in view is listed, what is listed is met by the view."""
    views = seen.fields.shapes
    number = 0
    for key in rooms.index[:: max(len(rooms) // 20, 1)]:
        listed = set(table.loc[table["forbidden_id"] == key, "camera_id"])
        box = rooms.geometry[key]
        near = np.flatnonzero(shapely.distance(views, box) <= 0.06)
        well = near[shapely.area(shapely.intersection(views[near], box)) > 0.5]
        assert set(seen.ids[well]) <= listed <= set(seen.ids[near])
        number += len(well)
    assert number


def test_measures_small(shared_data):
    register, world, zones, roads, places, _ = city(shared_data, 2, 1500, 500)
    got, _ = measure(register, world, zones, roads, places)
    check(got, register, world, zones, roads)
    assert changes(got, register, zones, places)["one camera turned (wall)"] < 2
    table, _ = spots(got, roads, got["watch"], blocks_of(zones, (2, 12)))
    assert set(table["kind"]) == {"road", "junction", "target", "cordon"}
    found, _ = cpu(lambda: errors(register, world, places, roads, runs=4))
    assert (
        (found.rates["minimum"] <= found.rates["expected"])
        & (found.rates["expected"] <= found.rates["maximum"])
    ).all()
    assert (found.records["swing"] > 0).all()
    rooms = windows(world, 1000)
    check_forbidden(forbidden_views(rooms, got["watch"]), rooms, got["watch"])


@pytest.mark.scale
def test_city_of_80_000_cameras(shared_data, capsys, tmp_path):
    """Every limit is the goal itself but GDAL's at 1 m: the same product there costs 25 to 40 times ours, not 90.

    At 0.5 m it costs more than 90 times ours and is still low; the bare call is printed beside. Why: see
    docs/benchmarks/coverage.md. The interval has no goal: two minutes for 30 runs is what an operator waits for.
    """
    register, world, zones, roads, places, t_scene = city(shared_data, 11, 80_000, 15_000)
    table = pd.DataFrame(
        {"x": register.geometry.x, "y": register.geometry.y, "bearing": register["bearing_deg"], "fov": register["fov_deg"],
         "far": register["range_m"]}
    )  # fmt: skip
    visible(views(table.iloc[:2000]), world.flat)
    (polygons, area), sweep = cpu(lambda: visible(views(table), world.flat))
    assert shapely.is_valid(polygons).all()
    rows = np.random.default_rng(2).choice(len(table), 1000, replace=False)
    peer, per_peer = peer_isovists(table, world.flat, rows)
    np.testing.assert_allclose(area[rows], peer, rtol=1e-9)
    _, per_shadow = peer_shadows(table, world.flat, rows[:200])
    per_camera = min(sweep, cpu(lambda: visible(views(table), world.flat))[1]) / len(table)
    ratios = {"pysovist": per_peer / per_camera, "GEOS shadows": per_shadow / per_camera}
    if python_with_gdal() is not None:
        for cell in (1.0, 0.5, 0.25):
            raster, bare, whole = peer_gdal(table, world.flat, rows[:200], tmp_path, cell)
            share = raster.sum() / area[rows[:200]].sum()
            ratios[f"GDAL {cell} m, bare call (area {share:.3f} of exact)"] = bare / per_camera
            ratios[f"GDAL {cell} m, footprints to polygon"] = whole / per_camera
    got, seconds = measure(register, world, zones, roads, places)
    seconds = {"buildings dissolved": t_scene} | seconds
    total = sum(seconds.values())
    areas = blocks_of(zones, (2, 12))
    listed, spot_seconds = spots(got, roads, got["watch"], areas)
    found, interval_seconds = cpu(lambda: errors(register, world, places, roads, runs=4))
    rooms = windows(world, 20_000)
    conflicts, forbidden_seconds = cpu(lambda: forbidden_views(rooms, got["watch"]))
    one, many = changes(got, register, zones, places).values()
    with capsys.disabled():
        print(
            f"\n{len(register):,} cameras, {len(world.shapes):,} buildings, {len(zones):,} grids, {len(roads):,} roads"
        )
        for name, value in (seconds | {"every measure": total, "visibility polygons": sweep,
                                       f"blind spots ({len(listed):,}), {len(areas):,} rings": spot_seconds,
                                       "interval, a run": interval_seconds / found.runs,
                                       f"forbidden places ({len(rooms):,}, {len(conflicts):,} conflicts)": forbidden_seconds,
                                       "one camera turned (wall)": one, "a feeder of 200 lost (wall)": many}).items():  # fmt: skip
            print(f"{name:45s} {value:9.3f} s")
        for name, value in ratios.items():
            print(f"{name:60s} {value:7.1f} x")
    check(got, register, world, zones, roads)
    check_forbidden(conflicts, rooms, got["watch"])
    assert (listed["kind"] == "cordon").any()
    if python_with_gdal() is not None:
        assert ratios["GDAL 1.0 m, footprints to polygon"] >= 25
        assert ratios["GDAL 0.5 m, footprints to polygon"] >= 90
    assert sweep <= 5
    assert ratios["pysovist"] >= 35
    assert ratios["GEOS shadows"] >= 50
    assert total <= 60
    assert spot_seconds <= 30
    assert interval_seconds / found.runs * 30 <= 120
    assert forbidden_seconds <= 10
    assert one <= 0.05
    assert many <= 1
