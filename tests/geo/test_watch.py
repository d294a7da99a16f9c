"""Hotspots, warnings, forecast and risk of whole cities: invented ones with a known truth, and degenerate ones."""

from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo import hotspot, schema, watch
from geo.demo import demo_city
from geo.errors import NotFoundError
from geo.hotspot import ledger
from geo.indicators import INDICATORS


@pytest.fixture(scope="module")
def city():
    return demo_city(scale="small")


@pytest.fixture(scope="module")
def planted(city):
    """Planted hot spots of the demo city: pattern, category and the grids whose middle lies in them."""
    xy = watch.centres_of(city)
    spots = pd.DataFrame(city.meta["demo"]["hot_spots"])
    near = [
        watch.watched_grids(city).index[np.hypot(*(xy - (s.x, s.y)).T) <= s.radius_m + 100]
        for s in spots.itertuples()
    ]
    return spots.assign(grids=near)


def incidents(rows):
    frame = gpd.GeoDataFrame(
        {"occurred_at": pd.to_datetime([r[0] for r in rows], utc=True, format="ISO8601"), "category": "fire"},
        geometry=shapely.points([r[1] for r in rows], 36.805),
        index=pd.Index([f"i{k}" for k in range(len(rows))], name="incident_id"),
        crs="EPSG:4490",
    )
    return schema.checked("incidents", frame)


def test_planted_new_hot_spots_are_found(city, planted):
    fresh = planted[planted["pattern"] == "new"]
    assert len(fresh)
    found = 0
    for spot in fresh.itertuples():
        table = watch.hotspots_of(city, category=spot.category)
        found += table.loc[spot.grids, "hot"].any()
        assert table["hot"].sum() <= len(spot.grids) + 12
    assert found == len(fresh)
    joint = hotspot.hot_list({c: watch.hotspots_of(city, category=c) for c in watch.cube_of(city).categories})
    assert set(fresh["category"]) <= set(joint["category"])
    assert (joint["q"] <= 0.05).all()


def test_a_late_night_incident_counts_on_its_local_day(tiny_city):
    city = tiny_city.with_table("incidents", incidents([("2026-03-09T16:30:00Z", 118.005)]))
    assert watch.last_day(city) == date(2026, 3, 10)
    assert watch.cube_of(city).plane().sum() == 1


def test_dates_in_the_future_do_not_move_the_window(tiny_city):
    rows = [(f"2026-03-{d:02d}T04:00:00Z", 118.005) for d in range(1, 29) for _ in range(50)]
    city = tiny_city.with_table("incidents", incidents([*rows, ("2099-01-01T00:00:00Z", 118.005)]))
    assert watch.last_day(city) == date(2026, 3, 28)
    assert watch.cube_of(city).account.after == 1
    assert watch.last_day(city, today=date(2026, 3, 20)) == date(2026, 3, 19)


def test_city_without_incidents_has_defined_answers(tiny_city):
    assert watch.last_day(tiny_city) is None
    table = watch.hotspots_of(tiny_city)
    assert not table["hot"].any()
    assert table.notna().all().all()
    assert len(watch.warnings_of(tiny_city)) == 0
    assert len(watch.scan_of(tiny_city).clusters) == 0
    assert watch.ring_of(tiny_city).hot().hot == 0
    with pytest.raises(NotFoundError, match="0 days of incidents; risk needs 28"):
        watch.risk_of(tiny_city)
    for name in ("hotspot", "risk_score", "expected_incidents"):
        assert len(INDICATORS[name].of(tiny_city)) == len(tiny_city.grids)


def test_only_watched_grids_have_indicators(city):
    for name in ("hotspot", "risk_score", "expected_incidents"):
        values = INDICATORS[name].of(city)
        assert values.index.equals(city.degrees("grids").index)
        watched = values.index.isin(watch.watched_grids(city).index)
        assert values[watched].notna().all()
        assert values[~watched].isna().all()
    assert INDICATORS["expected_incidents"].of(city).sum() == pytest.approx(
        watch.cube_of(city).plane(source="independent")[-28:].sum() / 4, rel=0.25
    )


def test_forecast_is_of_independent_sources_and_settles(city):
    cube = watch.cube_of(city)
    assert watch.default_source(cube) == "independent"
    week = date(2026, 6, 15)
    forecast = watch.forecast_of(city, issued_at="2026-06-30T00:00:00+08:00", week=week)
    assert forecast["replayed"]
    assert forecast["source"] == "independent"
    settled = watch.settle(city, forecast)
    table = ledger.table([settled])
    assert settled["total"] == cube.plane(source="independent")[(week - cube.first_day).days :][:7].sum()
    assert table["pai"].notna().all()
    ahead = watch.forecast_of(city, issued_at="2026-06-30T00:00:00+08:00")
    assert not ahead["replayed"]
    assert watch.settle(city, ahead) is None


def test_risk_adds_up_and_remembers(city):
    found = watch.risk_of(city)
    assert found.table["risk_score"].notna().all()
    top = found.table["risk_score"].idxmax()
    why = found.explain(top)
    assert sum(why["contribution"]) == found.table.loc[top, "risk_score"]
    counts = found.table["level"].value_counts()
    assert counts.get(1, 0) <= 4
    assert counts.get(2, 0) <= 16
    record = watch.levels_record(found)
    previous, days = watch.levels_before(record, date(2026, 7, 1))
    assert days == 2
    again = watch.risk_of(city, previous=previous, days=days)
    pd.testing.assert_series_equal(again.table["level"], found.table["level"])
    assert watch.levels_before(record, found.until) == (None, 1)
    assert watch.levels_before(None, found.until) == (None, 1)
    assert ((found.table["discovered_share"] >= 0) & (found.table["discovered_share"] <= 1)).all()


def test_live_counts_begin_as_the_table(city):
    ring = watch.ring_of(city)
    recent, _ = ring.windows()
    np.testing.assert_array_equal(recent, watch.hotspots_of(city)["observed"])


def test_incidents_behind_a_warning(city):
    warned = watch.warnings_of(city)
    assert len(warned)
    first = warned.iloc[0]
    behind = watch.incidents_behind(city, first["grid_id"], days=7, category=first["category"])
    assert len(behind) == first["observed"]
    assert (behind["category"] == first["category"]).all()


def test_stability_is_told_for_every_grid(city):
    table = watch.sensitivity_of(city, draws=3)
    assert table.index.equals(watch.watched_grids(city).index)
    assert table.notna().all().all()


def test_the_same_question_is_answered_once(city):
    assert watch.hotspots_of(city) is watch.hotspots_of(city)
    assert watch.hotspots_of(city, recent_days=7) is not watch.hotspots_of(city)


@pytest.mark.parametrize(("households", "unit"), [(0, "起/km²·日"), (120, "起/户·日")])
def test_the_rate_is_told_in_what_it_was_divided_by(city, households, unit):
    grids = city.degrees("grids")
    found = watch.risk_of(city.with_table("grids", grids.assign(households=households)))
    why = found.explain(found.table["risk_score"].idxmax())
    assert why.loc["rate", "unit"] == unit
