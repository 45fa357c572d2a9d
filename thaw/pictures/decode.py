"""The one place where a file is accepted or refused as an image, and where its pixels are read back.

How a file becomes the picture that is kept, in this order; whoever is to have the same answers must do the same:

1. What it is, its content tells. Of several frames or pages the first is taken, of a HEIC file the main picture, of a
   camera raw the JPEG that the camera put into it, of a large JPEG what libjpeg decodes at a half, a quarter or an
   eighth as long as its longer side stays at least 640 pixels.
2. More than 8 bits a channel become 8: round(value * 255 / grey_range), what exceeds the range is clipped to it. The
   range, one of 255, 1023, 4095, 16383 and 65535, is one for a data set: the smallest that holds every such picture of
   its first import with any. Floating-point and signed greys, and those beyond 16 bits, are scaled by their own least
   and greatest value; a PGM, HEIC or AVIF by the range that it declares (`thaw.pictures.deep_pictures`).
3. Palettes, CMYK, grey and whatever else there is become RGB.
4. Alpha that is one value everywhere is dropped. Else the picture is laid on white; on grey (128, 128, 128) where nine
   tenths of what is visible, weighed by alpha, has 245 or more in every channel (`thaw.pictures.transparency`).
5. It is turned upright as EXIF says; a HEIC file as its own marks say, and not once more by EXIF.
6. The longer side is shrunk to 640 pixels where it is longer (bicubic, antialiased), and, for a model, stretched to its
   square (bilinear, antialiased).
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageFile, UnidentifiedImageError

from thaw.pictures.camera_raw import extract_preview, is_camera_raw
from thaw.pictures.deep_pictures import find_layout, has_deep_colours, reopen, scale_colours, scale_grey
from thaw.pictures.exif import PARSER_ERRORS, SIDEWAYS, find_date, find_turn, orientation_of
from thaw.pictures.jpeg import Encoding, find_encoding, strip
from thaw.pictures.jpeg_end import has_end, supply_end
from thaw.pictures.picture_formats import HEAD_BYTES, check_chunks, choose_formats, describe, image_kind, is_heic
from thaw.pictures.transparency import describe_ground, find_ground, lay_on
from tlcore.errors import ImageRejected
from tlcore.images.pixels import LONGER_SIDE_PX, LOSSLESS_SIDE_PX, MAX_FILE_BYTES, MAX_PIXELS, WIDEST

MAX_ASPECT = 20
MIN_SIDE_PX = 8
# What a picture is measured at, and enough for its thumbnail.
MEASURED_SIDE_PX = 240

# How the reason of a file begins that cannot be opened: elsewhere, or by someone else, it may be.
UNREADABLE = "it cannot be read"
_DAMAGED = "the picture is cut off or damaged; copy or download it again"
_CUT_OFF = "the {} is cut off before its end; copy or download it again"
_NO_HEIC = "this HEIC photo is cut off, damaged or of a kind that is not read; convert it to JPEG"


@dataclass(frozen=True)
class Normalised:
    """A decoded picture, ready to be kept: RGB, upright, the longer side at most `LONGER_SIDE_PX`.

    `width` and `height` are the original's in pixels, upright; `notes` says what was changed; `original` is the sha256
    of the file; `taken_at` the camera's date in seconds since 1970; `encoding` how the file, a JPEG, had encoded just
    these pixels. `bare` are the bytes of a JPEG that can be kept as it is, without those that make no pixels; of such a
    one `image` may be half as large, which is enough to measure it and for its thumbnail. `grey_range` is what more
    than 8 bits were scaled by, None where there were none or the picture's own range was taken; `orientation`, 1 to 8
    as in EXIF, how the picture lay before it was turned upright.
    """

    image: Image.Image
    width: int
    height: int
    notes: list[str]
    original: str
    taken_at: float | None
    encoding: Encoding | None
    bare: bytes | None
    grey_range: int | None
    orientation: int = 1


def normalise(
    path: Path, grey_range: int | None = WIDEST, tell_size: Callable[[int, int, str], None] = lambda *size: None
) -> Normalised:
    """Decode the file at `path` whole and bring it to the one form that is kept, by the rule at the top of this module.

    The caps on bytes, pixels, sides and text are applied before the pixels are decoded. `tell_size` is told how
    many bytes the file has when these are read, then with its pixels and format before these are decoded. Raises
    ImageRejected with the reason in plain words, and RangeUnknown where `grey_range` is None and it takes one to
    decode the picture.
    """
    try:
        with _opened(path) as file:
            # Read once, so that what is hashed is what is decoded.
            content = file.read(min(os.fstat(file.fileno()).st_size, MAX_FILE_BYTES))
        tell_size(len(content), 0, "")
        opened = _Opened(hashlib.sha256(content).hexdigest(), grey_range, functools.partial(tell_size, len(content)))
        return _decode(content, opened)
    except MemoryError as problem:
        raise ImageRejected("it needs more memory to decode than is allowed; save it smaller") from problem


def digest(path: Path) -> str:
    """Return the sha256 of a file's bytes, as 64 hexadecimal digits.

    Raises ImageRejected for what is no plain file, is too large or cannot be read, as `normalise` does.
    """
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def explain_no_picture(path: Path) -> str:
    """Return what the file at `path` is where `normalise` would refuse it by its first bytes, else "".

    For who sets a file aside for its place: that is no reason for what is no picture wherever it lies.
    """
    try:
        with _opened(path) as file:
            head = file.read(HEAD_BYTES)
    except ImageRejected as problem:
        return str(problem)
    return "" if _is_announced(head) else describe(head)


def fit(width: int, height: int, longer_side: int) -> tuple[int, int]:
    """Return the size in pixels, at least 1 x 1, that brings the longer side to `longer_side` or leaves it below."""
    scale = min(1.0, longer_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    try:
        # Asked before opening: to open a pipe is to wait for its other end.
        _require_plain_file(path)
        with path.open("rb") as file:
            yield file
    except OSError as problem:
        raise ImageRejected(f"{UNREADABLE}: {problem.strerror or problem}") from problem


def _require_plain_file(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ImageRejected("it is not a plain file (a folder, a pipe, a device or a socket)")
    if status.st_size > MAX_FILE_BYTES:
        raise ImageRejected(
            f"the file has {status.st_size / 1e6:,.0f} MB; the limit is {MAX_FILE_BYTES / 1e6:,.0f} MB. Save it smaller"
        )


@dataclass
class _Opened:
    """What is known of a file beside its bytes: their hash, the range of deep pictures, and the notes so far."""

    original: str
    grey_range: int | None
    tell_pixels: Callable[[int, str], None]
    notes: list[str] = field(default_factory=list)


class _Bytes(io.BytesIO):
    """A file's bytes, which remember whether a reader wanted more when there were none."""

    ran_out = False

    def read(self, size: int | None = -1, /) -> bytes:
        got = super().read(size)
        self.ran_out |= not got and size is not None and size > 0
        return got


def _decode(content: bytes, opened: _Opened) -> Normalised:
    """Decode what a file holds, of a camera raw its preview."""
    if is_camera_raw(content):
        content = extract_preview(content)
        opened.notes.append("camera raw: its embedded preview")
    return _decode_picture(content, opened)


def _decode_picture(content: bytes, opened: _Opened) -> Normalised:
    head = content[:HEAD_BYTES]
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        check_chunks(io.BytesIO(content))
    source = _Bytes(content)
    try:
        with Image.open(source, formats=choose_formats(head)) as image:
            _check_size(*image.size)
            opened.tell_pixels(image.width * image.height, image.format or "")
            if image.format == "JPEG" and not has_end(content):
                # Pillow takes what fills a cut one up, as zeros do, for its pixels.
                content = _require_whole(content)
                opened.notes.append("its end mark was missing")
                return _decode_picture(content, opened)
            return _normalise_opened(image, source, opened)
    except UnidentifiedImageError as problem:
        raise ImageRejected(_NO_HEIC if is_heic(head) else describe(head)) from problem
    except Image.DecompressionBombError as problem:
        raise ImageRejected(_too_many_pixels("far more")) from problem
    except PARSER_ERRORS as problem:
        raise ImageRejected(_DAMAGED if _is_announced(head) else describe(head)) from problem


def _is_announced(head: bytes) -> bool:
    """Say whether a file's first bytes are those of a picture that is read, or of a camera raw."""
    return bool(image_kind(head)) or is_heic(head) or is_camera_raw(head)


def _require_whole(content: bytes) -> bytes:
    ended = supply_end(content)
    if ended is None:
        raise ImageRejected(_CUT_OFF.format("JPEG"))
    return ended


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


def _normalise_opened(image: ImageFile.ImageFile, source: _Bytes, opened: _Opened) -> Normalised:
    width, height = image.size
    content = source.getvalue()
    bare, layout, notes = _find_bare(image, content), find_layout(image), list(opened.notes)
    # JPEG can be decoded at a half, a quarter or an eighth, which is what makes camera photos quick.
    image.draft(None, fit(width, height, MEASURED_SIDE_PX if bare else LONGER_SIDE_PX))
    _load(image, source)
    if image.format in ("TIFF", "HEIF"):
        # Pillow turns a TIFF upright while loading it; a HEIC file may turn out to have another size.
        width, height = image.size
        _check_size(width, height)
    notes += _frame_notes(image)
    turn, taken_at = find_turn(image), find_date(image)
    eight_bits, grey_range = _to_eight_bits(image, layout, content, opened.grey_range, notes)
    upright = _lay_and_shrink(eight_bits, layout, content, notes)
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
    measured = upright, width, height, notes, opened.original, taken_at, encoding, bare, grey_range
    return Normalised(*measured, orientation_of(turn))


def _find_bare(image: ImageFile.ImageFile, content: bytes) -> bytes | None:
    """Return what can be kept of a JPEG's own bytes, or None where its pixels must be encoded anew."""
    as_it_is = LOSSLESS_SIDE_PX < max(image.size) <= LONGER_SIDE_PX and find_turn(image) is None
    return strip(content) if as_it_is and find_encoding(image) is not None else None


def _load(image: ImageFile.ImageFile, source: _Bytes) -> None:
    source.ran_out = False
    try:
        image.load()
    except OSError as problem:
        # Pillow has one class for a file that ends too early and for one that is damaged.
        if source.ran_out:
            raise ImageRejected(_CUT_OFF.format(image.format)) from problem
        raise


def _frame_notes(image: ImageFile.ImageFile) -> list[str]:
    frames = getattr(image, "n_frames", 1)
    which = "main picture" if image.format == "HEIF" else "first frame"
    return [f"{which} of {frames}"] if frames > 1 else []


def _to_eight_bits(
    image: Image.Image, layout: str, content: bytes, grey_range: int | None, notes: list[str]
) -> tuple[Image.Image, int | None]:
    """Return `image` as L, RGB or RGBA, and the range that more than 8 bits were scaled by.

    A JPEG's own object is returned where it is one of these, since to copy it is a third of decoding it.
    """
    mode = image.mode
    if mode == "RGB" and image.format == "JPEG":
        return image, None
    if mode.startswith("I;16") or mode in ("I", "F"):
        return scale_grey(image, layout, grey_range, notes)
    if has_deep_colours(layout) and mode in ("RGB", "RGBA"):
        return scale_colours(image, layout, content, grey_range, notes)
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return image.convert("RGBA"), None
    if mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        notes.append(f"converted from {mode}")
        return image.convert("RGB"), None
    if mode == "P":
        return image.convert("RGB"), None
    return image.convert("L") if mode in ("1", "L") else image.convert("RGB"), None


def _lay_and_shrink(image: Image.Image, layout: str, content: bytes, notes: list[str]) -> Image.Image:
    """Return `image` as RGB without alpha, at most `LONGER_SIDE_PX` on its longer side."""
    if image.mode != "RGBA":
        shrunk = _shrink(image)
        return shrunk if shrunk.mode == "RGB" else shrunk.convert("RGB")
    ground = find_ground(image)
    if words := describe_ground(image, ground):
        notes.append(words)
    if ground is not None:
        return lay_on(_shrink(image), ground)
    if layout.startswith("RGBa") and image.getchannel("A").getextrema() == (0, 0):
        # Colours that count as multiplied by an alpha of 0 were lost in the reading.
        return _shrink(reopen(content, layout.replace("RGBa", "RGBX"), "RGB"))
    return _shrink(image.convert("RGB"))


def _shrink(image: Image.Image) -> Image.Image:
    size = fit(*image.size, LONGER_SIDE_PX)
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
