"""How far BatchNormalization statistics have moved from the pretrained ones: nothing, if all is as it should be."""

from typing import Any

import numpy as np

from tlcore.models.backend import keras


def measure_drift(backbone: keras.Model, pretrained: keras.Model) -> list[dict[str, Any]]:
    """Return one row a BatchNormalization layer: its `layer` name and how far its moving `mean` and `variance` lie from
    those of `pretrained`, the same backbone loaded anew, relative to them (Euclidean norms; 0 is no difference)."""
    rows = []
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            original = pretrained.get_layer(layer.name)
            rows.append(
                {
                    "layer": layer.name,
                    "mean": _difference(layer.moving_mean, original.moving_mean),
                    "variance": _difference(layer.moving_variance, original.moving_variance),
                }
            )
    return rows


def _difference(present: keras.Variable, original: keras.Variable) -> float:
    now, then = (np.asarray(keras.ops.convert_to_numpy(each), np.float64) for each in (present, original))
    moved = float(np.linalg.norm(now - then))
    # Statistics that are all zero leave nothing to be relative to.
    return moved / (float(np.linalg.norm(then)) or 1.0)
