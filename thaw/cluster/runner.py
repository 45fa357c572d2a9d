"""What a runner of tasks is, wherever it runs them, and the one that uses this machine's processes."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from tlcore.errors import RunError
from tlcore.progress import CheckStop

TRIES = 3
# Of how many tasks for each that is at work results may wait for an earlier one.
AHEAD = 3
LOOK_AGAIN_S = 0.2
HERE = "this machine"


class ClusterError(RunError):
    """There is no cluster at an address, it cannot be used, or it is lost; what was finished is kept."""


@dataclass(frozen=True)
class Outcome:
    """How one task ended, on which node: with its result, or, after `TRIES` tries, with a reason in plain words."""

    number: int
    node: str
    result: Any = None
    reason: str | None = None


@dataclass(frozen=True)
class Call:
    """A function of a module, what all its tasks have in common, and what finds out whether a machine sees the tasks'
    files: `carry` returns a task with their content, `witness` is one of them; without `carry` machines that do not
    see them are left out. `whole` gives each task a machine of its own."""

    function: Callable[[Any, Any], Any]
    common: Any
    carry: Callable[[Any], Any] | None
    witness: Path
    whole: bool = False


class Runner(Protocol):
    """Runs tasks somewhere; to be closed, which gives up what is not done yet."""

    @property
    def nodes(self) -> int:
        """Return how many machines it has."""

    def run(self, call: Call, tasks: Iterable[tuple[int, Any]], check_stop: CheckStop) -> Iterator[Outcome]:
        """Yield how each of the numbered tasks ended, as they end. Raises ClusterError where nothing is left to run
        them."""

    def close(self) -> None:
        """End what is at work."""


@dataclass
class Window:
    """Lets so many tasks be on their way that results which wait for an earlier one stay few."""

    tasks: Iterator[tuple[int, Any]]
    under_way: deque[int] = field(default_factory=deque)
    ended: set[int] = field(default_factory=set)

    def next(self, most: int) -> tuple[int, Any] | None:
        """Return the next task if fewer than `most` lie between the first that is not done and it."""
        while self.under_way and self.under_way[0] in self.ended:
            self.ended.discard(self.under_way.popleft())
        if len(self.under_way) >= most:
            return None
        task = next(self.tasks, None)
        if task is not None:
            self.under_way.append(task[0])
        return task

    def end(self, number: int) -> None:
        """Hear that a task is done."""
        self.ended.add(number)

    @property
    def idle(self) -> bool:
        """Say whether every task that was let out is done."""
        return len(self.under_way) == len(self.ended)


class LocalRunner:
    """Runs tasks in processes of this machine, one a core."""

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes or os.cpu_count() or 1
        self.nodes = 1
        self._pool: ProcessPoolExecutor | None = None

    def run(self, call: Call, tasks: Iterable[tuple[int, Any]], check_stop: CheckStop) -> Iterator[Outcome]:
        """Yield how each task ended, as they end (`Runner.run`)."""
        window, tries = Window(iter(tasks)), dict[int, int]()
        waiting, alone = dict[Future[Any], tuple[int, Any]](), deque[tuple[int, Any]]()
        while True:
            check_stop()
            if alone and not waiting:
                suspect = alone.popleft()
                waiting[self._submit(call, suspect[1])] = suspect
            while not alone and (task := window.next(AHEAD * self.processes)):
                waiting[self._submit(call, task[1])] = task
            if not waiting:
                return
            done, _ = wait(waiting, timeout=LOOK_AGAIN_S, return_when=FIRST_COMPLETED)
            if len(waiting) > 1 and any(isinstance(future.exception(), BrokenProcessPool) for future in done):
                # One process that dies takes all tasks along, and which one killed it shows where each runs alone.
                broken = [each for each in waiting if not each.done() or each.exception() is not None]
                alone.extend(waiting.pop(each) for each in broken)
                self.close()
                done = set(waiting)
            for future in done:
                number, task_ = waiting.pop(future)
                problem = future.exception()
                if problem is None:
                    window.end(number)
                    yield Outcome(number, HERE, future.result())
                    continue
                if isinstance(problem, BrokenProcessPool):
                    self.close()
                tries[number] = tries.get(number, 0) + 1
                if tries[number] < TRIES:
                    alone.append((number, task_))
                else:
                    window.end(number)
                    yield Outcome(number, HERE, reason=tell_problem(problem))

    def close(self) -> None:
        """End the processes once each is through with its task."""
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _submit(self, call: Call, task: Any) -> Future[Any]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.processes, get_context("spawn"), initializer=_keep, initargs=(call.function, call.common)
            )
        with forgetting_main():
            return self._pool.submit(_do, task)


@contextmanager
def forgetting_main() -> Iterator[None]:
    """Start processes that do not run this one's program again, whatever that is: they only need modules."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def tell_problem(problem: BaseException) -> str:
    """Say in a line what went wrong with a task."""
    if isinstance(problem, BrokenProcessPool):
        return "its process died, perhaps for want of memory"
    if isinstance(problem, MemoryError):
        return "there was not enough memory"
    words = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {words[0]}" if words else type(problem).__name__


# A process has one function and what its tasks have in common: neither is sent again with every task.
_kept: tuple[Callable[[Any, Any], Any], Any] | None = None


def _keep(function: Callable[[Any, Any], Any], common: Any) -> None:
    global _kept
    _kept = function, common
    # It holds both ends of the queue that it reads: it would never hear that nobody writes there any more.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(task: Any) -> Any:
    assert _kept is not None
    function, common = _kept
    return function(common, task)
