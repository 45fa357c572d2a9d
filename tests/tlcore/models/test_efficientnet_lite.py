"""EfficientNet-Lite: its shape, its names, and its real weights judged on a real photo."""

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from tlcore.errors import BackboneError, WeightsError
from tlcore.models import weights
from tlcore.models.backbones import BACKBONES
from tlcore.models.efficientnet_lite import build_efficientnet_lite, build_imagenet_classifier, load_pretrained

VARIANTS = ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
PALACE = 698


def centre_crop(pixels: np.ndarray, size: int) -> np.ndarray:
    """Cut and scale as EfficientNet is evaluated: the middle size / (size + 32) of the shorter side."""
    image = Image.fromarray(pixels)
    side = int(min(image.size) * size / (size + 32))
    left, upper = (image.width - side) // 2, (image.height - side) // 2
    cut = image.crop((left, upper, left + side, upper + side)).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(cut, "float32")[None]


@pytest.mark.parametrize("variant", VARIANTS)
def test_real_weights_recognise_a_photo_of_a_palace(variant):
    size = BACKBONES[variant].input_size
    classifier = build_imagenet_classifier(variant, size, weights.fetch(BACKBONES[variant]))
    images = centre_crop(load_sample_image("china.jpg"), size)
    probabilities = classifier((images - 127) / 128, training=False).numpy()[0]
    assert probabilities.argmax() == PALACE
    assert probabilities[PALACE] > 0.3


def test_top_38_layers_of_lite0_are_those_above_block_11():
    names = [layer.name for layer in build_efficientnet_lite("efficientnet-lite0", 224).layers]
    upper, lower = names[-38:], names[:-38]
    assert {name.split("_")[0] for name in upper} == {"block12", "block13", "block14", "block15", "head"}
    assert not {"block12", "block13", "block14", "block15", "head"} & {name.split("_")[0] for name in lower}
    assert lower[-1] == "block11_project_bn"
    assert upper[:9] == [
        f"block12_{part}"
        for part in (
            "expand_conv",
            "expand_bn",
            "expand_activation",
            "depthwise_conv",
            "depthwise_bn",
            "depthwise_activation",
            "project_conv",
            "project_bn",
            "add",
        )
    ]
    assert upper[-3:] == ["head_conv", "head_bn", "head_activation"]


def test_layers_are_those_of_the_lite_architecture():
    model = build_efficientnet_lite("efficientnet-lite0", 64)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert kinds == {"InputLayer", "Conv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "Add"}
    convolutions = [layer for layer in model.layers if "Conv" in type(layer).__name__]
    assert {layer.padding for layer in convolutions} == {"same"}
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.epsilon for layer in norms} == {1e-3}
    assert {layer.max_value for layer in model.layers if isinstance(layer, keras.layers.ReLU)} == {6.0}
    assert model.output.shape == (None, 2, 2, 1280)


def test_every_weight_changes_when_loaded():
    row = BACKBONES["efficientnet-lite0"]
    model = build_efficientnet_lite(row.name, 32)
    before = model.get_weights()
    load_pretrained(model, weights.fetch(row))
    unchanged = [
        weight.path for weight, old in zip(model.weights, before, strict=True) if np.array_equal(weight.numpy(), old)
    ]
    assert unchanged == []


@pytest.mark.parametrize(
    ("variant", "file_of"),
    [("efficientnet-lite2", "efficientnet-lite1"), ("efficientnet-lite1", "efficientnet-lite0")],
)
def test_refuses_the_file_of_another_variant_and_changes_nothing(variant, file_of):
    model = build_efficientnet_lite(variant, 32)
    before = model.get_weights()
    with pytest.raises(WeightsError, match=r"of shape .* for layer 'block.* Received: .* made for this variant"):
        load_pretrained(model, weights.fetch(BACKBONES[file_of]))
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_refuses_a_file_with_tensors_left_over():
    whole = build_efficientnet_lite("efficientnet-lite0", 32)
    part = keras.Model(whole.input, whole.get_layer("block15_project_bn").output)
    with pytest.raises(WeightsError, match=r"5 tensors more, such as '_conv_head.weight'"):
        load_pretrained(part, weights.fetch(BACKBONES["efficientnet-lite0"]))


def test_refuses_a_file_that_lacks_a_tensor():
    whole = build_efficientnet_lite("efficientnet-lite0", 32)
    extra = keras.layers.Conv2D(8, 1, use_bias=False, name="block16_expand_conv")
    model = keras.Model(whole.input, extra(whole.output))
    with pytest.raises(WeightsError, match=r"'_blocks.16._expand_conv.weight'.*without it"):
        load_pretrained(model, weights.fetch(BACKBONES["efficientnet-lite0"]))


def test_refuses_an_unknown_variant():
    with pytest.raises(BackboneError, match=r"efficientnet-lite0.*Received: 'efficientnet-b7'"):
        build_efficientnet_lite("efficientnet-b7", 224)
