"""What is measured of each picture at import: how bright, how contrasty, how sharp, and its fingerprint."""

from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageFilter, ImageStat

SHARPNESS_SIDE_PX = 256
FINGERPRINT_SIZE = (17, 16)
UNIFORM_CONTRAST = 4.0
_LAPLACE_OFFSET = 128
_LAPLACE = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=_LAPLACE_OFFSET)


@dataclass(frozen=True)
class Measures:
    """Figures of one picture's grey values, 0..255: their mean, standard deviation, sharpness and fingerprint.

    `sharpness` is the variance of the Laplacian; `fingerprint` is 64 hexadecimal digits, or "" for a picture that is
    nearly uniform, which would be like any other such picture.
    """

    brightness: float
    contrast: float
    sharpness: float
    fingerprint: str


def measure(image: Image.Image) -> Measures:
    """Measure an RGB picture."""
    grey = image.convert("L")
    tones = ImageStat.Stat(grey)
    contrast = tones.stddev[0]
    small = _at_one_scale(grey)
    fingerprint = fingerprint_of(small) if contrast >= UNIFORM_CONTRAST else ""
    return Measures(tones.mean[0], contrast, sharpness_of(small), fingerprint)


def sharpness_of(grey: Image.Image) -> float:
    """Return the variance of a grey picture's Laplacian, its border left out: low where nothing is in focus.

    Answers are cut off at -128 and 127, far beyond those of a blurred picture. Source: Pech-Pacheco, Cristobal,
    Chamorro-Martinez and Fernandez-Valdivia, "Diatom autofocusing in brightfield microscopy", ICPR 2000.
    """
    # Pillow leaves the outermost pixels as they were.
    inner = (1, 1, grey.width - 1, grey.height - 1)
    return ImageStat.Stat(grey.filter(_LAPLACE).crop(inner)).var[0]


def fingerprint_of(grey: Image.Image) -> str:
    """Return a difference hash of 256 bits as 64 hexadecimal digits: alike pictures differ in few bits.

    The picture is shrunk to 17 x 16; bit by bit, row by row, a 1 says that a pixel is darker than its right neighbour.
    """
    columns, rows = FINGERPRINT_SIZE
    pixels = grey.resize(FINGERPRINT_SIZE, Image.Resampling.BILINEAR).tobytes()
    # The pairs across the ends of rows are left out again.
    rises = ["1" if left < right else "0" for left, right in pairwise(pixels)]
    del rises[columns - 1 :: columns]
    return f"{int(''.join(rises), 2):0{rows * (columns - 1) // 4}x}"


def _at_one_scale(grey: Image.Image) -> Image.Image:
    """Shrink to `SHARPNESS_SIDE_PX`, so that photos of different sizes compare.

    A blur of 0.6% of the width leaves a thirtieth of the sharpness there; one that is lost there is lost on a model,
    which sees no more.
    """
    scale = min(1.0, SHARPNESS_SIDE_PX / max(grey.size))
    if scale == 1.0:
        return grey
    size = max(3, round(grey.width * scale)), max(3, round(grey.height * scale))
    return grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.5)
