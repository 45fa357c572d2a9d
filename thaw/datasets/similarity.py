"""Marks the near-duplicates of a data set that only a backbone can see, another angle, another moment of one scene, and
lists the groups of all."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from thaw.datasets import scenes
from thaw.datasets.objects import look_twice
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Image
from tlcore.features.frozen import pooled_features
from tlcore.models.loading import LoadedBackbone
from tlcore.photos import natural
from tlcore.progress import Stage
from tlcore.splits.groups import GroupRules, group_images


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


def list_groups(images: Sequence[Image], rules: GroupRules) -> list[tuple[Image, ...]]:
    """Return the groups of two images or more, the largest first; in each, the largest and sharpest image first."""
    members: defaultdict[int, list[Image]] = defaultdict(list)
    for image, group in zip(images, group_images(images, rules), strict=True):
        members[group].append(image)
    groups = [tuple(sorted(each, key=_best_first)) for each in members.values() if len(each) > 1]
    return sorted(groups, key=lambda group: (-len(group), natural(group[0].label), natural(group[0].name)))


def _best_first(image: Image) -> tuple[float, float, Any]:
    return -image.width * image.height, -(image.sharpness or 0.0), natural(image.name)
