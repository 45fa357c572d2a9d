"""The split of one run: how it is chosen, and the record of which images with which labels the run saw."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from operator import attrgetter

from thaw.datasets.edits import grouping
from thaw.storage.datasets import GROUP_KINDS
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from thaw.storage.workspace import LABELS_FILE, SPLIT_FILE
from tlcore.environment import uncollected
from tlcore.files import write_atomically
from tlcore.settings import HeadSettings
from tlcore.splits.splits import Split, split

SIDES = ("training", "validation", "later", "holdout")
Sides = dict[str, list[tuple[str, str]]]
"""The id and label of each image, by side."""


def choose_split(
    store: Store, dataset_id: str, settings: HeadSettings, images: Sequence[Image] | None = None
) -> Split[Image]:
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
        theirs=settings.parts == "theirs",
    )
    holdout = [image for image in store.images(dataset_id, role="holdout") if image.label in parts.labels]
    return dataclasses.replace(parts, holdout=unlike(holdout, images))


def unlike(holdout: Sequence[Image], images: Sequence[Image]) -> list[Image]:
    """Return the holdout images that are no near-duplicate of an image for training.

    Those that a fingerprint tells are not let in; a backbone may find others, which would judge by what was learnt.
    """
    kept = list(holdout)
    for kind in ("content", *GROUP_KINDS):
        # What few are held out have is looked for among the many, and not all that the many have is held.
        read = attrgetter(kind)
        wanted = {key for image in kept if (key := read(image))}
        taken = {key for image in images if (key := read(image)) in wanted} if wanted else set()
        kept = [image for image in kept if read(image) not in taken]
    return kept


def write_split(store: Store, run_id: str, parts: Split) -> None:
    """Record what a run sees: the ids and labels of every side. Edits that come later change nothing about it."""
    folder = store.workspace.run(run_id)
    sides = {side: [(image.id, image.label) for image in getattr(parts, side)] for side in SIDES}
    write_atomically(folder / LABELS_FILE, json.dumps(parts.labels).encode())
    # The split last: once it is there, the labels are.
    write_atomically(folder / SPLIT_FILE, json.dumps(sides).encode())


def has_split(store: Store, run_id: str) -> bool:
    """Say whether a run has divided its photos, without a look at how."""
    return (store.workspace.run(run_id) / SPLIT_FILE).exists()


@uncollected()
def read_sides(store: Store, run_id: str, sides: Sequence[str] = SIDES) -> Sides | None:
    """Return the ids and labels of what a run saw, by side (of those that are wanted), or None before that.

    Far quicker than `read_split`, which reads every image of the data set too.
    """
    if not has_split(store, run_id):
        return None
    recorded = json.loads((store.workspace.run(run_id) / SPLIT_FILE).read_bytes())
    return {side: [(image_id, label) for image_id, label in recorded.get(side, [])] for side in sides}


def read_split(store: Store, run: Run, known: Mapping[str, Image] | None = None) -> Split[Image] | None:
    """Return what a run saw, with the labels of that time, or None before that; phase 2 must not see another.

    `known` are images by id that a caller has read already, which need not be read and held once more.
    """
    recorded = read_sides(store, run.id)
    if recorded is None:
        return None
    training, validation, later, holdout = (recall(store, recorded[side], known) for side in SIDES)
    return Split(training, validation, read_labels(store, run), later, holdout)


def read_side(store: Store, run: Run, side: str) -> list[Image] | None:
    """Return one side of what a run saw, as `read_split` does: of a large data set that is far less to read."""
    recorded = read_sides(store, run.id, [side])
    return None if recorded is None else recall(store, recorded[side])


def read_seen(store: Store, run: Run) -> dict[str, str] | None:
    """Return the label that each image of a run had when it began, by id, or None before there is a record."""
    recorded = read_sides(store, run.id)
    return None if recorded is None else dict(entry for side in SIDES for entry in recorded[side])


def read_labels(store: Store, run: Run) -> list[str]:
    """Return the run's class names in the order of the model's outputs."""
    return json.loads((store.workspace.run(run.id) / LABELS_FILE).read_text(encoding="utf-8"))


def recall(store: Store, entries: Sequence[tuple[str, str]], known: Mapping[str, Image] | None = None) -> list[Image]:
    """Return the images of a record's entries, those `known` by id or else read, with the recorded labels."""
    known = known or {}
    by_id = {**known, **store.images_by_id([image_id for image_id, _ in entries if image_id not in known])}
    images = ((by_id[image_id], label) for image_id, label in entries)
    return [image if image.label == label else dataclasses.replace(image, label=label) for image, label in images]
