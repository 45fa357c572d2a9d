"""What training measures of each epoch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One finished epoch, numbered from 1 through both phases; accuracies in 0..1, time in seconds."""

    epoch: int
    phase: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
