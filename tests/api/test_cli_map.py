import json

import pytest
from typer.testing import CliRunner

from api.cli import app
from geo.errors import BadInputError, UnknownNameError
from geo.store import create_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory, demo_tiny):
    path = tmp_path_factory.mktemp("city") / "tiny"
    store = create_store(path, name="小城", scheme=demo_tiny.scheme)
    with store.transaction() as change:
        for name in ("boundary", "grids", "hazards", "people", "facilities"):
            change.upsert(name, demo_tiny.degrees(name))
    store.close()
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["map", *map(str, arguments)])


def test_map_writes_pages_and_says_what(folder, tmp_path):
    result = run("--city", folder, "--out", tmp_path / "o", "--map", "people", "--max-zoom", 12, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["maps"] == ["people"]
    assert report["max_zoom"] == 12
    assert (tmp_path / "o" / "people.html").exists()
    assert report["files"] == len([p for p in (tmp_path / "o").rglob("*") if p.is_file()])


def test_map_writes_pmtiles(folder, tmp_path):
    result = run("--city", folder, "--pmtiles", tmp_path / "g.pmtiles", "--layer", "villages", "--json")
    assert json.loads(result.stdout)["layer_tiles"] > 0
    assert (tmp_path / "g.pmtiles").read_bytes()[:7] == b"PMTiles"


def test_map_without_a_target_is_a_usage_error(folder):
    assert run("--city", folder).exit_code == 2


def test_unknown_maps_layers_and_grids_are_named(folder, tmp_path):
    for arguments, error in (
        (("--out", tmp_path / "a", "--map", "nothing"), UnknownNameError),
        (("--pmtiles", tmp_path / "b", "--layer", "nothing"), UnknownNameError),
        (("--out", tmp_path / "c", "--root", "nothing"), BadInputError),
    ):
        assert isinstance(run("--city", folder, *arguments).exception, error)


def test_map_writes_a_picture(folder, tmp_path):
    result = run(
        "--city", folder, "--png", tmp_path / "m.png", "--pdf", tmp_path / "m.pdf", "--size", "500x400"
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "m.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "m.pdf").read_bytes()[:5] == b"%PDF-"
    wrong = run("--city", folder, "--png", tmp_path / "n.png", "--size", "large")
    assert isinstance(wrong.exception, BadInputError)
