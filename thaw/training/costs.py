"""What phase 2 costs at a depth before it runs: memory, disk and time, from a run's own measurements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from thaw.storage.facts import PhaseFacts, RunFacts
from thaw.tuning.epoch_seconds import expected_epoch_seconds
from tlcore.models.plan import LARGEST_SHARE, kept_bytes, plan_pieces
from tlcore.settings import FineTuneSettings, HeadSettings

# As `tlcore.models.classifier.find_cut` weighs them, which must not be imported here: it brings Keras. A test holds
# them together.
SECONDS_PER_BYTE = 1 / 1e9
SECONDS_PER_FLOP = 1 / 3e10

FLOAT32_BYTES = 4
# A weight that trains has its gradient and Adam's two moments (Kingma and Ba 2015) beside it.
TRAINED_COPIES = 3
# Measured on a CPU, see `expect_memory`.
PROGRAM_BYTES = 710e6
LOADED_COPIES = 3
GRAPH_BYTES = 80e6
KEPT_SHARE = 0.9
# What is little is kept beside the gradients of a piece, which are nearly as much.
REMATERIALISED_SHARE = 1.35
# Before its first step TensorFlow traces the training graph: measured on a CPU at 20 to 141 layers.
TRACING_S_PER_LAYER = 0.05


@dataclass(frozen=True)
class CutPlan:
    """Where phase 2 would be cut: the first layer above, counted from the input, and the bytes of one image there.

    `boundary` is `len(layers)` for the pooled features and 0 for the image itself.
    """

    boundary: int
    bytes_per_image: int


@dataclass(frozen=True)
class Memory:
    """The peak memory of phase 2's process in bytes: with all kept of a batch, and, where that does not fit, with what
    is computed again; the same twice where there is nothing to save."""

    whole: float
    rematerialised: float


@dataclass(frozen=True)
class Costs:
    """What phase 2 costs: peak memory, what its cut takes on disk, seconds; None where nothing was measured."""

    memory: Memory
    disk_bytes: int | None
    epoch_s: float | None
    total_s: float | None


def plan_cut(layers: Sequence[Mapping[str, Any]], top: int) -> CutPlan | None:
    """Return the cut that `tlcore.models.classifier.find_cut` will choose for the top `top` layers of
    `describe_layers`.

    None for a run of an earlier version, whose layers do not say what crosses below them.
    """
    if not layers or "cut_bytes" not in layers[0]:
        return None
    start = len(layers) - top
    first = next((index for index in range(start, len(layers)) if layers[index]["trainable_parameters"]), None)
    if first is None:
        return CutPlan(len(layers), layers[-1]["channels"] * FLOAT32_BYTES)

    below = [0, *accumulate(layer["flops"] for layer in layers)]

    def cost(boundary: int) -> float:
        repeated = below[first] - below[boundary]
        return layers[boundary]["cut_bytes"] * SECONDS_PER_BYTE + repeated * SECONDS_PER_FLOP

    # Of equal ones the highest, which leaves least to compute again.
    boundary = min((0, *range(2, first + 1)), key=lambda each: (cost(each), -each))
    return CutPlan(boundary, layers[boundary]["cut_bytes"])


def expect_memory(
    layers: Sequence[Mapping[str, Any]], top: int, boundary: int, head_parameters: int, batch_size: int
) -> Memory:
    """Estimate the peak memory of phase 2's process.

    The program; the backbone, whose weights lie in memory as read, as variables and as the frozen part's constants;
    the graph of the training; gradient and two moments of each trained weight; and what a batch leaves behind above
    the cut for the way back (`tlcore.models.plan`). That is a little less than is counted, since some of it is
    overwritten in place: 0.9 of it fits what was measured (benchmarks/memory.py), by a fifth at the most in 12 cases of
    7 backbones; of what is computed again 1.35 of it, by a quarter at the most in 6 cases of 7 (ConvNeXtTiny takes 1.5
    times as much as is told).
    """
    trained = head_parameters + sum(layer["trainable_parameters"] for layer in layers[len(layers) - top :])
    weights = sum(layer["parameters"] for layer in layers) * FLOAT32_BYTES * LOADED_COPIES
    always = PROGRAM_BYTES + GRAPH_BYTES + weights + trained * TRAINED_COPIES * FLOAT32_BYTES
    start = max(boundary, 1)
    if start >= len(layers):
        return Memory(always, always)
    # What a run of an earlier version describes cannot be divided.
    pieces = plan_pieces(layers, start) if "cut_bytes" in layers[0] else [start]
    whole, least = (kept_bytes(layers, starts) for starts in ([start], pieces))
    kept = always + whole * batch_size * KEPT_SHARE
    saves = least <= LARGEST_SHARE * whole
    return Memory(kept, min(kept, always + least * batch_size * REMATERIALISED_SHARE) if saves else kept)


def expect_costs(
    facts: RunFacts,
    layers: Sequence[dict[str, Any]],
    head_parameters: int,
    head: HeadSettings,
    settings: FineTuneSettings,
) -> Costs:
    """Estimate what phase 2 with these settings costs, from the facts that phase 1 measured.

    An epoch trains on every image and judges the validation images; the cut is computed once for both, or, where
    every epoch draws new views, anew in each. `total_s` is for all epochs: early stopping mostly ends sooner.
    """
    top, cut = settings.layers or 0, plan_cut(layers, settings.layers or 0)
    boundary = cut.boundary if cut else len(layers) - top
    memory = expect_memory(layers, top, boundary, head_parameters, settings.batch_size)
    images, judging = facts.training_images, facts.validation_images or 0
    if images is None:
        return Costs(memory, None, None, None)
    cached = judging + sum(facts.extra_images.values())
    cached += 0 if head.draws_anew else images * head.cached_views
    disk = cut.bytes_per_image * cached if cut else None
    training_s = expected_epoch_seconds(facts.seconds_per_image, layers, top, images, settings.batch_size)
    if training_s is None or facts.seconds_per_image is None:
        return Costs(memory, disk, None, None)
    frozen_s = facts.seconds_per_image * share_of_pass(layers[:boundary], layers)
    judging_s = facts.seconds_per_image * share_of_pass(layers[boundary:], layers) * judging
    epoch_s = training_s + judging_s + (frozen_s * images if head.draws_anew else 0.0)
    once_s = (
        cached * frozen_s
        + _starting_seconds(facts.head, facts.seconds_per_image)
        + TRACING_S_PER_LAYER * (len(layers) - boundary)
    )
    return Costs(memory, disk, epoch_s, settings.epochs * epoch_s + once_s)


def _starting_seconds(facts: PhaseFacts, forward_s: float) -> float:
    """Return what phase 1 took beside computing features and training: to read the photos and build the backbone."""
    if facts.seconds is None:
        return 0.0
    return max(0.0, facts.seconds.total - facts.seconds.training - facts.features_computed * forward_s)


def share_of_pass(some: Sequence[Mapping[str, Any]], layers: Sequence[Mapping[str, Any]]) -> float:
    """Return the share (0 to 1) of the forward pass's multiply-adds that some of the layers take."""
    return sum(layer["flops"] for layer in some) / max(sum(layer["flops"] for layer in layers), 1)
