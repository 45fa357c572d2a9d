"""The process that waits with TensorFlow loaded, so that a job begins when it is asked for and not seconds later.

One waits for each server: `python -m thaw.worker --standby`. On Linux every job is a fork of it, which takes hundredths
of a second, shares its memory and never comes back to it; elsewhere it does one job itself.
"""

import json
import os
import subprocess
import sys
import threading
import time

import psutil

from thaw.jobs.children import start_child
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.environment import KEPT_MEMORY

# Apple's and Windows's libraries do not survive a fork; those of Linux do as long as no work was done before it.
FORKS = sys.platform == "linux"
IDLE_S = 600.0
# What must be free for a process to be kept waiting: it takes 0.7 GB itself, what it makes possible as much again.
FREE_BYTES = 1_500_000_000
LOG = "standby"
READY = b"ready"
UNASKED_VARIABLE = "THAW_UNASKED"
# What is multiplied in NumPy by jobs that learn is small; a job with larger things takes all cores itself.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"} | KEPT_MEMORY


def is_unasked_allowed() -> bool:
    """Say whether the person lets Thaw do what nobody has asked for: $THAW_UNASKED is "off" where not."""
    return os.environ.get(UNASKED_VARIABLE, "").strip().lower() != "off"


class Standby:
    """One such process of this server's; safe to use from several threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._wanted_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process's id while it waits."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def keep(self, workspace: Workspace) -> None:
        """Start the process unless it is there, and let it wait another ten minutes.

        Nothing is started where the computer is short of memory, or where the person does not want it: jobs then start
        as slowly as without.
        """
        with self._lock:
            self._wanted_at = time.monotonic()
            if self.pid is None and is_unasked_allowed() and psutil.virtual_memory().available >= FREE_BYTES:
                self._process = self._start(workspace)

    def hand(self, store: Store, job_id: str, at_once: bool = False) -> bool:
        """Give a job that waits to start to the process; return False where none is there to take it, or with
        `at_once` where it still loads what this job can do without."""
        request = {
            "job": job_id,
            "workspace": str(store.workspace.root),
            "log": str(store.workspace.job_log(job_id)),
            # As it is now, which may differ from when the process was started.
            "environment": dict(os.environ),
        }
        with self._lock:
            process, pid = self._process, self.pid
            if process is None or pid is None or process.stdin is None:
                return False
            if at_once and not (FORKS and self._ready is process):
                return False
            # Until the job's own process says so itself: one that died meanwhile is told from one that still loads.
            store.note_pid(job_id, pid)
            self._wanted_at = time.monotonic()
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            except OSError:
                self._process = None
                return False
            if not FORKS:
                self._process = None
            return True

    def end_idle(self, idle_s: float = IDLE_S) -> None:
        """End the process where nobody has wanted it for `idle_s` seconds; jobs that came from it go on."""
        with self._lock:
            if self._process and time.monotonic() - self._wanted_at >= idle_s:
                self._end()

    def close(self) -> None:
        """End the process now."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process and process.stdin:
            # It reads to the end, so that no job that it was given is lost.
            process.stdin.close()

    def _start(self, workspace: Workspace) -> subprocess.Popen[bytes]:
        with workspace.job_log(LOG).open("wb") as log:
            process = start_child(
                *("thaw.worker", "--standby", "--workspace", str(workspace.root)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=os.environ | ENVIRONMENT,
            )
        threading.Thread(target=self._follow, args=(process,), daemon=True).start()
        return process

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """Hear when the process has loaded all, and wait for it: an unreaped child still answers as alive."""
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == READY:
                self._ready = process
        process.wait()


standby = Standby()
