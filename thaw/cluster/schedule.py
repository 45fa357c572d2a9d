"""Which node does which task: tries, nodes that are lost or unfit, and second attempts at what takes too long."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from thaw.cluster.runner import TRIES

# A node gets this many more tasks than it has processors: the next one's photos arrive as it computes.
SPARE = 1
# A task that takes so many times as long as they usually do, and as long as this, is begun on another node too: the
# first one may be suspended, or wait for somebody else's work.
SLOW, SLOW_S = 4.0, 10.0
# A node on which a process died has no task that another could do for so long: it may be dying.
REST_S = 20.0


@dataclass
class Attempt:
    """A task that was given to a node."""

    number: int
    node: str
    started: float


@dataclass
class Schedule:
    """The tasks of one run, by number, and the nodes that can do them, by id, with how many each does at a time and how
    many more it is given (`spare`)."""

    nodes: dict[str, int] = field(default_factory=dict)
    waiting: deque[int] = field(default_factory=deque)
    attempts: list[Attempt] = field(default_factory=list)
    tries: dict[int, int] = field(default_factory=dict)
    took: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    resting: dict[str, float] = field(default_factory=dict)
    crashed: dict[int, str] = field(default_factory=dict)
    spare: int = SPARE

    @property
    def room(self) -> int:
        """Return how many tasks the nodes take at a time."""
        return sum(self._slots(node) for node in self.nodes)

    def choose(self, now: float) -> Iterator[Attempt]:
        """Yield what is to begin now: tasks that wait, each on the node with most room, then those that are slow."""
        while self.waiting:
            node = self._freest(now, avoid={self.crashed.get(self.waiting[0])})
            if node is None:
                return
            yield self._begin(self.waiting.popleft(), node, now)
        for attempt in self._slow(now):
            node = self._freest(now, avoid={attempt.node})
            if node is not None and node != attempt.node:
                yield self._begin(attempt.number, node, now)

    def finish(self, number: int, node: str, now: float) -> bool:
        """Hear that a node did a task; return False where another had already."""
        attempt = self._drop(number, node)
        if attempt is None or number not in self.tries:
            return False
        self.took.append(now - attempt.started)
        self._forget(number)
        return True

    def fail(self, number: int, node: str) -> bool:
        """Hear that a task failed on a node; return True where that was its last try. Else it is tried again."""
        if self._drop(number, node) is None or number not in self.tries:
            return False
        self.tries[number] += 1
        if self.tries[number] >= TRIES:
            self._forget(number)
            return True
        self._again(number)
        return False

    def crash(self, number: int, node: str, now: float) -> bool:
        """Hear that the process of a task died on a node, which rests then; return True where that was its last try."""
        self.resting[node] = now + REST_S
        self.crashed[number] = node
        return self.fail(number, node)

    def lose(self, node: str) -> None:
        """Hear that a node is gone or unfit: what it was doing is for others, and counts as no try."""
        self.nodes.pop(node, None)
        lost = [attempt for attempt in self.attempts if attempt.node == node]
        self.attempts = [attempt for attempt in self.attempts if attempt.node != node]
        for attempt in lost:
            if attempt.number in self.tries:
                self._again(attempt.number)

    def add(self, number: int) -> None:
        """Take a task in."""
        self.tries[number] = 0
        self.waiting.append(number)

    def _slots(self, node: str) -> int:
        return self.nodes[node] + self.spare

    def _freest(self, now: float, avoid: set[str | None]) -> str | None:
        """Return the node with most room, or None; one that rests or is to be avoided only where no other is."""
        busy = {node: sum(attempt.node == node for attempt in self.attempts) for node in self.nodes}
        others = [node for node in self.nodes if node not in avoid and self.resting.get(node, now) <= now]
        free = [node for node in others or self.nodes if busy[node] < self._slots(node)]
        return max(free, key=lambda node: self._slots(node) - busy[node], default=None)

    def _slow(self, now: float) -> list[Attempt]:
        if not self.took:
            return []
        limit = max(SLOW_S, SLOW * median(self.took))
        numbers = [attempt.number for attempt in self.attempts]
        return [
            each
            for each in self.attempts
            if now - each.started > limit and numbers.count(each.number) == 1 and each.number in self.tries
        ]

    def _begin(self, number: int, node: str, now: float) -> Attempt:
        attempt = Attempt(number, node, now)
        self.attempts.append(attempt)
        return attempt

    def _drop(self, number: int, node: str) -> Attempt | None:
        for attempt in self.attempts:
            if (attempt.number, attempt.node) == (number, node):
                self.attempts.remove(attempt)
                return attempt
        return None

    def _again(self, number: int) -> None:
        if all(attempt.number != number for attempt in self.attempts) and number not in self.waiting:
            # First of all: results wait for it.
            self.waiting.appendleft(number)

    def _forget(self, number: int) -> None:
        self.tries.pop(number, None)
        self.crashed.pop(number, None)
