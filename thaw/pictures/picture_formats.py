"""The formats that are read, each by one plugin of Pillow's and HEIC by a package of its own, and what Pillow lets pass
in a PNG and Thaw does not: wrong checksums, a missing end, endless texts."""

import re
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
from tlcore.images.pixels import can_read_heic

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


HEAD_BYTES = 1024

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "this is a PDF document, not a picture; export its pages as PNG or JPEG"),
    (b"%!PS", "this is a PostScript (EPS) drawing, which is a program; export it as PNG"),
    (b"\xc5\xd0\xd3\xc6", "this is a PostScript (EPS) drawing, which is a program; export it as PNG"),
    (b"8BPS", "this is a Photoshop file (PSD); export it as PNG or JPEG"),
    (b"SIMPLE  =", "this is a FITS data file; export it as PNG or TIFF"),
    (b"\x93NUMPY", "this is a NumPy data file (.npy), not a picture"),
    (b"\x89HDF\r\n", "this is an HDF5 data file, not a picture"),
    (b"PK\x03\x04", "this is a zip archive or an Office document, not a picture; unpack it first"),
    (b"Rar!", "this is a RAR archive, not a picture; unpack it first"),
    (b"7z\xbc\xaf", "this is a 7-Zip archive, not a picture; unpack it first"),
    (b"\x1f\x8b", "this is a gzip archive, not a picture; unpack it first"),
    (b"\x00\x00\x00\x0cJXL ", "this is a JPEG XL picture, which is not read yet; convert it to JPEG or PNG"),
    (b"\xff\x0a", "this is a JPEG XL picture, which is not read yet; convert it to JPEG or PNG"),
    (b"\x00\x00\x00\x0cjP  ", "this is a JPEG 2000 picture, which is not read; convert it to JPEG or PNG"),
    (b"\x00\x00\x01\x00", "this is an icon (ICO), not a photo; convert it to PNG"),
    (b"\x7fELF", "this is a program, not a picture"),
    (b"MZ", "this is a program, not a picture"),
    (b"#!", "this is a script, not a picture"),
)
_IMAGES: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\xff\xd8"), "JPEG"),
    (re.compile(rb"\x89PNG"), "PNG"),
    (re.compile(rb"GIF8"), "GIF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebP"),
    (re.compile(rb"II\*\x00|MM\x00\*"), "TIFF"),
    # Numbers follow, of which some bytes are 0, and in a PPM digits: not so in words that begin like one.
    (re.compile(rb"BM.{0,11}\x00", re.DOTALL), "BMP"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "AVIF"),
    (re.compile(rb"P[1-6Ff]\s+(#[^\n]*\n\s*)*\d"), "PPM"),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_TEXT = "this is a text file, not a picture"
# What no text holds, and of which every file of another kind has some in its first bytes.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
LEAST_ASCII = 0.7
_HTML = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|script|meta|title)\b", re.IGNORECASE | re.DOTALL
)
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")


def image_kind(head: bytes) -> str | None:
    """Name the accepted format that a file's first bytes announce, or None."""
    return next((kind for pattern, kind in _IMAGES if pattern.match(head)), None)


def is_heic(head: bytes) -> bool:
    """Say whether a file's first bytes announce a HEIC photo, or another picture in a HEIF container but AVIF."""
    if head[4:8] != b"ftyp" or head[8:12] not in _HEIC_BRANDS:
        return False
    end = min(int.from_bytes(head[:4]), len(head))
    return _AVIF_BRANDS.isdisjoint(head[place : place + 4] for place in range(16, end, 4))


def describe(head: bytes) -> str:
    """Say in plain words what a file that is no accepted image seems to be, from its first `HEAD_BYTES` bytes."""
    if not head:
        return "this is an empty file (0 bytes)"
    for start, words in _STARTS:
        if head.startswith(start):
            return words
    if kind := image_kind(head):
        return f"this starts like a {kind} picture but is cut off or damaged; copy or download it again"
    if head[4:8] == b"ftyp":
        return _describe_container(head[8:12])
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _SVG.search(text):
        return "this is an SVG drawing, which is a program rather than a photo; export it as PNG"
    if _HTML.match(text):
        return "this is a web page, not a picture (HTML); download the picture itself"
    if _PICKLE.match(head):
        return "this is a Python data file (pickle), not a picture; it was not opened"
    if head[:4] == b"RIFF":
        return "this is a video or sound file, not a picture"
    if _is_text(head):
        return _TEXT
    return "this is not a picture in a format that is read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC, PPM)"


def _describe_container(brand: bytes) -> str:
    if brand in _HEIC_BRANDS:
        return (
            "this is a HEIC photo, which is not read; set the phone's camera to 'Most compatible' or convert it to JPEG"
        )
    return "this is a video, not a picture; export its frames as JPEG"


def _is_text(head: bytes) -> bool:
    """Say whether bytes are words: UTF-8, UTF-16 with its mark, or mostly ASCII in a code page of a byte a letter."""
    if codec := _UTF16.get(head[:2]):
        return all(letter.isprintable() or letter.isspace() for letter in head[2:].decode(codec, "ignore"))
    if _CONTROL.search(head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as problem:
        if problem.start > len(head) - 4 and len(head) == HEAD_BYTES:
            return True
        return sum(letter < 0x80 for letter in head) >= LEAST_ASCII * len(head)
    return True
