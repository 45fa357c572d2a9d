"""Runs tasks on a Ray cluster, by a process of its own that may end with the cluster and take nothing along."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any

from thaw.cluster import driver, node
from thaw.cluster.connection import Node, require_address
from thaw.cluster.runner import (
    AHEAD,
    HERE,
    LOOK_AGAIN_S,
    Call,
    ClusterError,
    Outcome,
    Window,
    forgetting_main,
    tell_problem,
)
from tlcore.progress import CheckStop, never_stop

# Ray takes some seconds to join, and a node as many to start its first process.
JOINED_WITHIN_S = 90.0


class DriverProcess:
    """The process that speaks with Ray, and the pipe to it."""

    def __init__(self, work: Callable[[Connection, str], None], address: str) -> None:
        require_address(address)
        context = get_context("spawn")
        self.address = address
        self.pipe, far = context.Pipe()
        self._process = context.Process(target=work, args=(far, address), daemon=True)
        with forgetting_main():
            self._process.start()
        # Only that process holds it now: its end is heard.
        far.close()
        # What it says is taken in at any time: where both ends wrote more than a pipe holds, neither would go on.
        self._heard: SimpleQueue[Any] = SimpleQueue()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def send(self, message: Any) -> None:
        """Send a message; raise ClusterError where the process is gone."""
        try:
            self.pipe.send(message)
        except OSError as problem:
            raise self._lost() from problem

    def hear(self, within_s: float) -> Any:
        """Return the next message, or None where none comes in time; raise ClusterError once the cluster is lost."""
        try:
            message = self._heard.get(timeout=max(0.0, within_s))
        except Empty:
            return None
        if message is None:
            self._heard.put(None)
            raise self._lost()
        if message[0] == "lost":
            raise ClusterError(message[1])
        return message

    def hear_first(self, within_s: float, check_stop: CheckStop) -> Any:
        """Return the first message, which only a cluster that was joined brings."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            check_stop()
            message = self.hear(LOOK_AGAIN_S)
            if message:
                return message
        raise ClusterError(
            f"Expected a Ray cluster at {self.address}. Received: nothing within {within_s:.0f} s, so that what "
            "listens there is no Ray, or is overloaded. `ray status` on that machine says more."
        )

    def close(self) -> None:
        """End the process, and with it what is at work on the cluster."""
        self._process.kill()
        self._process.join()
        self._listening.join()
        self.pipe.close()

    def _listen(self) -> None:
        """Take in what the process says, and None once it is gone."""
        try:
            while True:
                self._heard.put(self.pipe.recv())
        except (EOFError, OSError):
            self._heard.put(None)

    def _lost(self) -> ClusterError:
        return ClusterError(f"The cluster at {self.address} was lost.")


class RayRunner:
    """Runs tasks on the nodes of a Ray cluster; `tell` hears in words which are left out or gone, and why.

    Raises ClusterError where there is no cluster at `address`, or none of its nodes is fit.
    """

    def __init__(self, address: str, tell: Callable[[str], None], packages: tuple[str, ...] = node.SAME) -> None:
        self.nodes = 0
        self._tell, self._packages, self._room = tell, packages, 0
        self._driver = DriverProcess(driver.drive, address)

    def run(self, call: Call, tasks: Iterable[tuple[int, Any]], check_stop: CheckStop) -> Iterator[Outcome]:
        """Yield how each task ended, as they end (`thaw.cluster.runner.Runner.run`)."""
        shared = self._begin(call, check_stop)
        window = Window(iter(tasks))
        while True:
            check_stop()
            while task := window.next(AHEAD * self._room):
                number, sent = task
                try:
                    sent = sent if shared or not call.carry else call.carry(sent)
                except OSError as problem:
                    # Who does it here finds the photo that cannot be read, and says so.
                    window.end(number)
                    yield Outcome(number, HERE, reason=tell_problem(problem))
                    continue
                self._driver.send((number, sent))
            if window.idle:
                return
            outcome = self._heed(self._driver.hear(LOOK_AGAIN_S))
            if outcome:
                window.end(outcome.number)
                yield outcome

    def close(self) -> None:
        """Leave the cluster, and end what is at work there."""
        self._driver.close()

    def _begin(self, call: Call, check_stop: CheckStop) -> bool:
        """Tell what the tasks have in common; return whether every node sees their files."""
        name, witness = f"{call.function.__module__}:{call.function.__qualname__}", str(call.witness)
        asked = {"function": name, "common": call.common, "packages": self._packages, "whole": call.whole}
        asked["needs_files"] = call.carry is None
        # A file that nobody can read shows nothing: nodes, which answer None of it, do not see the others then.
        self._driver.send(asked | {"witness": witness, "sha256": node.hash_file(witness) or ""})
        deadline = time.monotonic() + JOINED_WITHIN_S
        while True:
            message = self._driver.hear_first(deadline - time.monotonic(), check_stop)
            if message[0] == "ready":
                shared = bool(message[1])
                break
            self._heed(message)
        while not self._room:
            check_stop()
            self._heed(self._driver.hear(LOOK_AGAIN_S))
        return shared

    def _heed(self, message: Any) -> Outcome | None:
        """Take in what the driver says; return how a task ended, where it says that."""
        match message:
            case ("told", words):
                self._tell(words)
            case ("places", nodes, room):
                self.nodes, self._room = nodes, room
            case ("done", number, name, result):
                return Outcome(number, name, result)
            case ("failed", number, name, reason):
                return Outcome(number, name, reason=reason)
        return None


def look_at(address: str) -> list[Node]:
    """Return the nodes of the cluster at an address; raise ClusterError where there is none."""
    asking = DriverProcess(driver.look, address)
    try:
        _, nodes = asking.hear_first(JOINED_WITHIN_S, never_stop)
    finally:
        asking.close()
    return [Node(**each) for each in nodes]
