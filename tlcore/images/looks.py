"""How pictures look as plain numbers, and where that lies beyond what has been published of photos: their brightness,
contrast and colour, and how fast their detail fades from coarse to fine. No Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

# Mean and standard deviation of ImageNet's pixels, by channel, in 0..1: torchvision's documentation, "Models and
# pre-trained weights".
PHOTO_MEAN = (0.485, 0.456, 0.406)
PHOTO_DEVIATION = (0.229, 0.224, 0.225)
# The amplitude at a spatial frequency f goes as f to a power, which lay between these in 135 photos of nature, at -1.2
# on average (Tolhurst, Tadmor and Chao 1992, "Amplitude spectra of natural images").
PHOTO_SLOPES = (-1.5, -0.8)
# Beyond these pictures count as unlike photos; the thresholds are Thaw's own. 200 crops of two photographs, in five
# tints, had 0.2 by the first and 1.4 by the second, with a slope of -1.18; the sample digits 0.6, 1.5 and -3.3.
FAR_MEAN, FAR_CONTRAST, MOSTLY_GREY = 1.0, 2.0, 0.5
# What is looked at of a picture: its middle, a power of two in pixels wide, and of that the frequencies from two
# periods across it to half of the finest, above which compression and resizing leave their marks.
LARGEST_SIDE, SMALLEST_SIDE = 256, 16
# A picture whose channels nowhere differ by more of 0..255 has no colour.
GREY_STEPS = 8


@dataclass(frozen=True, slots=True)
class Looks:
    """How a number of `images` look: `mean` and `deviation` of their pixels by channel (red, green, blue; 0..1), the
    share (0..1) of those without any colour, `grey`, and the middle one of the slopes of their amplitude spectra, None
    where all are too small or too even to have one."""

    images: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    grey: float
    slope: float | None


def measure_looks(files: Sequence[str | Path]) -> Looks:
    """Measure how the pictures in `files`, copies as `tlcore.images.pixels` keeps them, look."""
    sums, squares, pixels, grey, slopes = np.zeros(3), np.zeros(3), 0, 0, []
    for file in files:
        with Image.open(file, formats=("PNG", "JPEG")) as image:
            picture = np.asarray(image.convert("RGB"))
        scaled = picture.reshape(-1, 3) / 255
        # Each picture counts alike, however many pixels it has.
        sums += scaled.mean(axis=0)
        squares += (scaled**2).mean(axis=0)
        grey += int(np.ptp(picture.astype(int), axis=2).max() <= GREY_STEPS)
        slopes.append(measure_slope(picture.mean(axis=2)))
        pixels += 1
    mean = sums / pixels
    deviation = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    known = [slope for slope in slopes if slope is not None]
    return Looks(
        pixels,
        (float(mean[0]), float(mean[1]), float(mean[2])),
        (float(deviation[0]), float(deviation[1]), float(deviation[2])),
        grey / pixels,
        float(np.median(known)) if known else None,
    )


def measure_slope(grey: np.ndarray) -> float | None:
    """Return the power of f that the amplitudes of a picture follow, float (height, width): the slope of a line through
    the logarithms of both, each octave counting alike; None of one too small or too even to have any."""
    side = min(LARGEST_SIDE, 2 ** int(np.log2(max(1, min(grey.shape)))))
    if side < SMALLEST_SIDE:
        return None
    top, left = (grey.shape[0] - side) // 2, (grey.shape[1] - side) // 2
    window = np.hanning(side)
    middle = grey[top : top + side, left : left + side]
    power = np.abs(np.fft.fft2((middle - middle.mean()) * np.outer(window, window))) ** 2
    axis = np.fft.fftfreq(side, 1 / side)
    radius = np.rint(np.hypot(*np.meshgrid(axis, axis))).astype(int)
    ring = np.bincount(radius.ravel(), power.ravel()) / np.maximum(1, np.bincount(radius.ravel()))
    frequencies = np.arange(2, side // 4 + 1)
    heights = ring[frequencies]
    if not (heights > 0).all():
        return None
    # Of the power, the square of the amplitude.
    return float(np.polyfit(np.log(frequencies), np.log(heights), 1, w=1 / np.sqrt(frequencies))[0]) / 2


def tell_unlike(looks: Looks) -> list[str]:
    """Say in plain words in what pictures look unlike photos; nothing where they lie within what is known of these."""
    told = []
    if looks.grey > MOSTLY_GREY:
        told.append("they have no colour")
    shift = np.mean(
        [(own - photo) / spread for own, photo, spread in zip(looks.mean, PHOTO_MEAN, PHOTO_DEVIATION, strict=True)]
    )
    if abs(shift) > FAR_MEAN:
        told.append("they are far brighter" if shift > 0 else "they are far darker")
    contrast = float(np.mean(looks.deviation) / np.mean(PHOTO_DEVIATION))
    if not 1 / FAR_CONTRAST <= contrast <= FAR_CONTRAST:
        told.append("they have far more contrast" if contrast > 1 else "they have far less contrast")
    if looks.slope is not None and not PHOTO_SLOPES[0] <= looks.slope <= PHOTO_SLOPES[1]:
        told.append(
            "they are far smoother" if looks.slope < PHOTO_SLOPES[0] else "they are far busier in their finest detail"
        )
    return told
