"""The job of a run: it trains a phase, or retrains a head from fixes; then the tracking server hears of the result."""

import importlib

from thaw.jobs.queue import start_tensorflow
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Job
from thaw.tracking.mlflow import mirror_run
from tlcore.progress import Stage


def learn(reporter: Reporter, job: Job) -> None:
    """Do the phase of a run that a job of the kind "head" or "fine_tune" asks for."""
    run_id = str(job.run_id)
    if job.kind == "head" and learn_from_fixes(reporter, run_id):
        return
    reporter.store.add_facts(run_id, {"device": start_tensorflow(reporter)})
    from thaw.jobs.devices import spread_over_gpus

    detects = reporter.store.run(run_id).head.task == "detect"
    train = importlib.import_module("thaw.detection.train" if detects else "thaw.training.run")
    with spread_over_gpus():
        {"head": train.train_head, "fine_tune": train.fine_tune}[job.kind](reporter, run_id)


def mirror(reporter: Reporter, job: Job) -> None:
    """Tell the tracking server of a run; what was finished before a stop is a result like any other."""
    if reporter.store.run(str(job.run_id)).result_phase is not None:
        mirror_run(reporter, str(job.run_id))


def learn_from_fixes(reporter: Reporter, run_id: str) -> bool:
    """Do the job of a run that was retrained, without TensorFlow; return False where it has to be trained as others."""
    from thaw.retraining.inherited_split import inherit
    from thaw.retraining.retrain import prepare, retrain_head

    run = reporter.store.run(run_id)
    if run.facts.retrained_from is None:
        return False
    reporter.progress(Stage.READING_FEATURES, 0, 0)
    parts = inherit(reporter.store, run)
    plan = None if parts is None else prepare(reporter.store, reporter.store.run(run_id), parts)
    if plan is None:
        return False
    retrain_head(reporter, plan)
    return True
