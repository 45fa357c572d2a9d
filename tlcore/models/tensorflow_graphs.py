"""Graphs that TensorFlow computes faster than what Keras writes for it; with another backend Keras's own operations.

XLA, by which JAX compiles, joins operations and repeats steps by itself.
"""

from collections.abc import Callable
from typing import Any

from tlcore.models.backend import ON_TENSORFLOW, keras

_PLAIN = (1, 1)


def add_bias(outputs: Any, bias: Any) -> Any:
    """Add a number to each channel, in an operation that TensorFlow joins with the convolution and activation."""
    if not ON_TENSORFLOW:
        return outputs + bias
    import tensorflow as tf

    return tf.nn.bias_add(outputs, bias)


def filter_depthwise(layer: keras.layers.DepthwiseConv2D, inputs: Any, kernel: Any) -> Any:
    """Convolve as a depthwise layer does, with another kernel; on a processor by the faster way back."""
    if not ON_TENSORFLOW or tuple(layer.dilation_rate) != _PLAIN or _has_gpu():
        options = (layer.strides, layer.padding, layer.data_format, layer.dilation_rate)
        return keras.ops.depthwise_conv(inputs, kernel, *options)
    import tensorflow as tf

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


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def repeat_step(model: keras.Model, step: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of (tensors, targets, weights, batch size) that has a graph take a step a batch and returns the
    model's metrics."""
    import tensorflow as tf

    inputs = tuple(tf.TensorSpec((None, *each.shape[1:]), each.dtype) for each in model.inputs)
    output = model.output.shape[-1]
    # A sigmoid has one output, and its targets a column.
    targets = tf.TensorSpec((None, 1), tf.float32) if output == 1 else tf.TensorSpec((None,), tf.int32)
    signature = (inputs, targets, tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.int32))

    def take(tensors: tuple[Any, ...], targets: Any, weights: Any, size: Any) -> Any:
        images = tf.shape(targets)[0]

        def body(start: Any) -> Any:
            place = slice(start, tf.minimum(start + size, images))
            pieces = [tensor[place] for tensor in tensors]
            for piece, each in zip(pieces, inputs, strict=True):
                piece.set_shape(each.shape)
            step((pieces[0] if len(pieces) == 1 else tuple(pieces), targets[place], weights[place]))
            return start + size

        # One after another: each step begins with the weights of the one before.
        tf.while_loop(lambda start: start < images, body, [tf.constant(0)], parallel_iterations=1)
        return model.get_metrics_result()

    return tf.function(take, input_signature=signature, autograph=False)
