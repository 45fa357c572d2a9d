"""The feed of a phase: the tensors at its cut, computed once and cached, as batches for `fit`."""

import functools
import time
from dataclasses import dataclass

import numpy as np

from thaw.jobs.reporter import Reporter
from thaw.storage.records import Image
from thaw.training.materials import Materials
from tlcore.features.batches import CachedBatches
from tlcore.features.compute import BATCH, View, compute_features, forward_to, list_views, open_cache
from tlcore.features.fresh_batches import FreshBatches
from tlcore.models import classifier as models
from tlcore.models.inference import Forward
from tlcore.settings import HeadSettings


@dataclass(frozen=True)
class Feed:
    """Tensors as batches for `fit`, cached but where every epoch draws new views, and how the computing went;
    `cache` is the name of the folder that they lie in."""

    training: CachedBatches | FreshBatches
    validation: CachedBatches
    extra: dict[str, CachedBatches]
    computed: int
    seconds: float
    seconds_per_image: float | None
    cache: str


def prepare_feed(reporter: Reporter, materials: Materials, cut: models.Cut, batch_size: int, first_epoch: int) -> Feed:
    """Compute what the cache lacks of the tensors at `cut`, and feed them as batches of `batch_size` images.

    Where every epoch draws new views, only what judges is cached.
    """
    started = time.perf_counter()
    settings, parts = materials.settings, materials.split
    workspace = reporter.store.workspace
    cache = open_cache(workspace, materials, cut)

    def views_of(images: list[Image], count: int = 1) -> list[View]:
        return list_views(images, workspace, count, settings.augmentation, settings.seed)

    training, validation = views_of(parts.training, settings.cached_views), views_of(parts.validation)
    extra = {name: views_of(images) for name, images in parts.extra.items()}
    cached_training = [] if settings.draws_anew else training
    every_view = [*cached_training, *validation, *(view for views in extra.values() for view in views)]

    @functools.cache
    def forward() -> Forward:
        return forward_to(materials, cut)

    missing = len(cache.missing([view.key for view in every_view]))
    if missing:
        at_once = compute_features(
            cache,
            every_view,
            forward(),
            materials.image_size,
            settings.augmentation,
            settings.seed,
            reporter.progress,
            reporter.check_stop,
        )
        if at_once < BATCH:
            reporter.store.add_facts(materials.run.id, {"features_at_once": at_once})
    tensors = cache.tensors()

    def batches(views: list[View], images: list[Image], shuffle: bool) -> CachedBatches:
        rows = cache.rows([view.key for view in views]).reshape(len(images), -1)
        targets = encode_labels(images, parts.labels, settings)
        return CachedBatches(tensors, rows, targets, batch_size, settings.seed, first_epoch, shuffle)

    def fresh(views: list[View]) -> FreshBatches:
        targets = encode_labels(parts.training, parts.labels, settings)
        return FreshBatches(
            views, targets, forward(), materials.image_size, settings.recipe, batch_size, settings.seed, first_epoch
        )

    return Feed(
        training=fresh(training) if settings.draws_anew else batches(training, parts.training, shuffle=True),
        validation=batches(validation, parts.validation, shuffle=False),
        extra={name: batches(views, parts.extra[name], shuffle=False) for name, views in extra.items()},
        computed=missing + materials.compared.computed,
        seconds=time.perf_counter() - started + materials.compared.seconds,
        seconds_per_image=cache.noted().get("seconds_per_image"),
        cache=cache.folder.name,
    )


def encode_labels(images: list[Image], labels: list[str], settings: HeadSettings) -> np.ndarray:
    """Return class numbers: int32 (n,) for softmax, float32 (n, 1) of 0 and 1 for a sigmoid."""
    numbers = {label: number for number, label in enumerate(labels)}
    encoded = np.array([numbers[image.label] for image in images], dtype=np.int32)
    return encoded.astype(np.float32)[:, None] if settings.output == "sigmoid" else encoded
