"""The order in which judged images are worth a look: the worst mistakes first, or the least certain answers."""

from collections.abc import Sequence

import numpy as np

from tlcore.evaluation.predictions import Predictions
from tlcore.photos import natural


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
    told = values.tolist()
    return sorted((int(row) for row in rows), key=lambda row: (told[row], natural(predictions.images[row].name)))
