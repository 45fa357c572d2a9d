"""EfficientNet-Lite0, 1 and 2 as Keras models, and the mapping from their PyTorch checkpoints."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.errors import BackboneError, WeightsError
from tlcore.models.backend import keras
from tlcore.models.torch_checkpoint import read_checkpoint

_EPSILON = 1e-3
_STEM_FILTERS = 32
_HEAD_FILTERS = 1280
_IMAGENET_CLASSES = 1000
# Width and depth multipliers of github.com/tensorflow/tpu, models/official/efficientnet/lite.
_SCALES = {
    "efficientnet-lite0": (1.0, 1.0),
    "efficientnet-lite1": (1.0, 1.1),
    "efficientnet-lite2": (1.1, 1.2),
}
_MODULES_OUTSIDE = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "head_conv": "_conv_head", "head_bn": "_bn1"}
_MODULES_IN_BLOCK = {
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}


@dataclass(frozen=True)
class _Stage:
    """A run of blocks of one width, before scaling."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def build_efficientnet_lite(variant: str, image_size: int) -> keras.Model:
    """Build the network without top or pooling, with random weights.

    `variant` is 'efficientnet-lite0', '-lite1' or '-lite2'. Input: float32 `(n, image_size, image_size, 3)`,
    already normalised; output: `(n, height, width, 1280)` at a 32nd of the size. Blocks are numbered from 0.
    Raises BackboneError for an unknown variant. Architecture: Tan and Le 2019 (arXiv 1905.11946) without
    squeeze-excite and with ReLU6, as in TensorFlow's EfficientNet-Lite.
    """
    if variant not in _SCALES:
        raise BackboneError(f"Expected a variant out of {', '.join(_SCALES)}. Received: '{variant}'.")
    inputs = keras.Input((image_size, image_size, 3), name="backbone_input")
    x = _conv(inputs, _STEM_FILTERS, 3, 2, "stem")
    for index, block in enumerate(_scaled_blocks(variant)):
        x = _block(x, block, f"block{index}")
    return keras.Model(inputs, _conv(x, _HEAD_FILTERS, 1, 1, "head"), name=variant)


def build_imagenet_classifier(variant: str, image_size: int, path: Path) -> keras.Model:
    """Build the network with the checkpoint's own ImageNet top, to judge that the weights are right.

    Input as for `build_efficientnet_lite`; output: probabilities `(n, 1000)` in the order of ILSVRC 2012.
    Raises WeightsError as `load_pretrained` does.
    """
    backbone = build_efficientnet_lite(variant, image_size)
    load_pretrained(backbone, path)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.output)
    top = keras.layers.Dense(_IMAGENET_CLASSES, activation="softmax", name="classes")
    model = keras.Model(backbone.input, top(pooled))
    tensors = read_checkpoint(path)
    top.set_weights([_take(tensors, "_fc.weight", top, 0), _take(tensors, "_fc.bias", top, 1)])
    return model


def load_pretrained(model: keras.Model, path: Path) -> None:
    """Fill every weight of a network built here from a PyTorch checkpoint.

    Raises WeightsError when the file cannot be read, lacks a tensor, has one of another shape, or has
    tensors of the backbone that the model has no place for. The model is untouched if it raises.
    """
    tensors = read_checkpoint(path)
    filled: dict[str, list[np.ndarray]] = {}
    for layer in model.layers:
        if layer.weights:
            filled[layer.name] = [_take(tensors, key, layer, i) for i, key in enumerate(_sources(layer))]
    left = [key for key in tensors if not key.startswith("_fc.") and not key.endswith("num_batches_tracked")]
    if left:
        raise WeightsError(
            f"Expected a checkpoint of '{model.name}'. Received '{path.name}', which has {len(left)} tensors more, "
            f"such as '{left[0]}'. Use the file made for this variant."
        )
    for name, arrays in filled.items():
        model.get_layer(name).set_weights(arrays)


def _scaled_blocks(variant: str) -> list[_Stage]:
    """List the blocks in order, each as a stage of one; only the first of a stage strides."""
    width, depth = _SCALES[variant]
    blocks: list[_Stage] = []
    for stage in _STAGES:
        at_either_end = stage in (_STAGES[0], _STAGES[-1])
        repeats = stage.repeats if at_either_end else math.ceil(depth * stage.repeats)
        filters = _round_filters(stage.filters * width)
        for repeat in range(repeats):
            stride = stage.stride if repeat == 0 else 1
            blocks.append(_Stage(1, stage.kernel, stride, stage.expansion, filters))
    return blocks


def _round_filters(filters: float) -> int:
    """Round to a multiple of 8, never down by more than a tenth (the rule of MobileNet and EfficientNet)."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _block(inputs: Any, block: _Stage, name: str) -> Any:
    x = inputs
    if block.expansion > 1:
        x = _conv(x, inputs.shape[-1] * block.expansion, 1, 1, f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(
        block.kernel, block.stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _batch_norm(x, f"{name}_depthwise")
    x = keras.layers.ReLU(6.0, name=f"{name}_depthwise_activation")(x)
    x = keras.layers.Conv2D(block.filters, 1, padding="same", use_bias=False, name=f"{name}_project_conv")(x)
    x = _batch_norm(x, f"{name}_project")
    if block.stride == 1 and inputs.shape[-1] == block.filters:
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _conv(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    x = keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = _batch_norm(x, name)
    return keras.layers.ReLU(6.0, name=f"{name}_activation")(x)


def _batch_norm(x: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_bn")(x)


def _sources(layer: keras.Layer) -> list[str]:
    """Name the checkpoint's tensors of a layer, in the order of the layer's weights."""
    block, _, role = layer.name.partition("_")
    if block.startswith("block"):
        module = f"_blocks.{block.removeprefix('block')}.{_MODULES_IN_BLOCK[role]}"
    else:
        module = _MODULES_OUTSIDE[layer.name]
    batch_norm = isinstance(layer, keras.layers.BatchNormalization)
    items = ("weight", "bias", "running_mean", "running_var") if batch_norm else ("weight",)
    return [f"{module}.{item}" for item in items]


def _take(tensors: dict[str, np.ndarray], key: str, layer: keras.Layer, index: int) -> np.ndarray:
    """Remove a tensor from the dict and bring it into Keras's axis order."""
    if key not in tensors:
        raise WeightsError(
            f"Expected a tensor '{key}' for layer '{layer.name}'. Received a checkpoint without it. "
            "Use the checkpoint made for this variant."
        )
    array = tensors.pop(key)
    if array.ndim == 4:
        # OIHW to HWIO; a depthwise kernel is (channels, 1, h, w) there and (h, w, channels, 1) here.
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        array = array.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    elif array.ndim == 2:
        array = array.T
    expected = tuple(layer.weights[index].shape)
    if array.shape != expected:
        raise WeightsError(
            f"Expected '{key}' of shape {expected} for layer '{layer.name}'. Received: {array.shape}. "
            "Use the checkpoint made for this variant."
        )
    return array
