"""Runs a network that was written as ONNX, on the processor and without TensorFlow."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime

CORES = os.cpu_count() or 1
# Two pictures on each core at a time: what a layer puts out still fits the core's cache, and no core waits for another
# within a layer. On two cores ResNet50 takes a sixth less processor time than with both on four pictures.
AT_ONCE = 2
# It turns zeros around the input of a maximum pooling into minus infinities.
WRONG_PASS = "Pad_Fusion"
NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate", "OOM", "not enough memory")


class OnnxNetwork:
    """A network in memory: uint8 (n, side, side, 3) -> its outputs, float32, whatever the number of images.

    Raises MemoryError where memory runs out, and OSError or ValueError for a file that is not such a network.
    """

    def __init__(self, file: Path | bytes) -> None:
        self._content = file if isinstance(file, bytes) else file.read_bytes()
        # For few pictures all cores work on each.
        self._shared = self._open(CORES)
        self._input = self._shared.get_inputs()[0].name

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Return the outputs for a batch, each (n, *shape)."""
        batches = [pixels[start : start + AT_ONCE] for start in range(0, len(pixels), AT_ONCE)]
        try:
            if CORES == 1 or len(batches) < CORES:
                pieces = [self._shared.run(None, {self._input: batch}) for batch in batches]
            else:
                pieces = list(self._pool.map(lambda batch: self._single.run(None, {self._input: batch}), batches))
        except Exception as problem:
            _tell_memory(problem)
            raise
        return [np.concatenate(tensors) for tensors in zip(*pieces, strict=True)]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(CORES)

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
