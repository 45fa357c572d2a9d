"""What happens at the end of an epoch of a plain head: note it, keep the best weights, and make both durable."""

import json
import time
from dataclasses import asdict

import numpy as np

from thaw.jobs.reporter import Reporter
from thaw.retraining.numpy_head import Measure, PlainHead
from tlcore.files import load_arrays, numbered, save_arrays
from tlcore.training.history import Epoch, Standing

SNAPSHOT = "snapshot-retraining.npz"
KEEP_EVERY_S = 0.5


class PlainKeeper:
    """How the training stands, its best weights, and both on disk: at the latest half a second after an epoch ends, so
    that a kill costs no more than that or one epoch."""

    def __init__(self, reporter: Reporter, run_id: str, head: PlainHead) -> None:
        self._reporter, self._run_id, self._head = reporter, run_id, head
        self._path = reporter.store.workspace.run(run_id) / SNAPSHOT
        self.standing, self.best = self._restore() if self._path.exists() else (Standing(0), [])
        self._waiting: list[Epoch] = []
        self._kept_at = self._checked_at = time.monotonic()
        reporter.store.drop_epochs(run_id, after=self.standing.epoch)

    def check_stop(self) -> None:
        """Raise Stopped if the person has asked for it; looks twice a second."""
        now = time.monotonic()
        if now - self._checked_at > KEEP_EVERY_S:
            self._checked_at = now
            self._reporter.check_stop()

    def end_epoch(self, learnt: Measure, judged: Measure, seconds: float) -> None:
        """Take note of an epoch with finite losses."""
        number = self.standing.epoch + 1
        self.standing = self.standing.after(number, judged.loss)
        if self.standing.best_epoch == number:
            self.best = [array.copy() for array in self._head.weights]
        self._waiting.append(
            Epoch(number, 1, learnt.loss, learnt.accuracy, judged.loss, judged.accuracy, seconds=seconds)
        )
        if time.monotonic() - self._kept_at > KEEP_EVERY_S:
            self.keep()

    def keep(self) -> None:
        """Make the epochs so far durable: the rows first, so that after a kill they are trained and recorded again."""
        if self._waiting:
            self._reporter.store.add_epochs(self._run_id, self._waiting)
            arrays = {f"now/{place}": array for place, array in enumerate(self._head.state)}
            arrays |= {f"best/{place}": array for place, array in enumerate(self.best)}
            save_arrays(self._path, arrays | {"standing": np.array(json.dumps(asdict(self.standing)))})
        self._waiting, self._kept_at = [], time.monotonic()

    def forget(self) -> None:
        """Remove what only a resumed training would need."""
        self._path.unlink(missing_ok=True)

    def _restore(self) -> tuple[Standing, list[np.ndarray]]:
        arrays = load_arrays(self._path)
        self._head.restore(numbered(arrays, "now"))
        return Standing(**json.loads(str(arrays["standing"]))), numbered(arrays, "best")
