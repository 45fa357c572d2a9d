"""The commands about what runs leave behind: the history, TensorBoard's files, model cards, projects."""

import csv
import io
from dataclasses import asdict
from pathlib import Path

import click

from thaw.cli.commands import command
from thaw.cli.jobs import do
from thaw.cli.output import Output
from thaw.model_card.model_card import write_model_card
from thaw.projects.save import is_project
from thaw.storage.experiments import COLUMNS, flatten
from thaw.storage.store import Store
from thaw.tracking.tensorboard import write_events
from tlcore.errors import RunError, SettingsError

STOPPED = "It was stopped before it had finished; nothing of it is left."


@command("history")
@click.option("--csv", "as_csv", is_flag=True, help="print a CSV table")
def run_history(store: Store, as_csv: bool) -> Output:
    """List every run with its lineage, newest first; as a CSV table where that is asked for."""
    if not as_csv:
        return [asdict(experiment) for experiment in store.experiments()]
    if click.get_current_context().params["as_json"]:
        raise SettingsError("Expected one of --csv and --json. Received: both. Leave one out.")
    table = io.StringIO()
    rows = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    rows.writeheader()
    rows.writerows(map(flatten, store.experiments()))
    return table.getvalue()


@command("tensorboard")
@click.argument("run")
@click.option("--to", metavar="FOLDER", required=True, help="for `tensorboard --logdir FOLDER`")
def run_tensorboard(store: Store, run: str, to: str) -> Output:
    """Write the epochs of a run as TensorBoard event files."""
    paths = write_events(store, run, Path(to).expanduser())
    return {"run": run, "files": [str(path) for path in paths]}


@command("card")
@click.argument("run")
@click.option("--to", metavar="FOLDER", required=True, help="the folder to write it to")
@click.option("--no-pictures", is_flag=True, help="leave the photos of the worst mistakes out")
def run_card(store: Store, run: str, to: str, no_pictures: bool) -> Output:
    """Write the model card of a run."""
    folder = Path(to).expanduser()
    try:
        paths = write_model_card(store, store.run(run), folder, not no_pictures)
    except OSError as problem:
        raise RunError(
            f"Expected a folder that can be written. Received: {str(folder)!r} ({problem}). Choose another."
        ) from problem
    return {"run": run, "files": [str(path) for path in paths]}


@command("project", "To save, name a run or a data set by its id; to open, the zip.")
@click.argument("action", type=click.Choice(["save", "open"]))
@click.argument("subject", metavar="RUN_OR_DATASET_OR_ZIP")
@click.option("--to", metavar="FILE.zip", help="where to save it")
def run_project(store: Store, action: str, subject: str, to: str | None) -> Output:
    """Save a run or a data set as a project, or open one, in this process."""
    if (action == "save") != bool(to):
        raise SettingsError("Expected --to FILE.zip with `project save`, and not with `project open`. See --help.")
    if to:
        target = Path(to).expanduser().absolute()
        do(store, store.add_job("save", {"subject": subject, "path": str(target)}), STOPPED)
        return {"project": str(target), "bytes": target.stat().st_size}
    archive = Path(subject).expanduser().absolute()
    if not is_project(archive):
        raise RunError(
            f"Expected a project that Thaw has saved. Received: {str(archive)!r}. `import` takes folders and zips of "
            "photos."
        )
    job_id = store.add_job("open", {"kind": "zip", "path": str(archive), "name": ""})
    dataset_id = do(store, job_id, STOPPED).dataset_id
    return {"dataset": dataset_id, "runs": [run.id for run in store.runs() if run.dataset_id == dataset_id]}
