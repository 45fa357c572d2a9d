"""A second look at photos of one object before a plain background: the features of the object alone, cut out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from thaw.datasets.plain_background import has_object, load_object
from tlcore.features.compute import DECODING_THREADS
from tlcore.features.frozen import pooled_features
from tlcore.models.loading import LoadedBackbone
from tlcore.photos import Photo
from tlcore.progress import CheckStop, Progress, ignore_progress, never_stop

# Looked at between two questions whether to stop.
_AT_A_TIME = 256


def object_features(
    loaded: LoadedBackbone,
    photos: Sequence[Photo],
    caches: Path,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the pooled features of the objects that photos show before a plain background.

    First the places in `photos` of those that do, int64 (m,), then the features, float32 (m, channels), and how many
    of them were not cached yet. All other photos cost a look at their border alone.
    """
    places: list[int] = []
    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        for start in range(0, len(photos), _AT_A_TIME):
            check_stop()
            looks = pool.map(lambda photo: has_object(photo.file), photos[start : start + _AT_A_TIME])
            places += [start + number for number, found in enumerate(looks) if found]
    if not places:
        return np.zeros(0, np.int64), np.zeros((0, loaded.row.features), np.float32), 0
    # Under a key of their own, beside the whole pictures in one cache.
    objects = [replace(photos[place], content=f"{photos[place].content}:object") for place in places]
    features, computed = pooled_features(loaded, objects, caches, progress, check_stop, load_object)
    return np.array(places, dtype=np.int64), features, computed
