"""The part of a network that trains, written so that a step takes a processor less time; the weights are the same.

BatchNormalization that never trains is a product and a sum for each channel: applied to the kernel of the convolution
below instead, it costs nothing an image, forward or back. And of the two ways that TensorFlow has on a processor to
find the gradient of a depthwise kernel, the one that it does not choose by itself is taken.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tlcore.models.backend import keras
from tlcore.models.keras_graph import call_again, find_maker, list_inputs

_PLAIN = (1, 1)


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
        scale = tf.math.rsqrt(norm.moving_variance + norm.epsilon)
        if norm.gamma is not None:
            scale *= norm.gamma
        shift = ((layer.bias if layer.use_bias else 0.0) - norm.moving_mean) * scale
        if norm.beta is not None:
            shift += norm.beta
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel = layer.kernel * tf.reshape(scale, layer.kernel.shape[2:])
            outputs = _filter_depthwise(layer, inputs, kernel)
        else:
            options = (layer.strides, layer.padding, layer.data_format, layer.dilation_rate)
            outputs = keras.ops.conv(inputs, layer.kernel * scale, *options)
        return tf.nn.bias_add(outputs, shift)


def fold(backbone: keras.Model, boundary: int, tensors: Sequence[Any]) -> keras.Model:
    """Return the model from `tensors`, which are what crosses below `boundary`, to the output of a backbone.

    It shares the backbone's layers, and answers as they do up to rounding.
    """
    layers = backbone.layers[boundary:]
    folded = _find_foldable(layers)
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
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], made[id(backbone.output)])


def _find_foldable(layers: Sequence[keras.Layer]) -> dict[int, keras.Layer]:
    """Return the convolution that each BatchNormalization can be folded into, by the `id` of the latter."""
    uses = Counter(id(tensor) for layer in layers for tensor in list_inputs(layer))
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


def _filter_depthwise(layer: keras.layers.DepthwiseConv2D, inputs: Any, kernel: Any) -> Any:
    if tuple(layer.dilation_rate) != _PLAIN or tf.config.list_physical_devices("GPU"):
        options = (layer.strides, layer.padding, layer.data_format, layer.dilation_rate)
        return keras.ops.depthwise_conv(inputs, kernel, *options)
    strides, padding = [1, *layer.strides, 1], layer.padding.upper()
    sizes = zip(inputs.shape[1:3], kernel.shape[:2], layer.strides, strict=True)
    around = [_pad(*each) if padding == "SAME" else (0, 0) for each in sizes]

    @tf.custom_gradient
    def run(images: Any, weights: Any) -> Any:
        def find_gradients(above: Any) -> tuple[Any, Any]:
            below = tf.nn.depthwise_conv2d_backprop_input(tf.shape(images), weights, above, strides, padding)
            # With its padding spelt out TensorFlow computes this itself; oneDNN takes one core and twice the time.
            of_weights = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=images,
                filter_sizes=tf.shape(weights),
                out_backprop=above,
                strides=strides,
                padding="EXPLICIT",
                explicit_paddings=[0, 0, *around[0], *around[1], 0, 0],
            )
            return below, of_weights

        return tf.nn.depthwise_conv2d(images, weights, strides, padding), find_gradients

    return run(inputs, kernel)


def _pad(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how much "same" padding puts before and after a side of `size` pixels."""
    whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return whole // 2, whole - whole // 2
