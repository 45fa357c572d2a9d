"""A data set that is a pile of photos, with a sorting whose groups are known."""

import numpy as np
from PIL import Image as Picture

from tests.support.pages import DATASET
from thaw.labelling.pile import Sorting, keep_sorting
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store

KINDS, EACH = ("cat", "dog", "owl"), 6
KIND = np.repeat(KINDS, EACH)
"""What each photo shows, in the order of their numbers: six cats, six dogs, six owls."""


def photo_id(number: int) -> str:
    return f"img-{number:012x}"


def add_pile(store: Store, sorted_by: str | None = "job-1") -> list[Image]:
    """Record eighteen photos without a class; unless `sorted_by` is None, the groups are cats, dogs and owls."""
    photos = [
        Image(
            photo_id(number),
            "",
            f"IMG_{number:04}.jpg",
            f"{number:064x}",
            32,
            32,
            suffix=".png",
            folder=DATASET,
            role="pile",
        )
        for number in range(len(KIND))
    ]
    store.add_dataset(DATASET, "holiday", "folder", Arrival(photos))
    for each in photos:
        for path in (
            store.workspace.image(DATASET, each.id, each.suffix),
            store.workspace.thumbnail(DATASET, each.id),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            Picture.new("RGB", (8, 8), "teal").save(path)
    if sorted_by is not None:
        keep_sorting(store, DATASET, sorting(sorted_by))
    return photos


def sorting(key: str) -> Sorting:
    """Return a sorting by kind; within one, photos are a little unlike, and the last dog is much like an owl."""
    chance = np.random.default_rng(0)
    directions = np.repeat(np.eye(len(KINDS), 8), EACH, axis=0) + 0.1 * chance.normal(size=(len(KIND), 8))
    directions[2 * EACH - 1] = directions[EACH] + 1.1 * directions[2 * EACH]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    groups = np.repeat(np.arange(len(KINDS)), EACH)
    ids = [photo_id(number) for number in range(len(KIND))]
    return Sorting(key, ids, directions.astype(np.float32), groups, np.arange(len(KIND)))
