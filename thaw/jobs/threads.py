"""Threads that say where there was no memory for them."""

import _thread
import threading
from collections.abc import Callable
from typing import Any

# Long enough for a machine that is busy with other things.
BEGINS_WITHIN_S = 20.0


def start_thread(work: Callable[..., None], *arguments: Any) -> threading.Event:
    """Start `work` in a thread that does not keep the process alive; return what is set once it has ended.

    Raises MemoryError where there is no memory for a thread. `threading.Thread.start` waits until its thread says that
    it has begun, and one that dies of lack of memory before that never does: 11 of 40 imports without memory hung.
    """
    begun, ended = threading.Event(), threading.Event()

    def run() -> None:
        begun.set()
        try:
            work(*arguments)
        finally:
            ended.set()

    try:
        _thread.start_new_thread(run, ())
    except RuntimeError as problem:
        # Python's own word for what the system refused, which after all was memory.
        raise MemoryError("no memory for another thread") from problem
    if not begun.wait(BEGINS_WITHIN_S):
        raise MemoryError("no memory for another thread to begin")
    return ended
