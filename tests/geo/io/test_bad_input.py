"""Every bad file is refused in words that name file, row, column, value and what was allowed; the store stays as it was."""

import json
import os
import resource
import signal
import sqlite3
import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo import schema
from geo.errors import (
    ImportRefusedError,
    PrivacyError,
    SantuError,
    StoreError,
    StoreVersionError,
    UnknownNameError,
)
from geo.io import ImportOptions, import_files
from geo.store import create_store, open_store

INSIDE = [(118.002 + 0.002 * i, 36.802 + 0.0004 * i) for i in range(18)]


def grids_frame() -> gpd.GeoDataFrame:
    boxes = {
        "370303001000000": (118.00, 118.04, 1, None),
        "370303001001000": (118.00, 118.02, 2, "370303001000000"),
        "370303001002000": (118.02, 118.04, 2, "370303001000000"),
        "370303001001001": (118.00, 118.01, 3, "370303001001000"),
        "370303001001002": (118.01, 118.02, 3, "370303001001000"),
        "370303001002001": (118.02, 118.03, 3, "370303001002000"),
        "370303001002002": (118.03, 118.04, 3, "370303001002000"),
    }
    frame = gpd.GeoDataFrame(
        {"level": [b[2] for b in boxes.values()], "kind": ["admin" if b[2] < 3 else "base" for b in boxes.values()],
         "name": [f"网格{i}" for i in range(len(boxes))], "parent_id": [b[3] for b in boxes.values()]},
        geometry=[shapely.box(b[0], 36.80, b[1], 36.81) for b in boxes.values()],
        index=pd.Index(list(boxes), name="grid_id"), crs="EPSG:4490",
    )  # fmt: skip
    return schema.checked("grids", frame)


@pytest.fixture
def store(tmp_path):
    made = create_store(tmp_path / "city")
    made.write("grids", grids_frame())
    yield made
    made.close()


def state(store) -> tuple:
    """All that an import may change."""
    city = store.city()
    return (
        store.versions(),
        {t: len(city.degrees(t)) for t in schema.TABLES},
        len(store.quarantined()),
        len(store.audit_log()),
    )


def refused(store, table, path, *words, error=ImportRefusedError, **options) -> str:
    """The message of a refused import that names the file and the words, and has changed nothing."""
    before = state(store)
    with pytest.raises(error) as caught:
        import_files(table, [path], store, options=ImportOptions(**options))
    assert state(store) == before
    message = str(caught.value)
    for word in (Path(path).name, "allowed", *words):
        assert word in message, f"{word!r} is not in: {message}"
    return message


def csv(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def cameras(tmp_path, rows, header="设备编码,名称,经度,纬度") -> Path:
    return csv(tmp_path / "cameras.csv", "\n".join([header, *rows]) + "\n")


def good(n=4) -> list[str]:
    return [f"cam{i},点位{i},{INSIDE[i][0]},{INSIDE[i][1]}" for i in range(n)]


class TestFiles:
    def test_a_path_that_is_not_there(self, store, tmp_path):
        (tmp_path / "里.csv").write_text("a")
        with pytest.raises(ImportRefusedError, match=r"nothing\.csv: there is no such file; in .*里\.csv"):
            import_files("cameras", [tmp_path / "nothing.csv"], store)

    def test_a_folder(self, store, tmp_path):
        with pytest.raises(ImportRefusedError, match="is not a file"):
            import_files("cameras", [tmp_path], store)

    @pytest.mark.parametrize(
        "name", ["a.csv", "a.xlsx", "a.gpkg", "a.geojson", "a.parquet", "a.json", "a.osm.pbf"]
    )
    def test_an_empty_file(self, store, tmp_path, name):
        (tmp_path / name).touch()
        with pytest.raises(ImportRefusedError, match="empty"):
            import_files("cameras", [tmp_path / name], store)

    @pytest.mark.parametrize("text", ["设备编码,经度,纬度\n", "\n\n", "   \n"])
    def test_a_file_without_rows(self, store, tmp_path, text):
        before = state(store)
        with pytest.raises(ImportRefusedError, match=r"a\.csv"):
            import_files("cameras", [csv(tmp_path / "a.csv", text)], store)
        assert state(store) == before

    def test_an_unknown_ending_names_those_that_are_read(self, store, tmp_path):
        refused(store, "cameras", csv(tmp_path / "a.docx", "x"), ".docx", ".csv", ".gpkg")

    def test_an_old_spreadsheet(self, store, tmp_path):
        with pytest.raises(ImportRefusedError, match=r"save it as GeoPackage .* or \.xlsx"):
            import_files("cameras", [csv(tmp_path / "a.xls", "x")], store)

    @pytest.mark.parametrize("name", ["a.xlsx", "a.gpkg", "a.parquet", "a.zip"])
    def test_a_file_that_is_not_what_its_name_says(self, store, tmp_path, name):
        with pytest.raises(ImportRefusedError, match="the content is not"):
            import_files("cameras", [csv(tmp_path / name, "hello, world\n" * 10)], store)

    def test_a_spreadsheet_named_csv(self, store, tmp_path):
        path = tmp_path / "a.csv"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x", "y")
        with pytest.raises(ImportRefusedError, match="is no text file"):
            import_files("cameras", [path], store)

    @pytest.mark.parametrize("cut", [100, 1000, 5000])
    @pytest.mark.parametrize("ending", ["gpkg", "parquet", "fgb", "geojson", "xlsx"])
    def test_a_file_cut_short(self, store, tmp_path, demo_tiny, ending, cut):
        from geo.io.export import export_table
        from geo.scope import EVERYTHING

        whole = tmp_path / f"whole.{ending}"
        export_table(demo_tiny, "cameras", whole, scope=EVERYTHING)
        path = tmp_path / f"a.{ending}"
        path.write_bytes(whole.read_bytes()[:-cut])
        before = state(store)
        with pytest.raises(SantuError, match=f"a.{ending}"):
            import_files("cameras", [path], store, options=ImportOptions(keep_outside=True))
        assert state(store) == before

    def test_ten_gigabytes_by_mistake_are_not_read(self, store, tmp_path):
        path = tmp_path / "huge.csv"
        with path.open("wb") as file:
            file.truncate(10 << 30)  # sparse: takes no room
        refused(store, "incidents", path, "10,737,418,240", "--max-size")

    def test_a_zip_bomb_in_a_spreadsheet(self, store, tmp_path):
        path = tmp_path / "bomb.xlsx"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            archive.writestr("xl/worksheets/sheet1.xml", bytes(200 << 20))
        message = refused(store, "cameras", path, "zip bomb")
        assert path.stat().st_size < 1 << 20
        assert "209,715" in message

    def test_a_zip_bomb_in_an_archive(self, store, tmp_path):
        path = tmp_path / "bomb.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("cameras.csv", bytes(200 << 20))
        refused(store, "cameras", path, "zip bomb")

    def test_names_in_an_archive_reach_no_other_folder(self, store, tmp_path):
        path = tmp_path / "evil.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(
                "../../evil.csv",
                "设备编码,经度,纬度\n" + "".join(f"c{i},{x},{y}\n" for i, (x, y) in enumerate(INSIDE[:4])),
            )
        assert import_files("cameras", [path], store).imported == 4
        assert store.city().degrees("cameras").index.tolist() == ["c0", "c1", "c2", "c3"]
        assert not (tmp_path.parent / "evil.csv").exists()


class TestTables:
    def test_a_table_that_does_not_exist(self, store, tmp_path):
        with pytest.raises(UnknownNameError, match=r"unknown table 'camera'.*cameras"):
            import_files("camera", [cameras(tmp_path, good())], store)

    def test_the_wrong_table_names_the_right_one(self, store, tmp_path):
        path = csv(
            tmp_path / "警情.csv", "警情编号,警情类别,案发时间,经度,纬度\n1,盗窃,2024-01-01,118.01,36.805\n"
        )
        message = refused(store, "facilities", path, "警情编号", "kind", "设施类型", "--set kind=")
        assert "incidents" in message

    def test_polygons_for_cameras(self, store, tmp_path):
        path = tmp_path / "b.gpkg"
        grids_frame().reset_index().to_file(path, layer="b")
        message = refused(store, "cameras", path, "Polygon", "row 1", "Point")
        assert "buildings" in message

    def test_a_header_that_is_not_there(self, store, tmp_path):
        with pytest.raises(UnknownNameError, match=r"unknown header '东经'; allowed: .*经度"):
            import_files(
                "cameras", [cameras(tmp_path, good())], store, options=ImportOptions(columns={"东经": "lon"})
            )

    def test_a_column_that_is_not_there(self, store, tmp_path):
        with pytest.raises(
            UnknownNameError, match=r"unknown column of cameras 'colour'; allowed: .*bearing_deg"
        ):
            import_files(
                "cameras",
                [cameras(tmp_path, good())],
                store,
                options=ImportOptions(constants={"colour": "red"}),
            )

    def test_a_condition_that_is_no_sql(self, store, tmp_path):
        with pytest.raises(SantuError, match=r"--where 'colour = 1'.*no such column.*经度"):
            import_files(
                "cameras", [cameras(tmp_path, good())], store, options=ImportOptions(where="colour = 1")
            )

    @pytest.mark.parametrize(
        "trick",
        ["1); DROP TABLE rows; --", "load_extension('x')", "1 IN (SELECT 1 FROM pragma_database_list)"],
    )
    def test_a_condition_can_only_read_the_row(self, store, tmp_path, trick):
        with pytest.raises(SantuError, match="--where"):
            import_files("cameras", [cameras(tmp_path, good())], store, options=ImportOptions(where=trick))


class TestPlaces:
    def test_no_geometry(self, store, tmp_path):
        path = csv(tmp_path / "c.csv", "设备编码,名称\nc1,东门\nc2,西门\n")
        refused(store, "cameras", path, "no geometry", "设备编码", "--column HEADER=lon")

    def test_addresses_only_says_what_to_do(self, store, tmp_path):
        path = csv(tmp_path / "c.csv", "警情编号,警情类别,案发时间,发生地点\nc1,盗窃,2024-01-01,中心路1号\n")
        refused(store, "incidents", path, "发生地点", "santu locate --batch")

    @pytest.mark.parametrize(("lon", "lat", "code"), [("NaN", "36.8", "coordinates.absent"), ("", "", "coordinates.absent"), ("0", "0", "coordinates.zero"), ("118.0x", "36.8", "coordinates.unreadable"), ("inf", "36.8", "coordinates.unreadable"), ("418.0", "36.8", "coordinates")])  # fmt: skip
    def test_a_row_without_a_true_place_is_quarantined_with_its_reason(self, store, tmp_path, lon, lat, code):
        path = cameras(tmp_path, [*good(), f"bad,坏点,{lon},{lat}"])
        report = import_files("cameras", [path], store)
        assert (report.imported, report.quarantined) == (4, 1)
        row = store.quarantined("cameras").iloc[0]
        assert row["reason"].startswith(code)
        assert (row["row"], row["source"]) == (6, "cameras.csv")
        assert "经度" in row["message"]
        assert "allowed" in row["message"]
        assert json.loads(row["content"])["camera_id"] == "bad"

    def test_only_bad_rows_change_nothing(self, store, tmp_path):
        path = cameras(tmp_path, ["c1,a,0,0", "c2,b,NaN,36.8", "c3,c,0,0"])
        refused(store, "cameras", path, "coordinates.zero", "row 2", "0, 0")

    def test_swapped_longitude_and_latitude(self, store, tmp_path):
        rows = [f"c{i},点{i},{lat},{lon}" for i, (lon, lat) in enumerate(INSIDE)]
        refused(
            store,
            "cameras",
            cameras(tmp_path, rows),
            "swapped",
            "'纬度'",
            "118.00",
            "--column 纬度=lon --column 经度=lat",
        )

    def test_one_swapped_row_is_quarantined(self, store, tmp_path):
        path = cameras(tmp_path, [*good(), f"bad,坏点,{INSIDE[5][1]},{INSIDE[5][0]}"])
        report = import_files("cameras", [path], store)
        assert dict(report.reasons) == {"coordinates.swapped": 1}

    def test_far_from_the_city(self, store, tmp_path):
        path = cameras(tmp_path, [*good(), "bad,北京,116.4,39.9"])
        assert dict(import_files("cameras", [path], store).reasons) == {"coordinates.outside": 1}
        report = import_files("cameras", [path], store, options=ImportOptions(keep_outside=True))
        assert (report.imported, report.quarantined) == (1, 0)

    def test_metres_without_a_system(self, store, tmp_path):
        path = csv(tmp_path / "c.csv", "设备编码,X坐标,Y坐标\nc1,589000.5,4074000.5\nc2,589100.5,4074100.5\n")
        refused(store, "cameras", path, "metres or feet", "--crs EPSG:n")

    def test_degrees_said_to_be_metres(self, store, tmp_path):
        refused(store, "cameras", cameras(tmp_path, good()), "degrees", "118.00", crs="EPSG:4548")

    def test_metres_said_to_be_degrees(self, store, tmp_path):
        path = csv(tmp_path / "c.csv", "设备编码,经度,纬度\nc1,589000.5,4074000.5\n")
        refused(store, "cameras", path, "589000.50", "--crs EPSG:n", crs="gcj02")

    def test_a_system_that_does_not_exist(self, store, tmp_path):
        before = state(store)
        with pytest.raises(SantuError, match="EPSG:99999"):
            import_files(
                "cameras", [cameras(tmp_path, good())], store, options=ImportOptions(crs="EPSG:99999")
            )
        assert state(store) == before


class TestKeysAndShapes:
    def test_a_key_twice_with_other_values(self, store, tmp_path):
        report = import_files("cameras", [cameras(tmp_path, [*good(), "cam0,别的名字,118.03,36.808"])], store)
        assert (report.imported, report.quarantined) == (4, 1)
        row = store.quarantined().iloc[0]
        assert row["reason"] == "key.duplicate"
        assert row["row"] == 6
        for word in ("设备编码", "'cam0'", "every key once"):
            assert word in row["message"]
        assert store.city().degrees("cameras").loc["cam0", "name"] == "点位0"

    def test_the_same_row_twice_is_once(self, store, tmp_path):
        report = import_files("cameras", [cameras(tmp_path, [*good(), good()[0]])], store)
        assert (report.imported, report.quarantined, report.left_out["row.duplicate"]) == (4, 0, 1)

    def test_keys_twice_in_different_chunks(self, store, tmp_path):
        rows = [f"k{i % 10},名{i % 12},{INSIDE[i % 18][0]},{INSIDE[i % 18][1]}" for i in range(30)]
        report = import_files(
            "cameras", [cameras(tmp_path, rows)], store, options=ImportOptions(chunk_rows=4, max_bad=1)
        )
        assert report.imported == 10
        assert report.quarantined + report.left_out["row.duplicate"] == 20

    @pytest.mark.parametrize("code", ["3703030010010", "37030300100100111", "37030300100100A"])
    def test_a_code_of_the_wrong_length(self, tmp_path, code):
        store = create_store(tmp_path / "scheme", scheme="15")
        shapes = [
            f'"POLYGON (({x} 36.8, {x + 0.01} 36.8, {x + 0.01} 36.81, {x} 36.81, {x} 36.8))"'
            for x in (118.0, 118.01, 118.02)
        ]
        codes = ["370303001001001", "370303001001002", code]
        path = csv(
            tmp_path / "grids.csv",
            "网格编码,wkt\n" + "".join(f"{c},{s}\n" for c, s in zip(codes, shapes, strict=True)),
        )
        report = import_files("grids", [path], store)
        assert (report.imported, report.quarantined) == (2, 1)
        row = store.quarantined().iloc[0]
        assert row["reason"] in ("code.length", "code.digits")
        for word in ("row 4", "网格编码", code, "15 digits (scheme 15)"):
            assert word in row["message"]

    def test_a_bow_tie_is_not_repaired_by_guess(self, store, tmp_path):
        shapes = ["POLYGON ((118 36.8, 118.01 36.81, 118.01 36.8, 118 36.81, 118 36.8))"] + [
            f"POLYGON (({x} 36.8, {x + 0.01} 36.8, {x + 0.01} 36.81, {x} 36.8))" for x in (118.02, 118.03)
        ]
        path = csv(
            tmp_path / "b.csv", "楼栋编号,wkt\n" + "".join(f'b{i},"{s}"\n' for i, s in enumerate(shapes))
        )
        report = import_files("buildings", [path], store)
        assert dict(report.reasons) == {"geometry.invalid": 1}
        message = store.quarantined().iloc[0]["message"]
        assert "Self-intersection" in message
        assert "row 2" in message

    def test_a_polygon_that_only_touches_itself_is_repaired_and_listed(self, store, tmp_path):
        shape = "POLYGON ((118 36.8, 118.004 36.8, 118.002 36.802, 118.004 36.804, 118 36.804, 118.002 36.802, 118 36.8))"
        assert not shapely.is_valid(shapely.from_wkt(shape))
        report = import_files("buildings", [csv(tmp_path / "b.csv", f'楼栋编号,wkt\nb1,"{shape}"\n')], store)
        assert (report.imported, report.repairs["geometry.made_valid"]) == (1, 1)
        stored = store.city().degrees("buildings").geometry.iloc[0]
        assert stored.is_valid
        assert stored.area == pytest.approx(shapely.from_wkt(shape).area)

    def test_a_collection_of_one_polygon_and_a_polygon_with_height(self, store, tmp_path):
        shapes = [
            "GEOMETRYCOLLECTION (POLYGON ((118 36.8, 118.01 36.8, 118.01 36.81, 118 36.8)))",
            "POLYGON Z ((118.02 36.8 5, 118.03 36.8 5, 118.03 36.81 5, 118.02 36.8 5))",
        ]
        path = csv(
            tmp_path / "b.csv", "楼栋编号,wkt\n" + "".join(f'b{i},"{s}"\n' for i, s in enumerate(shapes))
        )
        report = import_files("buildings", [path], store)
        assert report.imported == 2
        assert report.repairs["geometry.one_part"] == report.repairs["geometry.z_dropped"] == 1

    def test_a_word_that_is_no_value_names_those_that_are(self, store, tmp_path):
        path = csv(
            tmp_path / "f.csv",
            "设施编号,设施类型,经度,纬度\nf1,烟感,118.01,36.805\nf2,飞船,118.02,36.805\nf3,消火栓,118.03,36.805\n",
        )
        report = import_files("facilities", [path], store)
        assert report.imported == 2
        message = store.quarantined().iloc[0]["message"]
        for word in ("row 3", "设施类型", "飞船", "smoke_alarm 烟感报警器"):
            assert word in message

    def test_an_optional_value_that_cannot_be_read_costs_the_value_not_the_row(self, store, tmp_path):
        path = cameras(
            tmp_path,
            ["c1,a,118.01,36.805,灯杆", "c2,b,118.02,36.805,东北", "c3,c,118.03,36.805,370"],
            "设备编码,名称,经度,纬度,方位角",
        )
        report = import_files("cameras", [path], store)
        assert (report.imported, report.quarantined, report.dropped["bearing_deg"]) == (3, 0, 2)
        assert any("row 2" in s and "灯杆" in s for s in report.samples)
        table = store.city().degrees("cameras")
        assert table["bearing_deg"].isna().tolist() == [True, False, True]
        assert table.loc["c2", ["bearing_deg", "bearing_error_deg"]].tolist() == [45, 22.5]

    def test_a_list_of_headings_is_several_cameras_and_a_range_has_a_width(self, store, tmp_path):
        lines = ["c1,a,118.01,36.805,70;240", "c2,b,118.02,36.805,338-23", "c3,c,118.03,36.805,70;灯杆"]
        path = cameras(tmp_path, lines, "设备编码,名称,经度,纬度,方位角")
        for _ in range(2):  # the second time nothing changes
            report = import_files("cameras", [path], store)
        assert (report.imported, report.unchanged, report.dropped["bearing_deg"]) == (0, 4, 1)
        assert report.derived["cameras.of_further_directions"] == report.derived["fov_deg.from_range"] == 1
        table = store.city().degrees("cameras")
        assert table["bearing_deg"].dropna().to_dict() == {"c1": 70, "c1#2": 240, "c2": 0.5}
        assert table["fov_deg"].dropna().to_dict() == {"c2": 45}
        assert table.loc["c1#2", "pole_id"] == table.loc["c1", "pole_id"] == "c1"
        assert table.geometry["c1#2"].equals(table.geometry["c1"])

    def test_a_row_with_too_many_cells(self, store, tmp_path):
        report = import_files("cameras", [cameras(tmp_path, [*good(), "c9,多,了,118.01,36.805"])], store)
        assert dict(report.reasons) == {"row.width": 1}
        assert store.quarantined().iloc[0]["row"] == 6

    def test_too_many_bad_rows_are_no_import(self, store, tmp_path):
        refused(
            store,
            "cameras",
            cameras(tmp_path, [*good(2), "x,坏,0,0", "y,坏,0,0", "z,坏,0,0"]),
            "3 of 5 rows",
            "50%",
            "--max-bad",
        )

    def test_a_number_that_excel_has_rounded(self, store, tmp_path):
        import openpyxl

        book = openpyxl.Workbook()
        book.active.append(["设备编码", "经度", "纬度"])
        book.active.append(["34020000001320000001", *INSIDE[0]])
        book.active.append([34020000001320000002, *INSIDE[1]])
        book.save(tmp_path / "c.xlsx")
        report = import_files("cameras", [tmp_path / "c.xlsx"], store)
        assert (report.imported, dict(report.reasons)) == (1, {"number.rounded": 1})
        assert store.city().degrees("cameras").index.tolist() == ["34020000001320000001"]


class TestAllOrNothing:
    def test_a_fault_in_the_last_chunk_undoes_the_first(self, store, tmp_path, monkeypatch):
        path = cameras(tmp_path, [f"c{i},名,{INSIDE[i % 18][0]},{INSIDE[i % 18][1]}" for i in range(40)])
        before = state(store)
        from geo.io import rows

        real, calls = rows.process, []

        def failing(*args):
            calls.append(1)
            if len(calls) == 4:
                raise ImportRefusedError("the fourth chunk breaks")
            return real(*args)

        monkeypatch.setattr(rows, "process", failing)
        with pytest.raises(ImportRefusedError, match="fourth"):
            import_files("cameras", [path], store, options=ImportOptions(chunk_rows=10))
        assert len(calls) == 4
        assert state(store) == before

    def test_a_dry_run_says_the_same_and_changes_nothing(self, store, tmp_path):
        path = cameras(tmp_path, [*good(), "bad,坏,0,0"])
        before = state(store)
        dry = import_files("cameras", [path], store, options=ImportOptions(dry_run=True))
        assert state(store) == before
        real = import_files("cameras", [path], store)
        assert {**dry.as_json(), "dry_run": False} == real.as_json()

    def test_the_same_file_twice_is_nothing_new(self, store, tmp_path):
        for rows in (good(), [r.split(",", 1)[1] for r in good()]):
            header = "设备编码,名称,经度,纬度" if len(rows[0].split(",")) == 4 else "名称,经度,纬度"
            path = cameras(tmp_path, rows, header)
            assert import_files("cameras", [path], store).imported == 4
            again = import_files("cameras", [path], store)
            assert (again.imported, again.updated, again.unchanged) == (0, 0, 4)

    def test_replace_removes_what_the_file_does_not_have(self, store, tmp_path):
        import_files("cameras", [cameras(tmp_path, good(4))], store)
        report = import_files(
            "cameras", [cameras(tmp_path, good(3))], store, options=ImportOptions(mode="replace")
        )
        assert store.city().degrees("cameras").index.tolist() == ["cam0", "cam1", "cam2"]
        assert report.removed == 1

    def test_a_store_of_a_newer_version(self, tmp_path):
        create_store(tmp_path / "new").close()
        with sqlite3.connect(tmp_path / "new" / "santu.gpkg") as connection:
            connection.execute("UPDATE santu_meta SET value='999' WHERE key='schema_version'")
        with pytest.raises(StoreVersionError, match=r"999.*newer Santu"):
            open_store(tmp_path / "new")

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and RLIMIT_FSIZE")
    def test_a_full_disk(self, store, tmp_path):
        """A process that may write no file beyond a size: SQLite meets the limit as it would meet a full disk."""
        rows = [f"c{i},{'长' * 200},{INSIDE[i % 18][0]},{INSIDE[i % 18][1]}" for i in range(6000)]
        path = cameras(tmp_path, rows)
        before = state(store)
        child = os.fork()
        if child == 0:
            code = 2
            try:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
                import_files("cameras", [path], open_store(tmp_path / "city"))
            except StoreError as error:
                (tmp_path / "said.txt").write_text(str(error), "utf-8")
                code = 1
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert "santu.gpkg" in (tmp_path / "said.txt").read_text("utf-8")
        assert state(store) == before

    def test_the_disk_of_a_busy_store_says_so(self, store, tmp_path, monkeypatch):
        path = cameras(tmp_path, good())

        def full(*_args, **_kwargs):
            raise sqlite3.OperationalError("database or disk is full")

        from geo.store import gpkg_sql

        before = state(store)
        monkeypatch.setattr(gpkg_sql, "to_cells", full)
        with pytest.raises(StoreError, match="full"):
            import_files("cameras", [path], store)
        assert state(store) == before


class TestPersons:
    @pytest.mark.parametrize(
        "header",
        [
            "姓名",
            "身份证号",
            "联系电话",
            "手机号码",
            "照片",
            "车牌号",
            "户主姓名",
            "出生日期",
            "民族",
            "联系人",
            "idcard",
            "Phone",
        ],
    )
    def test_headers_about_persons_stop_a_people_file(self, store, tmp_path, header):
        path = csv(tmp_path / "p.csv", f"网格编码,类别,{header}\n370303001001001,独居老人,x\n")
        refused(store, "people", path, header, error=PrivacyError)

    @pytest.mark.parametrize(
        "values",
        [
            ["张伟", "王芳", "李娜", "刘洋", "陈静"],
            ["110105194912310021"] * 5,
            ["13800138000", "13900139000"] * 2,
            ["鲁C12345", "鲁CD12345", "京A88888"],
            ["王某，13800138000，住3号楼", "李某 13900139000", "张某，电话13700137000"],
        ],
    )
    def test_values_about_persons_stop_it_under_any_header(self, store, tmp_path, values):
        path = csv(
            tmp_path / "p.csv",
            "网格编码,类别,备注\n" + "".join(f"370303001001001,独居老人,{v}\n" for v in values),
        )
        message = refused(store, "people", path, "备注", error=PrivacyError)
        assert not any(v in message for v in values)  # the message does not spread them

    @pytest.mark.parametrize("category", ["高龄老人", "单亲家庭", "康复训练", "独居老人", "慢病随访", "留守儿童", "失独家庭", "孕产妇",
                                          "退役军人", "优抚对象", "高血压", "严重精神障碍", "安置帮教", "白内障"])  # fmt: skip
    def test_service_categories_are_no_names(self, store, tmp_path, category):
        path = csv(tmp_path / "p.csv", f"网格编码,类别,人数\n370303001001001,{category},9\n")
        assert import_files("people", [path], store).imported == 1

    @pytest.mark.parametrize(
        "category",
        [
            "上访人员",
            "信访重点",
            "宗教人士",
            "维吾尔族",
            "少数民族",
            "政治敏感人员",
            "涉稳人员",
            "张三",
            "王小明",
        ],
    )
    def test_categories_that_are_no_service_stop_it(self, store, tmp_path, category):
        path = csv(
            tmp_path / "p.csv",
            f"网格编码,类别,人数\n370303001001001,独居老人,12\n370303001001002,{category},3\n",
        )
        refused(store, "people", path, category, "row 3", "类别", error=PrivacyError)

    def test_rows_are_counted_at_once_and_thrown_away(self, store, tmp_path):
        rows = ["370303001001001,独居老人"] * 7 + ["370303001001002,残疾人"] * 3
        path = csv(tmp_path / "p.csv", "网格编码,类别\n" + "\n".join(rows) + "\n")
        assert import_files("people", [path], store).imported == 2
        table = store.city().degrees("people")
        assert sorted(zip(table["grid_id"], table["category"], table["count"], strict=True)) == [
            ("370303001001001", "独居老人", 7),
            ("370303001001002", "残疾人", 3),
        ]
        again = import_files("people", [path], store)
        assert (again.imported, again.unchanged) == (0, 2)

    def test_rows_with_a_place_are_counted_in_their_grid(self, store, tmp_path):
        rows = [f"独居老人,{lon},{lat}" for lon, lat in INSIDE[:4]]
        import_files("people", [csv(tmp_path / "p.csv", "类别,经度,纬度\n" + "\n".join(rows) + "\n")], store)
        table = store.city().degrees("people")
        assert table["count"].sum() == 4
        assert set(table["grid_id"]) == {"370303001001001"}
        assert list(table.columns) == ["grid_id", "category", "count", "as_of"]

    def test_names_of_grids_are_no_names_of_persons(self, store, tmp_path):
        path = csv(
            tmp_path / "p.csv",
            "网格编码,网格名称,类别,人数\n370303001001001,张店一,独居老人,7\n370303001001002,马尚,独居老人,8\n370303001002001,石桥东,独居老人,9\n",
        )
        assert import_files("people", [path], store).imported == 3

    def test_counts_are_taken_as_they_are(self, store, tmp_path):
        path = csv(
            tmp_path / "p.csv",
            "网格编码,服务类别,人数,统计日期\n370303001001001,独居老人,１２,2024年3月1日\n370303001001002,残疾人,三,2024-03-01\n370303001001002,困境儿童,4,\n",
        )
        report = import_files("people", [path], store)
        assert (report.imported, report.quarantined) == (2, 1)
        assert store.city().degrees("people")["count"].sum() == 16
        assert json.loads(store.quarantined().iloc[0]["content"]) == {}

    def test_other_tables_drop_personal_columns_and_list_them(self, store, tmp_path):
        path = cameras(
            tmp_path,
            ["c1,东门,118.01,36.805,张三,13800138000", "c2,西门,118.02,36.805,李四,"],
            "设备编码,名称,经度,纬度,负责人,联系电话",
        )
        report = import_files("cameras", [path], store)
        assert {p.split(" ")[0] for p in report.private} == {"负责人", "联系电话"}
        table = store.city().degrees("cameras")
        assert table["has_contact"].tolist() == [True, False]
        raw = (tmp_path / "city" / "santu.gpkg").read_bytes() + b"".join(
            p.read_bytes() for p in (tmp_path / "city").glob("*-wal")
        )
        assert "张三".encode() not in raw
        assert b"13800138000" not in raw

    def test_numbers_of_persons_inside_a_text_are_blanked(self, store, tmp_path):
        path = csv(
            tmp_path / "i.csv",
            "警情编号,警情类别,案发时间,经度,纬度,发生地点\n1a,盗窃,2024-01-01 08:00,118.01,36.805,中心路1号 联系13800138000\n",
        )
        report = import_files("incidents", [path], store)
        assert store.city().degrees("incidents")["address"].iloc[0] == "中心路1号 联系***"
        assert report.repairs["privacy.blanked"] == 1

    def test_the_quarantine_holds_no_person_either(self, store, tmp_path):
        path = cameras(
            tmp_path, [*[g + ",张三" for g in good()], "bad,坏,0,0,李四"], "设备编码,名称,经度,纬度,负责人"
        )
        import_files("cameras", [path], store)
        assert "李四" not in store.quarantined().iloc[0]["content"]
