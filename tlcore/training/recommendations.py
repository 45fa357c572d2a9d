"""Rules of the method as functions over plain numbers: what to refuse, what to expect, and why."""

from collections.abc import Sequence
from typing import Any

from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch

SETTLED_GAIN = 0.05
# Half a percent of the probability that goes to the right class: less is no news, however large a share of a loss near
# zero it is.
SETTLED_FALL = 0.005
SETTLED_OVER_EPOCHS = 3
LARGEST_RATE_RATIO = 0.1
PHOTO_RATE_RATIO = 0.01
SMALL_IMAGE_RATE_RATIO = 0.1
# Of the layers, at most: for photos, for small images, and for a detector.
PHOTO_DEPTH, SMALL_IMAGE_DEPTH, DETECTOR_DEPTH = 0.3, 0.55, 0.8


def unsettled(epochs: Sequence[Epoch], patience: int) -> str | None:
    """Say why the head has not settled yet, or None if it has.

    It has settled when early stopping ended phase 1, or when the best validation loss of the last three epochs is
    less than 5%, or less than 0.005, below the best before them. Gradients from a head that is still random would wash
    out the pretrained weights (Keras guide "Transfer learning & fine-tuning": "only do this step after you have trained
    the model with the frozen layers to convergence").
    """
    losses = [epoch.val_loss for epoch in epochs if epoch.phase == 1]
    if len(losses) <= SETTLED_OVER_EPOCHS:
        return (
            f"The head has trained for {len(losses)} epochs, and at least {SETTLED_OVER_EPOCHS + 1} are needed to see "
            "whether it has settled. Train the head longer first."
        )
    best = losses.index(min(losses))
    if len(losses) - 1 - best >= patience:
        return None
    before, recent = min(losses[:-SETTLED_OVER_EPOCHS]), min(losses[-SETTLED_OVER_EPOCHS:])
    gain = (before - recent) / before if before > 0 else 0.0
    if gain < SETTLED_GAIN or before - recent < SETTLED_FALL:
        return None
    return (
        f"The head is still learning: its validation loss fell by {gain:.0%} over the last {SETTLED_OVER_EPOCHS} "
        f"epochs (from {before:.3f} to {recent:.3f}; under {SETTLED_GAIN:.0%} counts as settled). Train the head for "
        "more epochs first, or its rough corrections will damage what the backbone knows."
    )


def refuse_fine_tune(epochs: Sequence[Epoch], head: HeadSettings, settings: FineTuneSettings) -> str | None:
    """Say why phase 2 with these settings would smash the pretrained weights, or None if nothing speaks against it."""
    # A support vector machine is at its optimum after its one step.
    reason = None if head.method == "svm" else unsettled(epochs, head.patience)
    if reason:
        return reason
    largest = head.learning_rate * LARGEST_RATE_RATIO
    if settings.learning_rate is not None and settings.learning_rate > largest * (1 + 1e-9):
        return (
            f"Expected a learning rate of at most {largest:g}, a tenth of the head's {head.learning_rate:g}. "
            f"Received: {settings.learning_rate:g}. Larger steps overwrite what the backbone learnt from ImageNet; "
            "1e-5 is a good start."
        )
    return None


def recommend_learning_rate(head_rate: float, image_size: int, input_size: int) -> float:
    """Return the learning rate at which phase 2 should start: beside a head's 1e-3, 1e-5, or 1e-4 for small images.

    1e-5 is the rate of Keras's guide. Images so small that the backbone sees them below its native size (digits,
    icons) look unlike ImageNet's photos, and what the backbone knows has further to go: on the sample digits with three
    seeds, 1e-4 ended at 98.1 to 98.6%, 3e-5 at 96.4 to 97.5%.
    """
    return head_rate * (SMALL_IMAGE_RATE_RATIO if image_size < input_size else PHOTO_RATE_RATIO)


def recommend_depth(layers: Sequence[dict[str, Any]], image_size: int, input_size: int) -> int:
    """Return how many top layers to unfreeze: whole blocks, up to 30% of the layers, or up to 55% for small images.

    `layers` is what `tlcore.models.layers.describe_layers` says. On the sample digits with three seeds, at 3e-5, the
    last 38 of 141 layers ended at 96.4 to 96.9% and the last 74 at 96.9 to 97.8%.
    """
    return _whole_blocks(layers, SMALL_IMAGE_DEPTH if image_size < input_size else PHOTO_DEPTH)


def recommend_detector(layers: Sequence[dict[str, Any]], head_rate: float) -> tuple[int, float]:
    """Return how many top layers phase 2 of a detector should unfreeze, and at which rate it should start: whole
    blocks, up to 80% of the layers, at a tenth of the head's rate.

    A backbone that was taught what a photo shows as a whole has further to go to say where things are, above all in
    its middle, where small things are seen: on composites whose objects no training had seen, AP50 was 0.49 with
    the last 30% at a twentieth, and with the rest of what docs/detection.md lists 0.55 to 0.59 by this.
    """
    return _whole_blocks(layers, DETECTOR_DEPTH), head_rate * LARGEST_RATE_RATIO


def _whole_blocks(layers: Sequence[dict[str, Any]], share: float) -> int:
    """Return how many top layers the most whole blocks have that fit in a share of all layers."""
    most = len(layers) * share
    blocks = [layer["block"] for layer in layers]
    starts = [index for index in range(1, len(blocks)) if blocks[index] != blocks[index - 1]]
    return max((len(layers) - start for start in starts if len(layers) - start <= most), default=0)


def better_phase(head_best: Epoch, tuned_best: Epoch) -> int:
    """Return 2 if the fine-tuned model is the better one on validation, else 1; equal accuracy goes by the loss."""
    tuned_wins = (tuned_best.val_accuracy, -tuned_best.val_loss) > (head_best.val_accuracy, -head_best.val_loss)
    return 2 if tuned_wins else 1
