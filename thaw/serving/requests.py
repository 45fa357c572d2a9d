"""Turns the pictures of a request into what the network takes, reading their files just as an import would."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from thaw.decoding.decoder import Decoder
from thaw.decoding.reader import read_pictures
from thaw.serving.errors import Refused
from tlcore.errors import ImageRejected
from tlcore.files import scratch_folder

DECODERS = 2
DECODING_LIMIT_S = 10.0


@dataclass(frozen=True)
class Sent:
    """A picture of a request: its file's bytes, or uint8 pixels; `name` is for telling it from the others."""

    name: str
    content: bytes | np.ndarray


class PictureReader:
    """Reads files of unknown bytes in child processes with limits; use it as a context manager."""

    def __init__(self, image_size: int, grey_range: int) -> None:
        self._image_size, self._grey_range = image_size, grey_range
        children = min(DECODERS, os.cpu_count() or 1)
        self._decoder = Decoder(children, DECODING_LIMIT_S)
        self._pool = ThreadPoolExecutor(children, "reader")
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self._scratch = parts.enter_context(scratch_folder("serve"))
            parts.enter_context(self._decoder)
            parts.callback(self._pool.shutdown, cancel_futures=True)
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    async def read(self, pictures: Sequence[Sent]) -> np.ndarray:
        """Return uint8 (n, image_size, image_size, 3). Raises Refused: 422 for what is no picture, 503 for a full disk.

        A cancelled call gives up its place in line; pictures that are being decoded are decoded to the end.
        """
        if all(isinstance(picture.content, np.ndarray) for picture in pictures):
            return np.stack([np.asarray(picture.content) for picture in pictures])
        return await asyncio.wrap_future(self._pool.submit(self._read, pictures))

    def _read(self, pictures: Sequence[Sent]) -> np.ndarray:
        try:
            with scratch_folder("request", self._scratch) as folder:
                return np.stack(self._decode(pictures, folder))
        except OSError as problem:
            raise Refused(
                503,
                f"Expected room on the disk to read a picture. Received: {problem.strerror}. Free some space.",
            ) from problem

    def _decode(self, pictures: Sequence[Sent], folder: Path) -> list[np.ndarray]:
        read = {place: sent.content for place, sent in enumerate(pictures) if isinstance(sent.content, np.ndarray)}
        encoded = {place: sent.content for place, sent in enumerate(pictures) if isinstance(sent.content, bytes)}
        paths = [folder / f"{place}.sent" for place in encoded]
        for path, content in zip(paths, encoded.values(), strict=True):
            path.write_bytes(content)
        for position, pixels in read_pictures(self._decoder, folder, paths, self._image_size, self._grey_range):
            place = list(encoded)[position]
            if isinstance(pixels, ImageRejected):
                raise _no_picture(pictures, place, str(pixels))
            read[place] = pixels
        return [read[place] for place in range(len(pictures))]


def _no_picture(pictures: Sequence[Sent], place: int, reason: str) -> Refused:
    which = f"picture {place + 1} of {len(pictures)}" if len(pictures) > 1 else "one"
    name = f" ({pictures[place].name[:100]!r})" if pictures[place].name else ""
    return Refused(422, f"Expected a picture that can be read. Received: {which}{name} that cannot: {reason}.")
