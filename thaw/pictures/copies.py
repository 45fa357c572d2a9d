"""The copies that are kept of an accepted picture: how they are encoded, hashed and put in place."""

import hashlib
import io
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from thaw.pictures.decode import Normalised, fit, normalise
from thaw.pictures.quality import measure
from tlcore.images.pixels import LOSSLESS_SIDE_PX, WIDEST, Picture, content_of

# Sharp on a screen of two dots a pixel, and as large as many a photo is decoded, which then need not be shrunk.
THUMBNAIL_SIDE_PX = 256


def read_picture(path: Path, copy: Path, grey_range: int | None = WIDEST) -> Picture:
    """Read a file as an import does: a `tlcore.images.pixels.Reader`, which `tlcore.read_photos` takes as `read`."""
    normalised = normalise(path, grey_range)
    suffix, content = save_normalised(normalised, copy)
    return Picture(
        copy.with_name(copy.name + suffix),
        content,
        normalised.width,
        normalised.height,
        measure(normalised.image).fingerprint,
        normalised.taken_at,
        normalised.grey_range,
    )


def save_normalised(normalised: Normalised, path_without_suffix: Path, spent: Path | None = None) -> tuple[str, str]:
    """Write the copy that is kept; return its suffix and the sha256 of what it shows.

    `spent` is the original where nobody needs it any more: it becomes the copy where its own bytes are kept.

    PNG where the longer side is at most `LOSSLESS_SIDE_PX`. Else JPEG: the original's own bytes where they make just
    these pixels, as the original was encoded where that was common, or at quality 95 without chroma subsampling. The
    hash does not depend on an encoder's version: of a JPEG whose own bytes are kept it is over these, which decide
    every pixel and are hashed in a tenth of the time; of any other picture over size and RGB bytes before encoding.
    """
    image, encoding = normalised.image, normalised.encoding
    suffix = ".jpg" if normalised.bare or max(image.size) > LOSSLESS_SIDE_PX else ".png"
    path = path_without_suffix.with_name(path_without_suffix.name + suffix)
    if suffix == ".png":
        # On photos two and a half times as fast as the default, for 1% more bytes.
        _place(image, path, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    elif normalised.bare is not None:
        _keep(normalised.bare, path, spent)
        return suffix, hashlib.sha256(normalised.bare).hexdigest()
    elif encoding is not None:
        _place(image, path, "JPEG", qtables=encoding.tables, subsampling=encoding.subsampling)
    else:
        _place(image, path, "JPEG", quality=95, subsampling=0)
    return suffix, content_of(image)


def save_thumbnail(normalised: Normalised, path: Path) -> None:
    """Write a JPEG whose longer side is at most `THUMBNAIL_SIDE_PX`."""
    image = normalised.image
    size = fit(*image.size, THUMBNAIL_SIDE_PX)
    if size != image.size:
        # Averaging whole pixels first takes a fraction of the time of a Lanczos filter and looks the same this small.
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
    _place(image, path, "JPEG", quality=85)


def _keep(content: bytes, path: Path, spent: Path | None) -> None:
    """Write `content` to `path`, over the file that is spent if there is one: that takes no memory that is not there.

    Where the system must fetch memory for a new file's pages, this took a twentieth of the time.
    """
    if spent is None or spent.stat().st_dev != path.parent.stat().st_dev:
        path.write_bytes(content)
        return
    with spent.open("rb+") as file:
        file.write(content)
        file.truncate()
    spent.replace(path)


def _place(image: Image.Image, path: Path, encoding: str, **options: Any) -> None:
    # In one write, and under its own name: the folder counts for nothing until the rows that name its files are there.
    buffer = io.BytesIO()
    image.save(buffer, encoding, **options)
    path.write_bytes(buffer.getbuffer())
