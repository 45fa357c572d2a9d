"""The one place where a file is accepted or refused as an image, and where its pixels are read back."""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from tlcore.errors import ImageRejected
from tlcore.exif import PARSER_ERRORS, SIDEWAYS, find_date, find_turn
from tlcore.jpeg import Encoding, find_encoding, strip
from tlcore.png import check_chunks
from tlcore.signatures import HEAD_BYTES, describe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_FILE_BYTES = 50_000_000
MAX_PIXELS = 100_000_000
MAX_ASPECT = 20
MIN_SIDE_PX = 8
LONGER_SIDE_PX = 640
LOSSLESS_SIDE_PX = 256
# What a picture is measured at, and enough for its thumbnail.
MEASURED_SIDE_PX = 240

# Named by their plugins, so that these alone are loaded: Pillow would load all it has, slowly, to look for one.
# MPO (two pictures in one file, as some cameras write) comes with JPEG.
FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
        BmpImagePlugin.BmpImageFile,
        TiffImagePlugin.TiffImageFile,
        AvifImagePlugin.AvifImageFile,
    )
)
_DAMAGED = "the picture is cut off or damaged; copy or download it again"


@dataclass(frozen=True)
class Normalised:
    """A decoded picture, ready to be kept: RGB, upright, the longer side at most `LONGER_SIDE_PX`.

    `width` and `height` are the original's in pixels, upright; `notes` says what was changed; `original` is the sha256
    of the file; `taken_at` the camera's date in seconds since 1970; `encoding` how the file, a JPEG, had encoded just
    these pixels. `bare` are the bytes of a JPEG that can be kept as it is, without those that make no pixels; of such a
    one `image` may be half as large, which is enough to measure it and for its thumbnail.
    """

    image: Image.Image
    width: int
    height: int
    notes: list[str]
    original: str
    taken_at: float | None
    encoding: Encoding | None
    bare: bytes | None


def normalise(path: Path) -> Normalised:
    """Decode the file at `path` whole and bring it to the one form that is kept.

    The format is told from the content, never from the name. The caps on bytes, pixels, sides and text are applied
    before the pixels are decoded. Raises ImageRejected with the reason in plain words.
    """
    try:
        with _opened(path) as file:
            # Read once, so that what is hashed is what is decoded.
            content = file.read(min(os.fstat(file.fileno()).st_size, MAX_FILE_BYTES))
        return _decode(content)
    except MemoryError as problem:
        raise ImageRejected("it needs more memory to decode than is allowed; save it smaller") from problem


def digest(path: Path) -> str:
    """Return the sha256 of a file's bytes, as 64 hexadecimal digits.

    Raises ImageRejected for what is no plain file, is too large or cannot be read, as `normalise` does.
    """
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fit(width: int, height: int, longer_side: int) -> tuple[int, int]:
    """Return the size in pixels, at least 1 x 1, that brings the longer side to `longer_side` or leaves it below."""
    scale = min(1.0, longer_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def load_pixels(path: Path, image_size: int) -> NDArray[np.uint8]:
    """Read a normalised copy as uint8 (image_size, image_size, 3), RGB, 0..255, stretched to the square.

    Antialiased bilinear. This is the project's only resize on the way into a model, for training and predicting
    alike, so that both see the same pixels.
    """
    import numpy as np

    with Image.open(path, formats=("PNG", "JPEG")) as image:
        square = image.convert("RGB").resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(square, dtype=np.uint8)


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    try:
        # Asked before opening: to open a pipe is to wait for its other end.
        _require_plain_file(path)
        with path.open("rb") as file:
            yield file
    except OSError as problem:
        raise ImageRejected(f"it cannot be read: {problem.strerror or problem}") from problem


def _require_plain_file(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ImageRejected("it is not a plain file (a folder, a pipe, a device or a socket)")
    if status.st_size > MAX_FILE_BYTES:
        raise ImageRejected(
            f"the file has {status.st_size / 1e6:,.0f} MB; the limit is {MAX_FILE_BYTES / 1e6:,.0f} MB. Save it smaller"
        )


def _decode(content: bytes) -> Normalised:
    head = content[:HEAD_BYTES]
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        check_chunks(io.BytesIO(content))
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_size(*image.size)
            return _normalise_opened(image, content)
    except UnidentifiedImageError as problem:
        raise ImageRejected(describe(head)) from problem
    except Image.DecompressionBombError as problem:
        raise ImageRejected(_too_many_pixels("far more")) from problem
    except PARSER_ERRORS as problem:
        raise ImageRejected(_DAMAGED) from problem


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageRejected(_too_many_pixels(f"{width:,} x {height:,} pixels"))
    if min(width, height) < MIN_SIDE_PX:
        raise ImageRejected(f"it has {width:,} x {height:,} pixels; both sides need at least {MIN_SIDE_PX}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageRejected(
            f"it has {width:,} x {height:,} pixels; "
            f"the longer side may be at most {MAX_ASPECT} times the shorter. Crop it"
        )


def _too_many_pixels(received: str) -> str:
    return f"it has {received}; the limit is {MAX_PIXELS / 1e6:,.0f} megapixels. Save it smaller"


def _normalise_opened(image: ImageFile.ImageFile, content: bytes) -> Normalised:
    width, height = image.size
    bare = _find_bare(image, content)
    # JPEG can be decoded at a half, a quarter or an eighth, which is what makes camera photos quick.
    image.draft(None, fit(width, height, MEASURED_SIDE_PX if bare else LONGER_SIDE_PX))
    _load(image)
    if image.format == "TIFF":
        # Pillow turns a TIFF upright while loading it.
        width, height = image.size
    notes, turn, taken_at = _frame_notes(image), find_turn(image), find_date(image)
    upright = _composite(_shrink(_to_eight_bits(image, notes)), notes)
    encoding = find_encoding(image) if bare or upright.size == (width, height) else None
    # Comments, colour profiles and the like would be written into the copies.
    upright.info = {}
    if turn is not None:
        notes.append("turned upright")
        upright = upright.transpose(turn)
        # The tables were made for the blocks as they lay.
        encoding = None
        if turn in SIDEWAYS:
            width, height = height, width
    original = hashlib.sha256(content).hexdigest()
    return Normalised(upright, width, height, notes, original, taken_at, encoding, bare)


def _find_bare(image: ImageFile.ImageFile, content: bytes) -> bytes | None:
    """Return what can be kept of a JPEG's own bytes, or None where its pixels must be encoded anew."""
    as_it_is = LOSSLESS_SIDE_PX < max(image.size) <= LONGER_SIDE_PX and find_turn(image) is None
    return strip(content) if as_it_is and find_encoding(image) is not None else None


def _load(image: ImageFile.ImageFile) -> None:
    try:
        image.load()
    except OSError as problem:
        if "truncated" in str(problem):
            raise ImageRejected(f"the {image.format} is cut off before its end; copy or download it again") from problem
        raise


def _frame_notes(image: ImageFile.ImageFile) -> list[str]:
    frames = getattr(image, "n_frames", 1)
    return [f"first frame of {frames}"] if frames > 1 else []


def _to_eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    """Return `image` as L, RGB or RGBA; a JPEG's own object where it is, since to copy it is a third of decoding it."""
    mode = image.mode
    if mode == "RGB" and image.format == "JPEG":
        return image
    if mode.startswith("I;16") or mode in ("I", "F"):
        notes.append("scaled from more than 8 bits")
        return _scale_grey(image)
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return image.convert("RGBA")
    if mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        notes.append(f"converted from {mode}")
        return image.convert("RGB")
    if mode == "P":
        return image.convert("RGB")
    return image.convert("L") if mode in ("1", "L") else image.convert("RGB")


def _scale_grey(image: Image.Image) -> Image.Image:
    """Scale deep greys to 0..255 by the range that their type, or else their own values, span."""
    deep = image.convert("F")
    low, high = deep.getextrema()
    if not (isinstance(low, float) and isinstance(high, float) and math.isfinite(low) and math.isfinite(high)):
        raise ImageRejected("its grey values are not numbers (infinite or undefined); export it as an 8-bit PNG")
    if image.mode.startswith("I;16") or (image.mode == "I" and low >= 0 and high <= 65535):
        low, high = 0.0, 65535.0
    scale = 255.0 / (high - low) if high > low else 0.0
    # Converting F to L cuts the fraction off, so half a step makes it round.
    return deep.point(lambda value: value * scale + (0.5 - low * scale)).convert("L")


def _composite(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")
    alpha = image.getchannel("A")
    if alpha.getextrema() != (255, 255):
        notes.append("transparency laid on white")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image.convert("RGB"), mask=alpha)
    return paper


def _shrink(image: Image.Image) -> Image.Image:
    size = fit(*image.size, LONGER_SIDE_PX)
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
