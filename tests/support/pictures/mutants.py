"""Damaged pictures by the thousand: cut anywhere or with bits flipped, each the same on every run."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from tests.support.pictures.corpus import encoded, exif_rotated, photo

HEADER_BYTES = 64
MAX_FLIPS = 64


@dataclass(frozen=True)
class Mutant:
    """One damaged picture; `name` tells its number, its format and what was done to it."""

    name: str
    content: bytes


def mutants(count: int) -> Iterator[Mutant]:
    """Yield the first `count` mutants; each of 5 formats and 3 kinds of damage has its equal share of any run of 15."""
    formats = list(_originals())
    for number in range(count):
        chance = np.random.default_rng([3, number])
        encoding = formats[number % len(formats)]
        damage = list(DAMAGES)[number // len(formats) % len(DAMAGES)]
        choice = _originals()[encoding]
        original = choice[int(chance.integers(len(choice)))]
        yield Mutant(f"{number:04d}-{encoding}-{damage}", DAMAGES[damage](original, chance))


def _cut(content: bytes, chance: np.random.Generator) -> bytes:
    return content[: int(chance.integers(len(content)))]


def _flip(content: bytes, first: int, last: int, chance: np.random.Generator) -> bytes:
    """Flip 1 to 64 bits among the bytes from `first` to `last`, few more often than many: few fool a parser."""
    changed = bytearray(content)
    flips = round(MAX_FLIPS ** chance.random())
    for at in chance.integers(8 * first, 8 * last, flips):
        changed[at // 8] ^= 1 << int(at % 8)
    return bytes(changed)


DAMAGES: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "cut": _cut,
    "header": lambda content, chance: _flip(content, 0, HEADER_BYTES, chance),
    "body": lambda content, chance: _flip(content, HEADER_BYTES, len(content), chance),
}


@cache
def _originals() -> dict[str, list[bytes]]:
    """Encode whole pictures of every format in the ways that parsers treat differently."""
    plain, grey, few = photo(301, 160, 120), photo(302, 120, 160).convert("L"), photo(303).quantize(32)
    deep = Image.fromarray((np.add.outer(np.arange(64), np.arange(96)) * 300).astype(np.uint16))
    clear = plain.copy()
    clear.putalpha(grey.resize(plain.size))
    return {
        "jpeg": [
            encoded(plain, "JPEG", quality=90),
            encoded(plain, "JPEG", quality=80, progressive=True),
            encoded(grey, "JPEG"),
            encoded(plain.convert("CMYK"), "JPEG"),
            exif_rotated(6),
        ],
        "png": [
            encoded(plain, "PNG"),
            encoded(deep, "PNG"),
            encoded(few, "PNG", transparency=0),
            encoded(clear, "PNG"),
        ],
        "webp": [
            encoded(plain, "WEBP", quality=80),
            encoded(clear, "WEBP", lossless=True),
            encoded(plain, "WEBP", save_all=True, append_images=[photo(304, 160, 120)]),
        ],
        "gif": [encoded(few, "GIF"), encoded(few, "GIF", save_all=True, append_images=[photo(305).quantize(32)])],
        "tiff": [_tiff(plain, compression) for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg")]
        + [_tiff(deep, "raw"), _tiff(grey.convert("1"), "group4")],
    }


def _tiff(image: Image.Image, compression: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", compression=compression)
    return buffer.getvalue()
