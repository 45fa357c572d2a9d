"""How much worse a model does on other photos, the holdout or the newest, than on those that it was validated with."""

from dataclasses import dataclass

import numpy as np

from thaw.runs.significance import LEVEL, bound_difference
from tlcore.evaluation.predictions import Predictions, count_classes


@dataclass(frozen=True)
class Shift:
    """The share right on another set less that on validation, in percentage points between its 95% bounds; below 0 it
    does worse there. `label` is the class, or None for all; `images` how many there are on validation and there."""

    label: str | None
    points: float
    low: float
    high: float
    images: tuple[int, int]

    @property
    def clear(self) -> bool:
        """Say whether chance alone would seldom make such a difference."""
        return self.low > 0 or self.high < 0


def compare_shares(
    validation: tuple[int, int], other: tuple[int, int], label: str | None = None, level: float = LEVEL
) -> Shift:
    """Compare two shares of different images, each as (right, of), both of at least one image: see `Shift`."""
    low, high = (max(-1.0, min(1.0, bound)) for bound in bound_difference(other, validation, level))
    points = 100 * (other[0] / other[1] - validation[0] / validation[1])
    return Shift(label, points, min(100 * low, points), max(100 * high, points), (validation[1], other[1]))


def measure_shift(validation: Predictions, other: Predictions) -> Shift:
    """Compare a model's accuracy on two sets of different images."""
    right = [(int((each.true == each.predicted).sum()), len(each.images)) for each in (validation, other)]
    return compare_shares(right[0], right[1])


def measure_class_shifts(validation: Predictions, other: Predictions) -> list[Shift]:
    """Compare the share found (recall) of every class that both sets have, what suffers most first.

    Of many classes one would stand out by chance, so each has to be the surer (Bonferroni's correction): the bounds are
    those of one comparison in as many.
    """
    (counts, _, found), (others, _, other_found) = count_classes(validation), count_classes(other)
    shared = np.flatnonzero((counts > 0) & (others > 0)).tolist()
    shifts = [
        compare_shares(
            (int(found[number]), int(counts[number])),
            (int(other_found[number]), int(others[number])),
            validation.labels[number],
            LEVEL / len(shared),
        )
        for number in shared
    ]
    return sorted(shifts, key=lambda shift: (not shift.high < 0, shift.points))
