"""What a phase learns from: the photos, divided, and the tensors at its cut, computed once and cached, as batches."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlcore.features.batches import CachedBatches, FreshBatches
from tlcore.features.compute import BATCH, View, list_views
from tlcore.features.frozen import FrozenPart, freeze_up_to
from tlcore.models import classifier as models
from tlcore.models.loading import LoadedBackbone
from tlcore.photos import Photo
from tlcore.progress import CheckStop, Progress
from tlcore.settings import HeadSettings
from tlcore.splits.groups import GroupRules
from tlcore.splits.splits import Split


@dataclass(frozen=True)
class Materials(LoadedBackbone):
    """What both phases start from: the backbone, the head's settings and the photos, divided.

    `rules` are what groups of photos were made by, beside near-duplicates; tensors are cached below `caches`.
    """

    settings: HeadSettings
    split: Split
    rules: GroupRules
    caches: Path


@dataclass(frozen=True)
class Feed:
    """Tensors as batches for `fit`, cached but where every epoch draws new views, and how the computing went.

    `cache` is the name of the folder that they lie in; `at_once` is how many images the frozen part was given at a
    time where memory ran out, else None; `frozen` ran it.
    """

    training: CachedBatches | FreshBatches
    validation: CachedBatches
    extra: dict[str, CachedBatches]
    computed: int
    seconds: float
    seconds_per_image: float | None
    cache: str
    at_once: int | None
    frozen: FrozenPart


def prepare_feed(
    materials: Materials, cut: models.Cut, batch_size: int, first_epoch: int, progress: Progress, check_stop: CheckStop
) -> Feed:
    """Compute what the cache lacks of the tensors at `cut`, and feed them as batches of `batch_size` images.

    Where every epoch draws new views, only what judges is cached.
    """
    started = time.perf_counter()
    settings, parts = materials.settings, materials.split
    frozen = freeze_up_to(materials.caches, materials, cut)

    def views_of(photos: Sequence[Photo], count: int = 1) -> list[View]:
        return list_views(photos, count, settings.augmentation, settings.seed)

    training, validation = views_of(parts.training, settings.cached_views), views_of(parts.validation)
    extra = {name: views_of(photos) for name, photos in parts.extra.items()}
    cached_training = [] if settings.draws_anew else training
    every_view = [*cached_training, *validation, *(view for views in extra.values() for view in views)]

    missing, at_once = frozen.fill(every_view, settings.augmentation, settings.seed, progress, check_stop)
    cache = frozen.cache
    tensors = cache.tensors()

    def batches(views: list[View], photos: Sequence[Photo], shuffle: bool) -> CachedBatches:
        rows = cache.rows([view.key for view in views]).reshape(len(photos), -1)
        targets = encode_labels(photos, parts.labels, settings)
        return CachedBatches(tensors, rows, targets, batch_size, settings.seed, first_epoch, shuffle)

    def fresh(views: list[View]) -> FreshBatches:
        targets = encode_labels(parts.training, parts.labels, settings)
        forward, size = frozen.forward(parts.training), materials.image_size
        return FreshBatches(views, targets, forward, size, settings.recipe, batch_size, settings.seed, first_epoch)

    return Feed(
        training=fresh(training) if settings.draws_anew else batches(training, parts.training, shuffle=True),
        validation=batches(validation, parts.validation, shuffle=False),
        extra={name: batches(views, parts.extra[name], shuffle=False) for name, views in extra.items()},
        computed=missing,
        seconds=time.perf_counter() - started,
        seconds_per_image=cache.noted().get("seconds_per_image"),
        cache=cache.folder.name,
        at_once=at_once if at_once < BATCH else None,
        frozen=frozen,
    )


def encode_labels(photos: Sequence[Photo], labels: list[str], settings: HeadSettings) -> np.ndarray:
    """Return class numbers: int32 (n,) for softmax, float32 (n, 1) of 0 and 1 for a sigmoid."""
    numbers = {label: number for number, label in enumerate(labels)}
    encoded = np.array([numbers[photo.label] for photo in photos], dtype=np.int32)
    return encoded.astype(np.float32)[:, None] if settings.output == "sigmoid" else encoded
