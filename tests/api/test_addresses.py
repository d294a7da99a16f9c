"""The address part of the API and of the command line's helpers."""

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.cli import locate_address as cli
from api.state import ServerState
from geo.errors import BadInputError


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
    cli.show_evaluation(demo_tiny, file, as_json=True)


def test_a_file_without_truth_is_refused(demo_tiny, tmp_path):
    file = tmp_path / "labelled.csv"
    pd.DataFrame({"q": ["甲路5号"]}).to_csv(file, index=False)
    with pytest.raises(BadInputError, match="grid_id"):
        cli.labelled_file(demo_tiny, file)
    with pytest.raises(BadInputError, match="not there"):
        cli.labelled_file(demo_tiny, tmp_path / "absent.csv")
