"""How a JPEG was encoded, so that its copy can be encoded the same way and loses next to nothing."""

from dataclasses import dataclass

from PIL import Image, JpegImagePlugin

_TABLE_VALUES = 64
_SUBSAMPLINGS = (0, 1, 2)
"""4:4:4, 4:2:2 and 4:2:0, as Pillow numbers them."""


@dataclass(frozen=True)
class Encoding:
    """Quantisation tables by number (0 for brightness, 1 for colour) and the chroma subsampling, 0 to 2."""

    tables: dict[int, list[int]]
    subsampling: int


def find_encoding(image: Image.Image) -> Encoding | None:
    """Return how an opened JPEG was encoded; None where it is none, or was encoded in an uncommon way.

    Pixels that were rounded by a table are hardly changed by rounding them with that table again; any other table,
    be it a finer one, moves them more and may take twice the bytes.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode != "RGB":
        return None
    numbers = [component[3] for component in image.layer]
    subsampling = JpegImagePlugin.get_sampling(image)
    tables = {number: list(image.quantization.get(number, ())) for number in sorted(set(numbers))}
    common = numbers in ([0, 0, 0], [0, 1, 1]) and subsampling in _SUBSAMPLINGS
    return Encoding(tables, subsampling) if common and all(map(_is_sane, tables.values())) else None


def _is_sane(table: list[int]) -> bool:
    return len(table) == _TABLE_VALUES and all(1 <= value <= 255 for value in table)
