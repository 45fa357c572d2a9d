"""What the detectors of runs find, for lists of runs and for comparing them: counts and AP50 in words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui.evaluation import accuracy
from pages.ui.words import amounts
from thaw.detection.comparison import Found
from thaw.detection.found import CONFIDENCE, FoundPhotos, found_file, read_found, tell_found
from thaw.runs.comparison import ComparedRun
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.errors import RunError
from tlcore.evaluation.predictions import EVALUATION_SIDES

MIXED = (
    "Some of these runs tell kinds apart, others find and count things: their figures are not of one sort. Tick runs "
    "that do the same."
)


def tell_scores(store: Store, run: Run) -> dict[str, str]:
    """Say how much a run's detector finds on every set of photos that judges it, by the set's title."""
    folder, phase = store.workspace.run(run.id), run.result_phase or 0
    written = {side: folder / found_file(phase, side) for side in EVALUATION_SIDES}
    return {
        accuracy.title(side): _tell(store.workspace.root, run.id, phase, side, path.stat().st_mtime_ns)
        for side, path in written.items()
        if path.exists()
    }


@st.cache_data(show_spinner=False, max_entries=256)
def _tell(root: Path, run_id: str, phase: int, side: str, written: int) -> str:
    store = Store(Workspace(root))
    return tell(read_found(store, store.run(run_id), phase, side))


def tell(photos: FoundPhotos) -> str:
    """Say how much is found on photos, such as "41 of 50 found, AP50 95.2%"."""
    counted = tell_found(photos)
    return f"{counted['found']:,} of {counted['objects']:,} found, AP50 {amounts.percent(photos.precision)}"


def read(store: Store, entries: Sequence[ComparedRun]) -> Found:
    """Return what the detectors of runs found on the photos that judge them, by letter; of those that have any."""
    found: dict[str, FoundPhotos] = {}
    for entry in entries:
        try:
            found[entry.letter] = read_found(store, entry.run)
        except RunError:
            continue
    return found


def introduce(photos: FoundPhotos) -> str:
    """Say of one of several runs how much it finds, for Markdown."""
    alarms = amounts.count(tell_found(photos)["false_alarms"], "false alarm")
    return f" – **{tell(photos)}**, {alarms}"


def list_figures(entries: Sequence[ComparedRun], found: Found, none: str) -> dict[str, list[Any]]:
    """Return the figures of runs for a table, by their names; `none` stands for what there is not."""

    def each(value: str) -> list[Any]:
        return [tell_found(found[entry.letter])[value] if entry.letter in found else none for entry in entries]

    return {
        "AP50": [found[entry.letter].precision if entry.letter in found else none for entry in entries],
        "Objects": each("objects"),
        f"Found, from a confidence of {CONFIDENCE:g} on": each("found"),
        "Confused": each("confused"),
        "Missed": each("missed"),
        "False alarms": each("false_alarms"),
        "Validation images": [len(found[entry.letter].images) if entry.letter in found else none for entry in entries],
    }
