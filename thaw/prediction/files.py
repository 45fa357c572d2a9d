"""Pictures from files, answered for in the order given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from thaw.decoding.decoder import Decoder
from thaw.decoding.reader import read_pictures
from tlcore.errors import ImageRejected
from tlcore.files import scratch_folder


class Answering(Protocol):
    """What answers for pictures: a run's network, or its classifier in Keras."""

    @property
    def image_size(self) -> int:
        """Return the side of the squares that it sees."""

    @property
    def grey_range(self) -> int:
        """Return by which range it reads pictures of more than 8 bits."""

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) for uint8 (n, image_size, image_size, 3)."""


@dataclass(frozen=True)
class FilePrediction:
    """What the classifier says of one picture: probabilities float32 (classes,), or why it could not be read."""

    path: Path
    probabilities: np.ndarray | None
    rejected: str | None


def predict_files(network: Answering, paths: Sequence[Path]) -> list[FilePrediction]:
    """Decode pictures exactly as an import does and classify them, in the order given."""
    unique = list(dict.fromkeys(paths))
    answers: dict[Path, FilePrediction] = {}
    with scratch_folder("predict") as scratch, Decoder() as decoder:
        read = read_pictures(decoder, scratch, unique, network.image_size, network.grey_range)
        for place, pixels in read:
            rejected = str(pixels) if isinstance(pixels, ImageRejected) else None
            shares = None if isinstance(pixels, ImageRejected) else network.predict(pixels[None])[0]
            answers[unique[place]] = FilePrediction(unique[place], shares, rejected)
    return [answers[path] for path in paths]
