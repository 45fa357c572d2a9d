"""What the models of runs said of the photos that judge them: read once, and held for every page that shows it."""

from pathlib import Path

import numpy as np
import streamlit as st

from pages.ui.page import image_cache
from thaw.runs import results
from thaw.runs.results import predictions_file
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.evaluation import metrics
from tlcore.evaluation.calibration import choose_temperature, temper
from tlcore.evaluation.metrics import Interval
from tlcore.evaluation.predictions import EVALUATION_SIDES, VALIDATION, Predictions

Key = tuple[Path, str, int, str, int, int, tuple[str, ...]]


def predictions(store: Store, run: Run, phase: int | None = None, side: str = VALIDATION) -> Predictions:
    """Return what `thaw.runs.results.read_predictions` does; it is held, and must not be changed."""
    return _read(*key(store, run, phase, side))


def accuracy(store: Store, run: Run, phase: int | None = None, side: str = VALIDATION) -> Interval:
    """Return what `tlcore.evaluation.metrics.measure_accuracy` does for a side."""
    return _measure(*key(store, run, phase, side))


def sides(store: Store, run: Run, phase: int | None = None) -> list[str]:
    """Return the sets of photos that judge a run's model, validation first; none before it has one."""
    folder, chosen = store.workspace.run(run.id), phase or run.result_phase or 0
    return [side for side in EVALUATION_SIDES if (folder / predictions_file(chosen, side)).exists()]


def accuracies(store: Store, run: Run, phase: int | None = None) -> dict[str, Interval]:
    """Return the accuracy on every set of photos that judges a run's model."""
    return {side: accuracy(store, run, phase, side) for side in sides(store, run, phase)}


def key(store: Store, run: Run, phase: int | None = None, side: str = VALIDATION) -> Key:
    """Return all that the answers of a run's model depend on, and what is told of the images that they are about."""
    dataset, chosen = store.dataset(run.dataset_id), phase or run.result_phase or 0
    try:
        written = (store.workspace.run(run.id) / predictions_file(chosen, side)).stat().st_mtime_ns
    except FileNotFoundError:
        written = 0
    return store.workspace.root, run.id, chosen, side, written, dataset.version, image_cache.compared(store, dataset)


def mended(store: Store, run: Run, side: str = VALIDATION) -> tuple[float, np.ndarray]:
    """Return the temperature that was fitted on a run's validation photos, and a side's probabilities at it."""
    return _mend(key(store, run), key(store, run, side=side))


@st.cache_resource(show_spinner=False, max_entries=2)
def _mend(validation: Key, judged: Key) -> tuple[float, np.ndarray]:
    fitted = _read(*validation)
    temperature = choose_temperature(fitted.probabilities, fitted.true)
    return temperature, temper(_read(*judged).probabilities, temperature)


# Thousands of images take a tenth of a second to read and 10 MB to hold.
@st.cache_resource(show_spinner=False, max_entries=4)
def _read(
    root: Path, run_id: str, phase: int, side: str, written: int, version: int, compared: tuple[str, ...]
) -> Predictions:
    store = Store(Workspace(root))
    return results.read_predictions(store, store.run(run_id), phase, side)


@st.cache_resource(show_spinner=False, max_entries=256)
def _measure(
    root: Path, run_id: str, phase: int, side: str, written: int, version: int, compared: tuple[str, ...]
) -> Interval:
    return metrics.measure_accuracy(_read(root, run_id, phase, side, written, version, compared))
