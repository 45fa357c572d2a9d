"""The queue for the device: jobs that want it take their turns, first come, first served, unless one is moved ahead."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from thaw.jobs import lifecycle
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Job
from tlcore.progress import Stage

LOOK_AGAIN_S = 0.5


def waits(job: Job) -> bool:
    """Say whether an active job has yet to get the device."""
    return job.active and job.stage in (Stage.STARTING, Stage.WAITING_FOR_DEVICE)


@contextmanager
def hold_device(reporter: Reporter) -> Iterator[None]:
    """Hold the workspace's devices while the body runs, waiting first for the job's turn."""
    lock = FileLock(reporter.store.workspace.device_lock)
    take_turn(reporter, lock)
    try:
        yield
    finally:
        lock.release()


def start_tensorflow(reporter: Reporter) -> str:
    """Load TensorFlow and set up the device that the job holds; return the device's name."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from thaw.jobs.devices import configure_device

    reporter.progress(Stage.STARTING_TENSORFLOW, 0, 0)
    return configure_device()


def take_turn(reporter: Reporter, lock: FileLock) -> None:
    """Take the lock of the device once nobody is ahead; raise Stopped if the person cancels the job before that.

    The order is in the database and the lock keeps jobs apart: neither alone would survive a kill at any moment.
    """
    while True:
        reporter.check_stop()
        if _is_first(reporter) and _take(lock):
            return
        reporter.progress(Stage.WAITING_FOR_DEVICE, 0, 0)
        time.sleep(LOOK_AGAIN_S)


def _is_first(reporter: Reporter) -> bool:
    if _at_head(reporter):
        return True
    # A process that was killed as it waited holds nobody up, even where no page is open to notice.
    lifecycle.reconcile(reporter.store)
    return _at_head(reporter)


def _at_head(reporter: Reporter) -> bool:
    return all(job.id == reporter.job_id for job in reporter.store.queue()[:1])


def _take(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
