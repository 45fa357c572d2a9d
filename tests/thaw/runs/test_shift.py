"""How a model does on other photos than validation: bounds against the paper's formula, and against chance itself."""

import numpy as np
import pytest

from tests.support.models.predictions import judged
from thaw.runs.shift import compare_shares, measure_class_shifts, measure_shift


def test_the_bounds_are_those_of_agresti_and_caffo():
    # By hand: (7 + 1) / (10 + 2) - (3 + 1) / (10 + 2) = 1/3; half = 1.96 * sqrt(2 * (2/3) * (1/3) / 12).
    found = compare_shares((3, 10), (7, 10))
    assert found.points == pytest.approx(40)
    half = 100 * 1.959964 * (2 * (2 / 9) / 12) ** 0.5
    assert (found.low, found.high) == pytest.approx((100 / 3 - half, 100 / 3 + half), abs=1e-3)
    assert found.images == (10, 10)
    assert not found.clear


def test_a_fall_beyond_chance_is_told_from_one_within_it():
    fallen = compare_shares((830, 1000), (710, 1000))
    assert fallen.clear
    assert fallen.points == pytest.approx(-12)
    assert fallen.low < -12 < fallen.high < 0
    assert not compare_shares((830, 1000), (8, 10)).clear
    assert compare_shares((500, 1000), (900, 1000)).low > 0


def test_perfect_sets_have_bounds_that_hold_what_was_found():
    found = compare_shares((5, 5), (0, 2000))
    assert found.low <= found.points == -100 <= found.high
    assert found.high < 0


def test_by_chance_alone_one_in_twenty_is_called_clear():
    chance = np.random.default_rng(5)
    pairs = chance.binomial([[120, 80]] * 600, 0.8)
    clear = sum(compare_shares((int(one), 120), (int(other), 80)).clear for one, other in pairs)
    assert 10 <= clear <= 48


def test_the_class_that_suffers_stands_first_and_chance_among_many_does_not():
    chance = np.random.default_rng(6)
    labels = [f"class {number:02}" for number in range(12)]
    true = np.repeat(np.arange(12), 100)

    def answers(found: float, of_class_7: float) -> np.ndarray:
        right = chance.random(len(true)) < np.where(true == 7, of_class_7, found)
        return np.where(right, true, (true + 1) % 12)

    validation = judged(true, answers(0.9, 0.9), labels)
    other = judged(true, answers(0.9, 0.5), labels)
    shifts = measure_class_shifts(validation, other)
    assert shifts[0].label == "class 07"
    assert [shift.label for shift in shifts if shift.clear] == ["class 07"]
    assert measure_shift(validation, other).points == pytest.approx(100 * (other.accuracy - validation.accuracy))


def test_a_class_that_one_set_lacks_is_left_out():
    validation = judged(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), ["a", "b", "c"])
    other = judged(np.array([0, 0, 2]), np.array([0, 1, 2]), ["a", "b", "c"])
    assert [shift.label for shift in measure_class_shifts(validation, other)] == ["a"]
