"""How long an epoch of phase 2 takes, told before it is run."""

from collections.abc import Sequence
from typing import Any

# What a training step costs beside a forward pass of the whole backbone, fitted on a CPU to EfficientNet-Lite0 at 96
# and 224 pixels, MobileNetV2 and ResNet50 at four depths each: all sixteen within 25%.
COST_OF_FLOPS = 0.86
COST_OF_ACTIVATIONS = 2.6
COST_OF_PARAMETER_FLOPS = 757


def expected_epoch_seconds(
    forward_s: float | None, layers: Sequence[dict[str, Any]], top: int, images: int, batch_size: int = 32
) -> float | None:
    """Estimate the seconds of one phase-2 epoch with the top `top` layers unfrozen, or None before any measurement.

    `forward_s` is how long one image takes forward through the whole backbone, which phase 1 measures. An image costs
    the unfrozen share of the multiply-adds and of the activations' bytes, which are kept for the way back; a step costs
    one update of every trainable parameter.
    """
    if forward_s is None or not layers:
        return None
    upper = layers[len(layers) - top :]

    def share(quantity: str) -> float:
        return sum(layer[quantity] for layer in upper) / sum(layer[quantity] for layer in layers)

    image_s = forward_s * (COST_OF_FLOPS * share("flops") + COST_OF_ACTIVATIONS * share("activation_bytes"))
    flop_s = forward_s / sum(layer["flops"] for layer in layers)
    step_s = flop_s * COST_OF_PARAMETER_FLOPS * sum(layer["trainable_parameters"] for layer in upper)
    return images * image_s + -(-images // batch_size) * step_s
