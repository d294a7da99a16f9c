"""`santu doctor`: exit code, one JSON document on stdout, a report for people, a GeoPackage."""

import json

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import shapely.affinity
from typer.testing import CliRunner

from api.cli import app
from geo import schema
from geo.errors import BadInputError, StoreError
from geo.store import create_store


def grids(hole):
    """One town of 4 × 3 base grids, with or without one of them."""
    cells = {
        f"37030300100100{n:x}": (118 + 0.01 * (n % 4), 36.8 + 0.01 * (n // 4)) for n in range(12) if n != hole
    }
    shapes = [shapely.box(x, y, x + 0.01, y + 0.01) for x, y in cells.values()]
    frame = gpd.GeoDataFrame({"level": 3, "kind": "base"}, geometry=shapes, index=list(cells), crs=4490)
    return schema.checked("grids", frame.rename_axis("grid_id"))


@pytest.fixture
def folder(tmp_path):
    def make(hole=None):
        store = create_store(tmp_path / "city")
        store.write("grids", grids(hole))
        store.close()
        return tmp_path / "city"

    return make


def santu(*arguments):
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)])


def test_a_whole_city_passes(folder):
    done = santu("--city", folder())
    assert done.exit_code == 0, done.output
    assert "未发现问题" in done.stdout
    assert "no faults" in done.stdout


def test_a_hole_fails_and_is_in_every_form_of_the_answer(folder, tmp_path):
    city, path = folder(hole=5), tmp_path / "faults.gpkg"
    done = santu("--city", city, "--json", "--gpkg", path)
    assert done.exit_code == 1, done.output
    document = json.loads(done.stdout)
    assert document["summary"] == {"grid.gap": 1}
    [fault] = document["faults"]
    assert (fault["code"], fault["table"], fault["id"]) == ("grid.gap", "grids", "370303001001000")
    assert document["tables"]["grids"]["rows"] == 11
    assert document["tables"]["grids"]["datum"]["verdict"] == "unknown"
    drawn = gpd.read_file(path, layer="fault_polygons")
    assert drawn.geometry.iloc[0].centroid.distance(shapely.Point(118.015, 36.815)) < 1e-4
    assert "wrote 1 faults" in done.stderr
    text = santu("--city", city)
    assert text.exit_code == 1
    assert "网格缝隙" in text.stdout
    assert "gap between grids" in text.stdout


def test_errors_are_said_and_change_nothing(folder, tmp_path):
    city = folder()
    bad = [
        (tmp_path / "none", (), StoreError, "none"),
        (city, ("--gpkg", "x.shp"), BadInputError, ".gpkg"),
        (city, ("--as-of", "yesterday"), BadInputError, "YYYY-MM-DD"),
        (city, ("--gpkg", tmp_path / "no" / "f.gpkg"), BadInputError, "cannot write"),
    ]
    for where, options, error, said in bad:
        done = santu("--city", where, *options)
        assert isinstance(done.exception, error)
        assert said in str(done.exception)
        assert done.stdout == ""


def test_faults_of_the_address_table_are_in_the_report(demo_tiny, tmp_path):
    store = create_store(tmp_path / "city")
    store.write("grids", demo_tiny.degrees("grids"))
    table = demo_tiny.degrees("addresses").head(3000).copy()
    twins = table[table["road"].notna()].iloc[[0, 0]].copy()
    twins[["compound", "building", "unit", "room"]] = None
    twins["number"], twins["standard"] = "987号", twins["district"] + twins["road"] + "987号"
    twins.index = pd.Index(["twin-1", "twin-2"], name=table.index.name)
    twins["geometry"] = [twins.geometry.iloc[0], shapely.affinity.translate(twins.geometry.iloc[0], 0.01)]
    store.write("addresses", pd.concat([table, twins]))
    store.close()
    done = santu("--city", tmp_path / "city", "--json")
    assert done.exit_code == 1, done.output
    document = json.loads(done.stdout)
    assert document["summary"]["address.two-points"] == 1
    [fault] = [f for f in document["faults"] if f["code"] == "address.two-points"]
    assert fault["table"] == "addresses"
    assert set(fault) == {"code", "table", "id", "value", "message"}
    text = santu("--city", tmp_path / "city")
    assert "同一地址两处坐标 · address.two-points: 1" in text.stdout
