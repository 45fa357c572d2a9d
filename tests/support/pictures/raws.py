"""Small camera raws in the shapes that cameras write: directories, a thumbnail, a preview, and sensor data of noise."""

import struct

import numpy as np

from tests.support.pictures.corpus import encoded, photo

_SIZES = {2: 1, 3: 2, 4: 4, 7: 1}
Tag = tuple[int, int, list[int] | bytes]


class Tiff:
    """Puts a TIFF together: blocks of bytes, then directories that point to them."""

    def __init__(self, magic: bytes = b"II*\0") -> None:
        self.order = "<" if magic.startswith(b"I") else ">"
        self._content = bytearray(magic + b"\0\0\0\0")

    def add(self, block: bytes) -> int:
        """Append a block; return where it begins."""
        self._content += b"\0" * (len(self._content) % 2)
        place = len(self._content)
        self._content += block
        return place

    def directory(self, entries: list[Tag], following: int = 0) -> int:
        """Append a directory; return where it begins."""
        packed = b"".join(self._entry(*entry) for entry in sorted(entries, key=lambda entry: entry[0]))
        return self.add(struct.pack(f"{self.order}H", len(entries)) + packed + struct.pack(f"{self.order}L", following))

    def finish(self, first: int, tail: bytes = b"") -> bytes:
        self._content[4:8] = struct.pack(f"{self.order}L", first)
        return bytes(self._content) + tail

    def _entry(self, tag: int, kind: int, values: list[int] | bytes) -> bytes:
        letters = {3: "H", 4: "L"}
        raw = values if isinstance(values, bytes) else struct.pack(f"{self.order}{len(values)}{letters[kind]}", *values)
        inside = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(f"{self.order}L", self.add(raw))
        return struct.pack(f"{self.order}HHL", tag, kind, len(raw) // _SIZES[kind]) + inside


def preview(seed: int, width: int = 800, height: int = 600, **options: object) -> bytes:
    return encoded(photo(seed, width, height), "JPEG", quality=85, **options)


def sensor() -> bytes:
    return np.random.default_rng(0).integers(0, 4096, (60, 80), dtype=np.uint16).tobytes()


def thumbnail_entries(tiff: Tiff, seed: int) -> list[Tag]:
    """Describe an uncompressed thumbnail of 160 x 120, made by a camera, as the first directory of most raws is."""
    pixels = photo(seed, 160, 120).tobytes()
    return [
        (254, 4, [1]),
        (256, 4, [160]),
        (257, 4, [120]),
        (258, 3, [8, 8, 8]),
        (259, 3, [1]),
        (262, 3, [2]),
        (271, 2, b"MAKER\0"),
        (273, 4, [tiff.add(pixels)]),
        (277, 3, [3]),
        (278, 4, [120]),
        (279, 4, [len(pixels)]),
        (0x132, 2, b"2021:05:04 12:30:15\0"),
    ]


def sensor_entries(tiff: Tiff, photometric: int = 32803) -> list[Tag]:
    data = sensor()
    return [
        (254, 4, [0]),
        (256, 4, [1600]),
        (257, 4, [1200]),
        (258, 3, [16]),
        (259, 3, [34713]),
        (262, 3, [photometric]),
        (273, 4, [tiff.add(data)]),
        (277, 3, [1]),
        (279, 4, [len(data)]),
    ]


def nef(seed: int, jpeg: bytes | None, orientation: int = 1, magic: bytes = b"II*\0") -> bytes:
    """A raw whose preview is told by JPEGInterchangeFormat in a directory below the first (Nikon)."""
    tiff = Tiff(magic)
    below = [tiff.directory(sensor_entries(tiff))]
    if jpeg is not None:
        below.append(tiff.directory([(254, 4, [1]), (513, 4, [tiff.add(jpeg)]), (514, 4, [len(jpeg)])]))
    entries = [*thumbnail_entries(tiff, seed), (274, 3, [orientation]), (330, 4, below)]
    return tiff.finish(tiff.directory(entries))


def dng(seed: int, jpeg: bytes, tiles: int = 0) -> bytes:
    """A raw whose preview is a strip of compression 7; with tiles, the sensor's data are lossy JPEGs."""
    tiff = Tiff()
    tile = preview(seed + 1, 1024, 1024)
    places = [tiff.add(tile) for _ in range(tiles)]
    linear: list[Tag] = [(256, 4, [4096]), (257, 4, [3072]), (259, 3, [34892]), (262, 3, [34892])]
    raw = [*linear, (324, 4, places)] if tiles else sensor_entries(tiff)
    strip: list[Tag] = [
        (254, 4, [1]),
        (259, 3, [7]),
        (262, 3, [6]),
        (273, 4, [tiff.add(jpeg)]),
        (279, 4, [len(jpeg)]),
    ]
    below = [tiff.directory(raw), tiff.directory(strip)]
    return tiff.finish(tiff.directory([*thumbnail_entries(tiff, seed), (50706, 7, b"\1\4\0\0"), (330, 4, below)]))


def cr2(seed: int, jpeg: bytes) -> bytes:
    """Canon's: the first directory is the preview, and the sensor's data are a lossless JPEG."""
    tiff = Tiff()
    tiff.add(b"CR\x02\0\0\0\0\0")
    lossless = b"\xff\xd8\xff\xc4\0\x03\0\xff\xc3\0\x11\x0e\x0f\xa0\x17\x70\4" + sensor()
    place = tiff.add(lossless)
    raw = tiff.directory([(259, 3, [6]), (273, 4, [place]), (279, 4, [len(lossless)])])
    first: list[Tag] = [
        (256, 4, [800]),
        (257, 4, [600]),
        (258, 3, [8, 8, 8]),
        (259, 3, [6]),
        (271, 2, b"Canon\0"),
        (273, 4, [tiff.add(jpeg)]),
        (279, 4, [len(jpeg)]),
    ]
    return tiff.finish(tiff.directory(first, raw))


def pef(seed: int, jpeg: bytes) -> bytes:
    """Pentax's, and big-endian: sensor data first, the preview in a directory that follows."""
    tiff = Tiff(b"MM\0*")
    last = tiff.directory([(259, 3, [6]), (513, 4, [tiff.add(jpeg)]), (514, 4, [len(jpeg)])])
    return tiff.finish(tiff.directory([*sensor_entries(tiff), (271, 2, b"PENTAX\0")], last))


def raf(seed: int, jpeg: bytes) -> bytes:
    """Fujifilm's, which is no TIFF; its preview has all of the camera's data."""
    head = b"FUJIFILMCCD-RAW 0201FF383501X100".ljust(84, b"\0") + struct.pack(">LL", 160, len(jpeg))
    return head.ljust(160, b"\0") + jpeg + sensor()


def cr3(seed: int, jpeg: bytes) -> bytes:
    """Canon's newer one: boxes, with the camera's data as a TIFF in one of them."""
    tiff = Tiff()
    told = tiff.finish(tiff.directory([(274, 3, [6]), (0x132, 2, b"2021:05:04 12:30:15\0")]))
    boxes = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"
    for name, content in ((b"CMT1", told), (b"PRVW", jpeg), (b"mdat", sensor())):
        boxes += struct.pack(">L", 8 + len(content)) + name + content
    return boxes


def like_tiff(magic: bytes, seed: int, jpeg: bytes) -> bytes:
    """Olympus' and Panasonic's: directories as in a TIFF, behind a mark of their own, the preview anywhere."""
    tiff = Tiff(magic)
    place = tiff.add(jpeg)
    return tiff.finish(tiff.directory([(0x2E, 7, jpeg[:4]), (274, 3, [6]), (273, 4, [place])]), sensor())


def developed_tiff(seed: int) -> bytes:
    """Return an ordinary TIFF that a camera's program has written, with its maker's name."""
    tags = {271: "MAKER", 272: "CAM 1"}
    return encoded(photo(seed, 96, 72), "TIFF", tiffinfo=tags)


def pyramid_tiff(seed: int) -> bytes:
    """Return an ordinary TIFF with a smaller version of itself below it, as microscopes write them."""
    tiff = Tiff()
    below = tiff.directory(thumbnail_entries(tiff, seed))
    pixels = photo(seed, 96, 72).tobytes()
    return tiff.finish(
        tiff.directory(
            [
                (256, 4, [96]),
                (257, 4, [72]),
                (258, 3, [8, 8, 8]),
                (259, 3, [1]),
                (262, 3, [2]),
                (273, 4, [tiff.add(pixels)]),
                (277, 3, [3]),
                (278, 4, [72]),
                (279, 4, [len(pixels)]),
                (330, 4, [below]),
            ]
        )
    )
