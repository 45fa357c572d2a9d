"""EfficientNet-Lite and PyTorch's MobileNetV2: as plain layers, as Keras models, and what their checkpoints name them.

Both are chains of inverted residual blocks (Sandler et al. 2018, arXiv 1801.04381). Keras is imported only to build its
models: of plain layers a network can be written down in a fraction of the time that Keras takes to start.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.errors import BackboneError
from tlcore.models.backbone_table import Backbone
from tlcore.models.plan import POOLED, Network, PlainLayer
from tlcore.models.preprocessing import plan_normalisation
from tlcore.models.torch_checkpoint import check_rest, check_shape, read_checkpoint, take_tensor

if TYPE_CHECKING:
    from tlcore.models.backend import keras

INPUT = "backbone_input"
_STEM_FILTERS = 32
_HEAD_FILTERS = 1280


@dataclass(frozen=True)
class _Stage:
    """A run of blocks of one width, before scaling."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


@dataclass(frozen=True)
class _Family:
    """What networks of one kind share: their stages, BatchNormalization's epsilon, and whether a convolution that
    strides has PyTorch's padding, one pixel on every side, or TensorFlow's "same"."""

    stages: tuple[_Stage, ...]
    epsilon: float
    pads: bool


# Without squeeze-excite and with ReLU6: github.com/tensorflow/tpu, models/official/efficientnet/lite.
_EFFICIENTNET_LITE = _Family(
    (
        _Stage(1, 3, 1, 1, 16),
        _Stage(2, 3, 2, 6, 24),
        _Stage(2, 5, 2, 6, 40),
        _Stage(3, 3, 2, 6, 80),
        _Stage(3, 5, 1, 6, 112),
        _Stage(4, 5, 2, 6, 192),
        _Stage(1, 3, 1, 6, 320),
    ),
    epsilon=1e-3,
    pads=False,
)
# Table 2 of the paper.
_MOBILENET_V2 = _Family(
    (
        _Stage(1, 3, 1, 1, 16),
        _Stage(2, 3, 2, 6, 24),
        _Stage(3, 3, 2, 6, 32),
        _Stage(4, 3, 2, 6, 64),
        _Stage(3, 3, 1, 6, 96),
        _Stage(3, 3, 2, 6, 160),
        _Stage(1, 3, 1, 6, 320),
    ),
    epsilon=1e-5,
    pads=True,
)
# Each with the multipliers of its width and depth.
_VARIANTS = {
    "efficientnet-lite0": (_EFFICIENTNET_LITE, 1.0, 1.0),
    "efficientnet-lite1": (_EFFICIENTNET_LITE, 1.0, 1.1),
    "efficientnet-lite2": (_EFFICIENTNET_LITE, 1.1, 1.2),
    "mobilenet-v2-torch": (_MOBILENET_V2, 1.0, 1.0),
}
_LITE_MODULES = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "head_conv": "_conv_head", "head_bn": "_bn1"}
_LITE_BLOCK = {
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}
# The places of what has weights in a block of the checkpoint; the first block does not expand.
_MOBILE_BLOCK = ("expand_conv", "expand_bn", None, "depthwise_conv", "depthwise_bn", None, "project_conv", "project_bn")


@dataclass(frozen=True)
class _Shape:
    """What a layer looks like from outside: its name, the class that Keras has for it, the shapes of its weights."""

    name: str
    kind: str
    weights: Sequence[tuple[int, ...]]


def build_network(variant: str, image_size: int) -> "keras.Model":
    """Build the network without top or pooling, with random weights.

    `variant` is 'efficientnet-lite0', '-lite1' or '-lite2' (Tan and Le 2019, arXiv 1905.11946), or
    'mobilenet-v2-torch'. Input: float32 `(n, image_size, image_size, 3)`, already normalised; output:
    `(n, height, width, 1280)` at a 32nd of the size. Blocks are numbered from 0. Raises BackboneError for an unknown
    variant.
    """
    from tlcore.models.backend import keras

    planned = _Sketch(variant).layers
    outputs = {INPUT: keras.Input((image_size, image_size, 3), name=INPUT)}
    for layer, _ in planned:
        inputs = [outputs[name] for name in layer.inputs]
        built = getattr(keras.layers, layer.kind)(name=layer.name, **layer.config)
        outputs[layer.name] = built(inputs if len(inputs) > 1 else inputs[0])
    return keras.Model(outputs[INPUT], outputs[planned[-1][0].name], name=variant)


def plan_pooled(row: Backbone, image_size: int, path: Path, changed: Mapping[str, np.ndarray] | None = None) -> Network:
    """Return a variant with the weights of a checkpoint as plain layers, from the pixels to the pooled features.

    `changed` are weights that take the place of the checkpoint's, named as in `tlcore.training.snapshots`.
    Raises BackboneError and WeightsError as building and loading do.
    """
    sketched, normalisation = _Sketch(row.name).layers, plan_normalisation(row)
    filled = _fill(row.name, path, [_Shape(layer.name, layer.kind, shapes) for layer, shapes in sketched])
    # The first of Keras's layers is the input.
    for name, array in (changed or {}).items():
        _, place, index = name.split("/")
        filled[sketched[int(place) - 1][0].name][int(index)] = array
    layers = [replace(layer, weights=filled.get(layer.name, ())) for layer, _ in sketched]
    layers[0] = replace(layers[0], inputs=(normalisation[-1].name,))
    pooling = PlainLayer(POOLED, "GlobalAveragePooling2D", {}, (layers[-1].name,))
    return Network(image_size, [*normalisation, *layers, pooling], (POOLED,))


def load_pretrained(model: "keras.Model", path: Path) -> None:
    """Fill every weight of a network built here from a PyTorch checkpoint.

    Raises WeightsError when the file cannot be read, lacks a tensor, has one of another shape, or has
    tensors of the backbone that the model has no place for. The model is untouched if it raises.
    """
    for name, arrays in _fill(model.name, path, map(_shape_of, model.layers)).items():
        model.get_layer(name).set_weights(arrays)


def _shape_of(layer: "keras.Layer") -> _Shape:
    return _Shape(layer.name, type(layer).__name__, [tuple(each.shape) for each in layer.weights])


def _fill(model: str, path: Path, shapes: Iterable[_Shape]) -> dict[str, list[np.ndarray]]:
    """Return the weights of each layer that has some, in Keras's order and axes."""
    tensors = read_checkpoint(path)
    filled = {
        shape.name: [_take(tensors, key, shape, i) for i, key in enumerate(_sources(model, shape))]
        for shape in shapes
        if shape.weights
    }
    left = [key for key in tensors if not key.startswith("_fc.") and not key.endswith("num_batches_tracked")]
    check_rest(left, model, path)
    return filled


class _Sketch:
    """The layers of a variant in order, as plain layers without weights, each with the shapes of its weights."""

    def __init__(self, variant: str) -> None:
        if variant not in _VARIANTS:
            raise BackboneError(f"Expected a variant out of {', '.join(_VARIANTS)}. Received: '{variant}'.")
        self._family, *_ = _VARIANTS[variant]
        self.layers: list[tuple[PlainLayer, Sequence[tuple[int, ...]]]] = []
        self._end, self._channels = INPUT, 3
        self._conv(_STEM_FILTERS, 3, 2, "stem")
        for index, block in enumerate(_scaled_blocks(variant)):
            self._block(block, f"block{index}")
        self._conv(_HEAD_FILTERS, 1, 1, "head")

    def _add(self, name: str, kind: str, shapes: Sequence[tuple[int, ...]] = (), **config: Any) -> None:
        self.layers.append((PlainLayer(name, kind, config, (self._end,)), shapes))
        self._end = name

    def _block(self, block: _Stage, name: str) -> None:
        start, channels = self._end, self._channels
        if block.expansion > 1:
            self._conv(channels * block.expansion, 1, 1, f"{name}_expand")
        self._filter("DepthwiseConv2D", block.kernel, block.stride, f"{name}_depthwise")
        self._filter("Conv2D", 1, 1, f"{name}_project", filters=block.filters)
        if block.stride == 1 and channels == block.filters:
            self.layers.append((PlainLayer(f"{name}_add", "Add", {}, (start, self._end)), ()))
            self._end = f"{name}_add"

    def _conv(self, filters: int, kernel: int, stride: int, name: str) -> None:
        self._filter("Conv2D", kernel, stride, name, filters=filters)

    def _filter(self, kind: str, kernel: int, stride: int, name: str, **more: int) -> None:
        """Add a convolution, its BatchNormalization and, unless it projects, ReLU6."""
        pads = self._family.pads and stride > 1
        if pads:
            self._add(f"{name}_pad", "ZeroPadding2D", padding=((kernel // 2, kernel // 2), (kernel // 2, kernel // 2)))
        config = {"kernel_size": (kernel, kernel), "strides": (stride, stride), "dilation_rate": (1, 1), **more}
        config |= {"padding": "valid" if pads else "same", "use_bias": False, "activation": "linear"}
        shape = (kernel, kernel, self._channels, more.get("filters", 1))
        self._channels = more.get("filters", self._channels)
        self._add(f"{name}_conv", kind, [shape], **config)
        norms = [(self._channels,)] * 4
        self._add(f"{name}_bn", "BatchNormalization", norms, epsilon=self._family.epsilon, scale=True, center=True)
        if not name.endswith("_project"):
            self._add(f"{name}_activation", "ReLU", max_value=6.0)


def _scaled_blocks(variant: str) -> list[_Stage]:
    """List the blocks in order, each as a stage of one; only the first of a stage strides."""
    family, width, depth = _VARIANTS[variant]
    blocks: list[_Stage] = []
    for stage in family.stages:
        at_either_end = stage in (family.stages[0], family.stages[-1])
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


def _sources(variant: str, layer: _Shape) -> list[str]:
    """Name the checkpoint's tensors of a layer, in the order of the layer's weights."""
    family, *_ = _VARIANTS[variant]
    module = _find_mobile_module(layer.name) if family is _MOBILENET_V2 else _find_lite_module(layer.name)
    batch_norm = layer.kind == "BatchNormalization"
    items = ("weight", "bias", "running_mean", "running_var") if batch_norm else ("weight",)
    return [f"{module}.{item}" for item in items]


def _find_lite_module(name: str) -> str:
    block, _, role = name.partition("_")
    if block.startswith("block"):
        return f"_blocks.{block.removeprefix('block')}.{_LITE_BLOCK[role]}"
    return _LITE_MODULES[name]


def _find_mobile_module(name: str) -> str:
    block, _, role = name.partition("_")
    if block.startswith("block"):
        number = int(block.removeprefix("block")) + 1
        place = _MOBILE_BLOCK.index(role) - (3 if number == 1 else 0)
        return f"features.{number}.conv.{place}"
    blocks = sum(stage.repeats for stage in _MOBILENET_V2.stages)
    return f"features.{0 if block == 'stem' else blocks + 1}.{('conv', 'bn').index(role)}"


def _take(tensors: dict[str, np.ndarray], key: str, layer: _Shape, index: int) -> np.ndarray:
    """Remove a tensor from the dict and bring it into Keras's axis order."""
    array = take_tensor(tensors, key, layer.name)
    if array.ndim == 4:
        # OIHW to HWIO; a depthwise kernel is (channels, 1, h, w) there and (h, w, channels, 1) here.
        array = array.transpose((2, 3, 0, 1) if layer.kind == "DepthwiseConv2D" else (2, 3, 1, 0))
    elif array.ndim == 2:
        array = array.T
    return check_shape(array, layer.weights[index], key, layer.name)
