"""The recipe that Thaw began with: MobileNetV2 at 160 pixels, a sigmoid head at 1e-3, then the top layers at 1e-5."""

import keras
import numpy as np
import pytest

import tlcore
from tests.support.pictures.corpus import photo

TOP = 27


@pytest.fixture
def photos(tmp_path, mobilenet_weights, monkeypatch):
    """Return photos of two kinds, which their colours tell apart."""
    monkeypatch.setenv("KERAS_HOME", str(mobilenet_weights.parents[1]))
    for label, channel in (("cats", 0), ("dogs", 2)):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(24):
            pixels = np.asarray(photo(100 * channel + number, 96, 72)).copy()
            pixels[..., channel] = np.minimum(255, pixels[..., channel] + 60.0)
            keras.utils.save_img(folder / f"{number}.png", pixels)
    return tlcore.read_photos(tmp_path / "photos")


def test_a_sigmoid_head_settles_and_then_the_top_layers_adapt_at_a_hundredth_of_its_rate(photos):
    split = tlcore.split(photos, validation=0.25, seed=0)
    settings = {"image_size": 160, "output": "sigmoid", "learning_rate": 1e-3, "batch_size": 8, "epochs": 20}
    head = tlcore.train_head(split, "MobileNetV2 (PyTorch)", **settings)
    assert head.model.input_shape == (None, 160, 160, 3)
    assert head.accuracy > 0.8
    tuned = tlcore.fine_tune(head, layers=TOP, learning_rate=1e-5, epochs=2)
    layers = tuned.classifier.backbone.layers
    trainable = [layer for layer in layers if layer.trainable and layer.weights]
    assert set(trainable) <= set(layers[-TOP:])
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in trainable)
    changed = [
        layer
        for layer in layers
        if any(map(differ, layer.get_weights(), head.classifier.backbone.get_layer(layer.name).get_weights()))
    ]
    assert changed == trainable != []
    assert tuned.accuracy >= head.accuracy


def differ(one, other):
    return not np.array_equal(one, other)
