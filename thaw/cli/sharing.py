"""What the commands about what runs leave behind do: the history, TensorBoard's files, model cards, projects."""

import argparse
import csv
import io
from dataclasses import asdict
from pathlib import Path

from thaw.cli.output import Answer, tell
from thaw.datasets import importer
from thaw.model_card.model_card import write_model_card
from thaw.projects import saver
from thaw.projects.save import is_project
from thaw.storage.experiments import COLUMNS, flatten
from thaw.storage.store import Store
from thaw.tracking.tensorboard import write_events
from tlcore.errors import RunError, SettingsError


def run_history(store: Store, arguments: argparse.Namespace) -> Answer:
    """List every run with its lineage, newest first; as a CSV table where that is asked for."""
    if not arguments.csv:
        return [asdict(experiment) for experiment in store.experiments()]
    if arguments.json:
        raise SettingsError("Expected one of --csv and --json. Received: both. Leave one out.")
    table = io.StringIO()
    rows = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    rows.writeheader()
    rows.writerows(map(flatten, store.experiments()))
    return table.getvalue()


def run_tensorboard(store: Store, arguments: argparse.Namespace) -> Answer:
    """Write the epochs of a run as TensorBoard event files."""
    paths = write_events(store, arguments.run, Path(arguments.to).expanduser())
    return {"run": arguments.run, "files": [str(path) for path in paths]}


def run_card(store: Store, arguments: argparse.Namespace) -> Answer:
    """Write the model card of a run."""
    folder = Path(arguments.to).expanduser()
    try:
        paths = write_model_card(store, store.run(arguments.run), folder, not arguments.no_pictures)
    except OSError as problem:
        raise RunError(
            f"Expected a folder that can be written. Received: {str(folder)!r} ({problem}). Choose another."
        ) from problem
    return {"run": arguments.run, "files": [str(path) for path in paths]}


def run_project(store: Store, arguments: argparse.Namespace) -> Answer:
    """Save a run or a data set as a project, or open one, in this process."""
    if (arguments.action == "save") != bool(arguments.to):
        raise SettingsError("Expected --to FILE.zip with `project save`, and not with `project open`. See --help.")
    if arguments.action == "save":
        target = Path(arguments.to).expanduser().absolute()
        job_id = store.add_job("save", {"subject": arguments.subject, "path": str(target)})
        saver.run_save(store, job_id, tell)
        _require_finished(store, job_id)
        return {"project": str(target), "bytes": target.stat().st_size}
    archive = Path(arguments.subject).expanduser().absolute()
    if not is_project(archive):
        raise RunError(
            f"Expected a project that Thaw has saved. Received: {str(archive)!r}. `import` takes folders and zips of "
            "photos."
        )
    job_id = store.add_job("import", {"kind": "zip", "path": str(archive), "name": ""})
    importer.run_import(store, job_id, tell)
    _require_finished(store, job_id)
    dataset_id = store.job(job_id).dataset_id
    return {"dataset": dataset_id, "runs": [run.id for run in store.runs() if run.dataset_id == dataset_id]}


def _require_finished(store: Store, job_id: str) -> None:
    job = store.job(job_id)
    if job.status != "finished":
        raise RunError(job.error or "It was stopped before it had finished; nothing of it is left.")
