"""The process that trains: `python -m thaw.worker RUN` does the job that waits for a run, alone on the device."""

import argparse
import os

from thaw.jobs.queue import hold_device
from thaw.jobs.reporter import Reporter, reporting
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.tracking.mlflow import mirror_run
from tlcore.errors import RunError, Stopped
from tlcore.progress import Progress


def work(store: Store, run_id: str, echo: Progress | None = None) -> None:
    """Do the job that was recorded last for a run, in this process; the store tells how it ended.

    Runs share one device, so that a job first waits until no other holds it.
    """
    job = store.latest_job(run_id)
    if job is None or job.status != "starting":
        raise RunError(f"Expected a run whose job waits to start. Received: {run_id!r}. Start or resume it first.")
    with reporting(store, job.id, echo) as reporter:
        try:
            _learn(reporter, job.kind, run_id)
        except Stopped:
            # What was finished before the stop is a result like any other.
            if store.run(run_id).result_phase is not None:
                mirror_run(reporter, run_id)
            raise
        mirror_run(reporter, run_id)


def _learn(reporter: Reporter, kind: str, run_id: str) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from tlcore.models.devices import configure_device, spread_over_gpus

    with hold_device(reporter):
        if kind == "head" and learn_from_fixes(reporter, run_id):
            return
        reporter.progress("starting TensorFlow", 0, 0)
        reporter.store.add_facts(run_id, {"device": configure_device()})
        from thaw.training.run import fine_tune, train_head

        with spread_over_gpus():
            {"head": train_head, "fine_tune": fine_tune}[kind](reporter, run_id)


def learn_from_fixes(reporter: Reporter, run_id: str) -> bool:
    """Do the job of a run that was retrained, without TensorFlow; return False where it has to be trained as others."""
    from thaw.retraining.inherited_split import inherit
    from thaw.retraining.retrain import prepare, retrain_head

    run = reporter.store.run(run_id)
    if run.facts.retrained_from is None:
        return False
    reporter.progress("reading the features", 0, 0)
    parts = inherit(reporter.store, run)
    plan = None if parts is None else prepare(reporter.store, reporter.store.run(run_id), parts)
    if plan is None:
        return False
    retrain_head(reporter, plan)
    return True


def main() -> None:
    """Read the run's id from the command line and do its job."""
    parser = argparse.ArgumentParser(description="Do the job that waits for a run.")
    parser.add_argument("run")
    parser.add_argument("--workspace")
    arguments = parser.parse_args()
    # Of what NumPy multiplies here nothing is large enough for more; TensorFlow has threads of its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    work(Store(open_workspace(arguments.workspace)), arguments.run)


if __name__ == "__main__":
    main()
