"""The process that speaks with Ray for a job: it gives tasks to nodes, and tells the job how they ended, by a pipe.

A process of its own, since Ray ends one whose cluster is lost, and since a job has TensorFlow loaded.
"""

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from thaw.cluster import node
from thaw.cluster.connection import (
    EXAMINED_WITHIN_S,
    Node,
    connect,
    find_fault,
    list_nodes,
    no_machine,
    own_versions,
    place_on,
    tell_unseen,
)
from thaw.cluster.runner import ClusterError, tell_problem
from thaw.cluster.schedule import SPARE, Schedule
from tlcore.errors import WeightsError

LOOK_AGAIN_S = 0.1
NODES_EVERY_S = 2.0
HEARD_WITHIN_S = 10.0
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def drive(pipe: Connection, address: str) -> None:
    """Join the cluster and do the tasks that the job at the other end of the pipe sends, until it hangs up."""
    serve(pipe, address, lambda asked: Driver(pipe, address).work(asked))


def serve(pipe: Connection, address: str, work: Callable[[dict[str, Any]], None]) -> None:
    """Join the cluster and do what the job at the other end of the pipe asks for; nothing follows in this process."""
    _be_silent()
    try:
        with suppress(EOFError, BrokenPipeError, ConnectionResetError):
            asked = pipe.recv()
            try:
                connect(address)
                work(asked)
            except ClusterError as problem:
                say_goodbye(pipe, problem)
    finally:
        # Ray's own goodbyes may wait for a cluster that is gone; what is under way there ends with this process.
        os._exit(0)


def look(pipe: Connection, address: str) -> None:
    """Join the cluster and send what its nodes are."""
    _be_silent()
    try:
        connect(address)
        pipe.send(("nodes", [asdict(each) for each in list_nodes()]))
    except ClusterError as problem:
        pipe.send(("lost", str(problem)))
    finally:
        os._exit(0)


class Driver:
    """One run of tasks on a cluster that is joined."""

    def __init__(self, pipe: Connection, address: str) -> None:
        import ray

        self._ray, self._pipe, self._address = ray, pipe, address
        # By value: a node without Thaw is to say so.
        ray.cloudpickle.register_pickle_by_value(node)
        self._do, self._describe = ray.remote(node.do), ray.remote(node.describe)
        self._schedule = Schedule()
        self._tasks: dict[int, Any] = {}
        self._refs: dict[Any, tuple[int, str]] = {}
        self._asked: dict[Any, Node] = {}
        self._seen: dict[str, str] = {}
        self._sees: dict[str, bool] = {}
        self._cpus: dict[str, int] = {}
        self._looked_at = 0.0
        self._shared: bool | None = None

    def work(self, asked: dict[str, Any]) -> None:
        """Do the tasks that come by the pipe; `asked` says what all of them have in common."""
        self._packages, self._witness, self._sha256 = asked["packages"], asked["witness"], asked["sha256"]
        self._whole, self._needs_files = asked["whole"], asked["needs_files"]
        self._schedule.spare = 0 if self._whole else SPARE
        self._own = own_versions(self._packages)
        self._meet()
        self._function, self._common = asked["function"], self._ray.put(asked["common"])
        self._shared = all(self._sees[each] for each in self._schedule.nodes)
        self._pipe.send(("ready", self._shared))
        self._tell_places()
        while True:
            self._read()
            self._look_at_nodes()
            for attempt in self._schedule.choose(time.monotonic()):
                place = place_on(attempt.node, self._cpus[attempt.node] if self._whole else 1)
                ref = self._do.options(**place).remote(self._function, self._common, self._tasks[attempt.number])
                self._refs[ref] = attempt.number, attempt.node
            self._await()

    def _meet(self) -> None:
        """Ask every node what it has, and wait for the answers."""
        self._look_at_nodes()
        deadline = time.monotonic() + EXAMINED_WITHIN_S
        while self._asked and time.monotonic() < deadline:
            self._await()
        if not self._schedule.nodes:
            self._asked.clear()
        self._require_nodes()

    def _read(self) -> None:
        """Take in the tasks that the job has sent."""
        while self._pipe.poll():
            number, task = self._pipe.recv()
            self._tasks[number] = task
            self._schedule.add(number)

    def _look_at_nodes(self) -> None:
        """Notice nodes that are gone and ask new ones what they have."""
        if time.monotonic() - self._looked_at < NODES_EVERY_S:
            return
        self._looked_at = time.monotonic()
        nodes = {each.id: each for each in list_nodes()}
        for gone in [each for each in self._schedule.nodes if not nodes[each].alive]:
            self._leave_out(gone, f"{self._seen[gone]} is gone: what it was doing goes to others.")
        for each in nodes.values():
            if each.alive and each.cpus >= 1 and each.id not in self._seen:
                self._seen[each.id] = each.name
                place = place_on(each.id, 0)
                self._asked[self._describe.options(**place).remote(self._packages, self._witness)] = each

    def _await(self) -> None:
        """Wait a moment for something to end, and tell what has."""
        refs = [*self._refs, *self._asked]
        if not refs:
            self._pipe.poll(LOOK_AGAIN_S)
            return
        ended, _ = self._ray.wait(refs, num_returns=1, timeout=LOOK_AGAIN_S)
        for ref in ended:
            if ref in self._asked:
                self._hear(ref, self._asked.pop(ref))
            else:
                self._end(ref, *self._refs.pop(ref))

    def _hear(self, ref: Any, asked: Node) -> None:
        """Take a node in, or leave it out and say why."""
        try:
            said = self._ray.get(ref)
        except self._ray.exceptions.RayError as problem:
            self._tell(f"{asked.name} is left out: it did not say what it has ({tell_problem(problem)}).")
            return
        fault = find_fault(asked.name, said, self._own)
        sees = said["witness"] == self._sha256
        if fault is None and not sees and (self._shared or self._needs_files):
            fault = tell_unseen(asked.name, self._witness)
        if fault:
            self._tell(fault)
            return
        self._sees[asked.id] = sees
        self._schedule.nodes[asked.id] = 1 if self._whole else int(asked.cpus)
        self._cpus[asked.id] = int(asked.cpus)
        self._tell_places()

    def _end(self, ref: Any, number: int, node_id: str) -> None:
        """Tell the job how a task ended, or have it tried again."""
        errors, now = self._ray.exceptions, time.monotonic()
        name = self._seen[node_id]
        try:
            result = self._ray.get(ref)
        except errors.RayTaskError as problem:
            cause = problem.cause
            if isinstance(cause, ImportError):
                self._leave_out(node_id, f"{name} is left out: it lacks a package ({tell_problem(cause)}).")
            elif isinstance(cause, WeightsError):
                self._leave_out(node_id, f"{name} is left out: {cause}.")
            elif isinstance(cause, OSError) and cause.errno in NO_ROOM:
                self._leave_out(node_id, f"{name} is left out: its disk is full. Free some space there.")
            elif self._schedule.fail(number, node_id):
                self._give_up(number, name, tell_problem(cause))
        except errors.OutOfDiskError:
            self._leave_out(node_id, f"{name} is left out: its disk is full. Free some space there.")
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.LocalRayletDiedError) as problem:
            if self._schedule.crash(number, node_id, now):
                short = isinstance(problem, errors.OutOfMemoryError)
                words = "it ran out of memory" if short else "its process died, perhaps for want of memory"
                self._give_up(number, name, words)
        except errors.RayError as problem:
            # The node or what it had made is gone, which is no fault of the task.
            if self._schedule.crash(number, node_id, now):
                self._give_up(number, name, tell_problem(problem))
        else:
            if self._schedule.finish(number, node_id, now):
                self._tasks.pop(number, None)
                self._pipe.send(("done", number, name, result))

    def _give_up(self, number: int, name: str, reason: str) -> None:
        self._tasks.pop(number, None)
        self._pipe.send(("failed", number, name, reason))

    def _leave_out(self, node_id: str, why: str) -> None:
        if node_id not in self._schedule.nodes:
            return
        self._schedule.lose(node_id)
        self._tell(why)
        self._require_nodes()
        self._tell_places()

    def _require_nodes(self) -> None:
        if not self._schedule.nodes and not self._asked:
            raise no_machine(self._address)

    def _tell(self, words: str) -> None:
        self._pipe.send(("told", words))

    def _tell_places(self) -> None:
        self._pipe.send(("places", len(self._schedule.nodes), self._schedule.room))


def say_goodbye(pipe: Connection, problem: ClusterError) -> None:
    """Say why nothing more comes, and take in what is sent meanwhile: a pipe that ends with it loses what was said."""
    pipe.send(("lost", str(problem)))
    while pipe.poll(HEARD_WITHIN_S):
        pipe.recv()


def _be_silent() -> None:
    """Let nothing that Ray prints reach the terminal: what matters is told in words."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
