"""The confidence: what it promises on a city it never saw, and its refusals."""

import dataclasses

import numpy as np
import pytest

from geo.address.calibrate import Trial, fit_city, lowest_threshold, measure, trial
from geo.address.compile import compile_gazetteer
from geo.address.confidence import DEFAULT, NAMES, Calibration, fit
from geo.address.garble import CLASSES, Garbler
from geo.address.resolve import Hint, Resolver
from tests.geo.address.shared import official_plates


@pytest.fixture(scope="module")
def unseen(shared_data):
    """A city that the default calibration was not fitted on."""
    return compile_gazetteer(official_plates(shared_data("taiwan_addresses"), "hsinchu_city"))


@pytest.fixture(scope="module")
def demo(demo_small):
    return compile_gazetteer(demo_small.addresses, roads=demo_small.roads)


def test_the_default_holds_on_a_city_it_never_saw(unseen):
    trust = measure(DEFAULT, trial(unseen, per_class=40, seed=5))
    assert trust.auto >= 0.80
    assert trust.auto_precision >= 0.99
    assert trust.unknown_accepted <= 0.01


def test_a_city_of_its_own_is_fitted_and_measured_on_other_texts(demo):
    fitted, trust = fit_city(demo, seed=1, per_class=24)
    fresh = trial(demo, per_class=12, seed=2)
    assert trust == measure(fitted, fresh)
    assert trust.texts > 100
    default = measure(DEFAULT, fresh)
    assert fitted == DEFAULT or (trust.holds and (trust.auto > default.auto or not default.holds))
    again, _ = fit_city(demo, seed=1, per_class=24)
    assert again == fitted


def made_up(probability, *, seed, count=4000):
    """Texts whose first candidates are right as often as a model of one feature says; a tenth are unknown roads."""
    rng = np.random.default_rng(seed)
    numbers = np.zeros((count, len(NAMES)))
    numbers[:, -1], numbers[:, NAMES.index("margin")] = 1, 2
    numbers[:, NAMES.index("score")] = rng.uniform(-3, 3, count)
    right = rng.random(count) < probability(numbers[:, NAMES.index("score")])
    kind = np.where(np.arange(count) % 10 == 0, "unknown_road", "clean").astype(object)
    return Trial(numbers, right & (kind != "unknown_road"), kind)


def test_the_threshold_is_the_lowest_that_keeps_the_rule():
    seen = made_up(lambda s: s > 0, seed=1)
    known = ~seen.unknown
    numbers = seen.numbers.copy()
    numbers[seen.unknown, NAMES.index("score")] = -3
    seen = Trial(numbers, seen.right, seen.kind)
    sharp = Calibration(tuple(4.0 if n == "score" else 0.0 for n in NAMES))
    at = lowest_threshold([(sharp, seen)])
    assert at == 0.7  # everything above it is right
    blurred = made_up(lambda s: 1 / (1 + np.exp(-2 * s)), seed=2)
    numbers = blurred.numbers.copy()
    numbers[blurred.unknown, NAMES.index("score")] = -3
    blurred = Trial(numbers, blurred.right, blurred.kind)
    plain = Calibration(tuple(2.0 if n == "score" else 0.0 for n in NAMES))
    higher = lowest_threshold([(plain, blurred)])
    assert higher is not None
    assert higher > at
    trust = measure(dataclasses.replace(plain, unique_at=higher), blurred)
    assert trust.auto_precision >= 0.995
    lower = measure(dataclasses.replace(plain, unique_at=round(higher - 0.01, 2)), blurred)
    assert lower.auto_precision < 0.995
    assert known.any()
    never = Trial(blurred.numbers, np.zeros(len(blurred.right), bool), blurred.kind)
    assert lowest_threshold([(plain, never)]) is None


def test_a_calibration_survives_its_text():
    assert Calibration.loads(DEFAULT.dumps()) == DEFAULT


def test_a_fit_learns_what_separates():
    rng = np.random.default_rng(0)
    numbers = np.zeros((400, len(NAMES)))
    numbers[:, -1] = 1
    numbers[:, NAMES.index("margin")] = 2
    right = rng.random(400) < 0.5
    numbers[right, NAMES.index("exact_name")] = 1
    fitted = fit(numbers, right, ridge=0.01)
    assert fitted.probability(numbers[right][0]) > 0.9
    assert fitted.probability(numbers[~right][0]) < 0.1


def test_two_equal_roads_are_never_picked_between(unseen, demo):
    for gazetteer in (unseen, demo):
        resolver = Resolver(gazetteer)
        for sample in Garbler(gazetteer, seed=8).samples(60, ("no_district",)):
            answer = resolver.resolve(sample.text)
            if answer.status == "unique":
                equal = [c for c in answer.candidates[1:] if c.score >= answer.candidates[0].score - 0.05]
                assert all(c.grid_id == answer.candidates[0].grid_id for c in equal)


def test_a_hint_decides_between_equal_roads(demo):
    g = demo
    resolver = Resolver(g)
    for text in ("人民路5号", *(s.text for s in Garbler(g, seed=3).samples(20, ("no_district",)))):
        answer = resolver.resolve(text)
        for c in answer.candidates[:2]:
            near = resolver.resolve(text, hint=Hint(near=(c.x, c.y)))
            assert near.candidates[0].score >= c.score
            if c.score >= answer.candidates[0].score - 0.3:
                assert np.hypot(near.candidates[0].x - c.x, near.candidates[0].y - c.y) < 50


def test_every_class_of_garbling_is_deterministic(demo):
    one, two = Garbler(demo, seed=4).samples(5), Garbler(demo, seed=4).samples(5)
    assert one == two or [s.text for s in one] == [s.text for s in two]
    assert {s.kind for s in one} == set(CLASSES) - {"poi"}  # this gazetteer has no facilities
