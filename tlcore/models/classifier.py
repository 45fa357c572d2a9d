"""The classifier: how it is assembled, what of it is frozen, and where it is cut in two.

`uint8 (n, side, side, 3) -> normalisation -> backbone(training=False) -> global average pooling -> head`.
The cut lets both phases train on tensors computed once (Kornblith et al. 2019 train heads on fixed features;
here the same idea goes up to the first layer that trains).
"""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tlcore.errors import SettingsError
from tlcore.images.pixels import WIDEST
from tlcore.models.backbone_table import Backbone
from tlcore.models.backend import freeze, keras
from tlcore.models.folding import fold
from tlcore.models.keras_graph import find_maker, list_inputs, name_tensor
from tlcore.models.layers import describe_layers
from tlcore.models.plan import PIXELS, POOLED, Cut, Forward, pooled_cut
from tlcore.models.preprocessing import normalise
from tlcore.models.rematerialisation import Rematerialised
from tlcore.settings import HeadSettings

# What reading a byte and what computing a multiply-add cost, in seconds, on an ordinary computer. Only their
# ratio matters: it decides whether a wide tensor is cheaper to read than to compute again from a narrow one.
SECONDS_PER_BYTE = 1 / 1e9
SECONDS_PER_FLOP = 1 / 3e10


@dataclass(frozen=True)
class Classifier:
    """The assembled model, uint8 (n, image_size, image_size, 3) -> probabilities; its parts and what it puts out.

    Pictures of more than 8 bits are read by `grey_range`, that of the photos that it learnt from.
    """

    model: keras.Model
    row: Backbone
    backbone: keras.Model
    head: keras.Model
    labels: list[str]
    image_size: int
    output: str
    grey_range: int = WIDEST

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) for uint8 (n, image_size, image_size, 3), all of them in one batch."""
        return share_out(self._forward(pixels)[0], self.output)

    @cached_property
    def _forward(self) -> Forward:
        return freeze(self.model)


def build_head(channels: int, classes: int, settings: HeadSettings) -> keras.Model:
    """Build the head: pooled features (n, channels) float32 -> probabilities (n, classes), or (n, 1) for a sigmoid.

    Raises SettingsError for a sigmoid with any number of classes but two.
    """
    if settings.output == "sigmoid" and classes != 2:
        raise SettingsError(
            f"Expected two classes for a sigmoid output. Received: {classes} classes. "
            "Choose softmax, which takes any number."
        )
    inputs = keras.Input((channels,), name="features")
    outputs = inputs
    if settings.hidden_units:
        outputs = keras.layers.Dense(settings.hidden_units, activation="relu", name="head_hidden")(outputs)
    outputs = keras.layers.Dropout(settings.dropout, seed=settings.seed, name="head_dropout")(outputs)
    units = 1 if settings.output == "sigmoid" else classes
    # float32 whatever the policy: probabilities in half precision lose the tail that mistakes are ranked by.
    output = keras.layers.Dense(units, activation=settings.output, dtype="float32", name="head_output")
    return keras.Model(inputs, output(outputs), name="head")


def assemble(
    row: Backbone, backbone: keras.Model, head: keras.Model, image_size: int, frozen: bool = True
) -> keras.Model:
    """Join normalisation, backbone, pooling and head into the one model that a user would export.

    One that is not `frozen` has its BatchNormalization learn as it is trained.
    """
    pixels = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    features = backbone(normalise(row, pixels), training=False if frozen else None)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooling")(features)
    return keras.Model(pixels, head(pooled), name="classifier")


def share_out(predicted: np.ndarray, output: str) -> np.ndarray:
    """Return the head's float32 output as (n, classes); a sigmoid's p becomes (1 - p, p)."""
    return np.hstack([1 - predicted, predicted]) if output == "sigmoid" else predicted


def freeze_below_top(backbone: keras.Model, top: int) -> None:
    """Let the top `top` layers of the backbone train and freeze the rest; BatchNormalization stays frozen everywhere.

    A BatchNormalization layer that is not trainable also runs in inference mode (Keras guide "Transfer learning &
    fine-tuning"); its statistics were learnt on far more images than a user has.
    """
    boundary = len(backbone.layers) - top
    if boundary < 0:
        raise SettingsError(
            f"Expected between 0 and {len(backbone.layers)} layers to unfreeze. Received: layers={top}."
        )
    backbone.trainable = True
    for index, layer in enumerate(backbone.layers):
        layer.trainable = index >= boundary and not isinstance(layer, keras.layers.BatchNormalization)


def find_cut(row: Backbone, backbone: keras.Model, image_size: int) -> Cut:
    """Choose the cheapest cut at or below the first layer of `backbone` that trains.

    Every set `layers[:i]` is closed under what its layers need, because Keras lists layers in topological order; so
    the tensors made below i and used at or above it are constants of an image, for any i up to the first layer that
    trains. The cheapest weighs bytes to read against multiply-adds to repeat.
    """
    layers = backbone.layers
    first = next((i for i, layer in enumerate(layers) if layer.trainable_variables), None)
    if first is None:
        return pooled_cut(row)
    described = describe_layers(row, backbone)
    # What is computed again between a boundary and the first layer that trains.
    repeated = [0, *itertools.accumulate(layer["flops"] for layer in reversed(described[:first]))][::-1]
    best = 0
    best_cost = image_size * image_size * 3 * SECONDS_PER_BYTE + repeated[0] * SECONDS_PER_FLOP
    for boundary in range(2, first + 1):
        cost = described[boundary]["cut_bytes"] * SECONDS_PER_BYTE + repeated[boundary] * SECONDS_PER_FLOP
        if cost <= best_cost:
            best, best_cost = boundary, cost
    if best == 0:
        return Cut(0, (PIXELS,), ((image_size, image_size, 3),), ("uint8",))
    tensors = crossing_tensors(backbone, best)
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in tensors)
    return Cut(best, tuple(name_tensor(tensor) for tensor in tensors), shapes, ("float32",) * len(shapes))


def crossing_tensors(backbone: keras.Model, boundary: int) -> list[Any]:
    """Return the Keras tensors made by `layers[:boundary]` and used by `layers[boundary:]` or as the output."""
    # Keras lists the layers anew each time that it is asked for them.
    layers = backbone.layers
    below = {id(layer) for layer in layers[:boundary]}
    used = [tensor for layer in layers[boundary:] for tensor in list_inputs(layer)] + list(backbone.outputs)
    crossing = {id(tensor): tensor for tensor in used if id(find_maker(tensor)) in below}
    return list(crossing.values())


def lower_model(row: Backbone, backbone: keras.Model, cut: Cut, image_size: int) -> keras.Model:
    """Build the frozen part: uint8 (n, side, side, 3) -> the list of tensors that cross the cut."""
    pixels = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    if cut.names == (POOLED,):
        features = backbone(normalise(row, pixels), training=False)
        return keras.Model(pixels, [keras.layers.GlobalAveragePooling2D(name="pooling")(features)], name="lower")
    lower = keras.Model(backbone.inputs, crossing_tensors(backbone, cut.boundary))
    outputs = lower(normalise(row, pixels), training=False)
    return keras.Model(pixels, outputs if isinstance(outputs, list) else [outputs], name="lower")


def upper_model(row: Backbone, backbone: keras.Model, cut: Cut, head: keras.Model, folded: bool = True) -> keras.Model:
    """Build the trained part: the tensors that cross the cut -> probabilities. It shares layers with `backbone`.

    What is not `folded` runs each of those layers as it is, in the precision that the layer has.
    """
    if cut.names == (POOLED,):
        return head_model(cut, head)
    inputs, features = join_upper(row, backbone, cut, folded)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooling")(features)
    return keras.Model(inputs, head(pooled), name="upper")


def join_upper(row: Backbone, backbone: keras.Model, cut: Cut, folded: bool = True) -> tuple[list[Any], Any]:
    """Return inputs for what crosses a cut below layers that train, and what those layers make of it: one tensor, or a
    list of as many as the backbone has outputs."""
    inputs = _cut_inputs(cut)

    def build(start: int, end: int | None) -> keras.Model:
        entering = crossing_tensors(backbone, start)
        leaving = backbone.outputs if end is None else crossing_tensors(backbone, end)
        if folded:
            return fold(backbone, entering, start, leaving, end)
        return keras.Model(entering, leaving if len(leaving) > 1 else leaving[0])

    trained = Rematerialised(build, describe_layers(row, backbone), max(cut.boundary, 1))
    entering = [normalise(row, inputs[0])] if cut.names == (PIXELS,) else inputs
    return inputs, trained(entering if len(entering) > 1 else entering[0])


def head_model(cut: Cut, head: keras.Model) -> keras.Model:
    """Build the trained part where that is the head alone: pooled features, which cross `cut` -> probabilities."""
    inputs = _cut_inputs(cut)
    return keras.Model(inputs, head(inputs[0]), name="upper")


def _cut_inputs(cut: Cut) -> list[Any]:
    return [
        keras.Input(shape, dtype=dtype, name=f"cut_{index}")
        for index, (shape, dtype) in enumerate(zip(cut.shapes, cut.dtypes, strict=True))
    ]


def row_channels(backbone: keras.Model) -> int:
    """Return how many numbers describe an image after pooling: the channels of the backbone's output."""
    return int(backbone.output.shape[-1])
