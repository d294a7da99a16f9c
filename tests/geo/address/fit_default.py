"""Fit the calibration that Santu ships: `python -m tests.geo.address.fit_default [FOLDER of taiwan_addresses]`.

Fitted on the door plates of one county (Penghu) and a demo city; every other table is left for measuring.
Prints the weights for `geo/address/defaults.py` and what they are worth on cities the fit did not see.
"""

import sys
from dataclasses import replace
from pathlib import Path

from geo.address.calibrate import measure, trial
from geo.address.compile import compile_gazetteer
from geo.address.confidence import NAMES, fit
from geo.demo import demo_city
from tests.geo.address.shared import official_plates, plates

RIDGE = 3.0
SEED = 11


def demo(seed):
    city = demo_city(seed=seed, scale="small")
    return compile_gazetteer(city.addresses, roads=city.roads, facilities=city.facilities, grids=city.grids)


def main(folder: Path) -> None:
    taiwan = folder / "taiwan_addresses"
    seen = trial(compile_gazetteer(official_plates(taiwan, "penghu")), per_class=300, seed=SEED)
    seen += trial(demo(1), per_class=200, seed=SEED)
    fitted = fit(seen.numbers, seen.right, ridge=RIDGE, fitted_on="default")
    print("WEIGHTS = {")
    for name, weight in zip(NAMES, fitted.weights, strict=True):
        print(f'    "{name}": {weight:.3f},')
    print("}")
    others = {
        "demo city, other seed": demo(0),
        "hsinchu": compile_gazetteer(official_plates(taiwan, "hsinchu_city")),
        "kinmen": compile_gazetteer(official_plates(taiwan, "kinmen")),
        "address_eval": compile_gazetteer(plates(folder / "address_eval" / "idx_t100k.parquet")),
    }
    for name, gazetteer in others.items():
        fresh = trial(gazetteer, per_class=200, seed=SEED + 1)
        for at in (0.8, 0.87, 0.9, 0.95):
            t = measure(replace(fitted, unique_at=at), fresh)
            print(
                f"{name:24} p>={at}: auto {t.auto:.3f} precision {t.auto_precision:.4f} unknown accepted {t.unknown_accepted:.4f} ({t.texts}+{t.unknown})"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data"))
