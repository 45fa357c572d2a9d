"""Jobs that a command does in its own process."""

import sys

from thaw.cli.output import quieten_tensorflow
from thaw.jobs.stages import STAGES, phrase
from thaw.storage.records import Job
from thaw.storage.store import Store
from thaw.worker import work
from tlcore.errors import RunError
from tlcore.progress import Stage


def do(store: Store, job_id: str, stopped: str) -> Job:
    """Do a job that waits to start; return it as it ended.

    Raises RunError where it failed, and in the words of `stopped` where it was stopped.
    """
    quieten_tensorflow()
    work(store, job_id, tell)
    job = store.job(job_id)
    if job.status != "finished":
        raise RunError(job.error or stopped)
    return job


def tell(stage: str, done: int, total: int) -> None:
    """Print progress on standard error, where a script that reads the JSON does not see it."""
    words = phrase(Stage(stage)) if stage in STAGES else stage
    going_on = words if words.endswith(".") else f"{words} ..."
    print(f"{words}: {done:,} of {total:,}" if total else going_on, file=sys.stderr)  # noqa: T201
