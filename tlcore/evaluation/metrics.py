"""How good a model is on the images that judge it: accuracy and each class's figures, all with 95% intervals."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from tlcore.evaluation.predictions import Predictions, count_classes
from tlcore.evaluation.significance import Interval, wilson
from tlcore.photos import Photo

FEW_TO_JUDGE = 30
"""Below this a class's figures say little: with 30 images a recall of 90% may as well be 74% or 97%."""
DRAWS = 2000


@dataclass(frozen=True)
class ClassFigures:
    """Of one class: the share of its images found (`recall`), the share of what was called so that is (`precision`),
    their harmonic mean `f1` in 0..1, and the number of its images (`support`). None stands for a share of nothing."""

    label: str
    precision: Interval | None
    recall: Interval | None
    f1: float
    support: int

    @property
    def few(self) -> bool:
        """Say whether there are too few images for the figures to mean much."""
        return self.support < FEW_TO_JUDGE


def measure_accuracy(predictions: Predictions, seed: int = 0) -> Interval:
    """Return the accuracy with its 95% bootstrap interval (Efron and Tibshirani 1993, percentile method).

    Whole groups of near-duplicates are drawn: images of a group are right or wrong together, and drawn one by one they
    would make the interval too narrow. Where every answer is right or wrong no draw differs, so Wilson's interval over
    the groups takes its place.
    """
    kinds, times = _count_kinds(predictions)
    right, sizes, groups = kinds[:, 0], kinds[:, 1], int(times.sum())
    images, value = int(times @ sizes), float((times @ right) / (times @ sizes))
    if value in (0.0, 1.0):
        bounds = wilson(round(value * groups), groups)
        assert bounds is not None
        return Interval(value, bounds.low, bounds.high, images)
    # Groups of one kind are all the same to the draw, so it is how often each kind comes that is drawn.
    drawn = np.random.default_rng(seed).multinomial(groups, times / groups, size=DRAWS)
    low, high = np.percentile((drawn @ right) / (drawn @ sizes), [2.5, 97.5])
    return Interval(value, float(low), float(high), images)


def measure_classes(predictions: Predictions) -> list[ClassFigures]:
    """Return the figures of every class in the order of the model's outputs, with Wilson intervals.

    The definitions are those of scikit-learn's `classification_report`; a share of nothing is None, not 0.
    """
    figures = []
    counts = (count.tolist() for count in count_classes(predictions))
    for label, support, called, found in zip(predictions.labels, *counts, strict=True):
        f1 = 2 * found / (support + called) if support + called else 0.0
        precision, recall = wilson(found, called), wilson(found, support)
        figures.append(ClassFigures(label, precision, recall, f1, support))
    return figures


def _count_kinds(predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return the kinds of groups of near-duplicates, int (kinds, 2): how many of its images the model got right and how
    many it has. Return beside it how many groups there are of each kind, int (kinds,)."""
    right = predictions.true == predictions.predicted
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for image, each in zip(predictions.images, right.tolist(), strict=True):
        group = sums[_group_of(image)]
        group[0] += each
        group[1] += 1
    return np.unique(np.array(list(sums.values())), axis=0, return_counts=True)


def _group_of(image: Photo) -> str:
    return image.similar or image.lookalike or image.id
