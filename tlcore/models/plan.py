"""A network as plain data: its layers in order, with their settings and weights, whoever built it, and where it is cut;
no Keras."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tlcore.models.backbone_table import Backbone

Forward = Callable[[np.ndarray], list[np.ndarray]]
"""Maps uint8 (n, side, side, 3) to the outputs of a network, each float32 (n, *shape)."""

# To compute a piece twice for less than a tenth of the memory is not worth it.
LARGEST_SHARE = 0.9
# What takes the memory of a layer's output, or the layer's place, where it is the next one above.
_OVERWRITING = {
    "Conv2D": ("BatchNormalization",),
    "DepthwiseConv2D": ("BatchNormalization",),
    "BatchNormalization": ("Activation", "ReLU", "Add"),
    "Add": ("Activation", "ReLU"),
}

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


def plan_pieces(layers: Sequence[Mapping[str, Any]], boundary: int) -> list[int]:
    """Divide `layers[boundary:]` of `tlcore.models.layers.describe_layers` into pieces, whole blocks each, such that a
    training step keeps least at once where of all pieces but one it keeps only what went in; return where each begins.
    """
    blocks = [layer["block"] for layer in layers]
    places = [boundary, *(i for i in range(boundary + 1, len(layers)) if blocks[i] != blocks[i - 1]), len(layers)]
    kept = list_kept(layers)
    low, high, planned = 0, sum(kept[boundary:]), [boundary]
    # The least that suffices, to a thousandth or, where that is less, to a byte.
    while high - low > max(1, high / 1000):
        middle = (low + high) // 2
        found = _divide(layers, kept, places, middle)
        low, high, planned = (low, middle, found) if found else (middle, high, planned)
    return planned


def kept_bytes(layers: Sequence[Mapping[str, Any]], pieces: Sequence[int]) -> int:
    """Return how many bytes of one image a training step keeps for its way back, at most, through the pieces that begin
    at these layers: what went into them, and what one of them makes; a single piece is kept whole."""
    kept, between, most = list_kept(layers), 0, 0
    for start, end in itertools.pairwise([*pieces, len(layers)]):
        between += layers[start]["cut_bytes"] if start > pieces[0] else 0
        most = max(most, between + sum(kept[start:end]))
    return most


def list_kept(layers: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return about how many bytes of each layer's output for one image a training step keeps for its way back.

    A convolution whose BatchNormalization is folded into it makes none, and a sum needs nothing of what it adds. Layers
    that an earlier version described are taken to keep nothing beside their outputs.
    """
    kinds = [*(layer["kind"] for layer in layers), ""]
    gone = [above in _OVERWRITING.get(here, ()) for here, above in itertools.pairwise(kinds)]
    return [
        (0 if each else layer["activation_bytes"]) + layer.get("inner_bytes", 0)
        for each, layer in zip(gone, layers, strict=True)
    ]


def _divide(
    layers: Sequence[Mapping[str, Any]], kept: Sequence[int], places: Sequence[int], most: int
) -> list[int] | None:
    """Return where pieces begin that begin and end at `places` and keep no more than `most` bytes, or None."""
    made = [0, *itertools.accumulate(kept)]
    # For each place the least that is kept of what went into pieces below it, and where those begin.
    best: dict[int, tuple[int, list[int]]] = {places[0]: (0, [])}
    for end in places[1:]:
        ways = [
            (between, [*before, start])
            for start, (between, before) in best.items()
            if between + made[end] - made[start] <= most
        ]
        if ways:
            between, begins = min(ways)
            best[end] = (between + (layers[end]["cut_bytes"] if end < len(layers) else 0), begins)
    return best[len(layers)][1] if len(layers) in best else None
