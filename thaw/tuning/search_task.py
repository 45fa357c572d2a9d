"""One trial of a search as a task for another machine, which sees the photos and the cache at the same paths."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from thaw.tuning.search_record import Combination
from thaw.tuning.sent_materials import SentMaterials
from tlcore.files import scratch_folder
from tlcore.models.backend import keras
from tlcore.training.history import Standing
from tlcore.training.phases import train_head

Report = Callable[[dict[str, Any]], None]
"""Hears after every epoch how a trial stands, and ends it, by SystemExit, where others have got further."""


class Reporting(keras.callbacks.Callback):
    """Reports after every epoch the best so far, by least validation loss as `train_head` keeps it; `over` says that
    the training ends by itself."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report, self._started = report, time.perf_counter()
        self._standing, self._accuracy = Standing(0), 0.0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        measured = logs or {}
        if not math.isfinite(measured["val_loss"]):
            # It ran away: the training ends itself, with what was best.
            return
        self._standing = self._standing.after(epoch + 1, float(measured["val_loss"]))
        if self._standing.best_epoch == epoch + 1:
            self._accuracy = float(measured["val_accuracy"])
        self._report(
            {
                "epochs": epoch + 1,
                "loss": self._standing.best_val_loss,
                "accuracy": self._accuracy,
                "best_epoch": self._standing.best_epoch,
                "seconds": time.perf_counter() - self._started,
                "over": bool(self.model.stop_training),
            }
        )


def try_combination(sent: Mapping[str, SentMaterials], tried: Combination, report: Report) -> None:
    """Do phase 1 with a combination; `sent` are the materials by backbone, whose features are cached."""
    telling = Reporting(report)
    ours = sent[tried.backbone]
    materials = replace(ours, settings=replace(ours.settings, **asdict(tried))).gather()
    with scratch_folder("search") as folder:
        try:
            train_head(materials, folder, callbacks=[telling])
        finally:
            keras.utils.clear_session()
