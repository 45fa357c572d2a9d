"""The part of a network that trains, written so that a step takes a processor less time; the weights are the same.

BatchNormalization that never trains is a product and a sum for each channel: applied to the kernel of the convolution
below instead, it costs nothing an image, forward or back. And of the two ways that TensorFlow has on a processor to
find the gradient of a depthwise kernel, the one that it does not choose by itself is taken.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tlcore.models.backend import keras
from tlcore.models.keras_graph import call_again, find_maker, list_inputs
from tlcore.models.tensorflow_graphs import add_bias, filter_depthwise


class FoldedConvolution(keras.layers.Layer):
    """A convolution with the frozen BatchNormalization above it: (n, height, width, channels) -> what both make of it.

    It has no weights of its own; the kernel that trains is that of `convolution`.
    """

    def __init__(self, convolution: keras.Layer, norm: keras.layers.BatchNormalization) -> None:
        super().__init__(name=f"{convolution.name}_folded")
        self.convolution, self.norm = convolution, norm

    def call(self, inputs: Any) -> Any:
        """Run both layers on a batch."""
        norm, layer = self.norm, self.convolution
        scale = keras.ops.rsqrt(norm.moving_variance + norm.epsilon)
        if norm.gamma is not None:
            scale *= norm.gamma
        shift = ((layer.bias if layer.use_bias else 0.0) - norm.moving_mean) * scale
        if norm.beta is not None:
            shift += norm.beta
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel = layer.kernel * keras.ops.reshape(scale, layer.kernel.shape[2:])
            outputs = filter_depthwise(layer, inputs, kernel)
        else:
            options = (layer.strides, layer.padding, layer.data_format, layer.dilation_rate)
            outputs = keras.ops.conv(inputs, layer.kernel * scale, *options)
        return add_bias(outputs, shift)


def fold(
    backbone: keras.Model,
    tensors: Sequence[Any],
    start: int,
    results: Sequence[Any],
    end: int | None = None,
) -> keras.Model:
    """Return the model from `tensors`, which are what crosses below layer number `start` of a backbone, to `results`:
    what crosses below number `end`, or (None) the output.

    It shares the backbone's layers, and answers as they do up to rounding.
    """
    layers = backbone.layers[start:end]
    folded = _find_foldable(layers, backbone.layers[start:])
    away = {id(convolution) for convolution in folded.values()}
    inputs = [keras.Input(tensor.shape[1:], dtype=tensor.dtype) for tensor in tensors]
    made = {id(tensor): mine for tensor, mine in zip(tensors, inputs, strict=True)}
    for layer in layers:
        if id(layer) in away:
            continue
        convolution = folded.get(id(layer))
        below = [made[id(tensor)] for tensor in list_inputs(convolution or layer)]
        called = FoldedConvolution(convolution, layer)(*below) if convolution else call_again(layer, below)
        outputs = keras.tree.flatten(called)
        made |= zip(map(id, keras.tree.flatten(layer.output)), outputs, strict=True)
    outputs = [made[id(tensor)] for tensor in results]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0])


def _find_foldable(layers: Sequence[keras.Layer], above: Sequence[keras.Layer]) -> dict[int, keras.Layer]:
    """Return the convolution that each BatchNormalization can be folded into, by the `id` of the latter; `above` are
    all that may use what `layers` make."""
    uses = Counter(id(tensor) for layer in above for tensor in list_inputs(layer))
    inside = {id(layer) for layer in layers}
    found = {}
    for layer in layers:
        if not isinstance(layer, keras.layers.BatchNormalization) or layer.trainable_variables:
            continue
        (tensor,) = list_inputs(layer)
        below = find_maker(tensor)
        if (
            type(below) in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
            and id(below) in inside
            and uses[id(tensor)] == 1
            and below.activation is keras.activations.linear
            and layer.axis in (-1, len(tensor.shape) - 1)
        ):
            found[id(layer)] = below
    return found
