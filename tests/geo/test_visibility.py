"""Laws of the visibility sweep: closed forms, a peer, brute force, validity."""

import geopandas as gpd
import numpy as np
import pysovist
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.coverage import field_of_view, fields
from geo.coverage.occlusion import occluders
from geo.coverage.sector import sectors
from geo.coverage.sweep import visible
from geo.errors import BadInputError, CrsMismatchError

CRS = "EPSG:32651"
BOX = shapely.box


def line(*xy):
    return shapely.LineString(xy)


def one(shapes, *, at=(0, 0), bearing=0.0, fov=360.0, far, near=0.0, eye=np.nan):
    view = sectors([at], bearing_deg=bearing, fov_deg=fov, range_m=far, near_m=near, eye_m=eye)
    polygons, area = visible(view, occluders(shapes))
    return polygons[0], area[0]


CASES = {
    "C1 open sector": ({"bearing": 90, "fov": 60, "far": 50}, [], 1308.996938996),
    "C2 wall": ({"far": 50}, [line((10, -10), (10, 10))], 5990.486225481),
    "C3 room": ({"far": 100}, [BOX(-10, -10, 10, 10)], 400.0),
    "C4 block": ({"far": 50}, [BOX(10, -5, 20, 5)], 6744.862611472),
    "C5 pillar": ({"at": (3, 0), "far": 100}, [BOX(-5, -5, 5, 5).boundary, BOX(-1, -1, 1, 1)], 70.0),
    "C6 blind zone": ({"bearing": 90, "fov": 60, "far": 50, "near": 6}, [], 1290.147383074),
    "C7 wall and blind zone": (
        {"bearing": 90, "fov": 60, "far": 50, "near": 6},
        [line((20, -99), (20, 99))],
        212.090551754,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_closed_forms(name):
    view, shapes, expected = CASES[name]
    polygon, area = one(shapes, **view)
    assert polygon.is_valid
    assert area == pytest.approx(expected, rel=0, abs=1e-9 * max(expected, 1))
    assert polygon.area == pytest.approx(area, rel=1e-12)


def test_high_camera_over_a_low_block():
    cameras = gpd.GeoDataFrame(
        {"bearing_deg": [90.0], "fov_deg": [60.0], "range_m": [60.0], "height_m": [20.0]},
        geometry=[shapely.Point(0, 0)],
        crs=CRS,
    )
    block = gpd.GeoDataFrame({"height_m": [10.0]}, geometry=[BOX(10, -5, 20, 5)], crs=CRS)
    open_view = field_of_view(cameras).area[0]
    seen = field_of_view(cameras, block).area[0]
    # polygon arcs cut the far edge of no shadow here: 550 m² of ground lie behind the block
    assert open_view - seen == pytest.approx(550, abs=1e-9)
    assert seen == pytest.approx(1334.955592, abs=1e-6)
    assert field_of_view(cameras.assign(height_m=9.0), block).area[0] < seen, "a lower eye sees less"


def random_city(seed, n=60, size=200.0):
    rng = np.random.default_rng(seed)
    xy, wh, turn = rng.uniform(0, size, (n, 2)), rng.uniform(3, 25, (n, 2)), rng.uniform(0, 90, n)
    blocks = [
        shapely.affinity.rotate(BOX(x, y, x + w, y + h), t)
        for (x, y), (w, h), t in zip(xy, wh, turn, strict=True)
    ]
    eyes = rng.uniform(0, size, (200, 2))
    return blocks, eyes, rng


def test_agrees_with_pysovist_on_1000_cameras():
    worst, n = 0.0, 0
    for seed in range(10):
        blocks, eyes, rng = random_city(seed)
        prepared = occluders(blocks)
        eyes = eyes[~prepared.inside(eyes)]
        fov = rng.choice([360.0, 60.0, 90.0, 200.0], len(eyes))
        bearing, far = rng.uniform(0, 360, len(eyes)), rng.uniform(20, 100, len(eyes))
        view = sectors(eyes, bearing_deg=bearing, fov_deg=fov, range_m=far)
        polygons, area = visible(view, prepared)
        assert shapely.is_valid(polygons).all()
        plan = pysovist.Plan(prepared.edges.reshape(-1, 2, 2))
        for i, eye in enumerate(eyes):
            direction = np.remainder(np.radians(90 - bearing[i]) + np.pi, 2 * np.pi) - np.pi
            peer = pysovist.isovist(
                plan, eye, max_distance=far[i], fov=np.radians(fov[i]), direction=direction
            )
            worst = max(
                worst, abs(peer.area - area[i]) / peer.area, abs(polygons[i].area - area[i]) / area[i]
            )
        n += len(eyes)
    assert n >= 1000
    assert worst < 1e-9


def test_overlapping_blocks_need_no_dissolve():
    for seed in range(4):
        blocks, eyes, rng = random_city(seed, n=120)
        whole = occluders(blocks)
        crossing = occluders(blocks, dissolve=False)
        view = sectors(eyes, bearing_deg=rng.uniform(0, 360, len(eyes)), fov_deg=120, range_m=80, near_m=2)
        outside = ~whole.inside(eyes)
        view = view.take(np.flatnonzero(outside))
        one, two = visible(view, whole), visible(view, crossing)
        np.testing.assert_allclose(one[1], two[1], rtol=1e-9, atol=1e-7)
        assert shapely.is_valid(two[0]).all()


def shadow_difference(view, i, shapes):
    """Oracle: the sector without the shadow of each edge, by overlay of polygons."""
    eye = np.array([view.x[i], view.y[i]])
    angles = np.linspace(view.start[i], view.start[i] + view.opening[i], 721)
    ring = eye + view.far[i] * np.column_stack([np.cos(angles), np.sin(angles)])
    sector = shapely.Polygon(ring if view.opening[i] > 6.28 else np.vstack([ring, eye]))
    blocked = []
    for shape in shapes:
        xy = shapely.get_coordinates(shape.exterior)
        far = eye + 1e3 * (xy - eye)
        blocked += [
            shapely.MultiPoint(np.array([xy[k], xy[k + 1], far[k], far[k + 1]])).convex_hull
            for k in range(len(xy) - 1)
        ]
    return sector.difference(shapely.union_all(blocked))


def test_same_shape_as_overlay_of_shadows():
    blocks, eyes, rng = random_city(11, n=40)
    prepared = occluders(blocks)
    eyes = eyes[~prepared.inside(eyes)][:60]
    view = sectors(eyes, bearing_deg=rng.uniform(0, 360, len(eyes)), fov_deg=100, range_m=70)
    polygons, _ = visible(view, prepared)
    for i in range(len(eyes)):
        expected = shadow_difference(view, i, blocks)
        assert polygons[i].symmetric_difference(expected).area < 2e-3 * max(expected.area, 1)


def test_courtyards_and_multipolygons():
    yard = BOX(-20, -20, 20, 20).difference(BOX(-10, -10, 10, 10))
    _polygon, area = one([shapely.MultiPolygon([yard, BOX(40, 0, 50, 9)])], far=100)
    assert area == pytest.approx(400, abs=1e-9)
    outside, _ = one([shapely.MultiPolygon([yard, BOX(40, 0, 50, 9)])], at=(30, 0), far=100)
    assert outside.is_valid
    assert not outside.intersects(shapely.Point(0, 0))


def test_walls_hide_and_may_end_at_a_building():
    block = BOX(10, -5, 20, 5)
    wall = line((0, 20), (15, 0))
    assert one([block, wall], far=60)[1] < one([block], far=60)[1]
    assert one([block, line((12, 0), (18, 0))], far=60)[1] == pytest.approx(
        one([block], far=60)[1], rel=1e-12
    )


def test_blind_zone_that_splits_a_view():
    polygon, area = one([BOX(3, -0.5, 4, 0.5)], bearing=90, fov=60, far=50, near=6)
    assert polygon.geom_type == "MultiPolygon"
    assert polygon.is_valid
    assert polygon.area == pytest.approx(area, rel=1e-9)
    ring, size = one([BOX(3, -0.5, 4, 0.5)], far=50, near=6)
    assert ring.geom_type == "Polygon"
    assert ring.is_valid
    assert ring.area == pytest.approx(size, rel=1e-9)
    donut, _ = one([], far=50, near=6)
    assert len(donut.interiors) == 1
    assert donut.area == pytest.approx(np.pi * (2500 - 36), rel=1e-12)


def test_nothing_to_see():
    assert one([], far=5, near=5, bearing=0, fov=60)[0].is_empty
    assert one([], far=0)[1] == 0
    none, area = visible(sectors(np.empty((0, 2)), bearing_deg=0, fov_deg=60, range_m=5), occluders([]))
    assert len(none) == len(area) == 0


@given(
    st.floats(0, 360),
    st.floats(1, 360),
    st.floats(1, 200),
    st.lists(st.tuples(*[st.floats(-60, 60)] * 4), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_any_walls_give_a_valid_star(bearing, fov, far, walls):
    shapes = [line(w[:2], w[2:]) for w in walls if np.hypot(w[2] - w[0], w[3] - w[1]) > 0.1]
    shapes = [s for s in shapes if s.distance(shapely.Point(0, 0)) > 0.01]
    polygon, area = one(shapes, bearing=bearing, fov=fov, far=far)
    assert polygon.is_valid
    assert polygon.area == pytest.approx(area, rel=1e-6, abs=1e-3)
    assert area <= np.radians(fov) / 2 * far**2 * (1 + 1e-9)
    if polygon.area > 1:
        assert polygon.distance(shapely.Point(0, 0)) < 1e-6
    more = one([*shapes, line((5, -3), (5, 3))], bearing=bearing, fov=fov, far=far)[1]
    assert more <= area * (1 + 1e-9) + 1e-6, "one wall more never shows more"


def test_only_changed_cameras_are_swept_again(monkeypatch):
    blocks, eyes, rng = random_city(3)
    buildings = gpd.GeoDataFrame(geometry=blocks, crs=CRS)
    outside = eyes[~occluders(blocks).inside(eyes)]
    cameras = gpd.GeoDataFrame(
        {"bearing_deg": rng.uniform(0, 360, len(outside)), "range_m": 40.0},
        geometry=shapely.points(outside),
        index=[f"c{i}" for i in range(len(outside))],
        crs=CRS,
    )
    before = fields(cameras, buildings)
    turned = cameras.copy()
    turned.loc["c5", "bearing_deg"] += 90
    turned = turned.drop(index="c0")
    swept = []
    monkeypatch.setattr("geo.coverage.view.visible", lambda v, o: swept.append(len(v)) or visible(v, o))
    after = fields(turned, before.scene, previous=before)
    assert sum(swept) == 1
    fresh = fields(turned, buildings)
    np.testing.assert_array_equal(shapely.to_wkb(after.shapes), shapely.to_wkb(fresh.shapes))
    swept.clear()
    fewer = buildings.iloc[1:]
    without = fields(cameras, fewer, previous=before)
    assert 0 < sum(swept) < len(cameras) / 2
    np.testing.assert_allclose(without.area_m2, fields(cameras, fewer).area_m2, rtol=1e-12)


def test_bad_input_is_named():
    with pytest.raises(BadInputError, match="fov_deg"):
        sectors([(0, 0)], bearing_deg=0, fov_deg=0, range_m=1)
    with pytest.raises(BadInputError, match="bearing_deg"):
        sectors([(0, 0)], bearing_deg=np.nan, fov_deg=60, range_m=1)
    with pytest.raises(BadInputError, match="point"):
        occluders([shapely.Point(0, 0)])
    cameras = gpd.GeoDataFrame({"bearing_deg": [0.0]}, geometry=[shapely.Point(0, 0)], crs=CRS)
    with pytest.raises(CrsMismatchError, match="4326"):
        field_of_view(cameras, gpd.GeoSeries([BOX(0, 0, 1, 1)], crs="EPSG:4326"))


def test_heights_agree_with_lines_of_sight():
    """A point is hidden if the line to the eye passes under a roof: at the far end of the crossing it is lowest."""
    for seed, eye_m in ((0, 8.0), (1, 14.0), (2, 25.0)):
        blocks, eyes, rng = random_city(seed, n=40)
        height = rng.uniform(3, 20, len(blocks))
        buildings = gpd.GeoDataFrame({"height_m": height}, geometry=blocks, crs=CRS)
        outside = eyes[~occluders(blocks).inside(eyes)][:12]
        cameras = gpd.GeoDataFrame(
            {"bearing_deg": 0.0, "fov_deg": 360.0, "range_m": 80.0, "height_m": eye_m},
            geometry=shapely.points(outside), index=range(len(outside)), crs=CRS,
        )  # fmt: skip
        seen = field_of_view(cameras, buildings, snap_m=0.0)
        for i, eye in enumerate(outside):
            points = eye + rng.uniform(-56, 56, (250, 2))
            points = points[~shapely.intersects_xy(shapely.union_all(blocks), *points.T)]
            ray = shapely.linestrings(np.stack([np.broadcast_to(eye, points.shape), points], axis=1))
            hidden = np.zeros(len(points), dtype=bool)
            for block, h in zip(blocks, height, strict=True):
                crossing = shapely.intersection(ray, block)
                far = shapely.hausdorff_distance(crossing, shapely.Point(eye))
                hidden |= eye_m * (1 - np.nan_to_num(far, nan=0.0) / shapely.length(ray)) < np.where(
                    np.isnan(far), -1, h
                )
            got = shapely.intersects_xy(seen.iloc[i], *points.T)
            # on the very line of a shadow's border either answer is right
            sure = shapely.distance(shapely.points(points), seen.iloc[i].boundary) > 0.05
            assert (got == ~hidden)[sure].all()
