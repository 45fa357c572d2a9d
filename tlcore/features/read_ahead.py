"""Has rows of tensors read from the disk before they are wanted, since the order of an epoch is known beforehand."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

# Of less than that the system keeps in memory what was read once, and nothing is asked for beforehand.
LARGE_BYTES = 1_000_000_000
# How much is asked for beyond what is being worked on.
AHEAD_BYTES = 64_000_000


class ReadAhead:
    """Asks the system for rows of memory-mapped tensors (rows, *shape), in a thread, while others are worked on.

    `window` is how many rows are asked for beyond those that are being worked on.
    """

    def __init__(self, tensors: Sequence[np.ndarray]) -> None:
        mapped = [tensor for tensor in tensors if isinstance(tensor, np.memmap) and len(tensor)]
        self._files = [(os.open(str(tensor.filename), os.O_RDONLY), tensor[0].nbytes) for tensor in mapped]
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read ahead")
        self.window = max(1, AHEAD_BYTES // measure_row(tensors))

    def ask(self, rows: np.ndarray) -> Future[None]:
        """Have rows, int64 (n,), read; return at once."""
        return self._pool.submit(self._ask, np.sort(rows))

    def _ask(self, rows: np.ndarray) -> None:
        for file, row_bytes in self._files:
            for start, count in join_runs(rows):
                os.posix_fadvise(file, start * row_bytes, count * row_bytes, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        """Let go of the files; what has been asked for is waited for."""
        self._pool.shutdown()
        for file, _ in self._files:
            os.close(file)
        self._files = []


def join_runs(rows: np.ndarray) -> list[tuple[int, int]]:
    """Return sorted row numbers as runs that lie end to end: the first row and the number of rows of each."""
    if not len(rows):
        return []
    rows = np.unique(rows)
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
    counts = np.diff(starts, append=len(rows))
    return list(zip(rows[starts].tolist(), counts.tolist(), strict=True))


def read_ahead_of(tensors: Sequence[np.ndarray], rows: int) -> ReadAhead | None:
    """Return what reads ahead of so many rows of tensors, or None where that is of no use: they are few, are in memory,
    or the system cannot be asked."""
    mapped = all(isinstance(tensor, np.memmap) for tensor in tensors)
    if not mapped or not hasattr(os, "posix_fadvise") or rows * measure_row(tensors) < LARGE_BYTES:
        return None
    return ReadAhead(tensors)


def measure_row(tensors: Sequence[np.ndarray]) -> int:
    """Return how many bytes a row of these tensors takes."""
    return sum(tensor[0].nbytes for tensor in tensors if len(tensor))
