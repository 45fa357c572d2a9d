"""Boxes around the objects on photos: where an object is, what it is, and how far two boxes lie over each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np

from tlcore.photos import P


@dataclass(frozen=True)
class Box:
    """An object on a photo. `x` and `y` are its left and upper edge, with `width` and `height`, all of them shares
    (0 to 1) of the upright photo's width and height, so that they hold for its picture in every size.
    """

    label: str
    x: float
    y: float
    width: float
    height: float

    def in_pixels(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return x, y, width and height in pixels of an upright photo of this size."""
        return self.x * width, self.y * height, self.width * width, self.height * height


@dataclass(frozen=True)
class BoxedPhotos(Generic[P]):
    """Photos with the boxes on them, by a photo's id. A photo with none is background, not one still to be drawn on:
    those are left out.
    """

    photos: Sequence[P]
    boxes: Mapping[str, Sequence[Box]]

    @property
    def labels(self) -> list[str]:
        """Return the kinds of objects in the order of a detector's outputs."""
        return sorted({box.label for photo in self.photos for box in self.boxes.get(photo.id, ())})


def corners(boxes: Sequence[Box]) -> np.ndarray:
    """Return the left, upper, right and lower edges of boxes: float32 (n, 4), shares of the photo."""
    edges = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes]
    return np.array(edges, np.float32).reshape(-1, 4)


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how far each of n boxes lies over each of m, as the intersection's share of the union (IoU).

    Both are edges as of `corners`, float (n, 4) and (m, 4), in any unit that is the same for both; float (n, m), 0 to
    1. A box without an area lies over nothing.
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = _areas(first)[:, None] + _areas(second)[None] - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 0)


def _areas(edges: np.ndarray) -> np.ndarray:
    return np.clip(edges[:, 2:] - edges[:, :2], 0, None).prod(axis=-1)
