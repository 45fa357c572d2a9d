"""How a picture's file becomes the copy that is kept of it, and how the pixels that a model sees are read from that.

`read_picture` reads what Pillow reads, and the HEIC of phones. An application that knows more (camera raws, a JPEG
without its end mark) has a `Reader` of its own and leaves the same: a copy that is upright, RGB, 8 bits a channel.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from PIL import Image, ImageChops, ImageOps, ImageStat, UnidentifiedImageError
from PIL.ExifTags import IFD, Base

from tlcore.errors import ImageRejected

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
MAX_FILE_BYTES = 50_000_000
MAX_PIXELS = 100_000_000
LONGER_SIDE_PX = 640
LOSSLESS_SIDE_PX = 256
GREY_RANGES = (255, 1023, 4095, 16383, 65535)
"""What greys of more than 8 bits are brought to 0..255 from; one range for all photos of one set."""
WIDEST = GREY_RANGES[-1]
FINGERPRINT_SIZE = (17, 16)
UNIFORM_CONTRAST = 4.0
_ANY = [0] + [255] * 255
_BAND_BYTES = 60_000


class RangeUnknown(Exception):
    """A picture that only a range can bring to 8 bits, and none is known; `largest` is its largest value."""

    def __init__(self, largest: int) -> None:
        super().__init__(largest)
        self.largest = largest


@dataclass(frozen=True)
class Picture:
    """A picture that was read: `file` is the copy that is kept, `content` the sha256 of what it shows.

    `width` and `height` are the original's in pixels, upright; `fingerprint` is that of `fingerprint_of`, "" for a
    nearly uniform picture; `taken_at` is the camera's date in seconds since 1970; `grey_range` what more than 8 bits
    were scaled by, None where there were none.
    """

    file: Path
    content: str
    width: int
    height: int
    fingerprint: str
    taken_at: float | None = None
    grey_range: int | None = None


class Reader(Protocol):
    """Reads the file at `path` and keeps a copy of it at `copy` plus a suffix.

    Raises ImageRejected with the reason in plain words, and RangeUnknown where `grey_range` is None and the picture
    needs one of `GREY_RANGES`.
    """

    def __call__(self, path: Path, copy: Path, grey_range: int | None) -> Picture: ...


def read_picture(path: Path, copy: Path, grey_range: int | None = WIDEST) -> Picture:
    """Read what Pillow reads, and HEIC, as a `Reader` does: the first of several frames, laid on white."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ImageRejected(f"the file has {size / 1e6:,.0f} MB; the limit is {MAX_FILE_BYTES / 1e6:,.0f} MB")
        formats = (*FORMATS, "HEIF") if can_read_heic() else FORMATS
        with Image.open(path, formats=formats) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageRejected(f"it has {image.width:,} x {image.height:,} pixels; the limit is {MAX_PIXELS:,}")
            if image.format == "TIFF" and image.getexif().get(Base.NewSubfileType) == 1:
                raise ImageRejected("it is a camera raw, of which Pillow sees the thumbnail alone; save it as JPEG")
            taken_at, (width, height) = _find_date(image), image.size
            # A JPEG is decoded at a half, a quarter or an eighth, which is what makes camera photos quick.
            image.draft(None, (LONGER_SIDE_PX, LONGER_SIDE_PX))
            upright = ImageOps.exif_transpose(image)
            if (upright.width > upright.height) != (width > height):
                width, height = height, width
            rgb, used = _to_rgb(upright, grey_range)
    except (ImageRejected, RangeUnknown, MemoryError):
        raise
    except UnidentifiedImageError as problem:
        raise ImageRejected(f"it is no picture in a format that is read ({', '.join(formats)})") from problem
    except Exception as problem:
        # Pillow's parsers answer damaged bytes with errors of every class.
        raise ImageRejected(f"it cannot be read: {problem}. Copy or download it again") from problem
    rgb.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX), Image.Resampling.BICUBIC, reducing_gap=3.0)
    suffix = ".jpg" if max(rgb.size) > LOSSLESS_SIDE_PX else ".png"
    file = copy.with_name(copy.name + suffix)
    # Comments, colour profiles and the like would be written into the copies.
    rgb.info = {}
    rgb.save(file, quality=95, subsampling=0)
    grey = rgb.convert("L")
    fingerprint = fingerprint_of(grey) if ImageStat.Stat(grey).stddev[0] >= UNIFORM_CONTRAST else ""
    return Picture(file, content_of(rgb), width, height, fingerprint, taken_at, used)


@functools.cache
def can_read_heic() -> bool:
    """Load what reads HEIC, if it is installed, and teach Pillow to use it."""
    try:
        import pi_heif
    except ImportError:
        return False
    # Several pictures are decoded at a time, so that each needs one thread.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True


def load_pixels(path: Path | str | BinaryIO, image_size: int) -> NDArray[np.uint8]:
    """Read a normalised copy, or its open file, as uint8 (image_size, image_size, 3), RGB, 0..255, stretched to the
    square.

    Antialiased bilinear. This is the project's only resize on the way into a model, for training and predicting
    alike, so that both see the same pixels.
    """
    import numpy as np

    with Image.open(path, formats=("PNG", "JPEG")) as image:
        square = image.convert("RGB").resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(square, dtype=np.uint8)


def choose_range(largest: int) -> int:
    """Return the smallest of `GREY_RANGES` that holds a value of 0..65535."""
    return next(each for each in GREY_RANGES if largest <= each)


def require_range(grey_range: int | None, largest: int) -> int:
    """Return the range for values up to `largest`; raise RangeUnknown where none is given and these leave it open."""
    if grey_range is None and largest <= GREY_RANGES[-2]:
        raise RangeUnknown(largest)
    return grey_range or WIDEST


def stretch(deep: Image.Image, low: float, high: float) -> Image.Image:
    """Bring `low`..`high` of a picture of mode F to 0..255, mode L, and what lies beyond to the ends."""
    scale = 255.0 / (high - low) if high > low else 0.0
    # Converting F to L cuts the fraction off, so half a step makes it round.
    return deep.point(lambda value: value * scale + (0.5 - low * scale)).convert("L")


def content_of(image: Image.Image) -> str:
    """Return the sha256 of an RGB picture's size and pixels, as 64 hexadecimal digits."""
    width, height = image.size
    digest = hashlib.sha256(b"%d %d " % image.size)
    # In bands that a processor's cache holds: all at once takes twice the time.
    rows = max(1, _BAND_BYTES // (3 * width))
    for top in range(0, height, rows):
        digest.update(image.crop((0, top, width, min(height, top + rows))).tobytes())
    return digest.hexdigest()


def fingerprint_of(grey: Image.Image) -> str:
    """Return a difference hash of 256 bits as 64 hexadecimal digits: alike pictures differ in few bits.

    The picture is shrunk to 17 x 16; bit by bit, row by row, a 1 says that a pixel is darker than its right neighbour.
    """
    columns, rows = FINGERPRINT_SIZE
    small = grey.resize(FINGERPRINT_SIZE, Image.Resampling.BILINEAR)
    left, right = small.crop((0, 0, columns - 1, rows)), small.crop((1, 0, columns, rows))
    return ImageChops.subtract(right, left).point(_ANY, "1").tobytes().hex()


def _to_rgb(image: Image.Image, grey_range: int | None) -> tuple[Image.Image, int | None]:
    """Return `image` as RGB, and the range that greys of more than 8 bits were scaled by."""
    if image.mode.startswith("I") or image.mode == "F":
        deep = image.convert("F")
        low, high = deep.getextrema()
        assert isinstance(low, float)
        assert isinstance(high, float)
        if image.mode == "F" or low < 0 or high > WIDEST:
            return stretch(deep, low, high).convert("RGB"), None
        used = require_range(grey_range, int(high))
        return stretch(deep, 0, used).convert("RGB"), used
    if not image.has_transparency_data:
        return image.convert("RGB"), None
    cut_out = image.convert("RGBA")
    least, most = cut_out.getchannel("A").getextrema()
    if least == most:
        # Alpha that is one value everywhere shows no shape; mostly it is 0 because nobody set it.
        return cut_out.convert("RGB"), None
    return Image.alpha_composite(Image.new("RGBA", cut_out.size, "white"), cut_out).convert("RGB"), None


def _find_date(image: Image.Image) -> float | None:
    """Return the camera's date, read as UTC; None where there is none or it makes no sense."""
    written = image.getexif().get_ifd(IFD.Exif).get(Base.DateTimeOriginal)
    try:
        return datetime.strptime(str(written), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
