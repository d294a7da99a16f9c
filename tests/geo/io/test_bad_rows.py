"""Rows that cannot be trusted are refused or put aside, in words that name file, row, column, value and what was allowed."""

import json

import pytest
import shapely
from refusals import INSIDE, cameras, csv, good, refused, state

from geo.errors import (
    SantuError,
    UnknownNameError,
)
from geo.io import ImportOptions, import_files
from geo.store import create_store


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

    def test_polygons_for_cameras(self, store, tmp_path, tiny_city):
        path = tmp_path / "b.gpkg"
        tiny_city.degrees("grids").reset_index().to_file(path, layer="b")
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
