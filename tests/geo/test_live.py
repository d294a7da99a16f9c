"""The overlay gives the same state whatever the order of arrival."""

from hypothesis import given, settings
from hypothesis import strategies as st

from geo.live import LiveState

row = st.builds(
    lambda key, x, y, s: {"incident_id": f"i{key}", "lon": x / 10, "lat": y / 10, "severity": s},
    st.integers(0, 8),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(1, 4),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(row, max_size=30), st.tuples(*[st.integers(0, 20)] * 4))
def test_the_tree_equals_a_walk_over_all_rows(rows, box):
    live = LiveState()
    for r in rows:
        live.put([r])
    last = {r["incident_id"]: r for r in rows}
    west, east = sorted(box[:2])
    south, north = sorted(box[2:])
    west, east, south, north = (v / 10 for v in (west, east, south, north))
    wanted = [r for _, r in sorted(last.items()) if west <= r["lon"] <= east and south <= r["lat"] <= north]
    assert live.within(west, south, east, north) == wanted
    assert live.rows() == [r for _, r in sorted(last.items())]
    folded = live.rows()[::2]
    live.put([{**r, "severity": 9} for r in folded[:1]])
    live.fold(folded)
    left = sorted(set(last) - {r["incident_id"] for r in folded[1:]})
    assert [r["incident_id"] for r in live.rows()] == left
    assert [r["incident_id"] for r in live.within(-9, -9, 9, 9)] == left


def test_changes_are_numbered_and_repetitions_are_not_changes():
    live = LiveState(keep=3)
    a = {"incident_id": "a", "lon": 1.0, "lat": 1.0}
    assert [c.number for c in live.put([a])] == [1]
    assert live.put([dict(a)]) == []
    live.note("camera", "c1", {"state": "off"})
    assert [c.kind for c in live.since(1)] == ["camera"]
    assert live.since(2) == []
    for i in range(4):
        live.note("camera", "c1", {"state": str(i)})
    assert live.since(1) is None, "too long ago: start afresh"
    assert live.since(99) is None, "from another life of the server: start afresh"
    assert [c.number for c in live.since(3)] == [4, 5, 6]
