"""Pictures of more than 8 bits."""

import struct
import zlib

import numpy as np


def deep_tiff(values: np.ndarray, order: str, compression: int = 1, extra: int | None = None) -> bytes:
    """Write uint16 (height, width, 3 or 4 channels) as a TIFF; `extra` says what the fourth channel is."""
    height, width, channels = values.shape
    data = values.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if compression == 8 else data
    tags = {256: width, 257: height, 259: compression, 262: 2, 277: channels, 278: height, 279: len(data)}
    tags |= {} if extra is None else {338: extra}
    bits = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags |= {258: bits, 273: bits + 2 * channels}
    entries = b""
    for tag, value in sorted(tags.items()):
        count = channels if tag == 258 else 1
        short = tag in (259, 262, 277, 338)
        entries += struct.pack(f"{order}HHL", tag, 3 if short or tag == 258 else 4, count)
        entries += struct.pack(f"{order}HH", value, 0) if short else struct.pack(f"{order}L", value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}LH", 8, len(tags))
    return head + entries + b"\0\0\0\0" + struct.pack(f"{order}{channels}H", *[16] * channels) + data


def ramp(largest: int, channels: int = 1) -> np.ndarray:
    values = np.linspace(0, largest, 24 * 32 * channels).reshape(24, 32, channels)
    return values.astype(np.uint16)
