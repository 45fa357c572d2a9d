"""Marks the near-duplicates of a data set that only a backbone can see: another angle, another moment of one scene."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from thaw.jobs.reporter import Reporter
from thaw.storage.records import Image
from tlcore.features.compute import compute_features, forward_to, list_views, open_cache
from tlcore.models.classifier import pooled_cut
from tlcore.models.loading import LoadedBackbone
from tlcore.splits.near_duplicates import find_similar, group


@dataclass(frozen=True)
class Compared:
    """The images for training with their groups, how many features were computed for it, and how long it took."""

    images: list[Image] = field(default_factory=list)
    computed: int = 0
    seconds: float = 0.0


def mark_similar(reporter: Reporter, dataset_id: str, loaded: LoadedBackbone, images: list[Image]) -> Compared:
    """Compare the images for training, and those held out, by their pooled features and record the groups.

    Nothing is done where all of them have been compared before: groups are found once, by the backbone that comes
    first, so that runs with different backbones are judged on the same photos; images that are added later are compared
    when a backbone next runs.
    """
    every = [*images, *reporter.store.images(dataset_id, role="holdout")]
    if all(image.similar for image in every):
        return Compared(images)
    started = time.perf_counter()
    features, computed = pooled_features(reporter, loaded, every)
    seconds = time.perf_counter() - started
    reporter.progress("looking for near-duplicates", 0, 0)
    groups = group(len(every), [*find_similar(features), *_known_pairs(every)])
    # An image in no group is a group of its own, which tells it from one that was never compared.
    marked = [replace(image, similar=every[key].id) for image, key in zip(every, groups, strict=True)]
    reporter.store.set_similar(dataset_id, {image.id: image.similar for image in marked})
    return Compared(marked[: len(images)], computed, seconds)


def _known_pairs(images: list[Image]) -> Iterable[tuple[int, int]]:
    """Pair the members of each group that is on record; the one that named it may be excluded by now."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for place, image in enumerate(images):
        if image.similar:
            members[image.similar].append(place)
    return (pair for places in members.values() for pair in pairwise(places))


def pooled_features(reporter: Reporter, loaded: LoadedBackbone, images: list[Image]) -> tuple[np.ndarray, int]:
    """Return the pooled features of images, float32 (n, channels), and how many of them were not cached yet."""
    workspace, cut = reporter.store.workspace, pooled_cut(loaded.backbone)
    cache = open_cache(workspace, loaded, cut)
    views = list_views(images, workspace, 1, "none", 0)
    keys = [view.key for view in views]
    missing = len(cache.missing(keys))
    if missing:
        forward = forward_to(loaded, cut)
        compute_features(cache, views, forward, loaded.image_size, "none", 0, reporter.progress, reporter.check_stop)
    return np.asarray(cache.tensors()[0][cache.rows(keys)]), missing
