"""The points of a map: every image that has a place on it, with what the run's model says of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from pages.ui.mistakes.fixing import Fixes
from pages.ui.page import image_cache
from pages.ui.words.names import in_figure
from thaw.datasets.run_split import SIDES, read_labels, read_sides, read_split, recall
from thaw.runs.results import predictions_file, read_predictions
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from thaw.summaries.summary import is_large
from thaw.training.feature_map import Projection, read_projection
from tlcore.environment import uncollected
from tlcore.errors import RunError
from tlcore.evaluation.predictions import EVALUATION_SIDES
from tlcore.splits.splits import Split

LONGEST_NAME = 30
UNJUDGED = -1
# Drawn in a third of a second without a graphics card; so many cover the plane, and more would cover each other.
MOST_DRAWN = 4000
# Across and down the map: about as many as points lie side by side.
CELLS = 64


@dataclass(frozen=True)
class MapPoints:
    """The points of a map, a row an image of `images`, which bear the labels that the run saw.

    `places` float32 (n, 2) within -1..1; `true` and `predicted` int (n,) are numbers of `labels`, and `predicted` is
    UNJUDGED where nothing judged the model; `confidence` float (n,) in 0..1, NaN there; `side` int (n,) are numbers of
    `thaw.datasets.run_split.SIDES`; `words` say what each is, for a figure.
    """

    images: list[Image]
    labels: list[str]
    places: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    side: np.ndarray
    words: np.ndarray
    method: str

    @property
    def wrong(self) -> np.ndarray:
        """Return which the model gets wrong, bool (n,)."""
        return (self.predicted != UNJUDGED) & (self.predicted != self.true)

    def predicted_label(self, row: int) -> str | None:
        """Return the class that the model says of one point, or None where it was never asked."""
        return None if self.predicted[row] == UNJUDGED else self.labels[self.predicted[row]]


def read_points(store: Store, run: Run) -> MapPoints | None:
    """Return the points of a run's map, or None before it has been made; held, and not to be changed."""
    stamp = read_stamp(store, run)
    return _read(store.workspace.root, run.id, stamp) if stamp else None


def read_stamp(store: Store, run: Run) -> str:
    """Return what changes whenever the points of a run do, or nothing while it has no map."""
    return f"{run.result_phase} {run.facts.feature_cache}" if read_projection(store, run) else ""


def present_rows(points: MapPoints, fixes: Fixes) -> np.ndarray:
    """Return the rows of the images that have not been excluded since, int (rows,)."""
    excluded = {image_id for image_id, label in fixes.items() if label is None}
    return np.array([row for row, image in enumerate(points.images) if image.id not in excluded], dtype=np.int64)


def thin(points: MapPoints, rows: np.ndarray) -> np.ndarray:
    """Return `MOST_DRAWN` of the rows at most, int, in their order: mistakes first, then one of every class in every
    cell of the plane, so that a point that stands alone among those of another class is drawn, then a second, and so
    on. The same image is drawn or not however often this is asked."""
    if len(rows) <= MOST_DRAWN:
        return rows
    columns, lines = ((points.places[rows] + 1) / 2 * CELLS).astype(np.int64).clip(0, CELLS - 1).T
    group = (columns * CELLS + lines) * len(points.labels) + points.true[rows]
    chance = np.random.default_rng(0).permutation(len(points.true))[rows]
    order = np.lexsort((chance, group))
    sizes = np.unique(group, return_counts=True)[1]
    rank = np.empty(len(rows), dtype=np.int64)
    rank[order] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = np.lexsort((chance, rank, ~points.wrong[rows]))[:MOST_DRAWN]
    return rows[np.sort(chosen)]


# Reading the record of 32,000 images takes most of a second.
@st.cache_resource(show_spinner=False, max_entries=2)
@uncollected()
def _read(root: Path, run_id: str, stamp: str) -> MapPoints:
    store = Store(Workspace(root))
    run = store.run(run_id)
    projection = read_projection(store, run)
    parts = _read_parts(store, run, projection) if projection else None
    if projection is None or parts is None:
        raise RunError(f"Expected a run with a map of its images. Received: {run_id!r}. Make its map again.")
    large = is_large(store.dataset(run.dataset_id))
    known = {image.id: (image, side) for side, name in enumerate(SIDES) for image in getattr(parts, name)}
    images = [known[image_id][0] for image_id in projection.image_ids]
    numbers = {label: number for number, label in enumerate(parts.labels)}
    true = np.array([numbers[image.label] for image in images])
    predicted = np.full(len(images), UNJUDGED)
    confidence = np.full(len(images), np.nan)
    rows = {image.id: row for row, image in enumerate(images)}
    folder = store.workspace.run(run_id)
    for side in EVALUATION_SIDES:
        if (folder / predictions_file(run.result_phase or 0, side)).exists():
            said = read_predictions(store, run, side=side, parts=None if large else parts)
            placed = [(rows[image.id], row) for row, image in enumerate(said.images) if image.id in rows]
            here, there = (list(each) for each in zip(*placed, strict=True)) if placed else ([], [])
            predicted[here] = said.predicted[there]
            confidence[here] = said.probabilities.max(axis=1)[there]
    return MapPoints(
        images,
        parts.labels,
        projection.places,
        true,
        predicted,
        confidence,
        np.array([known[image.id][1] for image in images]),
        _tell(images, parts.labels, true, predicted, confidence),
        projection.method,
    )


def _read_parts(store: Store, run: Run, projection: Projection) -> Split[Image] | None:
    """Return what a run saw; of a large data set those that have a place on its map."""
    dataset = store.dataset(run.dataset_id)
    if not is_large(dataset):
        # Those that other pages hold already: a second copy of each would take 40 MB more.
        return read_split(store, run, {image.id: image for image in image_cache.images(store, dataset)})
    recorded, placed = read_sides(store, run.id), frozenset(projection.image_ids)
    if recorded is None:
        return None
    training, validation, later, holdout = (
        recall(store, [entry for entry in recorded[side] if entry[0] in placed]) for side in SIDES
    )
    return Split(training, validation, read_labels(store, run), later, holdout)


def _tell(
    images: list[Image], labels: list[str], true: np.ndarray, predicted: np.ndarray, confidence: np.ndarray
) -> np.ndarray:
    """Say for each point its name, its class and what the model takes it for."""
    names = [in_figure(label) for label in labels]
    return np.array(
        [
            f"{in_figure(image.name.rpartition('/')[2], LONGEST_NAME)}<br>{names[is_]}"
            + ("" if said == UNJUDGED else f"<br>predicted: {names[said]}, {sure:.0%}")
            for image, is_, said, sure in zip(images, true, predicted, confidence, strict=True)
        ],
        dtype=object,
    )
