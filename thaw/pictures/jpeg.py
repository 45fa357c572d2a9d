"""How a JPEG is built, so that its copy can be its own pixels without a loss, or next to none, and nothing beside."""

import re
from dataclasses import dataclass

from PIL import Image, JpegImagePlugin

_TABLE_VALUES = 64
_SUBSAMPLINGS = (0, 1, 2)
"""4:4:4, 4:2:2 and 4:2:0, as Pillow numbers them."""

_END, _SCAN = b"\xff\xd9", 0xDA
_FRAME, _TABLES = 0xC0, {0xDB, 0xC4, 0xDD}
_ASIDE = {*range(0xE0, 0xF0), 0xFE}
_COLOURS = 3
# In the data of a scan 0xFF is followed by a zero or is a restart mark; what else follows it ends the scan.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"


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


def strip(content: bytes) -> bytes | None:
    """Return the bytes of a JPEG that make its pixels and no other; None where it is not of the plainest kind.

    That kind is one baseline frame in three colours and one scan (ITU-T T.81, annex B) and nothing behind its end. The
    colour space is told by the JFIF or Adobe mark, which is written anew; comments and metadata are left out.
    """
    parts = [content[:2]]
    place = 2
    while True:
        mark, kind, length = content[place : place + 1], *_segment(content, place)
        if mark != b"\xff" or length < 2:
            return None
        segment = content[place : place + 2 + length]
        place += 2 + length
        if kind == _SCAN:
            break
        if kind in _ASIDE:
            parts.append(_colour_mark(segment))
        elif kind in _TABLES or (kind == _FRAME and segment[9:10] == bytes([_COLOURS])):
            parts.append(segment)
        else:
            return None
    end = _SCAN_END.search(content, place)
    if segment[4:5] != bytes([_COLOURS]) or end is None or content[end.start() :] != _END:
        return None
    return b"".join((*parts, segment, memoryview(content)[place:]))


def _segment(content: bytes, place: int) -> tuple[int, int]:
    """Return the kind of the segment at `place` and its length, 0 where the content has ended."""
    head = content[place + 1 : place + 4]
    return (head[0], int.from_bytes(head[1:])) if len(head) == 3 else (0, 0)


def _colour_mark(segment: bytes) -> bytes:
    """Return what a decoder needs of a segment that is set aside: which colours the three are, if it tells."""
    if segment[1] == 0xE0 and segment[4:9] == b"JFIF\0":
        return _JFIF
    if segment[1] == 0xEE and segment[4:9] == b"Adobe" and len(segment) >= 16:
        return _ADOBE + segment[15:16]
    return b""


def _is_sane(table: list[int]) -> bool:
    return len(table) == _TABLE_VALUES and all(1 <= value <= 255 for value in table)
