"""Marks the near-duplicates of a data set that only a backbone can see: another angle, another moment of one scene."""

import time
from dataclasses import dataclass, field

from thaw.datasets import scenes
from thaw.datasets.objects import look_twice
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Image
from tlcore.features.frozen import pooled_features
from tlcore.models.loading import LoadedBackbone
from tlcore.progress import Stage


@dataclass(frozen=True)
class Compared:
    """The images for training with their groups, how many features were computed for it, and how long it took."""

    images: list[Image] = field(default_factory=list)
    computed: int = 0
    seconds: float = 0.0


def mark_similar(reporter: Reporter, dataset_id: str, loaded: LoadedBackbone, images: list[Image]) -> Compared:
    """Compare the images for training, and those held out, by their pooled features and record the groups.

    Photos of one object before a plain background are compared by the object alone as well, empty ones by their tones.

    Nothing is done where all of them have been compared before: groups are found once, by the backbone that comes
    first, so that runs with different backbones are judged on the same photos; images that are added later are compared
    when a backbone next runs.
    """
    store = reporter.store
    every = [*images, *store.images(dataset_id, role="holdout")]
    if all(image.similar for image in every):
        return Compared(images)
    started = time.perf_counter()
    caches = store.workspace.features
    features, computed = pooled_features(loaded, every, caches, reporter.progress, reporter.check_stop)
    look, more = look_twice(loaded, every, caches, reporter.progress, reporter.check_stop)
    seconds = time.perf_counter() - started
    reporter.progress(Stage.FINDING_NEAR_DUPLICATES, 0, 0)
    marked = scenes.mark_similar(every, features, look)
    store.set_similar(dataset_id, {image.id: image.similar for image in marked})
    return Compared(marked[: len(images)], computed + more, seconds)
