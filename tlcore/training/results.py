"""What a phase leaves: the model with its best weights, what it says of the photos that judge it, and how it went."""

from dataclasses import dataclass

import numpy as np

from tlcore.arrays import Arrays
from tlcore.features.inputs import Feed
from tlcore.models.backend import keras
from tlcore.models.classifier import Cut
from tlcore.training.findings import HeadChecks, LayerDrift
from tlcore.training.history import Epoch


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
