"""Random requests by the thousand, each the same on every run: damaged pictures, forms and JSON, and plain noise."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tests.support.pictures.corpus import encoded, photo
from tests.support.pictures.mutants import mutants

ROWS = "/v1/models/tiny:predict"
_PIECES = [b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"1e999", b"-1", b"\\u0000", b"\xff", b"\r\n--x", b"--"]


@dataclass(frozen=True)
class Strange:
    """One request; `name` tells its number and what was done."""

    name: str
    path: str
    kind: str
    body: bytes


def strange_requests(count: int, side: int) -> Iterator[Strange]:
    """Yield the first `count` of them, made for a model that sees pictures of `side` pixels."""
    damaged = mutants(count)
    makers: list[Callable[[np.random.Generator], tuple[str, str, bytes]]] = [
        lambda chance: ("/predict", "image/jpeg", next(damaged).content),
        lambda chance: ("/predict", "multipart/form-data; boundary=x", _spoil(_form(next(damaged).content), chance)),
        lambda chance: (ROWS, "application/json", _spoil(_rows(side, chance), chance)),
        lambda chance: (ROWS, "application/json", _nest(chance)),
        lambda chance: ("/predict", _kind(chance), _noise(chance)),
    ]
    for number in range(count):
        chance = np.random.default_rng([6, number])
        yield Strange(f"{number:05d}", *makers[number % len(makers)](chance))


def _noise(chance: np.random.Generator) -> bytes:
    return chance.bytes(int(2 ** (14 * chance.random())))


def _kind(chance: np.random.Generator) -> str:
    return str(
        chance.choice(["image/png", "image/x", "multipart/form-data; boundary=x", "text/html", "multipart/mixed"])
    )


def _form(content: bytes) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + content + b"\r\n"
    return 2 * part + b"--x--\r\n"


def _rows(side: int, chance: np.random.Generator) -> bytes:
    picture = chance.integers(0, 256, (side, side, 3)).tolist()
    file = {"b64": base64.b64encode(encoded(photo(int(chance.integers(50)), 40, 40), "PNG")).decode()}
    return json.dumps({"instances": [file, picture] if chance.random() < 0.3 else [file]}).encode()


def _nest(chance: np.random.Generator) -> bytes:
    """Return JSON of random shape, some of it far deeper than anybody means."""
    deep = int(2 ** (15 * chance.random()))
    inner = str(chance.choice(["", "1", '{"b64": 5}', '"a"', "null", "true", '{"image": []}']))
    return b'{"%b": %b%b%b}' % (
        bytes(chance.choice([b"instances", b"inputs", b"signature_name"])),
        b"[" * deep,
        inner.encode(),
        b"]" * deep,
    )


def _spoil(content: bytes, chance: np.random.Generator) -> bytes:
    """Change a few places, often none: put something in, take a stretch out, or cut the end off."""
    changed = bytearray(content)
    for _ in range(int(chance.integers(3))):
        at = int(chance.integers(len(changed) + 1))
        way = chance.integers(3)
        if way == 0:
            changed[at:at] = _PIECES[int(chance.integers(len(_PIECES)))]
        elif way == 1:
            del changed[at : at + int(chance.integers(20))]
        elif chance.random() < 0.3:
            del changed[at:]
    return bytes(changed)
