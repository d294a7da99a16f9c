"""`santu import` and `santu export` as a shell sees them: exit codes, one JSON document, everything else on stderr."""

import json
import sys

import pytest
import shapely

from api.cli import main

HEADER = "设备编码,名称,经度,纬度,状态\n"
ROWS = "".join(f"cam{i},点位{i},{118 + i / 1000},36.8{i},在线\n" for i in range(6))


@pytest.fixture
def santu(tmp_path, monkeypatch, capsys):
    """Run the command in a folder of its own: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SANTU_CITY", raising=False)

    def run(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["santu", *args])
        capsys.readouterr()
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        else:
            code = 0
        out, err = capsys.readouterr()
        return int(code), out, err

    assert run("init", "city", "--name", "小城")[0] == 0
    (tmp_path / "c.csv").write_text(HEADER + ROWS, "utf-8")
    return run


def test_import_says_what_it_did(santu):
    code, out, _ = santu("import", "cameras", "c.csv")
    assert code == 0
    for word in ("6 rows read, 6 new", "设备编码 → camera_id", "EPSG:4326", "utf-8"):
        assert word in out
    assert "6 as they were" in santu("import", "cameras", "c.csv")[1]


def test_json_is_one_document_of_the_agreed_shape(santu, tmp_path):
    (tmp_path / "b.csv").write_text(HEADER + ROWS + "bad,坏,0,0,在线\n", "utf-8")
    code, out, _ = santu("import", "cameras", "b.csv", "--json")
    document = json.loads(out)
    assert code == 0
    wanted = {
        "table": "cameras",
        "read": 7,
        "imported": 6,
        "updated": 0,
        "quarantined": 1,
        "encoding": "utf-8",
        "crs": "EPSG:4326",
    }
    assert {k: document[k] for k in wanted} == wanted
    assert isinstance(document["repairs"], dict)


def test_dry_run_changes_nothing(santu):
    assert "dry run, nothing was changed" in santu("import", "cameras", "c.csv", "--dry-run")[1]
    assert json.loads(santu("import", "cameras", "c.csv", "--json")[1])["imported"] == 6


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("import", "cameras", "nothing.csv"), 1, ["nothing.csv", "there is no such file", "c.csv"]),
        (("import", "cameraz", "c.csv"), 1, ["cameraz", "cameras"]),
        (("import", "incidents", "c.csv"), 1, ["c.csv", "occurred_at", "发生时间", "设备编码"]),
        (("import", "cameras", "c.csv", "--city", "nowhere"), 1, ["nowhere", "santu init"]),
        (("import", "cameras", "c.csv", "--max-size", "10B"), 1, ["c.csv", "bytes", "allowed"]),
        (("import", "cameras"), 2, []),
        (("import", "cameras", "c.csv", "--column", "经度"), 2, []),
        (("import", "cameras", "c.csv", "--nonsense"), 2, []),
        (("export", "cameras", "c.docx"), 1, [".docx", ".geojson"]),
        (("export", "cameras", "c.csv"), 1, ["exists already", "--overwrite"]),
    ],
)
def test_exit_codes_and_words(santu, args, code, words):
    found, out, err = santu(*args)
    assert found == code
    assert out == ""
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_options_reach_the_import(santu, tmp_path):
    (tmp_path / "x.csv").write_text("代号,东,北,区\na,118.01,36.8,甲\nb,118.02,36.8,乙\n", "utf-8")
    args = [
        "--column",
        "代号=facility_id",
        "--column",
        "东=lon",
        "--column",
        "北=lat",
        "--set",
        "kind=hydrant",
        "--where",
        "区 = '甲'",
    ]
    code, out, err = santu("import", "facilities", "x.csv", *args, "--json")
    assert (code, json.loads(out)["imported"]) == (0, 1), err


def test_a_refused_people_file_leaves_no_trace(santu, tmp_path):
    (tmp_path / "p.csv").write_text("姓名,网格编码,类别\n张三,g1,独居老人\n", "utf-8")
    code, out, err = santu("import", "people", "p.csv")
    assert (code, out) == (1, "")
    assert "姓名" in err
    assert "张三" not in err
    for file in (tmp_path / "city").iterdir():
        if file.is_file():
            assert "张三".encode() not in file.read_bytes()


@pytest.mark.parametrize("ending", ["geojson", "csv", "xlsx", "gpkg", "fgb", "parquet"])
def test_export_and_back(santu, ending):
    santu("import", "cameras", "c.csv")
    code, out, err = santu("export", "cameras", f"out.{ending}", "--json")
    assert code == 0, err
    assert json.loads(out)["rows"] == 6
    again = json.loads(santu("import", "cameras", f"out.{ending}", "--json")[1])
    assert (again["imported"], again["updated"], again["unchanged"]) == (0, 0, 6)


def test_secret_cameras_need_the_role(santu, tmp_path, monkeypatch):
    (tmp_path / "s.csv").write_text("设备编码,经度,纬度,涉密\na,118.01,36.8,是\nb,118.02,36.8,否\n", "utf-8")
    santu("import", "cameras", "s.csv")
    assert json.loads(santu("export", "cameras", "low.csv", "--json")[1])["withheld"] == 1
    monkeypatch.setenv("SANTU_ROLE", "admin")
    assert json.loads(santu("export", "cameras", "high.csv", "--json")[1])["rows"] == 2
    from geo.store import open_store

    log = open_store(tmp_path / "city").audit_log()
    assert (log["action"] == "export").sum() == 2


def test_a_changed_grid_goes_into_history(santu, tmp_path):
    from datetime import date

    from geo.store import open_city

    def write(width: float) -> None:
        square = f"POLYGON ((118 36.8, {118 + width} 36.8, {118 + width} 36.81, 118 36.81, 118 36.8))"
        (tmp_path / "g.csv").write_text(f'网格编码,网格名称,wkt\ng1,第一网格,"{square}"\n', "utf-8")

    write(0.01)
    assert santu("import", "grids", "g.csv", "--set", "valid_from=2024-01-01")[0] == 0
    write(0.02)
    code, out, err = santu("import", "grids", "g.csv", "--set", "valid_from=2025-01-01", "--json")
    assert code == 0, err
    assert (json.loads(out)["updated"], json.loads(out)["retired"]) == (1, 1)
    now, then = open_city(tmp_path / "city"), open_city(tmp_path / "city", as_of=date(2024, 6, 1))
    assert shapely.area(now.degrees("grids").geometry.iloc[0]) == pytest.approx(
        2 * shapely.area(then.degrees("grids").geometry.iloc[0])
    )
