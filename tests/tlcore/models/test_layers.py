"""Layers as plain data: counts checked against Keras, by hand and against published figures."""

import functools
import json
import math

import keras
import pytest

from tests.support.models.transformers import shrink
from tests.support.pictures.families import each_backbone
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.classifier import crossing_tensors
from tlcore.models.layers import describe_layers

LITE0 = BACKBONES["efficientnet-lite0"]


@functools.cache
def lite0() -> tuple[keras.Model, tuple]:
    model = build_backbone(LITE0, 224, None)
    return model, tuple(describe_layers(LITE0, model))


def layer_named(layers, name: str) -> dict:
    return next(layer for layer in layers if layer["name"] == name)


def test_describes_every_layer_in_order_as_json():
    model, layers = lite0()
    assert [layer["name"] for layer in layers] == [layer.name for layer in model.layers]
    assert json.loads(json.dumps(layers)) == list(layers)
    assert sum(layer["parameters"] for layer in layers) == LITE0.parameters


def test_counts_of_known_layers():
    _, layers = lite0()
    stem = layer_named(layers, "stem_conv")
    assert stem == {
        "name": "stem_conv",
        "kind": "Conv2D",
        "block": "stem",
        "parameters": 3 * 3 * 3 * 32,
        "trainable_parameters": 3 * 3 * 3 * 32,
        "batch_norm": False,
        "flops": 112 * 112 * 3 * 3 * 3 * 32,
        "activation_bytes": 112 * 112 * 32 * 4,
        "inner_bytes": 0,
        "channels": 32,
        # Below it lies the input as floating-point numbers.
        "cut_bytes": 224 * 224 * 3 * 4,
    }
    depthwise = layer_named(layers, "block1_depthwise_conv")
    assert (depthwise["flops"], depthwise["parameters"]) == (56 * 56 * 3 * 3 * 96, 3 * 3 * 96)
    norm = layer_named(layers, "head_bn")
    assert (norm["batch_norm"], norm["parameters"], norm["trainable_parameters"]) == (True, 4 * 1280, 0)
    assert (norm["flops"], norm["block"]) == (0, "head")


def test_multiply_adds_are_those_of_tensorflows_profiler():
    # tf.compat.v1.profiler over the frozen graph: Conv2D 349,375,488 and DepthwiseConv2dNative 34,532,064.
    assert sum(layer["flops"] for layer in lite0()[1]) == 349_375_488 + 34_532_064


def test_multiply_adds_of_mobilenet_are_the_published_300_million():
    row = BACKBONES["mobilenet-v2"]
    layers = describe_layers(row, build_backbone(row, 224, None))
    classifier = 1280 * 1000
    assert sum(layer["flops"] for layer in layers) + classifier == pytest.approx(300e6, rel=0.005)


def test_what_a_layer_keeps_inside_is_counted_beside_its_output():
    row = shrink()
    layers = describe_layers(row, build_backbone(row, 70, None))
    inner = {layer["name"]: layer["inner_bytes"] for layer in layers}
    tokens, width, heads = 26, 32, 2
    assert inner["block1_attention"] == 2 * (4 * tokens * width + heads * tokens**2) * 4
    assert inner["block1_norm1"] == 2 * tokens * width * 4
    assert inner["block1_expand"] == 3 * 4 * tokens * width * 4
    assert inner["block1_project"] == inner["block1_add1"] == 0
    efficient = BACKBONES["efficientnet-b0"]
    swish = layer_named(describe_layers(efficient, build_backbone(efficient, 64, None)), "stem_activation")
    assert swish["inner_bytes"] == swish["activation_bytes"]
    assert not any(layer["inner_bytes"] for layer in lite0()[1]), "of ReLU the output suffices"


def test_dense_layers_count():
    inputs = keras.Input((4, 4, 3), name="backbone_input")
    x = keras.layers.Conv2D(8, 3, groups=1, name="stem_conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(x)
    model = keras.Model(inputs, keras.layers.Dense(5, name="head_dense")(x))
    layers = describe_layers(LITE0, model)
    assert [layer["flops"] for layer in layers] == [0, 2 * 2 * 27 * 8, 0, 40]
    assert layers[-1]["trainable_parameters"] == 45


def test_a_separable_convolution_counts_as_its_two():
    inputs = keras.Input((8, 8, 4), name="backbone_input")
    x = keras.layers.SeparableConv2D(6, 3, strides=2, padding="same", name="stem_conv")(inputs)
    separable = describe_layers(LITE0, keras.Model(inputs, x))[1]
    assert separable["flops"] == 4 * 4 * (3 * 3 * 4 + 4 * 6)
    assert separable["inner_bytes"] == 4 * 4 * 4 * 4


def test_multiply_adds_of_a_transformer_are_those_of_its_products():
    row = shrink()
    layers = describe_layers(row, build_backbone(row, 42, None))
    tokens, width = 3 * 3 + 1, row.transformer.width
    attention = layer_named(layers, "block2_attention")
    assert attention["flops"] == 4 * tokens * width**2 + 2 * tokens**2 * width
    assert attention["parameters"] == attention["trainable_parameters"] == 4 * (width**2 + width)
    assert (attention["block"], attention["channels"]) == ("block 2", width)
    assert layer_named(layers, "block2_expand")["flops"] == tokens * width * 4 * width
    assert layer_named(layers, "embedding")["flops"] == tokens * 14 * 14 * 3 * width
    assert layer_named(layers, "block1_norm1")["trainable_parameters"] == 2 * width


def test_trainable_parameters_are_what_keras_would_train():
    model, layers = lite0()
    for top in (0, 1, 5, 38, len(layers)):
        for index, layer in enumerate(model.layers):
            in_top = index >= len(layers) - top
            layer.trainable = in_top and not isinstance(layer, keras.layers.BatchNormalization)
        expected = sum(weight.shape.num_elements() for layer in model.layers for weight in layer.trainable_weights)
        assert sum(layer["trainable_parameters"] for layer in layers[len(layers) - top :]) == expected
    model.trainable = False
    assert tuple(describe_layers(LITE0, model)) == layers


def test_what_crosses_is_the_image_at_the_bottom_and_all_tensors_that_are_used_above():
    model, layers = lite0()
    assert layers[0]["cut_bytes"] == 224 * 224 * 3
    for boundary in range(1, len(layers)):
        crossing = crossing_tensors(model, boundary)
        assert layers[boundary]["cut_bytes"] == sum(4 * math.prod(tensor.shape[1:]) for tensor in crossing)


@pytest.mark.parametrize("name", ["mobilenet-v3-small", *each_backbone("mobilenet-v3-small", later=tuple(BACKBONES))])
def test_every_keras_backbone_can_be_described(name):
    row = BACKBONES[name]
    model = build_backbone(row, row.min_size, None)
    layers = describe_layers(row, model)
    assert sum(layer["parameters"] for layer in layers) == model.count_params()
    assert all(layer["flops"] > 0 for layer in layers if "Conv" in layer["kind"])
    assert layers[0]["trainable_parameters"] == 0
