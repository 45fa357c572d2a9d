"""What each command of the command line does: from parsed arguments to one JSON-able answer."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from thaw.cli import backbones, disk, exports, predict, runs, sharing
from thaw.cli.output import Answer, quieten_tensorflow, tell, warn_of_unknown
from thaw.datasets import checker, edits, importer
from thaw.datasets.division import read_division
from thaw.datasets.health import Finding, examine
from thaw.datasets.zip_file import save_dataset
from thaw.jobs import lifecycle
from thaw.sources.sources import kind_of
from thaw.storage.journal.rebuild import rebuild
from thaw.storage.journal.rebuild import tell as tell_rebuilt
from thaw.storage.questions import read_answers
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.errors import RunError, SettingsError
from tlcore.models.backbones import BACKBONES
from tlcore.settings import HeadSettings
from tlcore.splits.label_errors import FACT, read_doubts
from tlcore.splits.splits import recommend_image_size

SAMPLES = (importer.DIGITS, importer.FLOWER_PHOTOS)


def run_import(store: Store, arguments: argparse.Namespace) -> Answer:
    """Import a folder, an archive or a CSV of path and label, or a sample for the word "digits" or "flowers"."""
    path = Path(arguments.path).expanduser()
    request: dict[str, Any] = {"kind": arguments.path, "path": "", "name": arguments.name or ""}
    if arguments.answer:
        request["answers"] = read_answers(arguments.answer)
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
    warn_of_unknown(store)
    return [describe_dataset(store, dataset) for dataset in store.datasets()]


def run_rebuild(workspace: Workspace) -> Answer:
    """Bring back what the folders hold and the database does not; a damaged database is set aside."""
    rebuilt = rebuild(workspace)
    return {
        "datasets": [each.id for each in rebuilt.datasets],
        "runs": rebuilt.runs,
        "set_aside": str(rebuilt.set_aside) if rebuilt.set_aside else None,
        "told": tell_rebuilt(rebuilt),
    }


def run_check(store: Store, arguments: argparse.Namespace) -> Answer:
    """Cross-validate in this process, with random folds and with folds that keep groups; list likely label errors."""
    defaults = HeadSettings()
    backbone = arguments.backbone or defaults.backbone
    seed = defaults.seed if arguments.seed is None else arguments.seed
    job_id = lifecycle.add_check_job(store, arguments.dataset, backbone, seed)
    checker.run_check(store, job_id, tell)
    job, done = store.job(job_id), store.latest_check(arguments.dataset)
    if job.status != "finished" or done is None:
        raise RunError(job.error or "The check was stopped.")
    names = {image.id: image.name for image in store.every_image(arguments.dataset)}
    facts = done.facts | {FACT: [asdict(doubt) | {"image": names[doubt.image]} for doubt in read_doubts(done)]}
    return {"dataset": arguments.dataset, "backbone": done.backbone, "version": done.version, **facts}


def run_dataset(store: Store, arguments: argparse.Namespace) -> Answer:
    """Save a data set as it stands now as a zip of class folders, or its labels as a CSV."""
    target = Path(arguments.to).expanduser().absolute()
    division = read_division(arguments.split, arguments.seed)
    saved = save_dataset(store, arguments.dataset, target, division, arguments.with_excluded)
    return {"dataset": arguments.dataset, "file": str(target), **saved}


def run_serve(store: Store, arguments: argparse.Namespace) -> Answer:
    """Answer for new pictures over HTTP until told to stop."""
    quieten_tensorflow()
    # The server's packages would slow every other command down.
    from thaw.cli import serve

    return serve.run_serve(store, arguments)


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
        "pile": dataset.pile,
        "known": dataset.known,
        "version": dataset.version,
        "notes": dataset.notes,
        "findings": [{"title": finding.title, "advice": finding.advice} for finding in _findings(store, dataset)],
    }


def _findings(store: Store, dataset: Dataset) -> list[Finding]:
    images = store.images(dataset.id)
    size = recommend_image_size(images, BACKBONES[HeadSettings().backbone].input_size)
    return examine(images, size, edits.ignored(store, dataset.id), store.latest_check(dataset.id))


COMMANDS: dict[str, Callable[[Store, argparse.Namespace], Answer]] = {
    "import": run_import,
    "datasets": run_datasets,
    "rebuild": lambda store, arguments: run_rebuild(store.workspace),
    "dataset": run_dataset,
    "check": run_check,
    "train": runs.run_train,
    "finetune": runs.run_finetune,
    "probe": runs.run_probe,
    "find-rate": runs.run_find_rate,
    "stop": runs.run_stop,
    "resume": runs.run_resume,
    "queue": runs.run_queue,
    "mistakes": runs.run_mistakes,
    "predict": predict.run_predict,
    "export": exports.run_export,
    "runs": runs.run_runs,
    "compare": runs.run_compare,
    "backbones": backbones.run_backbones,
    "weights": backbones.run_weights,
    "speed": backbones.run_speed,
    "history": sharing.run_history,
    "tensorboard": sharing.run_tensorboard,
    "card": sharing.run_card,
    "project": sharing.run_project,
    "disk": disk.run_disk,
    "delete": disk.run_delete,
    "undelete": disk.run_undelete,
    "serve": run_serve,
}
