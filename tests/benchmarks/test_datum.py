"""The datum verdict on samples of 30 rows of demo cities: how often each shift is named, and never wrongly.

The default run takes one city and few samples; `-m scale` takes the full table of `docs/benchmarks/datum.md`
(`-s` prints it).
"""

from collections import Counter

import numpy as np
import pytest

from geo import schema
from geo.crs import convert
from geo.demo import demo_city
from geo.quality.checks import Tables
from geo.quality.datum import verdict
from geo.quality.report import _spots, _words

ROWS = 30
NAMED = ("incidents", "cameras", "facilities", "hazards", "addresses", "buildings", "roads", "targets")
SHIFTS = ("wgs84", "gcj02", "bd09", "swapped", "swapped gcj02", "metres", "mixed gcj02", "mixed bd09")


def shifted(xy, shift, crs, rng):
    """Two columns as a file with this shift would have them, and the verdict and source that are right."""
    lon, lat = convert(*xy.T, source=crs, target="wgs84")
    content = shift.split()[-1] if shift.split()[-1] in ("gcj02", "bd09") else "wgs84"
    x, y = convert(lon, lat, source="wgs84", target=content)
    if shift == "metres":
        return xy[:, 0], xy[:, 1], (crs.to_string(), crs.to_string())
    if shift.startswith("swapped"):
        return y, x, ("swapped", content)
    if shift.startswith("mixed"):  # half the rows, one by one, not one behind the other
        half = rng.permutation(len(xy)) < len(xy) // 2
        return np.where(half, x, lon), np.where(half, y, lat), ("mixed", "")
    return x, y, (content, content)


def judged(seeds, samples, shifts=SHIFTS, names=NAMED):
    """Count (table, shift, outcome): `right`, `open` (unknown, or only the axes), `wrong`."""
    counts = Counter()
    for seed in seeds:
        city = demo_city(seed=seed, scale="small")
        tables = Tables({t: city.table(t) for t in schema.TABLES}, city.crs, city.scheme)
        for name in names:
            rows = tables.get(name)
            places = _spots(rows.geometry.to_numpy())
            for shift in shifts:
                for sample in range(samples):
                    rng = np.random.default_rng([seed, sample])
                    some = rng.choice(len(rows), ROWS, replace=False)
                    x, y, right = shifted(places[some], shift, city.crs, rng)
                    part = rows.iloc[some]
                    area = part["grid_id"].to_numpy(object) if "grid_id" in part else None
                    said = verdict(
                        x, y, reference=tables.reference(name), table=name, area=area, text=_words(part)
                    )
                    if (said.verdict, said.source, said.reference) == (*right, "wgs84"):
                        outcome = "right"
                    elif said.verdict == "unknown" or (said.verdict == right[0] and not said.source):
                        outcome = "open"
                    else:
                        outcome = "wrong"
                    counts[name, shift, outcome] += 1
    return counts


def test_thirty_rows_name_every_shift():
    counts = judged([4], 2, names=("incidents", "cameras", "addresses"))
    assert sum(counts.values()) == 3 * len(SHIFTS) * 2
    assert {outcome for *_, outcome in counts} == {"right"}, counts


@pytest.mark.scale
@pytest.mark.parametrize("seed", range(5))
def test_every_table_over_many_samples(seed):
    """20 samples a city, 5 cities: 100 per shift. Named in 97 %, never wrong for whole-file shifts."""
    counts = judged([seed], 20)
    print()
    for name in NAMED:
        line = [
            f"{counts[name, s, 'right']}/{counts[name, s, 'open']}/{counts[name, s, 'wrong']}" for s in SHIFTS
        ]
        print(seed, name, *line)
    total = sum(counts.values())
    assert not sum(
        n for (_, shift, outcome), n in counts.items() if outcome == "wrong" and "mixed" not in shift
    )
    assert sum(n for (*_, outcome), n in counts.items() if outcome == "right") >= 0.97 * total
    assert sum(n for (*_, outcome), n in counts.items() if outcome == "wrong") <= 0.005 * total
