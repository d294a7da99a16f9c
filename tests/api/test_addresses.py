"""The address part of the API and of the command line's helpers."""

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from typer.testing import CliRunner

from api.app import create_app
from api.cli import app
from api.cli import locate_address as cli
from api.settings import Settings
from api.state import ServerState
from geo.errors import BadInputError
from geo.store.addresses import kind_of


@pytest.fixture(scope="module")
def client(demo_tiny):
    with TestClient(create_app(ServerState(demo_tiny))) as client:
        yield client


def test_suggest_completes(client, demo_tiny):
    road = demo_tiny.addresses["road"].dropna().iloc[0]
    found = client.get("/v1/addresses/suggest", params={"q": road[:2]}).json()["suggestions"]
    assert found
    assert {"text", "kind", "lon", "lat"} <= set(found[0])
    assert client.get("/v1/addresses/suggest", params={"q": "路" * 501}).status_code == 422
    assert client.get("/v1/addresses/suggest").status_code == 422


def test_aliases_are_listed_and_memory_refuses_teaching(client, demo_tiny):
    listed = client.get("/v1/addresses/aliases").json()["aliases"]
    assert len(listed) == len(demo_tiny.degrees("aliases"))
    body = {"text": "老电影院", "standard": "甲路5号", "lon": 118.0, "lat": 36.8, "by": "值班岗"}
    answer = client.post("/v1/addresses/aliases", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_batch_keeps_its_rows_and_is_summed_up(demo_tiny):
    table = demo_tiny.addresses.sample(40, random_state=1)
    texts = pd.Series([*table["standard"], "", None, "不存在大道1号"], dtype=object)
    found = cli.locate_texts(demo_tiny, texts)
    summary = cli.batch_summary(found)
    assert len(found) == len(texts) == summary["rows"] == sum(summary["status"].values())
    assert found["santu_status"].iloc[-3:].tolist() == ["none"] * 3
    assert (found["santu_grid_id"].iloc[:40].to_numpy() == table["grid_id"].to_numpy()).mean() >= 0.95
    assert found["santu_lon"].iloc[:40].between(-180, 180).all()


def test_a_labelled_file_is_scored_per_class(demo_tiny, tmp_path):
    table = demo_tiny.degrees("addresses").sample(30, random_state=2)
    file = tmp_path / "labelled.csv"
    points = table.geometry
    pd.DataFrame(
        {"q": table["standard"], "cls": ["a"] * 10 + ["b"] * 20, "lon": points.x, "lat": points.y}
    ).to_csv(file, index=False)
    labelled = cli.labelled_file(demo_tiny, file)
    assert len(labelled) == 30
    cli.show_evaluation(demo_tiny, file, fallback="fts5", as_json=True)


def test_a_file_without_truth_is_refused(demo_tiny, tmp_path):
    file = tmp_path / "labelled.csv"
    pd.DataFrame({"q": ["甲路5号"]}).to_csv(file, index=False)
    with pytest.raises(BadInputError, match="grid_id"):
        cli.labelled_file(demo_tiny, file)
    with pytest.raises(BadInputError, match="not there"):
        cli.labelled_file(demo_tiny, tmp_path / "absent.csv")


def garbled(city):
    """Long names in parts that stand in another order: only a text index finds them."""
    names = city.addresses["compound"].dropna().drop_duplicates()
    long = names[names.str.len() >= 5].head(12)
    return [name[2:] + name[:2] for name in long]


def test_a_setting_chooses_the_text_index_or_none(demo_tiny):
    found = {}
    for setting in ("fts5", "tantivy", "off"):
        faults = []
        with TestClient(create_app(ServerState(demo_tiny, Settings(fallback=setting)))) as client:
            for text in garbled(demo_tiny):
                answer = client.get("/v1/locate", params={"address": text}).json()
                assert answer["status"] != "unique"
                faults += [code for c in answer["candidates"] for code, _ in c["faults"]]
        found[setting] = any("fallback" in code for code in faults)
    assert found == {"fts5": True, "tantivy": True, "off": False}
    with pytest.raises(ValidationError, match="fallback"):
        Settings(fallback="whoosh")
    with pytest.raises(BadInputError, match="whoosh"):
        kind_of("whoosh")


def test_the_command_line_refuses_an_unknown_text_index(tmp_path):
    run = CliRunner().invoke(app, ["init", str(tmp_path / "c")])
    assert run.exit_code == 0
    asked = CliRunner().invoke(
        app, ["locate", "甲路5号", "--fallback", "whoosh", "--city", str(tmp_path / "c")]
    )
    assert asked.exit_code != 0
    off = CliRunner().invoke(
        app, ["locate", "甲路5号", "--fallback", "off", "--city", str(tmp_path / "c"), "--json"]
    )
    assert off.exit_code == 1
    assert '"none"' in off.stdout
