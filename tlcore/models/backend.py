"""Keras, set as Thaw needs it whatever `~/.keras/keras.json` says; every module takes it from here. And how a model
runs faster: its variables frozen into constants, its top in half precision.

Of `tlcore.models` and `tlcore.training` this module and `tlcore.models.tensorflow_graphs` alone know TensorFlow, and do
without it where Keras has another backend: what they want of it, devices, graphs of constants and the words for running
out of memory, Keras has no call for.
"""

import os
from typing import Any

import keras as keras
import numpy as np

from tlcore.errors import SettingsError
from tlcore.models.plan import Forward

FLOATX, EPSILON, DATA_FORMAT = "float32", 1e-7, "channels_last"
# `tlcore.environment` has chosen it.
BACKEND = os.environ["KERAS_BACKEND"]
ON_TENSORFLOW = BACKEND == "tensorflow"
if ON_TENSORFLOW:
    import tensorflow as tf

    # What running out of memory looks like where TensorFlow computes.
    OUT_OF_MEMORY: tuple[type[BaseException], ...] = (MemoryError, tf.errors.ResourceExhaustedError)
else:
    OUT_OF_MEMORY = (MemoryError,)
# "NVIDIA GPUs with compute capability at least 7.0" gain from float16, by TensorFlow's guide "Mixed precision".
HALF_PRECISION_CAPABILITY = (7, 0)
HALF, FULL = "mixed_float16", "float32"


def settle_keras() -> None:
    """Set what Keras has read from its file; raise SettingsError where it was imported with another backend before."""
    keras.config.set_floatx(FLOATX)
    keras.config.set_epsilon(EPSILON)
    keras.config.set_image_data_format(DATA_FORMAT)
    if keras.config.backend() != BACKEND:
        raise SettingsError(
            f"Expected Keras with the backend {BACKEND}. Received: {keras.config.backend()}, with which this "
            "program had imported it before Thaw. Import tlcore first."
        )


settle_keras()


def freeze(model: keras.Model) -> Forward:
    """Return a function from a uint8 batch (n, side, side, 3) to the list of the model's float32 outputs.

    Constants let TensorFlow fold BatchNormalization into the convolutions: 1.35 times faster on a CPU than
    `tf.function` over variables. Later changes to the model's weights are not seen. The function raises MemoryError
    where memory runs out. With another backend than TensorFlow there are no constants, and changes are seen.
    """
    if not ON_TENSORFLOW:
        return lambda batch: [np.asarray(each) for each in keras.tree.flatten(model.predict_on_batch(batch))]
    frozen = freeze_graph(model)

    def forward(batch: np.ndarray) -> list[np.ndarray]:
        try:
            outputs = frozen(tf.constant(batch))
        except OUT_OF_MEMORY as problem:
            raise MemoryError(str(problem)) from problem
        return [output.numpy() for output in outputs]

    return forward


def answer_once(model: keras.Model, batch: np.ndarray) -> list[np.ndarray]:
    """Return a model's outputs for a batch, as fast as one batch is answered: TensorFlow does without a graph for it,
    JAX would compile operation by operation."""
    answers = model(batch, training=False) if ON_TENSORFLOW else model.predict_on_batch(batch)
    return [np.asarray(each) for each in keras.tree.flatten(answers)]


def freeze_graph(model: keras.Model) -> Any:
    """Return a model's graph of constants as TensorFlow's concrete function, with its outputs in the order of `tf.nest`
    (by key, where they have one)."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    (specification,) = model.inputs
    signature = tf.TensorSpec(specification.shape, specification.dtype)
    concrete = tf.function(lambda batch: model(batch, training=False)).get_concrete_function(signature)
    return convert_variables_to_constants_v2(concrete)


def gains_from_half_precision() -> bool:
    """Say whether the device that training will use computes faster in float16: every GPU of it must; no CPU does."""
    if not ON_TENSORFLOW:
        return False
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return bool(gpus) and all(
        (each.get("compute_capability") or (0, 0)) >= HALF_PRECISION_CAPABILITY for each in details
    )


def trains_by_graphs() -> bool:
    """Say whether a training step is a graph of TensorFlow's on one device, which a phase may rehearse and repeat.

    Copies of a model on several GPUs train in step by Keras's own loop alone.
    """
    return ON_TENSORFLOW and not tf.distribute.has_strategy()


def use_half_precision(model: keras.Model, backbone: keras.Model, boundary: int) -> None:
    """Let the backbone's layers from `boundary` up compute in float16 within `model`, before it is compiled.

    Keras then scales the loss, so that small gradients do not vanish (Micikevicius et al. 2018, "Mixed Precision
    Training"). The weights stay float32, and so do the normalisation, the pooling and the head.
    """
    for layer in backbone.layers[boundary:]:
        layer.dtype_policy = HALF
        if isinstance(layer, keras.layers.MultiHeadAttention):
            # Its products are layers of their own, which keep the precision that they were built with.
            for product in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense):
                product.dtype_policy = HALF
    model.dtype_policy = HALF
