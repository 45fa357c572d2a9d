"""What is looked at where a head has learnt nothing: frozen flags, the first batch as the backbone sees it, labels."""

from collections import Counter
from typing import Any

import numpy as np

from thaw.storage.records import Image
from thaw.storage.workspace import Workspace
from thaw.training.materials import Materials
from tlcore.images.decode import load_pixels
from tlcore.models.backend import keras
from tlcore.models.preprocessing import normalise
from tlcore.training.guards import EXPECTED_RANGES


def examine_head(workspace: Workspace, materials: Materials, batch_size: int) -> dict[str, Any]:
    """Return JSON-able numbers on a phase 1: `backbone_training` counts the backbone's variables that train, `batch`
    has the `low`, `high` and `mean` of the first training images after normalisation beside the `expected` range (None
    for a kind without one), `training` and `validation` count the images of each class."""
    parts = materials.split
    pixels = _normalised(workspace, materials, parts.training[:batch_size])
    return {
        "backbone_training": len(materials.backbone.trainable_variables),
        "batch": {
            "images": len(pixels),
            "low": float(pixels.min()),
            "high": float(pixels.max()),
            "mean": float(pixels.mean()),
            "expected": EXPECTED_RANGES.get(materials.row.normalisation),
        },
        "training": _count(parts.training, parts.labels),
        "validation": _count(parts.validation, parts.labels),
    }


def _normalised(workspace: Workspace, materials: Materials, images: list[Image]) -> np.ndarray:
    """Return the images as they enter the backbone, float32 (n, side, side, 3)."""
    side = materials.image_size
    paths = [workspace.image(image.folder, image.id, image.suffix) for image in images]
    inputs = keras.Input((side, side, 3), dtype="uint8")
    model = keras.Model(inputs, normalise(materials.row, inputs))
    return np.asarray(model.predict(np.stack([load_pixels(path, side) for path in paths]), verbose=0))


def _count(images: list[Image], labels: list[str]) -> dict[str, int]:
    counts = Counter(image.label for image in images)
    return {label: counts[label] for label in labels}
