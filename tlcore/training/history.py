"""What training measures of each epoch, and how a phase stands after it: the best so far, and whether to stop."""

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


@dataclass(frozen=True)
class Standing:
    """How a phase stands after an epoch: the epoch's number, the best so far and its validation loss, and for how
    many epochs there has been no better one."""

    epoch: int
    best_epoch: int = 0
    best_val_loss: float = float("inf")
    waited: int = 0

    def after(self, epoch: int, val_loss: float) -> "Standing":
        """Return how the phase stands once epoch number `epoch` has ended with a validation loss that is a number."""
        improved = val_loss < self.best_val_loss
        return Standing(
            epoch=epoch,
            best_epoch=epoch if improved else self.best_epoch,
            best_val_loss=min(val_loss, self.best_val_loss),
            waited=0 if improved else self.waited + 1,
        )

    def over(self, last_epoch: int, patience: int) -> bool:
        """Say whether there is nothing left to train: all epochs done, or patience at its end."""
        return self.epoch >= last_epoch or self.waited >= patience
