"""What is exported reads back as the same table, in every format, whatever the values."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from geo import schema
from geo.city import City
from geo.errors import BadInputError, UnknownNameError
from geo.io import import_files
from geo.io.export import FORMATS, export_table, guarded
from geo.scope import EVERYTHING, Scope
from geo.store import create_store

SPATIAL = ["geojson", "parquet", "fgb", "gpkg", "csv", "xlsx"]
_WORD = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Co", "Cn", "Zs", "Zl", "Zp")),
    min_size=1,
    max_size=12,
).filter(lambda t: t.strip().lower() not in ("null", "none", "nan", "nat", "n/a", "#n/a", "\\n", "<na>"))
_NASTY = st.sampled_from(
    ["=1+1", "+86", "-5", "@SUM(A1)", "'quoted", "'=x", "''=y", "a,b", 'say "x"', "第一\n第二", "＝cmd", "0012", "1e5", "2023-01-02", "TRUE", "𠮷野家"]
)  # fmt: skip
TEXT = st.one_of(st.none(), _WORD, _NASTY)
# the store keeps milliseconds
MOMENT = st.datetimes(min_value=pd.Timestamp("1990-01-01"), max_value=pd.Timestamp("2050-01-01")).map(
    lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000, fold=0)
)
TIME = st.one_of(st.none(), MOMENT)


def _plain(text: str) -> bool:
    """Left alone by the door: no full-width digits, no phone or identity numbers."""
    return not any("\uff10" <= c <= "\uff5a" for c in text) and "@" not in text[1:]


def incidents(rows: list[tuple]) -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame(
        {
            "occurred_at": pd.to_datetime([r[0] for r in rows], utc=True),
            "category": [r[1] for r in rows],
            "severity": [r[2] for r in rows],
            "closed_at": pd.to_datetime(pd.Series([r[3] for r in rows], dtype="object"), utc=True),
            "radius_m": [r[4] for r in rows],
            "address": [r[5] for r in rows],
        },
        geometry=shapely.points([r[6] for r in rows], [r[7] for r in rows]),
        index=pd.Index([f"i{n}" for n in range(len(rows))], name="incident_id"),
        crs="EPSG:4490",
    )
    return schema.checked("incidents", frame)


ROW = st.tuples(
    MOMENT,
    st.one_of(_WORD, _NASTY).filter(_plain),
    st.one_of(st.none(), st.integers(1, 4)),
    TIME,
    st.one_of(st.none(), st.floats(0, 100_000)),
    TEXT.filter(lambda t: t is None or _plain(t)),
    st.floats(73.5, 134.0),
    st.floats(18.5, 53.0),
)


def _back(city: City, table: str, path: Path, **options) -> pd.DataFrame:
    export_table(city, table, path, scope=EVERYTHING, **options)
    folder = path.parent / f"city-{path.name}"
    store = create_store(folder)
    report = import_files(table, [path], store)
    assert report.quarantined == 0, report.samples
    assert not report.dropped, report.samples
    result = store.city().degrees(table)
    store.close()
    return result


def _same(a: pd.DataFrame, b: pd.DataFrame, *, digits: int = 17) -> None:
    b = b.loc[a.index]
    assert list(a.columns) == list(b.columns)
    for column in a.columns:
        if column == "geometry" and digits < 17:
            left, right = (shapely.get_coordinates(shapely.normalize(f.geometry.to_numpy())) for f in (a, b))
            np.testing.assert_allclose(left, right, rtol=10.0 ** (1 - digits))
        elif column == "geometry":
            assert shapely.equals(
                shapely.normalize(a.geometry.to_numpy()), shapely.normalize(b.geometry.to_numpy())
            ).all()
        else:
            pd.testing.assert_series_equal(
                a[column],
                b[column],
                check_index_type=False,
                check_exact=digits == 17,
                rtol=10.0 ** (1 - digits),
            )


@pytest.mark.parametrize("ending", SPATIAL)
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_import_of_export_is_the_same_table(rows, ending, tmp_path_factory):
    frame = incidents(rows)
    city = City("往返", crs="EPSG:4548", tables={"incidents": frame}, versions={"incidents": "1"})
    folder = tmp_path_factory.mktemp("trip")
    # openpyxl writes 16 digits of a number: 10 nanometres of a degree
    _same(frame, _back(city, "incidents", folder / f"out.{ending}"), digits=16 if ending == "xlsx" else 17)


TABLES = [
    "grids",
    "cameras",
    "roads",
    "facilities",
    "buildings",
    "hazards",
    "targets",
    "addresses",
    "boundary",
]


@pytest.mark.parametrize(
    ("table", "ending"),
    [(t, e) for t in TABLES for e in ("csv", "gpkg")]
    + [(t, e) for t in ("grids", "cameras", "roads") for e in ("geojson", "parquet", "fgb", "xlsx")],
)
def test_every_table_of_the_demo_city_survives(demo_tiny, table, ending, tmp_path):
    frame = demo_tiny.degrees(table)
    _same(
        frame, _back(demo_tiny, table, tmp_path / f"{table}.{ending}"), digits=16 if ending == "xlsx" else 17
    )


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
@pytest.mark.parametrize("table", ["grids", "cameras", "incidents", "facilities"])
def test_chinese_headers_are_read_back(demo_tiny, table, ending, tmp_path):
    frame = demo_tiny.degrees(table).iloc[:50]
    city = demo_tiny.with_table(table, frame, replace=True)
    _same(frame, _back(city, table, tmp_path / f"out.{ending}", chinese=True), digits=16)


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_people_survive_as_counts(demo_tiny, ending, tmp_path):
    frame = demo_tiny.degrees("people")
    _same(frame.sort_index(), _back(demo_tiny, "people", tmp_path / f"p.{ending}").sort_index())


@pytest.mark.parametrize("crs", ["gcj02", "bd09", "EPSG:4548"])
def test_other_systems_come_back_within_a_tenth_of_a_millimetre(demo_tiny, crs, tmp_path):
    frame = demo_tiny.degrees("cameras")
    path = tmp_path / "c.csv"
    export_table(demo_tiny, "cameras", path, scope=EVERYTHING, crs=crs)
    store = create_store(tmp_path / "city")
    from geo.io import ImportOptions

    columns = {} if crs != "EPSG:4548" else {"lon": "x", "lat": "y"}
    import_files("cameras", [path], store, options=ImportOptions(crs=crs, columns=columns))
    back = store.city().degrees("cameras").loc[frame.index]
    far = np.hypot(back.geometry.x - frame.geometry.x, back.geometry.y - frame.geometry.y)
    assert far.max() < 1e-9


def test_no_cell_of_a_csv_begins_like_a_formula(tmp_path):
    rows = [
        (pd.Timestamp("2024-01-01"), w, None, None, None, w, 118.0, 36.8)
        for w in ("=1+1", "+1", "-1", "@A1", "＝A1", "-cmd|' /C calc'!A0")
    ]
    frame = incidents(rows)
    city = City("公式", crs="EPSG:4548", tables={"incidents": frame}, versions={"incidents": "1"})
    export_table(city, "incidents", tmp_path / "f.csv", scope=EVERYTHING)
    text = pd.read_csv(tmp_path / "f.csv", dtype=str, keep_default_na=False)
    for column in ("incident_id", "category", "address"):
        assert not text[column].str.match(r"^[=+\-@\t\r＝＋－＠]").any()
    assert guarded("中心小学") == "中心小学"


def test_excel_holds_no_formula(tmp_path):
    import openpyxl

    frame = incidents(
        [(pd.Timestamp("2024-01-01"), "=1+1", None, None, None, '=HYPERLINK("x")', 118.0, 36.8)]
    )
    city = City("公式", crs="EPSG:4548", tables={"incidents": frame}, versions={"incidents": "1"})
    export_table(city, "incidents", tmp_path / "f.xlsx", scope=EVERYTHING)
    sheet = openpyxl.load_workbook(tmp_path / "f.xlsx").active
    assert {c.data_type for row in sheet.iter_rows() for c in row} <= {"s", "n"}


class TestScope:
    def test_secret_cameras_do_not_leave_below_their_role(self, demo_tiny, tmp_path):
        cameras = demo_tiny.degrees("cameras").copy()
        cameras["secrecy"] = pd.array([1] + [0] * (len(cameras) - 1), dtype="Int64")
        city = demo_tiny.with_table("cameras", cameras, replace=True)
        done = export_table(city, "cameras", tmp_path / "c.csv", scope=Scope(role="operator"))
        assert (done.rows, done.withheld) == (len(cameras) - 1, 1)
        assert cameras.index[0] not in (tmp_path / "c.csv").read_text("utf-8-sig")
        assert export_table(city, "cameras", tmp_path / "d.csv", scope=EVERYTHING).rows == len(cameras)

    def test_small_counts_of_persons_are_hidden(self, demo_tiny, tmp_path):
        people = demo_tiny.degrees("people")
        export_table(demo_tiny, "people", tmp_path / "p.csv", scope=Scope(k=5))
        out = pd.read_csv(tmp_path / "p.csv", encoding="utf-8-sig", dtype={"grid_id": str})
        assert (people["count"] < 5).any()
        assert not (out["count"].between(1, 4)).any()

    def test_only_the_subtree_of_the_roots(self, demo_tiny, tmp_path):
        grids = demo_tiny.degrees("grids")
        root = grids.index[(grids["level"] == 2).to_numpy()][0]
        done = export_table(demo_tiny, "grids", tmp_path / "g.csv", scope=Scope(roots=frozenset([root])))
        assert done.rows == 1 + int((grids["parent_id"] == root).sum())
        export_table(demo_tiny, "incidents", tmp_path / "i.parquet", scope=Scope(roots=frozenset([root])))
        out = gpd.read_parquet(tmp_path / "i.parquet")
        assert 0 < len(out) < len(demo_tiny.degrees("incidents"))
        assert out.geometry.intersects(grids.geometry[root]).all()


class TestRefusals:
    def test_unknown_ending(self, demo_tiny, tmp_path):
        with pytest.raises(UnknownNameError, match=r"\.docx.*\.csv"):
            export_table(demo_tiny, "grids", tmp_path / "g.docx", scope=EVERYTHING)

    def test_existing_file(self, demo_tiny, tmp_path):
        path = tmp_path / "g.csv"
        path.write_text("mine")
        with pytest.raises(BadInputError, match="exists already"):
            export_table(demo_tiny, "grids", path, scope=EVERYTHING)
        assert path.read_text() == "mine"

    def test_metres_in_geojson(self, demo_tiny, tmp_path):
        with pytest.raises(BadInputError, match="degrees only"):
            export_table(demo_tiny, "grids", tmp_path / "g.geojson", scope=EVERYTHING, crs="EPSG:4548")

    def test_no_rest_is_left_behind(self, demo_tiny, tmp_path):
        with pytest.raises(BadInputError, match="no geometry"):
            export_table(demo_tiny, "people", tmp_path / "p.geojson", scope=EVERYTHING)
        assert list(tmp_path.iterdir()) == []

    def test_every_format_is_tried_here(self):
        assert {f".{e}" for e in SPATIAL} <= set(FORMATS)
