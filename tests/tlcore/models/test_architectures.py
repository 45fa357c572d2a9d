"""Building backbones: equal to Keras's own, the same names every time, sizes and files checked."""

import sys

import keras
import numpy as np
import pytest

from tests.support.pictures.families import each_backbone
from tlcore.errors import BackboneError, WeightsError
from tlcore.models import weights
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import BACKBONES

OWN = tuple(row.name for row in BACKBONES.values() if row.application is None)
# What is rebuilt in a way of its own has a network in every run: a plain chain (VGG16), sums and products written in
# the code and names that Keras counts (MobileNetV3), branches in one concatenation (DenseNet). The rest, and layers of
# its own (ConvNeXt), come with the slow tests.
ALIKE = ("mobilenet-v2", "convnext-tiny")
# Names that Keras counts up within a process, as they are in a fresh one.
COUNTED = {
    "inception-v3": {"conv2d", "conv2d_93", "max_pooling2d_3"},
    "mobilenet-v3-small": {"add", "multiply", "re_lu", "rescaling"},
}


def randomised(model: keras.Model) -> list[np.ndarray]:
    """Positive, layer-dependent weights, so that two swapped layers change the output."""
    generator = np.random.default_rng(7)
    weights = [np.atleast_1d(array) for array in model.get_weights()]
    made = [generator.uniform(0.1, 1.0, array.shape) / max(1, array[..., 0].size) for array in weights]
    return [array.reshape(old.shape) for array, old in zip(made, model.get_weights(), strict=True)]


BY_DEVIATION = ("efficientnet-b0", "efficientnet-b4", "efficientnet-b7")


@pytest.mark.parametrize("name", ["efficientnet-b0", *each_backbone(*OWN, "efficientnet-b0", later=ALIKE)])
def test_equals_the_keras_application_with_weights_loaded_from_a_file(name, tmp_path, monkeypatch):
    row = BACKBONES[name]
    size = row.min_size
    original = getattr(keras.applications, row.application)(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    original.set_weights(randomised(original))
    # A whole-model .h5 holds its weights in the layout of Keras's published files.
    original.save(tmp_path / "notop.h5")
    ours = build_backbone(row, size, tmp_path / "notop.h5")
    for layer, operation in zip(ours.layers, original.operations, strict=True):
        assert type(layer) is type(operation) or not isinstance(operation, keras.Layer)
    names = {layer.name for layer in ours.layers}
    assert len(names) == len(ours.layers)
    assert COUNTED.get(name, set()) < names, "the network was built before, in this process"
    if name in BY_DEVIATION:
        # Keras adds a layer to these for its own weights alone.
        module = sys.modules[getattr(keras.applications, row.application).__module__]
        monkeypatch.setattr(module.file_utils, "get_file", lambda *_, **__: str(tmp_path / "notop.h5"))
        original = getattr(keras.applications, row.application)(include_top=False, input_shape=(size, size, 3))
        assert len(original.operations) == len(ours.layers) + 1
    images = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype("float32")
    expected = original(images, training=False).numpy()
    assert expected.std() > 0
    np.testing.assert_allclose(ours(images, training=False).numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "mobilenet-v3-small"])
def test_every_build_has_the_same_unique_names(name):
    row = BACKBONES[name]
    keras.layers.Conv2D(1, 1)
    first, second = ([layer.name for layer in build_backbone(row, row.min_size, None).layers] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)
    assert first[0] == "backbone_input"
    assert COUNTED.get(name, set()) < set(first)


def test_an_operation_without_a_layer_of_its_own_is_refused_not_lost(monkeypatch):
    def build(include_top, weights, input_shape):
        inputs = keras.Input(input_shape)
        return keras.Model(inputs, keras.ops.maximum(inputs, 1.0))

    monkeypatch.setattr(keras.applications, "VGG16", build)
    with pytest.raises(BackboneError, match=r"Received: Maximum of 1.0.*requirements.txt"):
        build_backbone(BACKBONES["vgg16"], 32, None)


def test_loads_the_bundled_weights():
    row = BACKBONES["efficientnet-lite0"]
    path = weights.fetch(row)
    first, second = (build_backbone(row, 64, path) for _ in range(2))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.get_layer("stem_bn").get_weights()[0].std() > 0


def test_refuses_a_file_of_another_network(tmp_path):
    plain = BACKBONES["vgg16"]
    path = tmp_path / "other.h5"
    build_backbone(BACKBONES["efficientnet-lite0"], 32, None).save(path)
    with pytest.raises(WeightsError, match="weights of VGG16"):
        build_backbone(plain, 32, path)
    path.write_bytes(b"not hdf5")
    with pytest.raises(WeightsError, match="weights of VGG16"):
        build_backbone(plain, 32, path)
