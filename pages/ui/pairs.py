"""Lists what a model confuses most, for data sets of more classes than a confusion matrix can show."""

from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """A true class that was taken for another, both as numbers into the labels, and for how many images."""

    true: int
    predicted: int
    images: int


def most_confused(matrix: np.ndarray, most: int) -> list[Pair]:
    """Return the `most` commonest mistakes of a confusion matrix, int (n, n) of true rows and predicted columns.

    The commonest comes first; equal ones keep the order of their classes.
    """
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    rows, columns = np.nonzero(wrong)
    counts = wrong[rows, columns]
    order = np.argsort(-counts, kind="stable")[:most]
    return [Pair(int(rows[each]), int(columns[each]), int(counts[each])) for each in order]
