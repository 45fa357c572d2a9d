"""Computes the cached tensors of a data set's images: decode, draw the view, run the frozen network, store.

Nothing here imports TensorFlow or Keras.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlcore.errors import RunError
from tlcore.features.cache import FeatureCache
from tlcore.images.augmentation import draw_view
from tlcore.images.pixels import load_pixels
from tlcore.images.recipes import find_recipe, view_key
from tlcore.models.plan import Forward
from tlcore.photos import Photo
from tlcore.progress import CheckStop, Progress, Stage

BATCH = 32
DECODING_THREADS = 4
BATCHES_AHEAD = 3

Load = Callable[[Path, int], np.ndarray]
"""Reads a normalised copy as uint8 (image_size, image_size, 3), RGB, 0..255."""


@dataclass(frozen=True)
class View:
    """One view of one image, and the key under which its tensors are cached."""

    photo: Photo
    number: int
    key: str


Draw = Callable[[View], np.ndarray]
"""Returns the pixels of a view, uint8 (image_size, image_size, 3), RGB."""


def list_views(photos: Sequence[Photo], count: int, augmentation: str, seed: int) -> list[View]:
    """List `count` views of each photo, photo by photo."""
    return [
        View(photo, number, view_key(photo.content, number, augmentation, seed))
        for photo in photos
        for number in range(count)
    ]


def compute_features(
    cache: FeatureCache,
    views: Sequence[View],
    forward: Forward,
    image_size: int,
    augmentation: str,
    seed: int,
    progress: Progress,
    check_stop: CheckStop,
    load: Load = load_pixels,
    draw: Draw | None = None,
) -> int:
    """Fill `cache` with the tensors of those `views` that it lacks; what is finished survives a kill or a stop.

    `forward` maps uint8 (n, image_size, image_size, 3) to one array (n, *shape) for each tensor of the cache. Views are
    drawn by `draw`, or as `augmentation` says of what `load` reads. Returns how many images it was given at once:
    BATCH, or half of it as often as `forward` raised MemoryError. Raises RunError where a single image was already too
    much.
    """
    by_key = {view.key: view for view in views}
    missing = [by_key[key] for key in cache.missing(list(by_key))]
    total, done, spent = len(by_key), len(by_key) - len(missing), 0.0
    cache.require_space(len(missing))
    progress(Stage.COMPUTING_FEATURES, done, total)
    recipe, at_once = find_recipe(augmentation), BATCH

    def pixels(view: View) -> np.ndarray:
        plain = load(Path(view.photo.file), image_size)
        return draw_view(plain, view.photo.content, view.number, recipe, seed)

    for batch, images in _decode_ahead(missing, draw or pixels):
        check_stop()
        started = time.perf_counter()
        tensors, at_once = run_forward(forward, images, at_once)
        cache.append([view.key for view in batch], tensors)
        spent += time.perf_counter() - started
        done += len(batch)
        progress(Stage.COMPUTING_FEATURES, done, total)
    # Less than a batch is a rough measure, and better than none.
    if len(missing) >= BATCH or (missing and not cache.noted()):
        cache.note({"seconds_per_image": spent / len(missing)})
    return at_once


def halve(batch_size: int) -> int:
    """Return half of `batch_size`, rounded down; raise RunError where a single image was already too much."""
    if batch_size <= 1:
        raise RunError(
            "Expected enough memory for one image at a time. Received: a computer or GPU that ran out of it even "
            "then. Close other programs and resume, or start again with fewer unfrozen layers, a smaller image size or "
            "a smaller backbone."
        )
    return batch_size // 2


def run_forward(forward: Forward, images: np.ndarray, at_once: int) -> tuple[list[np.ndarray], int]:
    """Run `images` forward `at_once` at a time, or fewer where memory runs out; return the tensors and how many."""
    while True:
        try:
            pieces = [forward(images[start : start + at_once]) for start in range(0, len(images), at_once)]
        except MemoryError:
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
