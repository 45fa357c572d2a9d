"""Child processes that decode one image at a time, so that a file that hangs or crashes a parser costs only itself."""

import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tlcore.allocator import keep_memory
from tlcore.copies import save_normalised, save_thumbnail
from tlcore.errors import DatasetError, ImageRejected
from tlcore.found import CHANGED, Mark, mark_of
from tlcore.images import normalise
from tlcore.measures import measure

LIMIT_S = 20.0
MEMORY_BYTES = 2_000_000_000
MAX_CHILDREN = 4
_START_LIMIT_S = 60.0
_WATCH_EVERY_S = 0.2
_IN_LINE = 8
# Each is one of several, so NumPy is to start no threads of its own.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}


# Told apart by what it is and not by what it holds: to compare paths takes longer than to ask for an image.
@dataclass(frozen=True, eq=False)
class DecodeJob:
    """Decode `path`; keep the copy at `target` plus its suffix and the thumbnail at `thumbnail`.

    A file that is `spent` is needed no more, and may become the copy. One with another `mark` than this is refused.
    """

    path: Path
    target: Path
    thumbnail: Path
    spent: bool = False
    mark: Mark | None = None


@dataclass(frozen=True)
class Decoded:
    """A copy that was kept: `content` is the sha256 of what it shows, `width` and `height` the original's, upright.

    `original` is the sha256 of the original file; `taken_at` the camera's date in seconds since 1970, where it tells
    one; the rest is as in `tlcore.measures.Measures`.
    """

    content: str
    suffix: str
    width: int
    height: int
    notes: list[str]
    original: str
    taken_at: float | None
    brightness: float
    contrast: float
    sharpness: float
    fingerprint: str


Outcome = Decoded | ImageRejected
Finished = queue.SimpleQueue[tuple[DecodeJob, Outcome | None, BaseException | None]]


class Decoder:
    """A pool of decoding processes; use it as a context manager.

    A file that takes longer than `limit_s`, or whose child dies, is one ImageRejected; the child is replaced.
    """

    def __init__(self, children: int | None = None, limit_s: float = LIMIT_S) -> None:
        count = children or min(os.cpu_count() or 1, MAX_CHILDREN)
        self.limit_s = limit_s
        self._children = [_Child() for _ in range(count)]
        self._idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        start_thread(self._watch)
        try:
            for child in self._children:
                child.start()
            for child in self._children:
                child.await_ready()
                self._idle.put(child)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """Return the process ids of the children that are alive."""
        return [child.process.pid for child in self._children if child.process and child.process.poll() is None]

    def close(self) -> None:
        """End every child now, in the middle of an image if need be."""
        self._closed.set()
        for child in self._children:
            child.close()

    def _watch(self) -> None:
        """Kill what is late: one thread for all, since a timer for each image costs as much as the image's messages."""
        while not self._closed.wait(_WATCH_EVERY_S):
            for child in self._children:
                child.kill_if_late()

    def decode(self, job: DecodeJob) -> Outcome:
        """Decode one image in an idle child.

        Raises OSError where the copy cannot be written (a full disk), and DatasetError where no child can be started.
        """
        child = self._idle.get()
        try:
            return _outcome(child.ask(job, self.limit_s), self.limit_s)
        finally:
            self._idle.put(child)

    def map(self, jobs: Iterable[DecodeJob]) -> Iterator[tuple[DecodeJob, Outcome]]:
        """Decode every job, yielding each with its outcome as it finishes; holds only some jobs at a time.

        Enough wait in line that no child is idle while the caller writes to a disk that is busy with the copies.
        """
        asked: queue.SimpleQueue[DecodeJob | None] = queue.SimpleQueue()
        finished: Finished = queue.SimpleQueue()
        over = threading.Event()
        threads: list[threading.Thread] = []
        running = 0

        def next_finished() -> tuple[DecodeJob, Outcome]:
            job, outcome, problem = finished.get()
            if outcome is None:
                raise problem or AssertionError
            return job, outcome

        try:
            for _ in self._children:
                threads.append(start_thread(self._work, asked, finished, over))
            for job in jobs:
                asked.put(job)
                running += 1
                if running == _IN_LINE * len(self._children):
                    yield next_finished()
                    running -= 1
            for _ in range(running):
                yield next_finished()
        finally:
            over.set()
            for _ in threads:
                asked.put(None)
            for thread in threads:
                thread.join()

    def _work(self, asked: queue.SimpleQueue[DecodeJob | None], finished: Finished, over: threading.Event) -> None:
        """Decode what is asked for until it is over."""
        while (job := asked.get()) is not None and not over.is_set():
            try:
                finished.put((job, self.decode(job), None))
            except Exception as problem:  # noqa: BLE001 - it is raised where the outcome is read
                finished.put((job, None, problem))


def start_thread(work: Callable[..., None], *arguments: Any) -> threading.Thread:
    """Start a thread that does not keep the process alive; raise MemoryError where there is no memory for one."""
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    try:
        thread.start()
    except RuntimeError as problem:
        # Python's own word for what the system refused, which after all was memory.
        raise MemoryError("no memory for another thread") from problem
    return thread


def _outcome(reply: dict[str, Any] | None, limit_s: float) -> Outcome:
    if reply is None:
        return ImageRejected("decoding it crashed the decoder; open it in a picture editor and save it again")
    if "late" in reply:
        return ImageRejected(
            f"decoding it took longer than {limit_s:g} s; open it in a picture editor and save it again"
        )
    if "rejected" in reply:
        return ImageRejected(reply["rejected"])
    if "errno" in reply:
        raise OSError(reply["errno"], os.strerror(reply["errno"]), reply["file"])
    return Decoded(**reply)


class _Child:
    """One decoding process, started again after it has died."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._deadline = math.inf
        self._late = False
        # Between an answer's arrival and its reading nobody may be killed for being late with it.
        self._judging = threading.Lock()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tlcore.decoder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            env=os.environ | _ENVIRONMENT,
        )

    def await_ready(self) -> None:
        if self._read(_START_LIMIT_S) != {"ready": True}:
            raise DatasetError(
                "Expected a process that decodes images to start. Received: one that ended at once. "
                "Check that `python -m tlcore.decoder` runs, and that there is memory left."
            )

    def ask(self, job: DecodeJob, limit_s: float) -> dict[str, Any] | None:
        """Return the child's reply; {"late": True} if it was killed for lateness, None if it died."""
        if self._closed:
            return None
        if self.process is None:
            self.start()
            self.await_ready()
        assert self.process is not None
        assert self.process.stdin is not None
        paths = {"path": job.path, "target": job.target, "thumbnail": job.thumbnail}
        request: dict[str, Any] = {name: _absolute(path) for name, path in paths.items()}
        request |= {"spent": job.spent, "mark": job.mark, "limit_s": limit_s}
        # A child that died since the last image shows itself here or in the empty answer.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        return self._read(limit_s)

    def kill_if_late(self) -> None:
        """End the process if it owes an answer past its time; called from another thread than the one that waits."""
        with self._judging:
            process = self.process
            if process is not None and time.monotonic() > self._deadline:
                self._late = True
                process.kill()

    def close(self) -> None:
        self._closed = True
        self._end()

    def _read(self, limit_s: float) -> dict[str, Any] | None:
        process = self.process
        assert process is not None
        assert process.stdout is not None
        self._late = False
        self._deadline = time.monotonic() + limit_s
        line = process.stdout.readline()
        with self._judging:
            self._deadline = math.inf
        if line.endswith(b"\n") and not self._late:
            reply: dict[str, Any] = json.loads(line)
            return reply
        self._end()
        return {"late": True} if self._late else None

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _absolute(path: Path) -> str:
    """Return the absolute path as text; one that is so already is not taken apart for it."""
    text = os.fspath(path)
    return text if os.path.isabs(text) else os.path.abspath(text)  # noqa: PTH100, PTH117


def serve() -> None:
    """Answer requests on standard input, one JSON object a line, until it ends: the life of a child process."""
    # Ctrl+C reaches every process of a terminal; the parent decides what is still decoded, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    keep_memory()
    _answer({"ready": True})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if hasattr(signal, "alarm"):
            # Ends a child that hangs after its parent was killed; a living parent is quicker.
            signal.alarm(int(request["limit_s"]) + 10)
        reply = _handle(request)
        if hasattr(signal, "alarm"):
            # Or it would end a child that has nothing to do for a while, and the next picture with it.
            signal.alarm(0)
        _answer(reply)


def _handle(request: dict[str, Any]) -> dict[str, Any]:
    path = Path(request["path"])
    try:
        normalised = normalise(path)
        _require_unchanged(path, request.get("mark"))
    except ImageRejected as problem:
        return {"rejected": str(problem)}
    try:
        suffix, content = save_normalised(normalised, Path(request["target"]), path if request["spent"] else None)
        save_thumbnail(normalised, Path(request["thumbnail"]))
    except OSError as problem:
        return {"errno": problem.errno, "file": str(problem.filename)}
    kept = normalised.width, normalised.height, normalised.notes, normalised.original, normalised.taken_at
    return vars(Decoded(content, suffix, *kept, **vars(measure(normalised.image))))


def _require_unchanged(path: Path, mark: Sequence[int] | None) -> None:
    """Refuse a file that is no longer what was listed: under its name and class may lie another picture by now."""
    try:
        changed = mark is not None and [*mark_of(path.stat())] != mark
    except OSError as problem:
        raise ImageRejected(CHANGED) from problem
    if changed:
        raise ImageRejected(CHANGED)


def _answer(reply: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        # Windows has no such limit and macOS refuses this one; the caps on pixels and time still hold.
        return


if __name__ == "__main__":
    serve()
