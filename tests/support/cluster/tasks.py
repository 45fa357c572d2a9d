"""What tasks of a runner may do, for processes that import it: good, slow, failing and deadly."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tlcore.features.shards import compute_shard


@dataclass(frozen=True)
class Piece:
    """A task: what to do with a number, and a file to read."""

    number: int
    does: str = ""
    file: str | bytes = b""

    def __len__(self):
        return 1


def carry(piece):
    return replace(piece, file=Path(piece.file).read_bytes()) if isinstance(piece.file, str) else piece


def add(common, piece):
    """Return a number with what all have in common, what the file holds and the process that did it."""
    if piece.does == "fails":
        raise ValueError(f"a picture that nobody can read\nand {piece.number}")
    if piece.does == "fills the disk":
        raise OSError(28, "No space left on device")
    if piece.does == "lacks a package":
        raise ModuleNotFoundError("No module named 'onnxruntime'")
    if piece.does == "dies":
        os._exit(1)
    if piece.does.startswith("dies once "):
        mark = Path(piece.does.removeprefix("dies once "))
        if not mark.exists():
            mark.touch()
            os._exit(1)
    if piece.does == "takes long":
        time.sleep(0.5)
    text = Path(piece.file).read_bytes() if isinstance(piece.file, str) else piece.file
    return common + piece.number, text, os.getpid()


def learn(common, trial, report):
    """Report a curve that falls from `common` by the trial's slope every epoch, and over after `trial[1]` epochs."""
    slope, last = trial
    if last == 0:
        os._exit(1)
    if slope < 0:
        raise ValueError("a loss that rises")
    for epoch in range(1, last + 1):
        loss = common - slope * epoch
        report(
            {
                "epochs": epoch,
                "loss": loss,
                "accuracy": slope,
                "best_epoch": epoch,
                "seconds": 0.5,
                "over": epoch == last,
            }
        )


def learn_slowly(common, trial, report):
    """Report a curve as `learn` does, an epoch every half second."""

    def wait_and_report(told):
        time.sleep(0.5)
        report(told)

    learn(common, trial, wait_and_report)


def compute_and_log(common, shard):
    """Compute a shard and write into a file that it began and that it ended; `common` is the network and that file."""
    network, log = common
    _log(log, f"{shard.views[0][0]} began")
    tensors = compute_shard(network, shard)
    _log(log, f"{shard.views[0][0]} ended")
    return tensors


def _log(path, line):
    with Path(path).open("a") as log:
        log.write(f"{line}\n")


class Logged:
    """Spreads work as `spread` does, and has every shard logged."""

    def __init__(self, spread, log):
        self.spread, self.log, self.decline = spread, log, spread.decline

    def __call__(self, _function, common, *more):
        return self.spread(compute_and_log, (common, str(self.log)), *more)

    def count(self, what):
        """Return how often a shard `began` or `ended`."""
        return sum(line.endswith(what) for line in self.log.read_text().splitlines())
