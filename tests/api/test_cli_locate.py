"""`santu locate` by coordinates: one place, or a file of them."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from api.cli import app
from geo.crs import convert
from geo.errors import BadInputError, ImportRefusedError
from geo.store import create_store

run = CliRunner()
ADDED = [
    "santu_status",
    "santu_lon",
    "santu_lat",
    "santu_precision",
    "santu_confidence",
    "santu_grid_id",
    "santu_faults",
]


@pytest.fixture
def folder(tmp_path, tiny_city):
    store = create_store(tmp_path / "c", name="小城")
    store.write("grids", tiny_city.degrees("grids"))
    store.close()
    return str(tmp_path / "c")


def locate(folder, *options):
    return run.invoke(app, ["locate", "--city", folder, *map(str, options)])


def test_one_point_names_its_grids_and_the_exit_code_says_whether(folder):
    inside = locate(folder, "--lon", 118.012, "--lat", 36.805)
    assert inside.exit_code == 0
    assert "370303001001002" in inside.stdout
    outside = locate(folder, "--lon", 118.05, "--lat", 36.805, "--json")
    assert outside.exit_code == 1
    answer = json.loads(outside.stdout)
    assert answer["grids"] == []
    assert answer["nearest"]["grid_id"] == "370303001002002"


def test_a_point_far_away_is_told_so(folder):
    answer = locate(folder, "--lon", 0, "--lat", 0)
    assert answer.exit_code == 1
    assert "50 km" in answer.stdout
    assert "370303" not in answer.stdout


def test_coordinates_of_maps_are_converted(folder):
    lon, lat = convert(118.012, 36.805, source="wgs84", target="bd09")
    answer = json.loads(locate(folder, "--lon", lon, "--lat", lat, "--crs", "bd09", "--json").stdout)
    assert answer["grids"][-1]["grid_id"] == "370303001001002"


@pytest.mark.parametrize("options", [(), ("--lon", 1), ("--lon", 1, "--lat", 1, "--batch", "a", "b")])
def test_one_way_of_asking_is_wanted(folder, options):
    assert locate(folder, *options).exit_code == 2


def test_swapped_coordinates_are_refused(folder):
    answer = locate(folder, "--lon", 36.8, "--lat", 118)
    assert isinstance(answer.exception, BadInputError)
    assert "longitude first" in str(answer.exception)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_file_keeps_its_columns_and_gets_the_answers(folder, tmp_path, encoding):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    rows = '编号,经度,说明,纬度\nA,118.012,"甲,乙",36.805\nB,,空,\nC,x,非数,36\nD,0,零,0\nE,118.05,外,36.805\nF,36.8,反,118\nG,116.4,远,39.9\n'
    source.write_bytes(rows.encode(encoding))
    answer = locate(folder, "--batch", source, target, "--json")
    assert answer.exit_code == 0, answer.output
    table = pd.read_csv(target, dtype=str, keep_default_na=False)
    assert table.columns.tolist() == ["编号", "经度", "说明", "纬度", *ADDED]
    assert table["说明"].tolist() == ["甲,乙", "空", "非数", "零", "外", "反", "远"]
    assert table["santu_grid_id"].tolist() == ["370303001001002", "", "", "", "", "", ""]
    assert table["santu_status"].tolist() == ["unique", *["none"] * 6]
    assert table["santu_faults"].tolist() == [
        "", "coordinates-absent", "coordinates-not-numbers", "coordinates-impossible", "outside", "coordinates-impossible",
        "far-outside",
    ]  # fmt: skip
    summary = json.loads(answer.stdout)
    assert (summary["rows"], summary["status"]) == (7, {"unique": 1, "none": 6})


def test_a_file_that_cannot_be_answered_leaves_nothing(folder, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("a,b\n1,2\n")
    answer = locate(folder, "--batch", source, target)
    assert isinstance(answer.exception, ImportRefusedError)
    assert "lon and lat" in str(answer.exception)
    source.write_text("lon,lat\n")
    assert isinstance(locate(folder, "--batch", source, target).exception, ImportRefusedError)
    assert isinstance(locate(folder, "--batch", source, source).exception, BadInputError)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "in.csv"]
