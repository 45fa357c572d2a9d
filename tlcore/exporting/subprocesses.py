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
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from tlcore.environment import SOURCE_ROOT
from tlcore.errors import RunError

LOOK_AGAIN_S = 0.3
LONGEST_REASON = 300

# What no process does to itself: the system killed it for its memory, or a person did.
KILLED = -9

Result = TypeVar("Result")


class Killed(RunError):
    """A process was killed from outside, which says nothing of what it worked on."""


class Process:
    """A process that was started by `Subprocesses`: what it prints is heard, and lines may be said to it."""

    def __init__(self, module: str, running: subprocess.Popen[str], errors: Path, is_over: Callable[[], bool]) -> None:
        self._module = module
        self._running = running
        self._errors = errors
        self._is_over = is_over

    def listen(self, hear: Callable[[str], None], until: str | None = None) -> str | None:
        """Give `hear` every line that it prints, to its end or to the line `until`, after which it lives on.

        Returns why it failed, or None. Raises Killed where it was killed from outside.
        """
        assert self._running.stdout is not None
        for line in self._running.stdout:
            if line.strip() == until:
                return None
            hear(line.strip())
        # Before its pipes are closed: at the end of stdin it would end with another status.
        status = self._running.wait()
        self.close()
        if status == KILLED and not self._is_over():
            raise Killed(
                f"Expected the process {self._module!r} to end by itself. Received: one that was killed, as happens "
                "where the computer runs out of memory. Close other programs and try again."
            )
        return _explain(status, self._errors.read_text(encoding="utf-8", errors="replace"))

    def say(self, line: str) -> None:
        """Write a line to its standard input; one that is dead by now does not hear it."""
        assert self._running.stdin is not None
        with suppress(BrokenPipeError):
            self._running.stdin.write(f"{line}\n")
            self._running.stdin.flush()

    def kill(self) -> None:
        """Kill it, if it lives."""
        self._running.kill()

    def close(self) -> None:
        """Wait for its end and close its pipes."""
        self._running.wait()
        for pipe in (self._running.stdin, self._running.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()


class Subprocesses:
    """The processes of one piece of work, in a `with`: on leaving, none is left.

    `watch` is called every 0.3 s from the thread that works; it tells progress, and raises to end the work.
    """

    def __init__(self, folder: Path, watch: Callable[[], None]) -> None:
        self._folder = folder
        self._watch = watch
        self._lock = threading.Lock()
        self._started: list[Process] = []
        self._over = False

    def __enter__(self) -> "Subprocesses":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        for each in self._started:
            each.close()

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
        return self.start(module, arguments).listen(hear)

    def start(self, module: str, arguments: Sequence[str]) -> Process:
        """Start `python -m module ARGUMENTS`; unless it has ended by itself, it is killed at the end of the work."""
        errors = self._folder / f"{module}-{threading.get_ident()}-{time.monotonic_ns()}.log"
        with self._lock, errors.open("w", encoding="utf-8") as log:
            running = subprocess.Popen(
                [sys.executable, "-m", __name__, module, *arguments],
                # It ends where this process does, whichever way it died.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                errors="replace",
                cwd=SOURCE_ROOT,
            )
            process = Process(module, running, errors, lambda: self._over)
            self._started.append(process)
            if self._over:
                process.kill()
        return process

    def _end(self) -> None:
        with self._lock:
            self._over = True
            for process in self._started:
                process.kill()


def _explain(status: int, errors: str) -> str | None:
    if status == 0:
        return None
    if status < 0:
        return f"its process crashed ({signal.Signals(-status).name})"
    return shorten_reason(errors) or f"its process ended with status {status}"


def shorten_reason(words: str) -> str:
    """Return the last line that says something, where Python says why it failed; "" where there is none."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1][:LONGEST_REASON] if lines else ""


def main() -> None:
    """Run the module that is named first, as `python -m` does, and end with the process at the other end of stdin.

    What comes from there is the module's standard input.
    """
    parent, (inlet, outlet) = os.dup(0), os.pipe()
    os.dup2(inlet, 0)
    threading.Thread(target=_end_with_parent, args=(parent, outlet), daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent(parent: int, outlet: int) -> None:
    # Not by `sys.stdin`, whose lock a thread that waits would hold when Python ends.
    while words := os.read(parent, 1024):
        os.write(outlet, words)
    os._exit(1)


if __name__ == "__main__":
    main()
