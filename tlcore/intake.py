"""Reads pictures that belong to no data set just as an import would: decoded in children, then as a model sees them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tlcore.decoder import DecodeJob, Decoder
from tlcore.errors import ImageRejected
from tlcore.images import load_pixels


def read_pictures(
    decoder: Decoder, folder: Path, paths: Sequence[Path], image_size: int
) -> Iterator[tuple[int, np.ndarray | ImageRejected]]:
    """Decode each file; yield its place in `paths` with its pixels, uint8 (image_size, image_size, 3), or why not.

    They come as they are finished. The copies that an import would keep lie in `folder` until their pixels are read.
    Raises OSError where they cannot be written (a full disk).
    """
    jobs = (DecodeJob(path, folder / f"{place}", folder / f"{place}-thumbnail.jpg") for place, path in enumerate(paths))
    for job, outcome in decoder.map(jobs):
        place = int(job.target.name)
        if isinstance(outcome, ImageRejected):
            yield place, outcome
            continue
        copy = job.target.with_name(job.target.name + outcome.suffix)
        yield place, load_pixels(copy, image_size)
        copy.unlink()
        job.thumbnail.unlink()
