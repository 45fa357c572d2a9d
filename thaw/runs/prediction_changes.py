"""What changes from one run to another on the same images: which mistakes were fixed, and which are new."""

from dataclasses import dataclass
from typing import Generic

from thaw.runs.significance import LEVEL, least_clear_lead
from tlcore.evaluation.predictions import Predictions
from tlcore.photos import P


@dataclass(frozen=True)
class Prediction:
    """What a model says of an image: the class, and the shares in 0..1 that it gives it and the true class."""

    label: str
    confidence: float
    true_confidence: float


@dataclass(frozen=True)
class ChangedImage(Generic[P]):
    """An image that one model gets right and the other wrong."""

    image: P
    before: Prediction
    after: Prediction


@dataclass(frozen=True)
class Turnover(Generic[P]):
    """On the `images` that judged both models with the same class: those `fixed` (wrong before, right after) and those
    `broken`, each by how much the share of the true class changed, the most first."""

    images: int
    fixed: list[ChangedImage[P]]
    broken: list[ChangedImage[P]]

    @property
    def clear(self) -> bool:
        """Say whether the difference is beyond chance (McNemar, Psychometrika 12, 1947, in its exact form)."""
        lead = least_clear_lead(len(self.fixed) + len(self.broken), LEVEL)
        return lead is not None and abs(len(self.fixed) - len(self.broken)) >= lead


def list_changes(before: Predictions[P], after: Predictions[P]) -> Turnover[P]:
    """List what is fixed and what is broken from one model to another, on the images that judged both."""
    rows = {image.id: row for row, image in enumerate(before.images)}
    shared = [
        (rows[image.id], row)
        for row, image in enumerate(after.images)
        if image.id in rows and before.images[rows[image.id]].label == image.label
    ]
    fixed: list[ChangedImage[P]] = []
    broken: list[ChangedImage[P]] = []
    for earlier, later in shared:
        was_right = before.true[earlier] == before.predicted[earlier]
        is_right = after.true[later] == after.predicted[later]
        if was_right != is_right:
            change = ChangedImage(after.images[later], _answer(before, earlier), _answer(after, later))
            (fixed if is_right else broken).append(change)
    return Turnover(len(shared), *(sorted(each, key=_by_change) for each in (fixed, broken)))


def _answer(predictions: Predictions, row: int) -> Prediction:
    shares, said = predictions.probabilities[row], int(predictions.predicted[row])
    return Prediction(predictions.labels[said], float(shares[said]), float(shares[predictions.true[row]]))


def _by_change(change: ChangedImage) -> tuple[float, str]:
    return -abs(change.after.true_confidence - change.before.true_confidence), change.image.name
