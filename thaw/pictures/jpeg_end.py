"""Whether a JPEG without its end mark lacks only that, as cheap cameras write them, or parts of its picture too."""

import hashlib
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops

END_MARK = b"\xff\xd9"
_END, _SCAN, _RESTART_INTERVAL = 0xD9, 0xDA, 0xDD
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_PROGRESSIVE = {0xC2, 0xCA}
_COEFFICIENTS = 64
# In the data of a scan 0xFF is followed by a zero, or is a restart mark; what else follows it ends the scan.
# A run of 0xFF, which may be as long as a file, is looked at once.
_SCAN_END = re.compile(rb"(?<!\xff)\xff++[^\x00\xff\xd0-\xd7]")
_MARK = re.compile(rb"\xff++([^\xff])")
_RESTARTS = re.compile(rb"\xff[\xd0-\xd7]")
# The shortest run of equal bytes at the end of a file that is taken for filling.
_FILLING = 16


def _continuation(first: int) -> bytes:
    """Return bytes that make pictures of noise, without a mark; `first` is the first of them."""
    noise = b"".join(hashlib.sha256(bytes([first, n])).digest() for n in range(8))
    return bytes([first]) + noise.replace(b"\xff", b"\x7f")


# Each begins with two bits of its own, so that the first code that is read of each is another one.
_CONTINUATIONS = tuple(_continuation(first) for first in (0x2A, 0x55, 0xAA, 0xD5))


def has_end(content: bytes) -> bool:
    """Say whether a JPEG has its end mark, be it with other data behind it."""
    return content.endswith(END_MARK) or any(kind == _END for kind, _, _ in _segments(content))


def supply_end(content: bytes) -> bytes | None:
    """Return a JPEG that lacks its end mark alone, with that mark; None where picture data are missing too.

    No reader tells which it is: what libjpeg misses it makes up. But it reads no further than the last pixel needs, so
    that a whole picture stays the same whatever follows its data, and one that is cut shows what follows as noise. All
    scans and all restart marks that the headers announce must be there as well. Filling behind the data is no data.
    """
    data = _strip_filling(content)
    if not _has_all_scans(data):
        return None
    first, *others = (_load(data + continuation + END_MARK) for continuation in _CONTINUATIONS)
    whole = all(ImageChops.difference(first, other).getbbox(alpha_only=False) is None for other in others)
    return data + END_MARK if whole else None


def _load(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content), formats=("JPEG",))
    image.load()
    return image


def _strip_filling(content: bytes) -> bytes:
    """Return a file without the run of equal bytes that fills it up, as cards and broken downloads leave it."""
    data = content.rstrip(content[-1:])
    if len(content) - len(data) < _FILLING:
        data = content
    # Half an end mark, or a byte of the data whose zero was taken for filling: behind whole data it does no harm.
    return data + b"\0" if data.endswith(b"\xff") else data


@dataclass
class _Frame:
    """A picture's size in pixels and its components: number -> sampling factors across and down."""

    kind: int
    width: int
    height: int
    factors: dict[int, tuple[int, int]]

    def count_units(self, components: list[int]) -> int:
        """Return how many units (MCUs) a scan of these components has (ITU-T T.81, A.2)."""
        most_across = max(across for across, _ in self.factors.values())
        most_down = max(down for _, down in self.factors.values())
        across, down = self.factors[components[0]] if len(components) == 1 else (1, 1)
        if len(components) > 1:
            return math.ceil(self.width / (8 * most_across)) * math.ceil(self.height / (8 * most_down))
        columns = math.ceil(math.ceil(self.width * across / most_across) / 8)
        return columns * math.ceil(math.ceil(self.height * down / most_down) / 8)


def _has_all_scans(content: bytes) -> bool:
    """Say whether every coefficient of every component is sent to its last bit, with all restart marks."""
    frame, interval = None, 0
    missing: set[tuple[int, int]] = set()
    for kind, segment, data in _segments(content):
        if kind in _FRAMES and len(segment) >= 6:
            frame = _read_frame(kind, segment)
            missing = {(component, place) for component in frame.factors for place in range(_COEFFICIENTS)}
        elif kind == _RESTART_INTERVAL and len(segment) == 2:
            interval = int.from_bytes(segment)
        elif kind == _SCAN:
            count = segment[0] if segment else 0
            components = list(segment[1 : 1 + 2 * count : 2])
            if frame is None or len(segment) != 4 + 2 * count or not set(components) <= set(frame.factors) or not count:
                return False
            if interval and len(_RESTARTS.findall(data)) != math.ceil(frame.count_units(components) / interval) - 1:
                return False
            start, end, bits = segment[-3:] if frame.kind in _PROGRESSIVE else (0, _COEFFICIENTS - 1, 0)
            if bits & 0x0F == 0:
                missing -= {(component, place) for component in components for place in range(start, end + 1)}
    return frame is not None and not missing


def _read_frame(kind: int, segment: bytes) -> _Frame:
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    parts = (segment[at : at + 3] for at in range(6, len(segment) - 2, 3))
    return _Frame(kind, width, height, {part[0]: (part[1] >> 4 or 1, part[1] & 0x0F or 1) for part in parts})


def _segments(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield every segment of a JPEG: its kind, what it holds, and for a scan the data behind it."""
    place = 2
    while found := _MARK.search(content, place):
        kind, place = found[1][0], found.end()
        if kind == _END:
            yield kind, b"", b""
            return
        length = int.from_bytes(content[place : place + 2])
        segment = content[place + 2 : place + length]
        if length < 2 or len(segment) < length - 2:
            return
        place += length
        data = b""
        if kind == _SCAN:
            end = _SCAN_END.search(content, place)
            data = content[place : end.start() if end else None]
            place += len(data)
        yield kind, segment, data
