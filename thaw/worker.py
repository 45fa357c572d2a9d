"""The process of every job: `python -m thaw.worker JOB` does what a job asks for and tells the store how it ends."""

import argparse
import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import threadpoolctl

from thaw.jobs.queue import hold_device
from thaw.jobs.reporter import Reporter, reporting
from thaw.jobs.standby import FORKS, READY
from thaw.storage.records import Job, JobKind
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import Stopped
from tlcore.processes import start_of
from tlcore.progress import Progress


@dataclass(frozen=True)
class Work:
    """What does the jobs of one kind.

    `function` is "module:name" of what takes a Reporter and the Job; it is imported only where it is wanted, since
    TensorFlow takes seconds. What `needs_device` waits until no other job holds that. `afterwards`, which is such a
    function too, follows once the device is free for others, also where the job was stopped. `blas_threads` is for the
    process of the job alone: "" leaves it to NumPy. What `gives_way` has a low priority in a process of its own.
    """

    function: str
    needs_device: bool = False
    afterwards: str = ""
    blas_threads: str = ""
    gives_way: bool = False


# Of what NumPy multiplies in training nothing is large enough for more than one thread; TensorFlow has its own.
LEARNING = Work("thaw.training.learn:learn", True, "thaw.training.learn:mirror", blas_threads="1")
TRIAL = Work("thaw.training.prober:probe", needs_device=True)
# Of what may be wanted soon, beside pages and imports that somebody waits for now.
LOW_PRIORITY = 10
# What a process that waits for a job has loaded, beside what the jobs themselves begin with.
PRELOADED = ("tensorflow", "keras", "thaw.training.run", "thaw.tuning.depth_probe", "tlcore.exporting.export")
WORK: dict[JobKind, Work] = {
    "import": Work("thaw.datasets.importer:import_photos"),
    "open": Work("thaw.projects.jobs:open_saved"),
    "check": Work("thaw.datasets.checker:check", needs_device=True),
    "sort": Work("thaw.labelling.sorter:sort", needs_device=True),
    "head": LEARNING,
    "fine_tune": LEARNING,
    "probe": TRIAL,
    "rate_search": TRIAL,
    "search": Work("thaw.training.searcher:search", needs_device=True),
    "map": Work("thaw.training.feature_map:make_map"),
    "export": Work("thaw.exporting.exporter:make_export", needs_device=True),
    "save": Work("thaw.projects.jobs:save"),
    "summarise": Work("thaw.summaries.summarise:summarise"),
    "look_ahead": Work("thaw.training.look_ahead:look_ahead", gives_way=True),
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
    """Read the job's id from the command line, or wait to be given one, and do it."""
    parser = argparse.ArgumentParser(prog="python -m thaw.worker", description="Do one job.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("job", nargs="?")
    which.add_argument("--standby", action="store_true", help="load TensorFlow and wait for jobs on standard input")
    parser.add_argument("--workspace")
    arguments = parser.parse_args()
    if arguments.standby:
        _stand_by(arguments.workspace)
        return
    store = Store(open_workspace(arguments.workspace))
    asked = WORK[store.job(arguments.job).kind]
    if asked.blas_threads:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", asked.blas_threads)
    if asked.gives_way and hasattr(os, "nice"):
        os.nice(LOW_PRIORITY)
    work(store, arguments.job)


def _stand_by(workspace: str) -> None:
    """Load what jobs need, and have a fork get ready what the first of them would; then have each job that is asked for
    done by a fork, or where there is none, by this."""
    loading = threading.Thread(target=_load)
    loading.start()
    loading.join()
    # What is there stays: no fork is to look through it, which would have each page of it copied.
    gc.collect()
    gc.freeze()
    if FORKS:
        # Whoever asked for a job learns from the store how it ends; the system is to keep no record for this process.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        if os.fork() == 0:
            os.nice(LOW_PRIORITY)
            importlib.import_module("thaw.backbones.loading").get_ready(open_workspace(workspace))
            return
    sys.stdout.buffer.write(READY + b"\n")
    sys.stdout.buffer.flush()
    for line in sys.stdin.buffer:
        if not FORKS or os.fork() == 0:
            _do_for(json.loads(line))
            return


def _load() -> None:
    """Import what jobs will, giving way to others: on Linux a thread has a priority of its own."""
    if FORKS:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW_PRIORITY)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name in (*PRELOADED, *(each.function.partition(":")[0] for each in WORK.values())):
        importlib.import_module(name)


def _do_for(request: dict[str, Any]) -> None:
    """Do a job that was asked for, in this process, as if it had been started for that alone."""
    if FORKS:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number, target in enumerate((os.open(os.devnull, os.O_RDONLY), log, log)):
        os.dup2(target, number)
    os.environ.clear()
    os.environ.update(request["environment"])
    store = Store(open_workspace(request["workspace"]))
    store.update_job(request["job"], pid=os.getpid(), pid_started=start_of(os.getpid()))
    asked = WORK[store.job(request["job"]).kind]
    if asked.gives_way and hasattr(os, "nice"):
        os.nice(LOW_PRIORITY)
    if not asked.blas_threads:
        threadpoolctl.threadpool_limits(os.cpu_count(), user_api="blas")
    work(store, request["job"])


if __name__ == "__main__":
    main()
