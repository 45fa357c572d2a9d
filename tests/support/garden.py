"""A data set whose photos have neighbours that are known."""

import math

import numpy as np
import pytest

from thaw.datasets.run_split import write_split
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.features.cache import FeatureCache
from tlcore.settings import HeadSettings
from tlcore.splits.splits import Split

DATASET = "data-0123456789ab"
LABELS = ("rose", "tulip")
# How far each training image's features are turned from those of the asked image, in degrees.
ANGLES = (80, 10, 50, 30, 70, 20, 120)


def image(number, **changes):
    label = LABELS[number % 2]
    values = {"name": f"{label}/{number}.png", "content": f"{number:064x}", "folder": DATASET} | changes
    return Image(f"img-{number:012x}", label, suffix=".png", width=32, height=32, **values)


def turned(degrees, length):
    angle = math.radians(degrees)
    return np.array([math.cos(angle), math.sin(angle), 0], dtype=np.float32) * length


@pytest.fixture
def garden(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def add_run(store, training, asked, features=None):
    """Record a run that learnt from `training` and is judged on `asked`, with its cached features; return the run."""
    store.add_dataset(DATASET, "garden", "folder", Arrival([*training, asked]))
    run_id = store.add_run(DATASET, "efficientnet-lite0", HeadSettings().to_json())
    store.workspace.run(run_id).mkdir(parents=True, exist_ok=True)
    write_split(store, run_id, Split(training=training, validation=[asked], labels=list(LABELS)))
    cache = FeatureCache(store.workspace.features, {"of": "the test"}, [(3,)], ["float32"])
    if features is None:
        # Of many lengths: only the direction counts.
        features = [turned(degrees, 1 + place) for place, degrees in enumerate(ANGLES)]
    kept = [each.content for each in (*training[: len(features)], asked)]
    cache.append(kept, [np.stack([*features, turned(0, 4)])])
    store.add_facts(run_id, {"feature_cache": {"folder": cache.folder.name, "channels": 3}})
    return store.run(run_id)


def plain():
    return [image(number) for number in range(len(ANGLES))]
