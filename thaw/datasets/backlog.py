"""Measures the images of data sets that the first release imported, which kept no fingerprints to compare by."""

import dataclasses
from collections.abc import Callable

from PIL import Image as Pictures

from thaw.archives.zips import Progress
from thaw.datasets.admission import group_keys
from thaw.storage.records import Image
from thaw.storage.store import Store
from tlcore.images.quality import measure
from tlcore.splits.near_duplicates import find_near_duplicates, group


def measure_backlog(store: Store, dataset_id: str, progress: Progress, check_stop: Callable[[], None]) -> None:
    """Measure those images of a data set that never were, from their copies, and record all near-duplicates.

    Without fingerprints a holdout could take in the very photos that a model learns from.
    """
    images = store.every_image(dataset_id)
    missing = sum(image.brightness is None for image in images)
    if not missing:
        return
    measured, done = [], 0
    for image in images:
        if image.brightness is None:
            check_stop()
            progress("measuring the photos that are there", done, missing)
            image = _measured(store, image)
            done += 1
        measured.append(image)
    progress("looking for near-duplicates", 0, 0)
    keys = group_keys(measured, group(len(measured), find_near_duplicates([image.fingerprint for image in measured])))
    store.set_measures([dataclasses.replace(image, lookalike=key) for image, key in zip(measured, keys, strict=True)])


def _measured(store: Store, image: Image) -> Image:
    with Pictures.open(store.workspace.image(image.folder, image.id, image.suffix)) as picture:
        return dataclasses.replace(image, **vars(measure(picture.convert("RGB"))))
