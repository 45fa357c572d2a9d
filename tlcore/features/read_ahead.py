"""Has rows of tensors read from the disk before they are wanted, since the order of an epoch is known beforehand."""

import mmap
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

# Of less than that the system keeps in memory what was read once, and nothing is read beforehand.
LARGE_BYTES = 1_000_000_000
# How much is read beyond what is being worked on.
AHEAD_BYTES = 64_000_000
# So many rows are waited for at a time: a disk answers many questions at once far sooner than one after another.
THREADS = 16
# What the system reads around a page that is wanted; of smaller rows that would be more than the rows themselves.
AROUND_BYTES = 131_072


class ReadAhead:
    """Touches rows of memory-mapped tensors (rows, *shape), in threads, while others are worked on.

    A thread touches many pages in one call of NumPy, which lets others run meanwhile; to ask the system for row after
    row would wait for Python's lock at each. `window` is how many rows are read beyond those that are being worked on.
    """

    def __init__(self, tensors: Sequence[np.ndarray]) -> None:
        self._parts = [(_map(tensor), tensor[0].nbytes) for tensor in tensors if isinstance(tensor, np.memmap)]
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="read ahead")
        self.window = max(1, AHEAD_BYTES // measure_row(tensors))

    @property
    def maps(self) -> list[mmap.mmap]:
        """Return what the rows are read through."""
        return [mapped for mapped, _ in self._parts]

    def ask(self, rows: np.ndarray) -> list[Future[None]]:
        """Have rows, int64 (n,), read; return at once."""
        return [self._pool.submit(self._touch, part) for part in np.array_split(np.sort(rows), THREADS) if len(part)]

    def _touch(self, rows: np.ndarray) -> None:
        for mapped, row_bytes in self._parts:
            np.take(np.frombuffer(mapped, np.uint8), list_pages(rows, row_bytes))


def list_pages(rows: np.ndarray, row_bytes: int) -> np.ndarray:
    """Return a place in every page of the rows, int64 (n,): what has to be touched for them to be read."""
    starts = rows * row_bytes
    steps = np.arange(0, row_bytes + mmap.PAGESIZE - 1, mmap.PAGESIZE)
    return np.minimum(starts[:, None] + steps, starts[:, None] + row_bytes - 1).ravel()


def read_ahead_of(tensors: Sequence[np.ndarray], rows: int) -> ReadAhead | None:
    """Return what reads ahead of so many rows of tensors, or None where that is of no use: they are few, or in
    memory."""
    mapped = all(isinstance(tensor, np.memmap) for tensor in tensors)
    if not mapped or rows * measure_row(tensors) < LARGE_BYTES:
        return None
    try:
        return ReadAhead(tensors)
    except OSError:
        # Somebody has made room: what is mapped already can still be read.
        return None


def measure_row(tensors: Sequence[np.ndarray]) -> int:
    """Return how many bytes a row of these tensors takes."""
    return sum(tensor[0].nbytes for tensor in tensors if len(tensor))


def _map(tensor: np.memmap) -> mmap.mmap:
    with Path(str(tensor.filename)).open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if tensor[0].nbytes < AROUND_BYTES // 2 and hasattr(mmap, "MADV_RANDOM"):
        mapped.madvise(mmap.MADV_RANDOM)
    return mapped
