"""What a camera wrote beside the pixels: which way is up, and when the photo was taken."""

import struct
import time
import zlib
from datetime import UTC, datetime, timedelta, timezone

from PIL import Image
from PIL.ExifTags import IFD, Base

# Pillow's parsers answer hostile bytes with any of these.
PARSER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8])
"""The turns that exchange width and height."""
_DATES = ((Base.DateTimeOriginal, Base.OffsetTimeOriginal), (Base.DateTimeDigitized, Base.OffsetTimeDigitized))
"""Where a camera writes when the photo was taken, each with the tag of its offset from UTC (EXIF 2.31)."""
DATE_TAGS = (*(tag for pair in _DATES for tag in pair), Base.DateTime, Base.OffsetTime)
_CLOCK_SLACK_S = 2 * 86400


def find_turn(image: Image.Image) -> Image.Transpose | None:
    """Return how the picture must be turned to stand upright; None where it does already or nobody knows.

    Pillow's `exif_transpose` does not tell which turn it made, and takes three times as long as the turn itself.
    """
    try:
        return _TURNS.get(int(image.getexif().get(Base.Orientation, 1)))
    except PARSER_ERRORS:
        # Spoilt camera data is common and says nothing against the pixels.
        return None


def orientation_of(turn: Image.Transpose | None) -> int:
    """Return the EXIF orientation, 1 to 8, of pictures that must be turned so."""
    return next((number for number, each in _TURNS.items() if each == turn), 1)


def is_sideways(orientation: object) -> bool:
    """Say whether an EXIF orientation exchanges width and height."""
    return orientation in range(5, 9)


def find_date(image: Image.Image) -> float | None:
    """Return when the photo was taken, in seconds since 1970; None where that is not said or cannot be.

    The first that makes sense of DateTimeOriginal, DateTimeDigitized and DateTime, read as UTC where it has no offset:
    most cameras do not know theirs. It must lie between 1970 and two days from now.
    """
    try:
        exif = image.getexif()
        if not exif:
            return None
        camera = exif.get_ifd(IFD.Exif)
        written = [(camera.get(date), camera.get(offset)) for date, offset in _DATES]
        written.append((exif.get(Base.DateTime), camera.get(Base.OffsetTime)))
    except PARSER_ERRORS:
        return None
    return next((seconds for date, offset in written if (seconds := _seconds(date, offset)) is not None), None)


def _seconds(date: object, offset: object) -> float | None:
    if not isinstance(date, str):
        return None
    try:
        moment = datetime.strptime(date.strip("\0 "), "%Y:%m:%d %H:%M:%S")
        seconds = moment.replace(tzinfo=_zone(offset)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= time.time() + _CLOCK_SLACK_S else None


def _zone(offset: object) -> timezone:
    """Read an offset such as "+02:00"; UTC where there is none or it makes no sense."""
    try:
        zone = datetime.strptime(str(offset).strip("\0 "), "%z").tzinfo
    except ValueError:
        return UTC
    difference = zone.utcoffset(None) if zone else None
    return timezone(difference) if isinstance(difference, timedelta) else UTC
