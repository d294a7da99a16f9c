"""Coverage on real data of other cities: nothing is tuned to them, nothing breaks on them."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo import covered
from geo.camera.direction import parse
from geo.coverage import field_of_view
from geo.coverage.ledger import class_rates
from geo.coverage.view import scene
from geo.coverage.watch import watch
from geo.demo import demo_city
from geo.io import ImportOptions, import_files
from geo.store import create_store


@pytest.fixture(scope="module")
def helsinki(shared_data, tmp_path_factory):
    path = shared_data("helsinki/helsinki.osm.pbf")
    store = create_store(tmp_path_factory.mktemp("helsinki") / "city", name="Helsinki")
    for table in ("buildings", "roads", "cameras"):
        import_files(table, [path], store, options=ImportOptions())
    yield store.city()
    store.close()


def test_helsinki_says_what_it_does_not_know(helsinki):
    seen = covered.watch_of(helsinki)
    assert len(seen) > 200
    why = seen.fields.optics["why_not"]
    # OpenStreetMap gives these cameras no direction: none may count as seeing all round
    assert (why == "no_bearing").sum() > 150
    assert seen.fields.area_m2[(why != "").to_numpy()].sum() == 0
    found = covered.interval_of(helsinki, runs=4, samples=500)
    road = found.rates.loc["road"]
    assert road["as_registered"] <= road["expected"]
    assert road["expected"] > 0.01
    assert (found.records["field"] == "bearing_deg").sum() > 100


def test_helsinki_blind_spots_have_street_names(helsinki):
    table = covered.blind_spots_of(helsinki)
    assert set(table["kind"]) >= {"road", "junction"}
    assert table["text"].str.contains("Kaisaniemenkatu").any()
    streets = covered.streets_of(helsinki)
    assert len(streets.junctions) > 50
    gaps = table[table["kind"] == "road"]
    assert gaps["measure"].sum() <= helsinki.roads.length.sum() + 1


def test_helsinki_cameras_given_a_direction_see_streets(helsinki):
    cameras = helsinki.cameras.assign(bearing_deg=lambda t: (np.arange(len(t)) * 45.0) % 360)
    city = helsinki.with_table("cameras", cameras, replace=True)
    seen = covered.watch_of(city)
    assert shapely.is_valid(seen.fields.shapes).all()
    share = seen.fields.area_m2[seen.fields.rows] / seen.fields.sectors.area
    assert (share <= 1 + 1e-9).all()
    assert 0.05 < share.mean() < 0.95
    blocks = seen.fields.scene.flat.blocks
    inside = shapely.area(shapely.intersection(shapely.union_all(seen.fields.shapes), blocks)).sum()
    assert inside < 1e-3, "nobody sees into a building"
    lines = covered.road_lengths(city)
    assert (lines["geometric"] <= lines["nominal"] + 1e-6).all()


def test_old_town_with_heights(shared_data):
    town = (
        gpd.read_file(shared_data("suzhou/buildings.json"))
        .to_crs("EPSG:32651")
        .rename(columns={"height": "height_m"})
    )
    world = scene(town)
    rng = np.random.default_rng(0)
    west, south, east, north = town.total_bounds
    xy = rng.uniform([west, south], [east, north], (600, 2))
    xy = xy[~world.flat.inside(xy)]
    cameras = gpd.GeoDataFrame(
        {"bearing_deg": rng.uniform(0, 360, len(xy)), "range_m": 60.0},
        geometry=shapely.points(xy),
        index=[f"c{i}" for i in range(len(xy))],
        crs=town.crs,
    )
    areas = {h: field_of_view(cameras.assign(height_m=h), world) for h in (2.0, 5.0, 30.0)}
    for shapes in areas.values():
        assert shapes.is_valid.all()
    # where a shadow cuts an arc, the chord is cut: up to 3e-4 of the radius
    for low, high in ((2.0, 5.0), (5.0, 30.0)):
        assert (areas[low].area <= areas[high].area * 1.001 + 0.5).all(), "a higher eye never sees less"
    assert areas[30.0].area.sum() > 1.1 * areas[2.0].area.sum()


def test_taipei_buildings_and_located_cameras(shared_data):
    rows = json.loads(shared_data("taipei/traffic-cctv-facilities.json").read_text())
    points = gpd.GeoSeries.from_xy(
        [r["longitude"] for r in rows], [r["latitude"] for r in rows], crs="EPSG:4326"
    )
    cameras = gpd.GeoDataFrame(
        {"ptz_type": 1, "range_m": 80.0, "state": "on", "light_type": 2}, geometry=points.to_crs("EPSG:3826").to_numpy(), crs="EPSG:3826",
        index=pd.Index([r["id"] for r in rows], name="camera_id"),
    )  # fmt: skip
    buildings = gpd.read_file(shared_data("taipei/buildings.gpkg")).to_crs("EPSG:3826")
    assert not buildings.is_valid.all()
    home, reach = watch(cameras, buildings), watch(cameras, buildings, home=False)
    assert home.fields.area_m2.sum() == 0, "no direction: nothing in the headline"
    used = reach.fields.rows
    assert len(used) > 300
    assert shapely.is_valid(reach.fields.shapes).all()
    share = reach.fields.area_m2[used].sum() / reach.fields.sectors.area.sum()
    assert 0.1 < share < 1


def test_taipei_facings_are_read(shared_data):
    table = pd.read_csv(shared_data("taipei/police-cctv-installation-locations.csv"))
    read = parse(table["攝影方向"])
    assert (read["reason"] == "").sum() == table["攝影方向"].notna().sum()
    assert set(read["bearings"].str.len()) <= {0, 1}


@pytest.mark.parametrize("seed", range(4))
def test_the_demo_city_repeats_the_published_line(seed):
    city = demo_city(seed, "tiny")
    rates = class_rates(covered.ledger_of(city)).query("step == 'quality'").set_index("target_class")
    published = {1: 0.964, 2: 0.895, 3: 0.786}
    for c, planted in city.meta["demo"]["covered"].items():
        row = rates.loc[int(c)]
        assert (row["numerator"], row["denominator"]) == (planted["covered"], planted["listed"])
        assert abs(row["rate"] - published[int(c)]) <= 0.5 / planted["listed"]
