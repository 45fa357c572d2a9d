"""The head in plain NumPy beside Keras's own: the same answers, the same losses and the same steps."""

import keras
import numpy as np
import pytest

from thaw.retraining.numpy_head import PlainHead
from thaw.training.plain_head import hide
from tlcore.features.batches import CachedBatches
from tlcore.models.classifier import build_head, share_out
from tlcore.settings import HeadSettings
from tlcore.training.phases import compile_model

CHANNELS, IMAGES, BATCH = 24, 70, 16
CASES = {
    "softmax": (HeadSettings(dropout=0.0, batch_size=BATCH), 3, None),
    "weighed": (HeadSettings(dropout=0.0, batch_size=BATCH), 3, {0: 0.5, 1: 2.0, 2: 1.25}),
    "hidden": (HeadSettings(dropout=0.0, batch_size=BATCH, hidden_units=10), 3, None),
    "sigmoid": (HeadSettings(dropout=0.0, batch_size=BATCH, output="sigmoid"), 2, {0: 0.7, 1: 1.6}),
}


@pytest.fixture(params=CASES)
def case(request):
    """Return settings, class weights, features, classes, and a Keras head with a plain one of the same weights."""
    settings, classes, weights = CASES[request.param]
    keras.utils.set_random_seed(3)
    chance = np.random.default_rng(1)
    features = chance.normal(size=(IMAGES, CHANNELS)).astype(np.float32)
    model = build_head(CHANNELS, classes, settings)
    compile_model(model, settings.output, settings.learning_rate)
    plain = PlainHead(model.get_weights(), settings.dropout, settings.learning_rate)
    return settings, weights, features, chance.integers(0, classes, IMAGES), model, plain


def test_it_answers_as_keras_does(case):
    settings, _, features, _, model, plain = case
    np.testing.assert_allclose(
        plain.probabilities(features), share_out(model.predict(features, verbose=0), settings.output), atol=1e-6
    )


def test_it_learns_as_keras_does(case):
    settings, weights, features, classes, model, plain = case
    targets = classes.astype(np.float32)[:, None] if settings.output == "sigmoid" else classes.astype(np.int32)
    rows = np.arange(IMAGES)[:, None]
    feed = CachedBatches([features], rows, targets, BATCH, settings.seed, 1, shuffle=True)
    # A head alone takes one input, where the model above a cut takes several.
    whole = keras.Model([model.input], model.output)
    compile_model(whole, settings.output, settings.learning_rate)
    fitted = whole.fit(feed, epochs=3, class_weight=weights, shuffle=False, verbose=0).history
    by_class = None if weights is None else np.array(list(weights.values()), np.float32)
    for epoch in range(3):
        # Keras looks at a feed and has it draw once more before the first epoch begins.
        order = np.random.default_rng((settings.seed, epoch + 2)).permutation(IMAGES)
        batches = [order[start : start + BATCH] for start in range(0, IMAGES, BATCH)]
        told = [plain.train_batch(features[b], classes[b], by_class, np.random.default_rng(0)) for b in batches]
        assert sum(loss for loss, _ in told) / IMAGES == pytest.approx(fitted["loss"][epoch], rel=1e-4)
        assert sum(right for _, right in told) / IMAGES == pytest.approx(fitted["accuracy"][epoch], abs=1e-6)
    for ours, theirs in zip(plain.weights, whole.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    measured, judged = plain.measure(features, classes), whole.evaluate(features, targets, verbose=0)
    assert (measured.loss, measured.accuracy) == pytest.approx(tuple(judged), rel=1e-4)


@pytest.mark.parametrize("units", [0, 10])
def test_dropout_drops_its_share_and_keeps_the_sum(units):
    weights = [np.zeros((CHANNELS, 3), np.float32), np.zeros(3, np.float32)]
    if units:
        weights = [np.ones((CHANNELS, units), np.float32), np.zeros(units, np.float32), weights[0][:units], weights[1]]
    head = PlainHead(weights, 0.25, 1.0)
    ones = np.ones((4000, CHANNELS), np.float32)
    dropped = head._drop(hide(head.weights, ones), np.random.default_rng(5))
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert dropped.mean() == pytest.approx(hide(head.weights, ones).mean(), rel=0.02)


def test_what_was_kept_goes_on_bit_by_bit():
    chance = np.random.default_rng(2)
    features, classes = chance.normal(size=(64, CHANNELS)).astype(np.float32), chance.integers(0, 3, 64)
    start = [chance.normal(size=(CHANNELS, 3)).astype(np.float32), np.zeros(3, np.float32)]

    def steps(head: PlainHead, first: int, last: int) -> None:
        for step in range(first, last):
            head.train_batch(features, classes, None, np.random.default_rng(step))

    whole, first, second = (PlainHead(start, 0.2, 1e-2) for _ in range(3))
    steps(whole, 0, 6)
    steps(first, 0, 3)
    second.restore(first.state)
    steps(second, 3, 6)
    assert all((ours == theirs).all() for ours, theirs in zip(second.state, whole.state, strict=True))
    assert (whole.weights[0] != start[0]).any()
