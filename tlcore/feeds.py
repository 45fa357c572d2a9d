"""The feed of a phase: the tensors at its cut, computed once and cached, as batches for `fit`."""

import time
from dataclasses import dataclass

import numpy as np

from tlcore import model as models
from tlcore.augmentation import count_views
from tlcore.batches import CachedBatches
from tlcore.features import View, compute_features, forward_to, list_views, open_cache
from tlcore.materials import Materials
from tlcore.records import Image
from tlcore.reporter import Reporter
from tlcore.settings import HeadSettings


@dataclass(frozen=True)
class Feed:
    """Cached tensors as batches for `fit`, and how the computing of them went."""

    training: CachedBatches
    validation: CachedBatches
    extra: dict[str, CachedBatches]
    computed: int
    seconds: float
    seconds_per_image: float | None


def prepare_feed(reporter: Reporter, materials: Materials, cut: models.Cut, batch_size: int, first_epoch: int) -> Feed:
    """Compute what the cache lacks of the tensors at `cut`, and feed them as batches of `batch_size` images."""
    started = time.perf_counter()
    settings, parts = materials.settings, materials.split
    workspace = reporter.store.workspace
    cache = open_cache(workspace, materials, cut)

    def views_of(images: list[Image], count: int = 1) -> list[View]:
        return list_views(images, workspace, count, settings.augmentation, settings.seed)

    training, validation = views_of(parts.training, count_views(settings.augmentation)), views_of(parts.validation)
    extra = {name: views_of(images) for name, images in parts.extra.items()}
    every_view = [*training, *validation, *(view for views in extra.values() for view in views)]
    missing = len(cache.missing([view.key for view in every_view]))
    if missing:
        compute_features(
            cache,
            every_view,
            forward_to(materials, cut),
            materials.image_size,
            settings.augmentation,
            settings.seed,
            reporter.progress,
            reporter.check_stop,
        )
    tensors = cache.tensors()

    def batches(views: list[View], images: list[Image], shuffle: bool) -> CachedBatches:
        rows = cache.rows([view.key for view in views]).reshape(len(images), -1)
        targets = encode_labels(images, parts.labels, settings)
        return CachedBatches(tensors, rows, targets, batch_size, settings.seed, first_epoch, shuffle)

    return Feed(
        training=batches(training, parts.training, shuffle=True),
        validation=batches(validation, parts.validation, shuffle=False),
        extra={name: batches(views, parts.extra[name], shuffle=False) for name, views in extra.items()},
        computed=missing + materials.compared.computed,
        seconds=time.perf_counter() - started + materials.compared.seconds,
        seconds_per_image=cache.noted().get("seconds_per_image"),
    )


def encode_labels(images: list[Image], labels: list[str], settings: HeadSettings) -> np.ndarray:
    """Return class numbers: int32 (n,) for softmax, float32 (n, 1) of 0 and 1 for a sigmoid."""
    numbers = {label: number for number, label in enumerate(labels)}
    encoded = np.array([numbers[image.label] for image in images], dtype=np.int32)
    return encoded.astype(np.float32)[:, None] if settings.output == "sigmoid" else encoded
