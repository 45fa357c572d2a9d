"""What is looked at where a head has learnt nothing: frozen flags, the first batch as the backbone sees it, labels."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tlcore.features.inputs import Materials
from tlcore.images.decode import load_pixels
from tlcore.models.backend import keras
from tlcore.models.preprocessing import normalise
from tlcore.photos import Photo
from tlcore.training.findings import FirstBatch, HeadChecks
from tlcore.training.guards import EXPECTED_RANGES


def examine_head(materials: Materials, batch_size: int) -> HeadChecks:
    """Look at what phase 1 trained on: the first `batch_size` training images as they enter the backbone, the labels,
    and how many of the backbone's variables train (0 expected)."""
    parts = materials.split
    pixels = _normalised(materials, parts.training[:batch_size])
    return HeadChecks(
        backbone_training=len(materials.backbone.trainable_variables),
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


def _normalised(materials: Materials, photos: Sequence[Photo]) -> np.ndarray:
    """Return the photos as they enter the backbone, float32 (n, side, side, 3)."""
    side = materials.image_size
    inputs = keras.Input((side, side, 3), dtype="uint8")
    model = keras.Model(inputs, normalise(materials.row, inputs))
    return np.asarray(model.predict(np.stack([load_pixels(Path(each.file), side) for each in photos]), verbose=0))


def _count(photos: Sequence[Photo], labels: list[str]) -> dict[str, int]:
    counts = Counter(photo.label for photo in photos)
    return {label: counts[label] for label in labels}
