"""A frozen graph: the model's own outputs, as arrays, at any batch size."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tlcore.models.backend import OUT_OF_MEMORY, freeze


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    pixels = keras.Input((12, 12, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 128, -1)(pixels)
    x = keras.layers.Conv2D(8, 3, strides=2)(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    narrow = keras.layers.GlobalAveragePooling2D()(keras.layers.Dropout(0.5)(x))
    made = keras.Model(pixels, [x, narrow])
    norm = made.get_layer("norm")
    norm.set_weights([np.linspace(0.5, 1.5, 8), np.ones(8), np.linspace(-1, 1, 8), np.linspace(0.2, 2, 8)])
    return made


def pictures(count):
    return np.random.default_rng(count).integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)


def test_gives_the_models_outputs_in_inference_mode_for_any_number_of_images(model):
    forward = freeze(model)
    for count in (1, 5, 2):
        outputs = forward(pictures(count))
        expected = model(pictures(count), training=False)
        assert len(outputs) == 2
        for one, other in zip(outputs, expected, strict=True):
            assert isinstance(one, np.ndarray)
            assert one.dtype == np.float32
            np.testing.assert_allclose(one, np.asarray(other), atol=1e-5, rtol=0)


def test_later_changes_of_the_weights_are_not_seen(model):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    forward = freeze(copy)
    before = forward(pictures(3))[1]
    copy.get_layer("norm").set_weights([np.zeros(8), np.zeros(8), np.zeros(8), np.ones(8)])
    np.testing.assert_array_equal(forward(pictures(3))[1], before)
    assert np.abs(before).max() > 0.1


def test_a_single_output_comes_as_a_list_of_one(model):
    outputs = freeze(keras.Model(model.inputs, model.outputs[1]))(pictures(2))
    assert [output.shape for output in outputs] == [(2, 8)]


def test_a_full_gpu_and_a_full_computer_are_both_known():
    assert isinstance(tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"), OUT_OF_MEMORY)
    assert isinstance(MemoryError(), OUT_OF_MEMORY)
    assert not isinstance(tf.errors.InvalidArgumentError(None, None, "shapes"), OUT_OF_MEMORY)
