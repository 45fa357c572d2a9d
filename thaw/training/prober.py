"""The process that tries something on a run without changing it, `python -m thaw.training.prober JOB`: its depths, or
its learning rates."""

import argparse
import os
from pathlib import Path

from thaw.jobs.reporter import Progress, reporting
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.tuning.probe_record import ProbeSettings


def run_probe(store: Store, job_id: str, echo: Progress | None = None) -> None:
    """Do the depth probe or the search of a learning rate that a job asks for, alone on the device."""
    with reporting(store, job_id, echo) as reporter:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        from tlcore.models.devices import configure_device, hold_device

        with hold_device(reporter):
            reporter.progress("starting TensorFlow", 0, 0)
            configure_device()
            from tlcore.tuning.depth_probe import probe_depths
            from tlcore.tuning.rate_finder import search_rate

            job = store.job(job_id)
            run_id, asked = job.request["run"], job.request["settings"]
            if job.kind == "probe":
                probe_depths(reporter, run_id, ProbeSettings(**asked))
            else:
                search_rate(reporter, run_id, **asked)


def main() -> None:
    """Read the job's id from the command line and do it."""
    parser = argparse.ArgumentParser(prog="thaw.training.prober", description="Try depths or learning rates on a run.")
    parser.add_argument("job")
    parser.add_argument("--workspace", required=True, type=Path)
    arguments = parser.parse_args()
    run_probe(Store(open_workspace(arguments.workspace)), arguments.job)


if __name__ == "__main__":
    main()
