"""History of camera states: hours counted by hand, the newest state, who was on when."""

import numpy as np
import pandas as pd
import pytest

from geo.camera.history import current_states, on_at, online_rates, state_log
from geo.errors import BadInputError


def utc(text):
    return pd.Timestamp(text, tz="UTC")


@pytest.fixture
def register():
    return pd.DataFrame(
        {
            "state": ["on", "off", "on", None],
            "state_since": [pd.NaT, utc("2026-03-05T12:00"), pd.NaT, pd.NaT],
            "unit": ["甲所", "甲所", "乙所", None],
        },
        index=pd.Index(["a", "b", "c", "d"], name="camera_id"),
    )


@pytest.fixture
def log():
    rows = [
        ("a", "on", "2026-03-01T00:00"),
        ("b", "on", "2026-03-01T00:00"),
        ("c", "on", "2026-03-01T00:00"),
        ("c", "defect", "2026-03-02T00:00"),
        ("c", "on", "2026-03-02T06:00"),
        ("c", "vlost", "2026-03-10T18:00"),
        ("gone", "off", "2026-03-02T00:00"),
    ]
    return pd.DataFrame(
        {"camera_id": [r[0] for r in rows], "state": [r[1] for r in rows], "at": [utc(r[2]) for r in rows]}
    )


def test_hours_by_hand(register, log):
    units, rows = online_rates(register, log, start=utc("2026-03-01"), end=utc("2026-03-11"))
    assert rows.loc["a", ["numerator", "denominator", "outages"]].tolist() == [240, 240, 0]
    assert rows.loc["b", ["numerator", "denominator", "outages"]].tolist() == [108, 240, 1]
    assert rows.loc["c", ["numerator", "denominator", "outages"]].tolist() == [228, 240, 2]
    assert "d" not in rows.index  # nothing is known of it
    assert units.loc["甲所", ["numerator", "denominator"]].tolist() == [348, 480]
    assert units.loc["全市", ["cameras", "silent"]].tolist() == [4, 1]
    assert units.loc["全市", "rate"] == pytest.approx(576 / 720)
    assert np.isnan(units.loc["", "rate"])
    assert list(rows.index) == ["b", "c", "a"]


def test_time_before_the_first_entry_is_not_known(register, log):
    _, rows = online_rates(register, log, start=utc("2026-02-01"), end=utc("2026-03-02"))
    assert rows["denominator"].tolist() == [24, 24, 24]


def test_the_newest_entry_is_the_state(register, log):
    now = current_states(register, log)
    assert now.tolist()[:3] == ["on", "off", "vlost"]  # b: the register knows better than an older log
    assert pd.isna(now["d"])
    assert current_states(register, log.iloc[:0]).equals(register["state"])


def test_who_was_on_when(register, log):
    moments = pd.DatetimeIndex([utc("2026-02-28"), utc("2026-03-02T03:00"), utc("2026-03-06")])
    on = on_at(register.index, state_log(register, log), moments)
    assert on.tolist() == [[False, True, True], [False, True, False], [False, False, True], [False] * 3]


def test_a_period_needs_two_ends(register, log):
    with pytest.raises(BadInputError, match="start"):
        online_rates(register, log, start=utc("2026-03-02"), end=utc("2026-03-02"))
