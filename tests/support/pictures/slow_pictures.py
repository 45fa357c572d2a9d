"""Small JPEGs that take long to decode, made of scans that change nothing."""

import struct

SCAN = 0xDA


def slow_jpeg(width: int, height: int, scans: int) -> bytes:
    """Return a progressive JPEG in three colours: each scan refines every block of the picture, and takes 100 bytes."""
    blocks = ((width + 7) // 8) * ((height + 7) // 8)
    # The one code of either table; for AC it is a run of 2^14 blocks or more whose length is in 14 bits.
    runs = ("0" + "1" * 14) * ((blocks + 32766) // 32767)
    runs += "1" * (-len(runs) % 8)
    data = int(runs, 2).to_bytes(len(runs) // 8).replace(b"\xff", b"\xff\0")
    components = bytes([3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])
    head = _segment(0xDB, b"\0" + b"\1" * 64) + _segment(0xC2, struct.pack(">BHH", 8, height, width) + components)
    head += _segment(0xC4, b"\x00\1" + bytes(15) + b"\0") + _segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    body = b"".join(_segment(SCAN, bytes([1, 1 + n % 3, 0, 1, 63, 0x10])) + data for n in range(scans))
    return b"\xff\xd8" + head + body + b"\xff\xd9"


def _segment(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body
