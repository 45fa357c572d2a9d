"""Curves over every threshold that a model's probabilities could be cut at: ROC, precision and recall, coverage.

scikit-learn has the same (a test compares them), but takes a second to import on the first page that draws a curve, and
40 times as long for the 360 images of an ordinary run (1.8 ms; 1.4 times for 100,000).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curve:
    """Points `x`, `y` in 0..1, float64 (points,), with the `area` that sums them up."""

    x: np.ndarray
    y: np.ndarray
    area: float


@dataclass(frozen=True)
class Coverage:
    """What a model that may say "I don't know" does at each of `thresholds` (ascending): the share of images that it
    answers (`answered`) and its accuracy on those (`accuracy`), all float64 (thresholds,) in 0..1."""

    thresholds: np.ndarray
    answered: np.ndarray
    accuracy: np.ndarray


def roc(belongs: np.ndarray, scores: np.ndarray) -> Curve | None:
    """Return the share of false alarms (x) against the share found (y), and the area below (Fawcett 2006).

    `belongs` is bool (n,), `scores` float (n,). None unless some images belong and some do not.
    """
    found, called = _count_above(belongs, scores)
    others = len(belongs) - int(belongs.sum())
    if not belongs.any() or not others:
        return None
    x, y = np.append(0.0, (called - found) / others), np.append(0.0, found / belongs.sum())
    return Curve(x, y, float(np.trapezoid(y, x)))


def precision_recall(belongs: np.ndarray, scores: np.ndarray) -> Curve | None:
    """Return recall (x) against precision (y); the area is the average precision, without interpolation between points
    (Davis and Goadrich 2006). None where no image belongs."""
    if not belongs.any():
        return None
    found, called = _count_above(belongs, scores)
    recall, precision = found / belongs.sum(), found / called
    area = float((np.diff(np.append(0.0, recall)) * precision).sum())
    return Curve(np.append(0.0, recall), np.append(1.0, precision), area)


def measure_coverage(probabilities: np.ndarray, true: np.ndarray) -> Coverage:
    """Return what answering only from a confidence on would do, for every confidence that occurs.

    `probabilities` is float (n, classes), `true` int (n,). Source: Geifman and El-Yaniv, "Selective Classification for
    Deep Neural Networks", NeurIPS 2017.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    thresholds = np.unique(np.append(0.0, confidence))
    ascending = np.sort(confidence)
    left_out = np.searchsorted(ascending, thresholds, side="left")
    right_above = np.append(np.cumsum(right[np.argsort(confidence)][::-1])[::-1], 0)[left_out]
    answered = len(confidence) - left_out
    return Coverage(thresholds, answered / len(confidence), right_above / answered)


def _count_above(belongs: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each score that occurs, from the highest: how many that belong score so high, and how many do."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last_of_equals = np.append(np.nonzero(np.diff(ordered))[0], len(ordered) - 1)
    return np.cumsum(belongs[order])[last_of_equals], last_of_equals + 1.0
