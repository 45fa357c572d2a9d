"""One decoding process as its parent holds it: started, asked, and started again after it has died."""

import contextlib
import json
import math
import os
import subprocess
import threading
import time
from typing import Any

from thaw.decoding.time_limit import limit_wait, was_ended
from thaw.jobs.children import start_child
from tlcore.environment import KEPT_MEMORY
from tlcore.errors import DatasetError

# On a machine that is slow and busy a process may take a minute to begin.
_START_LIMIT_S = 180.0
# Each is one of several, so NumPy is to start no threads of its own; what libraries warn of concerns nobody here.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"} | KEPT_MEMORY


class Child:
    """One decoding process, started again after it has died."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._deadline = math.inf
        self._late = False
        # Between an answer's arrival and its reading nobody may be killed for being late with it.
        self._judging = threading.Lock()

    def start(self) -> None:
        self.process = start_child(
            "thaw.decoding.decoder",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | _ENVIRONMENT,
        )

    def await_ready(self) -> None:
        told = self._read(_START_LIMIT_S)
        if told == {"died": "late"}:
            raise DatasetError(
                f"Expected a process that decodes images to start. Received: one that has not begun after "
                f"{_START_LIMIT_S:.0f} s. Wait until this machine has less to do, then try again."
            )
        if told != {"ready": True}:
            raise DatasetError(
                "Expected a process that decodes images to start. Received: one that ended at once. "
                "Check that `python -m thaw.decoding.decoder` runs, and that there is memory left."
            )

    def ask(self, request: dict[str, Any], limit_s: float, lent_s: float) -> dict[str, Any]:
        """Return the child's reply, or {"died": how}: "late" by its parent's clock, "slow" by its own, or "crashed".

        `lent_s` is the processor time that it may use beyond what the picture's size warrants.
        """
        if self._closed:
            return {"died": "crashed"}
        if self.process is None:
            self.start()
            self.await_ready()
        assert self.process is not None
        assert self.process.stdin is not None
        request |= {"limit_s": limit_s, "lent_s": lent_s}
        # A child that died since the last image shows itself here or in the empty answer.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        return self._read(limit_wait(limit_s, lent_s))

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

    def _read(self, limit_s: float) -> dict[str, Any]:
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
        status = self._end()
        return {"died": "late" if self._late else "slow" if was_ended(status) else "crashed"}

    def _end(self) -> int | None:
        """End the process if there is one; return its exit status."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.kill()
        status = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return status
