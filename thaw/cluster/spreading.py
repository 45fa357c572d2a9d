"""Spreads the features of many photos over the cluster that the person named, and says in words how that goes."""

import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from thaw.cluster.connection import require_address
from thaw.cluster.ray_runner import RayRunner
from thaw.cluster.runner import Call, ClusterError, LocalRunner, Outcome, Runner
from thaw.jobs.lifecycle import UNASKED
from thaw.jobs.reporter import Reporter
from tlcore.progress import CheckStop, Common, Result, Task

VARIABLE = "THAW_CLUSTER"
NOTE_EVERY_S = 2.0
FAILURES_NAMED = 3


def chosen_cluster() -> str | None:
    """Return the address of the cluster that this process is to use, or None."""
    return os.environ.get(VARIABLE, "").strip() or None


def require_cluster() -> str:
    """Return the address of the cluster that this process is to use; raise ClusterError where none was named."""
    address = chosen_cluster()
    if address is None:
        raise ClusterError(
            f"Expected the address of a Ray cluster, by --cluster HOST:PORT or the variable {VARIABLE}. Received: "
            "none. `ray start --head` on this machine is enough, and prints it."
        )
    return address


def choose_cluster(address: str | None) -> None:
    """Have this process and those that it starts use a cluster; None leaves it as it is. Raises ClusterError for what
    is no address."""
    if address is not None:
        require_address(address)
        os.environ[VARIABLE] = address


def find_spread(reporter: Reporter) -> "ClusterSpread | None":
    """Return what spreads a job's work over the chosen cluster; None where there is none, or nobody asked for the job:
    a lab's machines are not for looks ahead."""
    address = chosen_cluster()
    if address is None or reporter.store.job(reporter.job_id).kind == UNASKED:
        return None
    return ClusterSpread(address, reporter)


class ClusterSpread:
    """Has the tasks of a job done on a cluster (`tlcore.progress.Spread`), and where that is lost by processes here."""

    def __init__(self, address: str, reporter: Reporter) -> None:
        self._address, self._reporter = address, reporter
        self._told: list[str] = []
        self._noted_at = 0.0
        self._place = ""

    def __call__(
        self,
        function: Any,
        common: Common,
        tasks: Iterable[Task],
        carry: Any,
        witness: Path,
        check_stop: CheckStop,
    ) -> Generator[Result | None, None, None]:
        """Yield the tasks' results in order; None for one that failed (`tlcore.progress.Spread`)."""
        call = Call(function, common, carry, witness)
        ended, due = dict[int, Outcome](), 0
        with closing(self._run(call, tasks, check_stop)) as outcomes:
            for outcome in outcomes:
                ended[outcome.number] = outcome
                while due in ended:
                    yield ended.pop(due).result
                    due += 1
        self._note("")

    def try_each(
        self,
        function: Any,
        common: Any,
        tasks: Sequence[Any],
        witness: Path,
        packages: tuple[str, ...],
        check_stop: CheckStop,
    ) -> Generator[Any, None, None]:
        """Yield what `function(common, task)` returns, as the tasks end, each on a machine of its own that sees the
        file `witness`. What failed, and what a lost cluster leaves, is not yielded: it is for the caller to do."""
        call, done = Call(function, common, None, witness, whole=True), 0
        try:
            with closing(RayRunner(self._address, self._tell, packages)) as there:
                self._note(f"Joining the cluster at {self._address}.")
                for outcome in there.run(call, enumerate(tasks), check_stop):
                    done += 1
                    if outcome.reason is not None:
                        self._tell(f"One task failed on {outcome.node} ({outcome.reason}): it is done on this machine.")
                        continue
                    self._note(f"On {self._count(there)}, {done} of {len(tasks)} tasks.")
                    yield outcome.result
        except ClusterError as problem:
            self._place = ""
            self._tell(f"{problem} What is not done yet is computed on this machine.")

    def decline(self, reason: str) -> None:
        """Say why nothing is done on the cluster."""
        self._tell(f"Computed on this machine and not on the cluster at {self._address}: {reason}.")

    def _run(self, call: Call, tasks: Iterable[Any], check_stop: CheckStop) -> Generator[Outcome, None, None]:
        """Yield how each task ended, as they end, wherever that is."""
        under_way, numbered = dict[int, Any](), enumerate(tasks)

        def offer() -> Iterator[tuple[int, Any]]:
            for number, task in numbered:
                under_way[number] = task
                yield number, task

        try:
            with closing(RayRunner(self._address, self._tell)) as there:
                self._note(f"Joining the cluster at {self._address}.")
                yield from self._follow(there, call, offer(), under_way, check_stop)
        except ClusterError as problem:
            self._place = ""
            self._tell(f"{problem} What is not done yet is computed on this machine.")
        else:
            return
        with closing(LocalRunner()) as here:
            rest = chain(sorted(under_way.items()), offer())
            yield from self._follow(here, call, rest, under_way, check_stop)

    def _follow(
        self,
        runner: Runner,
        call: Call,
        tasks: Iterable[tuple[int, Any]],
        under_way: dict[int, Any],
        check_stop: CheckStop,
    ) -> Iterator[Outcome]:
        """Yield what a runner yields, and tell where it runs, how fast and what failed."""
        done, failed, rate = 0, 0, _Rate()
        for outcome in runner.run(call, tasks, check_stop):
            items = len(under_way.pop(outcome.number))
            if outcome.reason is None:
                done += items
                rate.count(items)
            else:
                failed += 1
                if failed <= FAILURES_NAMED:
                    what = "1 photo" if items == 1 else f"{items} photos"
                    self._tell(
                        f"{what} failed three times, lastly on {outcome.node} ({outcome.reason}): left to this machine."
                    )
            if done and time.monotonic() - self._noted_at > NOTE_EVERY_S:
                self._note(self._locate(runner, rate))
            yield outcome
        if done:
            self._place = self._locate(runner, rate)

    def _locate(self, runner: Runner, rate: "_Rate") -> str:
        if isinstance(runner, LocalRunner):
            return f"On this machine{rate}."
        return f"On {self._count(runner)}{rate}."

    def _count(self, runner: Runner) -> str:
        machines = "1 machine" if runner.nodes == 1 else f"{runner.nodes} machines"
        return f"{machines} of the cluster at {self._address}"

    def _tell(self, words: str) -> None:
        if words not in self._told:
            self._told.append(words)
            self._note(self._place)

    def _note(self, place: str) -> None:
        self._place, self._noted_at = place or self._place, time.monotonic()
        self._reporter.note(" ".join([*self._told, self._place]).strip())


class _Rate:
    """How many photos a second come, from the first that came on: what went before was joining and loading."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last, self._items = 0.0, 0

    def count(self, items: int) -> None:
        """Hear that so many more have come."""
        self._last = time.monotonic()
        if self._first is None:
            self._first = self._last
        else:
            self._items += items

    def __str__(self) -> str:
        seconds = self._last - (self._first or 0.0)
        return f", {self._items / seconds:,.0f} photos/s" if self._items and seconds > 0 else ""
