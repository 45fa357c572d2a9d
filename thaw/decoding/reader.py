"""Reads pictures that belong to no data set just as an import would: decoded in children, then as a model sees them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thaw.decoding.decoder import Decoded, DecodeJob, Decoder
from tlcore.errors import ImageRejected
from tlcore.images.pixels import load_pixels


@dataclass(frozen=True)
class Copy:
    """What an import would keep of a picture: the copy, its thumbnail (a JPEG) and its notes; `width` and `height` are
    the original's in pixels, upright."""

    path: Path
    thumbnail: Path
    notes: list[str]
    width: int
    height: int


def decode_pictures(
    decoder: Decoder, folder: Path, paths: Sequence[Path], grey_range: int
) -> Iterator[tuple[int, Copy | ImageRejected]]:
    """Decode each file; yield its place in `paths` with the copy that an import would keep, or why there is none.

    They come as they are finished. A copy lies in `folder` until the next is asked for. `grey_range` is that of the run
    that is to see them. Raises OSError where a copy cannot be written (a full disk).
    """
    jobs = (
        DecodeJob(path, folder / f"{place}", folder / f"{place}-thumbnail.jpg", grey_range=grey_range)
        for place, path in enumerate(paths)
    )
    for job, outcome in decoder.map(jobs):
        place = int(job.target.name)
        if isinstance(outcome, ImageRejected):
            yield place, outcome
            continue
        assert isinstance(outcome, Decoded)
        path = job.target.with_name(job.target.name + outcome.suffix)
        copy = Copy(path, job.thumbnail, outcome.notes, outcome.width, outcome.height)
        yield place, copy
        copy.path.unlink()
        copy.thumbnail.unlink()


def read_pictures(
    decoder: Decoder, folder: Path, paths: Sequence[Path], image_size: int, grey_range: int
) -> Iterator[tuple[int, np.ndarray | ImageRejected]]:
    """Decode each file as `decode_pictures` does; yield pixels, uint8 (image_size, image_size, 3), for its copy."""
    for place, outcome in decode_pictures(decoder, folder, paths, grey_range):
        yield place, outcome if isinstance(outcome, ImageRejected) else load_pixels(outcome.path, image_size)
