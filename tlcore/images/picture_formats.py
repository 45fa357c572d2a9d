"""The formats that are read, each by one plugin of Pillow's, and HEIC by a package of its own."""

import functools

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
