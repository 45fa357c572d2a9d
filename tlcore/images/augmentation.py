"""Views of an image: the same picture slightly changed, so that the features a head learns from vary as the world does.

Pillow and NumPy only: the page's preview draws with the same function as the training.
"""

import hashlib

import numpy as np
from PIL import Image, ImageEnhance

from tlcore.images.recipes import Recipe


def draw_view(pixels: np.ndarray, content: str, view: int, recipe: Recipe, seed: int) -> np.ndarray:
    """Return view number `view` of an image, uint8 (side, side, 3) like `pixels`; view 0 is `pixels` itself.

    The same image content, view, recipe and seed always give the same picture. What a recipe leaves out draws nothing
    and changes nothing else of the view: without rotation it has the same crop as with it.
    """
    if view == 0 or recipe.plain:
        return pixels
    digest = hashlib.sha256(f"{seed}:{content}:{view}".encode()).digest()
    crop, across, down, turn, nearness, light, contrast, mirror, upright = np.random.default_rng(
        int.from_bytes(digest[:8])
    ).random(9)
    share = 1 - recipe.crop * crop
    picture = _place(
        pixels,
        share * _about(1, recipe.zoom, nearness),
        (share / 2 + (1 - share) * across, share / 2 + (1 - share) * down),
        _about(0, recipe.rotation, turn),
    )
    if recipe.brightness:
        picture = ImageEnhance.Brightness(picture).enhance(_about(1, recipe.brightness, light))
    if recipe.contrast:
        picture = ImageEnhance.Contrast(picture).enhance(_about(1, recipe.contrast, contrast))
    if recipe.mirror and mirror < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if recipe.upright and upright < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return np.asarray(picture)


def _about(middle: float, most: float, chance: float) -> float:
    """Return the number at `chance` (0..1) of the range from `middle - most` to `middle + most`."""
    return middle + most * (2 * chance - 1)


def _place(pixels: np.ndarray, extent: float, centre: tuple[float, float], degrees: float) -> Image.Image:
    """Return the square window of `extent` sides around `centre` (both as shares of the side), turned, at full size.

    One resampling for crop, zoom and rotation keeps the view sharp. Beyond the picture's edge lies its mirror image,
    since black corners would be a mark that real photos do not bear.
    """
    side = pixels.shape[0]
    if extent == 1 and centre == (0.5, 0.5) and not degrees:
        return Image.fromarray(pixels)
    margin = side // 2
    surrounded = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric"))
    cosine, sine = extent * np.cos(np.radians(degrees)), extent * np.sin(np.radians(degrees))
    left, top = margin + centre[0] * side, margin + centre[1] * side
    # Pillow takes where each pixel of the view comes from: x' = a x + b y + c, y' = d x + e y + f.
    half = side / 2
    affine = (cosine, sine, left - half * (cosine + sine), -sine, cosine, top - half * (cosine - sine))
    return surrounded.transform((side, side), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
