"""The support vector machine, folded into a dense layer: scikit-learn's own decisions, and sensible probabilities."""

import numpy as np
import pytest

from tlcore.errors import DatasetError
from tlcore.splits.svm import MAX_STEPS, STRENGTHS, TOLERANCE, fit_svm, measure_scale


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    loaded = load_digits()
    order = np.random.default_rng(0).permutation(len(loaded.target))
    return loaded.data.astype(np.float32)[order], loaded.target[order]


def pipeline(features, classes, strength, class_weight=None):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.svm import LinearSVC

    mean, scale = measure_scale(features)
    machine = LinearSVC(
        C=strength, dual=True, tol=TOLERANCE, max_iter=MAX_STEPS, random_state=0, class_weight=class_weight
    )
    return make_pipeline(FunctionTransformer(lambda rows: (rows - mean) / scale), machine).fit(
        features.astype(np.float64), classes
    )


def logits(head, features):
    return features @ head.kernel + head.bias


def log_loss(values, classes):
    shifted = values - values.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(classes)), classes]).mean())


def test_folded_decisions_are_scikit_learns_on_fresh_images(digits):
    features, classes = digits
    head = fit_svm(features[:600], classes[:600])
    assert (head.kernel.shape, head.kernel.dtype) == ((64, 10), np.float32)
    assert (head.bias.shape, head.bias.dtype) == ((10,), np.float32)
    fresh = logits(head, features[600:])
    expected = pipeline(features[:600], classes[:600], head.strength).predict(features[600:].astype(np.float64))
    np.testing.assert_array_equal(fresh.argmax(axis=1), expected)
    assert (expected == classes[600:]).mean() > 0.92
    assert head.accuracy == pytest.approx((expected == classes[600:]).mean(), abs=0.04)


@pytest.mark.parametrize("each", [4, 60])
def test_probabilities_are_better_than_those_of_bare_decision_values(digits, each):
    features, classes = digits
    chosen = np.concatenate([np.flatnonzero(classes == number)[:each] for number in range(10)])
    fresh = np.setdiff1d(np.arange(len(classes)), chosen)
    head = fit_svm(features[chosen], classes[chosen])
    values = logits(head, features[fresh])
    assert log_loss(values, classes[fresh]) < 0.9 * log_loss(values * head.temperature, classes[fresh])
    bare = pipeline(features[chosen], classes[chosen], head.strength).decision_function(features[fresh])
    np.testing.assert_allclose(values * head.temperature, bare, atol=1e-3)


def test_two_classes_give_two_columns_and_the_same_decisions(digits):
    features, classes = digits
    kept = (classes == 3) | (classes == 8)
    features, classes = features[kept], (classes[kept] == 8).astype(int)
    head = fit_svm(features[:100], classes[:100])
    assert head.kernel.shape == (64, 2)
    expected = pipeline(features[:100], classes[:100], head.strength).predict(features[100:].astype(np.float64))
    np.testing.assert_array_equal(logits(head, features[100:]).argmax(axis=1), expected)
    assert (expected == classes[100:]).mean() > 0.9


def test_a_feature_that_never_changes_has_no_say(digits):
    features, classes = digits
    features = features.copy()
    features[:, 10] = 7
    head = fit_svm(features[:300], classes[:300])
    assert np.isfinite(head.kernel).all()
    np.testing.assert_allclose(head.kernel[10], 0, atol=1e-6)
    moved = features[300:].copy()
    moved[:, 10] = 8
    np.testing.assert_allclose(logits(head, moved), logits(head, features[300:]), atol=1e-4)


def test_a_channel_that_was_nearly_silent_does_not_overrule_the_others(digits):
    features, classes = digits
    features = features.copy()
    features[:, 10] = 0
    features[0, 10] = 0.001
    head = fit_svm(features[:300], classes[:300])
    loud = features[300:].copy()
    loud[:, 10] = 3
    kept = logits(head, loud).argmax(axis=1) == logits(head, features[300:]).argmax(axis=1)
    assert kept.mean() > 0.95


def test_the_seed_decides_and_strength_is_chosen_from_the_grid(digits):
    features, classes = digits
    first, again = (fit_svm(features[:200], classes[:200], seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.kernel, again.kernel)
    np.testing.assert_array_equal(first.bias, again.bias)
    assert first.strength in STRENGTHS
    assert first.strength > STRENGTHS[0]


def test_images_that_are_told_apart_without_error_are_not_given_endless_certainty():
    chance = np.random.default_rng(0)
    classes = np.arange(30) % 2
    features = (20 * classes[:, None] + chance.normal(size=(30, 8))).astype(np.float32)
    head = fit_svm(features, classes)
    values = logits(head, features)
    assert (values.argmax(axis=1) == classes).all()
    surest = 1 / (1 + np.exp(-np.abs(values[:, 1] - values[:, 0])))
    assert 0.9 < surest.mean() < 0.9999


def test_class_weights_move_decisions_to_the_heavier_class():
    chance = np.random.default_rng(0)
    classes = (np.arange(300) % 10 == 0).astype(int)
    features = (chance.normal(size=(300, 6)) + 0.7 * classes[:, None]).astype(np.float32)
    plain = logits(fit_svm(features, classes), features).argmax(axis=1).sum()
    weighed = logits(fit_svm(features, classes, class_weight={0: 1.0, 1: 9.0}), features).argmax(axis=1).sum()
    assert weighed > plain + 20


def test_copies_do_not_flatter_the_choice():
    chance = np.random.default_rng(0)
    features = np.repeat(chance.normal(size=(60, 200)), 3, axis=0).astype(np.float32)
    classes, groups = np.repeat(np.arange(60) % 2, 3), np.repeat(np.arange(60), 3)
    assert fit_svm(features, classes).accuracy > 0.9
    assert fit_svm(features, classes, groups).accuracy < 0.7


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([0, 1, 2], "1 in the smallest class"),
        ([0, 0, 0, 0], "at least 2 classes"),
        ([0, 0, 2, 2], "without a gap"),
    ],
)
def test_too_few_images_are_refused(classes, said):
    features = np.random.default_rng(0).normal(size=(len(classes), 5)).astype(np.float32)
    with pytest.raises(DatasetError, match=said):
        fit_svm(features, np.array(classes))


def test_a_stop_is_asked_for_before_every_fit():
    def stop():
        raise KeyboardInterrupt

    features = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    with pytest.raises(KeyboardInterrupt):
        fit_svm(features, np.arange(20) % 2, check_stop=stop)
