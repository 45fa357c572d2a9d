"""The child's side of a job: its lock, its heartbeat, its progress, and how its end is told."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock

from thaw.errors import WorkspaceError
from thaw.jobs.sweeper import sweep
from thaw.jobs.threads import start_thread
from thaw.storage.faults import NO_ROOM
from thaw.storage.questions import Question, require_answer, take_default
from thaw.storage.store import Store
from tlcore.errors import Stopped, ThawError
from tlcore.progress import Progress

HEARTBEAT_S = 2.0
WRITE_EVERY_S = 0.2
ANSWER_EVERY_S = 0.2
PAUSES_S = (1.0, 2.0, 4.0, 8.0)


class Reporter:
    """Tells the store how one job stands. Safe to call as often as one likes: writes are spaced out."""

    def __init__(self, store: Store, job_id: str, echo: Progress | None = None) -> None:
        self.store = store
        self.job_id = job_id
        self._echo = echo
        self._stage = ""
        self._stage_started = 0.0
        self._first_done = 0
        self._written_at = 0.0
        self._notes: dict[str, str] = {}

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report `done` of `total` items of `stage`; the rate counts from the first report of the stage."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._stage_started, self._first_done = stage, now, done
        elif now - self._written_at < WRITE_EVERY_S and (done < total or total == 0):
            return
        self._written_at = now
        elapsed = now - self._stage_started
        rate = (done - self._first_done) / elapsed if elapsed > 0 else 0.0
        self.store.update_job(self.job_id, stage=stage, done=done, total=total, rate=rate)
        if self._echo:
            self._echo(stage, done, total)

    def note(self, words: str, about: str = "") -> None:
        """Leave a line beside the job's progress, in plain words, in the place of the one before `about` the same."""
        self._notes[about] = words
        self.store.note_job(self.job_id, " ".join(filter(None, self._notes.values())))
        if self._echo:
            self._echo(words, 0, 0)

    def ask(self, question: Question) -> str:
        """Return the key of the option that the person chooses, waiting for it; raise Stopped like `check_stop`.

        An answer that the request brought along counts as given; without a person to ask ("ask" in the request) the
        option that is advised is taken. Raises SettingsError for an answer beforehand that is no option.
        """
        request = self.store.job(self.job_id).request
        given = request.get("answers", {}).get(question.key)
        if given is not None:
            return require_answer(question, given)
        if not request.get("ask"):
            if self._echo and question.default:
                self._echo(question.tell_default(), 0, 0)
            return take_default(question)
        self.store.put_question(self.job_id, question)
        while (answer := self.store.job(self.job_id).answer) is None:
            time.sleep(ANSWER_EVERY_S)
            self.check_stop()
        self.store.put_question(self.job_id, None)
        return answer

    def stop_requested(self) -> bool:
        """Say whether the person has asked this job to stop."""
        return self.store.job(self.job_id).stop_requested

    def check_stop(self) -> None:
        """Raise Stopped if the person has asked this job to stop."""
        if self.stop_requested():
            raise Stopped


@contextmanager
def reporting(store: Store, job_id: str, echo: Progress | None = None) -> Iterator[Reporter]:
    """Hold the job's lock and keep its heart beating while the body runs; then record how it ended.

    `echo` hears the progress too, for a command line that shows it.

    Raises RunError if the job is not waiting to start. A ThawError or Stopped is recorded and swallowed
    (`store.job(job_id)` tells which); anything else is recorded in plain words and raised on, so that the traceback
    reaches the job's log file.
    """
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_S):
            # A full disk or a busy database now may be better in two seconds; the lock goes on telling that we live.
            with suppress(WorkspaceError):
                store.update_job(job_id)

    with FileLock(store.workspace.job_lock(job_id)):
        store.claim_job(job_id, os.getpid())
        stopped = start_thread(beat)
        try:
            sweep(store)
            yield Reporter(store, job_id, echo)
            status, error = "finished", None
        except Stopped:
            status, error = "stopped", None
        except ThawError as problem:
            status, error = "failed", str(problem)
        except KeyboardInterrupt:
            status, error = "stopped", None
            raise
        except BaseException as problem:
            status, error = "failed", explain(problem)
            raise
        finally:
            over.set()
            stopped.wait()
            _tell_end(store, job_id, status, error)


def _tell_end(store: Store, job_id: str, status: str, error: str | None) -> None:
    """Record how a job ended; where the disk is full or the database locked, once more after a while and again."""
    for pause_s in PAUSES_S:
        try:
            store.update_job(job_id, status=status, error=error)
        except WorkspaceError:
            time.sleep(pause_s)
        else:
            return
    store.update_job(job_id, status=status, error=error)


def explain(problem: BaseException) -> str:
    """Put an unforeseen error into words for the person at the screen; the traceback is in the job's log."""
    if _lacked_memory(problem):
        return (
            "The computer or its GPU ran out of memory. Close other programs, then resume, or start again with a "
            "smaller batch size."
        )
    if isinstance(problem, OSError) and problem.errno in NO_ROOM:
        return "The disk is full. Free some space, then resume; nothing that was saved is damaged."
    return f"Something unforeseen went wrong ({type(problem).__name__}). The details are in the log of this job."


def _lacked_memory(problem: BaseException) -> bool:
    if isinstance(problem, OSError):
        return problem.errno == errno.ENOMEM
    if isinstance(problem, ImportError):
        # What the system's loader says of a library that does not fit.
        return "failed to map segment" in str(problem) or os.strerror(errno.ENOMEM) in str(problem)
    # TensorFlow's error of a full GPU is known by name, since the server's process must not import TensorFlow.
    return isinstance(problem, MemoryError) or type(problem).__name__ == "ResourceExhaustedError"
