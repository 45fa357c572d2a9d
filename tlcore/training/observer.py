"""What a phase tells while it trains, and how it hears that it is to stop."""

from tlcore.features.inputs import Feed
from tlcore.models.classifier import Cut
from tlcore.training.history import Epoch


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

    def finish_epoch(self, epoch: Epoch) -> None:
        """Hear of a finished epoch, before the snapshot that holds it."""
