"""Boxes that a detector proposes for photos of its own data set, for a person to take, correct or turn down."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thaw.datasets.run_split import read_labels
from thaw.prediction.client import predictor
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from tlcore.boxes import Box
from tlcore.detection.found import Found

# Less sure ones are wrong more often than right, and each costs a key to turn down.
LEAST_SURE = 0.25


@dataclass(frozen=True)
class Suggestion:
    """A box that a detector proposes, and how sure it is, 0 to 1."""

    box: Box
    confidence: float


def find_detector(store: Store, dataset_id: str) -> Run | None:
    """Return the newest run of a data set that has a detector, or None."""
    runs = (run for run in store.runs() if run.dataset_id == dataset_id and run.head.task == "detect")
    return next((run for run in runs if run.result_phase is not None), None)


def suggest_boxes(store: Store, dataset_id: str, images: Sequence[Image]) -> list[list[Suggestion]]:
    """Return what the newest detector of a data set finds on each of some of its photos, the surest first; [] where
    there is nothing, or no detector. Raises what `thaw.prediction.client.Predictor.find_in_files` raises."""
    run = find_detector(store, dataset_id)
    if run is None:
        return [[] for _ in images]
    seen = predictor(store.workspace).find_in_files(run.id, [Path(image.file) for image in images])
    labels = read_labels(store, run)
    return [_suggest(labels, each.found) if each.found else [] for each in seen]


def _suggest(labels: Sequence[str], found: Found) -> list[Suggestion]:
    sure = found.above(LEAST_SURE)
    return [
        Suggestion(Box(labels[kind], left, top, right - left, bottom - top), score)
        for (left, top, right, bottom), score, kind in zip(
            sure.edges.astype(float).tolist(), sure.scores.tolist(), sure.kinds.tolist(), strict=True
        )
        if right > left and bottom > top
    ]
