"""The split of one run: how it is chosen, and the record of which images with which labels the run saw."""

import dataclasses
import json
from collections.abc import Sequence

from tlcore.edits import grouping
from tlcore.files import write_atomically
from tlcore.records import Image, Run
from tlcore.settings import HeadSettings
from tlcore.splits import Split, split
from tlcore.store import Store
from tlcore.workspace import LABELS_FILE, SPLIT_FILE

SIDES = ("training", "validation", "later", "holdout")


def choose_split(store: Store, dataset_id: str, settings: HeadSettings, images: Sequence[Image] | None = None) -> Split:
    """Divide a data set as it stands now; raise DatasetError, with advice, where it cannot be trained on.

    `images` are those of the data set, for a caller that has read them already.
    """
    images = store.images(dataset_id) if images is None else images
    parts = split(
        images,
        settings.validation_split,
        settings.seed,
        grouping(store, dataset_id),
        settings.later_share,
    )
    holdout = [image for image in store.images(dataset_id, role="holdout") if image.label in parts.labels]
    return dataclasses.replace(parts, holdout=unlike(holdout, images))


def unlike(holdout: Sequence[Image], images: Sequence[Image]) -> list[Image]:
    """Return the holdout images that are no near-duplicate of an image for training.

    Those that a fingerprint tells are not let in; a backbone may find others, which would judge by what was learnt.
    """
    if not holdout:
        return []
    taken = {key for image in images for key in _keys(image)}
    return [image for image in holdout if taken.isdisjoint(_keys(image))]


def _keys(image: Image) -> set[tuple[str, str]]:
    keys = {("content", image.content), ("lookalike", image.lookalike), ("similar", image.similar)}
    return {(kind, key) for kind, key in keys if key}


def write_split(store: Store, run_id: str, parts: Split) -> None:
    """Record what a run sees: the ids and labels of every side. Edits that come later change nothing about it."""
    folder = store.workspace.run(run_id)
    sides = {side: [(image.id, image.label) for image in getattr(parts, side)] for side in SIDES}
    write_atomically(folder / LABELS_FILE, json.dumps(parts.labels).encode())
    # The split last: once it is there, the labels are.
    write_atomically(folder / SPLIT_FILE, json.dumps(sides).encode())


def read_sides(store: Store, run_id: str) -> dict[str, list[tuple[str, str]]] | None:
    """Return the ids and labels of what a run saw, by side; None before that, or where no labels are on record.

    Far quicker than `read_split`, which reads every image of the data set too.
    """
    path = store.workspace.run(run_id) / SPLIT_FILE
    if not path.exists():
        return None
    recorded = json.loads(path.read_text())
    # Runs of the first release recorded ids alone.
    if any(isinstance(entry, str) for entries in recorded.values() for entry in entries[:1]):
        return None
    return {side: [(image_id, label) for image_id, label in entries] for side, entries in recorded.items()}


def labels_seen(store: Store, run: Run) -> dict[str, str]:
    """Return the label that every image had when a run saw it, by id; nothing before that."""
    sides = read_sides(store, run.id)
    if sides is not None:
        return {image_id: label for seen in sides.values() for image_id, label in seen}
    parts = read_split(store, run)
    return {} if parts is None else {image.id: image.label for side in SIDES for image in getattr(parts, side)}


def read_split(store: Store, run: Run) -> Split | None:
    """Return what a run saw, with the labels of that time, or None before that; phase 2 must not see another."""
    path = store.workspace.run(run.id) / SPLIT_FILE
    if not path.exists():
        return None
    by_id = {image.id: image for image in store.every_image(run.dataset_id)}

    def recall(entry: str | tuple[str, str]) -> Image:
        # Runs of the first release recorded ids alone; no label could change before they ended.
        image_id, label = (entry, by_id[entry].imported_label) if isinstance(entry, str) else entry
        return dataclasses.replace(by_id[image_id], label=label)

    recorded = json.loads(path.read_text())
    sides = {side: [recall(entry) for entry in recorded.get(side, [])] for side in SIDES}
    return Split(labels=json.loads((store.workspace.run(run.id) / LABELS_FILE).read_text()), **sides)
