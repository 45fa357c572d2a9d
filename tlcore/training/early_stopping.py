"""What happens at the end of an epoch: keep the best weights, tell of it, write a snapshot, stop when it is time."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tlcore.errors import RunError
from tlcore.files import Arrays
from tlcore.models.backend import keras
from tlcore.progress import Stage
from tlcore.training.history import Epoch, Standing
from tlcore.training.results import Observer
from tlcore.training.snapshots import Variables, load_snapshot, read_variables, save_snapshot, write_variables

STOP_CHECK_EVERY_S = 0.5
# What is told and kept costs a fiftieth of a second, which is as long as an epoch of a small head takes.
KEEP_EVERY_S = 0.25


class EpochKeeper(keras.callbacks.Callback):
    """Early stopping on validation loss with the best weights kept, as Keras's EarlyStopping does it, but on disk: a
    phase that is killed resumes from its last finished epoch with the same patience left."""

    def __init__(
        self,
        observer: Observer,
        phase: int,
        first_epoch: int,
        last_epoch: int,
        patience: int,
        snapshot: Path,
        trained: Variables,
        history: Sequence[Epoch] = (),
        smashes: Callable[[float | None], bool] = lambda accuracy: False,
        always: bool = False,
        stage: Stage | None = None,
        error: Callable[[Mapping[str, float]], float | None] = lambda measured: None,
    ) -> None:
        """`history` is what is known of earlier epochs, those of a phase that was broken off among them. `smashes`
        judges the phase's first epoch by its validation accuracy (None where the training ran away): an epoch that it
        condemns ends the training and is neither told nor saved; `smashed` tells of it, and `smashed_accuracy` what it
        measured. With `always` it judges every epoch. `stage` is what is told of the training, where that is neither
        the head's nor fine-tuning. `error` of what an epoch measured, the less the better, says in the place of its
        validation loss which epoch is the best; then patience ends where neither has fallen."""
        super().__init__()
        self._nothing_trained = Standing(first_epoch - 1)
        self.standing = self._nothing_trained
        self.best: Arrays = {}
        self.epochs: list[Epoch] = []
        self.smashed = False
        self.smashed_accuracy: float | None = None
        self.last_epoch = last_epoch
        self.epochs_trained = 0
        self._observer, self.phase, self._first_epoch, self._patience = observer, phase, first_epoch, patience
        self._snapshot, self._trained, self._history, self._smashes = snapshot, trained, history, smashes
        self._always, self._error = always, error
        self._stage = stage or (Stage.TRAINING_HEAD if phase == 1 else Stage.FINE_TUNING)
        self._epoch_started = 0.0
        self._checked_at = 0.0
        self._untold: list[Epoch] = []
        self._kept_at = 0.0

    def restore(self, model: keras.Model) -> None:
        """Go on from the snapshot, or from the phase's start without one; forget epochs that came after it."""
        self.smashed = False
        self._untold = []
        self.standing, self.best = load_snapshot(self._snapshot, model) or (self._nothing_trained, {})
        if self.standing.best_epoch:
            self.best = self.best or read_variables(self._trained)
        known = (epoch for epoch in [*self._history, *self.epochs] if epoch.phase == self.phase)
        by_number = {epoch.epoch: epoch for epoch in known if epoch.epoch <= self.standing.epoch}
        self.epochs = [by_number[number] for number in sorted(by_number)]
        self._observer.go_on_after(self.standing.epoch)

    @property
    def over(self) -> bool:
        """Say whether there is nothing left to train: all epochs done, or patience at its end."""
        return self.standing.over(self.last_epoch, self._patience)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._tell(self.standing.epoch)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch_started = time.perf_counter()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.on_train_batch_end(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.monotonic()
        # Not in the middle of an epoch that follows one that is not kept yet: nothing could be made of it.
        if not self._untold and now - self._checked_at > STOP_CHECK_EVERY_S:
            self._checked_at = now
            self._observer.check_stop()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        measured = logs or {}
        number, seconds = epoch + 1, time.perf_counter() - self._epoch_started
        values = {name: float(measured[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        finite = all(map(math.isfinite, values.values()))
        accuracy = values["val_accuracy"] if finite else None
        if (self._always or number == self._first_epoch) and self._smashes(accuracy):
            self.smashed, self.smashed_accuracy = True, accuracy
            self.epochs_trained += 1
            self.model.stop_training = True
            return
        if not finite:
            # The training ran away and no later epoch can bring it back; nor can SQLite or JSON hold such a number. No
            # snapshot: the weights are no numbers either.
            self.model.stop_training = True
            self._tell_epochs()
            return
        self.standing = self.standing.after(number, values["val_loss"], self._error(values))
        if self.standing.best_epoch == number:
            self.best = read_variables(self._trained)
        self.epochs_trained += 1
        self.epochs.append(Epoch(number, self.phase, seconds=seconds, **values))
        self._untold.append(self.epochs[-1])
        if self.over:
            self.model.stop_training = True
        if self.over or time.monotonic() - self._kept_at > KEEP_EVERY_S:
            self._keep()
        self._tell(number)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._untold:
            self._keep()

    def _keep(self) -> None:
        """Tell of the epochs since the last time, and write a snapshot of how the phase stands after them."""
        # Told first: a kill before the snapshot means that these epochs are trained and told again.
        self._tell_epochs()
        save_snapshot(self._snapshot, self.model, self.standing, self.best)
        self._kept_at = time.monotonic()

    def _tell_epochs(self) -> None:
        self._observer.finish_epochs(self._untold)
        self._untold = []

    def restore_best(self) -> None:
        """Put the best weights back; raise RunError if no epoch had a finite validation loss."""
        if not self.best:
            raise RunError(
                "Expected a validation loss that is a number. Received: none in any epoch, so the training ran away. "
                "Choose a smaller learning rate and start again."
            )
        write_variables(self._trained, self.best)

    def _tell(self, epoch: int) -> None:
        """Report `epoch` as finished."""
        total = self.last_epoch - self._first_epoch + 1
        self._observer.progress(self._stage, epoch - self._first_epoch + 1, total)
