"""Lists what a model confuses most, for data sets of more classes than a confusion matrix can show."""

from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """A true class that was taken for another, both as numbers into the labels, and for how many images."""

    true: int
    predicted: int
    images: int


def most_confused(true: np.ndarray, predicted: np.ndarray, most: int) -> list[Pair]:
    """Return the `most` commonest mistakes among images of the class numbers `true`, called `predicted`, int (n,) each.

    The commonest comes first; equal ones keep the order of their classes.
    """
    wrong = true != predicted
    pairs, counts = np.unique(np.stack([true[wrong], predicted[wrong]], axis=1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return [Pair(int(pairs[each, 0]), int(pairs[each, 1]), int(counts[each])) for each in order]
