"""How far BatchNormalization statistics have moved from the pretrained ones: nothing, if all is as it should be."""

import numpy as np

from tlcore.models.backend import keras
from tlcore.training.findings import LayerDrift


def measure_drift(backbone: keras.Model, pretrained: keras.Model) -> list[LayerDrift]:
    """Return how far each BatchNormalization layer lies from that of `pretrained`, the same backbone loaded anew."""
    rows = []
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            original = pretrained.get_layer(layer.name)
            rows.append(
                LayerDrift(
                    layer=layer.name,
                    mean=_difference(layer.moving_mean, original.moving_mean),
                    variance=_difference(layer.moving_variance, original.moving_variance),
                )
            )
    return rows


def _difference(present: keras.Variable, original: keras.Variable) -> float:
    now, then = (np.asarray(keras.ops.convert_to_numpy(each), np.float64) for each in (present, original))
    moved = float(np.linalg.norm(now - then))
    # Statistics that are all zero leave nothing to be relative to.
    return moved / (float(np.linalg.norm(then)) or 1.0)
