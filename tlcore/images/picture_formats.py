"""The formats that are read, each by one plugin of Pillow's and HEIC by a package of its own, and what Pillow lets pass
in a PNG and Thaw does not: wrong checksums, a missing end, endless texts."""

import functools
import struct
import zlib
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from tlcore.errors import ImageRejected
from tlcore.images.signatures import describe, is_heic

MAX_TEXT_BYTES = 1_000_000
# Named by their plugins, so that these alone are loaded: Pillow would load all it has, slowly, to look for one.
# MPO (two pictures in one file, as some cameras write) comes with JPEG; PPM is PBM, PGM and PFM too.
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
        PpmImagePlugin.PpmImageFile,
    )
)


def choose_formats(head: bytes) -> tuple[str, ...]:
    """Return the formats that Pillow is to try for a file that begins with `head`.

    Raises ImageRejected for HEIC where what reads it is not installed.
    """
    if not is_heic(head):
        return FORMATS
    if not can_read_heic():
        raise ImageRejected(describe(head))
    return ("HEIF",)


@functools.cache
def can_read_heic() -> bool:
    """Load what reads HEIC, if it is installed: at the first such file, so that only a decoding child ever holds it."""
    try:
        import pi_heif
    except ImportError:
        return False
    # Several children decode at a time, so that each needs one thread.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True


def check_chunks(file: BinaryIO) -> None:
    """Walk the chunks of a PNG to its end, reading every byte once and decoding none.

    Pillow checks neither the checksums of the pixel data nor that there is an end while it decodes. Its `verify` does,
    in 1.2 of the time, but for the last four bytes, and knows no limit for a plain text. Raises ImageRejected where
    the file is cut, damaged or carries a text above `MAX_TEXT_BYTES`.
    """
    file.seek(8)
    while True:
        header = file.read(8)
        if len(header) < 8:
            raise ImageRejected("the PNG is cut off before its end; copy or download it again")
        length, kind = struct.unpack(">I4s", header)
        if kind in (b"tEXt", b"zTXt", b"iTXt") and length > MAX_TEXT_BYTES:
            raise ImageRejected(
                f"the PNG carries a text of {length / 1e6:,.1f} MB; the limit is {MAX_TEXT_BYTES / 1e6:g} MB. "
                "Save it again without its metadata"
            )
        body = file.read(length + 4)
        if len(body) < length + 4:
            raise ImageRejected("the PNG is cut off before its end; copy or download it again")
        if zlib.crc32(memoryview(body)[:length], zlib.crc32(kind)) != int.from_bytes(body[length:]):
            raise ImageRejected("the PNG is damaged (a checksum is wrong); copy or download it again")
        if kind == b"IEND":
            return
