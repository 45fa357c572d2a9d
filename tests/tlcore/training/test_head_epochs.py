"""Epochs in a graph: the same weights and measures as by Keras's own steps."""

import numpy as np
import pytest
import tensorflow as tf

from tlcore.features.batches import CachedBatches
from tlcore.models import classifier as models
from tlcore.models.backend import keras
from tlcore.models.plan import POOLED, Cut
from tlcore.settings import HeadSettings
from tlcore.training.head_epochs import HeadEpochs, answer
from tlcore.training.phases import compile_model

FEATURES, IMAGES = 6, 23


def build(output, classes):
    keras.utils.set_random_seed(4)
    head = models.build_head(FEATURES, classes, HeadSettings(dropout=0.0, hidden_units=5, output=output))
    features = keras.Input((FEATURES,))
    model = keras.Model(features, head(features))
    compile_model(model, output, 1e-2)
    return model


def batches(output, classes, images=IMAGES, shuffle=True):
    chance = np.random.default_rng(images)
    labels = chance.integers(0, classes, images)
    targets = labels.astype(np.float32)[:, None] if output == "sigmoid" else labels.astype(np.int32)
    tensors = [chance.normal(size=(images, FEATURES)).astype(np.float32)]
    return CachedBatches(tensors, np.arange(images)[:, None], targets, 4, 7, 1, shuffle)


class Diary(keras.callbacks.Callback):
    def __init__(self, last=99):
        super().__init__()
        self.logs, self.batches, self.last = [], 0, last

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append((epoch, logs))
        if len(self.logs) == self.last:
            self.model.stop_training = True


@pytest.mark.parametrize(
    ("output", "classes", "weights", "at_once"),
    [
        ("softmax", 3, None, 4096),
        ("softmax", 3, {0: 3.0, 1: 0.5, 2: 1.0}, 8),
        ("sigmoid", 2, {0: 3.0, 1: 0.5}, 8),
    ],
)
def test_weights_and_measures_are_those_of_single_steps(output, classes, weights, at_once, monkeypatch):
    monkeypatch.setattr("tlcore.training.head_epochs.IMAGES_AT_ONCE", at_once)
    judging = batches(output, classes, 9, shuffle=False)

    alone, training = build(output, classes), batches(output, classes)
    expected = []
    for _ in range(2):
        alone.reset_metrics()
        for place in range(len(training)):
            (features,), targets = training[place]
            images = np.array([(weights or {}).get(int(number), 1.0) for number in targets.ravel()], np.float32)
            alone.train_step((tf.constant(features), tf.constant(targets), tf.constant(images)))
        measured = alone.get_metrics_result()
        (features,), targets = judging.plain()
        judged = alone.evaluate(features, targets, verbose=0, return_dict=True)
        expected.append(measured | {f"val_{name}": value for name, value in judged.items()})
        training.on_epoch_end()

    together, diary = build(output, classes), Diary()
    HeadEpochs(together, weights).run(batches(output, classes), judging, 1, 2, [diary])

    assert [epoch for epoch, _ in diary.logs] == [0, 1]
    for (_, logs), wanted in zip(diary.logs, expected, strict=True):
        assert logs == pytest.approx({name: float(value) for name, value in wanted.items()}, rel=1e-5)
    for one, other in zip(together.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_callback_ends_the_training_and_a_later_run_goes_on():
    model, diary, training = build("softmax", 3), Diary(last=2), batches("softmax", 3)
    epochs = HeadEpochs(model, None)
    epochs.run(training, batches("softmax", 3, 9, shuffle=False), 1, 10, [diary])
    assert [epoch for epoch, _ in diary.logs] == [0, 1]
    whole, undisturbed = build("softmax", 3), Diary(last=4)
    HeadEpochs(whole, None).run(batches("softmax", 3), batches("softmax", 3, 9, shuffle=False), 1, 10, [undisturbed])

    diary.last = 4
    epochs.run(training, batches("softmax", 3, 9, shuffle=False), 3, 10, [diary])
    assert diary.logs == undisturbed.logs


@pytest.mark.filterwarnings("error:The structure of")
def test_a_head_answers_as_keras_predicts_and_without_a_warning():
    head, judging = models.build_head(FEATURES, 3, HeadSettings()), batches("softmax", 3, 9, shuffle=False)
    model = models.head_model(Cut(1, (POOLED,), ((FEATURES,),), ("float32",)), head)
    np.testing.assert_allclose(answer(model, judging), model.predict(judging, verbose=0), rtol=1e-5)


def test_a_smaller_batch_needs_no_new_graph():
    model, diary, training = build("softmax", 3), Diary(), batches("softmax", 3)
    epochs = HeadEpochs(model, None)
    judging = batches("softmax", 3, 9, shuffle=False)
    epochs.run(training, judging, 1, 1, [diary])
    training.resize(2)
    epochs.run(training, judging, 2, 2, [diary])
    assert len(diary.logs) == 2
    assert epochs._train.experimental_get_tracing_count() == 1
    assert model.optimizer.iterations == 6 + 12
