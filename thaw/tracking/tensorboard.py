"""Writes the epochs of a run as TensorBoard event files: TFRecords of `Event` messages."""

import struct
from collections.abc import Iterable
from pathlib import Path

from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.files import write_atomically
from tlcore.training.history import Epoch

# TensorBoard shows series of one name side by side, one a folder.
SERIES = {
    "training": {"epoch_loss": "loss", "epoch_accuracy": "accuracy", "epoch_seconds": "seconds"},
    "validation": {"epoch_loss": "val_loss", "epoch_accuracy": "val_accuracy"},
}
_FILE_VERSION = "brain.Event:2"


def name_events(run: Run, side: str) -> str:
    """Name the event file of a side relative to the folder that TensorBoard is pointed at."""
    return f"{run.id}/{side}/events.out.tfevents.{int(run.created_at)}.{run.id}"


def encode_events(run: Run, epochs: Iterable[Epoch], side: str) -> bytes:
    """Return the event file of one side ("training" or "validation"): one step an epoch, numbered as in the run.

    Thaw keeps how long each epoch took and not when it ended; the times are the run's start and those added up.
    """
    # Takes 0.05 s to import, and nothing else needs it.
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    # What classifiers have as accuracy is AP50 of a detector.
    detects = run.head.task == "detect"
    series = {tag.replace("accuracy", "ap50") if detects else tag: field for tag, field in SERIES[side].items()}
    moment = run.created_at
    events = [Event(wall_time=moment, file_version=_FILE_VERSION)]
    for epoch in epochs:
        moment += epoch.seconds
        values = [Summary.Value(tag=tag, simple_value=getattr(epoch, field)) for tag, field in series.items()]
        events.append(Event(wall_time=moment, step=epoch.epoch, summary=Summary(value=values)))
    return b"".join(_record(event.SerializeToString()) for event in events)


def write_events(store: Store, run_id: str, folder: Path) -> list[Path]:
    """Write the event files of a run below `folder`, for `tensorboard --logdir FOLDER`; return their paths.

    Raises RunError while the run has no epoch, and where the folder cannot be written.
    """
    run = store.run(run_id)
    epochs = store.epochs(run.id)
    if not epochs:
        raise RunError(f"Expected a run with a finished epoch. Received: {run.id!r}, which has none. Train its head.")
    paths = [folder / name_events(run, side) for side in SERIES]
    try:
        for path, side in zip(paths, SERIES, strict=True):
            write_atomically(path, encode_events(run, epochs, side))
    except OSError as problem:
        raise RunError(
            f"Expected a folder that can be written. Received: {str(folder)!r} ({problem}). Choose another."
        ) from problem
    return paths


def _record(content: bytes) -> bytes:
    """Return a TFRecord: the length, the masked CRC-32C of that, the bytes, and theirs."""
    from tensorboardX.record_writer import masked_crc32c

    length = struct.pack("<Q", len(content))
    return b"".join(
        [length, struct.pack("<I", masked_crc32c(length)), content, struct.pack("<I", masked_crc32c(content))]
    )
