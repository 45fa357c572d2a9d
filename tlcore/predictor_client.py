"""The asker's side of the predictor: starts its process on first use, asks it, and starts it again after it died.

It imports no TensorFlow, so that pages may use it.
"""

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from tlcore import errors
from tlcore.decoder import LIMIT_S
from tlcore.errors import PredictorError, ThawError
from tlcore.frames import Frame, read_frame, write_frame
from tlcore.predictor import IDLE_S
from tlcore.workspace import Workspace

# To import TensorFlow and build the largest backbone on a slow, busy machine.
START_LIMIT_S = 120.0
# So many pictures at a time, that a camera need not wait for the end of a folder.
SLICE = 8
LOG = "predictor"
_ATTEMPTS = 2

Picture = TypeVar("Picture")


@dataclass(frozen=True)
class Answer:
    """What a run's model says of one picture: float32 (classes,) in 0..1 that sum to 1, or why it could not be read."""

    probabilities: np.ndarray | None
    rejected: str | None


class Predictor:
    """Asks the predictor process of one workspace; safe to use from several threads, who take turns.

    Every question raises PredictorError where the process cannot be started, died twice or was late, and whatever
    `tlcore.classifier.load_classifier` raises for a run without a model or without its weights. Probabilities are the
    model's own: a kept temperature (`tlcore.decision`) is not applied.
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

    def classify(self, run_id: str, pictures: Sequence[bytes]) -> list[Answer]:
        """Classify the contents of picture files, in the order given; decoded exactly as an import does it."""
        return [
            answer
            for each in _slices(pictures)
            for answer in _read_answers(self._ask(Frame({"run": run_id}, each), len(each)))
        ]

    def classify_files(self, run_id: str, paths: Sequence[Path]) -> list[Answer]:
        """Classify picture files of this machine, in the order given; a path that cannot be read is rejected."""
        absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 (links are the decoder's to judge)
        return [
            answer
            for each in _slices(absolute)
            for answer in _read_answers(self._ask(Frame({"run": run_id, "paths": each}), len(each)))
        ]

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
        command = [sys.executable, "-m", "tlcore.predictor", "--workspace", str(self._workspace.root)]
        with self._workspace.job_log(LOG).open("wb") as log:
            process = subprocess.Popen(
                [*command, "--idle-s", str(self._idle_s)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd=Path(__file__).parents[1],
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
    shares = iter(np.frombuffer(answer.parts[0], dtype=np.float32).reshape(-1, answer.header["classes"]))
    return [Answer(None if reason else next(shares), reason) for reason in answer.header["rejected"]]


def _slices(pictures: Sequence[Picture]) -> Iterator[Sequence[Picture]]:
    for start in range(0, len(pictures), SLICE):
        yield pictures[start : start + SLICE]
