"""Files as other cities keep them: cut headers, words that say where a row is, datums of an invented town."""

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely

from geo.crs import convert
from geo.errors import ImportRefusedError, SantuError
from geo.io import ImportOptions, import_files
from geo.store import create_store

GK = "EPSG:4549"  # CGCS2000, three-degree zone at 120° E
SIDE = 300.0


def town() -> gpd.GeoDataFrame:
    """Two streets of four communities of nine square grids of 300 m, in metres near Hangzhou."""
    rows = []
    for street, community, cell in np.ndindex(2, 4, 9):
        x = 521_000 + street * 1800 + (community % 2) * 900 + (cell % 3) * SIDE
        y = 3_346_000 + (community // 2) * 900 + (cell // 3) * SIDE
        above = f"330106{street + 1:03d}"
        near = f"{above}{community + 1:03d}"
        rows.append({"网格编码": f"{near}{cell + 1:03d}", "网格名称": f"{street}街{community}社区{cell}号网格", "所属社区": near,
                     "所属街道": above, "geometry": shapely.box(x, y, x + SIDE, y + SIDE)})  # fmt: skip
    return gpd.GeoDataFrame(rows, crs=GK)


def incidents(grids: gpd.GeoDataFrame, count: int, *, content: str = "wgs84", seed: int = 0) -> pd.DataFrame:
    """Incidents anywhere in the town that name their grid; coordinates in a datum."""
    rng = np.random.default_rng(seed)
    own = rng.integers(0, len(grids), count)
    west, south, east, north = grids.bounds.to_numpy()[own].T
    x, y = rng.uniform(west, east), rng.uniform(south, north)
    lon, lat = convert(x, y, source=GK, target="wgs84")
    lon, lat = convert(lon, lat, source="wgs84", target=content)
    return pd.DataFrame({"事件编号": [f"SJ{i:05d}" for i in range(count)], "发生时间": "2024-05-01 08:00", "类别": "盗窃",
                         "经度": lon, "纬度": lat, "责任网格": grids["网格编码"].to_numpy()[own], "x": x, "y": y})  # fmt: skip


@pytest.fixture
def store(tmp_path):
    made = create_store(tmp_path / "city")
    yield made
    made.close()


def load(store, table, path, **options):
    return import_files(table, [path], store, options=ImportOptions(**options))


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030"])
@pytest.mark.parametrize("cpg", [True, False])
@pytest.mark.filterwarnings("ignore:.*laundered.*", "ignore:Could not decode")
def test_a_shapefile_cuts_headers_in_the_middle_of_a_character(store, tmp_path, encoding, cpg):
    town().to_file(tmp_path / "网格.shp", encoding=encoding)
    if not cpg:
        (tmp_path / "网格.cpg").unlink()
    report = load(store, "grids", tmp_path / "网格.shp", parents=("所属社区", "所属街道"))
    assert report.imported == 72 + 8 + 2
    assert report.crs == GK
    grids = store.city().degrees("grids")
    assert grids.loc["330106001001001", ["level", "name", "parent_id"]].tolist() == [
        3,
        "0街0社区0号网格",
        "330106001001",
    ]
    assert grids.loc["330106001001", "parent_id"] == "330106001"


@pytest.mark.parametrize("content", ["wgs84", "gcj02", "bd09"])
def test_thirty_rows_that_name_their_grid_tell_the_datum(store, tmp_path, content):
    """Nothing but the grids is known, and the column of codes is no column of the table."""
    grids = town()
    grids.to_file(tmp_path / "grids.gpkg")
    load(store, "grids", tmp_path / "grids.gpkg")
    incidents(grids, 30, content=content).drop(columns=["x", "y"]).to_csv(tmp_path / "事件.csv", index=False)
    report = load(store, "incidents", tmp_path / "事件.csv")
    assert report.imported == 30
    assert (
        any("found" in note and content.upper()[:3] in note.upper() for note in report.notes)
        or content == "wgs84"
    )
    found = store.city().located("incidents")["base"]
    truth = incidents(grids, 30)["责任网格"].to_numpy()
    assert (found.to_numpy() == truth).mean() > 0.95


def test_rows_of_two_datums_are_refused_though_they_alternate(store, tmp_path):
    grids = town()
    grids.to_file(tmp_path / "grids.gpkg")
    load(store, "grids", tmp_path / "grids.gpkg")
    plain, moved = incidents(grids, 40), incidents(grids, 40, content="gcj02")
    odd = np.arange(40) % 2 == 1
    plain.loc[odd, ["经度", "纬度"]] = moved.loc[odd, ["经度", "纬度"]]
    plain.drop(columns=["x", "y"]).to_csv(tmp_path / "事件.csv", index=False)
    with pytest.raises(ImportRefusedError, match=r"more than one coordinate system.*gcj02"):
        load(store, "incidents", tmp_path / "事件.csv")
    assert store.city().degrees("incidents").empty


@pytest.mark.parametrize("north_first", [False, True])
def test_metres_without_a_system_find_their_zone(store, tmp_path, north_first):
    grids = town()
    grids.to_file(tmp_path / "grids.gpkg")
    load(store, "grids", tmp_path / "grids.gpkg")
    frame = incidents(grids, 30).drop(columns=["经度", "纬度"])
    if north_first:
        frame = frame.rename(columns={"x": "y", "y": "x"})
        with pytest.raises(ImportRefusedError, match="swapped"):
            load_csv(store, frame, tmp_path)
        return
    report = load_csv(store, frame, tmp_path)
    assert (report.crs, report.imported) == (GK, 30)


def load_csv(store, frame, tmp_path):
    frame.to_csv(tmp_path / "事件.csv", index=False)
    return load(store, "incidents", tmp_path / "事件.csv")


def test_a_header_of_two_rows_under_a_title(store, tmp_path):
    """A title, groups of columns in merged cells, the names below, serial dates, and a total at the end."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["某区物防设施台账"])
    sheet.append(["序号", "设备信息", None, None, "位置信息", None, "状态", "最近上线时间"])
    sheet.append([None, "设施编号", "设施名称", "设施类型", "经度", "纬度", None, None])
    for cells in ("A1:H1", "B2:D2", "E2:F2", "A2:A3", "G2:G3", "H2:H3"):
        sheet.merge_cells(cells)
    for i in range(20):
        sheet.append(
            [
                i + 1,
                f"00{i:03d}",
                f"设施{i}",
                "烟感",
                f"{120.2 + i / 1000:.6f}",
                30.2,
                "正常",
                45000 + i * 0.25,
            ]
        )
    book.save(tmp_path / "台账.xlsx")
    report = load(store, "facilities", tmp_path / "台账.xlsx")
    assert (report.imported, report.quarantined) == (20, 0)
    assert "header found in rows 2 and 3" in report.notes
    row = store.city().degrees("facilities").loc["00004"]
    assert (row["kind"], row["state"], row["name"]) == ("smoke_alarm", "ok", "设施4")
    assert row["last_seen_at"] == pd.Timestamp("2023-03-16", tz="Asia/Shanghai")


def test_bytes_that_are_no_text_are_called_so(store, tmp_path):
    (tmp_path / "photo.csv").write_bytes(
        np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    )
    with pytest.raises(SantuError, match="is no text"):
        load(store, "incidents", tmp_path / "photo.csv")
