"""Cuts the features of many photos into shards, which other processes or machines compute, and stores them in order.

The rows of the cache are those that this process would have written, bit by bit: a shard is a number of whole batches,
and a network's answers depend on nothing beside the pixels. Nothing here imports TensorFlow or Keras.
"""

import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlcore.features.cache import FeatureCache
from tlcore.features.compute import BATCH, View, run_forward
from tlcore.images.augmentation import draw_view
from tlcore.images.pixels import load_pixels
from tlcore.images.recipes import find_recipe
from tlcore.progress import CheckStop, Progress, Spread, Stage

if TYPE_CHECKING:
    from tlcore.engines.runtime import OnnxNetwork

# A second or two of one core: long beside what it takes to hand a shard over, and little to lose with a machine.
SHARD_IMAGES = 4 * BATCH
# Of a shard's tensors: several shards on each core are on their way at a time.
SHARD_BYTES = 32_000_000


@dataclass(frozen=True)
class NetworkFile:
    """A network as ONNX, uint8 (bytes,), known by its sha256."""

    content: np.ndarray = field(compare=False, repr=False)
    sha256: str


@dataclass(frozen=True)
class Shard:
    """Views whose tensors are computed together: the path of each one's photo, or the bytes of its file, and which view
    of which content it is; `augmentation` and `seed` say how views are drawn, at `image_size` pixels a side."""

    photos: tuple[str | bytes, ...]
    views: tuple[tuple[str, int], ...]
    image_size: int
    augmentation: str
    seed: int

    def __len__(self) -> int:
        return len(self.views)


def carry_photos(shard: Shard) -> Shard:
    """Return a shard with the photos' bytes in the place of their paths; raises OSError for one that cannot be read."""
    files = {photo: photo if isinstance(photo, bytes) else Path(photo).read_bytes() for photo in set(shard.photos)}
    return replace(shard, photos=tuple(files[photo] for photo in shard.photos))


def compute_shard(network: NetworkFile, shard: Shard) -> list[np.ndarray]:
    """Return the tensors of a shard's views, each (views, *shape), float32, computed on one core.

    The network stays open for this process's next shard. Raises RunError where one image is too much for the memory,
    and whatever Pillow and the disk raise for a photo that cannot be read.
    """
    forward, at_once, pieces = _open(network), BATCH, []
    recipe = find_recipe(shard.augmentation)
    for start in range(0, len(shard), BATCH):
        images = []
        for photo, (content, number) in zip(
            shard.photos[start : start + BATCH], shard.views[start : start + BATCH], strict=True
        ):
            plain = load_pixels(io.BytesIO(photo) if isinstance(photo, bytes) else photo, shard.image_size)
            images.append(draw_view(plain, content, number, recipe, shard.seed))
        tensors, at_once = run_forward(forward, np.stack(images), at_once)
        pieces.append(tensors)
    return [np.concatenate(tensors) for tensors in zip(*pieces, strict=True)]


def spread_features(
    cache: FeatureCache,
    views: Sequence[View],
    network: NetworkFile,
    image_size: int,
    augmentation: str,
    seed: int,
    progress: Progress,
    check_stop: CheckStop,
    spread: Spread,
) -> None:
    """Have `spread` compute those `views` that `cache` lacks, and add their rows in order, shard by shard.

    Rows of shards that could not be computed are still missing afterwards. What was added survives a stop or a kill.
    """
    by_key = {view.key: view for view in views}
    missing = [by_key[key] for key in cache.missing(list(by_key))]
    total, done = len(by_key), len(by_key) - len(missing)
    cache.require_space(len(missing))
    progress(Stage.COMPUTING_FEATURES, done, total)
    images = count_images(cache.row_bytes)
    parts = [missing[start : start + images] for start in range(0, len(missing), images)]

    def cut(part: Sequence[View]) -> Shard:
        photos, shown = (view.photo.file for view in part), ((view.photo.content, view.number) for view in part)
        return Shard(tuple(photos), tuple(shown), image_size, augmentation, seed)

    shards, witness = (cut(part) for part in parts), Path(missing[0].photo.file)
    with closing(spread(compute_shard, network, shards, carry_photos, witness, check_stop)) as results:
        # The results first: what they end with is to be said.
        for tensors, part in zip(results, parts, strict=False):
            if tensors is None:
                continue
            cache.append([view.key for view in part], tensors)
            done += len(part)
            progress(Stage.COMPUTING_FEATURES, done, total)


def count_images(row_bytes: int) -> int:
    """Return how many images a shard has, a multiple of BATCH, where each leaves `row_bytes` of tensors."""
    return BATCH * max(1, min(SHARD_IMAGES, SHARD_BYTES // row_bytes) // BATCH)


@lru_cache(maxsize=1)
def _open(network: NetworkFile) -> "OnnxNetwork":
    from tlcore.engines.runtime import OnnxNetwork

    return OnnxNetwork(network.content.tobytes(), cores=1)
