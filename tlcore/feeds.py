"""The feed of a phase: the tensors at its cut, computed once and cached, as batches for `fit`."""

import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tlcore import model as models
from tlcore.augmentation import count_views
from tlcore.batches import CachedBatches
from tlcore.cache import FeatureCache, trim_caches
from tlcore.features import View, compute_features, list_views
from tlcore.inference import Forward, freeze
from tlcore.materials import Materials
from tlcore.records import Image
from tlcore.reporter import Reporter
from tlcore.settings import HeadSettings


@dataclass(frozen=True)
class Feed:
    """Cached tensors as batches for `fit`, and how the computing of them went."""

    training: CachedBatches
    validation: CachedBatches
    computed: int
    seconds: float
    seconds_per_image: float | None


def prepare_feed(reporter: Reporter, materials: Materials, cut: models.Cut, batch_size: int, first_epoch: int) -> Feed:
    """Compute what the cache lacks of the tensors at `cut`, and feed them as batches of `batch_size` images."""
    started = time.perf_counter()
    settings, parts = materials.settings, materials.split
    cache = _open_cache(reporter, materials, cut)
    count = count_views(settings.augmentation)
    training = _list_views(reporter, materials, parts.training, count)
    validation = _list_views(reporter, materials, parts.validation, 1)
    missing = len(cache.missing([view.key for view in (*training, *validation)]))
    if missing:
        compute_features(
            cache,
            [*training, *validation],
            _forward(materials, cut),
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
        computed=missing,
        seconds=time.perf_counter() - started,
        seconds_per_image=cache.noted().get("seconds_per_image"),
    )


def _open_cache(reporter: Reporter, materials: Materials, cut: models.Cut) -> FeatureCache:
    identity = {
        "backbone": materials.row.name,
        "weights": materials.weights_sha256,
        "image_size": materials.image_size,
        "boundary": cut.boundary,
        "pixels": cut.names == (models.PIXELS,),
        "keras": keras.__version__,
    }
    root = reporter.store.workspace.features
    cache = FeatureCache(root, identity, cut.shapes, cut.dtypes)
    trim_caches(root, keep=cache.folder)
    return cache


def _list_views(reporter: Reporter, materials: Materials, images: list[Image], count: int) -> list[View]:
    def locate(image: Image) -> Path:
        return reporter.store.workspace.image(materials.run.dataset_id, image.id, image.suffix)

    return list_views(images, locate, count, materials.settings.augmentation, materials.settings.seed)


def _forward(materials: Materials, cut: models.Cut) -> Forward:
    if cut.names == (models.PIXELS,):
        return lambda pixels: [pixels]
    return freeze(models.lower_model(materials.row, materials.backbone, cut, materials.image_size))


def encode_labels(images: list[Image], labels: list[str], settings: HeadSettings) -> np.ndarray:
    """Return class numbers: int32 (n,) for softmax, float32 (n, 1) of 0 and 1 for a sigmoid."""
    numbers = {label: number for number, label in enumerate(labels)}
    encoded = np.array([numbers[image.label] for image in images], dtype=np.int32)
    return encoded.astype(np.float32)[:, None] if settings.output == "sigmoid" else encoded
