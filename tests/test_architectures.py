"""Building backbones: equal to Keras's own, the same names every time, sizes and files checked."""

import keras
import numpy as np
import pytest

from tlcore import weights
from tlcore.architectures import build_backbone
from tlcore.backbones import BACKBONES
from tlcore.errors import BackboneError, WeightsError

ROWS = list(BACKBONES.values())
FROM_KERAS = [row for row in ROWS if row.application]


def randomised(model: keras.Model) -> list[np.ndarray]:
    """Positive, layer-dependent weights, so that two swapped layers change the output."""
    generator = np.random.default_rng(7)
    return [generator.uniform(0.1, 1.0, array.shape) / max(1, array[..., 0].size) for array in model.get_weights()]


@pytest.mark.parametrize("row", FROM_KERAS, ids=lambda row: row.name)
def test_equals_the_keras_application_with_weights_loaded_from_a_file(row, tmp_path):
    size = row.min_size
    original = getattr(keras.applications, row.application)(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    original.set_weights(randomised(original))
    # A whole-model .h5 holds its weights in the layout of Keras's published files.
    original.save(tmp_path / "notop.h5")
    ours = build_backbone(row, size, tmp_path / "notop.h5")
    assert [type(layer) for layer in ours.layers] == [type(layer) for layer in original.layers]
    images = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype("float32")
    expected = original(images, training=False).numpy()
    assert expected.std() > 0
    np.testing.assert_allclose(ours(images, training=False).numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("row", ROWS, ids=BACKBONES)
def test_builds_at_its_smallest_size_and_refuses_less(row):
    model = build_backbone(row, row.min_size, None)
    assert model.output.shape[1:] == (1, 1, row.features)
    assert model.name == row.name
    with pytest.raises(BackboneError, match=rf"at least {row.min_size} pixels.*{row.min_size - 1}.*{row.input_size}"):
        build_backbone(row, row.min_size - 1, None)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "inception-v3", "efficientnetv2-b0"])
def test_every_build_has_the_same_unique_names(name):
    row = BACKBONES[name]
    keras.layers.Conv2D(1, 1)
    first, second = ([layer.name for layer in build_backbone(row, row.min_size, None).layers] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)
    assert first[0] == "backbone_input"
    if name == "inception-v3":
        assert {"conv2d", "conv2d_93", "max_pooling2d_3"} < set(first)


def test_loads_the_bundled_weights():
    row = BACKBONES["efficientnet-lite0"]
    path = weights.fetch(row)
    first, second = (build_backbone(row, 64, path) for _ in range(2))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.get_layer("stem_bn").get_weights()[0].std() > 0


def test_refuses_a_file_of_another_network(tmp_path):
    mobile = BACKBONES["mobilenet-v2"]
    path = tmp_path / "other.h5"
    build_backbone(BACKBONES["efficientnet-lite0"], 32, None).save(path)
    with pytest.raises(WeightsError, match="weights of MobileNetV2"):
        build_backbone(mobile, 32, path)
    path.write_bytes(b"not hdf5")
    with pytest.raises(WeightsError, match="weights of MobileNetV2"):
        build_backbone(mobile, 32, path)
