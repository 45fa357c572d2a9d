"""What the commands about what runs leave behind do: the history, TensorBoard's files, the model card."""

import argparse
import csv
import io
from dataclasses import asdict
from pathlib import Path

from tlcore.answers import Answer
from tlcore.errors import RunError, SettingsError
from tlcore.event_files import write_events
from tlcore.experiments import COLUMNS, flatten
from tlcore.model_card import write_model_card
from tlcore.store import Store


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
