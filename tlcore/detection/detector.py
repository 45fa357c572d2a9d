"""A detector in Keras: the assembled model with its parts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tlcore.detection.finding import Finder
from tlcore.detection.network import Decoded, join_detector
from tlcore.models.backbone_table import Backbone
from tlcore.models.backend import freeze, keras
from tlcore.models.plan import Forward


@dataclass(frozen=True)
class Detector(Finder):
    """The assembled model, uint8 (n, image_size, image_size, 3) -> edges in pixels of the square, float32
    (n, places, 4), and scores, float32 (n, places, kinds); with its parts."""

    model: keras.Model
    row: Backbone
    tapped: keras.Model
    head: keras.Model
    labels: list[str]
    image_size: int

    def answer(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        edges, scores = self._forward(squares)
        return edges, scores

    @cached_property
    def _forward(self) -> Forward:
        return freeze(self.model)


def assemble_detector(row: Backbone, tapped: keras.Model, head: keras.Model, image_size: int) -> keras.Model:
    """Join normalisation, backbone, head and decoding into the one model that a person would export."""
    joined = join_detector(row, tapped, head, image_size)
    boxes, scores = Decoded(image_size)(joined.outputs[0])
    return keras.Model(joined.inputs, [boxes, scores], name="detector")
