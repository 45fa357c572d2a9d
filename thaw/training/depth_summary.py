"""What a depth of phase 2 means: the layers that it unfreezes, summed up, and how deep the last block reaches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tlcore.errors import SettingsError


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


def summarise_depth(layers: Sequence[dict[str, Any]], top: int) -> DepthSummary:
    """Sum up what the top `top` layers hold, of those that `tlcore.models.layers.describe_layers` describes.

    Raises SettingsError outside 0..all.
    """
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


def count_last_block(layers: Sequence[dict[str, Any]]) -> int:
    """Return how many top layers reach down to the start of the last block proper, one with several layers that train.

    A single convolution above the blocks, as many backbones end in, is taken along.
    """
    blocks = [layer["block"] for layer in layers]
    proper = [block for block in blocks if sum(_trains(layer) for layer in layers if layer["block"] == block) > 1]
    return len(layers) - blocks.index(proper[-1]) if proper else len(layers)


def _trains(layer: dict[str, Any]) -> bool:
    return layer["trainable_parameters"] > 0
