"""Reads pictures that belong to no data set just as an import would: decoded in children, then as a model sees them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tlcore.decoder import DecodeJob, Decoder
from tlcore.errors import ImageRejected
from tlcore.images import load_pixels


def decode_pictures(
    decoder: Decoder, folder: Path, paths: Sequence[Path]
) -> Iterator[tuple[int, Path | ImageRejected]]:
    """Decode each file; yield its place in `paths` with the copy that an import would keep, or why there is none.

    They come as they are finished. A copy lies in `folder` until the next is asked for. Raises OSError where it cannot
    be written (a full disk).
    """
    jobs = (DecodeJob(path, folder / f"{place}", folder / f"{place}-thumbnail.jpg") for place, path in enumerate(paths))
    for job, outcome in decoder.map(jobs):
        place = int(job.target.name)
        if isinstance(outcome, ImageRejected):
            yield place, outcome
            continue
        copy = job.target.with_name(job.target.name + outcome.suffix)
        yield place, copy
        copy.unlink()
        job.thumbnail.unlink()


def read_pictures(
    decoder: Decoder, folder: Path, paths: Sequence[Path], image_size: int
) -> Iterator[tuple[int, np.ndarray | ImageRejected]]:
    """Decode each file as `decode_pictures` does; yield pixels, uint8 (image_size, image_size, 3), for its copy."""
    for place, outcome in decode_pictures(decoder, folder, paths):
        yield place, outcome if isinstance(outcome, ImageRejected) else load_pixels(outcome, image_size)
