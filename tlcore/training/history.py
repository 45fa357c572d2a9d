"""What a phase measures of its epochs, how it stands after each, and what it finds out about itself beside them."""

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
    """How a phase stands after an epoch: the epoch's number, the best so far, the least validation loss, and for how
    many epochs neither has been bettered. The best is the one of least loss, or of least `best_error` where something
    else chooses it."""

    epoch: int
    best_epoch: int = 0
    best_val_loss: float = float("inf")
    waited: int = 0
    best_error: float = float("inf")

    def after(self, epoch: int, val_loss: float, error: float | None = None) -> "Standing":
        """Return how the phase stands once epoch number `epoch` has ended with a validation loss that is a number;
        `error`, the less the better, says in its place which epoch is the best."""
        falls = val_loss < self.best_val_loss
        better = falls if error is None else error < self.best_error
        return Standing(
            epoch=epoch,
            best_epoch=epoch if better else self.best_epoch,
            best_val_loss=min(val_loss, self.best_val_loss),
            waited=0 if better or falls else self.waited + 1,
            best_error=self.best_error if error is None else min(error, self.best_error),
        )

    def over(self, last_epoch: int, patience: int) -> bool:
        """Say whether there is nothing left to train: all epochs done, or patience at its end."""
        return self.epoch >= last_epoch or self.waited >= patience


@dataclass(frozen=True, slots=True)
class PhaseSeconds:
    """Seconds that a phase took for the features, for training and in all."""

    features: float = 0.0
    training: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Retry:
    """A first epoch of fine-tuning that was given up: its learning rate, the next one to try, and the accuracy (0..1)
    on validation before and after it; None stands for a loss that was no number."""

    rate: float
    next_rate: float
    accuracy_before: float
    accuracy_after: float | None


@dataclass(frozen=True, slots=True)
class MemoryIncident:
    """A batch that did not fit into memory, in which epoch, and the size that training went on with.

    Where it is the same size, the network was `rematerialised`: from then on it keeps less of a batch. `saved_bytes` is
    about how much less a batch keeps, or None where that is not known.
    """

    epoch: int
    batch_size: int
    next_batch_size: int
    rematerialised: bool = False
    saved_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class FirstBatch:
    """The first training images after normalisation, and the range that the backbone expects (None: it has none)."""

    images: int
    low: float
    high: float
    mean: float
    expected: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class HeadChecks:
    """What is looked at where a head has learnt nothing: how many variables of the backbone trained, the first batch,
    and the images of each class by side of the split."""

    backbone_training: int
    batch: FirstBatch
    training: dict[str, int]
    validation: dict[str, int]


@dataclass(frozen=True, slots=True)
class LayerDrift:
    """How far the moving mean and variance of a BatchNormalization layer lie from the pretrained ones, relative to them
    (Euclidean norms; 0 is no difference)."""

    layer: str
    mean: float
    variance: float
