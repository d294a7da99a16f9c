"""Sides, direction and spacing of house numbers, learned from each street's own plates."""

import numpy as np
import pandas as pd
import pytest

from geo.address import geometry
from geo.address.compile import compile_gazetteer
from geo.address.resolve import Resolver
from geo.address.sides import Habit, learn


def street(numbers, x, y):
    return {
        "path_start": np.array([0]),
        "path_end": np.array([len(numbers)]),
        "plate_num": np.array(numbers, np.int32),
        "plate_x": np.array(x, float),
        "plate_y": np.array(y, float),
    }


def two_sided(count=40, step=8.0, width=20.0, *, odd_left=True):
    """Numbers 1…count going east, odd and even on two sides, even ones laid out from the other end's block."""
    n = np.arange(1, count + 1)
    side = np.where(n % 2 == 1, 1.0, -1.0) * (1 if odd_left else -1)
    return n, n * step, side * width / 2


def table(road, numbers, x, y):
    return pd.DataFrame({
        "district": "甲区", "road": road, "number": [f"{n}号" for n in numbers], "x": x, "y": y,
    })  # fmt: skip


@pytest.mark.parametrize("odd_left", [True, False])
def test_the_side_of_odd_numbers_and_the_step_are_learned(odd_left):
    n, x, y = two_sided(odd_left=odd_left)
    told = learn(street(n, x, y))
    assert told["path_step"][0] == pytest.approx(8, abs=0.1)
    assert np.sign(told["path_left"][0]) == (1 if odd_left else -1)
    assert 10 < abs(told["path_left"][0]) <= 20  # the whole width, less what the city's doubt takes


def test_a_street_numbered_round_a_village_has_no_sides():
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    told = learn(street(np.arange(1, 61), 80 * np.cos(turn), 80 * np.sin(turn)))
    assert not told["path_own"][0]


def test_sides_that_run_out_of_step_are_kept_apart():
    """Odd numbers 1…79 along 600 m, even ones only along the last 300 m: neighbours by number are far apart."""
    n = np.arange(1, 81)
    x = np.where(n % 2 == 1, n * 7.5, 300 + n * 3.75)
    told = learn(street(n, x, np.where(n % 2 == 1, 8.0, -8.0)))
    assert told["path_own"][0]


def test_a_number_between_two_of_the_other_side_is_moved_across():
    n = np.array([2, 4, 6, 8])
    x, y = n * 10.0, np.full(4, -10.0)
    plain = geometry.between(n, x, y, 5)
    moved = geometry.between(n, x, y, 5, habit=Habit(own=True, left_m=20.0))
    assert plain is not None
    assert moved is not None
    assert (plain.x, plain.y) == pytest.approx((50, -10))
    assert (moved.x, moved.y) == pytest.approx((50, 10))
    even = geometry.between(n, x, y, 7, habit=Habit(own=True, left_m=-20.0))
    assert even is not None
    assert even.y == pytest.approx(-30)


def test_a_street_is_continued_as_fast_as_it_goes_and_no_farther_than_six_numbers():
    n = np.array([1, 3, 5, 7])
    x, y = n * 20.0, np.zeros(4)
    slow = geometry.between(n, x, y, 9)
    fast = geometry.between(n, x, y, 9, habit=Habit(step_m=20.0))
    far = geometry.between(n, x, y, 33, habit=Habit(step_m=20.0))
    assert slow is not None
    assert fast is not None
    assert far is not None
    assert slow.x == 140
    assert fast.x == pytest.approx(180)
    assert far.x == pytest.approx(140 + 6 * 20)


def test_one_street_of_a_few_plates_follows_the_city():
    """A thousand plates of villages without sides, and one street of four plates."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    rows = [table(f"村{chr(0x4E00 + i)}路", np.arange(1, 61), 1000 * i + 80 * np.cos(turn), 80 * np.sin(turn))
            for i in range(16)]  # fmt: skip
    rows.append(table("短街", [1, 2, 4, 5], [0, 30, 60, 90], [5000, 5000, 5000, 5000]))
    g = compile_gazetteer(pd.concat(rows, ignore_index=True))
    assert len(g.path_own) == 17
    assert not g.path_own.any()


def test_a_number_whose_plate_is_missing_lies_by_its_sub_numbers_and_its_neighbours():
    rows = table("文昌街", ["1", "3", "5号之1", "5号之2", "7", "9"], [0, 20, 52, 58, 60, 80], [0.0] * 6)
    rows["number"] = ["1号", "3号", "5号之1", "5号之2", "7号", "9号"]
    found = Resolver(compile_gazetteer(rows)).best("文昌街5号")
    assert found is not None
    assert found.precision == "door"
    assert found.x == pytest.approx((2 * 52 + 40) / 3, abs=0.5)
    assert ("NUMBER.sub", "5") in found.faults


def test_two_spellings_of_a_lane_are_one():
    rows = pd.DataFrame({
        "district": "甲区", "road": ["大智街"] * 3 + ["大智街"], "lane": ["1巷", "1巷", "1巷", "一巷"],
        "number": ["2号", "16号", "18号", "32号"], "x": [0.0, 70, 80, 150], "y": 0.0,
    })  # fmt: skip
    resolver = Resolver(compile_gazetteer(rows))
    for text, x in (("大智街1巷16号", 70), ("大智街一巷32号", 150), ("大智街一巷2号", 0)):
        found = resolver.best(text)
        assert found is not None
        assert found.x == x
        assert not any(code.startswith("NUMBER") for code, _ in found.faults)


def test_a_section_that_the_table_has_is_not_read_as_the_road_without_it():
    rows = pd.concat([
        table("大德一路", range(1, 21), np.arange(20) * 10.0, np.zeros(20)),
        table("大德一路二段", range(10, 40), np.arange(30) * 10.0, np.full(30, 900.0)),
    ])  # fmt: skip
    answer = Resolver(compile_gazetteer(rows)).resolve("甲区大德一路二段8号")
    assert answer.candidates[0].y == pytest.approx(900, abs=30)
    assert all(code != "ROAD.section" for code, _ in answer.candidates[0].faults)
