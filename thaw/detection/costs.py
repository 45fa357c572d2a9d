"""How long the phases of a detector take, told before they run, from what earlier ones have measured here."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training.costs import TRACING_S_PER_LAYER, plan_cut, share_of_pass
from thaw.tuning.epoch_seconds import expected_epoch_seconds
from tlcore.settings import DetectorSettings, FineTuneSettings

# `tlcore.detection.phases.WATCHED`, which must not be imported here: it brings Keras. A test holds them together.
WATCHED = 40


@dataclass(frozen=True)
class Pace:
    """How fast a detector learns at an image size: seconds for a view through the frozen backbone, for a photo in an
    epoch of phase 1, and before either begins."""

    image_size: int
    view_s: float
    photo_s: float
    start_s: float

    def at(self, image_size: int) -> "Pace":
        """Return the pace at another image size: the work goes with the pixels."""
        more = (image_size / self.image_size) ** 2
        return Pace(image_size, self.view_s * more, self.photo_s * more, self.start_s)


# EfficientNet-Lite0 on one core of an AMD EPYC, by the sample of 48 photos to learn from and 12 that judge, of which an
# epoch looks at 52 once more.
USUAL = {"efficientnet-lite0": Pace(320, 0.025, 0.045, 20.0)}


@dataclass(frozen=True)
class Expected:
    """The seconds that a phase takes at most, and whether this machine has measured what they are reckoned from."""

    seconds: float
    measured: bool


def expect_training(store: Store, photos: int, settings: DetectorSettings) -> Expected | None:
    """Estimate what phase 1 takes where `photos` have been looked at, views not cached yet, without early stopping.

    By the newest detector of this backbone that was trained here, at whatever image size; before the first by what is
    usual. None for a backbone of which neither is known.
    """
    paces = (read_pace(store, run) for run in store.runs() if run.backbone == settings.backbone)
    measured = next((pace for pace in paces if pace), None)
    pace = measured or USUAL.get(settings.backbone)
    if pace is None:
        return None
    pace = pace.at(settings.image_size)
    judging = round(photos * settings.validation_split)
    views = (photos - judging) * settings.views + judging
    learning_s = settings.epochs * (photos - judging) * pace.photo_s
    return Expected(pace.start_s + views * pace.view_s + learning_s, measured is not None)


def read_pace(store: Store, run: Run) -> Pace | None:
    """Return how fast a run's detector learnt in phase 1; None for a classifier, and for what has not ended."""
    facts, spent = run.facts, run.facts.head.seconds
    if run.head.task != "detect" or spent is None:
        return None
    epochs = [epoch.seconds for epoch in store.epochs(run.id) if epoch.phase == 1]
    if not (epochs and facts.seconds_per_image and facts.image_size and facts.training_images):
        return None
    # The first waits until TensorFlow has traced the step, which is counted among what comes before.
    epoch_s = statistics.median(epochs[1:] or epochs)
    start_s = max(0.0, spent.total - spent.features - len(epochs) * epoch_s)
    return Pace(facts.image_size, facts.seconds_per_image, epoch_s / facts.training_images, start_s)


def expect_adapting(
    store: Store, run: Run, layers: Sequence[dict[str, Any]], settings: FineTuneSettings
) -> Expected | None:
    """Estimate what phase 2 of a detector takes, without early stopping; None for a run that has not measured its
    phase 1.

    In an epoch every photo goes through the part of the backbone that trains and through neck and head; those that
    judge, and some of the others, are looked at once more. What lies below the cut is computed once.
    """
    pace, cut = read_pace(store, run), plan_cut(layers, settings.layers or 0)
    images = run.facts.training_images
    if pace is None or cut is None or images is None:
        return None
    judging = (run.facts.validation_images or 0) + sum(run.facts.extra_images.values())
    upper, lower = (share_of_pass(part, layers) for part in (layers[cut.boundary :], layers[: cut.boundary]))
    training_s = expected_epoch_seconds(pace.view_s, layers, settings.layers or 0, images, settings.batch_size) or 0.0
    looking_s = pace.view_s * upper * (judging + min(WATCHED, images))
    epoch_s = training_s + looking_s + images * pace.photo_s
    views = images * run.head.views + judging
    once_s = views * pace.view_s * lower + pace.start_s + TRACING_S_PER_LAYER * (len(layers) - cut.boundary)
    return Expected(once_s + settings.epochs * epoch_s, measured=True)
