"""Runs small processes, some side by side, and ends them all where the work is stopped or its own process dies.

As a process, `python -m tlcore.exporting.subprocesses MODULE ARGUMENTS`, it runs a module and ends with the process
that started it.
"""

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar

from tlcore.environment import SOURCE_ROOT
from tlcore.errors import RunError

LOOK_AGAIN_S = 0.3
LONGEST_REASON = 300

# What no process does to itself: the system killed it for its memory, or a person did.
KILLED = -9

Result = TypeVar("Result")


class Killed(RunError):
    """A process was killed from outside, which says nothing of what it worked on."""


class Subprocesses:
    """The processes of one piece of work, in a `with`: on leaving, none is left.

    `watch` is called every 0.3 s from the thread that works; it tells progress, and raises to end the work.
    """

    def __init__(self, folder: Path, watch: Callable[[], None]) -> None:
        self._folder = folder
        self._watch = watch
        self._lock = threading.Lock()
        self._alive: set[subprocess.Popen[str]] = set()
        self._over = False

    def __enter__(self) -> "Subprocesses":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def side_by_side(self, tasks: Sequence[Callable[[], Result]], workers: int) -> list[Result]:
        """Do the tasks, `workers` at a time, and return their results in order."""
        with ThreadPoolExecutor(workers) as pool:
            pending = [pool.submit(task) for task in tasks]
            try:
                waiting = set(pending)
                while waiting:
                    finished, waiting = wait(pending, timeout=LOOK_AGAIN_S, return_when=FIRST_EXCEPTION)
                    for each in finished:
                        each.result()
                    self._watch()
            except BaseException:
                # Before the pool is left, which waits for its threads, and these for their processes.
                pool.shutdown(wait=False, cancel_futures=True)
                self._end()
                raise
            return [each.result() for each in pending]

    def run(self, module: str, arguments: Sequence[str], hear: Callable[[str], None]) -> str | None:
        """Run `python -m module ARGUMENTS` to its end; return why it failed, or None. Raise Killed where it was killed.

        `hear` gets every line that it prints. May be called from a task of `side_by_side`.
        """
        errors = self._folder / f"{module}-{threading.get_ident()}-{time.monotonic_ns()}.log"
        with errors.open("w", encoding="utf-8") as log, self._start(module, arguments, log) as process:
            assert process.stdout is not None
            for line in process.stdout:
                hear(line.strip())
            process.wait()
        with self._lock:
            self._alive.discard(process)
            if process.returncode == KILLED and not self._over:
                raise Killed(
                    f"Expected the process {module!r} to end by itself. Received: one that was killed, as happens "
                    "where the computer runs out of memory. Close other programs and try again."
                )
        return _explain(process.returncode, errors.read_text(encoding="utf-8", errors="replace"))

    def _end(self) -> None:
        with self._lock:
            self._over = True
            for process in self._alive:
                process.kill()

    def _start(self, module: str, arguments: Sequence[str], log: IO[str]) -> subprocess.Popen[str]:
        with self._lock:
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, module, *arguments],
                # Never written to: it ends where this process does, whichever way it died.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                errors="replace",
                cwd=SOURCE_ROOT,
            )
            self._alive.add(process)
            if self._over:
                process.kill()
        return process


def _explain(status: int, errors: str) -> str | None:
    if status == 0:
        return None
    if status < 0:
        return f"its process crashed ({signal.Signals(-status).name})"
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1][:LONGEST_REASON] if lines else f"its process ended with status {status}"


def main() -> None:
    """Run the module that is named first, as `python -m` does, and end with the process at the other end of stdin."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    # Not by `sys.stdin`, whose lock a thread that waits would hold when Python ends.
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
