"""Curves against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from tlcore.evaluation.metrics import measure_coverage, precision_recall, roc

CHANCE = np.random.default_rng(0)
BELONGS = CHANCE.random(400) < 0.3
# Rounded, so that many scores are equal.
SCORES = np.round(CHANCE.normal(BELONGS * 1.0, 1.0), 1)


def test_roc_is_scikit_learns():
    curve = roc(BELONGS, SCORES)
    x, y, _ = roc_curve(BELONGS, SCORES, drop_intermediate=False)
    assert curve.x == pytest.approx(x)
    assert curve.y == pytest.approx(y)
    assert curve.area == pytest.approx(roc_auc_score(BELONGS, SCORES))


def test_precision_and_recall_are_scikit_learns():
    curve = precision_recall(BELONGS, SCORES)
    precision, recall, _ = precision_recall_curve(BELONGS, SCORES)
    assert curve.x == pytest.approx(recall[::-1])
    assert curve.y == pytest.approx(precision[::-1])
    assert curve.area == pytest.approx(average_precision_score(BELONGS, SCORES))


def test_a_class_without_images_or_without_others_has_no_curve():
    nothing = np.zeros(3, dtype=bool)
    assert roc(nothing, np.arange(3.0)) is None
    assert roc(~nothing, np.arange(3.0)) is None
    assert precision_recall(nothing, np.arange(3.0)) is None


def test_coverage_is_what_answering_above_each_threshold_does():
    probabilities = CHANCE.dirichlet(np.ones(3), 200)
    true = CHANCE.integers(0, 3, 200)
    found = measure_coverage(probabilities, true)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    assert found.thresholds[0] == 0.0
    assert found.answered[0] == 1.0
    for threshold, answered, accuracy in zip(found.thresholds, found.answered, found.accuracy, strict=True):
        kept = confidence >= threshold
        assert answered == pytest.approx(kept.mean())
        assert accuracy == pytest.approx(right[kept].mean())
