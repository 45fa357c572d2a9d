"""Views of an image: the same picture slightly changed, so that the cached features vary as the world does."""

import hashlib

import numpy as np
from PIL import Image, ImageEnhance

from tlcore.settings import Augmentation

VIEWS = 4
"""Cached views of each training image when augmentation is on; view 0 is the image as it is."""


def count_views(augmentation: Augmentation) -> int:
    """Return how many views of each training image are cached."""
    return 1 if augmentation == "none" else VIEWS


def draw_view(pixels: np.ndarray, content: str, view: int, augmentation: Augmentation, seed: int) -> np.ndarray:
    """Return view number `view` of an image, uint8 (side, side, 3) like `pixels`; view 0 is `pixels` itself.

    Light views keep 85 to 100% of each side, change brightness and contrast by up to 15% and, unless
    "light-unmirrored" (digits, text, signs), mirror left and right half of the time. The same image content, view
    and seed always give the same picture.
    """
    if view == 0:
        return pixels
    digest = hashlib.sha256(f"{seed}:{content}:{view}".encode()).digest()
    chance = np.random.default_rng(int.from_bytes(digest[:8]))
    side = pixels.shape[0]
    extent = side * chance.uniform(0.85, 1.0)
    left, top = chance.uniform(0, side - extent, 2)
    picture = Image.fromarray(pixels).resize(
        (side, side), Image.Resampling.BILINEAR, box=(left, top, left + extent, top + extent)
    )
    picture = ImageEnhance.Brightness(picture).enhance(chance.uniform(0.85, 1.15))
    picture = ImageEnhance.Contrast(picture).enhance(chance.uniform(0.85, 1.15))
    if augmentation == "light" and chance.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(picture)
