"""Why a phase 2 did not help, read from its curves, and the settings that are worth a try instead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Any

from tlcore.settings import FineTuneSettings
from tlcore.training.history import Epoch
from tlcore.training.recommendations import LARGEST_RATE_RATIO

# By how much of itself a loss has to change to count as more than noise; the threshold is Thaw's own.
NOTABLE = 0.1
LARGER_STEP, SMALLER_STEP, MORE_ROUNDS, SHALLOWER = 3.0, 0.1, 2, 0.5
MOST_EPOCHS = 1000
SMALLEST_RATE = 1e-8


class Reason(StrEnum):
    """Why phase 2 ended no better than phase 1."""

    NOTHING_TO_GAIN = "nothing to gain"
    CUT_SHORT = "cut short"
    STEP_TOO_LARGE = "step too large"
    STEP_TOO_SMALL = "step too small"
    TOO_FEW_ROUNDS = "too few rounds"
    TOO_DEEP = "too deep"
    TOO_FEW_PHOTOS = "too few photos"


@dataclass(frozen=True)
class Shortfall:
    """Why a phase 2 did not help, and the settings to try instead; None where no settings would mend it."""

    reason: Reason
    advised: FineTuneSettings | None


def explain(
    head: Epoch,
    epochs: Sequence[Epoch],
    settings: FineTuneSettings,
    head_rate: float,
    layers: Sequence[dict[str, Any]],
    stopped: bool = False,
) -> Shortfall:
    """Say why phase 2 did not help, and what to try.

    `head` is the epoch of phase 1 whose weights were kept, `epochs` are those of phase 2 (at least one), `settings`
    those it had, with its layers and the rate that it ended with. `layers` is what
    `tlcore.models.layers.describe_layers` says, and `stopped` whether the person ended it.
    """
    assert settings.layers is not None
    assert settings.learning_rate is not None
    reason = find_reason(head, epochs, settings, stopped)
    largest = head_rate * LARGEST_RATE_RATIO
    if reason is Reason.STEP_TOO_SMALL:
        rate = min(_shorten(settings.learning_rate * LARGER_STEP), largest)
        # A step that is as large as it may be reaches further in more rounds.
        if rate > settings.learning_rate * (1 + 1e-9):
            return Shortfall(reason, replace(settings, learning_rate=rate))
        reason = Reason.TOO_FEW_ROUNDS
    if reason is Reason.TOO_FEW_ROUNDS and settings.epochs < MOST_EPOCHS:
        return Shortfall(reason, replace(settings, epochs=min(MORE_ROUNDS * settings.epochs, MOST_EPOCHS)))
    if reason is Reason.STEP_TOO_LARGE:
        rate = max(min(_shorten(settings.learning_rate * SMALLER_STEP), largest), SMALLEST_RATE)
        return Shortfall(reason, replace(settings, learning_rate=rate))
    if reason is Reason.TOO_DEEP:
        shallower = find_shallower(layers, settings.layers)
        if shallower:
            return Shortfall(reason, replace(settings, layers=shallower))
        reason = Reason.TOO_FEW_PHOTOS
    return Shortfall(reason, None)


def find_reason(head: Epoch, epochs: Sequence[Epoch], settings: FineTuneSettings, stopped: bool) -> Reason:
    """Tell from the curves alone why phase 2 did not help (arguments are those of `explain`).

    A step too large shows as losses that rise at once on the very photos that are learnt; one too small as a training
    loss that hardly moves. Where that falls while the validation loss rises, what was learnt are the training photos
    themselves: more of the backbone was free than they can teach (Goodfellow et al., "Deep Learning", 2016, chapter 5).
    """
    first, last = epochs[0], epochs[-1]
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    if head.val_accuracy >= 1:
        return Reason.NOTHING_TO_GAIN
    if _rose(head.val_loss, first.val_loss) and _rose(head.loss, first.loss):
        return Reason.STEP_TOO_LARGE
    if stopped:
        return Reason.CUT_SHORT
    learnt = _rose(min(epoch.loss for epoch in epochs), head.loss)
    if learnt and _rose(best.val_loss, last.val_loss):
        return Reason.TOO_DEEP
    if len(epochs) >= settings.epochs and best is last:
        return Reason.TOO_FEW_ROUNDS if learnt else Reason.STEP_TOO_SMALL
    return Reason.TOO_FEW_PHOTOS if learnt else Reason.STEP_TOO_SMALL


def find_shallower(layers: Sequence[dict[str, Any]], top: int) -> int:
    """Return how many top layers make whole blocks and are at most half of `top`, else the last block's; 0 where that
    is no fewer than `top`."""
    depth, fewer = 0, []
    for _, members in groupby(reversed(layers), key=lambda layer: layer["block"]):
        depth += len(list(members))
        if depth < top:
            fewer.append(depth)
    return max((each for each in fewer if each <= top * SHALLOWER), default=min(fewer, default=0))


def _rose(low: float, high: float) -> bool:
    return high > low * (1 + NOTABLE)


def _shorten(rate: float) -> float:
    """Return a rate to three digits: 3e-05, not 3.0000000000000004e-05."""
    return float(f"{rate:.3g}")
