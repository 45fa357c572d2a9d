"""Messages between two processes over pipes: a JSON header and raw bytes behind it, so that nothing is unpickled."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Frame:
    """One message: `header` can be written as JSON, `parts` are bytes that the header explains."""

    header: dict[str, Any]
    parts: Sequence[bytes] = field(default_factory=list)


def write_frame(pipe: IO[bytes], frame: Frame) -> None:
    """Write a frame: the length of what describes it (4 bytes, big-endian), that description as JSON, the parts.

    Raises OSError where the other side has gone.
    """
    described = json.dumps([frame.header, [len(part) for part in frame.parts]]).encode()
    pipe.write(b"".join([len(described).to_bytes(_LENGTH_BYTES, "big"), described, *frame.parts]))
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> Frame | None:
    """Read what `write_frame` wrote; return None where the other side has gone, be it in the middle of a frame."""
    length = _read_exactly(pipe, _LENGTH_BYTES)
    described = _read_exactly(pipe, int.from_bytes(length, "big")) if length else None
    if not described:
        return None
    header, sizes = json.loads(described)
    parts = [_read_exactly(pipe, size) for size in sizes]
    whole = [part for part in parts if part is not None]
    return Frame(header, whole) if len(whole) == len(parts) else None


def _read_exactly(pipe: IO[bytes], size: int) -> bytes | None:
    # A pipe without a buffer hands out as much as has come, which may be less than was asked for.
    pieces = []
    while size:
        piece = pipe.read(size)
        if not piece:
            return None
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
