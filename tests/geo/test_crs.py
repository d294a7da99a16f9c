"""Laws of the coordinate conversions, and the published vectors."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import CRS, Geod

from geo import crs
from geo.errors import BadInputError, UnknownNameError

NAMES = ["wgs84", "cgcs2000", "gcj02", "bd09"]
in_china = st.tuples(st.floats(73.0, 137.0), st.floats(2.0, 55.0))


@pytest.mark.parametrize(
    ("source", "target", "given_at", "expected", "digits"),
    [
        ("wgs84", "gcj02", (116.42079, 39.90105), (116.42703, 39.90245), 1e-5),
        ("wgs84", "gcj02", (120.596931, 31.280844), (120.6010999, 31.2786486), 1e-7),
        ("gcj02", "wgs84", (123.0, 45.0), (122.99395597, 44.99804071), 2e-7),
        ("wgs84", "gcj02", (121.5272106, 31.1774276), (121.531541859215, 31.17530398364597), 1e-12),
        ("wgs84", "gcj02", (113.912316, 22.543847), (113.9171764808363, 22.540796131694766), 1e-12),
        ("wgs84", "gcj02", (116.377817, 39.911954), (116.38404722455657, 39.91334545536069), 1e-12),
        ("wgs84", "bd09", (116.403988, 39.914266), (116.41661560, 39.92196580), 5e-9),
    ],
)
def test_published_vectors(source, target, given_at, expected, digits):
    got = crs.convert(*given_at, source=source, target=target)
    assert np.abs(np.array(got) - expected).max() <= digits


@given(in_china, st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_there_and_back_is_exact(at, source, target):
    there = crs.convert(*at, source=source, target=target)
    back = crs.convert(*there, source=target, target=source)
    assert np.abs(np.array(back) - at).max() < 1e-10


def test_offsets_are_of_the_known_size():
    """Over China GCJ-02 lies some 250-650 m from WGS-84, BD-09 800-960 m from GCJ-02."""
    cities = np.array(
        [(117.32, 34.81), (118.05, 36.81), (116.40, 39.90), (121.47, 31.23), (114.06, 22.54), (113.26, 23.13),
         (104.07, 30.57), (114.30, 30.59), (87.62, 43.83), (126.53, 45.80)]
    )  # fmt: skip
    geod = Geod(ellps="GRS80")
    lon, lat = cities.T

    def metres(source, target):
        first = crs.convert(lon, lat, source="wgs84", target=source)
        second = crs.convert(lon, lat, source="wgs84", target=target)
        return geod.inv(*first, *second)[2]

    assert 200 < metres("wgs84", "gcj02").min() < metres("wgs84", "gcj02").max() < 700
    assert metres("wgs84", "gcj02")[:2] == pytest.approx([546, 543], abs=15)  # Zaozhuang, Zibo
    assert 780 < metres("gcj02", "bd09").min() < metres("gcj02", "bd09").max() < 980
    assert 900 < metres("wgs84", "bd09").min() < metres("wgs84", "bd09").max() < 1450


@pytest.mark.parametrize("at", [(0.0, 51.5), (-122.67, 45.5), (139.7, 35.7), (151.2, -33.9), (0.0, 0.0)])
def test_outside_the_published_box_gcj_is_wgs(at):
    for source, target in [("wgs84", "gcj02"), ("gcj02", "wgs84")]:
        assert np.array_equal(crs.convert(*at, source=source, target=target), at)


def test_wgs_and_cgcs_are_one_datum_under_every_name():
    lon, lat = np.array([117.0, 118.5]), np.array([34.5, 36.5])
    for source in ["wgs84", "cgcs2000", "EPSG:4326", "EPSG:4490", "WGS-84"]:
        for target in ["wgs84", "CGCS2000", "epsg:4490"]:
            assert np.array_equal(crs.convert(lon, lat, source=source, target=target), (lon, lat))


def test_through_a_projection_and_back():
    lon, lat = np.random.default_rng(1).uniform((117, 34), (119, 37), (500, 2)).T
    for name in ["EPSG:4548", "EPSG:4527", "EPSG:32650", "EPSG:3857"]:
        for datum in NAMES:
            xy = crs.convert(lon, lat, source=datum, target=name)
            back = crs.convert(*xy, source=name, target=datum)
            assert np.abs(np.array(back) - (lon, lat)).max() < 1e-9


def test_zone_prefix_twins_differ_by_the_zone_alone():
    plain = crs.convert(117.3, 34.8, source="wgs84", target="EPSG:4548")
    twin = crs.convert(117.3, 34.8, source="wgs84", target="EPSG:4527")
    assert twin[0] - plain[0] == pytest.approx(39_000_000, abs=1e-3)
    assert twin[1] == pytest.approx(plain[1], abs=1e-3)
    for zone in crs.GK_ZONES:
        assert crs.unprefixed(crs.gk_crs(zone, prefixed=True)) == crs.gk_crs(zone)
        assert f"{3 * zone}E" in crs.gk_crs(zone).name
        assert f"zone {zone}" in crs.gk_crs(zone, prefixed=True).name
    assert crs.unprefixed(CRS.from_epsg(32650)).to_epsg() == 32650


def test_arguments_are_not_changed_and_shapes_are_kept():
    lon, lat = np.full((3, 2), 117.0), np.full((3, 2), 36.0)
    out = crs.convert(lon, lat, source="gcj02", target="wgs84")
    assert out[0].shape == (3, 2)
    assert (lon == 117.0).all()
    assert (lat == 36.0).all()
    for name in [*NAMES, "EPSG:4548"]:
        assert crs.convert([], [], source="bd09", target=name)[0].shape == (0,)


@given(arrays("float64", (5, 2), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_what_is_not_finite_gives_nan_and_nothing_else_does(xy):
    with np.errstate(all="ignore"):
        out = np.array(crs.convert(*xy.T, source="wgs84", target="gcj02"))
    finite = np.isfinite(xy).all(axis=1)
    assert np.isnan(out[:, ~finite]).all()
    assert np.isfinite(out[:, finite]).all()


def test_nan_beside_good_points_does_not_stop_the_iteration():
    lon, lat = np.array([np.nan, 117.0]), np.array([36.0, 36.0])
    back = crs.convert(*crs.convert(lon, lat, source="wgs84", target="bd09"), source="bd09", target="wgs84")
    assert np.isnan(back[0][0])
    assert abs(back[0][1] - 117.0) < 1e-10


def test_geometries_convert_as_their_coordinates_do():
    shape = shapely.from_wkt(
        "POLYGON((117 36,117.1 36,117.1 36.1,117 36),(117.05 36.02,117.06 36.02,117.06 36.03,117.05 36.02))"
    )
    out = crs.convert_geometry(np.array([shape, None]), source="wgs84", target="gcj02")
    x, y = crs.convert(*shapely.get_coordinates(shape).T, source="wgs84", target="gcj02")
    assert np.array_equal(shapely.get_coordinates(out[0]), np.column_stack([x, y]))
    assert out[1] is None
    table = gpd.GeoSeries([shape], crs=4490)
    moved = crs.convert_geometry(table.to_numpy(), source="cgcs2000", target="EPSG:4548")
    assert shapely.hausdorff_distance(moved[0], table.to_crs(4548).iloc[0]) < 1e-3


@pytest.mark.parametrize(
    ("name", "lon", "lat", "epsg"),
    [
        ("Zaozhuang", 117.32, 34.81, 4548), ("Zibo", 118.05, 36.81, 4548),
        ("Wenzhou", 120.70, 28.0, 4549), ("Beijing", 116.4, 39.9, 4548),
        ("Shenzhen Futian", 114.06, 22.54, 4547), ("Shekou", 113.92, 22.485, 4547),
        ("Zhuhai", 113.577, 22.27, 4547), ("Sanya", 109.51, 18.25, 4546),
        ("Kashgar", 75.99, 39.47, 4534), ("Hotan", 79.92, 37.11, 4536),
        ("Urumqi", 87.62, 43.83, 4538), ("Lhasa", 91.1, 29.65, 4539),
        ("Tengchong", 98.49, 25.02, 4542), ("Jinghong", 100.8, 22.0, 4543),
        ("Hailar", 119.76, 49.22, 4549), ("Mohe", 122.53, 52.97, 4550),
        ("Fuyuan", 134.3, 48.36, 4554), ("Hunchun", 130.37, 42.86, 4552),
        ("Dandong", 124.35, 40.1, 4550), ("Dalian", 121.6, 38.9, 4550),
        ("Xiamen", 118.1, 24.48, 4548), ("Hami", 93.5, 42.82, 4540),
        ("Altay", 88.13, 47.84, 4538), ("Pingxiang", 106.75, 22.1, 4545),
        ("Hong Kong", 114.17, 22.30, 2326), ("Macao", 113.55, 22.19, 8433),
        ("Taipei", 121.5, 25.04, 3826), ("Kinmen", 118.32, 24.44, 3825),
        ("Penghu", 119.57, 23.57, 3825), ("Kaohsiung", 120.3, 22.6, 3826),
        ("Hanoi", 105.85, 21.03, 32648), ("Ulaanbaatar", 106.9, 47.9, 32648),
        ("Seoul", 126.98, 37.57, 32652), ("Pyongyang", 125.75, 39.02, 32651),
        ("Kathmandu", 85.3, 27.7, 32645), ("Almaty", 76.9, 43.25, 32643),
        ("Vladivostok", 131.9, 43.1, 32652), ("Naypyidaw", 96.1, 19.75, 32647),
        ("Manila", 120.98, 14.6, 32651), ("London", -0.1, 51.5, 32630),
        ("Portland", -122.67, 45.5, 32610), ("Sydney", 151.2, -33.9, 32756),
        ("dateline", 180.0, 10.0, 32660), ("pole", 0.0, 89.0, 5041),
    ],
)  # fmt: skip
def test_the_metric_crs_of_a_city(name, lon, lat, epsg):
    assert crs.metric_crs(lon, lat).to_epsg() == epsg, name


def test_the_metric_crs_is_not_led_astray_by_a_few_stray_points():
    lon = np.r_[np.full(99, 117.3), 0.0, np.nan]
    lat = np.r_[np.full(99, 34.8), 0.0, np.nan]
    assert crs.metric_crs(lon, lat).to_epsg() == 4548


def test_errors_say_what_is_allowed():
    with pytest.raises(UnknownNameError, match=r"gcj-03.*bd09"):
        crs.convert(1, 2, source="gcj-03", target="wgs84")
    with pytest.raises(BadInputError, match="EPSG:999999"):
        crs.convert(1, 2, source="EPSG:999999", target="wgs84")
    with pytest.raises(BadInputError, match="numbers"):
        crs.convert(["x"], [1], source="wgs84", target="gcj02")
    with pytest.raises(BadInputError, match="finite"):
        crs.metric_crs([np.nan], [1])
    with pytest.raises(BadInputError, match="degrees"):
        crs.metric_crs([500_000], [4_000_000])
    with pytest.raises(BadInputError, match="25 to 45"):
        crs.gk_crs(50)
