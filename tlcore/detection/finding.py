"""What every detector does, whatever runs it: finds objects on pictures and names them; and the one that ONNX Runtime
runs. No Keras."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tlcore.boxes import Box
from tlcore.detection.found import Found
from tlcore.detection.places import count_numbers, decode, list_places
from tlcore.detection.suppression import suppress
from tlcore.detection.views import Window, read_squares
from tlcore.features.frozen import FrozenPart, Source
from tlcore.models.backbone_table import Backbone
from tlcore.models.plan import Cut, Forward, Network

if TYPE_CHECKING:
    from tlcore.models.backend import keras

# At once: what a layer makes of them fits into an ordinary computer's memory.
PICTURES_AT_ONCE = 16
USED_FOR = "finding"


@dataclass(frozen=True)
class Detection:
    """An object that was found: what it is, how sure that is (0 to 1), and the box around it."""

    label: str
    confidence: float
    box: Box


class Finder(ABC):
    """Finds objects of `labels` on pictures, which are fitted into squares of `image_size` pixels."""

    labels: list[str]
    image_size: int

    @abstractmethod
    def answer(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what the model says of uint8 (n, image_size, image_size, 3), all of them in one batch: edges in pixels
        of the square, float32 (n, places, 4), and scores, float32 (n, places, kinds)."""

    def find(self, pictures: Sequence[Image.Image]) -> list[Found]:
        """Return what is found on upright pictures in any size, however unsure it is."""
        found: list[Found] = []
        for start in range(0, len(pictures), PICTURES_AT_ONCE):
            squares, windows = read_squares(pictures[start : start + PICTURES_AT_ONCE], self.image_size)
            found += read_found(*self.answer(squares), windows)
        return found

    def name(self, found: Found) -> list[Detection]:
        """Return what was found in words: labels and boxes, surest first."""
        return [
            Detection(self.labels[kind], float(score), box_of(self.labels[kind], edges))
            for edges, score, kind in zip(found.edges, found.scores, found.kinds, strict=True)
        ]


@dataclass(frozen=True)
class FrozenDetector(Finder):
    """A detector whose network is a function of pixels alone."""

    labels: list[str]
    image_size: int
    forward: Forward = field(repr=False)

    def answer(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        (said,) = self.forward(squares)
        return decode(said, self.image_size)


def freeze_detector(
    caches: Path,
    row: Backbone,
    trained: str,
    image_size: int,
    labels: Sequence[str],
    build: "Callable[[], tuple[keras.Model, keras.Model]]",
) -> FrozenDetector:
    """Return a detector that ONNX Runtime runs on a processor, from a file below `caches`; `trained` names its weights.

    Where the file is not there yet it is written and compared with Keras: `build` returns the tapped backbone and the
    head. Where the two differ TensorFlow runs it, as `tlcore.features.frozen` says.
    """

    def plan() -> Network:
        from tlcore.engines.from_keras import plan_tapped

        return plan_tapped(row, *build(), image_size)

    def lower() -> "keras.Model":
        from tlcore.detection.network import join_detector

        return join_detector(row, *build(), image_size)

    places, _ = list_places(image_size)
    cut = Cut(row.layers, ("places",), ((len(places), count_numbers(len(labels))),), ("float32",))
    part = FrozenPart(caches, Source(row, trained, image_size, cut, plan, lower, plain=False, used_for=USED_FOR))
    return FrozenDetector([*labels], image_size, part.forward([]))


def read_found(edges: np.ndarray, scores: np.ndarray, windows: Sequence[Window]) -> list[Found]:
    """Return what is found on each picture once boxes are suppressed, within the picture and as shares of it.

    `edges` float32 (n, places, 4) are in pixels of the square, `scores` float32 (n, places, kinds).
    """
    found = []
    for mine, sure, window in zip(edges, scores, windows, strict=True):
        kept, values, kinds = suppress(mine, sure)
        found.append(Found(window.back(kept).clip(0, 1).astype(np.float32), values, kinds))
    return found


def box_of(label: str, edges: Any) -> Box:
    """Return a box for its edges (4,) as shares of a photo."""
    left, top, right, bottom = map(float, edges)
    return Box(label, left, top, right - left, bottom - top)
