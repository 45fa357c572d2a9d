"""Networks written as ONNX: every family's answers, at its end and inside a block, are Keras's."""

import keras
import numpy as np
import pytest

from tests.support.models.backbones import IMAGES, PRETRAINED, TRANSFORMER, built, pictures, row_of, size_of
from tests.support.pictures.families import each_backbone
from tlcore.engines.from_keras import plan_cut
from tlcore.engines.runtime import OnnxNetwork
from tlcore.engines.writer import write_network
from tlcore.errors import BackboneError
from tlcore.models import classifier as models
from tlcore.models import weights
from tlcore.models.inverted_residuals import plan_pooled
from tlcore.models.keras_graph import name_tensor
from tlcore.models.plan import PIXELS, Network, PlainLayer, pooled_cut

# The others have layers that no other family has, of which a small network is made below.
LATER = ("mobilenet-v2", "densenet121", "convnext-tiny")
NETWORKS = [PRETRAINED, TRANSFORMER, *each_backbone("efficientnet-lite0", later=LATER)]
# Rounding alone makes 1e-6 of the largest; random weights amplify it.
TOLERANCE = 1e-4


def cuts_of(network):
    """Return the cut above the backbone and one where several tensors cross, if there is any such."""
    backbone = built(network)
    crossing = [models.crossing_tensors(backbone, index) for index in range(2, min(len(backbone.layers), 150))]
    widest = max(range(len(crossing)), key=lambda index: len(crossing[index]))
    return [pooled_cut(row_of(network)), cut_above(backbone, widest + 2)]


def cut_above(backbone, boundary):
    tensors = models.crossing_tensors(backbone, boundary)
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in tensors)
    return models.Cut(boundary, tuple(map(name_tensor, tensors)), shapes, ("float32",) * len(shapes))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_written_down_answers_as_keras_does(network):
    row, backbone, size = row_of(network), built(network), size_of(network)
    for cut in cuts_of(network):
        answers = OnnxNetwork(write_network(plan_cut(row, backbone, cut, size)))(pictures(size))
        expected = keras.tree.flatten(models.lower_model(row, backbone, cut, size)(pictures(size), training=False))
        assert [answer.shape for answer in answers] == [(IMAGES, *shape) for shape in cut.shapes]
        for one, other in zip(answers, map(np.asarray, expected), strict=True):
            assert one.dtype == np.float32
            np.testing.assert_allclose(one, other, atol=TOLERANCE * np.abs(other).max(), rtol=0)


def small_network():
    """Return a network of the kinds of layers that only the larger families have, in each order of the axes."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    inputs = layers.Input((24, 24, 3), name="backbone_input")
    stem = layers.ZeroPadding2D(((0, 1), (2, 1)))(inputs)
    stem = layers.Conv2D(8, 3, strides=2, name="stem")(stem)
    norm = layers.BatchNormalization(scale=False)
    left = layers.SeparableConv2D(8, 5, padding="same", use_bias=False)(layers.Activation("relu")(norm(stem)))
    right = layers.AveragePooling2D(3, strides=1, padding="same")(stem)
    both = layers.Concatenate()(
        [
            layers.Add()([left, right, stem]),
            layers.Cropping2D(((1, 0), (1, 0)))(layers.ZeroPadding2D(((0, 1), (0, 1)))(stem)),
        ]
    )
    wide = layers.Dense(24, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(both))
    back = layers.Add()([both, layers.Dense(16)(wide)])
    pooled = layers.MaxPooling2D(3, strides=2, padding="same")(back)
    outputs = layers.Conv2D(16, 3, padding="same", groups=16, dilation_rate=2, activation="hard_silu")(pooled)
    model = keras.Model(inputs, outputs)
    chance = np.random.default_rng(6)
    norm.set_weights([chance.uniform(0.5, 1.5, weights.shape) for weights in norm.get_weights()])
    return model


def test_a_network_of_every_kind_of_layer_answers_as_keras_does():
    row, backbone = row_of("efficientnetv2-b0"), small_network()
    images = pictures(48)[:, ::2, ::2]
    channels = models.row_channels(backbone)
    pooled = models.Cut(len(backbone.layers), (models.POOLED,), ((channels,),), ("float32",))
    for cut in (pooled, cut_above(backbone, 12)):
        answers = OnnxNetwork(write_network(plan_cut(row, backbone, cut, 24)))(images)
        expected = keras.tree.flatten(models.lower_model(row, backbone, cut, 24)(images, training=False))
        assert [answer.shape[1:] for answer in answers] == list(cut.shapes)
        for one, other in zip(answers, map(np.asarray, expected), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(other).max(), rtol=0)


def test_efficientnet_lite_needs_no_keras_to_be_planned():
    row, size = row_of(PRETRAINED), size_of(PRETRAINED)
    without = OnnxNetwork(write_network(plan_pooled(row, size, weights.fetch(row))))(pictures(size))[0]
    backbone = built(PRETRAINED)
    with_keras = OnnxNetwork(write_network(plan_cut(row, backbone, pooled_cut(row), size)))(pictures(size))
    np.testing.assert_array_equal(without, with_keras[0])


def test_the_answer_for_an_image_does_not_depend_on_those_beside_it():
    row, size = row_of(PRETRAINED), size_of(PRETRAINED)
    network = OnnxNetwork(write_network(plan_pooled(row, size, weights.fetch(row))))
    together = network(pictures(size))[0]
    alone = np.concatenate([network(pictures(size)[place : place + 1])[0] for place in range(IMAGES)])
    np.testing.assert_allclose(alone, together, atol=1e-5, rtol=0)


def test_zeros_around_a_maximum_pooling_are_zeros():
    shifted = PlainLayer("shifted", "Rescaling", {"scale": 1.0, "offset": -300.0}, (PIXELS,))
    padded = PlainLayer("padded", "ZeroPadding2D", {"padding": ((1, 1), (1, 1))}, ("shifted",))
    config = {"pool_size": (3, 3), "strides": (2, 2), "padding": "valid"}
    pooled = PlainLayer("pooled", "MaxPooling2D", config, ("padded",))
    network = OnnxNetwork(write_network(Network(6, [shifted, padded, pooled], ("pooled",))))
    (answer,) = network(np.zeros((1, 6, 6, 3), np.uint8))
    assert answer.shape == (1, 3, 3, 3)
    assert set(answer[0, 0].ravel()) == {0.0}
    assert set(answer[0, 1:, 1:].ravel()) == {-300.0}


def test_a_layer_of_an_unknown_kind_is_named():
    with pytest.raises(BackboneError, match="'odd', Fold"):
        write_network(Network(6, [PlainLayer("odd", "Fold", {}, (PIXELS,))], ("odd",)))


@pytest.mark.parametrize("content", [b"", b"no network", bytes(1000)])
def test_a_file_that_is_no_network_is_refused(content):
    with pytest.raises(ValueError, match="Expected a network as ONNX"):
        OnnxNetwork(content)
