"""The weekly forecast is issued by itself, before its week, once; scored after it; and says when it was late."""

from datetime import datetime, timedelta
from threading import Barrier, Thread
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.state import ServerState
from api.weekly import Weekly
from geo import schema, watch
from geo.demo import demo_city
from geo.hotspot import ledger
from geo.store import create_store, open_store

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A stored city of four weeks and more, and the Monday after its last whole week."""
    path = tmp_path_factory.mktemp("weekly") / "city"
    city = demo_city(0, "tiny")
    store = create_store(path, name=city.name)
    with store.transaction() as change:
        for name in ("grids", "incidents"):
            change.upsert(name, schema.checked(name, city.degrees(name)))
    store.close()
    last = watch.last_day(city)
    return path, last - timedelta(days=last.weekday())


def at(monday, **later):
    moment = datetime(monday.year, monday.month, monday.day, tzinfo=ZONE) + timedelta(**later)
    return lambda _: moment


def server(path):
    store = open_store(path)
    return ServerState(store.city(), store=store)


@pytest.fixture
def folder(base, tmp_path):
    import shutil

    path, monday = base
    shutil.copytree(path, tmp_path / "city")
    return tmp_path / "city", monday


def test_before_the_week_on_time_once_and_scored_after(folder):
    path, monday = folder
    state = server(path)
    week = monday - timedelta(days=7)
    early = Weekly(state, at(week, hours=-1))
    issued = early.step()
    assert {b["week"] for b in issued} == {week.isoformat()}
    assert {b["issued"] for b in issued} == {"before"}
    assert None in {b["category"] for b in issued}
    assert len(issued) > 1  # the whole, and each category with enough incidents
    assert early.step() == []
    again = server(path)  # a restart, and another server of the same city
    assert Weekly(again, at(week, minutes=-30)).step() == []
    assert Weekly(again, at(week, days=2)).step() == []  # the week goes on: its forecast is there
    assert not dict(again.store.records(ledger.SCORES))
    shown = TestClient(create_app(again)).get("/maps/hotspots").text
    assert f"{week} 一周" in shown
    assert "事前" in shown
    Weekly(again, at(monday, days=1)).step()
    scores = dict(again.store.records(ledger.SCORES))
    assert len(scores) == len(issued)
    assert {s["issued"] for s in scores.values()} == {"before"}


def test_a_missed_week_is_made_up_for_and_marked_late(folder):
    path, monday = folder
    state = server(path)
    week = monday - timedelta(days=7)
    issued = Weekly(state, at(week, days=2, hours=9)).step()
    assert {b["week"] for b in issued} == {week.isoformat()}
    assert {b["issued"] for b in issued} == {"late"}
    assert all(b["last_day"] < week.isoformat() for b in issued)  # made from what was known before it
    Weekly(state, at(monday, hours=1)).step()
    table = ledger.table(dict(state.store.records(ledger.SCORES)).values())
    assert set(ledger.summary(table)["issued"]) == {"late"}


def test_two_servers_at_once_issue_once(folder):
    path, monday = folder
    barrier, issued = Barrier(2), []

    def run():
        state = server(path)
        barrier.wait()
        issued.extend(Weekly(state, at(monday, hours=-1)).step())

    threads = [Thread(target=run) for _ in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    keys = [ledger.key_of(monday, b["category"], b["source"]) for b in issued]
    assert len(keys) == len(set(keys)) > 0
    store = open_store(path)
    stored = dict(store.records(ledger.FORECASTS))
    assert set(stored) == set(keys)
    lines = store.audit_log()
    assert (lines["action"] == "forecast.issue").sum() == len(keys)


def test_nothing_is_issued_without_a_store_or_without_incidents(tiny_city, tmp_path):
    assert Weekly(ServerState(tiny_city)).step() == []
    store = create_store(tmp_path / "empty", name="空城")
    assert Weekly(ServerState(store.city(), store=store)).step() == []
