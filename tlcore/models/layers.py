"""Describes a backbone layer by layer as plain data, and sums it up for a choice of top layers."""

import itertools
import math
from typing import TYPE_CHECKING, Any

from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import block_names
from tlcore.models.keras_graph import find_maker, list_inputs

if TYPE_CHECKING:
    from tlcore.models.backend import keras

_FLOAT32_BYTES = 4
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")
# A depthwise convolution and one of 1 x 1 above it, as one layer.
_SEPARABLE = "SeparableConv2D"
# Their weights are statistics or are kept frozen in phase 2, so unfreezing them trains nothing.
_NEVER_TRAINED = ("BatchNormalization", "Normalization")


def describe_layers(backbone: Backbone, model: "keras.Model") -> list[dict[str, Any]]:
    """Describe each layer of a backbone built by `tlcore.models.architectures`, from input to output.

    Each dict can be written as JSON: name, kind (class), block, parameters, trainable_parameters (those that
    train once the layer is unfrozen; 0 for BatchNormalization, which stays frozen), batch_norm, flops
    (multiply-adds for one image of convolutions, dense layers and attention, else 0), activation_bytes (float32 output
    for one image), inner_bytes (what a training step keeps for its way back beside that output), channels (of its
    output), cut_bytes (what a cut right below the layer keeps of one image: float32 tensors that cross, or below the
    first layer the image itself, uint8).
    """
    blocks = block_names(backbone, [layer.name for layer in model.layers])
    crossing = _crossing_bytes(model)
    return [_describe(*facts) for facts in zip(model.layers, blocks, crossing, strict=True)]


def _describe(layer: "keras.Layer", block: str, cut_bytes: int) -> dict[str, Any]:
    kind = type(layer).__name__
    parameters = int(layer.count_params())
    return {
        "name": layer.name,
        "kind": kind,
        "block": block,
        "parameters": parameters,
        "trainable_parameters": 0 if kind in _NEVER_TRAINED else parameters,
        "batch_norm": kind == "BatchNormalization",
        "flops": _multiply_adds(layer, kind),
        "activation_bytes": math.prod(layer.output.shape[1:]) * _FLOAT32_BYTES,
        "inner_bytes": _inner_numbers(layer, kind) * _FLOAT32_BYTES,
        "channels": int(layer.output.shape[-1]),
        "cut_bytes": cut_bytes,
    }


def _inner_numbers(layer: "keras.Layer", kind: str) -> int:
    """Count what a layer makes of one image and wants again on the way back, beside its output.

    What another function than ReLU is a function of; GELU is several; attention has its queries, keys, values and
    weights, once as they are made and once as they are multiplied.
    """
    outputs = math.prod(layer.output.shape[1:])
    if kind == _SEPARABLE:
        return outputs // layer.filters * layer.pointwise_kernel.shape[2]
    if kind == "LayerNormalization":
        return 2 * outputs
    if kind == "MultiHeadAttention":
        tokens, width = layer.output.shape[1:]
        return 2 * (4 * tokens * width + layer.num_heads * tokens**2)
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return outputs * {"linear": 0, "relu": 0, "relu6": 0, "gelu": 3}.get(name, 1)


def _crossing_bytes(model: "keras.Model") -> list[int]:
    """Return for each layer the bytes of one image's tensors that are made below it and used by it or above it."""
    made = {id(layer): index for index, layer in enumerate(model.layers)}
    last_used: dict[int, tuple[int, int, int]] = {}
    for index, layer in enumerate(model.layers):
        for tensor in list_inputs(layer):
            size = math.prod(tensor.shape[1:]) * _FLOAT32_BYTES
            last_used[id(tensor)] = (made[id(find_maker(tensor))], index, size)
    # A tensor crosses every boundary above the layer that makes it, up to its last user.
    changes = [0] * (len(model.layers) + 1)
    for maker, user, size in last_used.values():
        changes[maker + 1] += size
        changes[user + 1] -= size
    crossing = list(itertools.accumulate(changes[:-1]))
    return [math.prod(model.layers[0].output.shape[1:]), *crossing[1:]]


def _multiply_adds(layer: "keras.Layer", kind: str) -> int:
    """Count one multiply-add for each kernel weight at each output position; biases are left out."""
    if kind in _CONVOLUTIONS:
        height, width = layer.output.shape[1:3]
        return math.prod(layer.kernel.shape) * height * width
    if kind == _SEPARABLE:
        height, width = layer.output.shape[1:3]
        return height * width * (math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape))
    if kind in ("Dense", "EinsumDense"):
        return math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    if kind == "MultiHeadAttention":
        tokens, width = layer.output.shape[1:]
        kernels = sum(math.prod(weight.shape) for weight in layer.weights if weight.name == "kernel")
        return tokens * kernels + 2 * tokens**2 * width
    return 0
