"""What a trained model got wrong on the validation images, from the predictions that the worker left; NumPy only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from thaw.datasets.run_split import read_labels, read_side
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.names import natural
from tlcore.splits.splits import Split

VALIDATION = "validation"
EVALUATION_SIDES = (VALIDATION, "later", "holdout")


@dataclass(frozen=True)
class Mistake:
    """A misclassified image. `confidence` is p(predicted), `true_confidence` p(true), both in 0..1;
    `confidence_gap` is their difference: how sure the model was of the wrong answer."""

    image_id: str
    name: str
    true: str
    predicted: str
    confidence: float
    true_confidence: float
    confidence_gap: float


@dataclass(frozen=True)
class Predictions:
    """`probabilities` float32 (n, classes), one row an image of `images`; columns are `labels`."""

    images: list[Image]
    labels: list[str]
    probabilities: np.ndarray

    @cached_property
    def true(self) -> np.ndarray:
        """Return the class numbers that the folders say, int (n,)."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        return np.array([numbers[image.label] for image in self.images], dtype=np.int64)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Return the class numbers that the model says, int (n,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        """Return the share of images that the model got right, in 0..1."""
        return float((self.true == self.predicted).mean())


def widen(labels: Sequence[str], shares: np.ndarray, wanted: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """Add columns for those of the `wanted` classes that a model does not have, and gives no share: return its labels
    and `shares`, float (n, classes), with them."""
    columns = list(dict.fromkeys([*labels, *wanted]))
    return columns, np.pad(shares, ((0, 0), (0, len(columns) - shares.shape[1])))


def predictions_file(phase: int, side: str) -> str:
    """Name the file of a run's folder that holds what the model of a phase says of one side of the split."""
    return f"predictions-{phase}.npz" if side == VALIDATION else f"predictions-{phase}-{side}.npz"


def read_predictions(
    store: Store, run: Run, phase: int | None = None, side: str = VALIDATION, parts: Split | None = None
) -> Predictions:
    """Read what the model of a phase (the run's result unless said) says of a side of the split.

    The images bear the labels that they had when the run began. `parts` is the run's split, for a caller that has read
    it already. Raises RunError while that phase has no model.
    """
    chosen = phase or run.result_phase
    path = store.workspace.run(run.id) / predictions_file(chosen or 0, side)
    if chosen is None or not path.exists():
        raise RunError(
            f"Expected a run whose training has ended. Received: {run.id!r}, which has no model yet. "
            "Train its head first."
        )
    with np.load(path, allow_pickle=False) as archive:
        ids, probabilities = archive["image_ids"].tolist(), archive["probabilities"]
    seen: list[Image] | None = getattr(parts, side) if parts else read_side(store, run, side)
    if seen is None:
        raise RunError(
            f"Expected a run with a record of its split. Received: {run.id!r}, whose {path.parent} lacks it."
        )
    by_id = {image.id: image for image in seen}
    return Predictions([by_id[id] for id in ids], read_labels(store, run), probabilities)


def accuracies(store: Store, run: Run, phase: int | None = None) -> dict[str, tuple[float, int]]:
    """Return the accuracy of a run's model (0..1) and the number of images, on every evaluation set that it has."""
    folder, chosen = store.workspace.run(run.id), phase or run.result_phase or 0
    sides = [side for side in EVALUATION_SIDES if (folder / predictions_file(chosen, side)).exists()]
    read = {side: read_predictions(store, run, chosen, side) for side in sides}
    return {side: (predictions.accuracy, len(predictions.images)) for side, predictions in read.items()}


def find_mistakes(predictions: Predictions) -> list[Mistake]:
    """List the misclassified images, largest confidence gap first: the surest errors before the doubtful."""
    mistakes = []
    for row, (true, predicted) in enumerate(zip(predictions.true, predictions.predicted, strict=True)):
        if true == predicted:
            continue
        image = predictions.images[row]
        confidence = float(predictions.probabilities[row, predicted])
        true_confidence = float(predictions.probabilities[row, true])
        mistakes.append(
            Mistake(
                image.id,
                image.name,
                image.label,
                predictions.labels[predicted],
                confidence,
                true_confidence,
                confidence - true_confidence,
            )
        )
    return sorted(mistakes, key=lambda mistake: (-mistake.confidence_gap, natural(mistake.name)))


def count_classes(predictions: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count by class the images that are of it, that were called so, and that are both: int64 (classes,) each.

    Of thousands of classes a confusion matrix would take hundreds of megabytes.
    """
    true, predicted, classes = predictions.true, predictions.predicted, len(predictions.labels)
    return (
        np.bincount(true, minlength=classes),
        np.bincount(predicted, minlength=classes),
        np.bincount(true[true == predicted], minlength=classes),
    )


def confusion(predictions: Predictions) -> np.ndarray:
    """Count images by true class (rows) and predicted class (columns): int64 (classes, classes)."""
    classes = len(predictions.labels)
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (predictions.true, predictions.predicted), 1)
    return matrix
