"""Describes a backbone layer by layer as plain data, and sums it up for a choice of top layers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlcore.backbones import Backbone, block_names
from tlcore.errors import SettingsError

if TYPE_CHECKING:
    import keras

_FLOAT32_BYTES = 4
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D")
# Their weights are statistics or are kept frozen in phase 2, so unfreezing them trains nothing.
_NEVER_TRAINED = ("BatchNormalization", "Normalization")


@dataclass(frozen=True)
class DepthSummary:
    """What unfreezing the top N layers means. FLOPs are multiply-adds of one image's forward pass."""

    top: int
    first_unfrozen: str | None
    block: str | None
    trainable_parameters: int
    frozen_batch_norms: int
    upper_flops: int
    total_flops: int


def describe_layers(backbone: Backbone, model: "keras.Model") -> list[dict[str, Any]]:
    """Describe each layer of a backbone built by `tlcore.architectures`, from input to output.

    Each dict can be written as JSON: name, kind (class), block, parameters, trainable_parameters (those that
    train once the layer is unfrozen; 0 for BatchNormalization, which stays frozen), batch_norm, flops
    (multiply-adds for one image of convolutions and dense layers, else 0), activation_bytes (float32 output
    for one image).
    """
    blocks = block_names(backbone, [layer.name for layer in model.layers])
    return [_describe(layer, block) for layer, block in zip(model.layers, blocks, strict=True)]


def summarise_depth(layers: Sequence[dict[str, Any]], top: int) -> DepthSummary:
    """Sum up what the top `top` layers of `describe_layers` hold; raises SettingsError outside 0..all."""
    if not 0 <= top <= len(layers):
        raise SettingsError(f"Expected 0 to {len(layers)} top layers. Received: {top}. Choose a number in that range.")
    upper = layers[len(layers) - top :]
    return DepthSummary(
        top=top,
        first_unfrozen=upper[0]["name"] if upper else None,
        block=upper[0]["block"] if upper else None,
        trainable_parameters=sum(layer["trainable_parameters"] for layer in upper),
        frozen_batch_norms=sum(layer["batch_norm"] for layer in upper),
        upper_flops=sum(layer["flops"] for layer in upper),
        total_flops=sum(layer["flops"] for layer in layers),
    )


def _describe(layer: "keras.Layer", block: str) -> dict[str, Any]:
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
    }


def _multiply_adds(layer: "keras.Layer", kind: str) -> int:
    """Count one multiply-add for each kernel weight at each output position; biases are left out."""
    if kind in _CONVOLUTIONS:
        height, width = layer.output.shape[1:3]
        return math.prod(layer.kernel.shape) * height * width
    if kind == "Dense":
        return math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    return 0
