"""BatchNormalization statistics against those before training: no drift where nothing moved, how far where one did."""

import keras
import numpy as np
import pytest

from tlcore.training.history import LayerDrift
from tlcore.training.sanity_checks import measure_drift, read_statistics


def network():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization(name="first")(keras.layers.Conv2D(4, 3, name="conv")(inputs))
    return keras.Model(inputs, keras.layers.BatchNormalization(name="second")(x))


def test_an_untouched_network_has_not_drifted_and_a_trained_statistic_has():
    present = network()
    pretrained = read_statistics(present)
    still = [LayerDrift(name, 0.0, 0.0) for name in ("first", "second")]
    assert measure_drift(present, pretrained) == still
    present.get_layer("second").moving_variance.assign(np.array([1.0, 1.0, 1.0, 1.5]))
    present.get_layer("first").moving_mean.assign(np.array([0.0, 0.0, 0.0, 0.25]))
    first, second = measure_drift(present, pretrained)
    assert (first.mean, first.variance) == (0.25, 0.0)
    assert (second.mean, second.variance) == (0.0, pytest.approx(0.5 / 2))
    present.get_layer("conv").set_weights([array + 1 for array in present.get_layer("conv").get_weights()])
    assert measure_drift(present, pretrained) == [first, second], "other layers are trained, and do not count"


def test_training_mode_is_what_it_would_find():
    present = network()
    pretrained = read_statistics(present)
    present(np.random.default_rng(0).normal(3, 2, (16, 8, 8, 3)).astype(np.float32), training=True)
    assert all(row.mean > 0 and row.variance > 0 for row in measure_drift(present, pretrained))
