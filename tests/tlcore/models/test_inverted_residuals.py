"""EfficientNet-Lite and PyTorch's MobileNetV2: shape, names, and real weights judged on a real photo or by hand."""

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from tlcore.engines.runtime import OnnxNetwork
from tlcore.engines.writer import write_network
from tlcore.errors import BackboneError, WeightsError
from tlcore.models import weights
from tlcore.models.backbones import BACKBONES
from tlcore.models.inverted_residuals import build_network, load_pretrained, plan_pooled
from tlcore.models.preprocessing import normalise
from tlcore.models.torch_checkpoint import read_checkpoint

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
    path, backbone = weights.fetch(BACKBONES[variant]), build_network(variant, size)
    load_pretrained(backbone, path)
    images = centre_crop(load_sample_image("china.jpg"), size)
    pooled = backbone((images - 127) / 128, training=False).numpy().mean(axis=(1, 2))
    top = read_checkpoint(path)
    powers = np.exp(pooled @ top["_fc.weight"].T + top["_fc.bias"])[0]
    probabilities = powers / powers.sum()
    assert probabilities.argmax() == PALACE
    assert probabilities[PALACE] > 0.3


def test_top_38_layers_of_lite0_are_those_above_block_11():
    names = [layer.name for layer in build_network("efficientnet-lite0", 224).layers]
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
    model = build_network("efficientnet-lite0", 64)
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
    model = build_network(row.name, 32)
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
    model = build_network(variant, 32)
    before = model.get_weights()
    with pytest.raises(WeightsError, match=r"of shape .* for layer 'block.* Received: .* made for this variant"):
        load_pretrained(model, weights.fetch(BACKBONES[file_of]))
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_refuses_a_file_with_tensors_left_over():
    whole = build_network("efficientnet-lite0", 32)
    part = keras.Model(whole.input, whole.get_layer("block15_project_bn").output, name=whole.name)
    with pytest.raises(WeightsError, match=r"5 tensors more, such as '_conv_head.weight'"):
        load_pretrained(part, weights.fetch(BACKBONES["efficientnet-lite0"]))


def test_refuses_a_file_that_lacks_a_tensor():
    whole = build_network("efficientnet-lite0", 32)
    extra = keras.layers.Conv2D(8, 1, use_bias=False, name="block16_expand_conv")
    model = keras.Model(whole.input, extra(whole.output), name=whole.name)
    with pytest.raises(WeightsError, match=r"'_blocks.16._expand_conv.weight'.*without it"):
        load_pretrained(model, weights.fetch(BACKBONES["efficientnet-lite0"]))


def test_refuses_an_unknown_variant():
    with pytest.raises(BackboneError, match=r"efficientnet-lite0.*Received: 'efficientnet-b7'"):
        build_network("efficientnet-b7", 224)


def test_layers_are_those_of_mobilenet_v2_as_pytorch_pads_it():
    model = build_network("mobilenet-v2-torch", 64)
    convolutions = [layer for layer in model.layers if "Conv" in type(layer).__name__]
    striding = [layer for layer in convolutions if layer.strides == (2, 2)]
    assert [layer.padding for layer in striding] == ["valid"] * 5
    assert sum(isinstance(layer, keras.layers.ZeroPadding2D) for layer in model.layers) == 5
    assert {layer.padding for layer in convolutions if layer not in striding} == {"same"}
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.epsilon for layer in norms} == {1e-5}
    assert model.output.shape == (None, 2, 2, 1280)


def test_real_mobilenet_v2_weights_answer_as_the_checkpoint_is_meant(mobilenet_weights):
    size = 96
    pixels = centre_crop(load_sample_image("china.jpg"), size) / 255
    normal = ((pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype("float32")
    model = build_network("mobilenet-v2-torch", size)
    load_pretrained(model, mobilenet_weights)
    expected = run_checkpoint(read_checkpoint(mobilenet_weights), normal)
    np.testing.assert_allclose(model(normal, training=False), expected, atol=1e-4 * np.abs(expected).max())


def test_mobilenet_v2_pools_the_same_without_keras(mobilenet_weights):
    row = BACKBONES["mobilenet-v2-torch"]
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    plain = OnnxNetwork(write_network(plan_pooled(row, 64, mobilenet_weights)))
    model = build_network(row.name, 64)
    load_pretrained(model, mobilenet_weights)
    expected = np.asarray(model(normalise(row, pixels), training=False)).mean((1, 2))
    np.testing.assert_allclose(plain(pixels)[0], expected, atol=1e-4 * np.abs(expected).max())


def run_checkpoint(tensors, x):
    """Compute what the published program does with a checkpoint: each convolution is padded by its kernel's half."""

    def convolve(name, x, stride=1, alone=False):
        kernel = tensors[f"{name}.weight"].transpose(2, 3, 1, 0)
        half = kernel.shape[0] // 2
        padded = np.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
        if alone:
            return keras.ops.depthwise_conv(padded, kernel.transpose(0, 1, 3, 2), stride, "valid")
        return keras.ops.conv(padded, kernel, stride, "valid")

    def norm(name, x):
        scale, shift, mean, variance = (
            tensors[f"{name}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")
        )
        return (np.asarray(x) - mean) / np.sqrt(variance + 1e-5) * scale + shift

    def bend(x):
        return np.clip(x, 0, 6)

    x = bend(norm("features.0.1", convolve("features.0.0", x, 2)))
    number = 0
    for expansion, repeats, first in ((1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1)):
        for repeat in range(repeats):
            number += 1
            place, y, stride = f"features.{number}.conv", x, first if repeat == 0 else 1
            if expansion > 1:
                y = bend(norm(f"{place}.1", convolve(f"{place}.0", y)))
            at = 3 if expansion > 1 else 0
            y = bend(norm(f"{place}.{at + 1}", convolve(f"{place}.{at}", y, stride, alone=True)))
            y = norm(f"{place}.{at + 4}", convolve(f"{place}.{at + 3}", y))
            x = x + y if repeat else y
    return bend(norm("features.18.1", convolve("features.18.0", x)))
