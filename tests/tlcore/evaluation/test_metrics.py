"""Accuracy and each class's figures against scikit-learn, and intervals that cover as often as they say."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from tests.support.models.predictions import judged
from tlcore.evaluation.metrics import FEW_TO_JUDGE, Interval, measure_accuracy, measure_classes, wilson


def test_every_class_has_scikit_learns_figures():
    chance = np.random.default_rng(0)
    true = chance.choice(4, size=300, p=[0.5, 0.3, 0.15, 0.05])
    predicted = np.where(chance.random(300) < 0.7, true, chance.integers(0, 4, 300))
    expected = precision_recall_fscore_support(true, predicted)
    for number, figures in enumerate(measure_classes(judged(true, predicted, ["a", "b", "c", "d"]))):
        assert figures.precision.value == pytest.approx(expected[0][number])
        assert figures.recall.value == pytest.approx(expected[1][number])
        assert figures.f1 == pytest.approx(expected[2][number])
        assert figures.support == expected[3][number]
        assert figures.few == (figures.support < FEW_TO_JUDGE)
        assert figures.recall.low < figures.recall.value < figures.recall.high


def test_a_share_of_nothing_is_none():
    never_called, absent = measure_classes(judged(np.array([0, 0]), np.array([1, 1]), ["a", "b"]))
    assert (never_called.precision, never_called.recall.value, never_called.f1) == (None, 0.0, 0.0)
    assert (absent.recall, absent.support, absent.precision.value) == (None, 0, 0.0)


def test_wilsons_interval_is_the_textbooks():
    # Newcombe 1998, table I: 81 of 263.
    found = wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 10).low == 0.0
    assert wilson(10, 10).high == pytest.approx(1.0)
    assert wilson(0, 0) is None


def test_the_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    chance, covered = np.random.default_rng(1), 0
    for trial in range(100):
        right = chance.random(200) < 0.85
        found = measure_accuracy(judged(np.zeros(200, int), np.where(right, 0, 1), ["a", "b"]), seed=trial)
        covered += found.low <= 0.85 <= found.high
    assert 88 <= covered <= 100


def test_images_that_are_alike_count_as_one():
    right = np.arange(200) % 100 < 80
    alone = judged(np.zeros(200, int), np.where(right, 0, 1), ["a", "b"])
    twins = judged(np.zeros(200, int), np.where(right, 0, 1), ["a", "b"], [f"img-{n % 100:012x}" for n in range(200)])
    apart, together = measure_accuracy(alone), measure_accuracy(twins)
    assert apart.value == together.value == pytest.approx(0.8)
    assert together.high - together.low == pytest.approx((apart.high - apart.low) * 2**0.5, rel=0.15)
    assert measure_accuracy(twins) == together, "the same seed draws the same"


@pytest.mark.parametrize(("answer", "value"), [(0, 1.0), (1, 0.0)])
def test_all_right_and_all_wrong_are_not_told_as_certain(answer, value):
    found = measure_accuracy(judged(np.zeros(10, int), np.full(10, answer), ["a", "b"]))
    assert isinstance(found, Interval)
    assert found.value == value
    assert 0.2 < found.high - found.low < 0.4
