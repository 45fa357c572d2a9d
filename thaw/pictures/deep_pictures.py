"""Pictures of more than 8 bits a channel, and the range from which all of one data set are brought to 0..255.

Microscopes, X-ray and industrial cameras write 10, 12 or 14 bits into 16: scaled from 0..65535 they come out nearly
black, and scaled each by its own values they lose how bright they were beside each other. So a data set has one range,
the smallest of `GREY_RANGES` that holds every value of its first import with such pictures.
"""

import io
import math
import sys

from PIL import Image, ImageFile

from tlcore.errors import ImageRejected
from tlcore.images.pixels import WIDEST, choose_range, require_range, stretch

# The other byte order of two bytes; "N" is this machine's own.
_OTHER = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
_COLOURS = ("RGB", "RGBX", "RGBA", "LA")


def find_layout(image: ImageFile.ImageFile) -> str:
    """Return how the samples of an opened, not yet loaded picture lie in its file: Pillow's raw mode, like "RGB;16B".

    It is "declared" for HEIC, and for a PGM whose header tells the largest value: these are scaled to 0..65535 already.
    """
    if image.format == "HEIF":
        return "declared"
    if not image.tile:
        return ""
    codec, arguments = image.tile[0].codec_name, image.tile[0].args or ""
    if codec.startswith("ppm"):
        return "" if arguments[-1] == WIDEST else "declared"
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def has_deep_colours(layout: str) -> bool:
    """Say whether colours have 16 bits each; of these Pillow keeps the upper byte alone."""
    name, _, depth = layout.partition(";")
    return name in _COLOURS and depth in _OTHER


def scale_grey(
    image: Image.Image, layout: str, grey_range: int | None, notes: list[str]
) -> tuple[Image.Image, int | None]:
    """Bring deep greys to 0..255 (mode L); return them with the range that was used, None for the picture's own.

    Floating-point and signed greys, and those beyond 16 bits, are scaled from their own least to their greatest value:
    they come in any unit, and of a range for all one stray value would decide. Some files declare their range.
    Raises RangeUnknown where `grey_range` is None and the values leave open which it is; ImageRejected for greys that
    are not numbers.
    """
    deep = image.convert("F")
    low, high = deep.getextrema()
    if not (isinstance(low, float) and isinstance(high, float) and math.isfinite(low) and math.isfinite(high)):
        raise ImageRejected("its grey values are not numbers (infinite or undefined); export it as an 8-bit PNG")
    if image.mode == "F" or low < 0 or high > WIDEST:
        notes.append("scaled from more than 8 bits by its own range")
        return stretch(deep, low, high), None
    if layout == "declared":
        notes.append("scaled from more than 8 bits by the range that it declares")
        return stretch(deep, 0, WIDEST), None
    used = _decide_range(grey_range, int(high), notes)
    return stretch(deep, 0, used), used


def scale_colours(
    upper: Image.Image, layout: str, content: bytes, grey_range: int | None, notes: list[str]
) -> tuple[Image.Image, int]:
    """Bring 16-bit colours, of which `upper` holds the upper bytes, to 0..255; return them with the range used.

    `layout` is what `find_layout` told of the file with these bytes. Alpha keeps its upper byte. Raises RangeUnknown as
    `scale_grey` does: every range ends with a whole upper byte, so that these alone tell which one it is.
    """
    colours = [upper.getchannel(name) for name in "RGB"]
    brightest = max(_largest(channel) for channel in colours)
    used = _decide_range(grey_range, brightest * 256 + 255, notes)
    if used == WIDEST:
        return upper, used
    lower = _lower_bytes(upper, layout, content)
    joined = [_join(high, lower.getchannel(name)) for name, high in zip("RGB", colours, strict=True)]
    scaled = [stretch(channel.convert("F"), 0, used) for channel in joined]
    alpha = [upper.getchannel("A")] if upper.mode == "RGBA" else []
    return Image.merge(upper.mode, (*scaled, *alpha)), used


def reopen(content: bytes, layout: str, mode: str) -> Image.Image:
    """Decode a PNG or TIFF once more as `mode`, its samples read by another layout of as many bits."""
    image = Image.open(io.BytesIO(content), formats=("PNG", "TIFF"))
    image._mode = mode
    image.tile = [tile._replace(args=_with_layout(tile.args, layout)) for tile in image.tile]
    image.load()
    return image


def _decide_range(grey_range: int | None, largest: int, notes: list[str]) -> int:
    used = require_range(grey_range, largest)
    notes.append(f"scaled from more than 8 bits (0 to {used:,})")
    if choose_range(largest) > used:
        notes.append(f"values above {used:,} were clipped")
    return used


def _lower_bytes(upper: Image.Image, layout: str, content: bytes) -> Image.Image:
    """Return the lower bytes of 16-bit colours: what would be the upper ones in the other byte order."""
    name, _, depth = layout.partition(";")
    if name == "LA":
        # Grey and alpha of two bytes each are as long as four colours of one.
        _, grey, _, alpha = reopen(content, "RGBA", "RGBA").split()
        return Image.merge("RGBA", (grey, grey, grey, alpha))
    return reopen(content, f"{name};{_OTHER[depth]}", upper.mode)


def _join(upper: Image.Image, lower: Image.Image) -> Image.Image:
    return Image.frombytes("I;16", upper.size, Image.merge("LA", (lower, upper)).tobytes())


def _largest(channel: Image.Image) -> int:
    _, largest = channel.getextrema()
    assert isinstance(largest, int)
    return largest


def _with_layout(arguments: str | tuple[object, ...] | None, layout: str) -> str | tuple[object, ...]:
    return (layout, *arguments[1:]) if isinstance(arguments, tuple) else layout
