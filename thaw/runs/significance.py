"""Whether one model is better than another, or chance alone would make the difference."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from tlcore.evaluation.predictions import Predictions

LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """How two runs compare on validation images. `points` is how much better the first is, in percentage points;
    `margin` the difference that chance alone reaches in one comparison of twenty, or None where no difference on so
    few would do; `paired` says that both were judged on the same images, on which `first_alone` and `second_alone`
    were right where the other was wrong."""

    points: float
    margin: float | None
    images: tuple[int, int]
    paired: bool
    first_alone: int = 0
    second_alone: int = 0

    @property
    def clear(self) -> bool:
        """Say whether the difference is beyond chance."""
        return self.margin is not None and abs(self.points) >= self.margin - 1e-9


def same_images(first: Predictions, second: Predictions) -> bool:
    """Say whether two models were judged on the same images with the same labels."""
    return _labels(first) == _labels(second)


def judge(first: Predictions, second: Predictions, comparisons: int = 1) -> Difference:
    """Compare two models' accuracy; of several `comparisons` each has to be the surer (Bonferroni's correction).

    On the same images only those tell on which one is right and the other wrong; by chance either is right on half of
    them (McNemar, Psychometrika 12, 1947, in its exact form; advised for a single split by Dietterich, Neural
    Computation 10, 1998). On different images the margin is that of two independent shares (Agresti and Caffo,
    The American Statistician 54, 2000).
    """
    images, level = (len(first.images), len(second.images)), LEVEL / comparisons
    points = 100 * (first.accuracy - second.accuracy)
    if not same_images(first, second):
        return Difference(points, 100 * _independent_margin(first, second, level), images, paired=False)
    one, other = _right(first), _right(second)
    first_alone = sum(one[id] and not other[id] for id in one)
    second_alone = sum(other[id] and not one[id] for id in one)
    lead = least_clear_lead(first_alone + second_alone, level)
    margin = None if lead is None else 100 * lead / images[0]
    return Difference(points, margin, images, True, first_alone, second_alone)


def bound_difference(first: tuple[int, int], second: tuple[int, int], level: float = LEVEL) -> tuple[float, float]:
    """Return between which bounds the first share less the second lies, each as (count, of), but for chance `level`.

    Agresti and Caffo, The American Statistician 54, 2000: one success and one failure more in each, so that a model
    without a mistake is not taken for a perfect one.
    """
    shares = [(count + 1) / (of + 2) for count, of in (first, second)]
    sizes = [of + 2 for _, of in (first, second)]
    variance = sum(share * (1 - share) / size for share, size in zip(shares, sizes, strict=True))
    middle, half = shares[0] - shares[1], NormalDist().inv_cdf(1 - level / 2) * math.sqrt(variance)
    return middle - half, middle + half


def least_clear_lead(disagreed: int, level: float = LEVEL) -> int | None:
    """Return by how many of `disagreed` images a model must lead for the two-sided sign test to reach `level`."""
    tail, clear = 0.0, None
    for behind in range((disagreed + 1) // 2):
        tail += math.exp(_log_choose(disagreed, behind) - disagreed * math.log(2))
        if 2 * tail > level:
            break
        clear = disagreed - 2 * behind
    return clear


def _right(predictions: Predictions) -> dict[str, bool]:
    right = predictions.predicted == predictions.true
    return {image.id: bool(each) for image, each in zip(predictions.images, right, strict=True)}


def _labels(predictions: Predictions) -> dict[str, str]:
    return {image.id: image.label for image in predictions.images}


def _independent_margin(first: Predictions, second: Predictions, level: float) -> float:
    one, other = ((int((each.true == each.predicted).sum()), len(each.images)) for each in (first, second))
    low, high = bound_difference(one, other, level)
    return (high - low) / 2


def _log_choose(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)
