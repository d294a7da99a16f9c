"""Blind spots: the network, gaps in words, and rings checked by brute force."""

import itertools

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo import covered
from geo.coverage import blind_spot
from geo.coverage.cordon import cordon, watched_edges
from geo.coverage.network import network, side
from geo.coverage.road import stretches
from geo.demo import demo_city
from geo.errors import NotFoundError

CRS = "EPSG:4548"


def roads(*lines, names=None):
    return gpd.GeoDataFrame(
        {"name": names or [f"路{i}" for i in range(len(lines))]},
        geometry=[shapely.LineString(x) for x in lines],
        crs=CRS,
    )


def test_roads_are_cut_where_they_meet_and_nowhere_else():
    table = roads(
        [(0, 0), (100, 0), (200, 0)],  # shares a vertex with the second
        [(100, -50), (100, 0), (100, 50)],
        [(150, 80), (150, 0.05)],  # ends on the first without a common vertex
        [(50, -50), (50, 50)],  # crosses without a vertex: a bridge
    )
    got = network(table)
    assert len(got.line) == 3 + 2 + 1 + 1
    assert sorted(got.name[got.junctions]) == ["路0与路1路口", "路0与路2路口"]


def test_lengths_are_kept_and_ends_agree():
    city = demo_city(0, "tiny")
    got = network(city.roads)
    assert shapely.length(got.line).sum() == pytest.approx(city.roads.length.sum(), rel=1e-6)
    begin = shapely.get_coordinates(shapely.get_point(got.line, 0))
    finish = shapely.get_coordinates(shapely.get_point(got.line, -1))
    assert np.abs(begin - got.xy[got.u]).max() < 0.2
    assert np.abs(finish - got.xy[got.v]).max() < 0.2
    assert network(city.roads.iloc[:0]).degree.size == 0


def test_sides_are_compass_words():
    away = np.array([[0, 1], [1, 1], [1, 0], [1, -1], [0, -1], [-1, -1], [-1, 0], [-1, 1.0]])
    assert side(away, np.zeros((8, 2))).tolist() == [
        "北侧", "东北侧", "东侧", "东南侧", "南侧", "西南侧", "西侧", "西北侧"
    ]  # fmt: skip


def test_a_gap_says_where_it_is():
    table = roads([(0, 0), (100, 0)], [(0, -50), (0, 0), (0, 50)], names=["建设路", "人民路"])
    streets = network(table)
    seen = stretches(pd.Series(streets.line), np.array([shapely.box(-5, -60, 9, 60)]))
    got = blind_spot.road_gaps(streets, table, seen, np.array([[50.0, 5.0], [50.0, 500.0]]))
    assert len(got) == 1
    row = got.iloc[0]
    assert row["what"] == "人民路与建设路路口东侧（建设路） 91 m 无覆盖"
    assert (row["measure"], row["incidents"], row["weight"]) == (pytest.approx(91), 1, 1.0)
    assert row["score"] == pytest.approx(row["weight"] * (row["base"] * row["measure"] + row["incidents"]))


def grid_streets(n, step=100.0):
    rows = [[(i * step, j * step) for i in range(n)] for j in range(n)]
    cols = [[(i * step, j * step) for j in range(n)] for i in range(n)]
    return network(roads(*rows, *cols))


def test_ring_equals_brute_force():
    streets = grid_streets(5)
    area = shapely.box(190, 190, 210, 210)  # one node inside; the band ends before the outer nodes
    rng = np.random.default_rng(0)
    for _ in range(12):
        watched = rng.random(len(streets.line)) < 0.5
        got = cordon(streets, area, watched, band_m=110)
        away = shapely.distance(shapely.points(streets.xy), area)
        n = len(away)
        name = np.where(away == 0, n, np.where(away > 110, n + 1, np.arange(n)))
        open_edges = [int(e) for e in np.flatnonzero(~watched) if name[streets.u[e]] != name[streets.v[e]]]

        def closed(cut, name=name, open_edges=open_edges, n=n):
            left = [e for e in open_edges if e not in cut]
            links = coo_array(
                (np.ones(len(left)), (name[streets.u[left]], name[streets.v[left]])), shape=(n + 2, n + 2)
            )
            part = connected_components(links, directed=False)[1]
            return part[n] != part[n + 1]

        least = next(
            k for k in range(9) if any(closed(set(c)) for c in itertools.combinations(open_edges, k))
        )
        assert got.leaks == least
        assert len(got.cut) == least
        assert closed(set(got.cut.tolist()))
        assert not watched[got.cut].any()


def test_watching_the_cut_closes_the_ring():
    city = demo_city(0, "tiny")
    streets, area = covered.streets_of(city), city.grids.geometry[city.grids["level"] == 1].iloc[0]
    nobody = np.zeros(len(streets.line), dtype=bool)
    open_ = cordon(streets, area.buffer(-300), nobody, band_m=200)
    assert len(open_.cut) == open_.leaks
    shut = nobody.copy()
    shut[open_.cut] = True
    assert cordon(streets, area.buffer(-300), shut, band_m=200).leaks == 0


def test_an_edge_is_watched_by_a_stretch_not_by_crumbs():
    table = pd.Series([shapely.LineString([(0, 0), (100, 0)]), shapely.LineString([(0, 50), (3, 50)])])
    crumbs = np.array([shapely.box(x, -1, x + 2, 1) for x in (10, 30, 50, 70)])
    assert watched_edges(stretches(table, crumbs)).tolist() == [False, False]
    joined = np.array([shapely.box(10, -1, 13, 1), shapely.box(13, -1, 16, 1), shapely.box(-1, 40, 5, 60)])
    assert watched_edges(stretches(table, joined)).tolist() == [True, True]


def test_blind_spots_of_a_city():
    city = demo_city(0, "tiny")
    got = covered.blind_spots_of(city)
    assert set(got["kind"]) <= set(blind_spot.KINDS)
    assert got["score"].is_monotonic_decreasing
    factors = got["weight"] * (got["base"] * got["measure"] + got["incidents"])
    np.testing.assert_allclose(got["score"], factors)
    dark = got[got["kind"] == "road"]
    seen = shapely.union_all(covered.watch_of(city).fields.shapes)
    np.testing.assert_allclose(
        shapely.length(shapely.intersection(dark.geometry.to_numpy(), seen)), 0, atol=1e-4
    )
    ledger = covered.ledger_of(city)
    assert (got["kind"] == "target").sum() == (~ledger["covered"]).sum()
    junction = got[got["kind"] == "junction"]
    assert (junction["share"] > 0.5).all()
    assert got["text"].str.contains("网格|警情").all()
    working = covered.blind_spots_of(city, working=True)
    assert working.loc[working["kind"] == "road", "measure"].sum() >= dark["measure"].sum()


def test_ring_of_a_grid():
    city = demo_city(0, "tiny")
    got = covered.ring_of(city, city.grids.index[city.grids["level"] == 2][0])
    assert set(got["role"]) <= {"watch", "watched"}
    with pytest.raises(NotFoundError):
        covered.ring_of(city, "nowhere")
