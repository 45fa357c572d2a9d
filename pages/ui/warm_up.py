"""Loads and reads what the pages need while the server starts, so that nobody waits for it at the first click."""

import contextlib
import importlib
import pkgutil
import threading
import zipfile

import pages.ui
from thaw.storage.store import Store
from tlcore import environment
from tlcore.errors import ThawError

RUNS = 2
"""The newest runs of the newest data set: what Mistakes and Evaluation open with, and Compare ticks."""
UNREADABLE = (ThawError, OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
SCRIPTS = ("pages.ui.navigation",)
"""What Streamlit runs as a page, and must not be run by being imported."""


def start(store: Store) -> threading.Thread:
    """Load and read in a thread that ends with the server."""

    def work() -> None:
        load()
        read(store)
        environment.spare_modules()

    worker = threading.Thread(target=work, name="read ahead", daemon=True)
    worker.start()
    return worker


def load() -> None:
    """Import what the pages import, with the libraries behind it: half a second that would fall on the first clicks."""
    for module in pkgutil.walk_packages(pages.ui.__path__, f"{pages.ui.__name__}."):
        if module.name not in SCRIPTS:
            importlib.import_module(module.name)


def read(store: Store) -> None:
    """Read what the pages hold in memory; what can't be read is left to the page that asks for it and says so."""
    # Not above: these set up what they hold, for which Streamlit must be running.
    from pages.ui.data import browse, findings, split_choice
    from pages.ui.mistakes import map_points
    from pages.ui.page import prediction_cache

    unreadable = contextlib.suppress(*UNREADABLE)
    for dataset in store.datasets()[:1]:
        with unreadable:
            browse.prepare(store, dataset)
            split_choice.prepare(store, dataset)
            findings.prepare(store, dataset)
        runs = [run for run in store.runs() if run.dataset_id == dataset.id and run.result_phase]
        for run in runs[:RUNS]:
            with unreadable:
                prediction_cache.accuracies(store, run)
                prediction_cache.mended(store, run)
        for run in runs[:1]:
            with unreadable:
                map_points.read_points(store, run)
