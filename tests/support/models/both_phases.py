"""Trains both phases small, each way that is named, in a process of its own, and prints what came of them as JSON:

    python -m tests.support.models.both_phases plain rematerialised mirrored half

Ways whose computations are the same learn the same: no dropout, and phase 2 begins with a head of its own.
"""

import hashlib
import json
import os
import sys
import tempfile
from contextlib import nullcontext
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

if os.environ.get("TLCORE_BACKEND"):

    class Missing(MetaPathFinder):
        """Makes TensorFlow as good as not installed: what calls it all the same ends in a ModuleNotFoundError."""

        def find_spec(self, name: str, *_: Any) -> None:
            if name.partition(".")[0] == "tensorflow":
                raise ModuleNotFoundError(f"Expected nothing of {name} to be loaded.")

    sys.meta_path.insert(0, Missing())

from tests.support.pictures.corpus import photo
from tlcore.features.inputs import Materials
from tlcore.models.backbones import find_backbone
from tlcore.models.backend import ON_TENSORFLOW, keras
from tlcore.models.loading import load_backbone
from tlcore.photos import Photo
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.splits.groups import GroupRules
from tlcore.splits.splits import split
from tlcore.training import phases
from tlcore.training.history import MemoryIncident
from tlcore.training.recovery import Incidents

SIDE, PHOTOS, BATCH, EPOCHS, LAYERS = 48, 20, 8, 2, 60
DEVICES = ["CPU:0", "CPU:1"]


class Watcher(keras.callbacks.Callback):
    """Keeps what a phase's model is, and how many steps it took."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, Any] = {}

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        head = self.model.get_layer("head").get_layer("head_output")
        self.facts = {
            "steps": int(keras.ops.convert_to_numpy(optimizer.iterations)),
            "optimizer": type(optimizer).__name__,
            "output": keras.backend.standardize_dtype(self.model.output.dtype),
            "head_dtype": head.compute_dtype,
            "weights": sorted({each.dtype for each in self.model.trainable_variables}),
        }


def write_photos(folder: Path) -> list[Photo]:
    """Write photos of two classes, and return them."""
    photos = []
    for number in range(PHOTOS):
        file, label = folder / f"{number}.png", "ab"[number % 2]
        photo(300 + number, SIDE, SIDE).save(file)
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        photos.append(Photo(str(number), label, file.name, content, SIDE, SIDE, file=str(file)))
    return photos


def train(way: str, photos: list[Photo], folder: Path) -> dict[str, Any]:
    """Train both phases one way; return their losses, and what phase 2's model is."""
    incidents = Incidents(out_of_memory=[MemoryIncident(1, BATCH, BATCH, "rematerialised" in way)])
    settings = HeadSettings(image_size=SIDE, epochs=EPOCHS, patience=20, dropout=0.0, batch_size=BATCH)
    tuning = FineTuneSettings(layers=LAYERS, epochs=EPOCHS, patience=20, learning_rate=1e-6, batch_size=BATCH)
    watcher = Watcher()
    folder.mkdir()
    with _devices(way), mock.patch.object(phases, "gains_from_half_precision", return_value="half" in way):
        loaded = load_backbone(find_backbone("efficientnet-lite0"), SIDE)
        parts = split(photos, 0.2, 0)
        materials = Materials(
            **vars(loaded), settings=settings, split=parts, rules=GroupRules(), caches=folder.parent / "caches"
        )
        head = phases.train_head(materials, folder)
        chance = np.random.default_rng(0)
        weights = {name: chance.normal(0, 0.03, each.shape).astype(np.float32) for name, each in head.weights.items()}
        tuned = phases.fine_tune(
            materials, tuning, weights, head.epochs, None, folder, callbacks=[watcher], incidents=incidents
        )
    return {
        "head": [[epoch.loss, epoch.val_loss] for epoch in head.epochs],
        "tuned": [[epoch.loss, epoch.val_loss] for epoch in tuned.epochs],
        "probabilities": tuned.probabilities["validation"].tolist(),
        "drift": max(max(each.mean, each.variance) for each in tuned.drift),
        "precision": tuned.precision,
        "training": len(parts.training),
        **watcher.facts,
    }


def _devices(way: str) -> Any:
    if "mirrored" not in way:
        return nullcontext()
    from thaw.jobs.devices import mirror

    return mirror(DEVICES)


def main(ways: list[str]) -> None:
    """Print what came of each way, by its name."""
    if ON_TENSORFLOW:
        import tensorflow as tf

        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * len(DEVICES))
    with tempfile.TemporaryDirectory() as folder:
        photos = write_photos(Path(folder))
        said = {way: train(way, photos, Path(folder) / str(at)) for at, way in enumerate(ways)}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1:])
