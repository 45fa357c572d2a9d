"""The sides of a retrained run: its images stay where the run before it had them, so that the same ones judge both."""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence

from thaw.datasets.edits import grouping
from thaw.datasets.run_split import read_sides, read_split, unlike, write_split
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from thaw.storage.workspace import LAYERS_FILE
from tlcore.errors import RunError
from tlcore.splits.groups import group_images
from tlcore.splits.splits import Split, labels_of

MAIN_SIDES = ("training", "validation", "later")


def inherit(store: Store, run: Run) -> Split | None:
    """Record for a retrained run the split of the run before it, with the labels of now, and return it.

    Returns None, and the run divides its images anew, where some are new to every run before it, a group of
    near-duplicates would lie on two sides, a class would have nothing to learn from or to be judged by, or the run
    before it was deleted.
    """
    if run.facts.sides_of is not None:
        return read_split(store, run)
    earlier = run.facts.retrained_from
    if earlier is None or _is_begun(store, run):
        return None
    layers = store.workspace.run(earlier) / LAYERS_FILE
    if not layers.is_file():
        return None
    version = store.dataset(run.dataset_id).version
    images = store.images(run.dataset_id)
    parts = keep_sides(store, run, images)
    if parts is None:
        return None
    folder = store.workspace.run(run.id)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(layers, folder / LAYERS_FILE)
    write_split(store, run.id, parts)
    # The fact last: a split without it is only one more way to divide, a fact without a split would be untrue.
    store.add_facts(run.id, {"sides_of": earlier, "dataset_version": version})
    return parts


def _is_begun(store: Store, run: Run) -> bool:
    """Say whether a run has learnt on a split of its own; one that was killed between split and fact has not."""
    return bool(store.epochs(run.id)) or (store.workspace.run(run.id) / "snapshot-1.npz").exists()


def keep_sides(store: Store, run: Run, images: Sequence[Image]) -> Split | None:
    """Divide `images`, those of the data set now, as the runs before `run` did, or return None where that cannot be.

    An image that has come to be in several classes goes to the training side with its group, as in a first split.
    """
    sides: dict[str, str] = {}
    for record in _earlier_sides(store, run):
        sides = {image_id: side for side in MAIN_SIDES for image_id, _ in record.get(side, [])} | sides
        if all(image.id in sides for image in images):
            break
    else:
        return None
    groups = group_images(images, grouping(store, run.dataset_id))
    places, contents = defaultdict(set), defaultdict(set)
    for image, group in zip(images, groups, strict=True):
        places[group].add(sides[image.id])
        contents[image.content].add(image.label)
    if any(len(found) > 1 for found in places.values()):
        return None
    for image, group in zip(images, groups, strict=True):
        if len(contents[image.content]) > 1:
            places[group] = {"training"}
    divided: dict[str, list[Image]] = {side: [] for side in MAIN_SIDES}
    for image, group in zip(images, groups, strict=True):
        (side,) = places[group]
        divided[side].append(image)
    labels = labels_of(images)
    if any(labels_of(divided[side]) != labels for side in ("training", "validation")):
        return None
    holdout = [image for image in store.images(run.dataset_id, role="holdout") if image.label in labels]
    training, validation, later = (divided[side] for side in MAIN_SIDES)
    return Split(training, validation, labels, later, unlike(holdout, images))


def _earlier_sides(store: Store, run: Run) -> Iterator[dict[str, list[tuple[str, str]]]]:
    """Yield the recorded sides of the runs that `run` was retrained from, the nearest first."""
    earlier_id = run.facts.retrained_from
    while earlier_id is not None:
        record = read_sides(store, earlier_id)
        if record is not None:
            yield record
        try:
            earlier_id = store.run(earlier_id).facts.retrained_from
        except RunError:
            return
