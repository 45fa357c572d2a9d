"""Reads a photo just as Thaw does, so that a model answers for it as in the dashboard; needs Pillow and NumPy.

A copy of this file lies in every export. `README.txt` beside it tells the rule in words.
"""

from os import PathLike

import numpy as np
from PIL import Image, ImageOps

LONGER_SIDE = 640
WHITE_FROM = 245


def read_photo(path: str | PathLike[str], side: int, grey_range: float = 65535) -> np.ndarray:
    """Return what a classifier sees of a photo: uint8 (1, side, side, 3), RGB, 0..255."""
    photo = read_upright(path, grey_range)
    return np.asarray(photo.resize((side, side), Image.Resampling.BILINEAR))[None]


def read_upright(path: str | PathLike[str], grey_range: float = 65535) -> Image.Image:
    """Return a photo upright in RGB, its longer side at most `LONGER_SIDE` pixels."""
    with Image.open(path) as file:
        layout = str(file.tile)
        if "'ppm'" in layout:
            grey_range = 65535  # A PGM can tell its own range, and Pillow then scales by that.
        elif grey_range != 65535 and ";16" in layout and file.mode[0] not in "IF":
            raise ValueError(f"Expected 8 bits a colour. Received: {path} with 16. Save it with 8, or as greys.")
        # Large JPEGs are decoded at a half, a quarter or an eighth.
        file.draft(None, fit(file.size))
        photo = ImageOps.exif_transpose(file)
    if photo.mode[0] in "IF":
        photo = scale_greys(photo, grey_range)
    photo = lay_on_ground(photo.convert("RGBA")) if photo.has_transparency_data else photo.convert("RGB")
    return photo.resize(fit(photo.size), Image.Resampling.BICUBIC, reducing_gap=3.0)


def fit(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size whose longer side is at most `LONGER_SIDE`."""
    scale = min(1, LONGER_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def scale_greys(photo: Image.Image, grey_range: float) -> Image.Image:
    """Bring greys of more than 8 bits to 0..255, from 0..grey_range or, where they do not fit 16 bits, from their own
    least and greatest value."""
    deep = np.asarray(photo, dtype=np.float64)
    low, high = 0.0, float(grey_range)
    if photo.mode == "F" or deep.min() < 0 or deep.max() > 65535:
        low, high = deep.min(), deep.max()
    scaled = (deep - low) * 255 / (high - low or 1)
    return Image.fromarray((scaled.clip(0, 255) + 0.5).astype(np.uint8))


def lay_on_ground(photo: Image.Image) -> Image.Image:
    """Lay what is transparent on white, or on grey where nine tenths of what is seen is white; alpha that is the same
    everywhere means nothing and is dropped."""
    colours, alpha = photo.convert("RGB"), photo.getchannel("A")
    if len(set(alpha.getextrema())) == 1:
        return colours
    seen, is_white = np.asarray(alpha, dtype=np.int64), np.asarray(colours).min(axis=2) >= WHITE_FROM
    vanishes = seen[is_white].sum() >= 0.9 * seen.sum()
    ground = Image.new("RGB", photo.size, (128, 128, 128) if vanishes else "white")
    ground.paste(colours, mask=alpha)
    return ground
