"""The asker's side of the predictor: starts its process on first use, asks it, and starts it again after it died.

It imports no TensorFlow, so that pages may use it.
"""

import atexit
import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil

from thaw.decoding.decoder import LIMIT_S
from thaw.errors import PredictorError
from thaw.jobs.children import start_child
from thaw.jobs.standby import FREE_BYTES
from thaw.prediction.frames import Frame, read_frame, write_frame
from thaw.prediction.server import FOUND_ARRAYS, IDLE_S
from thaw.storage.workspace import Workspace
from tlcore import errors
from tlcore.detection.found import Found
from tlcore.errors import ThawError
from tlcore.evaluation.heat_maps import HeatMap, HeatMaps

# To import TensorFlow and build the largest backbone on a slow, busy machine.
START_LIMIT_S = 120.0
# So many pictures at a time, that a camera need not wait for the end of a folder.
SLICE = 8
LOG = "predictor"
_ATTEMPTS = 2

Picture = TypeVar("Picture")


@dataclass(frozen=True)
class Answer:
    """What a run's model says of one picture: float32 (classes,) in 0..1 that sum to 1, or why it could not be read.

    `notes` says what was changed to read it; `thumbnail` is a small JPEG of it, where it was asked for.
    """

    probabilities: np.ndarray | None
    rejected: str | None
    notes: Sequence[str] = ()
    thumbnail: bytes | None = None


@dataclass(frozen=True)
class Sighting:
    """What a run's detector found on one picture of `width` x `height` pixels, upright, however unsure it is, or why
    it could not be read. `thumbnail` is a small JPEG of it, where it was asked for."""

    found: Found | None
    rejected: str | None = None
    width: int = 0
    height: int = 0
    thumbnail: bytes | None = None


class Predictor:
    """Asks the predictor process of one workspace; safe to use from several threads, who take turns.

    Every question raises PredictorError where the process cannot be started, died twice or was late, and whatever
    `thaw.prediction.network.load_network` raises for a run without a model or without its weights. Probabilities
    are the model's own: a kept temperature (`thaw.runs.decision`) is not applied.
    """

    def __init__(self, workspace: Workspace, idle_s: float = IDLE_S, limit_s: float = START_LIMIT_S) -> None:
        self._workspace = workspace
        self._idle_s, self._limit_s = idle_s, limit_s
        self._process: subprocess.Popen[bytes] | None = None
        # Who waits for a turn holds the queue, or the one who has just had a turn would always get the next one too.
        self._queue, self._turn = threading.Lock(), threading.Lock()

    @property
    def running(self) -> bool:
        """Whether the process is there, so that an answer need not wait for its start."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process's id while it is running."""
        return self._process.pid if self._process and self.running else None

    def classify(self, run_id: str, pictures: Sequence[bytes], thumbnails: bool = False) -> list[Answer]:
        """Classify the contents of picture files, in the order given; decoded exactly as an import does it."""
        asked = {"do": "classify", "run": run_id, "thumbnails": thumbnails}
        return [
            answer for each in _slices(pictures) for answer in _read_answers(self._ask(Frame(asked, each), len(each)))
        ]

    def classify_files(self, run_id: str, paths: Sequence[Path]) -> list[Answer]:
        """Classify picture files of this machine, in the order given; a path that cannot be read is rejected."""
        absolute = [_absolute(path) for path in paths]
        return [
            answer
            for each in _slices(absolute)
            for answer in _read_answers(self._ask(Frame({"do": "classify", "run": run_id, "paths": each}), len(each)))
        ]

    def find(self, run_id: str, pictures: Sequence[bytes], thumbnails: bool = False) -> list[Sighting]:
        """Find objects in the contents of picture files, in the order given; decoded exactly as an import does it."""
        asked = {"do": "find", "run": run_id, "thumbnails": thumbnails}
        return [
            seen for each in _slices(pictures) for seen in _read_sightings(self._ask(Frame(asked, each), len(each)))
        ]

    def find_in_files(self, run_id: str, paths: Sequence[Path]) -> list[Sighting]:
        """Find objects in picture files of this machine, in the order given."""
        return [
            seen
            for each in _slices([_absolute(path) for path in paths])
            for seen in _read_sightings(self._ask(Frame({"do": "find", "run": run_id, "paths": each}), len(each)))
        ]

    def heat_maps(self, run_id: str, picture: bytes | Path, class_number: int | None = None) -> HeatMaps:
        """Draw where the evidence for a class (None: the likeliest one) lies in one picture.

        Raises ImageRejected for a picture that cannot be read and SettingsError for a class that there is not.
        """
        asked = {"do": "heat_maps", "run": run_id, "class": class_number}
        if isinstance(picture, bytes):
            return _read_maps(self._ask(Frame(asked, [picture]), 1))
        return _read_maps(self._ask(Frame(asked | {"paths": [_absolute(picture)]}), 1))

    def open(self) -> None:
        """Have the process there before anyone asks about anything; returns at once, as `warm` does."""
        if self.running or psutil.virtual_memory().available < FREE_BYTES:
            return

        def start() -> None:
            with contextlib.suppress(ThawError), self._turn:
                if not self.running:
                    self._start()

        threading.Thread(target=start, daemon=True).start()

    def warm(self, run_id: str, maps: bool = True) -> None:
        """Have a run's model ready in the process before anyone asks about a picture; returns at once.

        Without `maps` the heat maps follow once nobody has asked anything for a while.
        What goes wrong is told to whoever asks. Nothing is done where the computer is short of memory.
        """
        if psutil.virtual_memory().available < FREE_BYTES:
            return

        def ask() -> None:
            with contextlib.suppress(ThawError):
                self._ask(Frame({"do": "warm", "run": run_id, "maps": maps}), 0)

        threading.Thread(target=ask, daemon=True).start()

    def close(self) -> None:
        """End the process now, in the middle of an answer if need be; a later question starts it again."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def _ask(self, question: Frame, pictures: int) -> Frame:
        limit_s = self._limit_s + LIMIT_S * pictures
        with self._queue:
            if not self._turn.acquire(timeout=limit_s):
                raise PredictorError("Expected an idle predictor. Received: one that is busy. Try again in a minute.")
        try:
            for _ in range(_ATTEMPTS):
                process = self._process if self._process and self.running else self._start()
                answer = _exchange(process, question, limit_s)
                if answer is not None:
                    return _checked(answer)
                if self._process is not process:
                    raise PredictorError("Expected an answer from the predictor. Received: it was closed. Ask again.")
            raise PredictorError(self._tell_death(process))
        finally:
            self._turn.release()

    def _start(self) -> subprocess.Popen[bytes]:
        words = ("--workspace", str(self._workspace.root), "--idle-s", str(self._idle_s))
        with self._workspace.job_log(LOG).open("wb") as log:
            process = start_child(
                "thaw.prediction.server",
                *words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        # An unreaped child still answers as alive, so someone must wait for it.
        threading.Thread(target=process.wait, daemon=True).start()
        self._process = process
        return process

    def _tell_death(self, process: subprocess.Popen[bytes]) -> str:
        log = self._workspace.job_log(LOG)
        return (
            f"Expected an answer from the predictor. Received: nothing; its process ended at its work, {_ATTEMPTS} "
            f"times in a row (exit status {process.returncode}). It may have been killed, or the computer may have run "
            f"out of memory. Close other programs and try again; what it printed is in '{log}'."
        )


_predictors: dict[Path, Predictor] = {}
_finding = threading.Lock()


def predictor(workspace: Workspace) -> Predictor:
    """Return the one predictor that this process has for a workspace; its own process starts at the first question."""
    with _finding:
        return _predictors.setdefault(workspace.root, Predictor(workspace))


@atexit.register
def _close_all() -> None:
    for each in _predictors.values():
        each.close()


def _exchange(process: subprocess.Popen[bytes], question: Frame, limit_s: float) -> Frame | None:
    """Return the answer, None where the process died first; raise PredictorError where it was killed for lateness."""
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    watch = threading.Timer(limit_s, kill)
    watch.daemon = True
    watch.start()
    try:
        write_frame(process.stdin, question)
        answer = read_frame(process.stdout)
    except (OSError, ValueError):
        # The pipe broke, or `close` was called meanwhile.
        answer = None
    finally:
        watch.cancel()
    if answer is None:
        _end(process)
    if late.is_set() and answer is None:
        raise PredictorError(
            f"Expected an answer from the predictor within {limit_s:g} s. Received: none. The computer may be busy "
            "with other work; try again when that is done."
        )
    return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        # What was not yet sent goes nowhere.
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()


def _checked(answer: Frame) -> Frame:
    """Return an answer, or raise the error that it tells of."""
    if "error" not in answer.header:
        return answer
    kind = getattr(errors, answer.header["error"], PredictorError)
    raise (kind if issubclass(kind, ThawError) else PredictorError)(answer.header["message"])


def _read_answers(answer: Frame) -> list[Answer]:
    first, *parts = answer.parts
    shares = np.frombuffer(first, dtype=np.float32).reshape(-1, answer.header["classes"])
    thumbnails: Sequence[bytes | None] = parts or [None] * len(shares)
    read = iter(zip(shares, answer.header["notes"], thumbnails, strict=True))
    return [
        Answer(None, reason) if reason else Answer(share, None, notes, thumbnail)
        for reason in answer.header["rejected"]
        for share, notes, thumbnail in [(None, (), None) if reason else next(read)]
    ]


def _read_sightings(answer: Frame) -> list[Sighting]:
    told = answer.header["pictures"]
    ends = np.cumsum([each["boxes"] for each in told if "boxes" in each])[:-1]
    parts = [
        np.split(np.frombuffer(part, dtype).reshape(-1, *shape[1:]), ends)
        for part, (_, shape, dtype) in zip(answer.parts, FOUND_ARRAYS, strict=False)
    ]
    found, thumbnails = iter(zip(*parts, strict=True)), iter(answer.parts[len(FOUND_ARRAYS) :])
    return [
        Sighting(None, each["rejected"])
        if "rejected" in each
        else Sighting(Found(*next(found)), None, each["width"], each["height"], next(thumbnails, None))
        for each in told
    ]


def _read_maps(answer: Frame) -> HeatMaps:
    picture, *shapes = answer.header["shapes"]
    content, *parts = answer.parts
    drawn = (np.frombuffer(part, np.float32).reshape(shape) for part, shape in zip(parts, shapes, strict=True))
    frozen, trained = (HeatMap(next(drawn), **each) if each else None for each in answer.header["maps"])
    return HeatMaps(np.frombuffer(content, np.uint8).reshape(picture), answer.header["class"], frozen, trained)


def _absolute(path: Path) -> str:
    # Links are the decoder's to judge, so they are not followed here.
    return os.path.abspath(path)  # noqa: PTH100


def _slices(pictures: Sequence[Picture]) -> Iterator[Sequence[Picture]]:
    for start in range(0, len(pictures), SLICE):
        yield pictures[start : start + SLICE]
