"""Files that cannot be read are refused by name; the store stays as it was."""

import zipfile

import pytest
from refusals import INSIDE, csv, refused, state

from geo.errors import (
    ImportRefusedError,
    SantuError,
)
from geo.io import ImportOptions, import_files


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
