"""What a model says of one picture that is in no data set: its answer, "I don't know", or why it could not be read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thaw.prediction.client import Answer
from tlcore.evaluation.calibration import temper
from tlcore.settings import Decision

UNKNOWN = "I don't know"
LIKELIEST = 5


def list_likeliest(shares: np.ndarray) -> list[int]:
    """Return the numbers of the likeliest classes of `shares`, float (classes,), the likeliest first."""
    return [int(number) for number in np.argsort(-shares, kind="stable")[:LIKELIEST]]


@dataclass(frozen=True)
class Share:
    """One of the likeliest classes: its number and name among the model's, and its share (0..1)."""

    number: int
    label: str
    share: float


@dataclass(frozen=True)
class Verdict:
    """`shares` float64 (classes,) sum to 1; None where the picture could not be read, for the `reason`.

    `known` says whether the model is sure enough to answer.
    """

    shares: np.ndarray | None
    known: bool
    reason: str | None = None

    def likeliest(self, labels: Sequence[str]) -> list[Share]:
        """Return the likeliest classes, the likeliest first; none where the picture could not be read."""
        if self.shares is None:
            return []
        return [Share(number, labels[number], float(self.shares[number])) for number in list_likeliest(self.shares)]


def judge(answer: Answer, decision: Decision | None) -> Verdict:
    """Return what the model's answer comes to by the decision that is kept with the run.

    Without one the model answers always, and its confidence is taken as it is.
    """
    if answer.probabilities is None:
        return Verdict(None, False, answer.rejected)
    if decision is None:
        return Verdict(answer.probabilities.astype(np.float64), True)
    shares = temper(answer.probabilities[None], decision.temperature)[0]
    return Verdict(shares, bool(shares.max() >= decision.threshold))
