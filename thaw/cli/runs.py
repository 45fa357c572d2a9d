"""What the commands about runs do: train, try, compare, queue; from parsed arguments to one JSON-able answer."""

import argparse
from dataclasses import asdict
from typing import Any

from thaw.cli.output import Answer, quieten_tensorflow, tell, warn_of_unknown
from thaw.jobs import lifecycle
from thaw.jobs.queue import waits
from thaw.storage.facts import PhaseFacts
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training import prober
from tlcore.errors import RunError, SettingsError
from tlcore.evaluation import comparison
from tlcore.evaluation.predictions import accuracies, find_mistakes, read_predictions
from tlcore.models.backbones import BACKBONES
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.evidence import judge_run
from tlcore.training.recommendations import kept_epoch
from tlcore.tuning.probe_record import ProbeSettings, read_probe, recommend
from tlcore.tuning.rate_curve import read_curve


def run_train(store: Store, arguments: argparse.Namespace) -> Answer:
    """Do phase 1 in this process."""
    settings = HeadSettings(**_given(arguments, HeadSettings))
    return _work(store, lifecycle.add_head_job(store, arguments.dataset, settings), "head")


def run_finetune(store: Store, arguments: argparse.Namespace) -> Answer:
    """Do phase 2 in this process."""
    settings = FineTuneSettings(**_given(arguments, FineTuneSettings))
    return _work(store, lifecycle.add_fine_tune_job(store, arguments.run, settings), "fine_tune")


def run_resume(store: Store, arguments: argparse.Namespace) -> Answer:
    """Go on with a run that was paused or cut short, in this process."""
    phase = lifecycle.add_resume_job(store, arguments.run)
    return _work(store, arguments.run, phase)


def run_stop(store: Store, arguments: argparse.Namespace) -> Answer:
    """Ask the process that trains a run, or waits to, to stop after the present step."""
    lifecycle.reconcile(store)
    job = store.latest_job(store.run(arguments.run).id)
    if job is None or not job.active:
        raise RunError(
            f"Expected a run that is training or waiting. Received: {arguments.run!r}, which is at rest. `queue` lists "
            "those that can be stopped."
        )
    store.ask_to_stop(job.id)
    return {"run": arguments.run, "job": job.id, "stop_requested": True}


def run_queue(store: Store, arguments: argparse.Namespace) -> Answer:
    """List what works on the device and what waits for it, in order; `front` goes first of those."""
    lifecycle.reconcile(store)
    if arguments.front:
        _move_to_front(store, arguments.front)
    return [
        {
            "job": job.id,
            "kind": job.kind,
            "run": job.run_id or job.request.get("run"),
            "waiting": waits(job),
            "stage": job.stage,
        }
        # A job that was moved ahead of the one at work has not overtaken it.
        for job in sorted(store.queue(), key=waits)
    ]


def run_probe(store: Store, arguments: argparse.Namespace) -> Answer:
    """Try several depths on a trained head, in this process, and recommend one."""
    _try(store, lifecycle.add_probe_job(store, arguments.run, ProbeSettings(**_given(arguments, ProbeSettings))))
    found = read_probe(store.workspace.run(arguments.run))
    depths = found.depths if found else []
    best = recommend(depths)
    return {
        "run": arguments.run,
        "depths": [
            asdict(depth) | {"accuracy": depth.accuracy, "standard_error": depth.standard_error} for depth in depths
        ],
        "recommended_layers": best.top if best else None,
    }


def run_find_rate(store: Store, arguments: argparse.Namespace) -> Answer:
    """Search a learning rate for a phase of a run, in this process."""
    settings = FineTuneSettings(**_given(arguments, FineTuneSettings))
    _try(store, lifecycle.add_rate_job(store, arguments.run, arguments.phase, settings))
    curve = read_curve(store.workspace.run(arguments.run), arguments.phase)
    return {"run": arguments.run} | (asdict(curve) if curve else {})


def run_compare(store: Store, arguments: argparse.Namespace) -> Answer:
    """Compare two or more runs: their settings, those that differ first, and which is better beyond chance."""
    runs = [store.run(run_id) for run_id in arguments.runs]
    if not 2 <= len(runs) <= comparison.MOST_RUNS:
        raise SettingsError(
            f"Expected 2 to {comparison.MOST_RUNS} runs to compare. Received: {len(runs)}. `runs` lists all there are."
        )
    entries = [
        comparison.Entry(
            letter, run, store.dataset(run.dataset_id).name, read_predictions(store, run) if run.result_phase else None
        )
        for letter, run in zip(comparison.LETTERS, runs, strict=False)
    ]
    warning = comparison.warn(entries)
    return {
        "runs": {entry.letter: entry.run.id for entry in entries},
        "accuracy": {entry.letter: entry.judged.accuracy if entry.judged else None for entry in entries},
        "verdict": comparison.summarise(entries),
        "warning": warning,
        "settings": [
            {"setting": row.name, "differs": row.differs}
            | {entry.letter: value for entry, value in zip(entries, row.values, strict=True)}
            for row in comparison.compare_settings(entries)
        ],
    }


def run_mistakes(store: Store, arguments: argparse.Namespace) -> Answer:
    """List the misclassified validation images, largest confidence gap first."""
    mistakes = find_mistakes(read_predictions(store, store.run(arguments.run)))
    return [
        {
            "image": mistake.name,
            "true": mistake.true,
            "predicted": mistake.predicted,
            "confidence": mistake.confidence,
            "true_confidence": mistake.true_confidence,
            "confidence_gap": mistake.confidence_gap,
        }
        for mistake in mistakes
    ]


def run_runs(store: Store, arguments: argparse.Namespace) -> Answer:
    """List the runs, newest first."""
    lifecycle.reconcile(store)
    warn_of_unknown(store)
    return [
        {
            "run": run.id,
            "dataset": run.dataset_id,
            "backbone": run.backbone,
            "status": latest.status if (latest := store.latest_job(run.id)) else None,
            "result_phase": run.result_phase,
            **_result_metrics(store, run),
            "created_at": run.created_at,
        }
        for run in store.runs()
    ]


def describe_training(store: Store, run: Run, phase: str) -> dict[str, Any]:
    """Return what `train` and `finetune` print of a run; `frozen_layers` counts the backbone's frozen Keras layers."""
    layers = (run.fine_tune.layers if run.fine_tune else None) or 0
    epochs = [asdict(epoch) for epoch in store.epochs(run.id)]
    facts: PhaseFacts = getattr(run.facts, phase)
    return {
        "run": run.id,
        "backbone": run.backbone,
        "frozen_layers": BACKBONES[run.backbone].layers - layers,
        "epochs": epochs,
        **_result_metrics(store, run),
        "accuracies": {side: accuracy for side, (accuracy, _) in accuracies(store, run).items()},
        "seconds": facts.seconds and asdict(facts.seconds),
        "images_per_second": facts.images_per_second,
        "features_per_second": facts.features_per_second,
        "result_phase": run.result_phase,
        "evidence": [asdict(each) for each in judge_run(run, store.epochs(run.id), 2 if run.fine_tune else 1)],
        "device": run.facts.device,
        "versions": run.facts.versions,
    }


def _result_metrics(store: Store, run: Run) -> dict[str, float | None]:
    best = kept_epoch(run, store.epochs(run.id), run.result_phase) if run.result_phase else None
    return {"val_accuracy": best.val_accuracy if best else None, "val_loss": best.val_loss if best else None}


def _move_to_front(store: Store, job_id: str) -> None:
    job = store.job(job_id)
    if not waits(job):
        raise RunError(
            f"Expected a job that waits. Received: {job_id!r}, which is at work or has ended. `queue` lists those that "
            "wait."
        )
    store.move_to_front(job.id)


def _work(store: Store, run_id: str, phase: str) -> Answer:
    """Do the job that waits for a run in this process."""
    quieten_tensorflow()
    from thaw.worker import work

    work(store, run_id, tell)
    job = store.latest_job(run_id)
    if job is None or job.status != "finished":
        raise RunError((job and job.error) or f"The run {run_id!r} was stopped before it had finished.")
    return describe_training(store, store.run(run_id), phase)


def _given(
    arguments: argparse.Namespace, settings: type[HeadSettings | FineTuneSettings | ProbeSettings]
) -> dict[str, Any]:
    """Return the settings that were given on the command line; the rest keep their defaults."""
    names = settings.__dataclass_fields__
    return {name: value for name, value in vars(arguments).items() if name in names and value is not None}


def _try(store: Store, job_id: str) -> None:
    """Do a trial in this process; raise RunError where it did not finish."""
    quieten_tensorflow()
    prober.run_probe(store, job_id, tell)
    job = store.job(job_id)
    if job.status != "finished":
        raise RunError(job.error or "It was stopped before it had finished; what was measured is kept.")
