"""The hotspot table: what it holds, and that it never holds nonsense."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from geo.errors import BadInputError
from geo.hotspot import CLASSES, distance_band, hotspots, incident_cube

SIDE = 15
XY = np.stack(np.meshgrid(np.arange(SIDE) * 100.0, np.arange(SIDE) * 100.0), axis=-1).reshape(-1, 2)
GRIDS = pd.Index([f"g{i:03d}" for i in range(SIDE * SIDE)], name="grid_id")
GRAPH = distance_band(XY, distance_m=150, index=GRIDS)
UNTIL = date(2026, 6, 30)


def make(n, *, days=180, outbreak=0, seed=0):
    rng = np.random.default_rng(seed)
    age = np.r_[rng.integers(0, days, n), rng.integers(0, 14, outbreak)]
    grid = np.r_[rng.integers(0, len(GRIDS), n), rng.choice([110, 111, 112, 125, 126, 127], outbreak)]
    source = np.r_[rng.choice(["reported", "discovered"], n), np.full(outbreak, "discovered")]
    table = pd.DataFrame(
        {
            "occurred_at": pd.Timestamp(UNTIL, tz="Asia/Shanghai") - pd.to_timedelta(age, unit="D"),
            "category": rng.choice(["fire", "traffic"], n + outbreak),
            "source": source,
        },
        index=[f"i{k}" for k in range(n + outbreak)],
    )
    return incident_cube(
        table, pd.Series(GRIDS[grid].to_numpy(), index=table.index), grids=GRIDS, until=UNTIL, days=days
    )


def test_outbreak_is_hot_new_and_split_by_source():
    table = hotspots(make(40_000, outbreak=160), GRAPH)
    assert table.index.equals(GRIDS)
    middle = table.loc[["g111", "g126"]]
    assert middle["hot"].all()
    assert (middle["gi_bin"] == 3).all()
    assert middle["class"].isin(["new hot", "consecutive hot"]).all()
    assert (middle["ratio"] > 1.5).all()
    assert (middle["discovered"] > 2 * middle["reported"]).all()
    assert 2 <= table["hot"].sum() <= 25
    parts = table[["reported", "discovered", "sensor", "unknown"]].sum(axis=1)
    assert (parts == table["observed"]).all()
    assert table.attrs["baseline_days"] == 154
    only_reported = hotspots(make(40_000, outbreak=160), GRAPH, source="reported")
    assert not only_reported["hot"].any()  # citizens saw nothing: the rise is one of effort


def test_city_without_incidents_has_no_hot_spot_and_no_nan():
    table = hotspots(make(0), GRAPH)
    assert not table[["hot", "cold", "level_hot"]].to_numpy().any()
    assert table.notna().all().all()
    assert (table["class"] == "none").all()


def test_few_incidents_make_no_nan():
    table = hotspots(make(7), GRAPH, category="fire")
    assert table.notna().all().all()
    assert not table["hot"].any()


def test_short_history_is_enough_for_the_table_but_not_for_classes():
    table = hotspots(make(3000, days=42), GRAPH)
    assert table.attrs["baseline_days"] == 28
    assert (table["class"] == CLASSES[0]).all()
    with pytest.raises(BadInputError, match=r"20 days of incidents; 28 are needed.*import more days"):
        hotspots(make(500, days=20), GRAPH)


def test_unadjusted_marks_more():
    cube = make(20_000)
    raw, controlled = hotspots(cube, GRAPH, fdr=None), hotspots(cube, GRAPH)
    assert raw["hot"].sum() > controlled["hot"].sum()
    np.testing.assert_array_equal(raw["z"], controlled["z"])
    strict = hotspots(make(40_000, outbreak=160), GRAPH, fdr="by")
    assert strict["hot"].sum() <= hotspots(make(40_000, outbreak=160), GRAPH)["hot"].sum()
