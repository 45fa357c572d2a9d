"""The process of every job: `python -m thaw.worker JOB` does what a job asks for and tells the store how it ends."""

import argparse
import os
import pkgutil
from contextlib import nullcontext
from dataclasses import dataclass

from thaw.jobs.queue import hold_device
from thaw.jobs.reporter import Reporter, reporting
from thaw.storage.records import Job, JobKind
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import Stopped
from tlcore.progress import Progress


@dataclass(frozen=True)
class Work:
    """What does the jobs of one kind.

    `function` is "module:name" of what takes a Reporter and the Job; it is imported only where it is wanted, since
    TensorFlow takes seconds. What `needs_device` waits until no other job holds that. `afterwards`, which is such a
    function too, follows once the device is free for others, also where the job was stopped. `blas_threads` is for the
    process of the job alone: "" leaves it to NumPy.
    """

    function: str
    needs_device: bool = False
    afterwards: str = ""
    blas_threads: str = ""


# Of what NumPy multiplies in training nothing is large enough for more than one thread; TensorFlow has its own.
LEARNING = Work("thaw.training.learn:learn", True, "thaw.training.learn:mirror", blas_threads="1")
TRIAL = Work("thaw.training.prober:probe", needs_device=True)
WORK: dict[JobKind, Work] = {
    "import": Work("thaw.datasets.importer:import_photos"),
    "open": Work("thaw.projects.jobs:open_saved"),
    "check": Work("thaw.datasets.checker:check", needs_device=True),
    "head": LEARNING,
    "fine_tune": LEARNING,
    "probe": TRIAL,
    "rate_search": TRIAL,
    "map": Work("thaw.training.feature_map:make_map"),
    "export": Work("thaw.exporting.exporter:make_export", needs_device=True),
    "save": Work("thaw.projects.jobs:save"),
}


def work(store: Store, job_id: str, echo: Progress | None = None) -> None:
    """Do a job that waits to start, in this process; the store tells how it ended, and `echo` hears its progress.

    Raises RunError where there is no such job or it does not wait to start.
    """
    job = store.job(job_id)
    asked = WORK[job.kind]
    with reporting(store, job_id, echo) as reporter:
        try:
            with hold_device(reporter) if asked.needs_device else nullcontext():
                pkgutil.resolve_name(asked.function)(reporter, job)
        except Stopped:
            _finish(asked, reporter, job)
            raise
        _finish(asked, reporter, job)


def _finish(asked: Work, reporter: Reporter, job: Job) -> None:
    if asked.afterwards:
        pkgutil.resolve_name(asked.afterwards)(reporter, job)


def main() -> None:
    """Read the job's id from the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m thaw.worker", description="Do one job.")
    parser.add_argument("job")
    parser.add_argument("--workspace")
    arguments = parser.parse_args()
    store = Store(open_workspace(arguments.workspace))
    threads = WORK[store.job(arguments.job).kind].blas_threads
    if threads:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", threads)
    work(store, arguments.job)


if __name__ == "__main__":
    main()
