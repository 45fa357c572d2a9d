"""An accuracy with its interval from cached features, free of leaks, and what leaks would have added."""

import subprocess
import sys

import numpy as np
import pytest

from tests.support.models.clusters import clusters
from thaw.datasets.cross_validation import cross_validate, interval, measure_inflation
from tlcore.errors import DatasetError


def repeated_noise(images=100, copies=3, channels=400, seed=0):
    """Features that say nothing of the class, each image `copies` times with tiny noise: by chance alone half right."""
    chance = np.random.default_rng(seed)
    base = chance.normal(size=(images, channels))
    classes = np.repeat(np.arange(images) % 2, copies)
    groups = np.repeat(np.arange(images), copies)
    features = np.repeat(base, copies, axis=0) + 0.01 * chance.normal(size=(images * copies, channels))
    return features.astype(np.float32), classes, groups


def test_real_digits_are_told_apart_and_the_figures_agree_with_the_predictions():
    from sklearn.datasets import load_digits

    digits = load_digits()
    estimate = cross_validate(digits.data.astype(np.float32), digits.target)
    assert estimate.mean == pytest.approx(np.mean(estimate.predictions == digits.target))
    assert 0.95 < estimate.low < estimate.mean < estimate.high < 1
    assert estimate.high - estimate.low < 0.03
    assert len(estimate.accuracies) == estimate.folds == 5
    assert np.mean(estimate.accuracies) == pytest.approx(estimate.mean, abs=0.002)


def test_probabilities_are_those_of_the_held_out_predictions():
    features, classes = clusters(120, 3, noise=6)
    estimate = cross_validate(features, 10 * classes)
    assert estimate.probabilities.shape == (120, 3)
    np.testing.assert_allclose(estimate.probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(10 * estimate.probabilities.argmax(axis=1), estimate.predictions)


def test_the_seed_alone_decides():
    features, classes = clusters(120, 3, noise=8)
    first, again, other = (cross_validate(features, classes, seed=seed) for seed in (1, 1, 2))
    assert first.accuracies == again.accuracies
    np.testing.assert_array_equal(first.predictions, again.predictions)
    assert first.accuracies != other.accuracies


def test_features_that_say_nothing_give_chance():
    chance = np.random.default_rng(3)
    estimate = cross_validate(chance.normal(size=(400, 30)).astype(np.float32), np.arange(400) % 4)
    assert estimate.mean == pytest.approx(0.25, abs=0.07)


def test_scale_of_the_features_does_not_matter():
    features, classes = clusters(120, 3, noise=6)
    stretched = features * np.logspace(-3, 3, features.shape[1]).astype(np.float32) + 5
    assert cross_validate(stretched, classes).mean == pytest.approx(cross_validate(features, classes).mean, abs=0.02)


def test_copies_inflate_a_naive_split_by_a_known_amount():
    features, classes, groups = repeated_noise()
    inflation = measure_inflation(features, classes, groups)
    # With three copies in five folds a copy is nearly always left to train on, so naive is right by memory.
    assert inflation.naive.mean > 0.95
    assert inflation.grouped.low < 0.5 < inflation.grouped.high
    assert inflation.difference_points == pytest.approx(100 * (inflation.naive.mean - inflation.grouped.mean))
    assert 35 < inflation.difference_points < 65
    assert inflation.naive.folds == inflation.grouped.folds == 5


def test_without_copies_nothing_is_inflated():
    features, classes = clusters(200, 4, noise=8)
    inflation = measure_inflation(features, classes, np.arange(200))
    assert inflation.difference_points == 0
    assert inflation.naive.mean == cross_validate(features, classes).mean


def test_groups_that_share_nothing_inflate_nothing():
    features, classes = clusters(400, 2, noise=14)
    groups = np.arange(400) // 4 * 2 + classes
    inflation = measure_inflation(features, classes, groups)
    assert abs(inflation.difference_points) < 5
    assert 0.6 < inflation.grouped.mean < 0.95


def test_small_classes_get_fewer_folds():
    features, classes = clusters(40, 2)
    classes = np.concatenate([classes, [2, 2, 2]])
    features = np.concatenate([features, features[:3] + 9])
    assert cross_validate(features, classes).folds == 3
    groups = np.arange(43)
    groups[-1] = groups[-2]
    both = measure_inflation(features, classes, groups)
    assert (both.grouped.folds, both.naive.folds) == (2, 2)


@pytest.mark.parametrize(
    ("classes", "groups", "said"),
    [
        ([0] * 10, None, "at least 2 classes"),
        ([0] * 10 + [1], None, "1 in the smallest class"),
        ([0] * 10 + [1, 1, 1], [*range(10), 10, 10, 10], "look-alikes count as one"),
        ([0, 1, 0, 1], [0, 0, 0, 0], "1 in the smallest class"),
    ],
)
def test_what_cannot_be_cross_validated_is_refused_with_advice(classes, groups, said):
    features = np.random.default_rng(0).normal(size=(len(classes), 5)).astype(np.float32)
    with pytest.raises(DatasetError, match=said):
        cross_validate(features, np.array(classes), None if groups is None else np.array(groups))


def test_progress_is_told_and_a_stop_is_asked_for_before_every_fit():
    features, classes, groups = repeated_noise(images=20)
    seen, asked = [], []
    measure_inflation(
        features,
        classes,
        groups,
        folds=3,
        progress=lambda *numbers: seen.append(numbers),
        check_stop=lambda: asked.append(len(seen)),
    )
    assert seen == [(done, 6) for done in range(1, 7)]
    assert asked == list(range(6))


def test_the_interval_is_wilsons_and_never_empty():
    assert interval(np.repeat([1.0, 0.0], [80, 20]), None) == pytest.approx((0.7112, 0.8666), abs=1e-4)
    low, high = interval(np.ones(20), None)
    assert (low, high) == (pytest.approx(0.8389, abs=1e-4), 1.0)


def test_images_of_a_group_do_not_count_in_full():
    correct = np.repeat([1.0, 0.0, 1.0, 1.0], 25)
    groups = np.repeat(np.arange(4), 25)
    alone, together = interval(correct, None), interval(correct, groups)
    assert together[1] - together[0] > 2.5 * (alone[1] - alone[0])
    assert interval(np.ones(60), np.repeat(np.arange(20), 3)) == interval(np.ones(20), None)
    assert interval(correct, np.arange(100)) == alone


def test_the_interval_covers_the_truth_as_often_as_it_says():
    chance = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 3)
    covered = 0
    for _ in range(600):
        correct = np.repeat(chance.random(60) < 0.8, 3).astype(float)
        low, high = interval(correct, groups)
        covered += low <= 0.8 <= high
    assert 0.92 < covered / 600 < 0.98


def test_importing_costs_no_scikit_learn():
    program = (
        "import sys; from thaw.datasets import cross_validation; from tlcore.splits import near_duplicates, svm;"
        "print('sklearn' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
