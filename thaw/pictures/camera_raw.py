"""Camera raws: told by what is in them, and read as the JPEG that the camera put beside its sensor's data.

Sensor data are not developed here: that would take another library (LibRaw) and would give colours and tones other than
the camera's own. Nearly every camera adds the picture that its screen shows, larger than the copies that are kept.
"""

import io
import re
import struct
from collections.abc import Iterator
from itertools import islice

from PIL import Image
from PIL.ExifTags import IFD, Base

from thaw.pictures.exif import DATE_TAGS, PARSER_ERRORS, is_sideways
from tlcore.errors import ImageRejected

SMALLEST_PREVIEW_PX = 640
"""No copy that is kept of any photo is longer, so that such a preview loses nothing."""

# By marks of their own: Olympus, Panasonic, Fujifilm, Sigma, Minolta and both of Canon's.
_MARKED = re.compile(rb"IIR[OS]|MMOR|IIU\x00|FUJIFILMCCD-RAW|FOVb|\x00MRM|II\*\x00.{4}CR\x02|.{4}ftypcrx ", re.DOTALL)
_TIFF = re.compile(rb"II\*\x00|MM\x00\*")
_LIKE_TIFF = re.compile(rb"II|MM")
_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 256, 257, 259, 262, 330, 50706
# What an array of colour filters has seen (TIFF/EP), and what was computed of that (DNG).
_SENSOR = {32803, 34892}
_MOST_IFDS, _MOST_ENTRIES, _MOST_VALUES, _MOST_JPEGS, _MOST_SEGMENTS = 24, 500, 24, 2000, 64
_VALUES = {1: "B", 3: "H", 4: "L", 13: "L"}
# Other frames are lossless, as sensor data are, or of a kind that no preview is of.
_PREVIEW_FRAMES = {0xC0, 0xC1, 0xC2}
_ASIDE = {*range(0xE0, 0xF0), 0xFE, 0xDB, 0xC4, 0xDD}
# A preview comes once or twice; what comes oftener in one size are the tiles of something larger.
_MOST_OF_ONE_SIZE = 2

Ifd = dict[int, tuple[int, ...]]


def is_camera_raw(content: bytes) -> bool:
    """Say whether a file holds sensor data: by its mark or, in a TIFF, by one of its directories."""
    if _MARKED.match(content):
        return True
    return bool(_TIFF.match(content)) and any(_DNG_VERSION in ifd or _is_sensor(ifd) for ifd in _ifds(content))


def extract_preview(content: bytes) -> bytes:
    """Return a camera raw from its largest JPEG on, with the raw's orientation and date where the JPEG tells none.

    Raises ImageRejected where that is under `SMALLEST_PREVIEW_PX` on its longer side, or there is none.
    """
    starts = ((start, _jpeg_size(content, start)) for start in _starts(content))
    found = [(*size, start) for start, size in starts if size]
    sizes = [(width, height) for width, height, _ in found]
    whole = [each for each in found if sizes.count(each[:2]) <= _MOST_OF_ONE_SIZE]
    width, height, start = max(whole, key=lambda each: each[0] * each[1], default=(0, 0, 0))
    if max(width, height) < SMALLEST_PREVIEW_PX:
        raise ImageRejected(_describe(content, width, height))
    return _add_camera_data(content, content[start:], is_tall=height > width)


def _describe(content: bytes, width: int, height: int) -> str:
    """Say that a raw is of no use, and which picture is all that can be read of it."""
    plain = [(ifd[_WIDTH][0], ifd[_HEIGHT][0]) for ifd in _ifds(content) if _is_plain(ifd)]
    width, height = max([(width, height), *plain])
    if not width:
        return "it is a camera raw without a picture that can be read; export it as JPEG"
    return f"it is a camera raw whose only readable picture is a {width} x {height} thumbnail; export it as JPEG"


def _is_sensor(ifd: Ifd) -> bool:
    return not _SENSOR.isdisjoint(ifd.get(_PHOTOMETRIC, ()))


def _is_plain(ifd: Ifd) -> bool:
    return bool(ifd.get(_WIDTH) and ifd.get(_HEIGHT)) and not _is_sensor(ifd) and ifd.get(_COMPRESSION, (1,))[0] == 1


def _starts(content: bytes) -> Iterator[int]:
    return islice((found.start() for found in re.finditer(rb"\xff\xd8\xff", content)), _MOST_JPEGS)


def _jpeg_size(content: bytes, start: int) -> tuple[int, int] | None:
    """Return width and height of a JPEG of 8 bits that begins at `start`; None for anything else."""
    place = start + 2
    for _ in range(_MOST_SEGMENTS):
        head = content[place : place + 9]
        if len(head) < 9 or head[0] != 0xFF:
            return None
        if head[1] in _PREVIEW_FRAMES and head[4] == 8:
            return int.from_bytes(head[7:9]), int.from_bytes(head[5:7])
        if head[1] not in _ASIDE:
            return None
        place += 2 + int.from_bytes(head[2:4])
    return None


def _add_camera_data(content: bytes, jpeg: bytes, is_tall: bool) -> bytes:
    """Return a raw's JPEG with EXIF of the raw's orientation and dates, unless it has its own."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG", "MPO")) as preview:
            if Base.Orientation in preview.getexif():
                return jpeg
        told, written = Image.Exif(), Image.Exif()
        told.load(b"Exif\0\0" + _tiff_part(content))
        camera = told.get_ifd(IFD.Exif)
        for tag in DATE_TAGS:
            if (value := told.get(tag) or camera.get(tag)) is not None:
                written[tag] = value
                written.get_ifd(IFD.Exif)[tag] = value
        turn = told.get(Base.Orientation, 1)
        # Sensors lie: what is tall already was turned by the camera.
        if not (is_tall and is_sideways(turn)):
            written[Base.Orientation] = turn
        told_bytes = written.tobytes()
    except PARSER_ERRORS:
        # Spoilt camera data says nothing against the pixels.
        return jpeg
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(told_bytes)) + told_bytes + jpeg[2:]


def _tiff_part(content: bytes) -> bytes:
    """Return where a raw keeps its directories, with the mark that a TIFF has."""
    if _LIKE_TIFF.match(content):
        return content[:2] + (b"*\0" if content.startswith(b"II") else b"\0*") + content[4:]
    # Canon's newer ones keep them in a box of this name.
    _, _, box = content[:1_000_000].partition(b"CMT1")
    return box


def _ifds(content: bytes) -> Iterator[Ifd]:
    """Yield the directories of a TIFF, those below others too: tag -> its first values, if these are whole numbers."""
    if not _LIKE_TIFF.match(content) or len(content) < 8:
        return
    order = "<" if content.startswith(b"II") else ">"
    waiting = [*struct.unpack_from(f"{order}L", content, 4)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_IFDS:
        place = waiting.pop(0)
        if place in seen or not 8 <= place <= len(content) - 2:
            continue
        seen.add(place)
        (count,) = struct.unpack_from(f"{order}H", content, place)
        entries = range(place + 2, place + 2 + 12 * min(count, _MOST_ENTRIES), 12)
        ifd = dict(_entry(content, order, at) for at in entries if at + 12 <= len(content))
        yield ifd
        after = place + 2 + 12 * count
        if after + 4 <= len(content):
            waiting.extend(struct.unpack_from(f"{order}L", content, after))
        waiting.extend(ifd.get(_SUB_IFDS, ()))


def _entry(content: bytes, order: str, at: int) -> tuple[int, tuple[int, ...]]:
    tag, kind, count = struct.unpack_from(f"{order}HHL", content, at)
    if kind not in _VALUES:
        return tag, ()
    values = f"{order}{min(count, _MOST_VALUES)}{_VALUES[kind]}"
    inside = struct.calcsize(f"{order}{count}{_VALUES[kind]}") <= 4 if count <= 4 else False
    place = at + 8 if inside else struct.unpack_from(f"{order}L", content, at + 8)[0]
    fits = place + struct.calcsize(values) <= len(content)
    return tag, struct.unpack_from(values, content, place) if fits else ()
