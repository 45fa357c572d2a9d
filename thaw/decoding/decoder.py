"""Child processes that decode one image at a time, so that a file that hangs or crashes a parser costs only itself."""

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from thaw.archives.entries import CHANGED, Mark, mark_of
from thaw.decoding.child import Child
from thaw.decoding.time_limit import Allowance, end_after, ordinary_s
from thaw.jobs.threads import start_thread
from thaw.pictures.copies import save_normalised, save_thumbnail
from thaw.pictures.decode import normalise
from thaw.pictures.quality import measure
from tlcore.errors import ImageRejected, Undecoded
from tlcore.images.pixels import WIDEST, RangeUnknown

LIMIT_S = 20.0
MEMORY_BYTES = 2_000_000_000
MAX_CHILDREN = 4
_WATCH_EVERY_S = 0.2
_IN_LINE = 8
_LOOK_AGAIN_S = 1.0


# Told apart by what it is and not by what it holds: to compare paths takes longer than to ask for an image.
@dataclass(frozen=True, eq=False)
class DecodeJob:
    """Decode `path`; keep the copy at `target` plus its suffix and the thumbnail at `thumbnail`.

    A file that is `spent` is needed no more, and may become the copy. One with another `mark` than this is refused.
    `grey_range` scales pictures of more than 8 bits; without one, those are held back (`HeldBack`) whose values leave
    open which range it is to be.
    """

    path: Path
    target: Path
    thumbnail: Path
    spent: bool = False
    mark: Mark | None = None
    grey_range: int | None = WIDEST


@dataclass(frozen=True)
class Decoded:
    """A copy that was kept: `content` is the sha256 of what it shows, `width` and `height` the original's, upright.

    `original` is the sha256 of the original file; `taken_at` the camera's date in seconds since 1970, where it tells
    one; `grey_range` what more than 8 bits were scaled by, if there were; `orientation` how the original lay, as in
    EXIF; the rest is as in
    `thaw.pictures.quality.Measures`.
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
    grey_range: int | None = None
    orientation: int = 1


@dataclass(frozen=True)
class HeldBack:
    """A picture of more than 8 bits that waits for a range; `largest` is its largest value."""

    largest: int


Outcome = Decoded | ImageRejected | HeldBack
Finished = queue.SimpleQueue[tuple[DecodeJob, Outcome | None, BaseException | None]]


class Decoder:
    """A pool of decoding processes; use it as a context manager.

    A file that takes longer than `limit_s`, or whose child dies, is one ImageRejected; the child is replaced. So is
    one that takes more processor time than its size warrants and than `allowance` lends it.
    """

    def __init__(
        self, children: int | None = None, limit_s: float = LIMIT_S, *, allowance: Allowance | None = None
    ) -> None:
        count = children or min(os.cpu_count() or 1, MAX_CHILDREN)
        self.limit_s = limit_s
        self._allowance = allowance or Allowance()
        self._children = [Child() for _ in range(count)]
        self._idle: queue.SimpleQueue[Child] = queue.SimpleQueue()
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
        lent = self._allowance.lend(self.limit_s)
        try:
            reply = child.ask(_request(job), self.limit_s, lent)
        finally:
            self._idle.put(child)
        # Of a child that has died nobody knows what it used.
        used = min(lent, reply.pop("extra_s", lent))
        self._allowance.give_back(lent - used)
        return _outcome(reply, self.limit_s, lent, self._allowance.seconds)

    def map(self, jobs: Iterable[DecodeJob]) -> Iterator[tuple[DecodeJob, Outcome]]:
        """Decode every job, yielding each with its outcome as it finishes; holds only some jobs at a time.

        Enough wait in line that no child is idle while the caller writes to a disk that is busy with the copies.
        """
        asked: queue.SimpleQueue[DecodeJob | None] = queue.SimpleQueue()
        finished: Finished = queue.SimpleQueue()
        over = threading.Event()
        ends: list[threading.Event] = []
        running = 0

        def next_finished() -> tuple[DecodeJob, Outcome]:
            while True:
                with contextlib.suppress(queue.Empty):
                    job, outcome, problem = finished.get(timeout=_LOOK_AGAIN_S)
                    break
                if any(end.is_set() for end in ends):
                    raise MemoryError("a thread ended before its work")
            if outcome is None:
                raise problem or AssertionError
            return job, outcome

        try:
            for _ in self._children:
                ends.append(start_thread(self._work, asked, finished, over))
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
            for _ in ends:
                asked.put(None)
            for end in ends:
                end.wait()

    def _work(self, asked: queue.SimpleQueue[DecodeJob | None], finished: Finished, over: threading.Event) -> None:
        """Decode what is asked for until it is over."""
        while (job := asked.get()) is not None and not over.is_set():
            try:
                finished.put((job, self.decode(job), None))
            except Exception as problem:  # noqa: BLE001 - it is raised where the outcome is read
                finished.put((job, None, problem))


def _request(job: DecodeJob) -> dict[str, Any]:
    paths = {"path": job.path, "target": job.target, "thumbnail": job.thumbnail}
    request: dict[str, Any] = {name: _absolute(path) for name, path in paths.items()}
    return request | {"spent": job.spent, "mark": job.mark, "grey_range": job.grey_range}


def _outcome(reply: dict[str, Any], limit_s: float, lent_s: float, allowance_s: float) -> Outcome:
    if "died" in reply:
        return Undecoded(_tell_death(reply["died"], limit_s, lent_s, allowance_s))
    if "rejected" in reply:
        return ImageRejected(reply["rejected"])
    if "largest" in reply:
        return HeldBack(reply["largest"])
    if "errno" in reply:
        raise OSError(reply["errno"], os.strerror(reply["errno"]), reply["file"])
    return Decoded(**reply)


def _tell_death(how: str, limit_s: float, lent_s: float, allowance_s: float) -> str:
    again = "open it in a picture editor and save it again"
    if how == "late":
        return f"decoding it took longer than {limit_s:g} s; {again}"
    if how != "slow":
        return f"decoding it crashed the decoder; {again}"
    if lent_s >= limit_s:
        return f"decoding it took over {limit_s:g} s more than a picture of its size warrants; {again}"
    return (
        f"decoding it takes much longer than a picture of its size warrants, and the {allowance_s:g} s that an import "
        f"has for such pictures are used up; {again}, or import it by itself"
    )


def _absolute(path: Path) -> str:
    """Return the absolute path as text; one that is so already is not taken apart for it."""
    text = os.fspath(path)
    return text if os.path.isabs(text) else os.path.abspath(text)  # noqa: PTH100, PTH117


def serve() -> None:
    """Answer requests on standard input, one JSON object a line, until it ends: the life of a child process."""
    # Ctrl+C reaches every process of a terminal; the parent decides what is still decoded, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
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
    """Answer one request; end this process where it takes more time than its size warrants and than it was lent."""
    started, warranted_s = time.process_time(), 0.0

    def tell_size(size_bytes: int, pixels: int, encoding: str) -> None:
        nonlocal warranted_s
        warranted_s = ordinary_s(size_bytes, pixels, encoding)
        end_after(warranted_s + request["lent_s"])

    reply = _decode(request, tell_size)
    end_after(0)
    return reply | {"extra_s": max(0.0, time.process_time() - started - warranted_s)}


def _decode(request: dict[str, Any], tell_size: Callable[[int, int, str], None]) -> dict[str, Any]:
    path = Path(request["path"])
    try:
        normalised = normalise(path, request["grey_range"], tell_size)
        _require_unchanged(path, request.get("mark"))
    except ImageRejected as problem:
        return {"rejected": str(problem)}
    except RangeUnknown as unknown:
        return {"largest": unknown.largest}
    try:
        suffix, content = save_normalised(normalised, Path(request["target"]), path if request["spent"] else None)
        save_thumbnail(normalised, Path(request["thumbnail"]))
    except OSError as problem:
        return {"errno": problem.errno, "file": str(problem.filename)}
    kept = normalised.width, normalised.height, normalised.notes, normalised.original, normalised.taken_at
    measures = vars(measure(normalised.image))
    decoded = Decoded(content, suffix, *kept, **measures, grey_range=normalised.grey_range)
    return vars(decoded) | {"orientation": normalised.orientation}


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
