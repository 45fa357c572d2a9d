"""Watches an import from outside: what its job row tells of the progress, and how much memory processes take."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import psutil

from thaw.storage.store import Store

SAMPLE_EVERY_S = 0.1


@dataclass(frozen=True)
class Mark:
    """What the job row said at one moment, in seconds since the watch began."""

    at_s: float
    stage: str
    done: int
    total: int


@dataclass
class Watcher:
    """Samples the newest import of `store` and the memory of `process` and its children until the `with` ends."""

    store: Store
    process: psutil.Process
    marks: list[Mark] = field(default_factory=list)
    peak_bytes: int = 0
    family_peak_bytes: int = 0

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self.seconds = time.monotonic() - self.started

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_EVERY_S):
            self._sample_memory()
            for job in self.store.jobs("import", limit=1):
                self.marks.append(Mark(time.monotonic() - self.started, job.stage, job.done, job.total))

    def _sample_memory(self) -> None:
        try:
            own = self.process.memory_info().rss
            family = own + sum(child.memory_info().rss for child in self.process.children(recursive=True))
        except psutil.NoSuchProcess:
            return
        self.peak_bytes = max(self.peak_bytes, own)
        self.family_peak_bytes = max(self.family_peak_bytes, family)


def longest_stage(marks: list[Mark]) -> str:
    """Return the stage that was seen most often, which is the one that takes the time."""
    return Counter(mark.stage for mark in marks).most_common(1)[0][0]


def largest_gap(marks: list[Mark], stage: str) -> float:
    """Return the largest gap between the share that a stage showed as done and the share of its time, in points."""
    during = [mark for mark in marks if mark.stage == stage and mark.total]
    start, length = during[0].at_s, during[-1].at_s - during[0].at_s
    return max(100 * abs(mark.done / mark.total - (mark.at_s - start) / length) for mark in during)
