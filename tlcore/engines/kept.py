"""The file of a network in the folder of what it made, written so that a kill leaves a whole one or none."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import onnxruntime

from tlcore.engines.runtime import OnnxNetwork
from tlcore.files import write_atomically

NETWORK, RECORD = "network.onnx", "network.json"


@dataclass(frozen=True)
class Record:
    """What is known of a network's file: its sha256, how far its answers were from Keras's as a share of the largest
    (None where they have not been compared yet), and why it is not to be used, if it is not, by which runtime."""

    sha256: str | None = None
    apart: float | None = None
    refused: str | None = None
    runtime: str = onnxruntime.__version__


def keep(folder: Path, content: bytes, apart: float | None) -> None:
    """Put a network and its record into `folder`, the record last."""
    write_atomically(folder / NETWORK, content)
    _write(folder, Record(hashlib.sha256(content).hexdigest(), apart))


def refuse(folder: Path, reason: str) -> None:
    """Record why no network is to be kept in `folder`, and remove what is there."""
    _write(folder, Record(refused=reason))
    (folder / NETWORK).unlink(missing_ok=True)


def read_record(folder: Path) -> Record:
    """Return what is recorded in `folder`; nothing, where that cannot be read or is of another version of the runtime
    that refused."""
    try:
        record = Record(**json.loads((folder / RECORD).read_bytes()))
    except (OSError, ValueError, TypeError):
        return Record()
    return Record() if record.refused and record.runtime != onnxruntime.__version__ else record


def open_kept(folder: Path) -> OnnxNetwork | None:
    """Load the network in `folder`; None where there is none, or another content than was recorded."""
    record = read_record(folder)
    try:
        content = (folder / NETWORK).read_bytes()
    except OSError:
        return None
    return OnnxNetwork(content) if hashlib.sha256(content).hexdigest() == record.sha256 else None


def _write(folder: Path, record: Record) -> None:
    write_atomically(folder / RECORD, json.dumps(asdict(record)).encode())
