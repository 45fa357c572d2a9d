"""What each command of the command line does: from parsed arguments to one JSON-able answer."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tlcore import checker, edits, importer, jobs
from tlcore.advice import kept_epoch
from tlcore.backbones import BACKBONES
from tlcore.errors import RunError, SettingsError
from tlcore.evaluation import accuracies, find_mistakes, read_predictions
from tlcore.health import Finding, examine
from tlcore.records import Dataset, Run
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.sources import kind_of
from tlcore.splits import recommend_image_size
from tlcore.store import Store
from tlcore.weights import is_local

SAMPLES = (importer.DIGITS, importer.FLOWER_PHOTOS)

Answer = dict[str, Any] | list[dict[str, Any]]


def run_import(store: Store, arguments: argparse.Namespace) -> Answer:
    """Import a folder, an archive or a CSV of path and label, or a sample for the word "digits" or "flowers"."""
    path = Path(arguments.path).expanduser()
    request: dict[str, Any] = {"kind": arguments.path, "path": "", "name": arguments.name or ""}
    if arguments.path not in SAMPLES or path.exists():
        request |= {"kind": kind_of(path), "path": str(path.absolute())}
    if arguments.holdout and not arguments.into:
        raise SettingsError("Expected --into DATASET beside --holdout. Received: none. Say whose holdout it is.")
    if arguments.into:
        request |= {"dataset": arguments.into, "role": "holdout" if arguments.holdout else "main"}
    job_id = store.add_job("import", request)
    importer.run_import(store, job_id, tell)
    job = store.job(job_id)
    if job.status != "finished" or job.dataset_id is None:
        raise RunError(job.error or "The import was stopped.")
    return describe_dataset(store, store.dataset(job.dataset_id))


def run_datasets(store: Store, arguments: argparse.Namespace) -> Answer:
    """List the data sets."""
    return [describe_dataset(store, dataset) for dataset in store.datasets()]


def run_check(store: Store, arguments: argparse.Namespace) -> Answer:
    """Cross-validate a data set in this process, with random folds and with folds that keep groups together."""
    defaults = HeadSettings()
    backbone = arguments.backbone or defaults.backbone
    seed = defaults.seed if arguments.seed is None else arguments.seed
    job_id = jobs.add_check_job(store, arguments.dataset, backbone, seed)
    checker.run_check(store, job_id, tell)
    job, done = store.job(job_id), store.latest_check(arguments.dataset)
    if job.status != "finished" or done is None:
        raise RunError(job.error or "The check was stopped.")
    return {"dataset": arguments.dataset, "backbone": done.backbone, "version": done.version, **done.facts}


def run_train(store: Store, arguments: argparse.Namespace) -> Answer:
    """Do phase 1 in this process."""
    settings = HeadSettings(**_given(arguments, HeadSettings))
    return _work(store, jobs.add_head_job(store, arguments.dataset, settings), "head")


def run_finetune(store: Store, arguments: argparse.Namespace) -> Answer:
    """Do phase 2 in this process."""
    settings = FineTuneSettings(**_given(arguments, FineTuneSettings))
    return _work(store, jobs.add_fine_tune_job(store, arguments.run, settings), "fine_tune")


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


def run_predict(store: Store, arguments: argparse.Namespace) -> Answer:
    """Classify pictures with a run's result."""
    _quieten_tensorflow()
    from tlcore.predictor import load_classifier, predict_files

    classifier = load_classifier(store, store.run(arguments.run))
    answers: list[dict[str, Any]] = []
    for answer in predict_files(classifier, [Path(image) for image in arguments.images]):
        if answer.probabilities is None:
            answers.append({"image": str(answer.path), "error": answer.rejected})
            continue
        by_label = dict(zip(classifier.labels, map(float, answer.probabilities), strict=True))
        predicted = max(by_label, key=lambda label: by_label[label])
        answers.append(
            {
                "image": str(answer.path),
                "predicted": predicted,
                "confidence": by_label[predicted],
                "probabilities": by_label,
            }
        )
    return answers


def run_runs(store: Store, arguments: argparse.Namespace) -> Answer:
    """List the runs, newest first."""
    jobs.reconcile(store)
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


def run_backbones(store: Store, arguments: argparse.Namespace) -> Answer:
    """List the backbones."""
    return [
        {
            "backbone": row.name,
            "input_size": row.input_size,
            "parameters": row.parameters,
            "layers": row.layers,
            "imagenet_top1": row.imagenet_top1,
            "accuracy_source": row.accuracy_source,
            "weights_on_this_machine": is_local(row),
        }
        for row in BACKBONES.values()
    ]


COMMANDS: dict[str, Callable[[Store, argparse.Namespace], Answer]] = {
    "import": run_import,
    "datasets": run_datasets,
    "check": run_check,
    "train": run_train,
    "finetune": run_finetune,
    "mistakes": run_mistakes,
    "predict": run_predict,
    "runs": run_runs,
    "backbones": run_backbones,
}


def describe_dataset(store: Store, dataset: Dataset) -> dict[str, Any]:
    """Return what `import` prints of a data set."""
    return {
        "dataset": dataset.id,
        "name": dataset.name,
        "accepted": dataset.accepted,
        "rejected": [asdict(file) for file in store.set_aside(dataset.id)],
        "ignored": dataset.ignored,
        "classes": dataset.classes,
        "excluded": dataset.excluded,
        "holdout": dataset.holdout,
        "known": dataset.known,
        "version": dataset.version,
        "notes": dataset.notes,
        "findings": [{"title": finding.title, "advice": finding.advice} for finding in _findings(store, dataset)],
    }


def _findings(store: Store, dataset: Dataset) -> list[Finding]:
    images = store.images(dataset.id)
    size = recommend_image_size(images, BACKBONES[HeadSettings().backbone].input_size)
    return examine(images, size, edits.ignored(store, dataset.id))


def describe_training(store: Store, run: Run, phase: str) -> dict[str, Any]:
    """Return what `train` and `finetune` print of a run; `frozen_layers` counts the backbone's frozen Keras layers."""
    layers = (FineTuneSettings.from_json(run.fine_tune).layers if run.fine_tune else None) or 0
    epochs = [asdict(epoch) for epoch in store.epochs(run.id)]
    facts = run.facts[phase]
    return {
        "run": run.id,
        "backbone": run.backbone,
        "frozen_layers": BACKBONES[run.backbone].layers - layers,
        "epochs": epochs,
        **_result_metrics(store, run),
        "accuracies": {side: accuracy for side, (accuracy, _) in accuracies(store, run).items()},
        "seconds": facts["seconds"],
        "images_per_second": facts["images_per_second"],
        "features_per_second": facts["features_per_second"],
        "result_phase": run.result_phase,
        "device": run.facts["device"],
        "versions": run.facts["versions"],
    }


def tell(stage: str, done: int, total: int) -> None:
    """Print progress on standard error, where a script that reads the JSON does not see it."""
    print(f"{stage}: {done:,} of {total:,}" if total else f"{stage} ...", file=sys.stderr)  # noqa: T201


def _result_metrics(store: Store, run: Run) -> dict[str, float | None]:
    best = kept_epoch(run, store.epochs(run.id), run.result_phase) if run.result_phase else None
    return {"val_accuracy": best.val_accuracy if best else None, "val_loss": best.val_loss if best else None}


def _work(store: Store, run_id: str, phase: str) -> Answer:
    """Do the job that waits for a run in this process."""
    _quieten_tensorflow()
    from tlcore.worker import work

    work(store, run_id, tell)
    job = store.latest_job(run_id)
    if job is None or job.status != "finished":
        raise RunError((job and job.error) or f"The run {run_id!r} was stopped before it had finished.")
    return describe_training(store, store.run(run_id), phase)


def _given(arguments: argparse.Namespace, settings: type[HeadSettings] | type[FineTuneSettings]) -> dict[str, Any]:
    """Return the settings that were given on the command line; the rest keep their defaults."""
    names = settings.__dataclass_fields__
    return {name: value for name, value in vars(arguments).items() if name in names and value is not None}


def _quieten_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
