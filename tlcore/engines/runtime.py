"""Runs a network that was written as ONNX, on the processor and without TensorFlow, and keeps its file in the folder of
what it made, so that a kill leaves a whole one or none."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime

from tlcore.files import write_atomically

NETWORK, RECORD = "network.onnx", "network.json"
CORES = os.cpu_count() or 1
# Two pictures on each core at a time: what a layer puts out still fits the core's cache, and no core waits for another
# within a layer. On two cores ResNet50 takes a sixth less processor time than with both on four pictures.
AT_ONCE = 2
# It turns zeros around the input of a maximum pooling into minus infinities.
WRONG_PASS = "Pad_Fusion"
NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate", "OOM", "not enough memory")


class OnnxNetwork:
    """A network in memory: uint8 (n, side, side, 3) -> its outputs, float32, whatever the number of images.

    It runs on `cores` of the processor. Raises MemoryError where memory runs out, and OSError or ValueError for a file
    that is not such a network.
    """

    def __init__(self, file: Path | bytes, cores: int = CORES) -> None:
        self._content = file if isinstance(file, bytes) else file.read_bytes()
        self._cores = cores
        # For few pictures all cores work on each.
        self._shared = self._open(cores)
        self._input = self._shared.get_inputs()[0].name

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Return the outputs for a batch, each (n, *shape)."""
        batches = [pixels[start : start + AT_ONCE] for start in range(0, len(pixels), AT_ONCE)]
        try:
            if self._cores == 1 or len(batches) < self._cores:
                pieces = [self._shared.run(None, {self._input: batch}) for batch in batches]
            else:
                pieces = list(self._pool.map(lambda batch: self._single.run(None, {self._input: batch}), batches))
        except Exception as problem:
            _tell_memory(problem)
            raise
        return [np.concatenate(tensors) for tensors in zip(*pieces, strict=True)]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._cores)

    @cached_property
    def _single(self) -> onnxruntime.InferenceSession:
        """The network as one core runs it by itself, opened when a batch first has work for all."""
        return self._open(1)

    def _open(self, threads: int) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that wait for work would take the processor from those that decode the next photos.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # What goes wrong is raised, and need not be printed too.
        options.log_severity_level = 4
        try:
            return onnxruntime.InferenceSession(
                self._content, options, providers=["CPUExecutionProvider"], disabled_optimizers=[WRONG_PASS]
            )
        except Exception as problem:
            _tell_memory(problem)
            raise ValueError(f"Expected a network as ONNX. Received: {problem}.") from problem


def _tell_memory(problem: Exception) -> None:
    """Raise MemoryError if that is what a runtime's error says."""
    if isinstance(problem, MemoryError) or any(words in str(problem) for words in NO_MEMORY):
        raise MemoryError(f"ONNX Runtime: {problem}") from problem


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
