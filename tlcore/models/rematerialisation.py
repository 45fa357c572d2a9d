"""Keeps less of a training step in memory: what the trained part of a backbone makes of a batch is computed again on
the way back, piece by piece (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").

Keras's `RematScope` does so for one layer at a time, whose input it keeps all the same, and for none that was built
before it was opened. So whole pieces go through `keras.remat`, and only what goes into them is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tlcore.models.backend import keras
from tlcore.models.plan import LARGEST_SHARE, kept_bytes, plan_pieces

Build = Callable[[int, int | None], keras.Model]
"""Returns the network of a backbone's layers from one number to another (None: to the top)."""


class Rematerialised(keras.layers.Layer):
    """The part of a backbone that trains as one layer: `build(boundary, None)`, or once it rematerialises, `build` of
    its pieces one after another.

    All share the backbone's weights; those of the whole stand in the same order either way. BatchNormalization runs in
    inference mode, and nothing else may draw by chance: a second time it would draw otherwise. `layers` is what
    `tlcore.models.layers.describe_layers` says of the backbone.
    """

    def __init__(self, build: Build, layers: Sequence[Mapping[str, Any]], boundary: int) -> None:
        super().__init__(name="trained")
        self.whole, self._build_piece = build(boundary, None), build
        self._starts = tuple(plan_pieces(layers, boundary))
        self._bytes = tuple(kept_bytes(layers, starts) for starts in ((boundary,), self._starts))
        self._run: Sequence[Callable[..., Any]] = ()

    @property
    def bytes_per_image(self) -> int:
        """About how many bytes of one image a training step keeps for its way back."""
        return self._bytes[bool(self._run)]

    def rematerialise(self) -> bool:
        """Keep only what goes into each piece from the next time on that the model is compiled.

        Return False where it does so already, or where that would save next to nothing.
        """
        if self._run or self._bytes[1] > LARGEST_SHARE * self._bytes[0]:
            return False
        # As functions, Keras does not take them for more layers of this one.
        ends: list[int | None] = [*self._starts[1:], None]
        pieces = [self._build_piece(start, end) for start, end in zip(self._starts, ends, strict=True)]
        self._run = tuple(map(_as_function, pieces))
        return True

    def call(self, inputs: Any) -> Any:
        """Run the network on a batch of the tensors that go into it."""
        if not self._run:
            return self.whole(inputs, training=False)
        tensors = keras.tree.flatten(inputs)
        for run in self._run[:-1]:
            # A function of this call's own: JAX would keep what it has traced of one with the weights of that time.
            tensors = keras.tree.flatten(keras.remat(_renew(run))(*tensors))
        # The way back begins in the last piece, and what is kept of it is wanted at once.
        return self._run[-1](*tensors)

    def compute_output_spec(self, inputs: Any) -> Any:
        return self.whole.compute_output_spec(inputs, training=False)


def find_rematerialised(model: keras.Model) -> Rematerialised | None:
    """Return the layer of a model that can be rematerialised, or None."""
    return next((layer for layer in model.layers if isinstance(layer, Rematerialised)), None)


def _renew(run: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *tensors: run(*tensors)


def _as_function(piece: keras.Model) -> Callable[..., Any]:
    def run(*tensors: Any) -> Any:
        return piece(tensors[0] if len(tensors) == 1 else list(tensors), training=False)

    return run
