"""Computes the cached tensors of a data set's images: decode, draw the view, run the frozen network, store."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlcore.features.cache import FeatureCache, trim_caches
from tlcore.images.augmentation import draw_view
from tlcore.images.decode import load_pixels
from tlcore.images.recipes import find_recipe, view_key
from tlcore.models import classifier as models
from tlcore.models.backend import keras
from tlcore.models.inference import Forward, freeze
from tlcore.models.loading import LoadedBackbone
from tlcore.models.memory import OUT_OF_MEMORY, halve
from tlcore.photos import Photo
from tlcore.progress import CheckStop, Progress, Stage, ignore_progress, never_stop

BATCH = 32
DECODING_THREADS = 4
BATCHES_AHEAD = 3


@dataclass(frozen=True)
class View:
    """One view of one image, and the key under which its tensors are cached."""

    photo: Photo
    number: int
    key: str


def open_cache(caches: Path, loaded: LoadedBackbone, cut: models.Cut) -> FeatureCache:
    """Open the cache of the tensors at `cut` of a backbone, a folder in `caches`; those not used for long make room."""
    identity = {
        "backbone": loaded.row.name,
        "weights": loaded.weights_sha256,
        "image_size": loaded.image_size,
        "boundary": cut.boundary,
        "pixels": cut.names == (models.PIXELS,),
        "keras": keras.__version__,
    }
    cache = FeatureCache(caches, identity, cut.shapes, cut.dtypes)
    trim_caches(caches, keep=cache.folder)
    return cache


def forward_to(loaded: LoadedBackbone, cut: models.Cut) -> Forward:
    """Return the frozen network up to `cut`."""
    if cut.names == (models.PIXELS,):
        return lambda pixels: [pixels]
    return freeze(models.lower_model(loaded.row, loaded.backbone, cut, loaded.image_size))


def list_views(photos: Sequence[Photo], count: int, augmentation: str, seed: int) -> list[View]:
    """List `count` views of each photo, photo by photo."""
    return [
        View(photo, number, view_key(photo.content, number, augmentation, seed))
        for photo in photos
        for number in range(count)
    ]


def pooled_features(
    loaded: LoadedBackbone,
    photos: Sequence[Photo],
    caches: Path,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
) -> tuple[np.ndarray, int]:
    """Return the pooled features of photos, float32 (n, channels), and how many of them were not cached yet."""
    cut = models.pooled_cut(loaded.row)
    cache = open_cache(caches, loaded, cut)
    views = list_views(photos, 1, "none", 0)
    keys = [view.key for view in views]
    missing = len(cache.missing(keys))
    if missing:
        compute_features(cache, views, forward_to(loaded, cut), loaded.image_size, "none", 0, progress, check_stop)
    return np.asarray(cache.tensors()[0][cache.rows(keys)]), missing


def compute_features(
    cache: FeatureCache,
    views: Sequence[View],
    forward: Forward,
    image_size: int,
    augmentation: str,
    seed: int,
    progress: Progress,
    check_stop: CheckStop,
) -> int:
    """Fill `cache` with the tensors of those `views` that it lacks; what is finished survives a kill or a stop.

    `forward` maps uint8 (n, image_size, image_size, 3) to one array (n, *shape) for each tensor of the cache. Returns
    how many images it was given at once: BATCH, or half of it as often as memory ran out. Raises RunError where a
    single image was already too much.
    """
    by_key = {view.key: view for view in views}
    missing = [by_key[key] for key in cache.missing(list(by_key))]
    total, done, spent = len(by_key), len(by_key) - len(missing), 0.0
    cache.require_space(len(missing))
    progress(Stage.COMPUTING_FEATURES, done, total)
    recipe, at_once = find_recipe(augmentation), BATCH

    def pixels(view: View) -> np.ndarray:
        plain = load_pixels(Path(view.photo.file), image_size)
        return draw_view(plain, view.photo.content, view.number, recipe, seed)

    for batch, images in _decode_ahead(missing, pixels):
        check_stop()
        started = time.perf_counter()
        tensors, at_once = _run_forward(forward, images, at_once)
        cache.append([view.key for view in batch], tensors)
        spent += time.perf_counter() - started
        done += len(batch)
        progress(Stage.COMPUTING_FEATURES, done, total)
    # Less than a batch is a rough measure, and better than none.
    if len(missing) >= BATCH or (missing and not cache.noted()):
        cache.note({"seconds_per_image": spent / len(missing)})
    return at_once


def _run_forward(forward: Forward, images: np.ndarray, at_once: int) -> tuple[list[np.ndarray], int]:
    """Run `images` forward `at_once` at a time, or fewer where memory runs out; return the tensors and how many."""
    while True:
        try:
            pieces = [forward(images[start : start + at_once]) for start in range(0, len(images), at_once)]
        except OUT_OF_MEMORY:
            at_once = halve(min(at_once, len(images)))
        else:
            return [np.concatenate(tensors) for tensors in zip(*pieces, strict=True)], at_once


def _decode_ahead(
    views: Sequence[View], pixels: Callable[[View], np.ndarray]
) -> Iterator[tuple[Sequence[View], np.ndarray]]:
    """Yield batches of views with their pixels, decoding a few batches ahead of the network and no more."""
    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        waiting: list[tuple[Sequence[View], list[Future[np.ndarray]]]] = []
        for batch in _batched(views):
            waiting.append((batch, [pool.submit(pixels, view) for view in batch]))
            if len(waiting) > BATCHES_AHEAD:
                yield _collect(waiting.pop(0))
        while waiting:
            yield _collect(waiting.pop(0))


def _collect(entry: tuple[Sequence[View], list[Future[np.ndarray]]]) -> tuple[Sequence[View], np.ndarray]:
    batch, futures = entry
    return batch, np.stack([future.result() for future in futures])


def _batched(views: Sequence[View]) -> Iterator[Sequence[View]]:
    return (views[start : start + BATCH] for start in range(0, len(views), BATCH))
