"""What a phase tells while it trains, and what it leaves: the model with its best weights, what that says of the photos
that judge it, and how it went."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlcore.features.inputs import Feed
from tlcore.files import Arrays
from tlcore.models.backend import keras
from tlcore.models.classifier import Cut
from tlcore.progress import Progress
from tlcore.training.history import Epoch, HeadChecks, LayerDrift


class Observer:
    """Hears of a phase and does nothing; a subclass records what it needs.

    What is told is told before the phase goes on: after a kill at any moment nothing later has happened.
    """

    def progress(self, stage: str, done: int, total: int) -> None:
        """Hear that `done` of `total` items of `stage`, a plain phrase, are done."""

    def check_stop(self) -> None:
        """Raise `tlcore.errors.Stopped` to end the phase, which keeps the best of the epochs that are finished."""

    def measure_features(self, feed: Feed, cut: Cut) -> None:
        """Hear, before the training, how the features at `cut` were computed."""

    def go_on_after(self, epoch: int) -> None:
        """Hear that training goes on after epoch number `epoch`; what was told of later ones is void."""

    def finish_epochs(self, epochs: Sequence[Epoch]) -> None:
        """Hear of finished epochs in their order, before the snapshot that holds the last of them."""


class Listener(Observer):
    """Passes on how far a phase is."""

    def __init__(self, tell: Progress) -> None:
        self._tell = tell

    def progress(self, stage: str, done: int, total: int) -> None:
        self._tell(stage, done, total)


@dataclass(frozen=True)
class PhaseResult:
    """What a phase leaves.

    `head` is a Keras model with the weights of `kept`, the epoch of least validation loss, as the backbone of the
    materials that it learnt from is; `weights` are those that trained, by name. `epochs` are the phase's own.
    `probabilities` float32 (n, classes) has "validation" and each further evaluation set of the split, rows in the
    split's order. `feed` tells how the features were computed,
    `epochs_trained` and `training_s` count this call alone; `stopped` says that the person ended it.
    """

    head: keras.Model
    weights: Arrays
    epochs: list[Epoch]
    kept: Epoch
    probabilities: dict[str, np.ndarray]
    cut: Cut
    feed: Feed
    epochs_trained: int
    training_s: float
    stopped: bool


@dataclass(frozen=True)
class HeadResult(PhaseResult):
    """What phase 1 leaves; `checks` is what it was looked at for."""

    checks: HeadChecks


@dataclass(frozen=True)
class FineTuneResult(PhaseResult):
    """What phase 2 leaves: the arithmetic that it ran in and how far BatchNormalization moved (not at all)."""

    precision: str
    drift: list[LayerDrift]
