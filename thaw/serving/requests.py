"""Takes the pictures out of a request and turns them into what the network takes, just as an import would."""

import asyncio
import base64
import binascii
import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from thaw.decoding.decoder import Decoder
from thaw.decoding.reader import decode_pictures
from thaw.serving.engine import Engine, Look
from thaw.serving.limits import LARGEST_BODY_BYTES, Refused
from tlcore.errors import ImageRejected
from tlcore.files import scratch_folder

MOST_PICTURES = 32
DECODERS = 2
DECODING_LIMIT_S = 10.0
_PIECE_BYTES = 1 << 16
_DATA_URL = "data:"
_STANDARD_ALPHABET = str.maketrans("-_", "+/")


@dataclass(frozen=True)
class Sent:
    """A picture of a request: its file's bytes, or uint8 pixels; `name` is for telling it from the others."""

    name: str
    content: bytes | np.ndarray


def decode_text(words: str) -> bytes:
    """Return the file that base64 or a data URL with base64 holds, also in the alphabet for URLs and without padding.

    Raises Refused (400) for anything else.
    """
    encoded = words
    if words.startswith(_DATA_URL):
        head, _, encoded = words.partition(",")
        if not head.endswith(";base64"):
            received = f"a data URL that begins with {words[:40]!r}"
            raise Refused(400, "base64", received, "Begin it with data:image/jpeg;base64, .")
    encoded = encoded.translate(_STANDARD_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as problem:
        raise Refused(400, "base64", f"something else ({problem})", "Encode the file without line breaks.") from problem


async def split_body(headers: Headers, body: bytearray) -> list[Sent]:
    """Return the pictures of a body of type image/* or multipart/form-data, or the one that a data URL is.

    Raises Refused: 415 for another type, 400 for a form that is damaged, holds no file or more than `MOST_PICTURES`.
    """
    kind = headers.get("content-type", "").lower()
    if body.startswith(_DATA_URL.encode()):
        # What a browser's canvas gives, whatever type the browser sends it as.
        return [Sent("", decode_text(bytes(body).decode("ascii", "replace").rstrip()))]
    if kind.startswith("image/"):
        return [Sent("", bytes(body))]
    if kind.startswith("multipart/form-data"):
        return await _split_form(headers, body)
    raise Refused(
        415,
        "a picture (content-type image/*) or a form (multipart/form-data)",
        repr(kind[:100]),
        "Name the type of the picture in the header content-type, for instance image/jpeg.",
    )


async def _split_form(headers: Headers, body: bytearray) -> list[Sent]:
    limits = {"max_files": MOST_PICTURES, "max_fields": MOST_PICTURES, "max_part_size": LARGEST_BODY_BYTES}
    try:
        if not body.rstrip(b"\r\n").endswith(b"--"):
            # The parser would leave out the last file without a word.
            raise MultiPartException("its end is missing")
        form = await MultiPartParser(headers, _pieces(body), **limits).parse()
    except (MultiPartException, ValueError) as problem:
        wanted = f"a whole form of at most {MOST_PICTURES} files"
        advice = "Let a program write it, for instance curl -F file=@photo.jpg."
        raise Refused(400, wanted, f"another ({problem})", advice) from problem
    sent, received = [], "none"
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            sent.append(Sent(value.filename or "", await value.read()))
        elif value.startswith(_DATA_URL):
            sent.append(Sent(name, decode_text(value)))
        else:
            received = f"the part {name[:100]!r} without a file name, which makes it text"
    await form.close()
    if not sent:
        advice = "Add one: curl -F file=@photo.jpg (with the @), or in a program a part with a file name."
        raise Refused(400, "at least one file in the form", received, advice)
    return sent


async def _pieces(body: bytearray) -> AsyncGenerator[bytes, None]:
    """Yield a body piece by piece, letting other requests go on in between: a form can be slow to take apart."""
    for start in range(0, len(body), _PIECE_BYTES):
        yield bytes(body[start : start + _PIECE_BYTES])
        await asyncio.sleep(0)


@dataclass(frozen=True)
class PictureReader:
    """Reads files of unknown bytes in child processes with limits; `open_reader` makes one."""

    engine: Engine
    decoder: Decoder
    pool: ThreadPoolExecutor
    scratch: Path

    async def read(self, pictures: Sequence[Sent]) -> list[Look]:
        """Return what the model sees of each picture. Raises Refused: 422 for what is no picture, 503 for a full disk.

        A cancelled call gives up its place in line; pictures that are being decoded are decoded to the end.
        """
        if all(isinstance(picture.content, np.ndarray) for picture in pictures):
            return [self.engine.look_at_pixels(np.asarray(picture.content)) for picture in pictures]
        return await asyncio.wrap_future(self.pool.submit(self._read, pictures))

    def _read(self, pictures: Sequence[Sent]) -> list[Look]:
        try:
            with scratch_folder("request", self.scratch) as folder:
                return self._decode(pictures, folder)
        except OSError as problem:
            raise Refused(
                503, "room on the disk to read a picture", str(problem.strerror), "Free some space."
            ) from problem

    def _decode(self, pictures: Sequence[Sent], folder: Path) -> list[Look]:
        numbers = {place: sent.content for place, sent in enumerate(pictures) if isinstance(sent.content, np.ndarray)}
        read = {place: self.engine.look_at_pixels(pixels) for place, pixels in numbers.items()}
        encoded = {place: sent.content for place, sent in enumerate(pictures) if isinstance(sent.content, bytes)}
        paths = [folder / f"{place}.sent" for place in encoded]
        for path, content in zip(paths, encoded.values(), strict=True):
            path.write_bytes(content)
        for position, copy in decode_pictures(self.decoder, folder, paths, self.engine.grey_range):
            place = list(encoded)[position]
            if isinstance(copy, ImageRejected):
                raise _no_picture(pictures, place, copy)
            read[place] = self.engine.look(copy.path, copy.width, copy.height)
        return [read[place] for place in range(len(pictures))]


@contextmanager
def open_reader(engine: Engine) -> Iterator[PictureReader]:
    """Start the children of a reader for a model; end them with the context."""
    children = min(DECODERS, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(children, "reader")
    with ExitStack() as parts:
        scratch = parts.enter_context(scratch_folder("serve"))
        decoder = parts.enter_context(Decoder(children, DECODING_LIMIT_S))
        parts.callback(pool.shutdown, cancel_futures=True)
        yield PictureReader(engine, decoder, pool, scratch)


def _no_picture(pictures: Sequence[Sent], place: int, reason: ImageRejected) -> Refused:
    which = f"picture {place + 1} of {len(pictures)}" if len(pictures) > 1 else "one"
    name = f" ({pictures[place].name[:100]!r})" if pictures[place].name else ""
    return Refused(422, "a picture that can be read", f"{which}{name} that cannot: {reason}")
