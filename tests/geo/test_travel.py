"""Time along the roads: laws of a shortest path, on networks whose answers can be counted by hand."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from scipy.sparse.csgraph import dijkstra

from geo.city import City
from geo.travel import REACH_M, WALK_M_S, Network


def roads(lines: list, **columns: object) -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame(geometry=[shapely.LineString(x) for x in lines], crs="EPSG:4548")
    return frame.assign(**({"speed_m_s": 10.0, "oneway": False} | columns))


def drive(
    net: Network, start: tuple[float, float], goal: tuple[float, float], within_s: float = 1e6
) -> float:
    node, walk = net.join(np.array([start]))
    return float(net.seconds_to(*goal, within_s=within_s)[node[0]] + walk[0])


def test_a_straight_road_takes_length_over_speed() -> None:
    net = Network.build(roads([[(0, 0), (400, 0), (1000, 0)]]))
    assert drive(net, (0, 0), (1000, 0)) == pytest.approx(100.0)
    assert drive(net, (0, 0), (400, 14)) == pytest.approx(40.0 + 14 / WALK_M_S)


def test_one_way_roads_are_long_the_other_way() -> None:
    square = [[(0, 0), (100, 0)], [(100, 0), (100, 100), (0, 100), (0, 0)]]
    net = Network.build(roads(square, oneway=True))
    assert drive(net, (0, 0), (100, 0)) == pytest.approx(10.0)
    assert drive(net, (100, 0), (0, 0)) == pytest.approx(30.0)


def test_roads_that_only_cross_do_not_meet_and_shared_vertices_do() -> None:
    bridge = Network.build(roads([[(-100, 0), (100, 0)], [(0, -100), (0, 100)]]))
    assert drive(bridge, (-100, 0), (0, 100)) == np.inf
    junction = Network.build(roads([[(-100, 0), (0, 0), (100, 0)], [(0, -100), (0, 0.04), (0, 100)]]))
    assert drive(junction, (-100, 0), (0, 100)) == pytest.approx(20.0, abs=0.1)


def test_limits_and_absent_roads_give_infinity() -> None:
    net = Network.build(roads([[(0, 0), (1000, 0)]]))
    assert drive(net, (0, 0), (1000, 0), within_s=50) == np.inf
    assert np.isinf(net.seconds_to(0, REACH_M + 1, within_s=1e6)).all()
    nothing = Network.build(roads([]))
    assert nothing.join(np.array([[0.0, 0.0]]))[0][0] == -1
    assert len(nothing.seconds_to(0, 0, within_s=100)) == 0


def test_a_missing_speed_has_a_default_and_parallel_roads_give_the_quicker() -> None:
    net = Network.build(roads([[(0, 0), (830, 0)]], speed_m_s=np.nan))
    assert drive(net, (0, 0), (830, 0)) == pytest.approx(100.0)
    two = Network.build(roads([[(0, 0), (100, 0)], [(0, 0), (100, 0)]], speed_m_s=[5.0, 20.0]))
    assert drive(two, (0, 0), (100, 0)) == pytest.approx(5.0)


def test_the_demo_city_hangs_together_and_both_directions_agree(demo_small: City) -> None:
    table = demo_small.roads.assign(oneway=False)
    net = Network.build(table)
    at = net.xy[len(net.xy) // 2]
    to = net.seconds_to(*at, within_s=1e6)
    assert np.isfinite(to).mean() > 0.97
    start = int(net.tree.query(at)[1])
    back = dijkstra(net.backward.T.tocsr(), indices=start)
    np.testing.assert_allclose(to[np.isfinite(to)], back[np.isfinite(to)], rtol=1e-6)
