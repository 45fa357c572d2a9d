"""A run with a head drawn by chance, made without TensorFlow."""

import json

import numpy as np

from tlcore.models.backbones import find_backbone
from tlcore.models.weights import fetch, sha256_of
from tlcore.settings import HeadSettings

DATASET = "data-0123456789ab"
LABELS = ["berry", "leaf", "sky"]


def add_trained_run(store, seed):
    """A run whose head has weights drawn by chance: TensorFlow stays out of this process."""
    settings = HeadSettings(image_size=48)
    run_id = store.add_run(DATASET, settings.backbone, settings.to_json())
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.json").write_text(json.dumps(LABELS))
    kernel = np.random.default_rng(seed).normal(0, 0.02, (1280, len(LABELS))).astype(np.float32)
    np.savez(folder / "head.npz", **{"head/0": kernel, "head/1": np.zeros(len(LABELS), np.float32)})
    weights = sha256_of(fetch(find_backbone(settings.backbone)))
    store.add_facts(run_id, {"image_size": 48, "weights_sha256": weights})
    store.set_result(run_id, 1)
    return run_id
