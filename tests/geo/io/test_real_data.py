"""Imports of real files of five countries: what is read, repaired, refused, and how well places agree with what rows say."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.errors import ImportRefusedError
from geo.io import ImportOptions, cleaning, import_files
from geo.io import values as values_
from geo.store import create_store


def load(store, table, path, **options):
    return import_files(table, [path], store, options=ImportOptions(**options))


@pytest.fixture(scope="module")
def taipei(shared_data, tmp_path_factory):
    store = create_store(tmp_path_factory.mktemp("taipei"), name="台北")
    load(store, "grids", shared_data("taipei/cells.gpkg"), parents=("CODE2", "TOWN_ID"))
    return store


class TestTaipei:
    def test_cells_with_the_levels_above(self, taipei):
        grids = taipei.city().degrees("grids")
        assert grids["level"].value_counts().to_dict() == {3: 11_490, 2: 907, 1: 12}
        assert grids["kind"].value_counts().to_dict() == {"base": 11_490, "admin": 919}
        assert grids.is_valid.all()
        metres = taipei.city().table("grids")
        area = metres.area.groupby(metres["level"].astype(int).to_numpy()).sum()
        assert area[3] == pytest.approx(area[2], rel=1e-9) == pytest.approx(area[1], rel=1e-9)
        parent = grids.loc[grids["parent_id"].dropna()]
        below = grids[grids["parent_id"].notna()]
        assert (below["level"].to_numpy() - parent["level"].to_numpy() == 1).all()
        inside = shapely.point_on_surface(below.geometry.to_numpy())
        assert shapely.intersects(parent.geometry.to_numpy(), inside).all()

    def test_four_levels(self, shared_data, tmp_path):
        store = create_store(tmp_path / "c")
        report = load(
            store,
            "grids",
            shared_data("taipei/cells.gpkg"),
            parents=("CODE1", "CODE2", "TOWN_ID"),
            constants={"kind": "base"},
        )
        assert report.imported == 11_490 + 7_672 + 907 + 12

    def test_cells_as_base_grids_with_three_parents(self, shared_data, tmp_path):
        """Levels count from the town down: what lies between the village and the base grids has none."""
        store = create_store(tmp_path / "c")
        given = {"parents": ("CODE1", "CODE2", "TOWN_ID"), "constants": {"level": "3"}}
        report = load(store, "grids", shared_data("taipei/cells.gpkg"), **given)
        assert report.imported == 11_490 + 907 + 12
        assert any("CODE1 not made into grids" in note and "--set level=4" in note for note in report.notes)
        frame = gpd.read_file(shared_data("taipei/cells.gpkg"))
        cell = frame.iloc[4321]
        point = cell.geometry.representative_point()
        answer = store.city().lookup.answers([point.x], [point.y])[0]
        found = [(g["grid_id"], g["level"], g["kind"]) for g in answer["grids"]]
        assert found == [
            (cell["TOWN_ID"], 1, "admin"),
            (cell["CODE2"], 2, "admin"),
            (cell["CODEBASE"], 3, "base"),
        ]
        with pytest.raises(ImportRefusedError, match=r"4 levels above the rows.*at most 3"):
            load(
                store,
                "grids",
                shared_data("taipei/cells.gpkg"),
                parents=("CODE1", "CODE2", "TOWN_ID", "COUNTY_ID"),
            )

    def test_cells_again_are_nothing_new(self, taipei, shared_data):
        report = load(taipei, "grids", shared_data("taipei/cells.gpkg"), parents=("CODE2", "TOWN_ID"))
        assert (report.imported, report.updated, report.unchanged) == (0, 0, 12_409)

    def test_parents_from_containment(self, taipei, shared_data, tmp_path):
        store = create_store(tmp_path / "c")
        towns = taipei.city().degrees("grids").query("level == 1")
        store.write("grids", towns)
        frame = gpd.read_file(shared_data("taipei/cells.gpkg")).head(500)
        frame.to_file(tmp_path / "cells.gpkg", layer="base")
        report = load(store, "grids", tmp_path / "cells.gpkg", constants={"level": "2", "kind": "admin"})
        stored = store.city().degrees("grids").query("level == 2")
        assert report.derived["parent_id.from_containment"] == 500
        assert (stored["parent_id"] == frame.set_index("CODEBASE")["TOWN_ID"].loc[stored.index]).all()

    def test_buildings(self, taipei, shared_data):
        path = shared_data("taipei/buildings.gpkg")
        report = load(taipei, "buildings", path)
        assert (report.read, report.quarantined) == (19_878, 0)
        assert report.repairs["geometry.made_valid"] == 746
        stored = taipei.city().degrees("buildings")
        raw = gpd.read_file(path)
        assert stored.is_valid.all()
        assert len(stored) + report.left_out["row.duplicate"] == len(raw)
        assert stored["height_m"].max() == raw["height"].max()
        again = load(taipei, "buildings", path)
        assert (again.imported, again.unchanged) == (0, len(stored))

    @pytest.mark.parametrize(("table", "name", "kind", "rows"), [("cameras", "traffic-cctv-facilities.json", "", 416), ("facilities", "aed-locations.json", "aed", 2728), ("facilities", "medical-facilities.json", "clinic", 1895)])  # fmt: skip
    def test_json_records(self, taipei, shared_data, table, name, kind, rows):
        report = load(taipei, table, shared_data(f"taipei/{name}"), constants={"kind": kind} if kind else {})
        assert (report.read, report.imported + report.unchanged, report.quarantined) == (rows, rows, 0)
        raw = pd.DataFrame(json.loads(shared_data(f"taipei/{name}").read_text("utf-8"))).set_index("id")
        stored = taipei.city().degrees(table).loc[raw.index]
        np.testing.assert_array_equal(stored.geometry.x, raw["longitude"])
        np.testing.assert_array_equal(stored.geometry.y, raw["latitude"])

    def test_accidents_of_the_whole_island_leave_those_of_the_city(self, taipei, shared_data):
        path = shared_data("taiwan_accidents/a2_accidents.parquet")
        report = load(taipei, "incidents", path)
        assert report.read == 67_148
        assert report.imported + report.quarantined == report.read
        assert set(report.reasons) == {"coordinates.outside"}
        assert set(report.columns.values()) == {
            "發生日期",
            "發生時間",
            "經度",
            "緯度",
            "發生地點",
            "事故類型及型態大類別名稱",
        }
        stored = taipei.city().degrees("incidents")
        raw = pd.read_parquet(path)
        local = stored["occurred_at"].dt.tz_convert("Asia/Taipei")
        times = pd.to_datetime(raw["發生日期"] + raw["發生時間"], format="%Y%m%d%H%M%S")
        assert set(local.dt.tz_localize(None)) <= set(times)
        ours = raw["發生地點"].str.startswith("臺北市")
        assert len(stored) > ours.sum()  # the neighbours within ten kilometres came too

    def test_thefts_are_big5_with_dates_of_the_republic(self, shared_data, tmp_path):
        path = shared_data("taipei/motorcycle-theft-records.csv")
        store = create_store(tmp_path / "c")
        with pytest.raises(ImportRefusedError, match=r"no geometry.*發生地點.*santu locate"):
            load(store, "incidents", path)
        lines = path.read_bytes().decode("cp950").splitlines()
        placed = [
            lines[0] + ",經度,緯度",
            *[f"{line},121.5{i % 90:02d},25.05" for i, line in enumerate(lines[1:])],
        ]
        (tmp_path / "t.csv").write_bytes("\r\n".join(placed).encode("cp950"))
        report = load(store, "incidents", tmp_path / "t.csv")
        assert report.encoding == "cp950"
        assert dict(report.reasons) == {"value.absent": 1}  # one date has lost a digit
        assert report.imported == len(lines) - 2
        assert report.derived["occurred_at.start_of_span"] == report.read
        times = store.city().degrees("incidents")["occurred_at"].dt.tz_convert("Asia/Taipei")
        assert times.min() == pd.Timestamp("2018-01-01 02:00", tz="Asia/Taipei")
        assert any("running number" in n for n in report.notes)

    def test_facings_of_police_cameras(self, shared_data):
        frame = pd.read_csv(shared_data("taipei/police-cctv-installation-locations.csv"))
        degrees, error = values_.bearings(cleaning.clean(frame["攝影方向"])[0])
        given = frame["攝影方向"].notna()
        assert degrees[given].notna().mean() > 0.98
        assert set(error.dropna()) == {22.5, 11.25}
        east = frame["攝影方向"] == "東"
        assert (degrees[east] == 90).all()

    def test_villages_hold_a_collection(self, shared_data, tmp_path):
        report = load(
            create_store(tmp_path / "c"),
            "grids",
            shared_data("taipei/villages.gpkg"),
            constants={"level": "2"},
        )
        assert (report.imported, report.quarantined, report.repairs["geometry.stray_parts"]) == (456, 0, 1)


@pytest.mark.parametrize(("name", "epsg", "ceiling"), [pytest.param("hsinchu_city", "EPSG:3826", 0.929, marks=pytest.mark.scale), ("kinmen", "EPSG:3825", 0.985), pytest.param("penghu", "EPSG:3825", 0.975, marks=pytest.mark.scale)])  # fmt: skip
def test_door_plates_lie_in_their_village(shared_data, tmp_path, name, epsg, ceiling):
    store = create_store(tmp_path / "c", name=name)
    load(store, "grids", shared_data(f"taiwan_addresses/{name}_villages.gpkg"), constants={"level": "2"})
    report = load(store, "addresses", shared_data(f"taiwan_addresses/{name}_addresses.parquet"))
    assert report.crs == epsg  # the file says nothing: found by where the villages are
    city = store.city()
    addresses, grids = city.degrees("addresses"), city.degrees("grids")
    village = grids["name"].reindex(addresses["grid_id"]).to_numpy(dtype=object)
    agreement = float(np.mean(village == addresses["village"].to_numpy(dtype=object)))
    assert agreement == pytest.approx(ceiling, abs=0.0015)
    located = city.locate(addresses.geometry.x.to_numpy(), addresses.geometry.y.to_numpy())
    column = next(c for c in located.columns if "village" in str(c) or str(c) in ("2", "level_2"))
    same = (
        located[column].astype("str").fillna("").to_numpy()
        == addresses["grid_id"].astype("str").fillna("").to_numpy()
    )
    assert same.mean() > 0.9999


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.scale)])
def test_british_crimes_lie_in_their_area(shared_data, tmp_path, every):
    store = create_store(tmp_path / "c")
    load(store, "grids", shared_data("uk_police/lsoa.gpkg"), constants={"level": "3"})
    raw = pd.read_parquet(shared_data("uk_police/street_crime.parquet")).iloc[::every]
    raw.to_parquet(tmp_path / "crime.parquet", index=False)
    report = load(store, "incidents", tmp_path / "crime.parquet", timezone="Europe/London")
    missing = int(raw["Longitude"].isna().sum())
    assert report.reasons["coordinates.absent"] == missing
    assert report.quarantined - missing == report.reasons["coordinates.outside"] <= 1
    assert report.imported == len(raw) - report.quarantined
    placed = raw[raw["Longitude"].notna()]
    located = store.city().locate(placed["Longitude"].to_numpy(), placed["Latitude"].to_numpy())
    column = next(c for c in located.columns if "base" in str(c) or str(c) in ("3", "level_3"))
    found = located[column].astype("str").fillna("").to_numpy()
    assert 0.96 <= np.mean(found == placed["LSOA code"].astype("str").to_numpy()) <= 0.97


def test_portland_is_in_feet(shared_data, tmp_path):
    store = create_store(tmp_path / "c")
    report = load(
        store, "grids", shared_data("portland/police_districts.gpkg"), columns={"DISTRICT": "grid_id"}
    )
    assert (report.crs, report.imported) == ("EPSG:2913", 60)
    report = load(
        store, "incidents", shared_data("portland/calls_2016_08_09.parquet"), timezone="America/Los_Angeles"
    )
    assert (report.crs, report.imported, report.quarantined) == ("EPSG:2913", 37_818, 1)
    west, south, east, north = store.city().degrees("incidents").total_bounds
    assert -123 < west < east < -122
    assert 45.2 < south < north < 45.8


def test_feet_without_a_system_are_found_by_the_districts(shared_data, tmp_path):
    store = create_store(tmp_path / "c")
    load(store, "grids", shared_data("portland/police_districts.gpkg"), columns={"DISTRICT": "grid_id"})
    calls = gpd.read_parquet(shared_data("portland/calls_2016_08_09.parquet")).head(3000)
    pd.DataFrame(calls.drop(columns="geometry")).to_csv(tmp_path / "calls.csv", index=False)
    load(store, "incidents", tmp_path / "calls.csv", timezone="America/Los_Angeles")
    stored = store.city().degrees("incidents").to_crs(2913)  # systems in feet agree to a metre or so here
    given = shapely.STRtree(calls.geometry.to_numpy())
    feet = given.query_nearest(stored.geometry.to_numpy(), return_distance=True, all_matches=False)[1]
    assert len(stored) == len(calls)
    assert feet.max() < 10


def test_liechtenstein_and_helsinki(shared_data, tmp_path):
    store = create_store(tmp_path / "li")
    path = shared_data("liechtenstein/liechtenstein.osm.pbf")
    buildings, roads, facilities = (load(store, t, path) for t in ("buildings", "roads", "facilities"))
    city = store.city()
    east = {
        t: city.degrees(t)[city.degrees(t).bounds["minx"] > 5] for t in ("buildings", "roads", "facilities")
    }
    assert len(east["buildings"]) == pytest.approx(14_017, rel=0.002)  # relations counted
    assert len(east["roads"]) == pytest.approx(6_848, rel=0.01)
    kinds = east["facilities"]["kind"].value_counts()
    assert (kinds["fire_station"], kinds["police_station"]) == (7, 4)
    assert kinds["hydrant"] > 0
    assert buildings.quarantined == roads.quarantined == facilities.quarantined == 0
    store = create_store(tmp_path / "he")
    path = shared_data("helsinki/helsinki.osm.pbf")
    counts = {t: load(store, t, path).imported for t in ("cameras", "facilities", "addresses", "roads")}
    assert counts["cameras"] == 221
    assert (store.city().degrees("facilities")["kind"] == "hydrant").sum() == 37
    assert counts["addresses"] == pytest.approx(1_470, rel=0.01)
    assert counts["roads"] > 2_400
    with pytest.raises(ImportRefusedError, match="allowed: addresses, boundary"):
        load(store, "grids", path)


def test_suzhou_has_one_id_for_all(shared_data, tmp_path):
    store = create_store(tmp_path / "c")
    report = load(store, "buildings", shared_data("suzhou/buildings.json"))
    assert report.imported == 3_076
    assert any("'Id' is not one value a row" in n for n in report.notes)
    assert store.city().degrees("buildings")["floors"].between(1, 60).all()


def test_headings_of_a_volunteers_register(shared_data, tmp_path):
    report = load(create_store(tmp_path / "c"), "cameras", shared_data("osm_alpr_us/cameras.json"))
    raw = json.loads(shared_data("osm_alpr_us/cameras.json").read_text("utf-8"))
    given = sum("direction" in r["tags"] for r in raw)
    assert report.imported == len(raw) + report.derived["cameras.of_further_directions"]
    assert report.derived["cameras.of_further_directions"] > 300
    assert report.columns["bearing_deg"] == "tags.direction"
    assert 0 < report.dropped["bearing_deg"] / given < 0.005  # junk; -10, 4455


class TestDatum:
    """What the city holds names the system of a file, or the import stops and asks."""

    def test_counties_declared_wgs84_are_gcj02(self, shared_data, tmp_path, demo_small):
        store = create_store(tmp_path / "c")
        path = shared_data("cn_counties/counties_gcj02.geojson")
        load(store, "boundary", path, where="city = '淄博市'", crs="gcj02")
        with_shift = store.city().degrees("boundary")
        load(store, "boundary", path, where="city = '淄博市'", mode="replace", crs="wgs84")
        without = store.city().degrees("boundary")
        centres = (
            shapely.centroid(f.geometry.to_numpy()) for f in (with_shift, without.loc[with_shift.index])
        )
        far = shapely.distance(*centres) * 111_000
        assert ((far > 300) & (far < 700)).all()

    @pytest.mark.parametrize("datum", ["gcj02", pytest.param("bd09", marks=pytest.mark.scale)])
    def test_a_shifted_register_is_found_and_moved_back(self, demo_small, tmp_path, datum):
        store, path = _demo_store(demo_small, tmp_path, datum)
        report = load(store, "cameras", path)
        assert report.crs == datum
        back = store.city().degrees("cameras").loc[demo_small.degrees("cameras").index]
        true = demo_small.degrees("cameras").geometry.to_numpy()
        assert shapely.distance(back.geometry.to_numpy(), true).max() < 1e-8

    def test_an_honest_register_is_confirmed(self, demo_small, tmp_path):
        store, path = _demo_store(demo_small, tmp_path, "wgs84")
        report = load(store, "cameras", path)
        assert report.crs == "EPSG:4326"
        assert any("found: CGCS2000 / WGS-84" in n for n in report.notes)

    def test_a_declared_system_that_cannot_be_is_refused(self, demo_small, tmp_path):
        store, path = _demo_store(demo_small, tmp_path, "gcj02")
        table = pd.read_csv(path, dtype={"camera_id": str})
        shapes = gpd.points_from_xy(table["lon"], table["lat"])
        gpd.GeoDataFrame(table.drop(columns=["lon", "lat"]), geometry=shapes, crs=4326).to_file(
            tmp_path / "c.gpkg"
        )
        with pytest.raises(
            ImportRefusedError, match=r"declares EPSG:4326, but what the city holds says gcj02.*--crs gcj02"
        ):
            load(store, "cameras", tmp_path / "c.gpkg")
        assert len(store.city().degrees("cameras")) == 0
        assert load(store, "cameras", tmp_path / "c.gpkg", crs="gcj02").imported == len(table)

    def test_two_systems_in_one_file_are_refused(self, demo_small, tmp_path):
        store, path = _demo_store(demo_small, tmp_path, "wgs84")
        _, shifted = _demo_store(demo_small, tmp_path / "b", "bd09")
        a, b = (pd.read_csv(p, dtype={"camera_id": str}) for p in (path, shifted))
        half = len(a) // 2
        pd.concat([a.iloc[:half], b.iloc[half:]]).to_csv(tmp_path / "mixed.csv", index=False)
        with pytest.raises(
            ImportRefusedError, match=r"mixed\.csv: its rows are in more than one coordinate system"
        ):
            load(store, "cameras", tmp_path / "mixed.csv")
        assert len(store.city().degrees("cameras")) == 0

    def test_a_second_system_in_a_later_chunk_undoes_the_import(self, demo_small, tmp_path):
        store, path = _demo_store(demo_small, tmp_path, "wgs84")
        _, shifted = _demo_store(demo_small, tmp_path / "b", "gcj02")
        a, b = (pd.read_csv(p, dtype={"camera_id": str}) for p in (path, shifted))
        half = len(a) // 2
        pd.concat([a.iloc[:half], b.iloc[half:]]).to_csv(tmp_path / "mixed.csv", index=False)
        with pytest.raises(
            ImportRefusedError, match=r"read as EPSG:4326, but about \d+% to \d+% of the file the city says"
        ):
            load(store, "cameras", tmp_path / "mixed.csv", chunk_rows=half // 2)
        assert len(store.city().degrees("cameras")) == 0


def _demo_store(city, folder: Path, datum: str):
    """A store with the demo city's ground, and its cameras as a CSV in another datum."""
    from geo.io.export import export_table
    from geo.scope import EVERYTHING

    folder.mkdir(exist_ok=True)
    store = create_store(folder / "city")
    with store.transaction() as change:
        for table in ("boundary", "grids", "roads", "buildings"):
            change.upsert(table, city.degrees(table))
    export_table(city, "cameras", folder / "cameras.csv", scope=EVERYTHING, crs=datum)
    return store, folder / "cameras.csv"


def test_the_register_of_a_map_holds_nothing_of_persons(shared_data, tmp_path):
    """The contract's own `mobile_type` (车载、无人机) is not a phone number."""
    report = load(create_store(tmp_path / "c"), "cameras", shared_data("helsinki/helsinki.osm.pbf"))
    assert report.imported == 221
    assert report.private == []
