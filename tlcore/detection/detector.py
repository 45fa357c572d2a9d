"""A detector as it is used: the assembled model, and what it finds on pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from tlcore.boxes import Box
from tlcore.detection.found import Found
from tlcore.detection.network import Decoded
from tlcore.detection.suppression import suppress
from tlcore.detection.views import Window, read_squares
from tlcore.models.backbone_table import Backbone
from tlcore.models.backend import freeze, keras
from tlcore.models.plan import Forward
from tlcore.models.preprocessing import normalise

# At once: what a layer makes of them fits into an ordinary computer's memory.
PICTURES_AT_ONCE = 16


@dataclass(frozen=True)
class Detection:
    """An object that was found: what it is, how sure that is (0 to 1), and the box around it."""

    label: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Detector:
    """The assembled model, uint8 (n, image_size, image_size, 3) -> edges in pixels of the square, float32
    (n, places, 4), and scores, float32 (n, places, kinds); with its parts."""

    model: keras.Model
    row: Backbone
    tapped: keras.Model
    head: keras.Model
    labels: list[str]
    image_size: int

    def find(self, pictures: Sequence[Image.Image]) -> list[Found]:
        """Return what is found on upright pictures in any size, however unsure it is."""
        found: list[Found] = []
        for start in range(0, len(pictures), PICTURES_AT_ONCE):
            squares, windows = read_squares(pictures[start : start + PICTURES_AT_ONCE], self.image_size)
            found += read_found(*self.answer(squares), windows)
        return found

    def answer(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what the model says of uint8 (n, image_size, image_size, 3), all of them in one batch."""
        edges, scores = self._forward(squares)
        return edges, scores

    def name(self, found: Found) -> list[Detection]:
        """Return what was found in words: labels and boxes, surest first."""
        return [
            Detection(self.labels[kind], float(score), box_of(self.labels[kind], edges))
            for edges, score, kind in zip(found.edges, found.scores, found.kinds, strict=True)
        ]

    @cached_property
    def _forward(self) -> Forward:
        return freeze(self.model)


def assemble_detector(row: Backbone, tapped: keras.Model, head: keras.Model, image_size: int) -> keras.Model:
    """Join normalisation, backbone, head and decoding into the one model that a person would export."""
    pixels = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    features = tapped(normalise(row, pixels), training=False)
    boxes, scores = Decoded(image_size)(head(features))
    return keras.Model(pixels, [boxes, scores], name="detector")


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
