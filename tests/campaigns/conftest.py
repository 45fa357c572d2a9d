"""What the campaigns share: a run to disturb, and the death of a process."""

import os
import signal

import psutil
import pytest

from tests.support.runs import train_head
from thaw.jobs import lifecycle
from tlcore.settings import HeadSettings

TAUGHT = HeadSettings(image_size=48, epochs=40, batch_size=2, validation_split=0.25, patience=1000, hidden_units=512)


@pytest.fixture(scope="session")
def taught(store, tiny_dataset):
    """Train a head in the ordinary way; return the run's id."""
    return train_head(store, tiny_dataset, TAUGHT)


@pytest.fixture(scope="session")
def kill(wait_for):
    """Return a function that kills a process by its id and waits until it is gone; it says whether it was alive."""

    def is_over(process):
        try:
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def strike(pid):
        try:
            process = psutil.Process(pid)
            os.kill(pid, signal.SIGKILL)
        except (psutil.NoSuchProcess, ProcessLookupError):
            return False
        # Not waited for as a parent does: whoever started it would no longer learn how it ended.
        wait_for(lambda: is_over(process), 15, f"the end of {pid}, which was killed,")
        return True

    return strike


@pytest.fixture(scope="session")
def settle(store, wait_for):
    """Return a function that waits until a job is over or its death is known; it returns the job."""

    def wait(job_id, limit_s=15):
        def over():
            lifecycle.reconcile(store)
            return not store.job(job_id).active

        wait_for(over, limit_s, f"the end of {job_id}, or the truth about it,")
        return store.job(job_id)

    return wait


@pytest.fixture(scope="session")
def starve():
    """Return a function after which a process gets no more memory than it has: the next it asks for is refused."""

    def limit(pid):
        try:
            process = psutil.Process(pid)
            held = process.memory_info().vms
            process.rlimit(psutil.RLIMIT_AS, (held, held))
        except psutil.NoSuchProcess:
            return False
        return True

    return limit
