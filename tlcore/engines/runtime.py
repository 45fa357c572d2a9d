"""Runs a network that was written as ONNX, on the processor and without TensorFlow."""

import os
from pathlib import Path

import numpy as np
import onnxruntime

# More at once is slower: what a layer puts out no longer fits the processor's caches.
AT_ONCE = 4
# It turns zeros around the input of a maximum pooling into minus infinities.
WRONG_PASS = "Pad_Fusion"
NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate", "OOM", "not enough memory")


class OnnxNetwork:
    """A network in memory: uint8 (n, side, side, 3) -> its outputs, float32, whatever the number of images.

    Raises MemoryError where memory runs out, and OSError or ValueError for a file that is not such a network.
    """

    def __init__(self, file: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 1
        # Threads that wait for work would take the processor from those that decode the next photos.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # What goes wrong is raised, and need not be printed too.
        options.log_severity_level = 4
        content = file if isinstance(file, bytes) else file.read_bytes()
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], disabled_optimizers=[WRONG_PASS]
            )
        except Exception as problem:
            _tell_memory(problem)
            raise ValueError(f"Expected a network as ONNX. Received: {str(file)[:200]} ({problem}).") from problem
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Return the outputs for a batch, each (n, *shape)."""
        try:
            pieces = [
                self._session.run(None, {self._input: pixels[start : start + AT_ONCE]})
                for start in range(0, len(pixels), AT_ONCE)
            ]
        except Exception as problem:
            _tell_memory(problem)
            raise
        return [np.concatenate(tensors) for tensors in zip(*pieces, strict=True)]


def _tell_memory(problem: Exception) -> None:
    """Raise MemoryError if that is what a runtime's error says."""
    if isinstance(problem, MemoryError) or any(words in str(problem) for words in NO_MEMORY):
        raise MemoryError(f"ONNX Runtime: {problem}") from problem
