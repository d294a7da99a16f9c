"""The calibration that Santu ships (默认标定): weights of `geo.address.confidence`, by name.

Made by `python -m tests.geo.address.fit_default`: 4,296 texts of door plates of one island county and 3,800 of a
demo city, 1,700 of them of roads that are not in the table. Measured on cities the fit did not see, at
0.9: docs/benchmarks/address.md.
"""

WEIGHTS = {
    "score": 2.543,
    "margin": 1.09,
    "close": -1.336,
    "exact_name": -0.474,
    "length": -1.279,
    "short_name": -1.335,
    "homophone": 0.438,
    "look_alike": 1.014,
    "typo": -1.115,
    "missing": 0.477,
    "extra": 0.298,
    "variant": -0.636,
    "cost": -1.768,
    "crowd": 0.002,
    "exact_number": 2.018,
    "sub": -0.628,
    "interpolated": -0.781,
    "extrapolated": 0.253,
    "lane_mouth": -0.156,
    "no_number": -0.001,
    "no_plates": 0.0,
    "quality": 0.638,
    "agreed": -1.171,
    "conflict": -3.376,
    "unexplained": -0.513,
    "radius": -0.12,
    "compound": -0.242,
    "poi": 0.0,
    "place": 0.0,
    "one": 1.445,
}
UNIQUE_AT = 0.9
