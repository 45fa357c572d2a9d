"""What a model says of images whose classes are known: its mistakes, counts by class, and the order worth a look."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic

import numpy as np

from tlcore.photos import P, natural

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
class Predictions(Generic[P]):
    """`probabilities` float32 (n, classes), one row an image of `images`; columns are `labels`."""

    images: list[P]
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


def relabel(predictions: Predictions[P], labels: Mapping[str, str]) -> Predictions[P]:
    """Return what a model says of the images whose ids `labels` names, with those labels."""
    rows = [row for row, image in enumerate(predictions.images) if image.id in labels]
    # Most bear the same label, and a copy takes time.
    images = [
        image if image.label == labels[image.id] else replace(image, label=labels[image.id])
        for image in (predictions.images[row] for row in rows)
    ]
    return Predictions(images, *widen(predictions.labels, predictions.probabilities[rows], labels.values()))


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


def list_worst(predictions: Predictions, true: str | None = None, predicted: str | None = None) -> list[int]:
    """Return the rows of the mistakes, largest confidence gap first; of one true or predicted class where named."""
    wrong = _among(predictions, true, predicted) & (predictions.true != predictions.predicted)
    rows, shares = np.arange(len(wrong)), predictions.probabilities
    told, true_share = (shares[rows, each].astype(np.float64) for each in (predictions.predicted, predictions.true))
    gaps = told - true_share
    return _ordered(predictions, np.flatnonzero(wrong), -gaps)


def list_right(predictions: Predictions, label: str) -> list[int]:
    """Return the rows of a class that the model gets right, the least sure first."""
    number = predictions.labels.index(label)
    right = (predictions.true == number) & (predictions.predicted == number)
    return _ordered(predictions, np.flatnonzero(right), predictions.probabilities[:, number])


def list_uncertain(predictions: Predictions, true: str | None = None, predicted: str | None = None) -> list[int]:
    """Return the rows, right and wrong alike, by how little lies between the two likeliest classes, the least first.

    The margin of Scheffer, Decomain and Wrobel 2001 ("Active hidden Markov models for information extraction"), not
    entropy: it is about the two classes between which the model wavers, where entropy also grows with small shares of
    many classes that were never in question.
    """
    return _ordered(
        predictions, np.flatnonzero(_among(predictions, true, predicted)), measure_margins(predictions.probabilities)
    )


def measure_margins(probabilities: np.ndarray) -> np.ndarray:
    """Return the likeliest class's share less the second's, float (n,) in 0..1: float (n, classes of 2 or more)."""
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def _among(predictions: Predictions, true: str | None, predicted: str | None) -> np.ndarray:
    """Return bool (n,): the images of a true and of a predicted class; None stands for any."""
    among = np.ones(len(predictions.images), dtype=bool)
    for label, numbers in ((true, predictions.true), (predicted, predictions.predicted)):
        if label is not None:
            among &= numbers == predictions.labels.index(label)
    return among


def _ordered(predictions: Predictions, rows: Sequence[int] | np.ndarray, values: np.ndarray) -> list[int]:
    """Sort rows by their values, the smallest first, and equal ones by name."""
    rows = np.asarray(rows, dtype=np.int64)
    ordered = rows[np.argsort(values[rows], kind="stable")]
    # Only names of equal values are looked at: of many thousands that is where the time went.
    bounds = np.flatnonzero(np.diff(values[ordered])) + 1
    listed: list[int] = []
    for tied in np.split(ordered, bounds):
        tie = tied.tolist()
        listed += tie if len(tie) == 1 else sorted(tie, key=lambda row: natural(predictions.images[row].name))
    return listed
