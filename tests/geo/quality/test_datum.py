"""The datum verdict: right on towns whose truth is known, never a guess where it cannot be known."""

import itertools
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.crs import convert, convert_geometry, metric_crs
from geo.demo import demo_city
from geo.quality import Reference, areas_verdict, verdict
from geo.quality.stated import Stated


@pytest.fixture(scope="module")
def demo():
    return demo_city(seed=3, scale="small")


DEGREES = ["wgs84", "gcj02", "bd09"]


@dataclass
class Town:
    """An irregular lattice of streets with blocks as grids and houses in them, turned by some degrees."""

    crs: object
    grids: gpd.GeoDataFrame
    roads: np.ndarray
    houses: np.ndarray
    rng: np.random.Generator

    def cameras(self, count):
        """Points on poles beside the roads, metres."""
        road = self.roads[self.rng.integers(0, len(self.roads), count)]
        at = shapely.line_interpolate_point(road, self.rng.uniform(0, 1, count), normalized=True)
        return shapely.get_coordinates(at) + self.rng.normal(0, 6, (count, 2))

    def grid_of(self, xy):
        """Code of the grid of each point, None outside."""
        points, cells = shapely.STRtree(self.grids.geometry.to_numpy()).query(shapely.points(xy), "within")
        codes = np.full(len(xy), None, dtype=object)
        codes[points] = self.grids.index.to_numpy()[cells]
        return codes

    def lonlat(self, xy):
        return convert(*xy.T, source=self.crs, target="wgs84")

    def reference(self, *what):
        shapes = self.grids.geometry.to_numpy()
        given = {"areas": self.grids.geometry, "cover": shapes, "roads": self.roads, "buildings": self.houses}
        return Reference(self.crs, **{name: given[name] for name in what})


def town(seed, *, block=260.0, half=2500.0, lon=118.05, lat=36.81):
    rng = np.random.default_rng(seed)
    crs = metric_crs(lon, lat)
    centre = np.array([float(v) for v in convert(lon, lat, source="wgs84", target=crs)])
    turn = rng.uniform(-0.3, 0.3)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])

    def place(points):
        return np.asarray(points, float) @ rotation + centre

    def cuts():
        inner = np.cumsum(rng.uniform(0.6, 1.4, int(2 * half / block)) * block) - half
        return np.r_[-half, inner[inner < half - 30], half]

    xs, ys = cuts(), cuts()
    roads = [place([(x, -half), (x, half)]) for x in xs] + [place([(-half, y), (half, y)]) for y in ys]
    cells, houses = [], []
    for w, e in itertools.pairwise(xs):
        for s, n in itertools.pairwise(ys):
            cells.append(place([(w, s), (e, s), (e, n), (w, n)]))
            for _ in range(6 if min(e - w, n - s) > 80 else 0):
                x, y = rng.uniform(w + 12, e - 50), rng.uniform(s + 12, n - 50)
                a, b = rng.uniform(12, 38, 2)
                houses.append(place([(x, y), (x + a, y), (x + a, y + b), (x, y + b)]))
    grids = gpd.GeoDataFrame(
        {"level": 3},
        geometry=shapely.polygons(np.array(cells)),
        index=[f"g{i}" for i in range(len(cells))],
        crs=crs,
    )
    return Town(crs, grids, shapely.linestrings(np.array(roads)), shapely.polygons(np.array(houses)), rng)


@pytest.mark.parametrize("datum", DEGREES)
@pytest.mark.parametrize(("seed", "block"), [(0, 180.0), (1, 260.0), (2, 500.0)])
def test_thirty_cameras_are_named_rightly(seed, block, datum):
    place = town(seed, block=block)
    xy = place.cameras(30)
    x, y = convert(*place.lonlat(xy), source="wgs84", target=datum)
    for what in [("areas", "cover", "roads", "buildings"), ("areas",)]:
        found = verdict(x, y, reference=place.reference(*what), table="cameras", area=place.grid_of(xy))
        assert (found.verdict, found.source, found.reference) == (datum, datum, "wgs84"), found.message
        assert found.margin >= 3
        assert {e["evidence"] for e in found.evidence} > {"near the city"}


@pytest.mark.parametrize("datum", DEGREES)
def test_swapped_axes_are_named_with_their_datum(datum):
    place = town(3)
    xy = place.cameras(60)
    x, y = convert(*place.lonlat(xy), source="wgs84", target=datum)
    found = verdict(
        y, x, reference=place.reference("areas", "roads"), table="cameras", area=place.grid_of(xy)
    )
    assert (found.verdict, found.source, found.swapped) == ("swapped", datum, True)


@pytest.mark.parametrize(("system", "unit"), [("EPSG:4548", "metre"), ("EPSG:4527", "metre"), ("EPSG:4549", "metre"),
                                              ("EPSG:32650", "metre"), ("EPSG:3857", "metre")])  # fmt: skip
@pytest.mark.parametrize("swapped", [False, True])
def test_projected_metres_are_named_with_their_code(system, unit, swapped):
    place = town(4)
    xy = place.cameras(40)
    x, y = convert(*place.lonlat(xy), source="wgs84", target=system)
    x, y = (y, x) if swapped else (x, y)
    found = verdict(
        x, y, reference=place.reference("areas", "roads"), table="cameras", area=place.grid_of(xy)
    )
    assert (found.verdict, found.swapped, found.unit) == (system, swapped, unit), found.message


def test_offsets_inside_a_projection_are_not_passed_on_as_plain_metres():
    place = town(5)
    xy = place.cameras(200)
    x, y = convert(
        *convert(*place.lonlat(xy), source="wgs84", target="gcj02"), source="wgs84", target="EPSG:4548"
    )
    found = verdict(
        x, y, reference=place.reference("areas", "roads"), table="cameras", area=place.grid_of(xy)
    )
    assert (found.verdict, found.content, found.source) == ("EPSG:4548", "gcj02", "")


def test_a_city_that_is_itself_offset_is_said_so():
    """The direction of the offset tells which side has it."""
    place = town(6)
    xy = place.cameras(200)
    moved = convert_geometry(place.grids.to_crs(4326).geometry.to_numpy(), source="wgs84", target="gcj02")
    areas = gpd.GeoSeries(moved, index=place.grids.index, crs=4326).to_crs(place.crs)
    found = verdict(*place.lonlat(xy), reference=Reference(place.crs, areas=areas), area=place.grid_of(xy))
    assert (found.verdict, found.reference) == ("wgs84", "gcj02")


def test_nothing_is_named_without_evidence():
    place = town(7)
    xy = place.cameras(300)
    x, y = place.lonlat(xy)
    thin = {
        "few points": verdict(x[:9], y[:9], reference=place.reference("areas", "roads"), table="cameras"),
        "one place": verdict(np.repeat(x[:1], 300), np.repeat(y[:1], 300), table="cameras",
                             reference=place.reference("areas", "roads")),
        "the outline alone": verdict(x[:30], y[:30], reference=place.reference("cover")),
        "an empty city": verdict(x, y, reference=Reference(place.crs)),
        "another city": verdict(x + 3, y, reference=place.reference("areas", "cover", "roads")),
        "no points": verdict([], [], reference=place.reference("areas")),
        "zeros": verdict(np.zeros(50), np.zeros(50), reference=place.reference("areas")),
    }  # fmt: skip
    for why, found in thin.items():
        assert (found.verdict, found.source, found.margin) == ("unknown", "", 0), why
        assert found.message.startswith("unknown: ")
        assert found.message_zh.startswith("无法判定")


def test_noise_and_shifts_of_no_system_are_not_named():
    """False verdicts over random towns: shifts of 200-1500 m in any direction, and points at random places."""
    wrong, named = [], 0
    for seed in range(12):
        place = town(100 + seed, block=[150.0, 260.0, 500.0][seed % 3])
        xy = place.cameras(30)
        codes = place.grid_of(xy)
        turn, far = place.rng.uniform(0, 2 * np.pi), place.rng.uniform(200, 1500)
        shifted = xy + far * np.array([np.sin(turn), np.cos(turn)])
        anywhere = xy.mean(axis=0) + place.rng.uniform(-2200, 2200, xy.shape)
        for what in [("areas", "cover", "roads", "buildings"), ("areas",), ("roads", "cover")]:
            given = place.reference(*what)
            for trial in (shifted, anywhere):
                lon, lat = place.lonlat(trial)
                found = verdict(lon, lat, reference=given, table="cameras", area=codes)
                if found.verdict != "unknown":
                    back = convert(lon, lat, source=found.source, target=found.reference)
                    off = np.hypot(
                        *(np.column_stack(convert(*back, source="wgs84", target=place.crs)) - xy).T
                    )
                    wrong += [found.message] if np.median(off) > 150 else []
            lon, lat = place.lonlat(xy)
            named += verdict(lon, lat, reference=given, table="cameras", area=codes).verdict == "wgs84"
    assert not wrong
    assert named >= 30  # of 36: the same test must not pass by naming nothing


def test_evidence_that_disagrees_is_not_averaged():
    """Grids in CGCS2000, roads in GCJ-02: the points fit one or the other."""
    place = town(8)
    xy = place.cameras(300)
    lonlat = np.column_stack(convert(*place.lonlat(xy), source="wgs84", target="gcj02"))
    roads = convert_geometry(place.roads, source=place.crs, target="wgs84")
    roads = convert_geometry(
        convert_geometry(roads, source="wgs84", target="gcj02"), source="wgs84", target=place.crs
    )
    given = Reference(place.crs, areas=place.grids.geometry, roads=roads)
    found = verdict(*lonlat.T, reference=given, table="cameras", area=place.grid_of(xy))
    assert found.verdict == "unknown"
    assert "disagrees" in found.message or "behind" in found.message


class TestMixed:
    def halves(self, seed=9, count=120):
        place = town(seed)
        xy = place.cameras(count)
        lon, lat = place.lonlat(xy)
        return place, place.grid_of(xy), lon, lat, np.arange(count) < count // 2

    def test_units_in_different_datums(self):
        place, codes, lon, lat, first = self.halves()
        x, y = convert(lon, lat, source="wgs84", target="gcj02")
        unit = np.where(first, "城管局", "公安局")
        found = verdict(np.where(first, lon, x), np.where(first, lat, y), table="cameras", area=codes, unit=unit,
                        reference=place.reference("areas", "roads"))  # fmt: skip
        assert found.verdict == "mixed"
        assert {k: v.verdict for k, v in found.parts.items()} == {"城管局": "wgs84", "公安局": "gcj02"}

    def test_units_that_agree_are_not_mixed(self):
        place, codes, lon, lat, first = self.halves()
        found = verdict(lon, lat, table="cameras", area=codes, unit=np.where(first, "a", "b"),
                        reference=place.reference("areas", "roads"))  # fmt: skip
        assert found.verdict == "wgs84"

    def test_files_put_one_behind_the_other(self):
        place, codes, lon, lat, first = self.halves(count=480)
        x, y = convert(lon, lat, source="wgs84", target="gcj02")
        found = verdict(np.where(first, lon, x), np.where(first, lat, y), table="cameras", area=codes,
                        reference=place.reference("areas", "roads"))  # fmt: skip
        assert found.verdict == "mixed"
        assert found.parts["rows 1-60"].verdict == "wgs84"
        assert found.parts["rows 421-480"].verdict == "gcj02"

    @pytest.mark.parametrize("other", ["swapped", "EPSG:4548"])
    def test_rows_of_another_form(self, other):
        place, codes, lon, lat, _ = self.halves()
        some = np.arange(len(lon)) % 4 == 0
        x, y = (lat, lon) if other == "swapped" else convert(lon, lat, source="wgs84", target=other)
        found = verdict(np.where(some, x, lon), np.where(some, y, lat), table="cameras", area=codes,
                        reference=place.reference("areas", "roads"))  # fmt: skip
        assert found.verdict == "mixed"
        assert sorted(found.parts.values()) == [30, 90]


def test_the_same_question_has_the_same_answer_and_is_plain_json():
    place = town(10)
    xy = place.cameras(3000)
    lon, lat = place.lonlat(xy)
    one, two = (
        verdict(
            lon, lat, reference=place.reference("areas", "roads"), table="cameras", area=place.grid_of(xy)
        )
        for _ in range(2)
    )
    assert one.as_dict() == two.as_dict()
    assert one.as_dict()["verdict"] == "wgs84"
    assert isinstance(one.as_dict()["evidence"][0]["value"], float)


@pytest.mark.parametrize("datum", DEGREES)
def test_thirty_rows_of_the_demo_city(demo, datum):
    """No table says where its rows stand: beside roads, in buildings, on poles is learnt from the rows."""
    tables = {name: demo.table(name) for name in ("grids", "boundary", "roads", "buildings")}
    given = Reference.of(tables, crs=demo.crs)
    for name in ("cameras", "addresses", "facilities", "hazards"):
        rows = demo.degrees(name)
        some = rows.iloc[np.random.default_rng(1).choice(len(rows), 30, replace=False)]
        x, y = convert(some.geometry.x, some.geometry.y, source="wgs84", target=datum)
        area = some["grid_id"] if "grid_id" in some else None
        found = verdict(x, y, reference=given, table=name, area=area)
        assert (found.verdict, found.reference) == (datum, "wgs84"), (name, found.message)


def test_reference_data_in_degrees_are_refused():
    with pytest.raises(Exception, match="metres"):
        Reference("EPSG:4490")


# --- real data ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("city", "system"), [("hsinchu_city", "EPSG:3826"), ("kinmen", "EPSG:3825"), ("penghu", "EPSG:3825")]
)
def test_taiwan_addresses(shared_data, city, system):
    rows = pd.read_parquet(
        shared_data(f"taiwan_addresses/{city}_addresses.parquet"), columns=["x", "y", "village"]
    )
    villages = gpd.read_file(shared_data(f"taiwan_addresses/{city}_villages.gpkg")).dissolve("VILLNAME")
    centre = villages.geometry.representative_point()
    crs = metric_crs(centre.x, centre.y)
    given = Reference(
        crs, areas=villages.to_crs(crs).geometry, cover=villages.to_crs(crs).geometry.to_numpy()
    )
    found = verdict(rows["x"], rows["y"], reference=given, table="addresses", area=rows["village"])
    assert (found.verdict, found.unit, found.reference) == (system, "metre", "wgs84"), found.message
    lon, lat = convert(rows["x"], rows["y"], source=system, target="wgs84")
    for datum in ("wgs84", "gcj02"):
        x, y = convert(lon, lat, source="wgs84", target=datum)
        assert verdict(x, y, reference=given, table="addresses", area=rows["village"]).verdict == datum


def test_portland_is_in_feet(shared_data):
    districts = gpd.read_file(shared_data("portland/police_districts.gpkg"))
    calls = pd.read_parquet(shared_data("portland/calls_2016_08_09.parquet"))
    crs = metric_crs(-122.67, 45.5)
    given = Reference(crs, cover=districts.to_crs(crs).geometry.to_numpy(), hints=("EPSG:2913",))
    found = verdict(calls["x_coordina"], calls["y_coordina"], reference=given, table="incidents")
    assert (found.verdict, found.unit) == ("EPSG:2913", "foot")
    assert "feet" in found.message
    bare = verdict(calls["x_coordina"], calls["y_coordina"], table="incidents",
                   reference=Reference(crs, cover=given.cover))  # fmt: skip
    assert bare.unit == "foot"
    assert "EPSG:2913" in (bare.verdict, *bare.equivalents)


@pytest.mark.parametrize("prefix", ["3703", "3704", "4403"])
def test_county_outlines_are_gcj02_against_cgcs2000_points(shared_data, prefix):
    raw = gpd.read_file(shared_data("cn_counties/counties_gcj02.geojson"))
    raw = raw.set_index(raw["adcode"].astype("str")).geometry
    raw = raw[raw.index.str.startswith(prefix)]
    true = gpd.GeoSeries(
        convert_geometry(raw.to_numpy(), source="gcj02", target="wgs84"), index=raw.index, crs=4326
    )
    west, south, east, north = true.total_bounds
    lonlat = np.random.default_rng(0).uniform((west, south), (east, north), (12_000, 2))
    rows, at = shapely.STRtree(true.to_numpy()).query(shapely.points(lonlat), "within")
    given = (*lonlat[rows].T, true.index.to_numpy()[at])
    crs = metric_crs(*lonlat[rows].T)
    for polygons, datum in [(raw, "gcj02"), (true, "wgs84")]:
        found = areas_verdict(polygons, *given, crs=crs)
        assert (found.verdict, found.reference) == (datum, "wgs84"), found.message
    few = areas_verdict(raw, *(v[:30] for v in given), crs=crs)
    assert few.verdict in ("unknown", "gcj02")


@pytest.fixture(scope="module")
def taipei(shared_data):
    """Statistical cells and buildings of Taipei: no roads, no names, and the city is an enclave of another."""
    cells = gpd.read_file(shared_data("taipei/cells.gpkg")).to_crs(3826)
    towns = cells.groupby("TOWN_ID").geometry.agg(lambda g: shapely.coverage_union_all(g.to_numpy()))
    buildings = gpd.read_file(shared_data("taipei/buildings.gpkg"), columns=[]).to_crs(3826).geometry
    return {
        "cover": towns.to_numpy(object),
        "edges": shapely.boundary(cells.geometry.to_numpy()),
        "buildings": buildings.to_numpy(),
    }


def taipei_points(table, shared_data, taipei):
    """Degrees as the files have them: cameras, facilities, incidents of the whole island, places in buildings."""
    if table == "incidents":
        rows = pd.read_parquet(shared_data("taiwan_accidents/a2_accidents.parquet"), columns=["經度", "緯度"])
        return rows["經度"].to_numpy(float), rows["緯度"].to_numpy(float)
    if table == "buildings":
        spots = shapely.point_on_surface(taipei["buildings"])
        return convert(shapely.get_x(spots), shapely.get_y(spots), source="EPSG:3826", target="wgs84")
    name = {"cameras": "traffic-cctv-facilities", "facilities": "aed-locations"}[table]
    rows = pd.read_json(shared_data(f"taipei/{name}.json"))
    return rows["longitude"].to_numpy(float), rows["latitude"].to_numpy(float)


@pytest.mark.parametrize("table", ["cameras", "facilities", "incidents", "buildings"])
def test_a_city_without_roads_is_judged_by_its_grids(table, shared_data, taipei):
    """Their borders run along streets. More than half of the accidents near by are of the city around it."""
    lon, lat = taipei_points(table, shared_data, taipei)
    if table == "incidents":  # as the import leaves them: what is near the city
        near = (np.abs(lon - 121.56) < 0.31) & (np.abs(lat - 25.085) < 0.35)
        lon, lat = lon[near], lat[near]
    given = Reference("EPSG:3826", **{k: v for k, v in taipei.items() if k != table})
    for datum in ("wgs84", "gcj02") if table in ("cameras", "incidents") else ("wgs84",):
        x, y = convert(lon, lat, source="wgs84", target=datum)
        found = verdict(x, y, reference=given, table=table)
        assert (found.verdict, found.reference) == (datum, "wgs84"), found.message
    if table == "incidents":  # most lie outside: that they are "in the city" says nothing of them
        assert "city" not in {e["evidence"] for e in found.evidence}


class TestStated:
    """What rows say of their own place, in words."""

    def reference(self, place):
        tables = {
            "grids": place.grids.assign(name=[f"第{i}网格" for i in range(len(place.grids))]),
            "roads": gpd.GeoDataFrame({"name": [f"建设{i}路" for i in range(len(place.roads))]}, geometry=place.roads,
                                      crs=place.crs),
        }  # fmt: skip
        return Reference.of(tables, crs=place.crs)

    def test_the_road_of_an_address_and_the_smallest_area_are_found(self):
        place = town(1)
        given = self.reference(place)
        said = Stated.read(given, None, ["建设12路3号", "第7网格内，近建设1路", "别处", None], 4, seed=0)
        assert said.area.tolist() == [-1, given.areas.index.get_loc("第7网格"), -1, -1]
        shapes = given.shapes_of(said)
        assert shapes["named road"][0].equals(shapely.multilinestrings([place.roads[12]]))
        assert [s is None for s in shapes["named road"]] == [False, False, True, True]

    @pytest.mark.parametrize("datum", DEGREES)
    def test_words_name_a_datum_where_rows_stand_anywhere(self, datum):
        """Random points say nothing by themselves; 30 that name their grid do."""
        place = town(2, block=500.0)
        middle = shapely.get_coordinates(place.grids.union_all().centroid)
        xy = middle + place.rng.uniform(-1500, 1500, (30, 2))
        codes = place.grid_of(xy)
        names = dict(zip(place.grids.index, [f"第{i}网格" for i in range(len(place.grids))], strict=True))
        x, y = convert(*place.lonlat(xy), source="wgs84", target=datum)
        given = self.reference(place)
        words = [f"发生在{names.get(c, '')}的事" for c in codes]
        assert verdict(x, y, reference=given, table="incidents").verdict in ("unknown", datum)
        assert verdict(x, y, reference=given, table="incidents", text=words).verdict == datum


class TestInterleaved:
    """Rows of two systems in no order."""

    @pytest.mark.parametrize("content", ["gcj02", "bd09"])
    @pytest.mark.parametrize("stated", [True, False])
    def test_thirty_rows_half_and_half(self, content, stated):
        place = town(6)
        xy = place.cameras(30)
        lon, lat = place.lonlat(xy)
        x, y = convert(lon, lat, source="wgs84", target=content)
        half = place.rng.permutation(30) < 15
        found = verdict(np.where(half, x, lon), np.where(half, y, lat), reference=place.reference("areas", "roads"),
                        table="cameras", area=place.grid_of(xy) if stated else None)  # fmt: skip
        assert found.verdict == "mixed"
        assert set(found.parts) == {"wgs84", content}
        assert sum(found.parts.values()) == 30
        assert abs(found.parts["wgs84"] - 15) <= 2

    def test_rows_that_state_a_wrong_grid_are_no_second_system(self):
        """A third of the rows declare any grid: they fit every shift alike, and that is not a mixture."""
        place = town(7)
        for seed in range(6):
            rng = np.random.default_rng(seed)
            xy = place.cameras(60)
            codes = place.grid_of(xy)
            wrong = rng.permutation(60) < 20
            codes[wrong] = rng.choice(place.grids.index.to_numpy(), 20)
            found = verdict(
                *place.lonlat(xy), reference=place.reference("areas", "roads"), table="cameras", area=codes
            )
            assert found.verdict in ("wgs84", "unknown"), found.message


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_stand_anywhere_are_not_two_systems(demo, seed):
    """Points at random, near to each other, fit some shift by chance; more of them do so no better."""
    rng = np.random.default_rng(seed)
    reference = Reference.of({n: demo.table(n) for n in ("grids", "roads", "buildings")}, crs=demo.crs)
    middle = shapely.get_coordinates(demo.degrees("buildings").geometry.iloc[2000].centroid)[0]
    for count in (60, 400):
        lon, lat = middle[:, None] + rng.uniform(-0.01, 0.01, (2, count))
        assert verdict(lon, lat, reference=reference).verdict in ("unknown", "wgs84")
