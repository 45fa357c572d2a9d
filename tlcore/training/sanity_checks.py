"""What is looked at where something may be wrong: frozen flags, the first batch as the backbone sees it, labels, and
BatchNormalization statistics, which should be as they were before training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tlcore.features.inputs import Materials
from tlcore.images.pixels import load_pixels
from tlcore.models.backend import keras
from tlcore.models.preprocessing import normalise
from tlcore.photos import Photo
from tlcore.training.history import FirstBatch, HeadChecks, LayerDrift

# What black and white become in each mode of keras.applications.imagenet_utils.preprocess_input; "lite" is
# EfficientNet-Lite's (x - 127) / 128, and "none" is left to the backbone's own layers.
EXPECTED_RANGES = {
    "none": (0.0, 255.0),
    "tf": (-1.0, 1.0),
    "lite": (-127 / 128, 1.0),
    "torch": (-2.118, 2.640),
    "caffe": (-123.68, 151.061),
}


def examine_head(materials: Materials, batch_size: int, backbone_training: int) -> HeadChecks:
    """Look at what phase 1 trained on: the first `batch_size` training images as they enter the backbone, the labels,
    and how many variables besides the head's were trained (0 expected)."""
    parts = materials.split
    pixels = _normalised(materials, parts.training[:batch_size])
    return HeadChecks(
        backbone_training=backbone_training,
        batch=FirstBatch(
            images=len(pixels),
            low=float(pixels.min()),
            high=float(pixels.max()),
            mean=float(pixels.mean()),
            expected=EXPECTED_RANGES.get(materials.row.normalisation),
        ),
        training=_count(parts.training, parts.labels),
        validation=_count(parts.validation, parts.labels),
    )


def read_statistics(backbone: keras.Model) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return a copy of each BatchNormalization layer's moving mean and variance, float64 (channels,), by its name."""
    return {
        layer.name: (_copy(layer.moving_mean), _copy(layer.moving_variance))
        for layer in backbone.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }


def measure_drift(backbone: keras.Model, pretrained: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> list[LayerDrift]:
    """Return how far the statistics of each BatchNormalization layer lie from the `pretrained` ones, which
    `read_statistics` read before training: the length of the difference as a share of their own."""
    return [
        LayerDrift(
            layer=name, mean=_difference(mean, pretrained[name][0]), variance=_difference(variance, pretrained[name][1])
        )
        for name, (mean, variance) in read_statistics(backbone).items()
    ]


def _normalised(materials: Materials, photos: Sequence[Photo]) -> np.ndarray:
    """Return the photos as they enter the backbone, float32 (n, side, side, 3)."""
    side = materials.image_size
    inputs = keras.Input((side, side, 3), dtype="uint8")
    model = keras.Model(inputs, normalise(materials.row, inputs))
    pixels = np.stack([load_pixels(Path(each.file), side) for each in photos])
    return np.asarray(model(pixels, training=False))


def _count(photos: Sequence[Photo], labels: list[str]) -> dict[str, int]:
    counts = Counter(photo.label for photo in photos)
    return {label: counts[label] for label in labels}


def _copy(variable: keras.Variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable), np.float64)


def _difference(now: np.ndarray, then: np.ndarray) -> float:
    moved = float(np.linalg.norm(now - then))
    # Statistics that are all zero leave nothing to be relative to.
    return moved / (float(np.linalg.norm(then)) or 1.0)
