"""A second look at photos before plain backgrounds: how the object looks alone, cut out, and which show nothing."""

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from thaw.datasets.plain_background import NEUTRAL, SMALL_SIDE_PX, load_object, look_at
from thaw.datasets.scenes import SecondLook
from tlcore.features.compute import DECODING_THREADS
from tlcore.features.frozen import pooled_features
from tlcore.models.loading import LoadedBackbone
from tlcore.photos import Photo
from tlcore.progress import CheckStop, Progress, ignore_progress, never_stop

# Looked at between two questions whether to stop.
_AT_A_TIME = 256
_VALUES = SMALL_SIDE_PX * SMALL_SIDE_PX * 3


def look_twice(
    loaded: LoadedBackbone,
    photos: Sequence[Photo],
    caches: Path,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
) -> tuple[SecondLook, int]:
    """Return what a second look at photos finds, and how many features of objects were not cached yet.

    Every photo costs a look at its border; the backbone looks at those alone that show an object before a plain one.
    """
    places: list[int] = []
    empty: list[int] = []
    small: list[np.ndarray] = []
    tones: list[np.ndarray] = []
    # Compressed: a mask takes a hundredth of its memory.
    masks: dict[Path, tuple[tuple[int, ...], bytes]] = {}
    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        for start in range(0, len(photos), _AT_A_TIME):
            check_stop()
            looks = pool.map(lambda photo: look_at(photo.file), photos[start : start + _AT_A_TIME])
            for place, look in enumerate(looks, start):
                if look is None:
                    continue
                (empty if look.mask is None else places).append(place)
                (tones if look.mask is None else small).append(look.small)
                if look.mask is not None:
                    masks[Path(photos[place].file)] = (
                        look.mask.shape,
                        zlib.compress(np.packbits(look.mask).tobytes(), 1),
                    )

    def load(path: Path, image_size: int) -> np.ndarray:
        shape, packed = masks[path]
        bits = np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8), count=shape[0] * shape[1])
        return load_object(path, image_size, bits.reshape(shape).astype(bool))

    features, computed = np.zeros((0, loaded.row.features), np.float32), 0
    if places:
        # Under a key of their own, beside the whole pictures in one cache.
        objects = [replace(photos[place], content=f"{photos[place].content}:object") for place in places]
        features, computed = pooled_features(loaded, objects, caches, progress, check_stop, load)
    grey = np.tile(np.array(NEUTRAL, np.float32), _VALUES // 3)
    return SecondLook(
        np.array(places, np.int64), features, _rows(small) - grey, np.array(empty, np.int64), _rows(tones)
    ), computed


def _rows(pictures: list[np.ndarray]) -> np.ndarray:
    return np.array(pictures, np.float32).reshape(len(pictures), _VALUES)
