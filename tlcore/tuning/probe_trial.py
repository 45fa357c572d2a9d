"""What the short runs of a depth probe share: which images take part, their classes, groups and folds."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlcore.features.inputs import Materials, encode_labels
from tlcore.models.layers import describe_layers
from tlcore.photos import Photo
from tlcore.splits.class_weights import class_weights
from tlcore.splits.cross_validation import Fold, list_folds
from tlcore.splits.groups import group_images
from tlcore.splits.splits import choose_images
from tlcore.training.recommendations import recommend_learning_rate
from tlcore.tuning.probe_record import Plan, ProbeSettings, list_depths

# Of a head whose epochs are not on record.
HEAD_EPOCHS = 20


@dataclass(frozen=True)
class Trial:
    """What every short run shares: the images and their classes, groups and folds; `targets` are what `fit` takes."""

    materials: Materials
    plan: Plan
    images: Sequence[Photo]
    numbers: np.ndarray
    targets: np.ndarray
    groups: np.ndarray
    folds: list[Fold]

    def weights(self, rows: np.ndarray) -> dict[int, float] | None:
        """Return the class weights that the run's settings ask for, over the images at `rows`."""
        labels = self.materials.split.labels
        found = class_weights([self.images[row].label for row in rows], self.materials.settings.class_weights)
        return None if found is None else {labels.index(label): weight for label, weight in found.items()}


def prepare_trial(materials: Materials, settings: ProbeSettings, head_epochs: int | None = None) -> Trial:
    """Choose the images of a probe, their folds and its plan; `head_epochs` is phase 1's best epoch, where known."""
    head = materials.settings
    every_group = group_images(materials.split.training, materials.rules)
    chosen = choose_images(materials.split.training, every_group, settings.images, head.seed)
    images = [materials.split.training[place] for place in chosen]
    groups = np.array([every_group[place] for place in chosen])
    labels = materials.split.labels
    numbers = np.array([labels.index(image.label) for image in images], dtype=np.int64)
    folds = list_folds(numbers, groups, settings.folds, head.seed)
    rate = settings.learning_rate or recommend_learning_rate(
        head.learning_rate, materials.image_size, materials.row.input_size
    )
    plan = Plan(
        tops=list_depths(describe_layers(materials.row, materials.backbone), settings.depths),
        images=len(images),
        folds=len(folds),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=rate,
        head_epochs=head_epochs or HEAD_EPOCHS,
        seed=head.seed,
        division=hashlib.sha256(b"".join(testing.tobytes() for _, testing in folds)).hexdigest()[:12],
    )
    return Trial(materials, plan, images, numbers, encode_labels(images, labels, head), groups, folds)
