"""The part of a detector that learns: a neck that mixes the three sizes of features, and a head that says of every
place where an object's edges lie, whether there is one, and of which kind.

The neck goes down and up again (PANet, Liu et al. 2018, arXiv 1803.01534); the head has separate branches for edges and
kinds and no anchor boxes (YOLOX, Ge et al. 2021, arXiv 2107.08430). Each edge is a distribution over distances rather
than a number (DFL, Li et al. 2020, arXiv 2006.04388). Convolutions are depthwise separable: 0.12
million weights.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tlcore.detection.places import BINS, STRIDES, list_places
from tlcore.models.backbone_table import Backbone
from tlcore.models.backend import keras
from tlcore.models.preprocessing import normalise

WIDTH = 64
# A place is nothing, at first, 99 times in 100 (Lin et al. 2017, arXiv 1708.02002, section 3.3).
PRIOR = 0.01
# The averages of a set of some hundred photos have to keep up: PyTorch's default.
MOMENTUM = 0.9


def build_head(inputs: Sequence[Any], classes: int, width: int = WIDTH) -> keras.Model:
    """Build neck and head: features (n, side / stride, side / stride, channels) at `STRIDES` -> float32 (n, places,
    4 * BINS + 1 + classes), logits: of each edge's distances (left, top, right, bottom), of an object, of its kind.

    `inputs` are Keras tensors, of which shapes and dtypes are taken. Places go level by level, row by row.
    """
    entering = [keras.Input(each.shape[1:], dtype=each.dtype) for each in inputs]
    levels = [_unit(each, width, f"enter_{stride}") for each, stride in zip(entering, STRIDES, strict=True)]
    # Down: what large features know of the whole helps to tell small ones apart.
    for place in (1, 0):
        above = keras.layers.UpSampling2D(2, name=f"enlarge_{STRIDES[place]}")(levels[place + 1])
        joined = keras.layers.Concatenate(name=f"down_join_{STRIDES[place]}")([levels[place], above])
        levels[place] = _separable(joined, width, f"down_{STRIDES[place]}")
    # And up: where exactly something lies is known below.
    for place in (1, 2):
        below = _separable(levels[place - 1], width, f"reduce_{STRIDES[place]}", strides=2)
        joined = keras.layers.Concatenate(name=f"up_join_{STRIDES[place]}")([levels[place], below])
        levels[place] = _separable(joined, width, f"up_{STRIDES[place]}")
    said = _say(levels, classes, width)
    outputs = keras.layers.Concatenate(axis=1, name="places", dtype="float32")(said)
    return keras.Model(entering, outputs, name="head")


def join_detector(row: Backbone, tapped: keras.Model, head: keras.Model, image_size: int) -> keras.Model:
    """Join normalisation, backbone and head: uint8 (n, side, side, 3) -> the head's output."""
    pixels = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    return keras.Model(pixels, head(tapped(normalise(row, pixels), training=False)))


def read_edges(logits: Any, middles: Any, strides: Any) -> Any:
    """Return edges in pixels (n, places, 4) for logits of their distances (n, places, 4 * BINS): each is as far away as
    its distribution says on average. `middles` (places, 2) and `strides` (places,) are those of `list_places`, or of
    some of the places, other ones for each image."""
    ops = keras.ops
    shares = ops.softmax(ops.reshape(logits, (-1, logits.shape[1], 4, BINS)), axis=-1)
    far = ops.sum(shares * np.arange(BINS, dtype=np.float32), axis=-1) * strides[..., None]
    # By name: an array before a minus would take a symbolic tensor for one of its own.
    return ops.concatenate([ops.subtract(middles, far[..., :2]), ops.add(middles, far[..., 2:])], axis=-1)


def read_scores(logits: Any) -> Any:
    """Return the scores of each kind (n, places, classes), 0 to 1, for logits of an object and of its kind."""
    return keras.ops.sigmoid(logits[..., :1]) * keras.ops.sigmoid(logits[..., 1:])


class Decoded(keras.layers.Layer):
    """Turns the head's output into boxes and scores: (n, places, ...) logits -> edges in pixels of the square
    (n, places, 4), and scores (n, places, classes), 0 to 1."""

    def __init__(self, image_size: int, **options: Any) -> None:
        super().__init__(**{"name": "decoded", "dtype": "float32", **options})
        self.image_size = image_size
        self._middles, self._strides = list_places(image_size)

    def call(self, inputs: Any) -> tuple[Any, Any]:
        """Decode a batch."""
        edges = read_edges(inputs[..., : 4 * BINS], self._middles, self._strides)
        return edges, read_scores(inputs[..., 4 * BINS :])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "image_size": self.image_size}


def _say(levels: Sequence[Any], classes: int, width: int) -> list[Any]:
    """Say of the places of each level, (n, places of it, 4 * BINS + 1 + classes), what they see.

    All levels share their convolutions, so that what is learnt of large objects is known of small ones; each has a
    BatchNormalization of its own (RTMDet, Lyu et al. 2022, arXiv 2212.07784, section 3.2).
    """
    rare = keras.initializers.Constant(-math.log((1 - PRIOR) / PRIOR))

    def last(units: int, name: str, bias: Any = "zeros") -> Any:
        return keras.layers.Conv2D(units, 1, bias_initializer=bias, dtype="float32", name=name)

    branches = {
        branch: [(_look(f"{branch}_{number}"), _mix(width, f"{branch}_{number}")) for number in (1, 2)]
        for branch in ("edges", "kinds")
    }
    ends = {"edges": [last(4 * BINS, "distances"), last(1, "object", rare)], "kinds": [last(classes, "kind")]}
    said = []
    for level, stride in zip(levels, STRIDES, strict=True):
        parts = []
        for branch, steps in branches.items():
            seen = level
            for number, (look, mix) in enumerate(steps, 1):
                seen = _settle(mix(look(seen)), f"{branch}_{number}_{stride}")
            parts += [end(seen) for end in ends[branch]]
        joined = keras.layers.Concatenate(name=f"said_{stride}", dtype="float32")(parts)
        said.append(keras.layers.Reshape((-1, joined.shape[-1]), name=f"rows_{stride}", dtype="float32")(joined))
    return said


def _separable(tensor: Any, width: int, name: str, strides: int = 1) -> Any:
    return _unit(_look(name, strides)(tensor), width, name)


def _unit(tensor: Any, width: int, name: str) -> Any:
    return _settle(_mix(width, name)(tensor), name)


def _look(name: str, strides: int = 1) -> keras.Layer:
    return keras.layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False, name=f"{name}_look")


def _mix(width: int, name: str) -> keras.Layer:
    return keras.layers.Conv2D(width, 1, use_bias=False, name=f"{name}_mix")


def _settle(tensor: Any, name: str) -> Any:
    settled = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(tensor)
    return keras.layers.Activation("relu6", name=f"{name}_relu")(settled)
