"""Writes the epochs of a run as TensorBoard event files, without TensorFlow.

An event file is a TFRecord of `Event` messages (TensorFlow's record_writer.h and event.proto): each record is its
length, the masked CRC-32C of that, the bytes, and their masked CRC-32C.
"""

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
_MASK_DELTA = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78
_FILE_VERSION = "brain.Event:2"
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def name_events(run: Run, side: str) -> str:
    """Name the event file of a side relative to the folder that TensorBoard is pointed at."""
    return f"{run.id}/{side}/events.out.tfevents.{int(run.created_at)}.{run.id}"


def encode_events(run: Run, epochs: Iterable[Epoch], side: str) -> bytes:
    """Return the event file of one side ("training" or "validation"): one step an epoch, numbered as in the run.

    Thaw keeps how long each epoch took and not when it ended; the times are the run's start and those added up.
    """
    moment = run.created_at
    records = [_event(moment, 0, _field(3, _LENGTH, _FILE_VERSION.encode()))]
    for epoch in epochs:
        moment += epoch.seconds
        values = b"".join(_scalar(tag, getattr(epoch, field)) for tag, field in SERIES[side].items())
        records.append(_event(moment, epoch.epoch, _field(5, _LENGTH, values)))
    return b"".join(map(_record, records))


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


def _scalar(tag: str, number: float) -> bytes:
    value = _field(1, _LENGTH, tag.encode()) + _field(2, _FIXED32, struct.pack("<f", number))
    return _field(1, _LENGTH, value)


def _event(moment: float, step: int, rest: bytes) -> bytes:
    return _field(1, _FIXED64, struct.pack("<d", moment)) + _field(2, _VARINT, _varint(step)) + rest


def _field(number: int, kind: int, content: bytes) -> bytes:
    length = _varint(len(content)) if kind == _LENGTH else b""
    return _varint(number << 3 | kind) + length + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _masked(length) + content + _masked(content)


def _masked(content: bytes) -> bytes:
    """Return the CRC-32C (Castagnoli) of bytes, rotated and shifted as TFRecord wants it."""
    check = 0xFFFFFFFF
    for byte in content:
        check = check >> 8 ^ _TABLE[(check ^ byte) & 0xFF]
    check ^= 0xFFFFFFFF
    return struct.pack("<I", ((check >> 15 | check << 17 & 0xFFFFFFFF) + _MASK_DELTA) & 0xFFFFFFFF)


def _table_entry(number: int) -> int:
    for _ in range(8):
        number = number >> 1 ^ (_POLYNOMIAL if number & 1 else 0)
    return number


_TABLE = tuple(map(_table_entry, range(256)))
