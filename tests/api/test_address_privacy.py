"""What is asked about stays unwritten: no log of a real server holds an address; a scope sees only its own places."""

import os
import re
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.state import ServerState
from geo.scope import Scope, visible_ids
from geo.store import create_store
from geo.store.addresses import query_hash, teach

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ASKED = (
    "柳泉路一百一十三号3号楼2单元501",
    "'; DROP TABLE addresses; --",
    "<script>alert(1)</script>",
    "路" * 501,
)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def folder(demo_tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("privacy") / "city"
    store = create_store(path)
    for table in ("grids", "addresses"):
        store.write(table, demo_tiny.degrees(table).head(4000))
    store.close()
    return path


def ask(url):
    try:
        with urlopen(url, timeout=120) as answer:
            return answer.status
    except OSError as error:
        return getattr(error, "code", 0)


def test_a_server_logs_a_hash_and_never_the_text(folder):
    port = free_port()
    base = f"http://127.0.0.1:{port}/v1"
    root = Path(__file__).parents[2]
    server = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "serve", "--city", str(folder), "--port", str(port), "--verbose"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=root, env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    try:
        end = time.monotonic() + 90
        while ask(f"http://127.0.0.1:{port}/healthz") != 200:
            assert time.monotonic() < end
            time.sleep(0.3)
        for text in ASKED:
            for path in ("locate?address=", "addresses/suggest?q=", "situation?address="):
                assert ask(f"{base}/{path}{quote(text)}") in (200, 404, 422)
    finally:
        server.terminate()
        said = server.communicate(timeout=30)[0]
    for text in ASKED:
        assert text[:5] not in said
        assert quote(text[:5]) not in said
    assert "柳泉路" not in said
    assert f"locate {query_hash(ASKED[0])}" in said
    assert f"suggest {query_hash(ASKED[0])}" in said
    assert not re.search(r"[?&](address|q)=", said)


@pytest.fixture(scope="module")
def scoped(demo_tiny):
    """A client that sees only the town of the first address, and the codes that it sees."""
    grids = demo_tiny.degrees("grids")
    village = grids.loc[demo_tiny.addresses["grid_id"].iloc[0], "parent_id"]
    town = str(grids.loc[village, "parent_id"])
    state = ServerState(demo_tiny, Settings(roots=(town,)))
    with TestClient(create_app(state)) as client:
        yield client, visible_ids(grids, Scope(roots=frozenset({town})))


def test_a_scope_sees_no_address_outside(scoped, demo_tiny):
    client, seen = scoped
    table = demo_tiny.addresses.sample(60, random_state=4)
    inside = table["grid_id"].isin(seen).to_numpy()
    assert inside.any()
    assert not inside.all()
    for text, grid in zip(table["standard"], table["grid_id"], strict=True):
        answer = client.get("/v1/locate", params={"address": text}).json()
        told = [c["grid_id"] for c in answer["candidates"]]
        around = [i["grid_id"] for c in answer["candidates"] for i in (*c["grids"], *c["also"])]
        assert set(told) | set(around) <= seen
        if grid in seen:
            assert told[0] == grid
        else:
            assert answer["status"] in ("none", "low")
            assert answer["spans"] == []


def test_a_scope_gets_no_suggestion_or_alias_outside(scoped, demo_tiny):
    client, seen = scoped
    found = []
    for road in demo_tiny.addresses["road"].dropna().unique()[:12]:
        found += client.get("/v1/addresses/suggest", params={"q": road[:2]}).json()["suggestions"]
    assert found
    grids = demo_tiny.locate([s["lon"] for s in found], [s["lat"] for s in found])["base"]
    assert set(grids) <= seen
    aliases = demo_tiny.degrees("aliases")
    home = demo_tiny.locate(shapely.get_x(aliases.geometry), shapely.get_y(aliases.geometry))["base"]
    listed = client.get("/v1/addresses/aliases").json()["aliases"]
    expected = aliases.index[np.isin(home.to_numpy(object), list(seen))]
    assert {a["alias_id"] for a in listed} == set(expected)


@pytest.fixture
def town_server(demo_tiny, tmp_path):
    """A server of one town on a store of its own; (client, store, a place inside, a place outside)."""
    store = create_store(tmp_path / "city")
    for table in ("grids", "addresses"):
        store.write(table, demo_tiny.degrees(table).head(4000))
    grids = demo_tiny.degrees("grids")
    village = grids.loc[demo_tiny.addresses["grid_id"].iloc[0], "parent_id"]
    town = str(grids.loc[village, "parent_id"])
    seen = visible_ids(grids, Scope(roots=frozenset({town})))
    table = demo_tiny.degrees("addresses").head(4000)
    home = demo_tiny.locate(table.geometry.x, table.geometry.y)["base"].isin(seen).to_numpy()
    state = ServerState(store.city(), Settings(roots=(town,)), store=store)
    with TestClient(create_app(state)) as client:
        yield client, store, table[home].iloc[0], table[~home].iloc[0]


def test_a_scope_proposes_and_reviews_only_inside(town_server):
    client, store, inside, outside = town_server

    def body(row, text):
        return {"text": text, "standard": row["standard"], "lon": row.geometry.x, "lat": row.geometry.y, "by": "值班岗"}  # fmt: skip

    refused = client.post("/v1/addresses/aliases", json=body(outside, "老电影院后院"))
    assert refused.status_code == 403
    assert not len(store.city().degrees("aliases"))
    made = client.post("/v1/addresses/aliases", json=body(inside, "老电影院后院"))
    assert made.status_code == 201
    key = made.json()["alias_id"]
    other = teach(
        store, "东头大磨盘", outside["standard"], (outside.geometry.x, outside.geometry.y), by="别岗", at=NOW
    )
    client.app.state.server.reload()
    step = {"step": "accepted", "by": "审核岗"}
    hidden = client.post(f"/v1/addresses/aliases/{other}/review", json=step)
    unknown = client.post("/v1/addresses/aliases/none-such/review", json=step)
    assert hidden.status_code == unknown.status_code == 404
    assert store.city().degrees("aliases").loc[other, "state"] == "proposed"
    assert [a["alias_id"] for a in client.get("/v1/addresses/aliases").json()["aliases"]] == [key]
    assert client.post(f"/v1/addresses/aliases/{key}/review", json=step).status_code == 200
    told = client.get("/v1/locate", params={"address": "老电影院后院"}).json()
    assert told["candidates"][0]["faults"][0][0] == "NAME.alias"
    client.post(f"/v1/addresses/aliases/{key}/review", json=step | {"step": "withdrawn"})
    assert client.get("/v1/locate", params={"address": "老电影院后院"}).json()["status"] == "none"
    assert set(store.audit_log()["action"]) == {"alias.propose", "alias.accept", "alias.withdraw"}
