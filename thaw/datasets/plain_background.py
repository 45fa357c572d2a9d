"""The object in front of a plain background: where it is, and how it looks cut out, whatever the background."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LOOK_SIDE_PX = 192
SMALL_SIDE_PX = 16
BORDER_SHARE = 0.03
# Of 0..255 in any channel: what a camera's noise and JPEG leave of one colour at this size, and not much more.
COLOUR_STEP = 14
LEAST_STEP = 5
PLAIN_SHARE = 0.85
LEAST_SHARE, MOST_SHARE = 0.01, 0.8
KEPT_SHARE = 0.6
MARGIN_SHARE = 0.06
# The mean colour of ImageNet's photos, which to a network trained on them is the nearest there is to nothing.
NEUTRAL = (124, 116, 104)


@dataclass(frozen=True)
class Look:
    """What a look at a photo with a plain border found: the object, or that there is nothing at all.

    `mask`, bool (rows, columns), is the object's, as by `find_object`; None where nothing stands out. `small`, uint8
    (SMALL_SIDE_PX, SMALL_SIDE_PX, 3), is the object cut out as by `load_object`, or the whole picture of nothing.
    """

    mask: NDArray[np.bool_] | None
    small: NDArray[np.uint8]


def find_object(picture: Image.Image) -> NDArray[np.bool_] | None:
    """Return what is not background, bool (rows, columns), at most LOOK_SIDE_PX a side; None where it is not plain.

    A background is plain if at least PLAIN_SHARE of the picture's border is of one colour, which may get lighter or
    darker evenly from side to side, as under a lamp. What differs from that colour, carried on over the whole picture,
    is the object, with its holes; an object takes LEAST_SHARE to MOST_SHARE of the picture.
    """
    mask = _find(_shrink(picture))
    return mask if mask is not None and mask.any() else None


def look_at(path: Path | str) -> Look | None:
    """Look at a normalised copy; None where its border is not plain, or what stands out is too small or too large."""
    with Image.open(path, formats=("PNG", "JPEG")) as image:
        # A JPEG is decoded at half or a quarter of its size, in as little of the time.
        image.draft("RGB", (LOOK_SIDE_PX, LOOK_SIDE_PX))
        picture = _shrink(image.convert("RGB"))
    mask = _find(picture)
    if mask is None:
        return None
    shown = _cut_out(picture, mask) if mask.any() else picture
    small = shown.resize((SMALL_SIDE_PX, SMALL_SIDE_PX), Image.Resampling.BOX)
    return Look(mask if mask.any() else None, np.asarray(small, dtype=np.uint8))


def load_object(path: Path | str, image_size: int, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Read the object that `mask` marks in a normalised copy, uint8 (image_size, image_size, 3), RGB, 0..255.

    The object is upright in the middle with its proportions kept, a margin around it, in front of NEUTRAL: photos of
    one object differ little, wherever it lay in them, how large, and on what.
    """
    with Image.open(path, formats=("PNG", "JPEG")) as image:
        picture = _cut_out(image.convert("RGB"), mask)
    return np.asarray(picture.resize((image_size, image_size), Image.Resampling.BILINEAR), dtype=np.uint8)


def _shrink(picture: Image.Image) -> Image.Image:
    scale = min(1.0, LOOK_SIDE_PX / max(picture.size))
    size = max(8, round(picture.width * scale)), max(8, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BOX)


def _find(picture: Image.Image) -> NDArray[np.bool_] | None:
    """Return the object's mask in a picture of LOOK_SIDE_PX; nothing is marked where nothing at all stands out."""
    pixels = np.asarray(picture, dtype=np.float32)
    background = _fit_background(pixels)
    if background is None:
        return None
    from scipy import ndimage

    plain, step = background
    mask = ndimage.binary_opening(np.abs(pixels - plain).max(axis=2) > step, np.ones((2, 2)))
    if mask.any() and not LEAST_SHARE <= mask.mean() <= MOST_SHARE:
        return None
    # The outermost pixels are half background, which would tell copies on different ones apart.
    inner = ndimage.binary_erosion(mask)
    return inner if inner.sum() >= KEPT_SHARE * mask.sum() else mask


def _fit_background(pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], float] | None:
    """Return the plain colour of a picture's border carried on over all of it, float32 like `pixels`, or None.

    A plane a channel, fitted to the border without what lies before it there.
    """
    height, width, _ = pixels.shape
    rows, columns = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    places = np.stack([np.ones_like(rows), rows, columns], axis=2)
    edge = max(1, round(BORDER_SHARE * max(height, width)))
    ring = np.ones((height, width), dtype=bool)
    ring[edge:-edge, edge:-edge] = False
    colours, where = pixels[ring], places[ring]
    kept = np.abs(colours - np.median(colours, axis=0)).max(axis=1) <= 3 * COLOUR_STEP
    for _ in range(2):
        if kept.mean() < PLAIN_SHARE / 2:
            return None
        plane, *_rest = np.linalg.lstsq(where[kept], colours[kept], rcond=None)
        kept = np.abs(colours - where @ plane).max(axis=1) <= COLOUR_STEP
    if kept.mean() < PLAIN_SHARE:
        return None
    rest = np.abs(colours - where @ plane).max(axis=1)[kept]
    return places @ plane, float(np.clip(5 * np.median(rest), LEAST_STEP, COLOUR_STEP))


def _cut_out(picture: Image.Image, mask: NDArray[np.bool_]) -> Image.Image:
    """Return the square around what `mask` marks, with NEUTRAL for all else."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    down, across = picture.height / mask.shape[0], picture.width / mask.shape[1]
    top, bottom, left, right = rows[0] * down, (rows[-1] + 1) * down, columns[0] * across, (columns[-1] + 1) * across
    half = max(bottom - top, right - left) * (0.5 + MARGIN_SHARE)
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    box = round(middle_x - half), round(middle_y - half), round(middle_x + half), round(middle_y + half)
    square = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), NEUTRAL)
    shape = Image.fromarray(mask).convert("L").resize(picture.size, Image.Resampling.BILINEAR)
    square.paste(picture, (-box[0], -box[1]), shape)
    return square
