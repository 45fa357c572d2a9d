"""Turns pixels into what a backbone was trained on, as layers inside the model; Keras is imported only to
build them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.models.backbone_table import Backbone
from tlcore.models.plan import PIXELS, PlainLayer

if TYPE_CHECKING:
    from tlcore.models.backend import keras

_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225])
_IMAGENET_MEAN_BGR_255 = np.array([103.939, 116.779, 123.68])
# Scale and offset of each kind; 'tf', 'torch' and 'caffe' are the modes of keras.applications.imagenet_utils.
_SCALES_AND_OFFSETS: dict[str, tuple[Any, Any]] = {
    "none": (1.0, 0.0),
    "tf": (1 / 127.5, -1.0),
    "lite": (1 / 128, -127 / 128),
    "torch": (
        (1 / (255 * IMAGENET_DEVIATION)).tolist(),
        (-_IMAGENET_MEAN / IMAGENET_DEVIATION).tolist(),
    ),
    "caffe": (1.0, 0.0),
}


def normalise(backbone: Backbone, tensor: "keras.KerasTensor") -> "keras.KerasTensor":
    """Apply the backbone's own preprocessing to RGB pixels.

    `tensor`: uint8 or float `(n, height, width, 3)` in 0..255. Returns float32 of the same shape, within 1e-5
    (relative) of the backbone's `preprocess_input`. The layers are Keras's own and frozen, kept in float32
    also under a mixed-precision policy, and named 'normalise_...'; none belongs to the backbone.
    """
    from tlcore.models.backend import keras

    scale, offset = _SCALES_AND_OFFSETS[backbone.normalisation]
    x = keras.layers.Rescaling(scale, offset, dtype="float32", name="normalise_rescale")(tensor)
    return _to_centred_bgr(x) if backbone.normalisation == "caffe" else x


def plan_normalisation(backbone: Backbone) -> list[PlainLayer]:
    """Return what `normalise` does as plain layers, from the pixels on."""
    scale, offset = _SCALES_AND_OFFSETS[backbone.normalisation]
    planned = [PlainLayer("normalise_rescale", "Rescaling", {"scale": scale, "offset": offset}, (PIXELS,))]
    if backbone.normalisation == "caffe":
        config = {"use_bias": True, "activation": "linear", "padding": "valid"}
        planned.append(PlainLayer("normalise_bgr", "Conv2D", config, ("normalise_rescale",), _centring_weights()))
    return planned


def _to_centred_bgr(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Reverse the channels and subtract their means, with a frozen 1x1 convolution."""
    from tlcore.models.backend import keras

    layer = keras.layers.Conv2D(3, 1, trainable=False, dtype="float32", name="normalise_bgr")
    y = layer(x)
    layer.set_weights(_centring_weights())
    return y


def _centring_weights() -> list[np.ndarray]:
    return [np.eye(3)[::-1].reshape(1, 1, 3, 3), -_IMAGENET_MEAN_BGR_255]
