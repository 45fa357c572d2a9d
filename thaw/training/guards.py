"""Rules about a training that runs or has ended, each with its evidence in numbers: what was found, and what to do.

Plain functions over plain numbers; `tlcore.training.recommendations` holds the rules about a training that has not
begun, and `tlcore.training.recovery` the one by which a phase is given up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tlcore.training.history import Epoch, HeadChecks, LayerDrift, MemoryIncident, Retry
from tlcore.training.recommendations import LARGEST_RATE_RATIO, unsettled
from tlcore.training.recovery import STANDARD_ERRORS, difference_error, standard_error

LARGEST_GAP = 0.05
SMALLEST_BATCH = 8
# How far from what is expected a pixel may lie after normalisation in float32.
RANGE_TOLERANCE = 0.01
# Photos that use less than this share of the range that the backbone expects are blank or have been scaled twice.
NARROWEST_RANGE = 0.1

HEAD_ADVICE = (
    "The frozen flags, the normalisation and the labels are in order, so look at the images: are they in the right "
    "folders, and is what tells the classes apart large enough to see? With few validation images chance alone can "
    "hide what was learnt."
)
FRESH_ADVICE = (
    "The normalisation and the labels are in order. Learning from nothing takes many images: add some, train for more "
    "epochs, or try a backbone that has learnt from photos."
)


@dataclass(frozen=True)
class Evidence:
    """What one guard found: `rule` names it, `passed` says whether all is well, `words` tell it with its numbers."""

    rule: str
    passed: bool
    words: str


def judge_settled(epochs: Sequence[Epoch], patience: int) -> Evidence:
    """Judge whether phase 1 had settled (`tlcore.training.recommendations.unsettled`, from Keras's guide)."""
    reason = unsettled(epochs, patience)
    losses = [epoch.val_loss for epoch in epochs if epoch.phase == 1]
    words = f"The head has settled: over {len(losses)} epochs its validation loss came down to {min(losses):.3f}."
    return Evidence("Head settled", reason is None, reason or words)


def judge_rate(rate: float, head_rate: float) -> Evidence:
    """Judge phase 2's learning rate: at most a tenth of the head's (Keras's guide goes from 1e-3 to 1e-5)."""
    passed = rate <= head_rate * LARGEST_RATE_RATIO * (1 + 1e-9)
    words = f"Phase 2's learning rate is {rate:g}, {rate / head_rate:.3g} of the head's {head_rate:g}; at most a tenth"
    advice = "is advised." if passed else "is advised, since larger steps overwrite what the backbone knows."
    return Evidence("Learning rate", passed, f"{words} {advice}")


def judge_first_epoch(before: float, after: float, images: int, retries: Sequence[Retry]) -> Evidence:
    """Judge what phase 2's first epoch made of validation accuracy (`smashed`), and tell the try that was given up."""
    told = f"Phase 2's first epoch took validation accuracy from {before:.1%} to {after:.1%} of {images} images."
    if not retries:
        return Evidence("First epoch of phase 2", True, told)
    first = retries[0]
    fell = "the loss was no number" if first.accuracy_after is None else f"it fell to {first.accuracy_after:.1%}"
    return Evidence(
        "First epoch of phase 2",
        False,
        f"At the learning rate {first.rate:g} the first epoch damaged the model: validation accuracy had been "
        f"{first.accuracy_before:.1%}, and {fell}. Thaw put phase 1's weights back and tried once more at "
        f"{first.next_rate:g}; the epoch that was given up is not in the curve. {told}",
    )


def judge_statistics(drift: Sequence[LayerDrift]) -> Evidence:
    """Judge the BatchNormalization statistics against the pretrained ones: nothing of them may have moved.

    They stay frozen by Keras's guide: updating them on a small data set destroys what the backbone learnt.
    """
    largest = max((max(row.mean, row.variance) for row in drift), default=0.0)
    moved = sum(row.mean > 0 or row.variance > 0 for row in drift)
    return Evidence(
        "BatchNormalization statistics",
        moved == 0,
        f"{moved} of {len(drift)} BatchNormalization layers moved away from their pretrained statistics; the largest "
        f"difference is {largest:.2%} (0% expected)."
        + (" This is a fault of Thaw: please report it with the backbone's name." if moved else ""),
    )


def at_chance(accuracy: float, largest_share: float, images: int) -> bool:
    """Say whether an accuracy on `images` images could come from always naming the largest class.

    It could where it exceeds that class's share by no more than two binomial standard errors.
    """
    return accuracy - largest_share <= STANDARD_ERRORS * standard_error(largest_share, images)


def judge_chance(accuracy: float, checks: HeadChecks, fresh: bool = False) -> Evidence:
    """Judge whether the head, or all of a network that learnt from scratch (`fresh`), learnt anything, and tell what
    the checks (`tlcore.training.sanity_checks`) found where it did not."""
    counts = checks.validation
    images = sum(counts.values())
    share = max(counts.values()) / images
    what = "Training from scratch" if fresh else "Phase 1"
    told = f"{what} reached {accuracy:.1%} on {images} validation images; always naming the largest class gives"
    if not at_chance(accuracy, share, images):
        return Evidence("Better than chance", True, f"{told} {share:.1%}.")
    advice = " ".join(find_faults(checks)) or (FRESH_ADVICE if fresh else HEAD_ADVICE)
    error = STANDARD_ERRORS * standard_error(share, images)
    return Evidence("Better than chance", False, f"{told} {share:.1%}, give or take {error:.1%}. {advice}")


def find_faults(checks: HeadChecks) -> list[str]:
    """Say what is wrong with a training that learnt nothing: frozen flags, range of the first batch, labels.

    The order is that of Karpathy, "A Recipe for Training Neural Networks" (2019): look at what goes into the network
    just before it does.
    """
    found = []
    if checks.backbone_training:
        found.append(f"{checks.backbone_training} of the backbone's weights were training in phase 1; 0 expected.")
    batch = checks.batch
    if batch.expected:
        low, high = batch.expected
        slack = RANGE_TOLERANCE * (high - low)
        if batch.low < low - slack or batch.high > high + slack:
            found.append(f"The normalised pixels lie outside {low:.2f} to {high:.2f}, which the backbone expects.")
        if batch.high - batch.low < NARROWEST_RANGE * (high - low):
            found.append(
                f"The first batch only has values from {batch.low:.2f} to {batch.high:.2f}, of {low:.2f} to "
                f"{high:.2f}: the images are nearly blank."
            )
    for side, counts in (("training", checks.training), ("validation", checks.validation)):
        empty = sum(count == 0 for count in counts.values())
        if empty:
            found.append(f"{empty} of {len(counts)} classes have no {side} images.")
    return found


def judge_course(epochs: Sequence[Epoch], retries: Sequence[Retry]) -> Evidence:
    """Judge whether a training from scratch ran away: its loss was no number (`tlcore.training.from_scratch`), or is no
    lower in the last epoch than in the first."""
    first, last = epochs[0], epochs[-1]
    told = f"Over {len(epochs)} epochs the training loss went from {first.loss:.3f} to {last.loss:.3f}."
    if retries:
        words = (
            f"The loss was no number at a learning rate of up to {retries[0].rate:g}, so Thaw went back to the last "
            f"finished epoch and on at {retries[-1].next_rate:g}. {told} A smaller rate from the start may end higher."
        )
        return Evidence("Steady course", False, words)
    fell = last.loss < first.loss or len(epochs) == 1
    return Evidence("Steady course", fell, told if fell else f"{told} It ran away: choose a smaller learning rate.")


def judge_gap(kept: Epoch, training_images: int, validation_images: int) -> Evidence:
    """Judge whether the model learnt its training images by heart: training accuracy above validation accuracy by more
    than 5 points and by more than two standard errors.

    The gap as the sign of overfitting, and regularisation against it: Goodfellow et al., "Deep Learning" (2016),
    chapters 5 and 7; the threshold is Thaw's own. Training accuracy is measured with dropout and augmentation on, which
    hides a part of the gap.
    """
    gap = kept.accuracy - kept.val_accuracy
    error = difference_error(kept.accuracy, training_images, kept.val_accuracy, validation_images)
    passed = gap <= max(LARGEST_GAP, STANDARD_ERRORS * error)
    fewer = ", fewer unfrozen layers" if kept.phase == 2 else ""
    advice = "" if passed else f" Try more augmentation, more dropout{fewer}, or more photos."
    return Evidence(
        "Overfitting",
        passed,
        f"In the epoch that was kept ({kept.epoch}), accuracy is {kept.accuracy:.1%} on training and "
        f"{kept.val_accuracy:.1%} on validation images: a gap of {100 * gap:.1f} points, with a standard error of "
        f"{100 * error:.1f}.{advice}",
    )


def judge_batch(batch_size: int, classes: int) -> Evidence:
    """Judge the batch size: at least eight images, and at least one a class.

    A step on fewer follows the noise of its few images (Bottou, Curtis and Nocedal 2018, section 3: the variance of a
    mini-batch gradient goes as one over its size); the threshold is Thaw's own.
    """
    fewest = max(SMALLEST_BATCH, classes)
    passed = batch_size >= fewest
    advice = "" if passed else " Each step sees too few to know which way to go: choose a larger batch or a lower rate."
    return Evidence(
        "Batch size",
        passed,
        f"A batch holds {batch_size} images for {classes} classes; at least {fewest} are advised.{advice}",
    )


def judge_memory(incidents: Sequence[MemoryIncident], features_at_once: int | None) -> Evidence:
    """Tell the batches that did not fit into memory, and what Thaw went on with; `features_at_once` is how many images
    the frozen part was given at once where it had to be fewer than usual."""
    told = []
    if features_at_once is not None:
        told.append(f"Memory ran out while features were computed; they were computed {features_at_once} at a time.")
    kept_less = [incident for incident in incidents if incident.rematerialised]
    smaller = [incident for incident in incidents if not incident.rematerialised]
    if kept_less:
        told.append(
            f"{_tell_full(kept_less)} on with less of a batch kept: a part of the network works it out twice instead "
            f"(rematerialisation), which takes longer{_tell_saved(kept_less)}."
        )
    if smaller:
        told.append(
            f"{_tell_full(smaller)} on with {smaller[-1].next_batch_size} images a batch{_tell_saved(smaller)}."
        )
    return Evidence("Memory", not told, " ".join(told) or "Every batch fitted into memory.")


def _tell_full(incidents: Sequence[MemoryIncident]) -> str:
    first = incidents[0]
    return (
        f"Memory ran out at {first.batch_size} images a batch in epoch {first.epoch}. Thaw went back to the last "
        "finished epoch and"
    )


def _tell_saved(incidents: Sequence[MemoryIncident]) -> str:
    saved = sum(incident.saved_bytes or 0 for incident in incidents)
    return f" and saves about {saved / 1e6:,.0f} MB" if saved else ""
