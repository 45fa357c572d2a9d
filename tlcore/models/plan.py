"""A network as plain data: its layers in order, with their settings and weights, whoever built it, and where it is cut;
no Keras."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tlcore.models.backbone_table import Backbone

Forward = Callable[[np.ndarray], list[np.ndarray]]
"""Maps uint8 (n, side, side, 3) to the outputs of a network, each float32 (n, *shape)."""

PIXELS = "pixels"
POOLED = "pooled"


@dataclass(frozen=True)
class Cut:
    """Where the frozen part ends.

    `names` are the tensors that cross (layer names, or "pixels" for the uint8 image, or "pooled" when no layer of
    the backbone trains); `shapes` and `dtypes` are those of one image; `boundary` is the index in
    `backbone.layers` of the first layer above the cut.
    """

    boundary: int
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]


def pooled_cut(row: Backbone) -> Cut:
    """Return the cut above the whole backbone: one pooled vector an image."""
    return Cut(row.layers, (POOLED,), ((row.features,),), ("float32",))


@dataclass(frozen=True)
class PlainLayer:
    """One layer: `kind` is the class that Keras has for it, `config` what of Keras's settings decides its result.

    `inputs` are the names of the layers whose outputs it takes; `weights` are float32 arrays in Keras's order and
    shapes: height, width, inputs, outputs for a convolution's kernel.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[str, ...]
    weights: Sequence[np.ndarray] = ()


@dataclass(frozen=True)
class Network:
    """A frozen network from pixels to what comes out of `outputs`, names of `layers`, which are in order.

    The layer `PIXELS` is not in the list: it stands for the image, uint8 (n, image_size, image_size, 3).
    """

    image_size: int
    layers: Sequence[PlainLayer]
    outputs: tuple[str, ...]
