"""The stream hears of a grid that becomes hot, once, and of its end; and nothing when nothing changes."""

import numpy as np
import pytest

from api.hotwatch import HotWatch
from api.state import ServerState
from geo.city import City
from geo.hotspot.ring import HotList


def listing(*rows: tuple[str, float, float]) -> HotList:
    grid, z, q = zip(*rows, strict=True) if rows else ((), (), ())
    n = len(rows)
    return HotList(n, tuple(grid), np.array(z), np.array(q), np.zeros(n, dtype=int), np.zeros(n))


def test_only_changes_are_told(demo_tiny: City, monkeypatch: pytest.MonkeyPatch) -> None:
    state = ServerState(demo_tiny)
    a, b, c = demo_tiny.degrees("grids").query("kind == 'base'").index[:3]
    shown = [listing((a, 5.0, 0.001), (b, 2.0, 0.3))]
    monkeypatch.setattr(ServerState, "hot_list", lambda *_, **__: shown[-1])
    watch = HotWatch(state)
    assert watch.step() == []  # learns
    state.live.note("camera", "x", {"state": "off"})
    assert watch.step() == []  # looked again, nothing new
    shown.append(listing((b, 6.0, 0.001), (c, -6.0, 0.001)))  # cold is not hot
    assert watch.step() == []  # nothing arrived: did not look
    state.live.note("camera", "x", {"state": "on"})
    told = watch.step()
    assert [(t.kind, t.id, t.body["hot"]) for t in told] == [("hotspot", b, True), ("hotspot", a, False)]
    inside = demo_tiny.locate([told[0].body["lon"]], [told[0].body["lat"]])
    assert inside["base"].iloc[0] == b
    assert watch.step() == []


def test_the_real_list_can_be_watched(demo_small: City) -> None:
    watch = HotWatch(ServerState(demo_small))
    assert watch.step() == []
    assert isinstance(watch.known, set)
