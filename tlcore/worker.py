"""The process that trains: `python -m tlcore.worker RUN` does the job that waits for a run, alone on the device."""

import argparse
import os

from tlcore.errors import RunError
from tlcore.mlflow_mirror import mirror_run
from tlcore.reporter import Progress, reporting
from tlcore.store import Store
from tlcore.workspace import open_workspace


def work(store: Store, run_id: str, echo: Progress | None = None) -> None:
    """Do the job that was recorded last for a run, in this process; the store tells how it ended.

    Runs share one device, so that a job first waits until no other holds it.
    """
    job = store.latest_job(run_id)
    if job is None or job.status != "starting":
        raise RunError(f"Expected a run whose job waits to start. Received: {run_id!r}. Start or resume it first.")
    with reporting(store, job.id, echo) as reporter:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        from tlcore.devices import configure_device, hold_device, spread_over_gpus

        with hold_device(reporter):
            reporter.progress("starting TensorFlow", 0, 0)
            store.add_facts(run_id, {"device": configure_device()})
            from tlcore.training import fine_tune, train_head

            with spread_over_gpus():
                {"head": train_head, "fine_tune": fine_tune}[job.kind](reporter, run_id)
        mirror_run(reporter, run_id)


def main() -> None:
    """Read the run's id from the command line and do its job."""
    parser = argparse.ArgumentParser(description="Do the job that waits for a run.")
    parser.add_argument("run")
    parser.add_argument("--workspace")
    arguments = parser.parse_args()
    work(Store(open_workspace(arguments.workspace)), arguments.run)


if __name__ == "__main__":
    main()
