"""The calibration that Santu ships (默认标定): weights of `geo.address.confidence`, by name.

Made by `python -m tests.geo.address.fit_default` from texts of the door plates of one island county and of a demo
city, a fifth of them about roads that are not in the table. Measured on cities the fit did not see:
docs/benchmarks/address.md.
"""

WEIGHTS = {
    "score": 2.882,
    "margin": 0.479,
    "close": -2.148,
    "exact_name": -0.78,
    "length": -1.314,
    "short_name": -1.363,
    "homophone": 0.496,
    "look_alike": 0.898,
    "typo": -0.933,
    "missing": 0.568,
    "extra": 0.288,
    "variant": -0.535,
    "cost": -2.104,
    "crowd": -0.116,
    "exact_number": 2.104,
    "sub": -0.596,
    "interpolated": -0.921,
    "extrapolated": 0.133,
    "lane_mouth": -0.2,
    "no_number": -0.001,
    "no_plates": 0.0,
    "quality": 0.812,
    "agreed": -1.006,
    "conflict": -3.8,
    "unexplained": -0.543,
    "radius": -0.175,
    "compound": 0.205,
    "poi": 0.125,
    "place": 0.0,
    "one": 1.914,
}
UNIQUE_AT = 0.87
