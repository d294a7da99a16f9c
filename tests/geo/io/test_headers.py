"""Headers in Chinese (both scripts) and English, and the encodings in which they come."""

import struct

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo import schema
from geo.errors import ImportRefusedError
from geo.io import ImportOptions, encoding, headers, import_files
from geo.store import create_store

TEXT = "设备编码,名称,经度,纬度,状态\nc1,人民路与中心街路口东侧,118.01,36.80,在线\nc2,张店区公园街道办事处门前,118.02,36.81,离线\n"
TRADITIONAL = "設備編碼,名稱,經度,緯度,狀態\nc1,臺北市中正區重慶南路路口東側,121.51,25.03,在線\nc2,大安區和平東路一段機車行門前,121.53,25.02,離線\n"
ENCODED = [
    ("utf-8", TEXT), ("utf-8-sig", TEXT), ("gb18030", TEXT), ("gbk", TEXT), ("utf-16", TEXT), ("utf-16-le", TEXT), ("utf-16-be", TEXT),
    ("cp950", TRADITIONAL), ("big5", TRADITIONAL), ("utf-8", TRADITIONAL), ("gb18030", TRADITIONAL), ("utf-32", TEXT),
]  # fmt: skip
SAME = {"gbk": "gb18030", "big5": "cp950"}


@pytest.mark.parametrize(("name", "text"), ENCODED)
def test_the_encoding_is_found_and_reported(tmp_path, name, text):
    path = tmp_path / "c.csv"
    path.write_bytes(text.encode(name))
    assert encoding.detect(path).name == SAME.get(name, name)
    store = create_store(tmp_path / "city")
    report = import_files("cameras", [path], store)
    assert (report.imported, report.encoding) == (2, SAME.get(name, name))
    table = store.city().degrees("cameras")
    assert table["state"].tolist() == ["on", "off"]
    assert table["name"].iloc[0] == text.split("\n")[1].split(",")[1]


@pytest.mark.parametrize("head", ["警情编号,经度,纬度,类别", "id,lon,lat,category", "x,y,z,type"])
@pytest.mark.parametrize("word", ["盗窃", "诈骗", "枪机", "斗殴", "噪音扰民", "玫瑰苑"])
def test_one_word_in_every_row_does_not_make_a_file_korean(tmp_path, head, word):
    path = tmp_path / "c.csv"
    path.write_bytes((head + "\n" + f"J1,118.01,36.80,{word}\n" * 60).encode("gb18030"))
    assert encoding.detect(path).name == "gb18030"


@pytest.mark.parametrize("word", ["竊盜", "車禍", "監視器", "鬥毆"])
def test_one_word_in_every_row_of_big5(tmp_path, word):
    path = tmp_path / "c.csv"
    path.write_bytes(("編號,經度,緯度,類別\n" + f"J1,121.51,25.03,{word}\n" * 60).encode("cp950"))
    assert encoding.detect(path).name == "cp950"


def test_ascii_for_a_megabyte_and_chinese_after(tmp_path):
    path = tmp_path / "c.csv"
    rows = "".join(f"c{i},road {i},118.01,36.80\n" for i in range(60_000))
    path.write_bytes(
        ("设备编码,名称,经度,纬度\n".encode("ascii", "replace") + rows.encode())
        + "c9,中心路与人民路,118.0,36.8\n".encode("gb18030")
    )
    assert path.stat().st_size > 1 << 20
    assert encoding.detect(path).name == "gb18030"


def test_a_damaged_byte_costs_its_row(tmp_path):
    path = tmp_path / "c.csv"
    rows = "".join(f"c{i},中心路{i}号院内东侧路灯杆,118.01,36.80\n" for i in range(300)).encode()
    path.write_bytes("设备编码,名称,经度,纬度\n".encode() + rows + b"bad,\xe4\xb8,118.0,36.8\n")
    report = import_files("cameras", [path], create_store(tmp_path / "city"))
    assert (report.encoding, report.imported, dict(report.reasons)) == ("utf-8", 300, {"text.undecodable": 1})


def _shapefile(folder, codec: str, *, cpg: str | None, language: int | None):
    frame = gpd.GeoDataFrame(
        {"WGBM": ["370303001001001"], "WGMC": ["和平社区第一网格"]},
        geometry=[shapely.box(118, 36.8, 118.01, 36.81)],
        crs=4490,
    )
    path = folder / "g.shp"
    frame.to_file(path, encoding=codec)
    sign = path.with_suffix(".cpg")
    sign.unlink(missing_ok=True)
    if cpg is not None:
        sign.write_text(cpg)
    table = path.with_suffix(".dbf")
    body = bytearray(table.read_bytes())
    body[29:30] = struct.pack("B", language or 0)
    table.write_bytes(body)
    return path


@pytest.mark.parametrize(("codec", "cpg", "language", "found"), [("GBK", "GBK", None, "gb18030"), ("GBK", "936", None, "gb18030"), ("GBK", None, 0x4D, "gb18030"), ("GBK", None, None, "gb18030"), ("UTF-8", "UTF-8", None, "utf-8"), ("UTF-8", None, None, "utf-8"), ("CP950", None, 0x4F, "cp950"), ("GBK", "ISO-8859-1", None, "gb18030"), ("GBK", None, 0x57, "gb18030"), ("GBK", "UTF-8", None, "gb18030")])  # fmt: skip
def test_shapefiles_say_their_encoding_or_lie_about_it(tmp_path, codec, cpg, language, found):
    path = (
        _shapefile(tmp_path, codec, cpg=cpg, language=language)
        if codec != "CP950"
        else _big5(tmp_path, language)
    )
    store = create_store(tmp_path / "city")
    report = import_files("grids", [path], store)
    assert report.encoding == found
    assert store.city().degrees("grids")["name"].tolist() == [
        "和平社區第一網格" if codec == "CP950" else "和平社区第一网格"
    ]


def _big5(folder, language):
    path = _shapefile(folder, "UTF-8", cpg=None, language=language)
    table = path.with_suffix(".dbf")
    name = "和平社区第一网格".encode()
    traditional = "和平社區第一網格".encode("cp950")
    table.write_bytes(table.read_bytes().replace(name, traditional + b" " * (len(name) - len(traditional))))
    return path


def test_a_shapefile_without_its_index_says_what_is_missing(tmp_path):
    path = _shapefile(tmp_path, "UTF-8", cpg=None, language=None)
    path.with_suffix(".shx").unlink()
    with pytest.raises(ImportRefusedError, match=r"g\.shx is missing"):
        import_files("grids", [path], create_store(tmp_path / "city"))


@pytest.mark.parametrize("table", schema.TABLES)
def test_every_column_is_known_by_its_own_and_its_chinese_name(table):
    contract = schema.TABLES[table]
    for column in contract.columns:
        assert headers.match(table, [column.name]).columns.get(column.name) == column.name
        chinese = column.zh.split("（")[0]
        if column.name not in ("name", "kind"):
            found = headers.match(table, [chinese]).columns
            assert found.get(column.name, next(iter(found), None)) == chinese or chinese in found.values()


CASES = [
    ("cameras", "摄像机编码 点位名称 GIS经度 GIS纬度 在线状态 所属机构 安装高度 可视距离 水平视场角", {"camera_id": "摄像机编码", "name": "点位名称", "lon": "GIS经度", "lat": "GIS纬度", "state": "在线状态", "unit": "所属机构", "height_m": "安装高度", "range_m": "可视距离", "fov_deg": "水平视场角"}),
    ("cameras", "DeviceID Name Longitude Latitude CivilCode Address Status Azimuth ManagementUnit MaxViewDistance HorizontalFieldAngle", {"camera_id": "DeviceID", "lon": "Longitude", "civil_code": "CivilCode", "state": "Status", "bearing_deg": "Azimuth", "unit": "ManagementUnit", "range_m": "MaxViewDistance", "fov_deg": "HorizontalFieldAngle"}),
    ("grids", "网格编码 网格名称 上级网格编码 层级 户数", {"grid_id": "网格编码", "name": "网格名称", "parent_id": "上级网格编码", "level": "层级", "households": "户数"}),
    ("incidents", "接警单编号 报警时间 警情性质 事发地点 坐标经度 坐标纬度 办结时间", {"incident_id": "接警单编号", "occurred_at": "报警时间", "category": "警情性质", "address": "事发地点", "lon": "坐标经度", "lat": "坐标纬度", "closed_at": "办结时间"}),
    ("facilities", "設備編號 設施類型 設施名稱 經度 緯度 最近上線時間", {"facility_id": "設備編號", "kind": "設施類型", "name": "設施名稱", "lon": "經度", "lat": "緯度", "last_seen_at": "最近上線時間"}),
    ("hazards", "隐患编号 隐患类型 隐患等级 发现时间 整改时限 经纬度", {"hazard_id": "隐患编号", "kind": "隐患类型", "level": "隐患等级", "found_at": "发现时间", "due_at": "整改时限", "lonlat": "经纬度"}),
    ("buildings", "楼栋编号 建筑高度(m) 地上层数 geom", {"building_id": "楼栋编号", "height_m": "建筑高度(m)", "floors": "地上层数", "wkt": "geom"}),
    ("people", "所属网格 服务类别 人数 统计日期", {"grid_id": "所属网格", "category": "服务类别", "count": "人数", "as_of": "统计日期"}),
]  # fmt: skip


@pytest.mark.parametrize(("table", "line", "found"), CASES)
def test_headers_of_registers(table, line, found):
    columns = headers.match(table, line.split()).columns
    assert {c: columns.get(c) for c in found} == found


def test_units_in_headers(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(
        '道路编号,道路名称,限速(km/h),路宽(cm),wkt\nr1,中心路,36,1250,"LINESTRING (118 36.8, 118.01 36.8)"\n',
        "utf-8",
    )
    store = create_store(tmp_path / "city")
    import_files("roads", [path], store)
    road = store.city().degrees("roads").iloc[0]
    assert (road["speed_m_s"], road["width_m"]) == (pytest.approx(10), 12.5)


def test_a_title_above_the_header(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["张店区视频监控点位一览表"])
    sheet.append([])
    sheet.append(["设备编码", "点位名称", "经度", "纬度", "安装时间"])
    sheet.append(["0012", "东门", 118.01, 36.8, pd.Timestamp("2020-05-06").to_pydatetime()])
    book.create_sheet("说明").append(["填表说明"])
    book.save(tmp_path / "t.xlsx")
    store = create_store(tmp_path / "city")
    report = import_files("cameras", [tmp_path / "t.xlsx"], store)
    assert any("row 3" in n for n in report.notes)
    assert any("说明" in n for n in report.notes)
    camera = store.city().degrees("cameras").loc["0012"]
    assert (camera["name"], camera["install_time"]) == ("东门", pd.Timestamp("2020-05-06"))


@pytest.mark.parametrize("first", ["", "序", "#"])
def test_a_header_with_a_blank_cell_is_still_the_header(tmp_path, first):
    path = tmp_path / "x.csv"
    path.write_text(
        f"{first},CODE,VAL,lon,lat\n" + "".join(f"{i},k{i},7,118.0{i},36.8\n" for i in range(5)), "utf-8"
    )
    store = create_store(tmp_path / "city")
    report = import_files(
        "facilities",
        [path],
        store,
        options=ImportOptions(columns={"CODE": "facility_id"}, constants={"kind": "poi"}),
    )
    assert report.imported == 5


def test_codes_kept_as_numbers_do_not_become_decimals(tmp_path):
    frame = pd.DataFrame(
        {
            "设施编号": [12.0, 13.0],
            "设施类型": ["烟感"] * 2,
            "名称": [370303.0, None],
            "状态": [1.0, None],
            "经度": [118.01, 118.02],
            "纬度": [36.8, 36.8],
        }
    )
    frame.to_parquet(tmp_path / "f.parquet")
    store = create_store(tmp_path / "city")
    report = import_files("facilities", [tmp_path / "f.parquet"], store)
    table = store.city().degrees("facilities")
    assert (report.imported, not report.dropped, table.index.tolist()) == (2, True, ["12", "13"])
    assert table.loc["12", ["name", "state"]].tolist() == ["370303", "ok"]
    assert table.loc["13", ["name", "state"]].isna().all()


def test_a_running_number_is_no_key(tmp_path):
    for n, text in enumerate(("盗窃", "纠纷")):
        (tmp_path / f"{n}.csv").write_text(
            "编号,类别,时间,经度,纬度\n"
            + "".join(f"{i},{text},2024-01-0{i} 08:00,118.0{i},36.8\n" for i in range(1, 4)),
            "utf-8",
        )
    store = create_store(tmp_path / "city")
    report = import_files("incidents", [tmp_path / "0.csv", tmp_path / "1.csv"], store)
    assert report.imported == 6  # the second file does not write over the first


def test_named_columns_constants_and_conditions(tmp_path):
    (tmp_path / "f.csv").write_text(
        "代号,东,北,区\na,118.01,36.8,张店\nb,118.02,36.8,淄川\nc,118.03,36.8,张店\n", "utf-8"
    )
    store = create_store(tmp_path / "city")
    options = ImportOptions(
        columns={"代号": "facility_id", "东": "lon", "北": "lat"},
        constants={"kind": "hydrant", "state": "ok"},
        where="区 = '张店' AND 东 < 118.03",
    )
    report = import_files("facilities", [tmp_path / "f.csv"], store, options=options)
    assert report.imported == 1
    assert report.left_out["not chosen by --where"] == 2
    assert store.city().degrees("facilities").loc["a", ["kind", "state"]].tolist() == ["hydrant", "ok"]


def test_ids_from_content_never_change():
    """The ids of a city's stored rows must be those of the next version's import: a golden value."""
    from geo.io import ids

    frame = pd.DataFrame({"name": ["东门", "西门"], "kind": ["a", None]})
    made = ids.text_ids(
        "cameras",
        ids.content_hash(frame, shapely.points([118.0, 118.1], [36.8, 36.9])),
        pd.Series([1, 2]).to_numpy(),
    )
    assert made.tolist() == ["cam-17d394fd63e3c851", "cam-717f9c76c675c285-2"]


def test_seen_counts_like_a_dictionary():
    import numpy as np

    from geo.io import ids

    rng = np.random.default_rng(0)
    seen, counts, firsts = ids.Seen(), {}, {}
    for _ in range(40):
        keys = rng.integers(0, 300, rng.integers(1, 60)).astype("uint64")
        companions = rng.integers(0, 9, len(keys)).astype("uint64")
        before, first = seen.add(keys, companions)
        for k, c, b, f in zip(
            keys.tolist(), companions.tolist(), before.tolist(), first.tolist(), strict=True
        ):
            assert b == counts.get(k, 0)
            assert f == firsts.setdefault(k, c)
            counts[k] = b + 1
