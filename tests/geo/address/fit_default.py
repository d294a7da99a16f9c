"""Fit the calibration that Santu ships: `python -m tests.geo.address.fit_default [FOLDER of shared data]`.

Fitted on the door plates of two counties (Penghu, Kinmen) and three demo cities. The threshold is chosen by one
rule on those alone, each asked with weights that the other four were fitted to: the lowest at which, over all,
99.5 % of what is assigned is right and at most 0.3 % of the roads that are not in the table are assigned. Other tables (Hsinchu, the shared evaluation city, demo cities of other seeds) are only measured.
Prints the weights for `geo/address/defaults.py` and the table of docs/benchmarks/address.md.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path

from geo.address.calibrate import RIDGE, Trial, lowest_threshold, measure, trial
from geo.address.compile import compile_gazetteer
from geo.address.confidence import NAMES, Calibration, fit
from geo.demo import demo_city
from tests.geo.address.shared import official_plates, plates

SEED = 11
PER_CLASS = 200


def demo(seed):
    city = demo_city(seed=seed, scale="small")
    return compile_gazetteer(city.addresses, roads=city.roads, facilities=city.facilities, grids=city.grids)


def calibration_cities(folder: Path) -> Iterator:
    for seed in (1, 3, 4):
        yield f"demo city, seed {seed}", demo(seed)
    for county in ("kinmen", "penghu"):
        yield county, compile_gazetteer(official_plates(folder / "taiwan_addresses", county))


def unseen_cities(folder: Path) -> Iterator:
    for seed in (0, 2):
        yield f"demo city, seed {seed}", demo(seed)
    yield "hsinchu", compile_gazetteer(official_plates(folder / "taiwan_addresses", "hsinchu_city"))
    yield "address_eval", compile_gazetteer(plates(folder / "address_eval" / "idx_t100k.parquet"))


def threshold(trials: list[Trial]) -> tuple[float, list[Calibration]]:
    """The lowest threshold of the rule, and for every city the calibration of the others."""
    others = []
    for i in range(len(trials)):
        rest = reduce(add, trials[:i] + trials[i + 1 :])
        others.append(fit(rest.numbers, rest.right, ridge=RIDGE))
    at = lowest_threshold(list(zip(others, trials, strict=True)))
    if at is None:
        raise SystemExit("no threshold keeps the rule")
    return at, others


def show(name: str, calibration: Calibration, fresh: Trial) -> None:
    for at in sorted({calibration.unique_at, 0.85, 0.95}):
        t = measure(replace(calibration, unique_at=at), fresh)
        mark = "*" if at == calibration.unique_at else " "
        print(f"{mark} {name:24} p>={at}: auto {t.auto:.3f} right {t.auto_precision:.4f} unknown {t.unknown_accepted:.4f}"
              f" ({t.texts}+{t.unknown})", flush=True)  # fmt: skip


def main(folder: Path) -> None:
    named = dict(calibration_cities(folder))
    trials = [trial(g, per_class=PER_CLASS, seed=SEED) for g in named.values()]
    at, others = threshold(trials)
    for (name, gazetteer), calibration in zip(named.items(), others, strict=True):
        fresh = trial(gazetteer, per_class=PER_CLASS, seed=SEED + 1)
        show(name + " (left out)", replace(calibration, unique_at=at), fresh)
    seen = reduce(add, trials)
    fitted = replace(fit(seen.numbers, seen.right, ridge=RIDGE, fitted_on="default"), unique_at=at)
    print("WEIGHTS = {")
    for name, weight in zip(NAMES, fitted.weights, strict=True):
        print(f'    "{name}": {weight:.3f},')
    print("}")
    print(f"UNIQUE_AT = {at}")
    for name, gazetteer in unseen_cities(folder):
        show(name, fitted, trial(gazetteer, per_class=PER_CLASS, seed=SEED + 1))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data"))
