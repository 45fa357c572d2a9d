"""What a file is, told from its first bytes: the words for files that are not accepted as images."""

import re

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
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "AVIF"),
    (re.compile(rb"P[1-6f]\s"), "PPM"),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
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
        return "this is a text file, not a picture"
    return "this is not a picture in a format that is read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC, PPM)"


def _describe_container(brand: bytes) -> str:
    if brand in _HEIC_BRANDS:
        return (
            "this is a HEIC photo, which is not read; set the phone's camera to 'Most compatible' or convert it to JPEG"
        )
    return "this is a video, not a picture; export its frames as JPEG"


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as problem:
        # A character may straddle the end of what was read.
        return problem.start > len(head) - 4 and len(head) == HEAD_BYTES
    return True
