"""The index says what GEOS says, on every point: on vertices, on borders, one ulp beside them."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from geo.index import COMPILED, GridIndex

MODES = [pytest.param(True, marks=pytest.mark.skipif(not COMPILED, reason="numba is off")), False]


def truth(polygons, x, y):
    """Lowest polygon that covers each point, by GEOS, one polygon after the other."""
    points = shapely.points(x, y)
    result = np.full(len(x), -1)
    for i in range(len(polygons) - 1, -1, -1):
        if polygons[i] is not None:
            shapely.prepare(polygons[i])
            result[shapely.covers(polygons[i], points)] = i
    return result


def adversarial(polygons, seed=0, most=4000):
    """Points on vertices, at the middle of edges, with an x of one and a y of another; each also one ulp beside."""
    rng = np.random.default_rng(seed)
    xy = shapely.get_coordinates(polygons)
    if len(xy) == 0:
        return np.zeros(1), np.zeros(1)
    middle = (xy + np.roll(xy, -1, axis=0)) / 2
    third = xy + (np.roll(xy, -1, axis=0) - xy) / 3
    crossed = np.c_[xy[:, 0], middle[::-1, 1]]
    low, high = xy.min(axis=0), xy.max(axis=0)
    somewhere = rng.uniform(low - (high - low) / 10, high + (high - low) / 10, (len(xy), 2))
    points = np.vstack(
        [xy, middle, third, crossed, crossed[:, ::-1] * 0 + np.c_[middle[:, 0], xy[:, 1]], somewhere]
    )
    points = points[rng.permutation(len(points))[:most]]
    beside = [np.nextafter(points, points + d) for d in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1))]
    return tuple(np.ascontiguousarray(np.vstack([points, *beside]).T))


def voronoi(n, seed, box=(118.0, 36.7, 118.4, 37.0)):
    """Seamless cells with borders that wiggle, rounded to 1e-7 degree."""
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(box[:2], box[2:], (n, 2))
    cells = shapely.voronoi_polygons(shapely.multipoints(seeds), extend_to=shapely.box(*box))
    cells = np.array(shapely.get_parts(cells))
    step = shapely.segmentize(cells, 0.004)
    phase = rng.uniform(0, 6, 4)

    def wiggle(c):
        return np.round(
            c + 4e-4 * np.c_[np.sin(900 * c[:, 1] + phase[0]), np.sin(700 * c[:, 0] + phase[1])], 7
        )

    return shapely.transform(step, wiggle)


def lattice():
    """Squares of 0.01 degree in round numbers: every border level or upright."""
    return np.array([shapely.box(118 + i / 100, 36 + j / 100, 118 + (i + 1) / 100, 36 + (j + 1) / 100)
                     for j in range(9) for i in range(12)])  # fmt: skip


def bricks():
    """Rows of boxes, each row shifted by half: three meet where only two have a vertex."""
    return np.array([shapely.box(118 + (i + j % 2 / 2) / 90, 36 + j / 90, 118 + (i + 1 + j % 2 / 2) / 90, 36 + (j + 1) / 90)
                     for j in range(9) for i in range(9)])  # fmt: skip


def tilted_bricks():
    """Bricks turned by 27°: their borders meet only up to rounding."""
    return np.array([affinity.rotate(b, 27, origin=(118.05, 36.05)) for b in bricks()])


def holes():
    """A ring around an island around a lake with an isle; the lake belongs to nobody."""
    rings = [shapely.Point(118.1, 36.1).buffer(r, quad_segs=9) for r in (0.09, 0.06, 0.03, 0.01)]
    ring, island = rings[0] - rings[1], rings[1] - rings[2]
    return np.array([ring, island, rings[3], None, shapely.Polygon()])


def overlaps():
    """Triangles thrown on each other, one twice, and one over all."""
    rng = np.random.default_rng(5)
    corners = rng.uniform(0, 0.1, (40, 1, 2)) + rng.uniform(0, 0.03, (40, 3, 2)) + (118, 36)
    triangles = list(shapely.polygons(corners))
    return np.array([*triangles, triangles[3], shapely.box(118.0, 36.0, 118.06, 36.2)])


def over_a_coverage():
    """A seamless coverage and two polygons that lie over it, one of them the lowest."""
    cells = voronoi(60, 8)
    disc = shapely.Point(118.2, 36.85).buffer(0.05, quad_segs=20)
    inside = shapely.Point(118.3, 36.8).buffer(0.004)
    return np.array([disc, *cells, inside])


def parts():
    """Polygons of several parts, between the parts of others."""
    boxes = lattice()
    return np.array([shapely.union_all(boxes[k::5]) for k in range(5)])


def slivers():
    """Needles a few ulp wide, and neighbours that leave gaps and overlaps of a few ulp."""
    x = 118.0 + np.cumsum(np.r_[0, np.tile([1e-3, 3e-14], 12)])
    y = np.linspace(0, 0.01, 25)
    needles = [
        shapely.Polygon([(a, 36), (b, 36), (b, 36.02 + t), (a, 36.02)])
        for a, b, t in zip(x, x[1:], y, strict=False)
    ]
    shifted = [affinity.translate(n, 2e-14, 1e-14) for n in needles[::3]]
    return np.array([*needles, *shifted])


def around_zero():
    """Cells at 0° 0°, where differences of coordinates are not exact."""
    return shapely.transform(voronoi(40, 3), lambda c: (c - (118.2, 36.85)) * 0.7 + 1e-9)


def tiny():
    """Cells of a few nanometres: hardly any number between two vertices."""
    corner = np.array([118.0, 36.0])
    return shapely.transform(voronoi(15, 4), lambda c: np.round((c - (118, 36.7)) * 1e-9, 14) + corner)


def one_far_away():
    """A coverage and an outlier on the other side of the world."""
    return np.array([*voronoi(50, 6), shapely.box(-120, -40, -119.99, -39.99)])


CASES = {
    f.__name__: f
    for f in (lattice, bricks, tilted_bricks, holes, overlaps, over_a_coverage, parts, slivers, around_zero, tiny, one_far_away)
} | {"voronoi": lambda: voronoi(150, 1)}  # fmt: skip


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request):
    polygons = CASES[request.param]()
    most = 150 if request.param == "one_far_away" else 2000
    x, y = adversarial(polygons, most=most)
    return polygons, x, y, truth(polygons, x, y)


@pytest.mark.parametrize("compiled", MODES)
def test_find_is_geos(case, compiled):
    polygons, x, y, expected = case
    found = GridIndex.build(polygons, compiled=compiled).find(x, y)
    wrong = np.flatnonzero(found != expected)
    assert len(wrong) == 0, [(x[i], y[i], found[i], expected[i]) for i in wrong[:5]]
    assert (expected >= 0).any()


@pytest.mark.parametrize("compiled", MODES)
def test_one_point_is_bulk(case, compiled):
    polygons, x, y, expected = case
    one = GridIndex.build(polygons, compiled=compiled).one
    k = range(0, len(x), 1 if compiled else 40)
    assert [one.find(x[i], y[i]) for i in k] == expected[k].tolist()


def test_covering_is_every_pair(case):
    polygons, x, y, _ = case
    point, polygon = GridIndex.build(polygons).covering(x, y)
    i, j = shapely.STRtree(polygons).query(shapely.points(x, y), predicate="covered_by")
    order = np.lexsort((j, i))
    assert point.tolist() == i[order].tolist()
    assert polygon.tolist() == j[order].tolist()


def in_metres(x, y, lon, lat):
    """Coordinates in metres around a place, in its own scale (Snyder 1987, ellipsoidal radii)."""
    e2, phi = 0.006694380022903416, np.radians(lat)
    w = np.sqrt(1 - e2 * np.sin(phi) ** 2)
    east, north = 6378137 / w * np.cos(phi), 6378137 * (1 - e2) / w**3
    return np.c_[np.radians(x - lon) * east, np.radians(y - lat) * north]


@pytest.mark.parametrize("compiled", MODES)
@pytest.mark.parametrize("name", ["voronoi", "holes", "overlaps", "tilted_bricks", "one_far_away"])
def test_nearest_edge_and_within_are_brute_force(name, compiled):
    polygons = CASES[name]()
    index = GridIndex.build(polygons, compiled=compiled)
    x, y = (c[::900] for c in adversarial(polygons, 2))
    rng = np.random.default_rng(1)
    x, y = np.r_[x, rng.uniform(117.9, 118.6, 20)], np.r_[y, rng.uniform(35.9, 37.1, 20)]
    own = index.find(x, y)
    any_m, any_edge = index.nearest_edge(x, y)
    own_m, _ = index.nearest_edge(x, y, own)
    radius = rng.uniform(0, 900, len(x))
    i, j = index.within(x, y, radius)
    for k in range(len(x)):
        local = shapely.transform(polygons, lambda c, k=k: in_metres(c[:, 0], c[:, 1], x[k], y[k]))
        here = shapely.Point(0, 0)
        distance = shapely.distance(shapely.boundary(local), here)
        assert any_m[k] == pytest.approx(np.nanmin(distance), rel=1e-6, abs=1e-6)
        owners = index.arrays.owner[any_edge[k]]
        assert np.nanmin(distance[owners[owners >= 0]]) == pytest.approx(any_m[k], rel=1e-6, abs=1e-6)
        if own[k] >= 0:
            assert own_m[k] == pytest.approx(distance[own[k]], rel=1e-6, abs=1e-6)
        wanted = np.flatnonzero(shapely.distance(local, here) <= radius[k])
        assert j[i == k].tolist() == wanted.tolist()


@pytest.mark.parametrize("compiled", MODES)
def test_what_is_nowhere(compiled):
    index = GridIndex.build(lattice(), compiled=compiled)
    x = np.array([np.nan, np.inf, -np.inf, 118.005, 1e300, -1e300, 0.0, 118.005])
    y = np.array([36.005, 36.005, 36.005, np.nan, 36.0, 36.0, 0.0, 36.005])
    assert index.find(x, y).tolist() == [-1] * 7 + [0]
    assert [index.one.find(a, b) for a, b in zip(x, y, strict=True)] == [-1] * 7 + [0]
    metres, edge = index.nearest_edge(x, y)
    assert np.isinf(metres[:4]).all()
    assert (edge[:4] == -1).all()
    assert np.isfinite(metres[6:]).all()
    assert index.within([118.01, np.nan], [36.005, 36], [0, np.nan])[1].tolist() == [0, 1]
    assert index.find([], []).tolist() == []


@pytest.mark.parametrize("compiled", MODES)
@pytest.mark.parametrize("polygons", [[], [None], [shapely.Polygon()]])
def test_nothing_covers_nothing(polygons, compiled):
    index = GridIndex.build(polygons, compiled=compiled)
    assert len(index) == len(polygons)
    assert index.find([118.0, 0.0], [36.0, 0.0]).tolist() == [-1, -1]
    assert index.one.find(0.5, 0.5) == -1
    assert np.isinf(index.nearest_edge([118.0], [36.0])[0]).all()
    assert [len(a) for a in index.within([118.0], [36.0], 1e6)] == [0, 0]


def test_a_seamless_coverage_needs_no_candidates():
    assert len(GridIndex.build(voronoi(150, 1)).arrays.candidate) == 0
    assert len(GridIndex.build(overlaps()).arrays.candidate) > 0


def test_order_decides_ties_and_nothing_else():
    polygons = voronoi(80, 2)
    x, y = adversarial(polygons)
    forward, backward = GridIndex.build(polygons).find(x, y), GridIndex.build(polygons[::-1]).find(x, y)
    backward = np.where(backward >= 0, len(polygons) - 1 - backward, -1)
    assert (forward <= backward).all()
    point, _ = GridIndex.build(polygons).covering(x, y)
    shared = np.bincount(point, minlength=len(x)) > 1
    assert (forward == backward)[~shared].all()
    assert (forward < backward)[shared].all()


rings = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=7)
places = st.lists(st.tuples(st.integers(-2, 18), st.integers(-2, 18)), min_size=1, max_size=40)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(rings, min_size=1, max_size=6),
    places,
    st.sampled_from([1.0, 1 / 3, 1e-3]),
    st.sampled_from([0.0, 118.0]),
)
def test_any_polygons_on_a_lattice(corners, points, scale, origin):
    shapes = shapely.make_valid(np.array([shapely.Polygon(c) for c in corners]))
    shapes = shapely.transform(shapes, lambda c: c * scale + origin)
    shapes = np.array(
        [s if s.geom_type in ("Polygon", "MultiPolygon") and s.is_valid else None for s in shapes]
    )
    xy = np.array(points) / 2 * scale + origin
    x, y = np.r_[xy[:, 0], np.nextafter(xy[:, 0], 200)], np.r_[xy[:, 1], np.nextafter(xy[:, 1], -200)]
    y = np.where(np.abs(y) < 1e-300, 1e-20 * np.sign(y), y)  # products of smaller numbers underflow
    expected = truth(shapes, x, y)
    for compiled in (True, False):
        index = GridIndex.build(shapes, compiled=compiled)
        assert index.find(x, y).tolist() == expected.tolist()
        assert [index.one.find(a, b) for a, b in zip(x, y, strict=True)] == expected.tolist()
